"""Bayesian cost of poor outcomes for children in contact with social care, and what early help avoids."""
