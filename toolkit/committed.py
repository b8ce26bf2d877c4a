"""Regenerate the tables of ``data/reference``, each with the function that its command in ``made_from`` calls."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandas as pd

    from toolkit.workflow import Progress

__all__ = ["SEED", "Calibrated", "Tables", "calibrate", "check", "outlook", "own_care", "pathway", "pool", "reconcile"]

type Tables = dict[str, "pd.DataFrame"]
Calibrated = Literal["small", "programmes", "outcomes", "spend_error", "placements", "pathway"]
STEPS_THINNED = 10  # England is priced once a step; changes are paired, so a tenth of the draws is enough
SEED = 20261122  # of the committed tables that come from models


def pool(*, seed: int, draws: int) -> Tables:
    """Pool unit costs and growth rates and fit placement prices (minutes)."""
    from toolkit.models.unit_costs import modelled_figures

    return modelled_figures.modelled_tables(seed=seed, draws=draws)


def pathway(*, seed: int, draws: int) -> Tables:
    """Fit the pathway through social care and check it (minutes)."""
    from toolkit.models.pathway import published_fit

    return published_fit.pathway_tables(seed=seed, draws=draws)


def check(*, seed: int) -> Tables:
    """Check and backtest the outcome model (many minutes)."""
    from toolkit.validation.backtest import check_tables

    return check_tables(seed=seed)


def outlook(*, seed: int) -> Tables:
    """Backtest the outlook of children looked after, prices and spending (minutes)."""
    from toolkit.validation.backtest_outlook import outlook_backtest

    return outlook_backtest(seed=seed)


def calibrate(model: Calibrated, *, replications: int, seed: int, build: Path, progress: "Progress") -> Tables:
    """Calibrate a model by simulation (up to hours); an interrupted calibration resumes from a file in ``build``."""
    from toolkit.validation import (
        calibrate_outcomes,
        calibrate_pathway,
        calibrate_placements,
        calibrate_programmes,
        calibrate_small_models,
    )

    if model == "small":
        return calibrate_small_models.small_models_tables(replications=replications, seed=seed)
    make: dict[str, Callable[..., Tables]] = {
        "programmes": calibrate_programmes.programmes_check_tables,
        "outcomes": calibrate_outcomes.outcomes_check_tables,
        "spend_error": partial(calibrate_outcomes.outcomes_check_tables, spend_error=True),
        "placements": calibrate_placements.placements_check_tables,
        "pathway": calibrate_pathway.pathway_check_tables,
    }
    progress("calibrate", 0.0)
    file = build / f"calibration-{model}-{seed}-{replications}.jsonl"
    file.parent.mkdir(exist_ok=True, parents=True)
    tables = make[model](replications=replications, seed=seed, file=file, progress=partial(progress, "calibrate"))
    file.unlink(missing_ok=True)
    return tables


def reconcile(*, cache: Path, progress: "Progress") -> Tables:
    """Compare England's cost with published totals, and take it step by step (many minutes)."""
    import xarray as xr

    from toolkit import cost_steps, evidence, scenarios, workflow
    from toolkit.measures import reconciliation
    from toolkit.measures.cost_steps import summarised

    areas, statistics = evidence.resolve_areas(evidence.reference_areas(), england=True), evidence.load_statistics()
    run = workflow.run(scenarios.load("families_first"), areas=areas, cache=cache, progress=progress)
    tables, changes = reconciliation.reconciliation_tables(run), cost_steps.walks(evidence.load_register())
    some = xr.DataTree.from_dict(
        {"posterior": run.tree["posterior"].to_dataset().isel(draw=slice(None, None, STEPS_THINNED))}
    )
    walked = {
        name: cost_steps.cost_steps(rows, run.scenario, statistics, some, areas=areas, progress=progress)
        for name, rows in changes.items()
    }
    settings = f"England, {run.scenario.name}, one in {STEPS_THINNED} of its draws"
    return tables | {"cost_steps": summarised(walked, changes).assign(seed=run.scenario.seed, settings=settings)}


def own_care(*, cache: Path, progress: "Progress") -> Tables:
    """Compare what each area's lives add up to with its published care (a minute or two)."""
    from toolkit import evidence, scenarios, workflow
    from toolkit.measures import own_care as measure
    from toolkit.pricing.own_care import with_leaving_care
    from toolkit.resolved import resolve

    register, statistics = evidence.load_register(), evidence.load_statistics()
    areas = evidence.resolve_areas(evidence.reference_areas(), england=True)
    resolved = resolve(scenarios.load("families_first"), register, statistics, areas=areas)
    desk = workflow.desk(statistics, resolved, cache=cache, progress=progress)
    base = evidence.base_year(statistics)
    alone = evidence.unaccompanied(base, desk.draws["unaccompanied_stay"])
    published = evidence.published_care(
        base,
        alone,
        leaving_care=with_leaving_care(desk),
        price_base=desk.scenario.price_base,
        deflators=register.deflators,
    )
    return measure.own_care_tables(desk, published, progress=progress)


def __dir__() -> list[str]:
    return __all__
