"""Where a number on a page comes from."""
