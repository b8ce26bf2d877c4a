"""The lives of children known to social care, from first need to eighteen: expected events per child.

A cohort walks in yearly steps through six states, open in need for the first time, open again after a
re-referral, closed within the last year, closed for longer, looked after, and left care. The expected
path is exact for each posterior draw: no individuals are simulated. Ages at entry are averaged inside
the walk, so that only quantities by year since entry leave it.
"""

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

AGES = 18  # ages at entry 0 to 17
JUSTICE_AGE = 10  # of criminal responsibility in England
EXAM_AGE = 16
DETECTED_UNDER = 5  # help finds need in under-fives first
QUANTITIES = (
    "rereferrals",
    "repeat_need_years",
    "first_need_years",
    "care_entries",
    "care_years",
    "first_time_entries",
    "below_grade_4",
)
QUANTITY_UNITS = {
    "rereferrals": "events",
    "repeat_need_years": "child-years",
    "first_need_years": "child-years",
    "care_entries": "events",
    "care_years": "child-years",
    "first_time_entries": "children",
    "below_grade_4": "pupils",
}


@dataclass(frozen=True)
class Hazards:
    """Yearly hazards and probabilities of one area, each an array over posterior draws.

    Hazards are per year in the state; ``age_shape`` (18,) scales the care-entry hazard by age, and the
    ``_first`` pair holds it in the year of entry (higher at the edge of care). Log ratios and the
    attainment shift are the full effect on a child reached; ``strength`` of :func:`walk` scales them all.
    """

    need_exit: Array
    care_entry: Array
    care_entry_first: Array
    rereferral_first: Array
    rereferral_later: Array
    to_need: Array
    care_exit: Array
    care_reentry: Array
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
    age_shape: Array
    age_shape_first: Array
    entry_weight: Array


def walk(hazards: Hazards, *, strength: float, delivered: float | None = None) -> Array:
    """Return expected quantities per child by year since entry.

    Parameters
    ----------
    hazards
        One area's hazards; draws last.
    strength
        Share of the full effect in the year of entry (replication x take-up x ramp); 0 is business as
        usual and reproduces it exactly. An infinite half-life never fades.
    delivered
        Share of the help that is delivered (ramp x take-up), which is what detects need whether or not the
        effect replicates; ``strength`` if not given.

    Returns
    -------
    array (quantity, year since entry 0-17, draw)
    """
    chances = _chances(hazards, strength, strength if delivered is None else delivered)
    return np.asarray(_walk(hazards.need_exit, hazards.to_need, hazards.entry_weight, *chances))


def _chance(hazard: Array) -> Array:
    return -np.expm1(-hazard)


def _chances(hazards: Hazards, strength: float, delivered: float) -> tuple[Array, ...]:
    """Yearly chances by year since entry (and age, for care), with the effect's fading strength on them."""
    since = np.arange(AGES)[:, None]
    fade = strength * np.exp2(-since / hazards.half_life)
    # A case opened in year 0 can come back from year 1 on.
    found = np.where(since == 1, hazards.detect_rereferral**delivered, 1.0)
    rereferral = np.exp(hazards.log_ratio_rereferral * fade) * found
    care = np.exp(hazards.log_ratio_care * fade)
    entry = hazards.first_entry * np.exp(hazards.log_ratio_justice * fade)
    shift = hazards.logit_shift_grade * fade
    return (
        _care_hazard(hazards, care, delivered),
        _chance(hazards.rereferral_first * rereferral),
        _chance(hazards.rereferral_later * rereferral),
        _chance(np.broadcast_to(hazards.care_exit, fade.shape)),
        _chance(hazards.care_reentry * care),
        _chance(entry * hazards.ratio_need),
        _chance(entry * hazards.ratio_care),
        1.0 / (1.0 + np.exp(hazards.logit_grade_now + shift)),
        1.0 / (1.0 + np.exp(hazards.logit_grade_ever + shift)),
    )


def _care_hazard(hazards: Hazards, ratio: Array, delivered: float) -> Array:
    """Care-entry hazard (year since entry, age, draw) of an open case."""
    hazard = (hazards.care_entry * ratio)[:, None, :] * hazards.age_shape[:, None]
    hazard[0] = hazards.care_entry_first * ratio[0] * hazards.age_shape_first[:, None]
    young = np.arange(AGES)[:, None] < DETECTED_UNDER
    hazard[0] *= np.where(young, hazards.detect_care**delivered, 1.0)  # found in the year of contact
    return hazard


@numba.njit(cache=True, nogil=True)
def _walk(  # type: ignore[no-untyped-def]
    need_exit, to_need, entry_weight, care_hazard, first, later, leave, back, in_need, in_care, below_now, below_ever
):
    """Walk every age at entry to eighteen; the draws are innermost so that the compiler can vectorise."""
    draws = need_exit.size
    out = np.zeros((7, AGES, draws))
    people = np.empty((6, draws))  # open first, open again, closed < 1 year, closed longer, care, left care
    clean = np.empty((6, draws))  # those of them who have never entered the justice system
    for age_in in range(AGES):
        people[:] = 0.0
        people[0] = entry_weight[age_in]
        clean[:] = people
        for t in range(AGES - age_in):
            age = age_in + t
            for s in range(draws):
                a, b, c, d, e, f = (
                    people[0, s], people[1, s], people[2, s], people[3, s], people[4, s], people[5, s],
                )  # fmt: skip
                # Competing risks out of an open case: closure and care.
                h_care = care_hazard[t, age, s]
                left_open = 1.0 - np.exp(-need_exit[s] - h_care)
                open_to_care = left_open * h_care / (need_exit[s] + h_care)
                open_to_closed = left_open - open_to_care
                if age == EXAM_AGE:
                    out[6, t, s] += (a + b + e) * below_now[t, s] + (c + d + f) * below_ever[t, s]
                if age >= JUSTICE_AGE:
                    for k in range(6):
                        entering = clean[k, s] * (in_care[t, s] if k == 4 else in_need[t, s])
                        out[5, t, s] += entering
                        clean[k, s] -= entering
                out[0, t, s] += c * first[t, s] + d * later[t, s]
                out[3, t, s] += (a + b) * open_to_care + f * back[t, s]
                for grid in range(2):
                    x = people if grid == 0 else clean
                    a, b, c, d, e, f = x[0, s], x[1, s], x[2, s], x[3, s], x[4, s], x[5, s]
                    again = c * first[t, s] + d * later[t, s]
                    x[0, s] = a * (1.0 - left_open)
                    x[1, s] = b * (1.0 - left_open) + again * to_need[s]
                    # A re-referral that finds no need starts the year of high risk afresh.
                    x[2, s] = (a + b) * open_to_closed + again * (1.0 - to_need[s])
                    x[3, s] = c * (1.0 - first[t, s]) + d * (1.0 - later[t, s])
                    x[4, s] = e * (1.0 - leave[t, s]) + (a + b) * open_to_care + f * back[t, s]
                    x[5, s] = f * (1.0 - back[t, s]) + e * leave[t, s]
                    if grid == 0:  # years in a state: mean of the year's two ends
                        out[2, t, s] += 0.5 * (a + x[0, s])
                        out[1, t, s] += 0.5 * (b + x[1, s])
                        out[4, t, s] += 0.5 * (e + x[4, s])
    return out
