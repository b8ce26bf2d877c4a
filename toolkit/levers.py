"""Levers on a council's spend that no study supports: arithmetic on its outlook, and what must be believed for it."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from toolkit import evidence
from toolkit.models.outlook.dataset import WEEKS
from toolkit.scenarios import Scenario, in_real_terms
from toolkit.schema import FIRST_YEAR, PRICE_BASE, InputError

__all__ = ["LEVERS", "Effect", "agency_posts_in", "council", "figures", "pull"]

HOMES, FOSTERING = "residential", "fostering"
FIGURES = {  # part played: the cited figure, and its distribution
    "same_child_share": ("step_down_same_child", "beta"),
    "agency_foster_week": ("pool:foster_agency_week", "lognormal_mean"),
    "children_per_carer": ("children_per_foster_carer", "lognormal_mean"),
    "place_recruited": ("foster_place_recruited", "lognormal_mean"),
    "agency_premium": ("agency_premium_post_year", "lognormal_mean"),
}
LEVERS = {
    "step_down": "Children who move from children's homes to foster homes",
    "foster_carers": "Foster carers of the council's own, recruited and kept",
    "price_growth": "Growth in the price of children's homes contained",
    "agency_posts": "Agency social workers' posts filled by employed ones",
}


class Effect(NamedTuple):
    """What a lever does by year: spend ``avoided`` and ``spent`` on it, GBP in the price base, and ``fewer`` children.

    ``avoided`` (year, chain, draw); ``spent`` likewise, once, in the year in which it is pulled further; ``fewer``
    (placement, year), children in each type of placement, below 0 where there are more.
    """

    avoided: xr.DataArray
    spent: xr.DataArray
    fewer: xr.DataArray


def council(forecast: xr.Dataset, *, this_year: int = FIRST_YEAR) -> xr.Dataset:
    """Return the outlook of the areas of a forecast together, by the year in which the financial year starts.

    Parameters
    ----------
    forecast
        From `toolkit.outlook.forecast`, whose years are those in which a financial year ends.
    this_year
        The first year kept, with which later ones are compared: 2025 is 2025/26.

    Returns
    -------
    Dataset
        ``children`` (placement, year, chain, draw), at the end of the year; ``price`` (likewise), GBP a week in the
        price base, of the average child; ``spend`` (year, chain, draw), GBP a year in the price base, on children
        looked after and safeguarding; ``index`` (year), cash for a pound of the price base.
    """
    placed = forecast["children"].sum("area", skipna=False)
    paid = (forecast["children"] * forecast["price"]).sum("area", skipna=False)
    spend = forecast["spend"].sum("placement", skipna=False) + forecast["safeguarding"]
    whole = xr.Dataset(
        {
            "children": placed,
            "price": (paid / placed).where(placed > 0, forecast["price"].mean("area")),
            "spend": spend.sum("area", skipna=False),
            "index": forecast["to_cash"],
        }
    )
    starting = whole.reset_coords(drop=True).assign_coords(year=whole["year"].values - 1)
    return starting.sel(year=slice(this_year, None)).transpose("placement", "year", ...)


def figures(scenario: Scenario, register: evidence.Register, *, like: xr.Dataset) -> xr.Dataset:
    """Draw the cited figures that levers rest on.

    Parameters
    ----------
    scenario
        Gives the seed. Prices are those of the outlook, whatever the scenario's.
    register
        Of cited figures.
    like
        Anything with the ``chain`` and ``draw`` of an outlook.

    Returns
    -------
    Dataset
        ``same_child_share`` (of the gap between average prices, 0 to 1), ``agency_foster_week`` (GBP a week),
        ``children_per_carer``, ``place_recruited`` (GBP a place, once) and ``agency_premium`` (GBP a post a year), all
        (chain, draw).
    """
    rows = pd.DataFrame.from_dict(FIGURES, orient="index", columns=["id", "distribution"]).rename_axis("role")
    same = scenario.model_copy(update={"price_base": PRICE_BASE})
    table = in_real_terms(rows.join(register.figures, on="id"), same, register)
    return evidence.sample(table, like=like, seed=scenario.seed, price_base=PRICE_BASE)


def agency_posts_in(areas: Sequence[str], *, folder: Path | None = None) -> float:
    """Return agency social workers in post in some areas at the last census, full-time equivalents.

    Raises
    ------
    InputError
        An area without a published number.
    """
    rows = evidence.load_table("statistics/panel_workforce_and_inspection", folder)
    rows = rows[(rows["measure"] == "sw_agency_pct") & rows["numerator"].notna()].sort_values("year")
    latest = rows.groupby("la_code")["numerator"].last()
    reference = evidence.reference_areas(folder)
    names = [name for area in areas for name in evidence.members(reference, area)]
    number = reference.set_index("la_name")["la_code"].loc[names].map(latest)
    if number.isna().any():
        name = number.index[number.isna()][0]
        raise InputError(f"agency_posts: no number of agency workers of {name} is published.", fix="leave them out.")
    return float(number.sum())


def pull(
    levers: Mapping[str, Sequence[float]], outlook: xr.Dataset, figures: xr.Dataset, *, agency_posts: float = np.inf
) -> dict[str, Effect]:
    """Return what levers do to an outlook.

    Parameters
    ----------
    levers
        How far each of ``LEVERS`` is pulled, by year after this one, the last number repeated. Children, carers and
        posts are those of the year, on average; of ``price_growth`` it is the share of a year's price by which it
        grows less, each year.
    outlook
        From :func:`council`; this year comes first.
    figures
        From :func:`figures`.
    agency_posts
        Posts filled by agency workers now.

    Returns
    -------
    dict of Effect
        In the order of ``LEVERS``, over the years after this one. Children who move are taken out before the price of
        children's homes is contained, so that no pound is counted twice.

    Raises
    ------
    InputError
        A lever that is not known, a number below 0, more step-down than children in residential care, more foster
        places than children in foster care, more posts than agency workers hold, or growth of prices contained by more
        than a hundred per cent.
    """
    years = outlook["year"].values[1:]
    known: dict[str, Callable[..., Effect]] = {
        "step_down": _step_down,
        "foster_carers": _foster_carers,
        "price_growth": _price_growth,
        "agency_posts": _agency_posts,
    }
    for name, values in levers.items():
        if name not in known:
            raise InputError(f"lever '{name}': there is none of that name.", fix=f"use one of {', '.join(known)}.")
        if not len(values) or not all(0 <= value < np.inf for value in values):
            raise InputError(f"lever {name}: {list(values)} is not a number of 0 or more by year.", fix="correct it.")
    _at_most(levers.get("agency_posts", ()), "agency_posts", agency_posts, "agency workers are in post")
    _at_most(levers.get("price_growth", ()), "price_growth", 1.0, "is all of a price", "write a share: 3% is 0.03.")
    pulled: dict[str, Effect] = {}
    gone = xr.zeros_like(outlook["children"].isel(year=slice(1, None)))
    for name in LEVERS:
        if name in levers:
            values = [*levers[name], *[levers[name][-1]] * len(years)][: len(years)]
            by_year = xr.DataArray(np.array(values, float), {"year": years})
            pulled[name] = known[name](by_year, outlook, figures, gone)
            gone = gone + pulled[name].fewer
    return pulled


def _at_most(values: Sequence[float], name: str, most: float, what: str, fix: str = "lower it.") -> None:
    if max(values, default=0.0) > most:
        raise InputError(f"lever {name}: {_plain(max(values))} is too many: {_plain(most)} {what}.", fix=fix)


def _plain(number: float) -> str:
    return f"{number:,.1f}".removesuffix(".0")


def _step_down(moved: xr.DataArray, outlook: xr.Dataset, figures: xr.Dataset, gone: xr.DataArray) -> Effect:
    """Children in a foster home who would have been in a children's home.

    They are not average children of either. Their foster place costs at least what an agency asks, and only a share of
    the gap between the two average prices is the same child's.
    """
    later = outlook.isel(year=slice(1, None))
    _fits(moved, later["children"].sel(placement=HOMES) - gone.sel(placement=HOMES), "step_down", "residential care")
    homes, fostering = (later["price"].sel(placement=kind, drop=True) for kind in (HOMES, FOSTERING))
    floor = xr.ufuncs.maximum(fostering, _agency_week(outlook, figures))
    avoided = moved * WEEKS * figures["same_child_share"] * (homes - floor)
    return Effect(avoided, xr.zeros_like(avoided), _fewer(later, {HOMES: moved, FOSTERING: -moved}))


def _foster_carers(carers: xr.DataArray, outlook: xr.Dataset, figures: xr.Dataset, gone: xr.DataArray) -> Effect:
    """Children with the council's own carers who would have been with an agency's, at the area's average price."""
    later = outlook.isel(year=slice(1, None))
    places = carers * figures["children_per_carer"]
    _fits(places, later["children"].sel(placement=FOSTERING), "foster_carers", "foster care")
    avoided = places * WEEKS * (_agency_week(outlook, figures) - later["price"].sel(placement=FOSTERING, drop=True))
    before = places.shift(year=1, fill_value=0.0)
    spent = (places - before).clip(min=0.0) * figures["place_recruited"]
    return Effect(avoided, spent, _fewer(later, {}))


