"""What each programme avoids for a child it serves, and what it costs: programme by programme, on the same draws.

Nothing here depends on how much is spent: the children whom a programme serves are those it was made for, with their
own ages and risks, and a pound more serves more of the same.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from toolkit import evidence, pathways
from toolkit.appraisal import account_total
from toolkit.evidence import Register
from toolkit.models.effects.programme_use import of_area
from toolkit.pathways.served import Risk, served_hazards
from toolkit.pricing.areas import Progress, in_batches, silent
from toolkit.pricing.council_cash import council_cash
from toolkit.pricing.place import Desk, Place
from toolkit.scenarios import Scenario, in_real_terms
from toolkit.schema import ACCOUNTS, SAMPLE_DIMS, InputError

__all__ = [
    "Variant",
    "price_programmes",
    "price_variants",
    "programme_costs",
    "published_risks",
    "why_not_counted",
]

MATCHED = ("care", "youth_justice", "gcse_attainment")  # outcomes whose risk can be that of those served
IN_NEED = ("in_need", "care_edge", "pre_proceedings")  # groups to whom the average child in need is a fair guide
COST_COLUMNS = [
    *("id", "value", "low", "high", "interval_kind", "interval_level", "unit", "price_year", "confidence"),
    *("source_title", "source_url", "note"),
]


def programme_costs(register: Register, draws: xr.Dataset, scenario: Scenario) -> xr.DataArray:
    """Draw what each programme costs for a child served.

    Parameters
    ----------
    register
        Tables ``programmes`` and ``programme_costs``: the row in use of each programme, which is log-normal with its
        median at the value, through its interval or, where none lies about the value, with the spread of its grade.
    draws
        Sampled figures (chain, draw): ``children_per_family``, for a programme that serves families of an unknown
        number of children.
    scenario
        States the price base and seed.

    Returns
    -------
    DataArray (chain, draw, programme), GBP in the price base, of the programmes with a cost in use.
    """
    costs = register.tables["programme_costs"].rename(columns={"cost_id": "id"})
    used = costs[costs["used"] == 1].set_index("programme")[COST_COLUMNS].assign(distribution="lognormal")
    inside = (used["low"] < used["value"]) & (used["value"] < used["high"])
    used["interval_kind"] = used["interval_kind"].where(inside, "")  # an end that is the value says nothing of spread
    drawn = evidence.sample(
        in_real_terms(used, scenario, register), like=draws, seed=scenario.seed, price_base=scenario.price_base
    )
    children = register.tables["programmes"].set_index("programme")["children_per_unit"]
    parts = {}
    for name in used.index:
        of_unit = 1.0 if used.loc[name, "unit"] == "GBP per child" else children[name]
        if of_unit == 0:
            continue  # it serves adults who have no child in their care
        parts[name] = drawn[name] / (draws["children_per_family"] if np.isnan(of_unit) else of_unit)
    names = xr.Variable("programme", list(parts))
    joined = xr.concat([part.reset_coords(drop=True) for part in parts.values()], names)
    drawn_costs: xr.DataArray = joined.transpose(*SAMPLE_DIMS, "programme")
    return drawn_costs.assign_attrs(units="GBP per child served", price_base=scenario.price_base)


def price_programmes(
    desk: Desk,
    register: Register,
    used: xr.Dataset,
    *,
    areas: list[str],
    by_area: bool = False,
    progress: Progress = silent,
) -> xr.Dataset:
    """Return what each programme avoids for a child served, averaged over areas by their children in need.

    Parameters
    ----------
    desk
        Of a scenario for children in need; its own effects and option are not used.
    register
        Tables ``programmes`` and ``baseline_risks``.
    used
        From `toolkit.models.effects.programme_use.used_effects`.
    areas
        Where it is delivered.
    by_area
        Whether to keep what is avoided in each area as well.
    progress
        Called with the stage and the share of areas that are done.

    Returns
    -------
    Dataset
        ``avoided`` (programme, component, chain, draw), present value of a child's lifetime cost without the programme
        less that with it, GBP; ``events`` (programme, quantity, chain, draw), the change in expected events of the
        child's life; ``council_cash`` (programme, chain, draw), GBP, the cash that a child releases in the council's
        budget within five years, from `council_cash`; all 0 where nothing is counted. ``not_counted`` (programme,
        outcome): why the effect on an outcome is not counted, "" where it is; ``evidence`` (programme, outcome): whose
        studies there are. By area also ``avoided_by_area`` (area, programme, account, chain, draw), GBP for a child in
        single precision; ``target_group`` (programme), whom it was made for; ``eligible`` (area, group), the children
        of each group, expected, NaN where their number is not known.

    Raises
    ------
    InputError
        No areas, no programme with an effect that is counted, or one for ages or risks that no child has.
    """
    if not areas:
        raise InputError("no areas to price programmes for.", fix="choose at least one.")
    served = register.tables["programmes"].set_index("programme")
    risks = {
        str(name): published_risks(register.tables["baseline_risks"], str(name)) for name in used["programme"].values
    }
    counted = why_not_counted(register, used)
    used = used.assign(
        effect=used["effect"].where(counted == "", 0.0), area_sd=used["area_sd"].where(counted == "", 0.0)
    )
    names = [str(name) for name in used["programme"].values[(counted == "").any("outcome").values]]
    if not names:
        raise InputError("no effect of any programme is counted.", fix="leave studies in, or add some.")
    risks = {name: risks[name] for name in names}
    weight, total = 0.0, xr.Dataset()
    local: list[xr.DataArray] = []
    work = partial(_batch, desk, used, served, risks, by_area)
    for part, children, of_batch in in_batches(work, areas, "price programmes", progress):
        weight, total, local = weight + children, total + part if total else part, local + of_batch
    every = used[["evidence"]].assign(not_counted=counted)
    priced = total / weight
    if by_area:
        priced["avoided_by_area"] = xr.concat(local, xr.Variable("area", areas))
    priced = priced.reindex(programme=used["programme"].values, fill_value=0.0)
    if by_area:
        groups = served.loc[used["programme"].values, "target_group"].to_numpy(object)
        priced = priced.assign(target_group=("programme", groups), eligible=_eligible(desk, groups, areas))
    return priced.merge(every).assign_attrs(price_base=desk.draws.attrs["price_base"])


def _eligible(desk: Desk, groups: np.ndarray, areas: list[str]) -> xr.DataArray:
    """Return the expected children of each target group (area, group), NaN where their number is not known."""
    names = sorted(set(groups))
    stats = desk.base.sel(area=areas).reset_coords(drop=True)
    unknown = xr.full_like(stats["children_in_need"], np.nan)
    parts = [
        pathways.eligible_children(desk.draws, stats, group).reset_coords(drop=True) if group in IN_NEED else unknown
        for group in names
    ]
    means = [part.mean([dim for dim in SAMPLE_DIMS if dim in part.dims]) for part in parts]
    return xr.concat(means, xr.Variable("group", names)).transpose("area", "group").assign_attrs(units="children")


class Variant(NamedTuple):
    """One way to count a programme: what is used of its effect, and whether those served have the average risk."""

    used: xr.Dataset
    average_risk: bool = False


def price_variants(
    desk: Desk,
    register: Register,
    programme: str,
    variants: Mapping[str, Variant],
    *,
    areas: list[str],
    progress: Progress = silent,
) -> xr.Dataset:
    """Return what one programme avoids for a child served, counted in several ways on the same draws.

    Parameters
    ----------
    desk, register, areas, progress
        As for `price_programmes`.
    programme
        Its name.
    variants
        By name; an effect that is not to count must be 0.

    Returns
    -------
    Dataset
        ``avoided`` (variant, component, chain, draw), GBP, without the labels of components.
    """
    row = register.tables["programmes"].set_index("programme").loc[programme].to_dict()
    risks = published_risks(register.tables["baseline_risks"], programme)
    weight, total = 0.0, xr.Dataset()
    work = partial(_variants, desk, programme, row, risks, dict(variants))
    for part, children in in_batches(work, areas, "price a programme step by step", progress):
        weight, total = weight + children, total + part if total else part
    return total / weight


def _variants(
    desk: Desk,
    programme: str,
    row: Mapping[Any, Any],
    risks: Mapping[str, Risk],
    variants: Mapping[str, Variant],
    areas: list[str],
) -> tuple[xr.Dataset, float]:
    """Return the sum over some areas of what each variant avoids, times the children who come into need, and these."""
    total, children = xr.Dataset(), 0.0
    for area in areas:
        place = Place(desk, area)
        entering = float(place.entering.mean())
        parts = [
            _served(place, one.used, programme, row, {} if one.average_risk else risks)[["avoided"]]
            for one in variants.values()
        ]
        here = xr.concat(parts, xr.Variable("variant", list(variants)), coords="minimal", compat="override") * entering
        total, children = total + here if total else here, children + entering
    return total, children


def why_not_counted(register: Register, used: xr.Dataset) -> xr.DataArray:
    """Return why the effect on an outcome is not counted (programme, outcome), "" where it is.

    Parameters
    ----------
    register
        Tables ``programmes`` and ``baseline_risks``.
    used
        From `toolkit.models.effects.programme_use.used_effects`, or whatever has its ``evidence``.
    """
    served = register.tables["programmes"].set_index("programme")
    risks = {
        str(name): published_risks(register.tables["baseline_risks"], str(name)) for name in used["programme"].values
    }
    reasons = xr.full_like(used["evidence"], "", dtype=object)
    for name in used["programme"].values:
        group, youngest = served.loc[name, "target_group"], served.loc[name, "ages_from"]
        for outcome in used["outcome"].values:
            if used["evidence"].sel(programme=name, outcome=outcome) == "none":
                why = "no study"
            elif youngest >= pathways.CHILDHOOD_YEARS:
                why = "it serves young people over eighteen, whom effects are not modelled for"
            elif group == "looked_after":
                why = "it serves children who are in care already"
            elif group not in IN_NEED and outcome not in risks[str(name)]:
                why = "the risk of those whom it serves is not known, and they are not children in need"
            else:
                continue
            reasons.loc[{"programme": name, "outcome": outcome}] = why
    return reasons


def published_risks(table: pd.DataFrame, name: str) -> dict[str, Risk]:
    """Return the published risk of those whom a programme serves, and over how many years, by outcome.

    Parameters
    ----------
    table
        The table ``baseline_risks``.
    name
        The programme.
    """
    rows = table[(table["programme"] == name) & (table["used"] == 1) & table["outcome"].isin(MATCHED)]
    starts = rows["from_months"].fillna(0.0)
    return {
        row["outcome"]: Risk(row["risk"], row["horizon_months"] / 12, start / 12)
        for row, start in zip(rows.to_dict("records"), starts, strict=True)
    }


def _batch(
    desk: Desk,
    used: xr.Dataset,
    served: pd.DataFrame,
    risks: Mapping[str, Mapping[str, Risk]],
    by_area: bool,
    areas: list[str],
) -> tuple[xr.Dataset, float, list[xr.DataArray]]:
    """Return the sum over some areas of what programmes avoid, times the children who come into need, and these.

    By area also what a child avoids by account in each (programme, account, chain, draw).
    """
    total, children, local = xr.Dataset(), 0.0, []
    for area in areas:
        place = Place(desk, area)
        entering = float(place.entering.mean())
        parts = [_served(place, used, name, served.loc[name].to_dict(), risks[name]) for name in risks]
        here = xr.concat(parts, xr.Variable("programme", list(risks)), coords="minimal", compat="override")
        if by_area:
            local.append(_by_account(desk, here["avoided"]))
        here = here * entering
        total, children = total + here if total else here, children + entering
    return total, children, local


def _by_account(desk: Desk, avoided: xr.DataArray) -> xr.DataArray:
    worth = desk.labelled(avoided)
    parts = [account_total(worth, account).reset_coords(drop=True) for account in ACCOUNTS]
    joined = xr.concat(parts, xr.Variable("account", list(ACCOUNTS)))
    return joined.transpose("programme", "account", *SAMPLE_DIMS).astype(np.float32)


def _served(place: Place, used: xr.Dataset, name: str, row: Mapping[Any, Any], risks: Mapping[str, Risk]) -> xr.Dataset:
    """Return what a programme avoids for a child whom it serves in one area."""
    hazards = served_hazards(place.hazards, used, name, row, risks)
    effect = of_area(used, name, str(place.stats["area"].item()), seed=place.scenario.seed)
    change = place.walk(pathways.with_effects(hazards, effect), 1.0) - place.walk(hazards)
    lived = place.lived(change)
    parts = {"avoided": -place.worth(lived), "events": lived.sum("year"), "council_cash": council_cash(place, lived)}
    return xr.Dataset(parts).reset_coords(drop=True)
