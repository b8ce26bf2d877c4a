"""What every model shares: priors, sampling, diagnostics and reweighting."""
