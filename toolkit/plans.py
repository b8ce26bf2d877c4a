"""What a plan buys in each area and year: pounds, children served, and how many of them gain by it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from toolkit import evidence
from toolkit.pathways import AT_THE_EDGE, eligible_children
from toolkit.prices import rebase
from toolkit.scenarios import PlanPart, Scenario
from toolkit.schema import PRICE_BASE, SAMPLE_DIMS, InputError

__all__ = [
    "Purchase",
    "at_values",
    "check_plan",
    "cost_per_child",
    "counted",
    "most_times",
    "purchases",
    "same_children",
]

SPARE = 1e-9  # of a limit, for rounding
ELSEWHERE = "leave that programme out, or run other areas."


@dataclass(frozen=True)
class Purchase:
    """One part of a plan in the areas of a run.

    Attributes
    ----------
    part, start
        The part, and the year of the appraisal in which its first sum is spent.
    pounds
        GBP in the price base (area, year), with draws where the sum is given in units; negative for a cut.
    children
        Children served (area, year, chain, draw), negative for a cut.
    gaining
        Those of them whom no part listed before helps already (area, year, chain, draw).
    """

    part: PlanPart
    start: int
    pounds: xr.DataArray
    children: xr.DataArray
    gaining: xr.DataArray


def purchases(
    scenario: Scenario, base: xr.Dataset, draws: xr.Dataset, programmes: pd.DataFrame, areas: Sequence[str]
) -> list[Purchase]:
    """Return what each part of a plan buys.

    Parameters
    ----------
    scenario
        States the plan and how its parts overlap.
    base
        Base-year statistics of all areas of England: shares of a sum are those of the children eligible, or aged 0 to
        17 where these are not known.
    draws
        Sampled figures (chain, draw): ``cost_<id>`` of each part, GBP for a unit, ``children_per_family`` and
        ``care_edge_entry``.
    programmes
        The table ``programmes``.
    areas
        Of the run; none for all of England.

    Raises
    ------
    InputError
        A part in an area that is not run, England's sum without statistics of all its areas, or nobody to serve.
    """
    rows = programmes.set_index("programme")
    parts = evidence.whole_of()
    every = [area for area in base["area"].values.tolist() if area not in parts]  # England, once
    chosen = list(areas) or every
    _check_england(scenario, every)
    bought = []
    for part in scenario.plan:
        each, group = float(rows["children_per_unit"][part.programme]), str(rows["target_group"][part.programme])
        price = cost_per_child(draws[f"cost_{part.cost or part.programme}"], each, draws)
        sums = xr.DataArray(list(part.sums), dims="year")
        here = _where(part, chosen)
        weight = _basis(part, group, base, draws)
        if part.basis in ("pounds", "units") and not float(weight.sel(area=here).sum()) > 0:
            raise InputError(f"plan: nobody is eligible for {part.programme} in its areas.", fix=ELSEWHERE)
        share = (weight / weight.sel(area=every if part.basis == "england" else here).sum()).sel(area=chosen)
        if part.basis == "pounds_per_child":
            share = weight.sel(area=chosen)
            if (eligible := eligible_children(group, base, draws)) is not None:
                share = share.where(eligible.sel(area=chosen) > 0, 0.0)  # nobody could be served
        share = share.where(share["area"].isin(here), 0.0).reset_coords(drop=True)
        unit = price * _children_per_unit(each, draws) if part.basis == "units" else 1.0
        pounds = share * sums * unit
        children: xr.DataArray = (pounds / price).transpose("area", "year", *SAMPLE_DIMS)
        bought.append(Purchase(part, scenario.start_of(part), pounds, children, children))
    if not any(bool(purchase.pounds.any()) for purchase in bought):
        raise InputError("plan: nobody is eligible for it in the areas of this run.", fix=ELSEWHERE)
    return _nested(bought, rows) if scenario.overlap == "nested" else bought


def _check_england(scenario: Scenario, areas: Sequence[str]) -> None:
    """Refuse a sum for England where the statistics are not of all its areas, whose shares would be too large."""
    lacking = set(evidence.reference_areas()["area"]) - set(areas)
    of_england = next((part.programme for part in scenario.plan if part.basis == "england"), None)
    if of_england and lacking:
        raise InputError(
            f"plan: the sum for {of_england} is England's, but statistics of {len(lacking)} areas are not given.",
            fix="give the statistics of all areas, or the sum as pounds_per_child.",
        )


def counted(
    scenario: Scenario, base: xr.Dataset, own: pd.DataFrame, draws: xr.Dataset, deflators: pd.Series
) -> xr.Dataset:
    """Return base-year statistics as a scenario counts them.

    Parameters
    ----------
    scenario
        States the price base of spending, and whether unaccompanied children count.
    base
        From ``evidence.base_year``.
    own
        A council's own figures, from ``evidence.own_figures``.
    draws
        Sampled figures (chain, draw), or those of :func:`at_values`: ``unaccompanied_stay``.
    deflators
        Of the register.

    Returns
    -------
    Dataset
        As ``base``, with ``unaccompanied_share`` of care starts (area, chain, draw); 0 where they count like others.
    """
    alone = evidence.unaccompanied(base, draws["unaccompanied_stay"])
    alone = alone * 0.0 if scenario.unaccompanied else alone
    here = evidence.without_unaccompanied(evidence.with_own(base, own), alone)
    times = rebase(1.0, PRICE_BASE, to=scenario.price_base, deflators=deflators)
    return here.assign(early_help_spend=here["early_help_spend"] * times, unaccompanied_share=alone["share"])


def cost_per_child(cost: xr.DataArray, children_per_unit: float, draws: xr.Dataset) -> xr.DataArray:
    """Return what a programme costs for a child served.

    Parameters
    ----------
    cost
        What a unit costs, with its unit as attribute ``units``: "GBP per child", or for a family, parent or conference.
    children_per_unit
        Children in what the programme serves; NaN for a family of an unknown number.
    draws
        Sampled figures (chain, draw): ``children_per_family``.
    """
    if cost.attrs["units"] == "GBP per child":
        return cost
    shared: xr.DataArray = cost / _children_per_unit(children_per_unit, draws)
    return shared


def _children_per_unit(stated: float, draws: xr.Dataset) -> Any:
    return draws["children_per_family"] if pd.isna(stated) else float(stated)


def _where(part: PlanPart, chosen: Sequence[str]) -> list[str]:
    """Return the areas of the run in which a part is bought."""
    if not part.areas:
        return list(chosen)
    whole = evidence.whole_of()  # of an authority whose boundaries moved, if it is run as a part of that
    named = evidence.resolve_areas(evidence.reference_areas(), part.areas)
    named = list(dict.fromkeys(whole[a] if a not in chosen and whole.get(a) in chosen else a for a in named))
    outside = [area for area in named if area not in chosen]
    if outside:
        place = " and ".join(evidence.members(evidence.reference_areas(), outside[0])) or outside[0]
        raise InputError(
            f"plan: {part.programme} is bought in {place}, which is not run.",
            fix="add that area to those of the run, or take it off the part.",
        )
    return named


def _basis(part: PlanPart, group: str, base: xr.Dataset, draws: xr.Dataset) -> xr.DataArray:
    """Return by what a part's sum is shared out over areas (area): children eligible, or all where not known."""
    eligible = None if part.basis == "pounds_per_child" else eligible_children(group, base, draws)
    return base["population_0_17"] if eligible is None else eligible


