"""The lives of children known to social care, from first need to eighteen: expected events per child.

A cohort walks in yearly steps through nine states: open in need for the first time, open again after a re-referral,
on a child protection plan, closed within the last year, closed for longer, looked after within the last year, for
longer, left care within the last year, for longer. Episodes of need and stays in care are of two classes: the fast
ones begin and end within a year. Within a year all goes on in continuous time, so that stays of months keep their mean
length. The expected path is exact for each posterior draw: no individuals are simulated. Ages at entry are averaged
inside the walk; occupancy of the states is never stored.
"""

from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from toolkit.pathways.kernel import AGES, walk_cohort
from toolkit.schema import EFFECT_OUTCOMES

Array = NDArray[Any]

DETECTED_BANDS = 2  # help detects need in under-fives first: the first two bands of entry
QUANTITY_UNITS = {
    "rereferrals": "events",
    "repeat_need_years": "child-years",
    "first_need_years": "child-years",
    "plan_starts": "events",
    "plan_years": "child-years",
    "care_entries": "events",
    "care_years": "child-years",
    "first_time_entries": "children",
    "below_grade_4": "pupils",
}
QUANTITIES = tuple(QUANTITY_UNITS)
GROUPS = ("open", "closed", "looked_after", "left_care")
HISTORIES = ("need_only", "left_care_before_16", "care_leaver")  # a care leaver was looked after at 16 or later
CELLS = tuple(f"{h}|{j}|{g}" for h in HISTORIES for j in ("no_justice", "justice") for g in ("grade_4", "below_4"))


@dataclass(frozen=True)
class Hazards:
    """Yearly hazards and probabilities of one area, draws last.

    Hazards are per year in the state. ``care_entry`` and ``care_entry_first`` (band of age, draw) hold for open cases,
    the latter in the year of entry (higher at the edge of care). A share ``care_short_share`` of entries to care leaves
    at ``care_exit_fast``; the rest at ``care_exit_first`` in the year of entry and the next, and at ``care_exit_later``
    (band, draw) after. ``entry_weight`` (age, draw) sums to one over ages. Log ratios and the attainment shift are the
    full effect on a child reached; ``strength`` of :func:`walk` scales them all. An effect
    acts from ``onset`` on (years after contact, up to 1), is whole for the years ``flat`` (effect, draw: in the order
    of ``EFFECT_OUTCOMES``), and then halves every ``half_life`` years.
    """

    need_exit_slow: Array
    need_exit_fast: Array
    short_share: Array
    short_share_first: Array
    plan_start: Array
    plan_exit: Array
    plan_care_ratio: Array
    care_entry: Array
    care_entry_first: Array
    care_short_share: Array
    care_exit_fast: Array
    care_exit_first: Array
    care_exit_later: Array
    rereferral_first: Array
    rereferral_later: Array
    need_again: Array
    reentry_first: Array
    reentry_later: Array
    first_entry: Array
    ratio_need: Array
    ratio_care: Array
    logit_grade_now: Array
    logit_grade_ever: Array
    log_ratio_rereferral: Array
    log_ratio_care: Array
    log_ratio_justice: Array
    logit_shift_grade: Array
    detect_rereferral: Array
    detect_care: Array
    half_life: Array
    onset: Array
    flat: Array
    entry_weight: Array


class Layers(NamedTuple):
    """What else happens in childhood: ``rates`` (layer, group, draw) a year in each group, from ``start`` to before
    ``stop`` (layer), in years of age."""  # noqa: D209, D205

    rates: Array
    start: Array
    stop: Array


class Walked(NamedTuple):
    """Expected events per child: ``quantities`` and ``layers`` (..., year since entry, draw), and ``cells``
    (CELLS, year since entry in which the child turns 18, draw), which sum to one over the first two."""  # noqa: D209, D205

    quantities: Array
    layers: Array
    cells: Array


class _World(NamedTuple):
    """Which effects act, and what the walk has to return."""

    rereferral: bool
    care: bool
    others: bool
    split: bool
    ends: bool


