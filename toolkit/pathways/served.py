"""The children whom a programme serves: their ages, their risks, and when an effect on them acts."""

import math
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from scipy.optimize import brentq

from toolkit.pathways.cohort import QUANTITIES, Hazards, walk
from toolkit.pathways.kernel import AGES
from toolkit.schema import EFFECT_OUTCOMES, SAMPLE_DIMS, InputError

MOST = 1_000.0  # times a hazard
LIKE_ANY = ("in_need",)  # groups whose children may have the risk of any child in need
ENTRIES, CARE_YEARS = QUANTITIES.index("care_entries"), QUANTITIES.index("care_years")


class Risk(NamedTuple):
    """A published risk without help: of an event between ``start`` and ``years`` after contact.

    Of care with a ``start`` above 0 it is the share looked after at some time in between, which is less than all who
    have ever come in.
    """

    share: float
    years: float
    start: float = 0.0


def of_ages(hazards: Hazards, youngest: int, oldest: int) -> Hazards:
    """Return the hazards of children who come into need at ``youngest`` to ``oldest``, in the proportions of all.

    Raises
    ------
    InputError
        No child under eighteen is of these ages.
    """
    inside = (np.arange(AGES) >= youngest) & (np.arange(AGES) <= oldest)
    if not inside.any():
        raise InputError(f"ages {youngest} to {oldest}: none is under {AGES}.", fix="give ages of childhood.")
    weight = hazards.entry_weight * inside[:, None]
    return replace(hazards, entry_weight=weight / weight.sum(axis=0))


def at_risk(hazards: Hazards, risks: Mapping[str, Risk], *, name: str = "programme") -> Hazards:
    """Return the hazards of children whose risk of an outcome is a published one, instead of the average child's.

    Parameters
    ----------
    hazards
        Of the area, for children of the programme's ages.
    risks
        By outcome. Of ``care`` in up to a year, only the year of contact is more dangerous than usual, so that its risk
        is the published one; over more years every year is. First entry to justice (``youth_justice``) has a constant
        hazard from ten on. The "risk" of ``gcse_attainment`` is the share who reach a good grade, at sixteen. Other
        outcomes keep the area's rates.
    name
        Name of the programme for a message.

    Raises
    ------
    InputError
        A risk that no hazard reaches.
    """
    for outcome, (share, *_) in risks.items():
        if not 0 < share < 1:
            raise InputError(f"{name}: a risk of {outcome} of {share:g} is out of reach.", fix="check it.")
    if "care" in risks:
        hazards = _with_care(hazards, Risk(*risks["care"]), name)
    if "youth_justice" in risks:
        risk, years, _ = Risk(*risks["youth_justice"])
        usual = float((hazards.first_entry * hazards.ratio_need).mean())
        hazards = replace(hazards, first_entry=hazards.first_entry * (-math.log1p(-risk) / (years * usual)))
    if "gcse_attainment" in risks:
        share, ones = risks["gcse_attainment"][0], np.ones_like(hazards.logit_grade_now)
        grade = math.log(share / (1 - share)) * ones
        hazards = replace(hazards, logit_grade_now=grade, logit_grade_ever=grade)
    return hazards


def _with_care(hazards: Hazards, risk: Risk, name: str) -> Hazards:
    """Multiply the hazards of entry to care so that the mean child's risk over the years is the published one."""
    mean = Hazards(**{part.name: getattr(hazards, part.name).mean(axis=-1, keepdims=True) for part in fields(Hazards)})

    def gap(log_factor: float) -> float:
        return _care_within(_raised(mean, math.exp(log_factor), risk.years), risk) - risk.share

    ends = -math.log(MOST), math.log(MOST)
    if not gap(ends[0]) < 0 < gap(ends[1]):
        raise InputError(f"{name}: a risk of care of {risk.share:g} is out of reach.", fix="check it and its years.")
    return _raised(hazards, math.exp(brentq(gap, *ends, xtol=1e-6)), risk.years)


