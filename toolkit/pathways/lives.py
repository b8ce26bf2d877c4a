"""Quantities of poor outcomes over time: the reached cohort, the entering cohort and one year's cross-section.

Three cohorts that are never mixed in one figure. The *reached cohort* (children newly reached in the
spending years) is what an option changes; the *entering cohort* (children starting a first episode of
need in the base year, followed to eighteen) carries the lifetime cost; the *annual cross-section* is
everyone in one year.
"""

from dataclasses import replace

import numpy as np
import xarray as xr

from toolkit.pathways.cohort import AGES, EXAM_AGE, JUSTICE_AGE, QUANTITIES, QUANTITY_UNITS, Hazards, walk
from toolkit.scenarios import Adjustments, Effect, Scenario
from toolkit.schema import BUSINESS_AS_USUAL, INVESTMENT, SAMPLE_DIMS, InputError

CARE_AGE_ROLES = {
    "care_age_under_1": (0, 1),
    "care_age_1_4": (1, 5),
    "care_age_5_9": (5, 10),
    "care_age_10_15": (10, 16),
    "care_age_16_17": (16, 18),
}


def localise(
    baseline: xr.DataArray, national: xr.DataArray, statistics: xr.Dataset, draws: xr.Dataset, scenario: Scenario
) -> Hazards:
    """Return one area's hazards without any effect: published flows, moved to it by the outcome model.

    Parameters
    ----------
    baseline
        The area's base-year rates (chain, draw, indicator).
    national
        England's base-year rates (chain, draw, indicator).
    statistics
        The area's base-year counts: ``children_in_need``, ``children_looked_after``, ``population_0_17``.
    draws
        Sampled figures (chain, draw).
    scenario
        Says whether effects fade, whether help detects need first, and who is reached.

    Raises
    ------
    InputError
        A rate or hazard comes out negative or above what a probability allows.
    """
    figure = {str(name): _flat(draws[name]) for name in draws.data_vars}
    rate = {str(k): _flat(baseline.sel(indicator=k)) for k in baseline["indicator"].values}
    england = {str(k): _flat(national.sel(indicator=k)) for k in national["indicator"].values}
    ones = np.ones_like(figure["need_exit_rate"])
    at_risk = float(statistics["children_in_need"] - statistics["children_looked_after"])
    if not at_risk > 0:
        raise InputError(f"{statistics['area'].item()}: no children in need outside care. Mend: leave the area out.")
    starts = rate["care_starts"] * float(statistics["population_0_17"])
    care = figure["care_from_need_share"] * starts / at_risk
    shape, edge = _age_shape(figure), scenario.option.group == "care_edge"
    ever = figure["gcse_ever_need_ratio"] * figure["gcse_all_pupils"] * rate["gcse_grade_4"] / england["gcse_grade_4"]
    detect = scenario.effect.detection
    hazards = Hazards(
        need_exit=figure["need_exit_rate"],
        care_entry=care,
        care_entry_first=_entry_hazard(figure["care_edge_entry"], figure["need_exit_rate"]) if edge else care,
        rereferral_first=-np.log1p(-figure["rereferral_first_year"]) * rate["rereferrals"] / england["rereferrals"],
        rereferral_later=figure["rereferral_later_hazard"] * rate["rereferrals"] / england["rereferrals"],
        to_need=figure["referral_to_need"],
        care_exit=figure["care_exit_rate"],
        care_reentry=-np.log1p(-figure["care_reentry_five_years"]) / 5.0,
        first_entry=rate["first_time_entrants"],
        ratio_need=figure["justice_ratio_in_need"],
        ratio_care=figure["justice_ratio_care"],
        logit_grade_now=_logit(rate["gcse_grade_4"]),
        logit_grade_ever=_logit(np.clip(ever, 1e-6, 1 - 1e-6)),
        log_ratio_rereferral=0.0 * ones,
        log_ratio_care=0.0 * ones,
        log_ratio_justice=0.0 * ones,
        logit_shift_grade=0.0 * ones,
        detect_rereferral=figure["detection_rereferral"] if detect else ones,
        detect_care=figure["detection_care_under_5"] if detect else ones,
        half_life=figure["fade_half_life"] if scenario.effect.fades else np.full_like(ones, np.inf),
        age_shape=shape,
        age_shape_first=np.ones(AGES) if edge else shape,
        entry_weight=np.full(AGES, 1.0 / AGES),
    )
    return _sound(hazards, str(statistics["area"].item()))


def _entry_hazard(chance: np.ndarray, closing: np.ndarray) -> np.ndarray:
    """Find the hazard of care that, beside closure, makes the chance of entry within the year the one given."""
    low, high = np.zeros_like(chance), np.full_like(chance, 100.0)
    for _ in range(60):  # bisection: the chance rises with the hazard
        middle = 0.5 * (low + high)
        leaving = middle + closing
        below = -np.expm1(-leaving) * middle / leaving < chance
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.asarray(0.5 * (low + high))


