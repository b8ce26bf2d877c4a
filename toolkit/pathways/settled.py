"""An area's own care: hazards with which its children's lives reproduce its care starts and children looked after.

If years are alike, the children who come into need in one of them live through, over their childhoods, what all the
area's children live through in a year. So their entries to care are a year's care starts, and their years in care are
the children looked after on a day. Two factors are free, of every hazard of coming into care and of leaving it after
more than a short stay, the same with help and without; they are found for each draw by Newton's steps in logarithms.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from toolkit.pathways.cohort import QUANTITIES, Hazards, in_all
from toolkit.pathways.lives import flattened

Array = NDArray[Any]

STEPS = 5  # from the second on the slope of stays is the secant's; nine in ten draws are then within half a per cent
MOST = 3.4  # logarithm: times thirty. Children who never left would not do where that is too little
SLOPES = (-1.5, -0.6, -0.08)  # per cent that stays change by for one of the hazard: steepest, first guess, flattest
ENTERING, LEAVING = ("care_entry", "care_entry_first"), ("care_exit_first", "care_exit_later")
LIVED = [QUANTITIES.index(name) for name in ("care_entries", "care_years")]


def settled(hazards: Hazards, *, starts: xr.DataArray, years: xr.DataArray) -> Hazards:
    """Return hazards whose care entries and years in care per child are given ones, as far as any factors reach.

    Parameters
    ----------
    hazards
        From :func:`toolkit.pathways.localise`.
    starts, years
        Care starts of a year, and children looked after on a day, per child who comes into need in a year
        (chain, draw).
    """
    entries_wanted, stay_wanted = np.log(flattened(starts)), np.log(flattened(years) / flattened(starts))
    entering, leaving = np.zeros_like(entries_wanted), np.zeros_like(entries_wanted)
    slope, before = np.full_like(leaving, SLOPES[1]), None
    for _ in range(STEPS):
        entries, lived = np.log(in_all(_times(hazards, entering, leaving))[LIVED])
        stay = lived - entries
        if before is not None:
            step = leaving - before[0]
            moved = np.abs(step) > 1e-3  # else too little to see a slope in single precision
            secant = np.divide(stay - before[1], step, out=slope.copy(), where=moved)
            slope = np.clip(secant, SLOPES[0], SLOPES[-1])
        before = leaving, stay
        entering = np.clip(entering + entries_wanted - entries, -MOST, MOST)
        leaving = np.clip(leaving + (stay_wanted - stay) / slope, -MOST, MOST)
    return _times(hazards, entering, leaving)


def _times(hazards: Hazards, entering: Array, leaving: Array) -> Hazards:
    """Return hazards with those of coming into care and of leaving it multiplied by factors, given as logarithms."""
    factors = dict.fromkeys(ENTERING, np.exp(entering)) | dict.fromkeys(LEAVING, np.exp(leaving))
    return replace(hazards, **{name: getattr(hazards, name) * factor for name, factor in factors.items()})