# Effects are total effects: an outcome with an effect of its own changes by that effect alone, not also through another
# affected outcome. The rest of a life takes all of them together, years of need among it: a child who is spared care is
# in need for longer.
_OWN = (
    (_World(True, False, False, False, False), ("rereferrals",)),
    (_World(False, True, False, False, False), ("care_entries", "care_years")),
    (_World(False, False, True, True, False), ("first_time_entries", "below_grade_4")),
)
_ALL = _World(True, True, True, True, True)


def walk(
    hazards: Hazards,
    *,
    strength: float,
    delivered: float | None = None,
    layers: Layers | None = None,
    by_age: bool = False,
    dtype: Any = np.float32,
) -> Walked:
    """Return expected quantities per child by year since entry, and children by what they are at eighteen.

    Parameters
    ----------
    hazards
        One area's hazards; draws last.
    strength
        Share of the full effect in the year of entry (replication x take-up x ramp); 0 is business as usual and
        reproduces it exactly. An infinite half-life never fades.
    delivered
        Share of the help that is delivered (ramp x take-up), which detects need whether or not the effect replicates;
        ``strength`` if not given.
    layers
        Further events of childhood, if any.
    by_age
        Sum by age instead of by year since entry.
    dtype
        Precision of the walk; single precision errs by less than a thousandth of a posterior standard deviation.

    Notes
    -----
    Children enter evenly over year 0, at ages 0 to 17. Re-referral, care, first entry and attainment have effects of
    their own and are each walked with that effect alone; years of need, plans, layers and cells with all of them.
    """
    delivered = strength if delivered is None else delivered
    layers = _no_layers() if layers is None else layers
    hazards = _cast(hazards, dtype)
    helped = bool(strength or delivered)
    to_care = {on: _to_care(hazards, strength, delivered, on) for on in {False, helped}}
    walked = _walk_world(hazards, _ALL, strength, delivered, layers, to_care[helped], by_age)
    for world, names in _OWN if helped else ():
        own = _walk_world(hazards, world, strength, delivered, layers, to_care[world.care], by_age).quantities
        rows = [QUANTITIES.index(name) for name in names]
        walked.quantities[rows] = own[rows]
    return walked


def in_all(hazards: Hazards, *, dtype: Any = np.float32) -> Array:
    """Return the quantities of a whole life without help (quantity, draw), as :func:`walk` but in half the time.

    First entries to justice and grades are 0: they do not move the others.
    """
    hazards = _cast(hazards, dtype)
    world = _World(rereferral=False, care=False, others=False, split=False, ends=False)
    to_care = _to_care(hazards, 0.0, 0.0, on=False)
    total: Array = _walk_world(hazards, world, 0.0, 0.0, _no_layers(), to_care, False).quantities.sum(axis=1)
    return total


def _cast(hazards: Hazards, dtype: Any) -> Hazards:
    return Hazards(**{f.name: np.asarray(getattr(hazards, f.name)).astype(dtype) for f in fields(Hazards)})


def _no_layers() -> Layers:
    return Layers(*(np.zeros(shape) for shape in ((0, len(GROUPS), 1), 0, 0)))


