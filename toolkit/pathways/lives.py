"""Quantities of poor outcomes over time: the reached cohort, the entering cohort and one year's cross-section.

Three cohorts that are never mixed in one figure. The *reached cohort* (children newly reached in the
spending years) is what an option changes; the *entering cohort* (children starting a first episode of
need in the base year, followed to eighteen) carries the lifetime cost; the *annual cross-section* is
everyone in one year.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import xarray as xr

from toolkit.pathways.cohort import (
    CELLS,
    GROUPS,
    QUANTITIES,
    QUANTITY_UNITS,
    Hazards,
    Layers,
    walk,
)
from toolkit.pathways.kernel import AGES
from toolkit.scenarios import Adjustments, Scenario
from toolkit.schema import BUSINESS_AS_USUAL, EFFECT_OUTCOMES, INVESTMENT, SAMPLE_DIMS, InputError

ENTRY_BANDS = ("under_1", "1_4", "5_9", "10_15", "16_17")
EXIT_BANDS = ("under_5", "5_9", "10_15", "16_17")
FROM_FIT = (
    "need_exit_slow",
    "need_exit_fast",
    "short_share",
    "plan_exit",
    "plan_care_ratio",
    "need_again",
    "care_short_share",
    "care_exit_fast",
    "reentry_first",
    "reentry_later",
)

FIGURES = (
    "gcse_ever_need_ratio",
    "gcse_all_pupils",
    "justice_ratio_in_need",
    "justice_ratio_care",
    "detection_rereferral",
    "detection_care_under_5",
    "fade_half_life",
)


def localise(
    baseline: xr.DataArray, national: xr.DataArray, statistics: xr.Dataset, draws: xr.Dataset, scenario: Scenario
) -> Hazards:
    """Return one area's hazards without any effect: England's fitted pathway, moved to it by the outcome model.

    Care entry and plan starts are scaled so that the area's children in need outside care meet its expected care
    starts (those from a first episode) and plan starts; re-referral by the ratio of rates; first entry to justice
    and grades are the area's own.

    Parameters
    ----------
    baseline
        The area's base-year rates (chain, draw, indicator).
    national
        England's base-year rates (chain, draw, indicator).
    statistics
        The area's base-year counts: ``children_in_need``, ``children_looked_after``, ``population_0_17``.
    draws
        Sampled figures (chain, draw), with ``pathway`` (parameter, chain, draw).
    scenario
        States whether help detects need first.

    Raises
    ------
    InputError
        A rate or hazard is negative or too large for a probability.
    """
    area = str(statistics["area"].item())
    figure = {name: flattened(draws[name]) for name in FIGURES if name in draws}
    rate = {str(k): flattened(baseline.sel(indicator=k)) for k in baseline["indicator"].values}
    england = {str(k): flattened(national.sel(indicator=k)) for k in national["indicator"].values}
    pathway = draws["pathway"].transpose("parameter", *SAMPLE_DIMS)
    flat = pathway.values.astype(np.float64).reshape(pathway.sizes["parameter"], -1)
    fitted = dict(zip(pathway["parameter"].values.tolist(), flat, strict=True))
    at_risk = float(statistics["children_in_need"] - statistics["children_looked_after"])
    if not at_risk > 0:
        raise InputError(f"{area}: no children in need outside care.", fix="leave the area out.")
    children = float(statistics["population_0_17"]) / at_risk
    # Where plan starts of areas are not modelled, England's rate applies to each.
    more_plans = rate.get("protection_plan_starts", np.nan) * children / fitted["open_plan_rate"]
    more_plans = np.where(np.isnan(more_plans), 1.0, more_plans)
    on_plan, extra = fitted["plan_share_of_open"], fitted["plan_care_ratio"] - 1.0
    more_care = fitted["care_first_share"] * rate["care_starts"] * children / fitted["open_care_rate"]
    local_plan = more_plans * on_plan / (1.0 - on_plan + more_plans * on_plan)
    more_care *= (1.0 + extra * on_plan) / (1.0 + extra * local_plan)  # plans lead to care more often
    again = rate["rereferrals"] / england["rereferrals"]
    ever = figure["gcse_ever_need_ratio"] * figure["gcse_all_pupils"] * rate["gcse_grade_4"] / england["gcse_grade_4"]
    ones = np.ones_like(at_risk * again)
    care = _bands(fitted, "care_entry", ENTRY_BANDS) * more_care
    leaving = _bands(fitted, "care_exit", EXIT_BANDS)
    hazards = Hazards(
        **{name: fitted[name] for name in FROM_FIT},
        short_share_first=fitted["short_share"],
        plan_start=fitted["plan_start"] * more_plans,
        care_entry=care,
        care_entry_first=care,
        care_exit_first=leaving * fitted["care_exit_first_ratio"],
        care_exit_later=leaving,
        rereferral_first=fitted["rereferral_first"] * again,
        rereferral_later=fitted["rereferral_later"] * again,
        first_entry=rate["first_time_entrants"],
        ratio_need=figure["justice_ratio_in_need"],
        ratio_care=figure["justice_ratio_care"],
        logit_grade_now=_logit(rate["gcse_grade_4"]),
        logit_grade_ever=_logit(np.clip(ever, 1e-6, 1 - 1e-6)),
        log_ratio_rereferral=0.0 * ones,
        log_ratio_care=0.0 * ones,
        log_ratio_justice=0.0 * ones,
        logit_shift_grade=0.0 * ones,
        detect_rereferral=figure["detection_rereferral"] if scenario.effect.detection else ones,
        detect_care=figure["detection_care_under_5"] if scenario.effect.detection else ones,
        half_life=figure["fade_half_life"],
        onset=0.0 * ones,
        flat=np.zeros((len(EFFECT_OUTCOMES), ones.size), ones.dtype),
        entry_weight=entry_ages(draws).values.reshape(AGES, -1),
    )
    return sound(hazards, area)


def _bands(fitted: dict[str, np.ndarray], name: str, bands: tuple[str, ...]) -> np.ndarray:
    return np.stack([fitted[f"{name}[{band}]"] for band in bands])


def with_effects(hazards: Hazards, effects: xr.DataArray) -> Hazards:
    """Return the same hazards with the full effect on a child reached.

    Parameters
    ----------
    hazards
        From :func:`localise`.
    effects
        (chain, draw, outcome): log risk ratio of re-referral, first entry and care entry, below zero
        where help works; for attainment a standardised mean difference, above zero where it works.

    Raises
    ------
    InputError
        An effect is not a finite log ratio in some draw: it would make a hazard negative or unbounded.

    References
    ----------
    Chinn, S. (2000). A simple method for converting an odds ratio to effect size for use in
    meta-analysis. Statistics in Medicine 19, 3127-3131: log odds = d pi / sqrt(3).
    """
    effect = {str(k): flattened(effects.sel(outcome=k)) for k in effects["outcome"].values}
    for name, values in effect.items():
        if not np.isfinite(values).all():
            raise InputError(
                f"effect on '{name}': not a finite log ratio in some draw, so a hazard would be negative or unbounded.",
                fix="give a ratio above zero, as its logarithm.",
            )
    return replace(
        hazards,
        log_ratio_rereferral=effect["repeat_referrals"],
        log_ratio_care=effect["care"],
        log_ratio_justice=effect["youth_justice"],
        logit_shift_grade=effect["gcse_attainment"] * np.pi / np.sqrt(3.0),
    )


SHARES = ("short_share", "short_share_first", "care_short_share", "need_again", "onset", "entry_weight")
LASTING = ("half_life", "flat")  # may be without end
ANY_SIGN = ("logit_grade_now", "logit_grade_ever", "logit_shift_grade")


def sound(hazards: Hazards, area: str) -> Hazards:
    """Return the hazards if every one is a valid hazard or probability; otherwise raise with its name.

    Raises
    ------
    InputError
        A hazard that is negative or not finite; a share outside 0-1; ages at entry that do not sum to one.
    """
    for name, values in vars(hazards).items():
        if name in ANY_SIGN or name.startswith("log_"):
            wrong, what = ~np.isfinite(values), "not finite"
        elif name in SHARES:
            wrong, what = ~((values >= 0) & (values <= 1)), "outside 0-1"
        else:
            wrong, what = ~(values >= 0) | (np.isinf(values) & (name not in LASTING)), "negative or not finite"
        if wrong.any():
            raise InputError(f"{area}: '{name}' is {what} in a draw.", fix="check the figures it is computed from.")
    if not np.allclose(hazards.entry_weight.sum(axis=0), 1.0):
        raise InputError(f"{area}: 'entry_weight' does not sum to one over ages.", fix="divide it by its sum.")
    return hazards


def flattened(array: xr.DataArray) -> np.ndarray:
    """Return an array of draws (chain, draw) with one dimension."""
    return np.asarray(array.transpose(*SAMPLE_DIMS).values, dtype=np.float64).reshape(-1)


def _logit(probability: np.ndarray) -> np.ndarray:
    return np.log(probability) - np.log1p(-probability)


def per_child(
    hazards: Hazards,
    *,
    strength: float,
    delivered: float | None = None,
    rates: xr.DataArray | None = None,
    by_age: bool = False,
    like: xr.DataArray | xr.Dataset,
) -> xr.Dataset:
    """Return the expected events per child, by year since entry.

    Parameters
    ----------
    hazards, strength, delivered
        As for :func:`walk`.
    rates
        Child layers (layer, group, chain, draw): events a year in each of ``GROUPS``, with coordinates ``start`` and
        ``stop`` on layer, the age from which and before which they happen.
    by_age
        Use the age at the event for ``year``, and eighteen for ``year_of_18``.
    like
        Anything with the draws' coordinates.

    Returns
    -------
    Dataset
        ``events`` (quantity, year, chain, draw), the quantities and then the layers; ``cells`` (cell, year_of_18,
        chain, draw), children by what they are at eighteen, in the year since entry in which they turn it.

    Raises
    ------
    InputError
        Layers have other groups, or the name of a quantity.
    """
    sizes = [like.sizes[dim] for dim in SAMPLE_DIMS]
    layers, names = _layers(rates)
    walked = walk(hazards, strength=strength, delivered=delivered, layers=layers, by_age=by_age)
    events = np.concatenate([walked.quantities, walked.layers]) if names else walked.quantities
    parts = {"events": ("quantity", "year", events), "cells": ("cell", "year_of_18", walked.cells)}
    units = {name: "events" for name in names} | QUANTITY_UNITS
    return xr.Dataset(
        {
            name: ((what, when, *SAMPLE_DIMS), values.reshape(*values.shape[:2], *sizes))
            for name, (what, when, values) in parts.items()
        },
        coords={
            "quantity": [*QUANTITIES, *names],
            "year": np.arange(AGES),
            "cell": list(CELLS),
            "year_of_18": np.arange(AGES + 1),
            **{dim: like[dim] for dim in SAMPLE_DIMS},
        },
        attrs={"units": "; ".join(f"{name}: {unit}" for name, unit in units.items()) + "; cells: children"},
    )


def _layers(rates: xr.DataArray | None) -> tuple[Layers | None, list[str]]:
    if rates is None or not rates.sizes["layer"]:
        return None, []
    names = [str(name) for name in rates["layer"].values]
    if tuple(rates["group"].values) != GROUPS or set(names) & set(QUANTITIES):
        raise InputError(
            f"child layers {names}: groups must be {list(GROUPS)}, and names must differ from the quantities'.",
            fix="rename.",
        )
    values = rates.transpose("layer", "group", *SAMPLE_DIMS).values.reshape(len(names), len(GROUPS), -1)
    return Layers(values, rates["start"].values, rates["stop"].values), names


class Cohort(NamedTuple):
    """The children whom a programme serves in one year.

    ``usual`` is the life of one of them without help (quantity, year, chain, draw), by year since entry; ``change``
    what help makes of it; ``children`` how many they are (chain, draw), negative for a cut, whose cohort is those who
    lose help; ``start`` the year of the appraisal in which they are served; ``gaining`` how many of them gain.
    """

    usual: xr.DataArray
    change: xr.DataArray
    children: xr.DataArray
    start: int
    gaining: xr.DataArray


def project(cohorts: Sequence[Cohort], *, horizon: int) -> xr.DataArray:
    """Return the expected quantities of the children served under both options.

    Parameters
    ----------
    cohorts
        One for each programme and year.
    horizon
        Years of the appraisal; what happens later is left out.

    Returns
    -------
    DataArray (option, quantity, year, chain, draw), years counted from the first spending year to the last in which
    any event can fall.
    """
    first = cohorts[0].usual.transpose("quantity", "year", *SAMPLE_DIMS)
    length = first.sizes["year"]
    years = min(horizon, length + max(cohort.start for cohort in cohorts))
    # In double precision, so that the options differ by the change alone and not by rounding of the rest.
    lives = np.zeros((2, first.sizes["quantity"], years, *first.shape[2:]))
    for cohort in cohorts:
        take = min(length, years - cohort.start)
        at = slice(cohort.start, cohort.start + take)
        children, gaining = (part.transpose(*SAMPLE_DIMS).values for part in (cohort.children, cohort.gaining))
        lives[0, :, at] += cohort.usual.transpose(*first.dims).values[:, :take] * abs(children)
        lives[1, :, at] += cohort.change.transpose(*first.dims).values[:, :take] * gaining
    lives[1] += lives[0]
    return xr.DataArray(
        lives,
        dims=("option", *first.dims),
        coords={
            "option": [BUSINESS_AS_USUAL, INVESTMENT],
            "quantity": first["quantity"].values,
            "year": np.arange(years),
            **{dim: first[dim] for dim in SAMPLE_DIMS},
        },
        name="lives",
        attrs=cohorts[0].usual.attrs | {"cell_methods": "year: sum"},
    )


def additional(adjustments: Adjustments) -> xr.DataArray:
    """Return the share of a change that counts, by year since entry: Green Book additionality and drop-off."""
    net = adjustments.attribution * (1.0 - adjustments.deadweight) * (1.0 - adjustments.displacement)
    since = np.arange(AGES)
    return xr.DataArray(net * (1.0 - adjustments.drop_off) ** since, dims="year", coords={"year": since})


def additional_part(change: xr.Dataset, adjustments: Adjustments) -> xr.Dataset:
    """Return the additional part of a change in lives, as :func:`per_child` gives them.

    Those who turn eighteen in year t have had t years of the change, so drop-off is that of the year before.
    """
    lasting = additional(adjustments)
    if bool((lasting == 1.0).all()):
        return change
    at_18 = xr.DataArray(np.append(lasting.values[:1], lasting.values), dims="year_of_18")
    return xr.Dataset({"events": change["events"] * lasting, "cells": change["cells"] * at_18}, attrs=change.attrs)


def entry_ages(draws: xr.Dataset) -> xr.DataArray:
    """Return the share of children by age at entry (age, chain, draw), from the fitted pathway in ``draws``."""
    names = [f"entry_age[{age}]" for age in range(AGES)]
    weight = draws["pathway"].sel(parameter=names).rename(parameter="age").assign_coords(age=np.arange(AGES))
    weight = weight.transpose("age", *SAMPLE_DIMS).astype(np.float64)
    return weight / weight.sum("age", skipna=False)