def _nested(bought: list[Purchase], rows: pd.DataFrame) -> list[Purchase]:
    """Return the purchases with those whom an earlier part for the same children serves too gaining nothing more."""
    result: list[Purchase] = []
    for later in bought:
        gaining = later.children
        for earlier in result:
            if not same_children(later.part.programme, earlier.part.programme, rows):
                continue
            shift = earlier.start - later.start
            years = gaining["year"].values
            served = earlier.children.assign_coords(year=earlier.children["year"] + shift)
            served = abs(served.reindex(year=years, fill_value=0.0))
            sign = xr.where(gaining < 0, -1.0, 1.0)
            gaining = sign * xr.ufuncs.maximum(abs(gaining) - served, 0.0)
        result.append(Purchase(later.part, later.start, later.pounds, later.children, gaining))
    return result


def same_children(first: str, second: str, rows: pd.DataFrame) -> bool:
    """Return whether two programmes could serve the same children: one group, and ages that overlap.

    Parameters
    ----------
    first, second
        Programmes.
    rows
        The table ``programmes`` by programme.
    """
    youngest, oldest, group = rows["ages_from"], rows["ages_to"], rows["target_group"]
    apart = oldest[first] < youngest[second] or oldest[second] < youngest[first]
    return _group(str(group[first])) == _group(str(group[second])) and not bool(apart)


def _group(name: str) -> str:
    """Return a target group, of two names for the same children the first."""
    return AT_THE_EDGE[0] if name in AT_THE_EDGE else name


