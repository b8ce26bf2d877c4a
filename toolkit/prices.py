"""Price years: GDP deflators, rebasing, and real price growth that fades.

A price year is a financial year, "2013/14", or a calendar year, "2015". Below the evidence, so the
deflators are an argument: a series of index numbers by price-year label, all on one scale.
"""

import math
import re
from typing import Annotated

import numpy as np
import pandas as pd
import xarray as xr
from pydantic import BeforeValidator

from toolkit.schema import PRICE_BASE, InputError
from toolkit.tabular import excerpt

__all__ = [
    "deflators",
    "real_growth",
    "real_rate",
    "rebase",
]

# Three quarters of a calendar year lie in the financial year that starts in it, one in the year before.
SHARE_OF_FINANCIAL_YEAR = 0.75


def deflators(parameters: pd.DataFrame) -> pd.Series:
    """Build one deflator series from the Treasury's financial-year and calendar-year series.

    The two have different bases and vintages. They are linked where the calendar series is 100 (its base
    year): there a calendar year is worth a quarter of the financial year that ends in it and three
    quarters of the one that starts in it. Calendar years outside the calendar series are that same
    mixture of financial years.

    Parameters
    ----------
    parameters
        Rows with ``parameter`` (``gdp_deflator_fy``, ``gdp_deflator_cy``), ``period_from`` and ``value``.

    Returns
    -------
    Series
        Index numbers by price year ("2013/14" or "2015").

    Raises
    ------
    InputError
        If either series, or the base year of the calendar one, is missing.
    """
    financial, calendar = (_series(parameters, f"gdp_deflator_{kind}") for kind in ("fy", "cy"))
    starts = {int(label[:4]): value for label, value in financial.items()}
    mixed: dict[str, float] = {
        str(year): (1 - SHARE_OF_FINANCIAL_YEAR) * starts[year - 1] + SHARE_OF_FINANCIAL_YEAR * value
        for year, value in starts.items()
        if year - 1 in starts
    }
    base = [year for year, value in calendar.items() if math.isclose(value, 100.0)]
    if len(base) != 1 or base[0] not in mixed:
        raise InputError(
            "economic_parameters.csv: gdp_deflator_cy has no single base year of 100 within the financial years.",
            fix="restore the series.",
        )
    linked = {year: value * mixed[base[0]] / 100.0 for year, value in calendar.items()}
    return pd.Series({**financial, **mixed, **linked}, name="deflator")


def _series(parameters: pd.DataFrame, name: str) -> dict[str, float]:
    rows = parameters[parameters["parameter"] == name]
    if rows.empty:
        raise InputError(f"economic_parameters.csv: no rows of {name}.", fix="restore them.")
    return {
        price_year_label(period): float(value) for period, value in zip(rows["period_from"], rows["value"], strict=True)
    }


def price_year_label(price_year: object) -> str:
    """Return a price year as "2013/14" or "2015", from that or 2013-14, 2013/2014 or 201314."""
    text = str(price_year).strip()
    match = re.fullmatch(r"([0-9]{4})[/-]?(?:20)?([0-9]{2})", text)
    one_year = match is not None and int(match[2]) == (int(match[1]) + 1) % 100
    return f"{match[1]}/{match[2]}" if match and one_year else text


def _given(price_year: object) -> object:
    """Return a price year that a user wrote as the deflators name it; any other kind of value as it is.

    Raises
    ------
    ValueError
        If it is text or a number but no year.
    """
    if isinstance(price_year, bool) or not isinstance(price_year, (str, int)):
        return price_year
    label = price_year_label(price_year)
    if not re.fullmatch(r"[0-9]{4}(/[0-9]{2})?", label):
        raise ValueError("is no price year. Fix: write a financial year as 2024/25, or a calendar year as 2024.")
    if "/" in label and int(label[5:]) != (int(label[:4]) + 1) % 100:
        raise ValueError(f"is no financial year. Fix: write {label[:4]}/{(int(label[:4]) + 1) % 100:02d}, or 2024/25.")
    return label


PriceYear = Annotated[str, BeforeValidator(_given)]  # of a setting


def rebase[T: float | np.ndarray | xr.DataArray](
    value: T, price_year: str, *, to: str = PRICE_BASE, deflators: pd.Series
) -> T:
    """Restate money of one price year in the prices of another.

    Parameters
    ----------
    value
        Money, GBP, any shape.
    price_year, to
        Financial year "2013/14" or calendar year "2015".
    deflators
        From :func:`deflators`.

    Raises
    ------
    InputError
        Names the unknown year and the known span.

    References
    ----------
    HM Treasury, GDP deflators at market prices, and money GDP.
    """
    factor = _index(to, deflators) / _index(price_year, deflators)
    return value * factor  # type: ignore[return-value]


def real_rate(nominal: float, period_from: str, period_to: str, *, deflators: pd.Series) -> float:
    """Return the real annual growth rate: a nominal one net of inflation between two price years.

    Parameters
    ----------
    nominal
        Mean annual growth between the two years, as a proportion.
    period_from, period_to
        Price years, the first before the second.
    deflators
        From :func:`deflators`.

    Raises
    ------
    InputError
        For an unknown year, or years out of order.
    """
    span = int(price_year_label(period_to)[:4]) - int(price_year_label(period_from)[:4])
    if span <= 0:
        raise InputError(f"growth from {period_from} to {period_to}: no time.", fix="give the earlier year first.")
    inflation = (_index(period_to, deflators) / _index(period_from, deflators)) ** (1 / span)
    return float((1.0 + nominal) / inflation - 1.0)


def real_growth(annual: float | xr.DataArray, *, years: int, fade_years: float) -> xr.DataArray:
    """Cumulate real price growth that fades linearly to none.

    Growth is in full in the first year after the price base and none once ``fade_years`` have passed.

    Parameters
    ----------
    annual
        Real annual growth, a proportion; a number or draws of any dims without ``year``.
    years
        Number of years, the first at the price base itself.
    fade_years
        Years over which growth fades to none.

    Returns
    -------
    DataArray (year, ...)
        Price relative to the price base; 1 in year 0.

    Raises
    ------
    InputError
        If a number of years is not positive.
    """
    if years < 1 or not fade_years > 0:
        raise InputError(f"real growth over {years} years fading over {fade_years}: both must be above zero.")
    left = np.clip(1.0 - (np.arange(years) - 1.0) / fade_years, 0.0, None)
    left[0] = 0.0  # there is no growth yet in the base year
    weights = xr.DataArray(left, dims="year", coords={"year": np.arange(years)})
    factor = (1.0 + weights * annual).cumprod("year").assign_coords(year=weights["year"])
    return factor.assign_attrs(units="1", long_name="price relative to the price base")


def _index(price_year: str, deflators: pd.Series) -> float:
    label = price_year_label(price_year)
    if label in deflators.index:
        return float(deflators[label])
    financial = [str(year) for year in deflators.index if "/" in str(year)]
    calendar = [str(year) for year in deflators.index if re.fullmatch(r"\d{4}", str(year))]
    spans = " or ".join(f"{min(known)} to {max(known)}" for known in (financial, calendar) if known)
    raise InputError(f"price year '{excerpt(price_year)}': no deflator for it.", fix=f"use a year of {spans}.")


def __dir__() -> list[str]:
    return __all__
