"""Every quantity that an output shows: its draws, its formula, its words and its tables."""