def check_plan(
    scenario: Scenario, base: xr.Dataset, figures: pd.DataFrame, programmes: pd.DataFrame, areas: Sequence[str]
) -> None:
    """Refuse a plan that serves more children than are eligible, or some twice without saying how.

    Parameters
    ----------
    scenario, base, programmes, areas
        As for :func:`purchases`.
    figures
        Of ``scenarios.resolve``: at their values, a unit's cost gives the children served.

    Raises
    ------
    InputError
        Parts that could serve the same children where ``overlap`` is not given; an area of a part that is not run; more
        children than are eligible in some area, or a cut of more than it spends.
    """
    rows = programmes.set_index("programme")
    for place, part in enumerate(scenario.plan):
        for other in scenario.plan[:place]:
            same = same_children(part.programme, other.programme, rows)
            if not scenario.overlap and same and _together(part, other, scenario):
                raise InputError(
                    f"plan: {other.programme} and {part.programme} are for the same children.",
                    fix="say overlap: apart if they serve different ones, or nested if those of the smaller part are "
                    "among the larger's and gain from the one listed first alone.",
                )
    point = at_values(figures)
    bought = purchases(scenario, base, point, programmes, areas)
    _check_cut(scenario, bought, base)
    for names, served, eligible in _limits(scenario, bought, base, point, rows):
        over = (served > eligible * (1 + SPARE)).any("year")
        if bool(over.any()):
            area = str(over["area"].values[over.values][0])
            most, limit = float(served.sel(area=area).max()), float(eligible.sel(area=area))
            name = " and ".join(evidence.members(evidence.reference_areas(), area)) or area
            raise InputError(
                f"plan: {' and '.join(names)} would serve {most:,.0f} children a year in {name}, where "
                f"{limit:,.0f} are eligible.",
                fix="lower the sums.",
            )


def _check_cut(scenario: Scenario, bought: list[Purchase], base: xr.Dataset) -> None:
    """Refuse a cut of more than the areas of the run spend on early help together."""
    if not scenario.cut:
        return
    most, spent = _taken(scenario, bought, base)
    if most > spent:
        raise InputError(
            f"plan: £{spent:,.0f} a year is spent on early help in the areas of this run, so £{most:,.0f} cannot be "
            "taken away.",
            fix="take less away.",
        )


def _taken(scenario: Scenario, bought: list[Purchase], base: xr.Dataset) -> tuple[float, float]:
    """Return the most that a cut takes away in a year, and what is spent on early help, GBP a year."""
    here = base.sel(area=bought[0].pounds["area"])
    spent = float((here["early_help_spend"] * here["population_0_17"]).sum())
    yearly = [
        part.pounds.sum("area").assign_coords(year=part.start + np.arange(len(part.part.sums))) for part in bought
    ]
    every = [part.reindex(year=range(scenario.years), fill_value=0.0) for part in yearly]
    return -float(xr.concat(every, "part").sum("part").min()), spent


def most_times(
    scenario: Scenario, base: xr.Dataset, figures: pd.DataFrame, programmes: pd.DataFrame, areas: Sequence[str]
) -> float:
    """Return by how much every sum of a plan could be multiplied before :func:`check_plan` refuses it."""
    point, rows = at_values(figures), programmes.set_index("programme")
    bought = purchases(scenario, base, point, programmes, areas)
    room = [
        float((eligible / served.max("year")).min())
        for _, served, eligible in _limits(scenario, bought, base, point, rows)
    ]
    if scenario.cut:
        most, spent = _taken(scenario, bought, base)
        room.append(spent / most)
    return min(room, default=float("inf"))


def _together(one: PlanPart, other: PlanPart, scenario: Scenario) -> bool:
    """Return whether two parts serve anybody in the same area and year."""
    first, second = scenario.start_of(one), scenario.start_of(other)
    same_time = first < second + len(other.sums) and second < first + len(one.sums)
    return same_time and (not one.areas or not other.areas or bool(set(one.areas) & set(other.areas)))


def _limits(
    scenario: Scenario, bought: list[Purchase], base: xr.Dataset, point: xr.Dataset, rows: pd.DataFrame
) -> list[tuple[list[str], xr.DataArray, xr.DataArray]]:
    """Return, for each group, its programmes, children served (area, year) and children eligible (area)."""
    groups: dict[str, list[Purchase]] = {}
    for purchase in bought:
        groups.setdefault(_group(str(rows["target_group"][purchase.part.programme])), []).append(purchase)
    limits = []
    for group, members in groups.items():
        eligible = eligible_children(group, base, point)
        if eligible is None:
            continue
        parts = [
            abs(purchase.gaining).assign_coords(year=purchase.gaining["year"] + purchase.start) for purchase in members
        ]
        every = [
            part.isel(chain=0, draw=0, drop=True).reindex(year=range(scenario.years), fill_value=0.0) for part in parts
        ]
        served = xr.concat(every, "part").sum("part")
        names = [purchase.part.programme for purchase in members]
        limits.append((names, served, eligible.sel(area=served["area"]).reset_coords(drop=True)))
    return limits


def at_values(figures: pd.DataFrame) -> xr.Dataset:
    """Return figures by role at their values, as draws of which there is one."""
    rows = zip(figures.index, figures["real_value"].astype(float), figures["unit"], strict=True)
    dims = {dim: [0] for dim in SAMPLE_DIMS}
    return xr.Dataset({str(role): (SAMPLE_DIMS, [[value]], {"units": unit}) for role, value, unit in rows}, dims)


def __dir__() -> list[str]:
    return __all__
