"""The whole analysis: from a scenario and some areas to a priced and appraised run.

The command, the notebooks, the apps and the tests all come through here. Samplers are imported only
where something is fitted, so that pricing a saved posterior needs none of them.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from toolkit import appraisal, changes, evidence, scenarios
from toolkit.fits import card_of, fit, fit_path, fit_resolved, outcome_priors
from toolkit.origins import flagged, origins
from toolkit.pricing import dependence, life_course
from toolkit.pricing.areas import Progress, price, price_areas, reached_share, silent
from toolkit.pricing.place import Desk
from toolkit.records import assemble, open_netcdf
from toolkit.resolved import ResolvedScenario, resolve
from toolkit.runs import Clock, Run
from toolkit.scenarios import Scenario
from toolkit.schema import SAMPLE_DIMS, InputError

__all__ = [
    "Progress",
    "Run",
    "appraise",
    "card_of",
    "compare_evidence",
    "draw_effects",
    "draw_figures",
    "fit",
    "fit_path",
    "open_netcdf",
    "reached_share",
    "read_evidence",
    "reprice",
    "run",
    "silent",
]


def run(
    scenario: Scenario,
    *,
    areas: Iterable[str],
    cache: Path,
    refit: bool = False,
    folder: Path | None = None,
    progress: Progress = silent,
    statistics: xr.Dataset | None = None,
    register: evidence.Register | None = None,
    fitted: xr.DataTree | None = None,
) -> Run:
    """Fit (or reuse), price and appraise a scenario for some areas.

    Parameters
    ----------
    scenario
        From ``scenarios.load``.
    areas
        Area codes as in the statistics (see ``evidence.resolve_areas``).
    cache
        Folder of fitted posteriors, reused while their inputs are unchanged.
    refit
        Fit again even so.
    folder
        Data folder; the shipped one by default.
    progress
        Called with the stage's name and the share of it that is done.
    statistics
        Already loaded statistics, possibly of fewer areas, or with further indicators (``evidence.with_indicator``).
    register
        An already loaded register, possibly with rows of one's own.
    fitted
        From :func:`fit`, where it is at hand.

    Raises
    ------
    InputError
        Any bad input; nothing is written in that case.
    """
    from toolkit import models

    clock = Clock()
    register = evidence.load_register(folder=folder) if register is None else register
    statistics = evidence.load_statistics(folder) if statistics is None else statistics
    chosen = _chosen(areas, statistics)
    resolved = resolve(scenario, register, statistics, areas=chosen)
    assumptions = flagged(resolved.figures, register)
    changes.check_evidence(scenario, register)
    clock.lap("load")
    if fitted is None:
        fitted = fit_resolved(statistics, resolved, cache=cache, refit=refit, progress=progress)
    clock.lap("fit outcome model")
    draws = draw_figures(scenario, assumptions, register, like=fitted["posterior"].to_dataset())
    effects = draw_effects(fitted, statistics, resolved, draws)
    summary = read_evidence(fitted, statistics, resolved, draws)
    clock.lap("effects")
    desk = Desk(fitted, statistics, resolved, draws, effects)
    priced, summaries = price_areas(desk, areas=chosen, summarise=life_course.lives, progress=progress)
    groups = life_course.groups(desk, summaries, statistics, areas=chosen, progress=progress)
    clock.lap("price areas and lives")
    result = appraise(priced, scenario, draws, register)
    card = card_of(fitted)
    assumptions = evidence.own_rows(assumptions, resolved.own_figures)
    tree = assemble(scenario, assumptions, fitted, draws, effects, priced, result, card, chosen, statistics)
    for name, group in groups.items():
        tree[name] = xr.DataTree(group)
    tree["effect_evidence"] = xr.DataTree(summary.to_xarray())
    tree["posterior"]["expected_rate"] = models.expected_rates(fitted).sel(area=chosen)
    tree["studies"] = xr.DataTree(_studies(resolved))
    # A council's own figures replace some inputs, so one of the other areas is taken where there are several.
    plain = next((area for area in chosen if area != scenario.own_area), chosen[0])
    acts = dependence.by_account(fitted, statistics, resolved, draws, effects, area=plain, appraise=appraise)
    tree["dependence"] = xr.DataTree(acts)
    tree.attrs["deflators"] = register.deflators.to_json()
    tree.attrs["discount_schedules"] = register.tables["discount_schedules"].to_json(orient="records")
    tree.attrs |= origins(scenario, assumptions, register, statistics, fitted, areas=chosen, folder=folder)
    clock.lap("appraise")
    return Run(tree, scenario, assumptions, card, register.excluded, clock.laps)


def reprice(
    finished: Run,
    adjustments: Mapping[str, float],
    *,
    statistics: xr.Dataset | None = None,
    register: evidence.Register | None = None,
) -> xr.DataArray:
    """Return a run's net present value under other adjustments, on the run's own draws; nothing is fitted.

    Parameters
    ----------
    finished
        From ``run``.
    adjustments
        New values of the scenario's adjustments, of ``replication`` and ``take_up``, and of
        ``confidence_benefit`` and ``confidence_cost``, which correct all benefits and the programme's cost by
        a proportion; what is not named stays as the scenario has it.
    statistics, register
        Those that the run used, if not the shipped ones; otherwise they are read again.

    Returns
    -------
    xr.DataArray, dims (account, chain, draw); ``functools.partial(reprice, finished)`` is what
    ``appraisal.bridge`` asks for

    Raises
    ------
    InputError
        A value that no scenario may have.
    """
    others = dict(adjustments)
    correct = {side: 1.0 + others.pop(f"confidence_{side}", 0.0) for side in ("benefit", "cost")}
    effect = {name: others.pop(name) for name in ("replication", "take_up") if name in others}
    scenario = scenarios.change(finished.scenario, effect=effect, adjustments=others)
    tree = finished.tree
    draws, effects = tree["assumptions/draws"].to_dataset(), tree["effects"].to_dataset()
    statistics = evidence.load_statistics() if statistics is None else statistics
    register = evidence.load_register() if register is None else register
    areas = json.loads(str(tree.attrs["areas"]))
    priced = price(tree, statistics, scenario, draws, effects, register, areas=areas)
    result = appraise(priced, scenario, draws, register)
    worth = (result["npsv"] + result["programme_cost"]) * correct["benefit"]
    return (worth - result["programme_cost"] * correct["cost"]).assign_attrs(result["npsv"].attrs)


def appraise(priced: xr.Dataset, scenario: Scenario, draws: xr.Dataset, register: evidence.Register) -> xr.Dataset:
    """Return ``appraisal.appraise`` of priced costs under the scenario's conventions."""
    shares = {"partly_cashable": draws["cashable_share_partly"]}
    return appraisal.appraise(
        priced["cost"],
        schedule=scenario.discount_schedule,
        cashable_shares=shares,
        cash_step=scenario.cash_step,
        horizon=scenario.horizon,
        schedules=register.tables["discount_schedules"],
    )