def _price_growth(points: xr.DataArray, outlook: xr.Dataset, figures: xr.Dataset, gone: xr.DataArray) -> Effect:
    """Children's homes whose price in cash grows by some points less each year than it would."""
    later = outlook.isel(year=slice(1, None))
    cash = (outlook["price"] * outlook["index"]).sel(placement=HOMES, drop=True)
    grown = (cash / cash.shift(year=1)).isel(year=slice(1, None))
    left = (1.0 - points / grown).cumprod("year").assign_coords(year=points["year"])
    children = (later["children"] - gone).sel(placement=HOMES, drop=True)
    avoided = children * WEEKS * later["price"].sel(placement=HOMES, drop=True) * (1.0 - left)
    return Effect(avoided, xr.zeros_like(avoided), _fewer(later, {}))


def _agency_posts(posts: xr.DataArray, outlook: xr.Dataset, figures: xr.Dataset, gone: xr.DataArray) -> Effect:
    """Agency posts filled by employed workers, who cost less."""
    avoided = posts * figures["agency_premium"]
    return Effect(avoided, xr.zeros_like(avoided), _fewer(outlook.isel(year=slice(1, None)), {}))


def _agency_week(outlook: xr.Dataset, figures: xr.Dataset) -> xr.DataArray:
    """Return what an agency asks for a foster place in later years, which grows as the area's foster prices do."""
    fostering = outlook["price"].sel(placement=FOSTERING, drop=True)
    grown = fostering.isel(year=slice(1, None)) / fostering.isel(year=0, drop=True)
    return figures["agency_foster_week"] * grown


def _fits(moved: xr.DataArray, there: xr.DataArray, name: str, where: str) -> None:
    """Refuse to move more children than are expected to be there."""
    draws = [dim for dim in there.dims if dim != "year"]
    expected, wanted = there.mean(draws), moved.mean([dim for dim in moved.dims if dim != "year"])
    over = (wanted > expected).values
    if over.any():
        year = int(expected["year"].values[over][0])
        raise InputError(
            f"lever {name}: {_plain(float(wanted.sel(year=year)))} children in {year}/{(year + 1) % 100:02d}, where "
            f"{_plain(float(expected.sel(year=year)))} are expected in {where}.",
            fix="move fewer.",
        )


def _fewer(later: xr.Dataset, by: Mapping[str, xr.DataArray]) -> xr.DataArray:
    nobody = xr.zeros_like(later["year"], dtype=float)
    kinds = [str(kind) for kind in later["placement"].values]
    return xr.concat([by.get(kind, nobody) for kind in kinds], xr.Variable("placement", kinds))


def __dir__() -> list[str]:
    return __all__
