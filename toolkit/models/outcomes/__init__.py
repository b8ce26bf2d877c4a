"""The joint model of the outcome rates of all areas, years and indicators."""