def _chosen(areas: Iterable[str], statistics: xr.Dataset) -> list[str]:
    chosen = list(dict.fromkeys(areas))
    unknown = [area for area in chosen if area not in statistics["area"].values]
    if not chosen or unknown:
        raise InputError(f"areas {unknown or 'none'}: not in the statistics.", fix="see `outcomes areas`.")
    return chosen


def draw_figures(
    scenario: Scenario, assumptions: pd.DataFrame, register: evidence.Register, *, like: xr.Dataset
) -> xr.Dataset:
    """Return the scenario's figures, those of the fitted pathway among them, on the chain and draw of ``like``."""
    draws = evidence.sample(assumptions, like=like, seed=scenario.seed, price_base=scenario.price_base)
    return evidence.with_pathway(draws, register, seed=scenario.seed)


def draw_effects(
    fitted: xr.DataTree,
    statistics: xr.Dataset,
    resolved: ResolvedScenario,
    draws: xr.Dataset,
) -> xr.Dataset:
    """Return what help changes for a child reached (chain, draw, source, outcome), from every source at once."""
    from toolkit import models

    common, scenario = _on_one_scale(fitted, statistics, resolved, draws), resolved.scenario
    like = common["outcome_posterior"]
    return models.effect_draws(
        resolved.tables, like=like, seed=scenario.seed, luck=scenario.luck, **common, **resolved.studies
    )


def read_evidence(
    fitted: xr.DataTree, statistics: xr.Dataset, resolved: ResolvedScenario, draws: xr.Dataset
) -> pd.DataFrame:
    """Return the evidence of trials, panel and both for each outcome, from ``models.evidence_summary``."""
    from toolkit import models

    common = _on_one_scale(fitted, statistics, resolved, draws)
    return models.evidence_summary(resolved.tables, **common, **resolved.studies)


