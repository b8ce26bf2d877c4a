"""Contact with social care from birth to eighteen, fitted to the published flows."""
