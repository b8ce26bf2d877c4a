"""What each programme avoids for a child it serves, and what it costs: programme by programme, on the same draws.

Nothing here depends on how much is spent: the children whom a programme serves are those it was made for, with their
own ages and risks, and a pound more serves more of the same.
"""

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from toolkit import evidence, pathways
from toolkit.appraisal import account_total
from toolkit.evidence import Register
from toolkit.evidence.programmes import cost_rows
from toolkit.models.effects.areas_panel import SINCE_CONTACT
from toolkit.plans import cost_per_child
from toolkit.pricing.areas import Progress, in_batches, silent
from toolkit.pricing.council_cash import council_cash
from toolkit.pricing.desk import Desk, published_risks
from toolkit.pricing.place import Place
from toolkit.scenarios import Adjustments, Scenario, in_real_terms
from toolkit.schema import ACCOUNTS, SAMPLE_DIMS, InputError

__all__ = [
    "Variant",
    "counted_effects",
    "price_programmes",
    "price_variants",
    "programme_costs",
    "spend_per_event",
    "why_not_counted",
]

# What the panel's indicators count of the lives of children, and the children among whom they are counted.
COUNTED_AS = {
    "rereferrals": ("rereferrals", "referrals"),
    "first_time_entrants": ("first_time_entries", "population_10_17"),
    "care_starts": ("care_entries", "population_0_17"),
}
IN_NEED = ("in_need", "care_edge", "pre_proceedings")  # groups to whom the average child in need is a fair guide


def programme_costs(register: Register, draws: xr.Dataset, scenario: Scenario) -> xr.DataArray:
    """Draw what each programme costs for a child served.

    Parameters
    ----------
    register
        Tables ``programmes`` and ``programme_costs``: the row in use of each programme, drawn as in a run that buys it
        (`toolkit.scenarios.resolve`).
    draws
        Sampled figures (chain, draw): ``children_per_family``, for a programme that serves families of an unknown
        number of children.
    scenario
        States the price base and seed.

    Returns
    -------
    DataArray (chain, draw, programme), GBP in the price base, of the programmes with a cost in use.
    """
    priced = bought(register)
    rows = cost_rows([(name, "") for name in priced], register.tables)
    rows = in_real_terms(rows, scenario, register)
    drawn = evidence.sample(rows, like=draws, seed=scenario.seed, price_base=scenario.price_base)
    each = register.tables["programmes"].set_index("programme")["children_per_unit"]
    parts = [cost_per_child(drawn[f"cost_{name}"], each[name], draws) for name in priced]
    names = xr.Variable("programme", priced)
    costs: xr.DataArray = xr.concat([part.reset_coords(drop=True) for part in parts], names)
    costs = costs.transpose(*SAMPLE_DIMS, "programme")
    return costs.assign_attrs(units="GBP per child served", price_base=scenario.price_base)


def bought(register: Register) -> list[str]:
    """Return the programmes that can be bought: those with a cost in use that serve children."""
    costs, programmes = register.tables["programme_costs"], register.tables["programmes"]
    priced = set(costs.loc[costs["used"] == 1, "programme"])
    able = programmes[programmes["programme"].isin(priced) & (programmes["children_per_unit"] != 0)]
    return able["programme"].tolist()


def counted_effects(used: xr.Dataset, tables: Mapping[str, pd.DataFrame]) -> xr.Dataset:
    """Return effects that are 0 where they cannot be counted, and why.

    Parameters
    ----------
    used
        From `toolkit.models.effects.programme_use.used_effects`.
    tables
        ``programmes`` and ``baseline_risks``.

    Returns
    -------
    Dataset
        As ``used``, with ``not_counted`` (programme, outcome): the reason, "" where the effect counts.
    """
    reasons = why_not_counted(used, tables)
    sizes = [name for name in ("effect", "area_sd", "before_scale_up") if name in used]
    zero = {name: used[name].where(reasons == "", 0.0) for name in sizes}
    return used.assign({**zero, "not_counted": reasons})


