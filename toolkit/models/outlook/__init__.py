"""Where children looked after, their placements, prices and spending are heading: panel to posterior to forecast."""
