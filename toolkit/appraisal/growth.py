"""What a saving is in a budget that grows: growth avoided first, and cash only below this year's spend."""

import xarray as xr

from toolkit.schema import InputError, aligned

__all__ = ["growth_and_cash"]


def growth_and_cash(
    avoided: xr.DataArray,
    baseline: xr.DataArray,
    this_year: xr.DataArray,
    *,
    share: float | xr.DataArray = 1.0,
    lag: int = 0,
) -> xr.Dataset:
    """Split what lines of a budget avoid into growth avoided and spend below this year's, of which cash is released.

    All lines together first reduce the growth of spend above this year's; only what they avoid beyond it brings spend
    below this year's, and only that can be taken out of a budget. Each line has its part of both in proportion. Where
    nothing grows, all is below this year's; added cost is added growth.

    Parameters
    ----------
    avoided
        GBP (line, year, and draws): spend that each line avoids, below 0 where it adds to it.
    baseline
        GBP (year, and draws): spend if nothing changes, in the same prices.
    this_year
        GBP (draws, or a number): this year's spend, likewise. For a budget paper all three are in cash of the year.
    share
        Share of a saving that can leave a budget, 0 to 1.
    lag
        Years until it has left.

    Returns
    -------
    Dataset
        ``growth_avoided``, ``below_this_year`` (which add up to ``avoided``) and ``cash_released`` (the share of the
        latter, ``lag`` years on), all (line, year, and draws).

    Raises
    ------
    InputError
        Years that differ, or a lag below 0.
    """
    if lag < 0:
        raise InputError(f"lag: {lag} years.", fix="give 0 or more.")
    aligned(avoided, baseline)
    total, room = avoided.sum("line", skipna=False), (baseline - this_year).clip(min=0.0)
    beyond = total > room
    growth = avoided * xr.where(beyond, room / total.where(beyond, 1.0), 1.0)
    below = avoided - growth
    parts = {"growth_avoided": growth, "below_this_year": below}
    parts["cash_released"] = below.shift(year=lag, fill_value=0.0) * share
    return xr.Dataset({name: part.transpose(*avoided.dims).assign_attrs(avoided.attrs) for name, part in parts.items()})


def __dir__() -> list[str]:
    return __all__
