"""What programmes change: a hierarchical model of the studies of each."""