def _walk_world(
    hazards: Hazards,
    world: _World,
    strength: float,
    delivered: float,
    layers: Layers,
    to_care: Array,
    by_age: bool,
) -> Walked:
    draws, kind = hazards.need_exit_slow.size, hazards.need_exit_slow.dtype
    count = layers.rates.shape[0] if world.ends else 0
    walked = Walked(
        np.zeros((len(QUANTITIES), AGES, draws), kind),
        np.zeros((count, AGES, draws), kind),
        np.zeros((len(CELLS) if world.ends else 0, AGES + 1, draws), kind),
    )
    rates = np.ascontiguousarray(np.broadcast_to(layers.rates[:count], (count, len(GROUPS), draws)), dtype=kind)
    fixed = (
        hazards.plan_start,
        hazards.plan_exit,
        hazards.need_again,
        hazards.need_exit_slow,
        hazards.need_exit_fast,
        hazards.plan_care_ratio,
        hazards.short_share,
        hazards.short_share_first,
        hazards.care_short_share,
        hazards.care_exit_fast,
    )
    # Copies, because read-only arrays are another type to the compiler, which would compile the walk again for them.
    ages = [np.array(age, np.int64) for age in (layers.start, layers.stop)]
    walk_cohort(  # type: ignore[call-arg]
        to_care,
        np.stack([hazards.care_exit_first, hazards.care_exit_later], axis=1),
        _timed(hazards, world, strength, delivered),
        np.stack(fixed),
        hazards.entry_weight,
        rates,
        *ages,
        world.split,
        world.ends,
        by_age,
        *walked,
    )
    return walked


def _fade(hazards: Hazards, strength: float, outcome: str) -> Array:
    """Return the strength of the effect on an outcome by year since entry (year, draw)."""
    kind = hazards.half_life.dtype.type
    since = np.arange(AGES, dtype=kind)[:, None]
    flat = hazards.flat[EFFECT_OUTCOMES.index(outcome)]
    faded: Array = kind(strength) * np.exp2(-np.maximum(since - flat, 0) / hazards.half_life)
    # Children come evenly over year 0: the share of it, and of year 1, that is lived after the onset.
    faded[0] *= (1 - hazards.onset) ** 2
    faded[1] *= 1 - hazards.onset**2 / 2
    return faded


def _chance(hazard: Array) -> Array:
    return -np.expm1(-hazard)


def _to_care(hazards: Hazards, strength: float, delivered: float, on: bool) -> Array:
    """Care-entry hazard of an open case by year since entry and band of age (year, band, draw).

    Without an effect all years after the first are alike, so two are enough.
    """
    ratio = (
        np.exp(hazards.log_ratio_care * _fade(hazards, strength, "care"))
        if on
        else np.ones_like(hazards.need_again)[None, :]
    )
    to_care: Array = np.concatenate(
        [(hazards.care_entry_first * ratio[0])[None], hazards.care_entry * ratio[-AGES + 1 :, None]]
    )
    if on:  # need is detected in the year of contact
        to_care[0, :DETECTED_BANDS] *= hazards.detect_care ** hazards.detect_care.dtype.type(delivered)
    return to_care


def _timed(hazards: Hazards, world: _World, strength: float, delivered: float) -> Array:
    """Chances by year since entry (year, row, draw), with the effect's fading strength on them."""
    fade = {outcome: _fade(hazards, strength, outcome) for outcome in EFFECT_OUTCOMES}
    rereferral = np.exp(hazards.log_ratio_rereferral * fade["repeat_referrals"] * world.rereferral)
    if world.rereferral:  # a case opened in year 0 can come back from year 1 on
        rereferral[1] *= hazards.detect_rereferral ** hazards.detect_rereferral.dtype.type(delivered)
    back = np.exp(hazards.log_ratio_care * fade["care"] * world.care)
    entry = hazards.first_entry * np.exp(hazards.log_ratio_justice * fade["youth_justice"] * world.others)
    entry[0] /= 2  # those who enter in year 0 have half a year left on average
    shift = hazards.logit_shift_grade * fade["gcse_attainment"] * world.others
    rows = (
        _chance(hazards.rereferral_first * rereferral),
        _chance(hazards.rereferral_later * rereferral),
        _chance(hazards.reentry_first * back),
        _chance(hazards.reentry_later * back),
        _chance(entry * hazards.ratio_need),
        _chance(entry * hazards.ratio_care),
        1 / (1 + np.exp(hazards.logit_grade_now + shift)),
        1 / (1 + np.exp(hazards.logit_grade_ever + shift)),
        np.broadcast_to(1 / (1 + np.exp(hazards.logit_grade_ever)), shift.shape),
    )
    return np.stack(rows, axis=1)