def _studies(resolved: ResolvedScenario) -> xr.Dataset:
    """Return every study of the evidence and how the run uses it, from ``models.study_list``."""
    from toolkit import models

    mixed = resolved.scenario.effect.family_group_conferencing
    table = models.study_list(resolved.tables, mixed=mixed, **resolved.studies)
    return table.rename_axis("study_row").to_xarray()


def _on_one_scale(
    fitted: xr.DataTree, statistics: xr.Dataset, resolved: ResolvedScenario, draws: xr.Dataset
) -> dict[str, Any]:
    """Return what brings trials (effect per family served) and the panel (effect per pound spent) to one scale."""
    scenario, rise = resolved.scenario, float(resolved.register.figures["value"]["combined_reference_rise"])
    return {
        "outcome_posterior": fitted["posterior"].to_dataset(),
        "reached_share": reached_share(statistics, scenario, draws, rise=rise),
        "spend_rise": rise,
        "mixed": scenario.effect.family_group_conferencing,
    }


def compare_evidence(
    scenario: Scenario,
    *,
    areas: Iterable[str],
    cache: Path,
    priors: pd.DataFrame | None = None,
    folder: Path | None = None,
    progress: Progress = silent,
    statistics: xr.Dataset | None = None,
    **pooling: Any,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what new studies, or other priors of the effects, do to the pooled effects and to the headline.

    Everything else stays as it is, random numbers included, so that only the evidence makes a difference.

    Parameters
    ----------
    scenario, areas, cache, folder, progress, statistics
        As for :func:`run`.
    priors
        A whole table of priors to use after; those of the outcome model must be as shipped.
    **pooling
        Used after: ``extra`` (studies, as from ``models.read_studies``), ``exclude``, ``admit``, ``selection``.

    Returns
    -------
    tuple of DataFrame
        Pooled mean effects by source and outcome (mean and 90 per cent interval before and after: log risk
        ratio, or standard deviations for attainment), and by account expected net present value and
        benefit-cost ratio before and after.

    Raises
    ------
    InputError
        Any bad input, and a changed prior of the outcome model, which needs a fit of its own.
    """
    register = evidence.load_register(folder=folder)
    shipped = register.tables["priors"]
    changed = shipped if priors is None else priors
    if not outcome_priors(changed).equals(outcome_priors(shipped)):
        raise InputError("priors: a prior of the outcome model changed.", fix="edit priors.csv, seal it and run again.")
    statistics = evidence.load_statistics(folder) if statistics is None else statistics
    chosen = _chosen(areas, statistics)
    before = resolve(scenario, register, statistics)
    other = replace(register, tables={**register.tables, "priors": changed})
    after = resolve(scenario, other, statistics, **pooling)
    fitted = fit_resolved(statistics, before, cache=cache, progress=progress)
    draws = draw_figures(scenario, before.figures, register, like=fitted["posterior"].to_dataset())
    pooled, worth = {}, {}
    for when, resolved in (("before", before), ("after", after)):
        effects = draw_effects(fitted, statistics, resolved, draws)
        desk = Desk(fitted, statistics, before, draws, effects)
        priced = price_areas(desk, areas=chosen, progress=progress)[0]
        pooled[when], worth[when] = _pooled(effects), _worth(appraise(priced, scenario, draws, register))
    return pd.concat(pooled, axis=1), pd.concat(worth, axis=1)


def _pooled(effects: xr.Dataset) -> pd.DataFrame:
    mean = effects["mean_effect"].sel(source=["trials", "combined"])
    ends = mean.quantile([0.05, 0.95], SAMPLE_DIMS)
    parts = {"mean": mean.mean(SAMPLE_DIMS), "low": ends.isel(quantile=0), "high": ends.isel(quantile=1)}
    columns = {name: part.drop_vars("quantile", errors="ignore") for name, part in parts.items()}
    return xr.Dataset(columns).to_dataframe()


def _worth(result: xr.Dataset) -> pd.DataFrame:
    return xr.Dataset({"npsv": result["npsv"].mean(SAMPLE_DIMS), "bcr": result["bcr"]}).to_dataframe()[["npsv", "bcr"]]


def __dir__() -> list[str]:
    return __all__
