"""The one composition: a scenario and some areas in, a priced and appraised run out.

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
from toolkit.code_hash import code_hash
from toolkit.kernels import compile_beside
from toolkit.origins import flagged, origins
from toolkit.pricing import dependence, life_course
from toolkit.pricing.areas import Progress, price, price_areas, reached_share, silent
from toolkit.pricing.place import Desk
from toolkit.records import (
    assemble,
    check_writable,
    fingerprint,
    open_cached,
    open_netcdf,
    prune,
    versions,
    write_netcdf,
)
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

FITS_KEPT = 8  # in the cache
FIT_BYTES = 450  # of a kept fit, for each draw and area
FITTING = (  # modules of its code
    "fitting/diagnose fitting/fit fitting/priors outcomes/density outcomes/design outcomes/levels outcomes/likelihoods "
    "outcomes/model outcomes/persistence outcomes/rates"
)
SAMPLED = 1.5  # draws for each one priced: R-hat is judged on a thousand rates, and its noise falls with their number


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
    assumptions = flagged(scenarios.resolve(scenario, register), register)
    own = changes.own_figures(scenario, evidence.base_year(statistics), register, areas=chosen)
    changes.check_evidence(scenario, register)
    clock.lap("load")
    if fitted is None:
        fitted = fit(statistics, scenario, register, cache=cache, refit=refit, progress=progress)
    clock.lap("fit outcome model")
    draws = draw_figures(scenario, assumptions, register, like=fitted["posterior"].to_dataset())
    effects = draw_effects(fitted, statistics, scenario, draws, register)
    reading = read_evidence(fitted, statistics, scenario, draws, register)
    clock.lap("effects")
    desk = Desk(fitted, statistics, scenario, draws, effects, register)
    priced, summaries = price_areas(desk, areas=chosen, summarise=life_course.lives, progress=progress)
    groups = life_course.groups(desk, summaries, statistics, areas=chosen, progress=progress)
    clock.lap("price areas and lives")
    result = appraise(priced, scenario, draws, register)
    card = card_of(fitted)
    assumptions = evidence.own_rows(assumptions, own)
    tree = assemble(scenario, assumptions, fitted, draws, effects, priced, result, card, chosen, statistics)
    for name, group in groups.items():
        tree[name] = xr.DataTree(group)
    tree["reading"] = xr.DataTree(reading.to_xarray())
    tree["posterior"]["expected_rate"] = models.expected_rates(fitted).sel(area=chosen)
    tree["studies"] = xr.DataTree(_studies(scenario, register))
    # A council's own figures stand in for some: where there are several areas, what the others rest on counts.
    plain = next((area for area in chosen if area != scenario.own_area), chosen[0])
    acts = dependence.by_account(fitted, statistics, scenario, draws, effects, register, area=plain, appraise=appraise)
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
        Those the run was made with, if not the shipped ones; given, they need not be read again.

    Returns
    -------
    xr.DataArray, dims (account, chain, draw); ``functools.partial(reprice, finished)`` is what
    ``appraisal.bridge`` asks for

    Raises
    ------
    InputError
        A value that no scenario may have.
    """
    given = dict(adjustments)
    correct = {side: 1.0 + given.pop(f"confidence_{side}", 0.0) for side in ("benefit", "cost")}
    effect = {name: given.pop(name) for name in ("replication", "take_up") if name in given}
    scenario = scenarios.change(finished.scenario, effect=effect, adjustments=given)
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


def fit(
    statistics: xr.Dataset,
    scenario: Scenario,
    register: evidence.Register,
    *,
    cache: Path,
    refit: bool = False,
    progress: Progress = silent,
) -> xr.DataTree:
    """Return the outcome model's posterior, fitted now or reused from ``cache`` while its inputs are unchanged.

    Where the scenario changes priors, the draws fitted with the shipped ones are weighed instead if they can be
    (:func:`toolkit.changes.weighed`) and ``refit`` does not ask otherwise.
    """
    if changes.moved(scenario, register) and not refit:
        plain = scenario.model_copy(update={"priors": {}})
        found = changes.weighed(fit(statistics, plain, register, cache=cache, progress=progress), scenario, register)
        if isinstance(found, xr.DataTree):
            return found
    priors = evidence.with_priors(register.tables["priors"], scenario.priors, ["outcomes"])
    path = fit_path(statistics, scenario, register, cache=cache)
    if not refit and (kept := open_cached(path)) is not None:
        return kept
    size = scenario.chains * scenario.draws * statistics.sizes["area"]
    check_writable(cache, option="--cache", room=FIT_BYTES * size)
    from toolkit import models

    progress("compile outcome model", 0.0)

    def sampling(share: float) -> None:
        progress("compile outcome model", 1.0)
        progress("sample outcome model", share)

    with compile_beside():
        model = models.outcomes(
            statistics, indicators=list(statistics["indicator"].values), priors=priors, covariates=scenario.covariates
        )
        fitted = models.fit(
            model,
            seed=scenario.seed,
            draws=round(SAMPLED * scenario.draws),
            chains=scenario.chains,
            progress=False,
            on_progress=sampling,
        )
    card, fitted = models.diagnose(fitted), models.evenly(fitted, scenario.draws)
    base = models.baseline(fitted, statistics)
    national = fitted["posterior"]["national_rate"].sel(data_year=base["base_year"]).drop_vars("data_year")
    fitted["posterior"] = fitted["posterior"].to_dataset().assign(baseline_rate=base, baseline_national=national)
    fitted.attrs["report_card"] = card.to_json(orient="records")
    write_netcdf(fitted, path)
    prune(cache, FITS_KEPT)
    return open_netcdf(path)  # as the next run will find it