def with_effects(hazards: Hazards, effects: xr.DataArray) -> Hazards:
    """Return the same hazards with the full effect on a child reached.

    Parameters
    ----------
    hazards
        From :func:`localise`.
    effects
        (chain, draw, outcome): log risk ratio of re-referral, first entry and care entry, below zero
        where help works; for attainment a standardised mean difference, above zero where it works.

    References
    ----------
    Chinn, S. (2000). A simple method for converting an odds ratio to effect size for use in
    meta-analysis. Statistics in Medicine 19, 3127-3131: log odds = d pi / sqrt(3).
    """
    effect = {str(k): _flat(effects.sel(outcome=k)) for k in effects["outcome"].values}
    return replace(
        hazards,
        log_ratio_rereferral=effect["repeat_referrals"],
        log_ratio_care=effect["care"],
        log_ratio_justice=effect["youth_justice"],
        logit_shift_grade=effect["gcse_attainment"] * np.pi / np.sqrt(3.0),
    )


def _sound(hazards: Hazards, area: str) -> Hazards:
    for name in ("need_exit", "care_entry", "rereferral_first", "rereferral_later", "care_exit", "first_entry"):
        values = getattr(hazards, name)
        if not np.isfinite(values).all() or (values < 0).any():
            raise InputError(f"{area}: hazard '{name}' is negative or not finite in a draw. Mend: check its figures.")
    return hazards


def _flat(array: xr.DataArray) -> np.ndarray:
    return np.asarray(array.transpose(*SAMPLE_DIMS).values, dtype=np.float64).reshape(-1)


def _logit(probability: np.ndarray) -> np.ndarray:
    return np.log(probability) - np.log1p(-probability)


def _age_shape(figure: dict[str, np.ndarray]) -> np.ndarray:
    """Care entry by single year of age, relative to its mean over ages 0 to 17."""
    shape = np.empty(AGES)
    for role, (start, stop) in CARE_AGE_ROLES.items():
        shape[start:stop] = figure[role].mean() / (stop - start)
    return shape / shape.mean()


def per_child(
    hazards: Hazards, *, strength: float, delivered: float | None = None, like: xr.DataArray | xr.Dataset
) -> xr.DataArray:
    """Return expected quantities per child (quantity, year, chain, draw) by year since entry."""
    walked = walk(hazards, strength=strength, delivered=delivered)
    sizes = [like.sizes[dim] for dim in SAMPLE_DIMS]
    return xr.DataArray(
        walked.reshape(len(QUANTITIES), AGES, *sizes),
        dims=("quantity", "year", *SAMPLE_DIMS),
        coords={"quantity": list(QUANTITIES), "year": np.arange(AGES), **{d: like[d] for d in SAMPLE_DIMS}},
        name="lives",
        attrs={"units": "per child", "cell_methods": "year: sum"},
    )


def strengths(effect: Effect, years: int) -> list[tuple[float, float]]:
    """Return, for those reached in each spending year, the share of the full effect and of the help delivered."""
    delivered = [effect.take_up * share for share in effect.ramp[:years]]
    return [(effect.replication * share, share) for share in delivered]


def project(hazards: Hazards, reached: xr.DataArray, scenario: Scenario) -> tuple[xr.DataArray, xr.DataArray]:
    """Return expected quantities of the reached cohort under both options, and per child without help.

    Parameters
    ----------
    hazards
        One area's hazards.
    reached
        Children reached a year (chain, draw); negative for a cut, whose cohort is those who lose help.
    scenario
        Spending years, ramp, replication, take-up and horizon.

    Returns
    -------
    lives : DataArray
        (quantity, option, year, chain, draw), year counted from the first spending year.
    usual : DataArray
        (quantity, year, chain, draw) per child under business as usual, by year since entry.
    """
    usual = per_child(hazards, strength=0.0, like=reached)
    children = reached.transpose(*SAMPLE_DIMS).values
    lives = np.zeros((2, len(QUANTITIES), scenario.horizon, *children.shape))
    lasting = additional(scenario.adjustments).values[None, :, None, None]
    changed: dict[float, np.ndarray] = {}
    for year, (strength, delivered) in enumerate(strengths(scenario.effect, scenario.option.years)):
        if delivered not in changed:
            helped = per_child(hazards, strength=strength, delivered=delivered, like=reached)
            changed[delivered] = (helped.values - usual.values) * lasting
        span = slice(year, min(year + AGES, scenario.horizon))
        take = span.stop - span.start
        lives[0, :, span] += usual.values[:, :take] * abs(children)
        lives[1, :, span] += changed[delivered][:, :take] * children
    lives[1] += lives[0]
    labelled = xr.DataArray(
        lives,
        dims=("option", "quantity", "year", *SAMPLE_DIMS),
        coords={
            "option": [BUSINESS_AS_USUAL, INVESTMENT],
            "quantity": list(QUANTITIES),
            "year": np.arange(scenario.horizon),
            **{dim: reached[dim] for dim in SAMPLE_DIMS},
        },
        name="lives",
        attrs={"units": "; ".join(f"{k}: {v}" for k, v in QUANTITY_UNITS.items()), "cell_methods": "year: sum"},
    )
    return labelled, usual


