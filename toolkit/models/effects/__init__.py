"""What early help changes: the meta-analysis of the studies of effect."""