def fit_path(statistics: xr.Dataset, scenario: Scenario, register: evidence.Register, *, cache: Path) -> Path:
    """Return where the fit of a scenario's own priors is, or will be, kept."""
    priors = evidence.with_priors(register.tables["priors"], scenario.priors, ["outcomes"])
    priors = _outcome_priors(priors)  # those of other models, and the reasons, do not move this one
    how = (scenario.seed, scenario.draws, scenario.chains, SAMPLED, *scenario.covariates)
    return cache / f"outcomes-{_key(statistics, priors, *how)}.nc"


def draw_figures(
    scenario: Scenario, assumptions: pd.DataFrame, register: evidence.Register, *, like: xr.Dataset
) -> xr.Dataset:
    """Return the scenario's figures, those of the fitted pathway among them, on the chain and draw of ``like``."""
    draws = evidence.sample(assumptions, like=like, seed=scenario.seed, price_base=scenario.price_base)
    return evidence.with_pathway(draws, register, seed=scenario.seed)


def draw_effects(
    fitted: xr.DataTree,
    statistics: xr.Dataset,
    scenario: Scenario,
    draws: xr.Dataset,
    register: evidence.Register,
    **pooling: Any,
) -> xr.Dataset:
    """Return what help changes for a child reached (chain, draw, source, outcome), from every source at once.

    ``pooling`` goes to ``models.effect_draws``: further studies, excluded ones, a selection adjustment.
    """
    from toolkit import models

    known = _where_they_meet(fitted, statistics, scenario, draws, register)
    tables, pooling = changes.tables(scenario, register), changes.pooling(scenario, **pooling)
    like = known["outcome_posterior"]
    return models.effect_draws(tables, like=like, seed=scenario.seed, luck=scenario.luck, **known, **pooling)


def read_evidence(
    fitted: xr.DataTree, statistics: xr.Dataset, scenario: Scenario, draws: xr.Dataset, register: evidence.Register
) -> pd.DataFrame:
    """Return what trials, panel and both say of each outcome, as ``models.evidence_summary``; arguments as above."""
    from toolkit import models

    known = _where_they_meet(fitted, statistics, scenario, draws, register)
    return models.evidence_summary(changes.tables(scenario, register), **known, **changes.pooling(scenario))


def _studies(scenario: Scenario, register: evidence.Register) -> xr.Dataset:
    """Return every study of the evidence and what becomes of it in a run, from ``models.study_list``."""
    from toolkit import models

    held = {"mixed": scenario.effect.family_group_conferencing} | changes.pooling(scenario)
    return models.study_list(changes.tables(scenario, register), **held).rename_axis("study_row").to_xarray()


def _where_they_meet(
    fitted: xr.DataTree, statistics: xr.Dataset, scenario: Scenario, draws: xr.Dataset, register: evidence.Register
) -> dict[str, Any]:
    """Return what brings trials, of a family served, and the panel, of a pound spent, to one scale."""
    rise = float(register.figures["value"]["combined_reference_rise"])
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

    Everything else stays as it is, random numbers included, so that a difference is the evidence's own.

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
    if not _outcome_priors(changed).equals(_outcome_priors(shipped)):
        raise InputError("priors: a prior of the outcome model changed.", fix="edit priors.csv, seal it and run anew.")
    statistics = evidence.load_statistics(folder) if statistics is None else statistics
    chosen = _chosen(areas, statistics)
    assumptions = scenarios.resolve(scenario, register)
    fitted = fit(statistics, scenario, register, cache=cache, progress=progress)
    like = fitted["posterior"].to_dataset()
    draws = draw_figures(scenario, assumptions, register, like=like)
    after = replace(register, tables={**register.tables, "priors": changed})
    found = {}
    for when, held, how in (("before", register, {}), ("after", after, pooling)):
        effects = draw_effects(fitted, statistics, scenario, draws, held, **how)
        priced = price(fitted, statistics, scenario, draws, effects, register, areas=chosen, progress=progress)
        found[when] = _pooled(effects), _worth(appraise(priced, scenario, draws, register))
    pooled, worth = (pd.concat({when: found[when][part] for when in found}, axis=1) for part in (0, 1))
    return pooled, worth


def _outcome_priors(priors: pd.DataFrame) -> pd.DataFrame:
    return priors.query("model == 'outcomes'").set_index("parameter")[["distribution", "arg1", "arg2"]].sort_index()


def _pooled(effects: xr.Dataset) -> pd.DataFrame:
    mean = effects["mean_effect"].sel(source=["trials", "combined"])
    ends = mean.quantile([0.05, 0.95], SAMPLE_DIMS)
    parts = {"mean": mean.mean(SAMPLE_DIMS), "low": ends.isel(quantile=0), "high": ends.isel(quantile=1)}
    held = {name: part.drop_vars("quantile", errors="ignore") for name, part in parts.items()}
    return xr.Dataset(held).to_dataframe()


def _worth(result: xr.Dataset) -> pd.DataFrame:
    return xr.Dataset({"npsv": result["npsv"].mean(SAMPLE_DIMS), "bcr": result["bcr"]}).to_dataframe()[["npsv", "bcr"]]


def _key(*parts: object) -> str:
    """Short hash of inputs, versions and code of a fit: a posterior fitted by another is not reused."""
    code = code_hash(f"models/{name}" for name in FITTING.split())
    return fingerprint(versions("pymc", "pytensor", "nutpie", "arviz"), code, *parts)


def card_of(tree: xr.DataTree) -> pd.DataFrame:
    """Return the report card that a fit carries."""
    return pd.DataFrame(json.loads(str(tree.attrs["report_card"])))


def __dir__() -> list[str]:
    return __all__
