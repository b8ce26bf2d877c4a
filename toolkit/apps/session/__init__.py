"""What one visitor has chosen: a scenario and a place, its history, its address and its file."""
