"""Live answers: every change of a visitor prices the whole posterior again."""
