"""The one Dataset that an outlook is: children, flows, prices and spending by area and year, draw by draw."""

from typing import Any

import xarray as xr

from toolkit.schema import PRICE_BASE, aligned

PLACEMENTS = ("fostering", "residential", "supported", "other")
WEEKS = 365.25 / 7  # of a year
LATEST, LAST = 2025, 2035  # the financial year, by the March it ends in, of the latest statistics, and the furthest
GBP_WEEK = {"units": "GBP per week", "price_base": PRICE_BASE}
GBP_YEAR = {"units": "GBP per year", "price_base": PRICE_BASE}


def assemble(
    *,
    children: xr.DataArray,
    unaccompanied: xr.DataArray,
    starts: xr.DataArray,
    difference: xr.DataArray,
    ends_latest: xr.DataArray,
    price: xr.DataArray,
    factor: xr.DataArray,
    safeguarding: xr.DataArray,
    to_cash: xr.DataArray,
    **attributes: Any,
) -> xr.Dataset:
    """Return an outlook from its parts; the first year is that of the latest statistics, in every draw alike.

    Parameters
    ----------
    children
        Looked after at 31 March, unaccompanied children among them (chain, draw, area, year, placement).
    unaccompanied
        Unaccompanied asylum-seeking children among them (chain, draw, area, year).
    starts, difference
        In the year to 31 March: children who start to be looked after, and those that the stock counts beyond last
        year's plus starts less ends (chain, draw, area, year); starts rise where ends would be below 0.
    ends_latest
        Children who ceased to be looked after in the first year (area).
    price
        GBP a week of a placement, in 2025/26 prices (chain, draw, area, year, placement).
    factor
        Section 251 spending on looked-after children over children times price times weeks (chain, draw, area, year):
        what spending holds besides placements, and what its statistics count otherwise.
    safeguarding
        Section 251 spending on safeguarding, GBP a year in 2025/26 prices (chain, draw, area, year).
    to_cash
        What times 2025/26 prices gives the cash of a year (year).
    **attributes
        Of the Dataset: ``baseline``, ``price_growth``, ``seed``.

    Returns
    -------
    Dataset
        Dimensions ``chain``, ``draw``, ``area``, ``year`` (2025 to 2035, the March in which the financial year ends)
        and ``placement`` (fostering; residential, secure and schools included; supported, independent living and
        placements of other kinds included; other, with parents or placed for adoption):

        - ``children`` (..., placement), ``unaccompanied``, ``starts``, ``ends``, ``difference``: persons.
          ``children.sum("placement")`` is last year's plus ``starts`` - ``ends`` + ``difference``.
        - ``residential_share``: of all children.
        - ``price`` (..., placement): GBP a week, real. ``factor``: 1.
        - ``spend`` (..., placement): ``children * price * WEEKS * factor``, GBP a year, real; ``spend_cash``: in the
          cash of the year. ``safeguarding`` and ``safeguarding_cash``: GBP a year.
        - ``to_cash`` (year): what times real money gives cash.

        Coordinates ``area_name``, ``region`` (area) and ``financial_year`` (year), such as "2025/26".

    Raises
    ------
    InputError
        If the parts have other areas, years or placements.
    """
    aligned(children, unaccompanied, starts, difference, ends_latest, price, factor, safeguarding, to_cash)
    stock = children.sum("placement")
    left = stock.shift(year=1) + difference - stock  # what starts would be if nobody left
    starts = starts.where(~(starts + left < 0), -left)
    ends = (starts + left).fillna(ends_latest)
    spend = children * price * WEEKS * factor
    persons, cash = {"units": "persons"}, {"units": "GBP per year", "price_base": "cash of the year"}
    parts = {
        **{"children": (children, persons), "unaccompanied": (unaccompanied, persons), "starts": (starts, persons)},
        **{"ends": (ends, persons), "difference": (difference, persons)},
        "residential_share": (children.sel(placement="residential", drop=True) / stock, {"units": "1"}),
        **{"price": (price, GBP_WEEK), "factor": (factor, {"units": "1"}), "spend": (spend, GBP_YEAR)},
        **{"spend_cash": (spend * to_cash, cash), "safeguarding": (safeguarding, GBP_YEAR)},
        **{"safeguarding_cash": (safeguarding * to_cash, cash), "to_cash": (to_cash, {"units": "1"})},
    }
    order = ("chain", "draw", "area", "year", "placement")
    arrays = {
        name: part.assign_attrs(about).transpose(*order, missing_dims="ignore") for name, (part, about) in parts.items()
    }
    years = [f"{year - 1}/{year % 100:02d}" for year in children["year"].values]
    return xr.Dataset(arrays, attrs=attributes).assign_coords(financial_year=("year", years))
