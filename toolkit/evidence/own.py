"""A council's own statistics in place of the published ones of its base year: for one area, in one scenario."""

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import xarray as xr
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from toolkit.evidence.areas import and_parts, of_areas, reference_areas, resolve_areas
from toolkit.evidence.placements import placement_prices
from toolkit.evidence.tables import load_table
from toolkit.prices import PriceYear, rebase
from toolkit.schema import PRICE_BASE, InputError

NEED, CARE = "Characteristics of children in need", "Children looked after in England"
SPENDING = "Section 251 returns, in the local authority interactive tool"
OWN = {  # statistic: what it is, unit, published in
    "early_help_spend": ("Early-help spending a year for each child aged 0 to 17", "GBP per child", SPENDING),
    "population_0_17": ("Children aged 0 to 17", "children", "Mid-year population estimates"),
    "children_in_need": ("Children in need at 31 March, those looked after among them", "children", NEED),
    "children_in_need_starts": ("Episodes of need that start in a year", "episodes", NEED),
    "children_looked_after": ("Children looked after at 31 March", "children", CARE),
    "referrals": ("Referrals to social care in a year", "referrals", NEED),
    "residential_week": ("Price of a week in residential care", "GBP per week", SPENDING),
    "fostering_week": ("Price of a week in foster care", "GBP per week", SPENDING),
}
PRICES = {"residential_week": "residential", "fostering_week": "fostering"}
WITHIN = (("children_looked_after", "children_in_need"), ("children_in_need", "population_0_17"))  # less than
MOST_TIMES = 10.0  # the published one: beyond this the decimal point or the unit is wrong


def one_area(place: str) -> str:
    """Return the label of the one area that a name or code means.

    Raises
    ------
    InputError
        An unknown place, or several areas.
    """
    areas = resolve_areas(reference_areas(), [place])
    if len(areas) > 1:
        raise InputError(f"{place!r} is {len(areas)} areas.", fix="name the one council whose figures these are.")
    return areas[0]