def why_not_counted(used: xr.Dataset, tables: Mapping[str, pd.DataFrame]) -> xr.DataArray:
    """Return why the effect on an outcome is not counted (programme, outcome), "" where it is.

    Parameters
    ----------
    used
        From `toolkit.models.effects.programme_use.used_effects`, or whatever has its ``evidence``.
    tables
        ``programmes`` and ``baseline_risks``.
    """
    served = tables["programmes"].set_index("programme")
    reasons = xr.full_like(used["evidence"], "", dtype=object)
    for name in used["programme"].values.astype(str):
        group, youngest = served.loc[name, "target_group"], served.loc[name, "ages_from"]
        risks = published_risks(tables["baseline_risks"], name)
        for outcome in used["outcome"].values:
            if used["evidence"].sel(programme=name, outcome=outcome) == "none":
                why = "no study"
            elif youngest >= pathways.CHILDHOOD_YEARS:
                why = "it serves young people over eighteen, whom effects are not modelled for"
            elif group == "looked_after":
                why = "it serves children who are in care already"
            elif group not in IN_NEED and outcome not in risks:
                why = "the risk of those whom it serves is not known, and they are not children in need"
            else:
                continue
            reasons.loc[{"programme": name, "outcome": outcome}] = why
    return reasons.astype(str)


def price_programmes(desk: Desk, *, areas: list[str], by_area: bool = False, progress: Progress = silent) -> xr.Dataset:
    """Return what each programme avoids for a child served, averaged over areas by their children in need.

    Parameters
    ----------
    desk
        With the effects of every programme, from :func:`counted_effects`; its plan is not used.
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
        child's life; ``events_soon`` (programme, indicator, chain, draw), the same in the three years after contact, by
        the panel's indicators; ``care_within_year`` (programme, chain, draw), entries to care that are expected in the
        year after contact of a child served, without the programme; ``council_cash`` (programme, chain, draw), from
        :func:`toolkit.pricing.council_cash.council_cash`; all 0 where nothing is counted. ``not_counted`` (programme,
        outcome): why the effect on an outcome is not counted, "" where it is; ``evidence`` (programme, outcome): whose
        studies there are. By area also
        ``avoided_by_area`` (area, programme, account, chain, draw), GBP for a child in single precision;
        ``target_group`` (programme), whom it was made for; ``eligible`` (area, group), the children of each group,
        expected, NaN where their number is not known.

    Raises
    ------
    InputError
        No areas, no programme with an effect that is counted, or one for ages or risks that no child has.
    """
    if not areas:
        raise InputError("no areas to price programmes for.", fix="choose at least one.")
    used = desk.effects
    names = [str(name) for name in used["programme"].values[(used["not_counted"] == "").any("outcome").values]]
    if not names:
        raise InputError("no effect of any programme is counted.", fix="leave studies in, or add some.")
    weight, total = 0.0, xr.Dataset()
    local: list[xr.DataArray] = []
    work = partial(_batch, desk, names, by_area)
    for part, children, of_batch in in_batches(work, areas, "price programmes", progress):
        weight, total, local = weight + children, total + part if total else part, local + of_batch
    priced = total / weight
    if by_area:
        priced["avoided_by_area"] = xr.concat(local, xr.Variable("area", areas))
    priced = priced.reindex(programme=used["programme"].values, fill_value=0.0)
    if by_area:
        groups = desk.programmes.loc[used["programme"].values, "target_group"].to_numpy(object)
        priced = priced.assign(target_group=("programme", groups), eligible=_eligible(desk, groups, areas))
    every = used[["evidence", "not_counted"]].astype(object)
    return priced.merge(every).assign_attrs(price_base=desk.draws.attrs["price_base"])


def spend_per_event(desk: Desk, areas: list[str]) -> xr.DataArray:
    """Return what is spent on early help in some areas for each event of a year there, GBP in the price base.

    The association of a share moves its logit, so of events counted as shares that part is taken that a logit moves.

    Returns
    -------
    DataArray (indicator)
    """
    here = desk.here.sel(area=areas)
    spend = float((here["early_help_spend"] * here["population_0_17"]).sum())
    parts = []
    for indicator, (_, exposure) in COUNTED_AS.items():
        rate = desk.baseline.sel(indicator=indicator, area=areas).mean(SAMPLE_DIMS)
        parts.append(spend / float((rate * (1.0 - rate) * here[exposure]).sum()))
    return xr.DataArray(parts, {"indicator": list(COUNTED_AS)}, "indicator")