def _raised(hazards: Hazards, factor: float, years: float) -> Hazards:
    if years > 1:
        parts = {part: getattr(hazards, part) * factor for part in ("care_entry", "care_entry_first")}
        return replace(hazards, **parts)
    # At the edge of care nobody's case closes within weeks, and danger is now.
    short = np.zeros_like(hazards.short_share_first)
    return replace(hazards, care_entry_first=hazards.care_entry_first * factor, short_share_first=short)


def _care_within(hazards: Hazards, risk: Risk) -> float:
    """Return the chance of care between two times after contact, where children come evenly over year 0."""
    if not risk.start:
        never = np.zeros_like(hazards.reentry_first)  # a chance counts nobody twice
        first = replace(hazards, reentry_first=never, reentry_later=never)
        entries = walk(first, strength=0.0, dtype=float).quantities[ENTRIES, :, 0]
        # A year after contact is half over, on average, when the calendar year is.
        entered = np.interp(risk.years, np.arange(AGES) + 0.5, np.cumsum(entries))
        return float(entries[0] if risk.years <= 1 else entered)
    quantities = walk(hazards, strength=0.0, dtype=float).quantities[..., 0]
    entries, lived = quantities[ENTRIES], quantities[CARE_YEARS]
    # Those in care when the window opens, and those who come in before it closes: means of calendar year k are those at
    # k years since contact.
    since = np.arange(AGES)
    there = np.interp(risk.start, since, lived)
    return float(there + (risk.years - risk.start) * np.interp((risk.start + risk.years) / 2, since, entries))


def with_timing(hazards: Hazards, onset: np.ndarray, flat: np.ndarray, lasts: np.ndarray | bool = False) -> Hazards:
    """Return the hazards with the timing of an effect.

    Parameters
    ----------
    hazards
        Their half-life stays, but where an effect lasts.
    onset
        Years after contact at which the effect starts (draw).
    flat
        Years for which it is whole (effect), or (effect, draw).
    lasts
        Whether it never fades (draw).
    """
    return replace(
        hazards,
        onset=np.asarray(onset, hazards.onset.dtype).ravel(),
        flat=np.array(np.broadcast_to(np.reshape(flat, (len(EFFECT_OUTCOMES), -1)), hazards.flat.shape)),
        half_life=np.where(np.ravel(lasts), np.inf, hazards.half_life),
    )


def served_hazards(
    hazards: Hazards, used: xr.Dataset, name: str, row: Mapping[Any, Any], risks: Mapping[str, Risk]
) -> Hazards:
    """Return the hazards of the children whom a programme serves in an area, without effects, but with their timing.

    Nothing is timed without an effect, so that these are both the hazards before effects and those to give effects to.

    Parameters
    ----------
    hazards
        Of the area's children in need, draws last.
    used
        From `toolkit.models.effects.programme_use.used_effects`: ``onset``, ``flat``, ``lasts`` and ``average_risk``.
        Programmes whose children are like any in need have the area's own risk in draws of ``average_risk``; those for
        another group serve that group by definition, and have its published risk in all.
    name
        The programme.
    row
        Of the table ``programmes``: ``ages_from``, ``ages_to`` and ``target_group``.
    risks
        Published ones of those whom it serves, by outcome, as for :func:`at_risk`.

    Raises
    ------
    InputError
        As :func:`of_ages` and :func:`at_risk`.
    """
    average = of_ages(hazards, int(row["ages_from"]), int(row["ages_to"]))
    served = at_risk(average, risks, name=name)
    if row["target_group"] in LIKE_ANY:
        like_any = used["average_risk"].transpose(*SAMPLE_DIMS).values.ravel()
        served = Hazards(
            **{
                part.name: np.where(like_any, getattr(average, part.name), getattr(served, part.name))
                for part in fields(Hazards)
            }
        )
    one = used.sel(programme=name)
    flat = one["flat"].sel(outcome=list(EFFECT_OUTCOMES)).transpose("outcome", *SAMPLE_DIMS)
    return with_timing(
        served,
        one["onset"].transpose(*SAMPLE_DIMS).values,
        flat.values,
        used["lasts"].transpose(*SAMPLE_DIMS).values,
    )