def additional(adjustments: Adjustments) -> xr.DataArray:
    """Return the share of a change that counts, by year since entry: Green Book additionality and drop-off."""
    net = adjustments.attribution * (1.0 - adjustments.deadweight) * (1.0 - adjustments.displacement)
    since = np.arange(AGES)
    return xr.DataArray(net * (1.0 - adjustments.drop_off) ** since, dims="year", coords={"year": since})


def comparator(baseline: xr.DataArray, statistics: xr.Dataset, draws: xr.Dataset, *, years: int = AGES) -> xr.DataArray:
    """Return quantities per child if the entering cohort had the rates of all children of its age and area.

    Parameters
    ----------
    baseline
        The area's base-year rates (chain, draw, indicator).
    statistics, draws
        As in :func:`localise`.

    Returns
    -------
    DataArray (quantity, year, chain, draw) per child, by year since entry at ages 0-17 alike.
    """
    population = float(statistics["population_0_17"])
    referrals = baseline.sel(indicator="rereferrals") * float(statistics["referrals"]) / population
    rate = {
        "rereferrals": referrals,
        "repeat_need_years": referrals * draws["referral_to_need"] / draws["need_exit_rate"],
        "care_entries": baseline.sel(indicator="care_starts"),
        "care_years": xr.ones_like(referrals) * float(statistics["children_looked_after"]) / population,
        "first_time_entries": baseline.sel(indicator="first_time_entrants"),
        "below_grade_4": 1.0 - draws["gcse_all_pupils"],
    }
    t, age_in = np.arange(years), np.arange(AGES)
    under_18 = xr.DataArray([(age_in + k < AGES).mean() for k in t], dims="year", coords={"year": t})
    ten_to_17 = xr.DataArray([((age_in + k >= JUSTICE_AGE) & (age_in + k < AGES)).mean() for k in t], dims="year")
    at_16 = xr.DataArray([(age_in + k == EXAM_AGE).mean() for k in t], dims="year")
    exposure = {"first_time_entries": ten_to_17, "below_grade_4": at_16}
    zero = under_18 * xr.zeros_like(referrals)
    parts = [
        (rate[name].drop_vars("indicator", errors="ignore") * exposure.get(name, under_18) if name in rate else zero)
        for name in QUANTITIES
    ]
    stacked = xr.concat(parts, xr.Variable("quantity", list(QUANTITIES)), coords="minimal", compat="override")
    return stacked.transpose("quantity", "year", *SAMPLE_DIMS).assign_coords(year=t)


def adjustment_shares(draws: xr.Dataset) -> xr.DataArray:
    """Return the share of each raw gap that would vanish with the outcome (chain, draw, quantity).

    Re-referral and care are themselves contact with social care, so their whole gap is theirs; justice
    and attainment gaps are shrunk by the cited adjustment shares.
    """
    whole = xr.ones_like(draws["adjustment_gcse"])
    shares = {"first_time_entries": draws["adjustment_youth_justice"], "below_grade_4": draws["adjustment_gcse"]}
    parts = [shares.get(name, whole) for name in QUANTITIES]
    return xr.concat(parts, xr.Variable("quantity", list(QUANTITIES)), coords="minimal", compat="override")


def cross_section(baseline: xr.DataArray, statistics: xr.Dataset, draws: xr.Dataset) -> xr.DataArray:
    """Return one year's quantities in an area among children known to social care (quantity, chain, draw).

    Referrals, children looked after and in-need pupils are this year's counts; first-time entrants known
    to social care are the area's entrants times the share that children ever in need make up.
    """
    rate = {str(k): baseline.sel(indicator=k, drop=True) for k in baseline["indicator"].values}
    ever, ratio = draws["share_ever_in_need"], draws["justice_ratio_in_need"]
    known = ever * ratio / (1.0 + ever * (ratio - 1.0))
    again = rate["rereferrals"] * float(statistics["referrals"])
    ones = xr.ones_like(again)
    values = {
        "rereferrals": again,
        "repeat_need_years": again * draws["referral_to_need"] / draws["need_exit_rate"],
        "first_need_years": ones * 0.0,
        "care_entries": rate["care_starts"] * float(statistics["population_0_17"]),
        "care_years": ones * float(statistics["children_looked_after"]),
        "first_time_entries": rate["first_time_entrants"] * float(statistics["population_10_17"]) * known,
        "below_grade_4": (1.0 - rate["gcse_grade_4"]) * float(statistics["gcse_pupils"]),
    }
    parts = [values[name] for name in QUANTITIES]
    array = xr.concat(parts, xr.Variable("quantity", list(QUANTITIES)), coords="minimal", compat="override")
    return array.assign_attrs(units="; ".join(f"{k}: {v}" for k, v in QUANTITY_UNITS.items()))