def _eligible(desk: Desk, groups: np.ndarray, areas: list[str]) -> xr.DataArray:
    """Return the expected children of each target group (area, group), NaN where their number is not known."""
    names, stats = sorted(set(groups)), desk.here.sel(area=areas).reset_coords(drop=True)
    unknown = xr.full_like(stats["children_in_need"], np.nan)
    known = [pathways.eligible_children(group, stats, desk.draws) for group in names]
    parts = [unknown if part is None else part.reset_coords(drop=True) for part in known]
    joined: xr.DataArray = xr.concat(parts, xr.Variable("group", names)).transpose("area", "group")
    return joined.assign_attrs(units="children")


class Variant(NamedTuple):
    """One way to count a programme: what is used of its effect, and whether those served have the average risk."""

    used: xr.Dataset
    average_risk: bool = False


def price_variants(
    desk: Desk, programme: str, variants: Mapping[str, Variant], *, areas: list[str], progress: Progress = silent
) -> xr.Dataset:
    """Return what one programme avoids for a child served, counted in several ways on the same draws.

    Parameters
    ----------
    desk, areas, progress
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
    weight, total = 0.0, xr.Dataset()
    work = partial(_variants, desk, programme, dict(variants))
    for part, children in in_batches(work, areas, "price a programme step by step", progress):
        weight, total = weight + children, total + part if total else part
    return total / weight


def _variants(
    desk: Desk, programme: str, variants: Mapping[str, Variant], areas: list[str]
) -> tuple[xr.Dataset, float]:
    """Return the sum over some areas of what each variant avoids, times the children who come into need, and these."""
    total, children = xr.Dataset(), 0.0
    for area in areas:
        place = Place(desk, area)
        entering = float(place.entering.mean())
        parts = []
        for one in variants.values():
            served = place.served_with(one.used, programme, {} if one.average_risk else desk.risks[programme])
            change = place.changed(place.walk(served.hazards, 1.0) - served.usual)
            parts.append(xr.Dataset({"avoided": -place.worth(change)}).reset_coords(drop=True))
        here = xr.concat(parts, xr.Variable("variant", list(variants)), coords="minimal", compat="override") * entering
        total, children = total + here if total else here, children + entering
    return total, children


def _batch(
    desk: Desk, names: list[str], by_area: bool, areas: list[str]
) -> tuple[xr.Dataset, float, list[xr.DataArray]]:
    """Return the sum over some areas of what programmes avoid, times the children who come into need, and these.

    By area also what a child avoids by account in each (programme, account, chain, draw).
    """
    total, children, local = xr.Dataset(), 0.0, []
    for area in areas:
        place = Place(desk, area)
        entering = float(place.entering.mean())
        here = xr.concat([_avoided(place, name) for name in names], xr.Variable("programme", names), coords="minimal")
        if by_area:
            local.append(_by_account(desk, here["avoided"]))
        here = here * entering
        total, children = total + here if total else here, children + entering
    return total, children, local


def _by_account(desk: Desk, avoided: xr.DataArray) -> xr.DataArray:
    worth = desk.labelled(avoided)
    parts = [account_total(worth, account).reset_coords(drop=True) for account in ACCOUNTS]
    joined = xr.concat(parts, xr.Variable("account", list(ACCOUNTS)))
    by_account: xr.DataArray = joined.transpose("programme", "account", *SAMPLE_DIMS).astype(np.float32)
    return by_account


def _avoided(place: Place, name: str) -> xr.Dataset:
    """Return what a programme avoids for a child whom it serves in one area."""
    lived = place.change(name, 1.0, Adjustments())
    quantities = [quantity for quantity, _ in COUNTED_AS.values()]
    soon = lived.sel(year=SINCE_CONTACT).sum("year").reindex(quantity=quantities, fill_value=0.0)
    soon = soon.rename(quantity="indicator").assign_coords(indicator=list(COUNTED_AS))
    parts = {"avoided": -place.worth(lived), "events": lived.sum("year"), "events_soon": soon}
    entries = place.served(name).usual["events"].sel(quantity="care_entries")
    # A published risk of up to a year is all of year 0's (`pathways.served`). Otherwise children come evenly over it,
    # and a year after contact is over in the middle of year 1.
    risk = place.desk.risks[name].get("care")
    later = 0.0 if risk is not None and risk.years <= 1 else 0.5
    parts["care_within_year"] = entries.sel(year=0, drop=True) + later * entries.sel(year=1, drop=True)
    parts["council_cash"] = council_cash(place, lived)
    return xr.Dataset(parts).reset_coords(drop=True)
