"""Pricing of many areas in parallel, with their results added up as they arrive.

All of England does not fit in memory, so yearly values are kept only as sums over the chosen areas, and present
values area by area.
"""

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import joblib
import numpy as np
import xarray as xr

from toolkit import costing, evidence
from toolkit.pricing.desk import Desk
from toolkit.pricing.place import Place
from toolkit.resolved import resolve
from toolkit.scenarios import Scenario
from toolkit.schema import InputError

# From how many areas on processes are worth starting, and how many areas make a batch: England's batches share out
# evenly among two processes or five. A batch never depends on the machine, or sums in single precision would differ.
MANY, BATCH = 25, 15
Progress = Callable[[str, float], None]


def silent(stage: str, share: float) -> None:
    """Report progress to nobody."""


def price(
    fitted: xr.DataTree,
    statistics: xr.Dataset,
    scenario: Scenario,
    draws: xr.Dataset,
    effects: xr.Dataset,
    register: evidence.Register,
    *,
    areas: list[str],
    progress: Progress = silent,
) -> xr.Dataset:
    """Price a scenario over areas: yearly costs summed over them, present values area by area.

    Returns
    -------
    Dataset
        ``cost`` (component, option, year, chain, draw) of the reached cohort and programme;
        ``lives`` (quantity, option, year, chain, draw); ``care_avoided`` (programme, year, chain, draw), the children
        whom each programme keeps out of care, on average over a year;
        ``benefit_by_area`` (area, component, chain, draw);
        ``lifetime`` (reading, area, component, chain, draw), the entering cohort's present value;
        ``annual`` (reading, area, component, chain, draw), the year's cross-section;
        ``children_entering`` and ``children_reached`` (area, chain, draw), the latter in all years together;
        ``benefit_before`` (before, component, chain, draw), the reached cohort's present value before each
        adjustment that is not a plain factor is applied, if there is one (``desk.before_adjustments``);
        ``curve_avoided`` (multiple, component, chain, draw) and ``curve_spend`` (multiple); ``avoided_in_full``
        (programme, component, chain, draw), what each programme's sums avoid once it has its full effect, and
        ``spent_in_full`` (programme, chain, draw), those sums; ``spent_on`` (programme, year), with draws where sums
        are units, what is spent on each, with optimism bias.
    """
    resolved = resolve(scenario, register, statistics, areas=areas)
    return price_areas(Desk(fitted, statistics, resolved, draws, effects), areas=areas, progress=progress)[0]


def price_areas(
    desk: Desk, *, areas: list[str], summarise: Callable[[Place], xr.Dataset] | None = None, progress: Progress = silent
) -> tuple[xr.Dataset, xr.Dataset]:
    """Return what :func:`price` does, and the sum over areas of ``summarise`` of each, if it is given."""
    total, summaries, local = added_up(desk, areas=areas, summarise=summarise, progress=progress)
    # Areas differ in prices but not in timing, so events are spread over the years once, for all areas together.
    paid = costing.over_years(desk.labelled(total["cost"]), desk.growth, desk.spread)
    cost = costing.with_programme(paid, desk.pounds(areas))
    # The programme is not part of the collective cost: it is 0 there, so that components match.
    lived = total[["lives", "care_avoided"]].rename(event_year="year")
    lived = lived.reindex(year=np.arange(desk.scenario.horizon), fill_value=0.0)
    kept = ["curve_avoided", "curve_spend", "avoided_in_full", "spent_in_full"]
    rest = total[[*kept, *(["benefit_before"] if desk.before else [])]].merge(lived)
    rest = rest.merge(local, join="exact").assign(spent_on=desk.spent_on(areas))
    return rest.reindex(component=cost["component"], fill_value=0.0).assign(cost=cost), summaries


def added_up(
    desk: Desk, *, areas: list[str], summarise: Callable[[Place], xr.Dataset] | None = None, progress: Progress = silent
) -> tuple[xr.Dataset, xr.Dataset, xr.Dataset]:
    """Return the sums over areas of ``Place.summed`` and of ``summarise``, and ``Place.by_area`` of each (area).

    Raises
    ------
    InputError
        If there are no areas.
    """
    if not areas:
        raise InputError("no areas to price.", fix="choose at least one.")
    total, summaries = xr.Dataset(), xr.Dataset()
    by_area: list[xr.Dataset] = []
    work = partial(_batch, desk, summarise)
    for part, summary, of_batch in in_batches(work, areas, "price areas", progress):
        total, summaries, by_area = _plus(total, part), _plus(summaries, summary), by_area + of_batch
    return total, summaries, xr.concat(by_area, xr.Variable("area", areas), coords="minimal", compat="override")


def _batch(
    desk: Desk, summarise: Callable[[Place], xr.Dataset] | None, areas: list[str]
) -> tuple[xr.Dataset, xr.Dataset, list[xr.Dataset]]:
    """Return what :func:`added_up` does, of a few areas and with a list of each area's own results."""
    total, summaries, by_area = xr.Dataset(), xr.Dataset(), []
    for area in areas:
        place = Place(desk, area)
        total = _plus(total, place.summed.astype(np.float32, copy=False))
        if summarise:
            summaries = _plus(summaries, summarise(place).astype(np.float32, copy=False))
        by_area.append(place.by_area().astype(np.float32, copy=False))
    return total, summaries, by_area


def _plus(total: xr.Dataset, more: xr.Dataset) -> xr.Dataset:
    """Add to a total, which starts without variables."""
    return total + more if total else more


def in_batches[R](work: Callable[[list[str]], R], areas: list[str], stage: str, progress: Progress) -> Iterator[R]:
    """Apply ``work`` to areas, many of them a batch at a time in processes, and yield the results in order."""
    many = len(areas) >= MANY
    size = BATCH if many else 1
    batches = [areas[first : first + size] for first in range(0, len(areas), size)]
    return in_parallel(work, batches, stage, progress, processes=many)


def in_parallel[T, R](
    work: Callable[[T], R], items: Sequence[T], stage: str, progress: Progress, *, processes: bool = False
) -> Iterator[R]:
    """Apply ``work`` to items in parallel, and yield the results in the order of the items.

    Threads share the interpreter, which half of the work on an area needs; processes take seconds to start.
    """
    workers = min(4, os.cpu_count() or 1)
    pool = joblib.Parallel(workers, backend="loky" if processes else "threading", return_as="generator")
    parts = pool(joblib.delayed(work)(item) for item in items)
    try:
        for done, part in enumerate(parts, start=1):
            yield part
            progress(stage, done / len(items))
    finally:  # if the caller stops early, the remaining results are dropped, which needs no warning
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*have been successfully executed|.*still being processed", UserWarning)
            parts.close()
