"""The dashboard: one Panel site in which a finance officer changes assumptions and sees at once what follows."""
