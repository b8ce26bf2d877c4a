"""Which programme: what each avoids for the money it costs, in some areas, on the same draws as a run's.

`compare` puts the stages together; `toolkit.measures.programmes` says what its result shows.
"""

from collections.abc import Collection, Iterable
from pathlib import Path

import xarray as xr

from toolkit import evidence, workflow
from toolkit.fits import fit_resolved
from toolkit.pricing.areas import MANY, Progress, silent
from toolkit.pricing.place import Desk
from toolkit.pricing.programmes import price_programmes, programme_costs
from toolkit.resolved import resolve
from toolkit.scenarios import Scenario

__all__ = ["compare"]

FEWER = 4  # one draw in so many is priced for many areas: a thousand leave an error of 1 per cent of an interval


def compare(
    scenario: Scenario,
    *,
    areas: Iterable[str],
    cache: Path,
    scope: str = "all",
    exclude: Collection[str] = (),
    weights: evidence.Weights | None = None,
    statistics: xr.Dataset | None = None,
    register: evidence.Register | None = None,
    progress: Progress = silent,
) -> xr.Dataset:
    """Return what every programme of the evidence avoids and costs for a child served.

    Parameters
    ----------
    scenario
        States price base, discounting, horizon, outcomes, seed, draws and how effects are used; its plan is not used.
    areas
        ONS codes of the areas in which each is delivered.
    cache
        Folder of fitted models.
    scope, exclude
        Of the studies, as for `programme_studies`.
    weights
        Of rival structures, as for `evidence.structure_weights`, such as ``{"scope": {"own": 1}}``; the shipped ones if
        not given.
    statistics, register
        Those shipped, if not given.
    progress
        Called with a stage and the share of it that is done.

    Returns
    -------
    Dataset
        ``avoided``, ``events``, ``not_counted`` and ``evidence`` of `price_programmes`; ``cost`` (chain, draw,
        programme) for a child served, NaN where no price is known; ``effect`` (chain, draw, programme, outcome) that is
        used; ``scope``, ``origin``, ``fade`` and ``risk`` (chain, draw), the structure of each draw. Component labels
        as in a run.

    Raises
    ------
    InputError
        Any bad input.
    """
    register = evidence.load_register() if register is None else register
    statistics = evidence.load_statistics() if statistics is None else statistics
    chosen = list(dict.fromkeys(areas))
    resolved = resolve(scenario, register, statistics, areas=chosen)
    fitted = fit_resolved(statistics, resolved, cache=cache, progress=progress)
    if len(chosen) >= MANY:
        fitted = fitted.copy()
        fitted["posterior"] = xr.DataTree(fitted["posterior"].to_dataset().isel(draw=slice(None, None, FEWER)))
    draws = workflow.draw_figures(scenario, resolved.figures, register, like=fitted["posterior"].to_dataset())
    effects = workflow.effects_of(resolved, draws, scope=scope, exclude=exclude, weights=weights)
    desk = Desk(fitted, statistics, resolved, draws, effects)
    priced = price_programmes(desk, areas=chosen, progress=progress)
    cost = programme_costs(register, draws, scenario).reindex(programme=priced["programme"])
    structures = effects[["effect", *evidence.STRUCTURES]].data_vars
    return priced.assign(avoided=desk.labelled(priced["avoided"]), cost=cost).assign(structures)


def __dir__() -> list[str]:
    return __all__
