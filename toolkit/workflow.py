"""The whole analysis: from a scenario and some areas to a priced and appraised run.

The command, the notebooks, the apps and the tests all come through here. Samplers are imported only
where something is fitted, so that pricing a saved posterior needs none of them.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd
import xarray as xr

from toolkit import appraisal, changes, evidence, scenarios
from toolkit.draws import draw_effects, draw_figures, studies_of
from toolkit.fits import card_of, fit, fit_path, fit_resolved
from toolkit.measures.programme_tables import recorded
from toolkit.origins import flagged, origins
from toolkit.pricing import dependence, life_course
from toolkit.pricing.areas import Progress, price, price_areas, silent
from toolkit.pricing.desk import Desk
from toolkit.programmes import compare_with
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
    "desk",
    "draw_effects",
    "draw_figures",
    "fit",
    "fit_path",
    "open_netcdf",
    "reprice",
    "run",
    "silent",
    "studies_of",
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
    effects = draw_effects(resolved, draws)
    clock.lap("effects")
    desk = Desk(fitted, statistics, resolved, draws, effects)
    priced, summaries = price_areas(desk, areas=chosen, summarise=life_course.lives, progress=progress)
    groups = life_course.groups(desk, summaries, areas=chosen, progress=progress)
    clock.lap("price areas and lives")
    compared = compare_with(fitted, statistics, resolved, draws, chosen, progress=progress)
    clock.lap("compare programmes")
    result = appraise(priced, scenario, draws, register)
    card = card_of(fitted)
    assumptions = evidence.own_rows(assumptions, resolved.own_figures)
    tree = assemble(scenario, assumptions, fitted, draws, effects, priced, result, card, chosen, statistics)
    for name, group in groups.items():
        tree[name] = xr.DataTree(group)
    tree["posterior"]["expected_rate"] = evidence.of_areas(models.expected_rates(fitted), chosen)
    studies = studies_of(resolved).rename_axis("study_row")
    text = [name for name, kind in studies.dtypes.items() if kind.kind not in "bif"]
    tree["studies"] = xr.DataTree(studies.astype(dict.fromkeys(text, object)).to_xarray())
    # A council's own figures replace some inputs, so one of the other areas is taken where there are several.
    plain = next((area for area in chosen if area != scenario.own_area), chosen[0])
    acts = dependence.by_account(fitted, statistics, resolved, draws, effects, area=plain, appraise=appraise)
    tree["dependence"] = xr.DataTree(acts)
    tree["programmes"] = xr.DataTree(recorded(compared, resolved.register.tables["programmes"]))
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
        New values of the scenario's adjustments, of ``take_up``, and of
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
    effect = {name: others.pop(name) for name in ("take_up",) if name in others}
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
    known = evidence.with_parts(statistics, chosen)["area"].values
    unknown = [area for area in chosen if area not in known]
    if not chosen or unknown:
        raise InputError(f"areas {unknown or 'none'}: not in the statistics.", fix="see `outcomes areas`.")
    return chosen


def compare_evidence(
    before: Scenario,
    after: Scenario,
    *,
    areas: Iterable[str],
    cache: Path,
    folder: Path | None = None,
    progress: Progress = silent,
    statistics: xr.Dataset | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what other evidence of effects does to them and to the headline, on the same random numbers.

    Parameters
    ----------
    before, after
        Scenarios that differ in studies, in those left out, in priors of the model of programmes or in how effects
        are used, and in nothing else.
    areas, cache, folder, progress, statistics
        As for :func:`run`.

    Returns
    -------
    tuple of DataFrame
        Effects used by programme and outcome (mean and 90 per cent interval before and after: log hazard ratio, or
        standard deviations for attainment), and by account expected net present value and benefit-cost ratio before
        and after.

    Raises
    ------
    InputError
        Any bad input, and scenarios that differ in something else.
    """
    same = ("name", "title", "description", "studies", "left_out", "effect")
    differing = [name for name in type(before).model_fields if getattr(before, name) != getattr(after, name)]
    of_programmes = all(key.startswith("programmes.") for key in {**before.priors, **after.priors})
    if set(differing) - {*same, *(["priors"] if of_programmes else [])}:
        raise InputError(f"the scenarios differ in {', '.join(differing)}.", fix="change only the evidence of effects.")
    register = evidence.load_register(folder=folder)
    statistics = evidence.load_statistics(folder) if statistics is None else statistics
    chosen = _chosen(areas, statistics)
    used, worth = {}, {}
    stated = {"before": before, "after": after}
    both = {when: resolve(scenario, register, statistics, areas=chosen) for when, scenario in stated.items()}
    for when, resolved in both.items():  # both are checked by now, before minutes are spent on a fit
        at = desk(statistics, resolved, cache=cache, progress=progress)
        result = appraise(price_areas(at, areas=chosen, progress=progress)[0], at.scenario, at.draws, register)
        used[when], worth[when] = _summary(at.effects["effect"]), _worth(result)
    return pd.concat(used, axis=1), pd.concat(worth, axis=1)


def desk(statistics: xr.Dataset, resolved: ResolvedScenario, *, cache: Path, progress: Progress = silent) -> Desk:
    """Return what the pricing of a resolved scenario's areas shares, its model fitted now or reused."""
    fitted = fit_resolved(statistics, resolved, cache=cache, progress=progress)
    like = fitted["posterior"].to_dataset()
    draws = draw_figures(resolved.scenario, resolved.figures, resolved.register, like=like)
    return Desk(fitted, statistics, resolved, draws, draw_effects(resolved, draws))


def _summary(effect: xr.DataArray) -> pd.DataFrame:
    ends = effect.quantile([0.05, 0.95], SAMPLE_DIMS)
    parts = {"mean": effect.mean(SAMPLE_DIMS), "low": ends.isel(quantile=0), "high": ends.isel(quantile=1)}
    return xr.Dataset(
        {name: part.drop_vars("quantile", errors="ignore") for name, part in parts.items()}
    ).to_dataframe()


def _worth(result: xr.Dataset) -> pd.DataFrame:
    return xr.Dataset({"npsv": result["npsv"].mean(SAMPLE_DIMS), "bcr": result["bcr"]}).to_dataframe()[["npsv", "bcr"]]


def __dir__() -> list[str]:
    return __all__