class OwnFigure(BaseModel):
    """A council's own statistic in place of the published one of its base year; ``area`` is the council.

    ``area`` is a name or code, kept as the label of its area in the statistics.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    area: Annotated[str, Field(min_length=1, max_length=60), AfterValidator(one_area)]
    """Whose it is: a name or ONS code."""
    value: Annotated[float, Field(strict=True, gt=0, le=1e7)]
    """The statistic, in the unit of the published one."""
    price_year: PriceYear | None = None
    """Financial year of its prices, such as 2024/25; of money only."""
    reason: Annotated[str, Field(min_length=5)]
    """Where it comes from, in words that the report prints beside it."""


def published(base: xr.Dataset, area: str, *, names: Iterable[str] = OWN, folder: Path | None = None) -> pd.DataFrame:
    """Return an area's published statistics that a council may put its own in place of.

    Parameters
    ----------
    base
        From :func:`toolkit.evidence.base_year`.
    area
        Area code as in the statistics.
    names
        Only these of ``OWN``.
    folder
        Data folder; the shipped one by default.

    Returns
    -------
    DataFrame
        By name: ``description``, ``published`` (money in the price base; NaN where nothing is), ``year`` in which the
        year ends, ``unit``, ``source``. A placement without a return has the price fitted to its region's.

    Raises
    ------
    InputError
        If the area is not one of the statistics.
    """
    if area not in base["area"].values:
        raise InputError(f"own_figures: area '{area}' is not in the statistics.", fix="see `outcomes areas`.")
    here, rows, names = base.sel(area=area), {}, list(names)
    load = partial(placement_prices, folder)
    prices = and_parts(load, [area]).sel(area=area).isel(data_year=-1) if set(names) & set(PRICES) else None
    for name in names:
        description, unit, source = OWN[name]
        if prices is None or name not in PRICES:
            value, year = float(here[name]), float(here[f"{name}_year"])
        else:
            value, year = float(prices["price"].sel(placement=PRICES[name])), float(prices["data_year"])
        if name in PRICES and np.isnan(value):
            table = load_table("reference/placement_prices", folder).set_index(["placement", "area"])
            fitted = of_areas(table["price"].to_xarray(), [area]).sel(placement=PRICES[name])
            value, source = float(fitted.item()), "fitted to other returns, none being published"
        rows[name] = (description, value, year, unit, source)
    columns = ["description", "published", "year", "unit", "source"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def own_figures(base: xr.Dataset, given: Mapping[str, OwnFigure], deflators: pd.Series) -> pd.DataFrame:
    """Return a council's own figures beside the published ones, in the price base; no row if there are none.

    Parameters
    ----------
    base
        From :func:`toolkit.evidence.base_year`, the published ones.
    given
        A scenario's ``own_figures``, all of one area.
    deflators
        From :func:`toolkit.prices.deflators`.

    Returns
    -------
    DataFrame
        As :func:`published`, with ``value`` and ``price_year`` as given, ``real`` (in the price base), ``reason``
        and ``area``.

    Raises
    ------
    InputError
        An unknown area, a figure ten times the published one or a tenth of it, or more of a part than of its whole.
    """
    if not given:
        return pd.DataFrame()
    area = next(iter(given.values())).area
    table = published(base, area, names=given)
    for name in ("area", "value", "price_year", "reason"):
        table[name] = [getattr(row, name) or "" for row in given.values()]
    table["real"] = [
        rebase(row.value, row.price_year, to=PRICE_BASE, deflators=deflators) if row.price_year else row.value
        for row in given.values()
    ]
    for key, row in table.iterrows():
        if not 1 / MOST_TIMES <= row["real"] / row["published"] <= MOST_TIMES and row["published"] > 0:
            raise InputError(
                f"own_figures.{key}: {row['value']:g} {row['unit']} is not within {MOST_TIMES:g} times the published "
                f"{row['published']:,.5g}.",
                fix="check the decimal point and the unit.",
            )
    here = {name: float(base[name].sel(area=area)) for pair in WITHIN for name in pair} | table["real"].to_dict()
    for part, whole in WITHIN:
        if set(table.index) & {part, whole} and not here[part] < here[whole]:
            raise InputError(
                f"own_figures: {part} ({here[part]:,.0f}) is not below {whole} ({here[whole]:,.0f}).",
                fix="give both from the same day.",
            )
    return table


def with_own(base: xr.Dataset, own: pd.DataFrame) -> xr.Dataset:
    """Return base-year statistics in which a council's own figures, from :func:`own_figures`, stand for published ones.

    For what is priced of that council; what is known of England rests on what every council published.
    """
    rows = {str(name): row for name, row in own.iterrows() if name not in PRICES}
    return base.assign({name: base[name].where(base["area"] != row["area"], row["real"]) for name, row in rows.items()})


def with_own_prices(local: xr.Dataset, shares: xr.Dataset, own: pd.DataFrame) -> tuple[xr.Dataset, xr.Dataset]:
    """Return price ratios and shares of placements that follow a council's own placement prices.

    Placements are shares of one average price, so a more expensive one raises the average by its share and what other
    placements cost stays; the uncertainty of the average stays as well.

    Parameters
    ----------
    local, shares
        From ``local_price_ratio`` and ``placement_shares``.
    own
        From :func:`own_figures`.
    """
    times = {f"{PRICES[str(name)]}_share": row for name, row in own.iterrows() if name in PRICES}
    if not times:
        return local, shares
    area = next(iter(times.values()))["area"]
    here = shares["area"] == area
    factor = {name: row["real"] / row["published"] for name, row in times.items()}
    total = 1.0 + sum(float(shares[name].sel(area=area)) * (times - 1.0) for name, times in factor.items())
    shares_now = {
        name: shares[name] * factor.get(name, 1.0) / total for name in ("residential_share", "fostering_share")
    }
    shares_now["other_share"] = 1.0 - (shares_now["residential_share"] + shares_now["fostering_share"])
    moved = {name: values.where(here, shares[name]) for name, values in shares_now.items()}
    care = local["care"] * xr.where(local["area"] == area, total, 1.0)
    return local.assign(care=care.transpose(*local["care"].dims)), shares.assign(moved)


def own_rows(assumptions: pd.DataFrame, own: pd.DataFrame) -> pd.DataFrame:
    """Return a run's figures, as ``scenarios.resolve`` gives them, with a council's own statistics as flagged rows."""
    if own.empty:
        return assumptions
    rows = own.assign(
        id=own.index,
        distribution="fixed",
        confidence="own",
        overridden=True,
        graded=False,
        old=False,
        real_value=own["real"],
        source="The council’s own figure",
        locator=[f"published: {row.published:,.5g} ({row.source}, {row.year:.0f})" for row in own.itertuples()],
    )
    rows = rows.reindex(columns=assumptions.columns)
    rows[["interval_kind", "url", "note", "superseded_by"]] = ""
    return pd.concat([assumptions, rows.astype(assumptions.dtypes.to_dict())]).rename_axis("role")
