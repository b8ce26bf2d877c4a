"""Which programme: what each avoids for the money it costs, in some areas, on the same draws as a run's.

`compare` and `compare_with` put the stages together for all programmes, `examine` counts one step by step and
`best_buys` says what a budget buys best; `toolkit.measures.programmes` and `toolkit.measures.programme_panel` say what
their results show.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from toolkit import appraisal, evidence
from toolkit.best_buys import best_buys
from toolkit.draws import draw_figures, effects_of
from toolkit.fits import fit_resolved
from toolkit.models.effects.areas_panel import OUTCOME_OF, combined_weights, panel_evidence
from toolkit.models.effects.hierarchy import sample_programmes
from toolkit.models.effects.programme_steps import STEPS, effect_steps, published_effect, sizes
from toolkit.models.effects.programme_studies import programme_studies
from toolkit.pricing.areas import MANY, Progress, silent
from toolkit.pricing.desk import Desk
from toolkit.pricing.programmes import (
    Variant,
    price_programmes,
    price_variants,
    programme_costs,
    spend_per_event,
    why_not_counted,
)
from toolkit.resolved import ResolvedScenario, resolve
from toolkit.scenarios import Scenario
from toolkit.schema import ACCOUNTS, SAMPLE_DIMS, InputError

__all__ = ["Bench", "bench", "bench_with", "best_buys", "compare", "compare_with", "compared_on", "examine"]

MILLION = 1e6
FEWER = 4  # one draw in so many is priced for many areas: a thousand leave an error of 1 per cent of an interval
MAIN = ("care", "youth_justice", "gcse_attainment", "repeat_referrals")  # what is named first if nothing else decides


@dataclass(frozen=True)
class Bench:
    """What programmes are compared with: areas and their prices, studies, and draws of effects.

    Attributes
    ----------
    desk
        With the effects of every programme: each draw has a structure of its own.
    studies
        From `programme_studies`.
    areas
        Where each programme is delivered.
    panel
        What the panel of areas says beside the studies, from `panel_evidence`.
    """

    desk: Desk
    register: evidence.Register
    studies: pd.DataFrame
    areas: list[str]
    panel: xr.Dataset

    @property
    def used(self) -> xr.Dataset:
        """Effects that count, from `toolkit.pricing.programmes.counted_effects`."""
        return self.desk.effects


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
    by_area: bool = False,
    progress: Progress = silent,
) -> xr.Dataset:
    """Return what every programme of the evidence avoids and costs for a child served.

    Parameters
    ----------
    scenario, areas, cache, scope, exclude, weights, statistics, register, progress
        As for :func:`bench`.
    by_area
        As for :func:`compared_on`.

    Returns
    -------
    Dataset
        As :func:`compared_on`.

    Raises
    ------
    InputError
        Any bad input.
    """
    ready = bench(
        scenario,
        areas=areas,
        cache=cache,
        scope=scope,
        exclude=exclude,
        weights=weights,
        statistics=statistics,
        register=register,
        progress=progress,
    )
    return compared_on(ready, by_area=by_area, progress=progress)


def compare_with(
    fitted: xr.DataTree,
    statistics: xr.Dataset,
    resolved: ResolvedScenario,
    draws: xr.Dataset,
    areas: Iterable[str],
    *,
    progress: Progress = silent,
) -> xr.Dataset:
    """Return what :func:`compare` does, on a run's own fit and draws.

    Parameters
    ----------
    fitted, statistics, resolved, draws, areas, progress
        As for :func:`bench_with`.
    """
    return compared_on(bench_with(fitted, statistics, resolved, draws, areas), progress=progress)


def bench(
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
) -> Bench:
    """Return what programmes are compared with in some areas.

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

    Raises
    ------
    InputError
        Any bad input.
    """
    register = evidence.load_register() if register is None else register
    statistics = evidence.load_statistics() if statistics is None else statistics
    chosen = list(dict.fromkeys(areas))
    resolved = resolve(scenario, register, statistics, areas=chosen)
    fitted = _thinned(fit_resolved(statistics, resolved, cache=cache, progress=progress), chosen)
    draws = draw_figures(scenario, resolved.figures, register, like=fitted["posterior"].to_dataset())
    return _bench(fitted, statistics, resolved, draws, chosen, scope=scope, exclude=exclude, weights=weights)


def bench_with(
    fitted: xr.DataTree,
    statistics: xr.Dataset,
    resolved: ResolvedScenario,
    draws: xr.Dataset,
    areas: Iterable[str],
) -> Bench:
    """Return what programmes are compared with, on the fit and draws of a run.

    Parameters
    ----------
    fitted
        Posterior of the outcome model.
    statistics
        Those it was fitted to.
    resolved
        The run's scenario with its evidence.
    draws
        The run's sampled figures (chain, draw). For many areas, one draw in ``FEWER`` of all is used.
    areas
        ONS codes.
    """
    chosen = list(dict.fromkeys(areas))
    fitted = _thinned(fitted, chosen)
    draws = draws.sel(draw=fitted["posterior"]["draw"].values)
    return _bench(fitted, statistics, resolved, draws, chosen)


def _thinned(fitted: xr.DataTree, areas: list[str]) -> xr.DataTree:
    if len(areas) < MANY:
        return fitted
    fitted = fitted.copy()
    fitted["posterior"] = xr.DataTree(fitted["posterior"].to_dataset().isel(draw=slice(None, None, FEWER)))
    return fitted


def _bench(
    fitted: xr.DataTree,
    statistics: xr.Dataset,
    resolved: ResolvedScenario,
    draws: xr.Dataset,
    areas: list[str],
    *,
    scope: str = "all",
    exclude: Collection[str] = (),
    weights: evidence.Weights | None = None,
) -> Bench:
    studies = programme_studies(resolved.tables, scope=scope, exclude=[*resolved.scenario.left_out, *exclude])
    effects = effects_of(resolved, draws, scope=scope, exclude=exclude, weights=weights)
    within, seed = fitted["posterior"].to_dataset()["spend_within"], resolved.scenario.seed
    panel = panel_evidence(statistics, within, resolved.tables["priors"], like=draws, seed=seed)
    return Bench(Desk(fitted, statistics, resolved, draws, effects), resolved.register, studies, areas, panel)


def compared_on(bench: Bench, *, by_area: bool = False, progress: Progress = silent) -> xr.Dataset:
    """Return what every programme avoids and costs for a child served.

    Parameters
    ----------
    bench
        From :func:`bench` or :func:`bench_with`.
    by_area
        Whether to keep what is avoided in each area as well, which `best_buys` needs.
    progress
        Called with a stage and the share of it that is done.

    Returns
    -------
    Dataset
        ``avoided``, ``events``, ``council_cash``, ``care_within_year``, ``not_counted`` and ``evidence`` of
        `price_programmes`; ``cost``
        (chain, draw, programme) for a child served, NaN where no price is known; ``effect`` (chain, draw, programme,
        outcome) that is used; ``scope``, ``origin``, ``fade`` and ``risk`` (chain, draw), the structure of each draw.
        ``events_per_million`` (chain, draw, programme, indicator): events in the three years after contact, for a
        million pounds of the programme; ``panel_per_million`` (indicator) and ``panel_per_million_se``: for a million
        pounds of early help, as the panel of areas associates them, with ``panel_bias_per_million`` (chain, draw,
        indicator), the standard deviation of its bias, and ``lead`` and ``lead_se`` (lead_indicator), from which that
        is estimated; ``combined_weight`` (chain, draw, programme), from `combined_weights`. Component labels as in a
        run. By area also ``avoided_by_area``, ``target_group`` and ``eligible``.
    """
    desk, used = bench.desk, bench.used
    priced = price_programmes(desk, areas=bench.areas, by_area=by_area, progress=progress)
    cost = programme_costs(bench.register, desk.draws, desk.scenario).reindex(programme=priced["programme"])
    structures = used[["effect", *evidence.STRUCTURES]].data_vars
    priced = priced.assign(avoided=desk.labelled(priced["avoided"]), cost=cost).assign(structures)
    return priced.drop_vars("events_soon").assign(_beside_panel(bench, priced))


def _beside_panel(bench: Bench, priced: xr.Dataset) -> dict[str, xr.DataArray]:
    """Return what programmes do and what the panel of areas says, both as events for a million pounds, and weights."""
    panel, spend = bench.panel, spend_per_event(bench.desk, bench.areas)
    events = priced["events_soon"] / priced["cost"]
    counted = (priced["not_counted"].sel(outcome=list(OUTCOME_OF.values())) == "").drop_vars("outcome")
    counted = counted.rename(outcome="indicator").assign_coords(indicator=list(OUTCOME_OF))
    scale = MILLION / spend
    return {
        "events_per_million": events * MILLION,
        "panel_per_million": panel["association"] * scale,
        "panel_per_million_se": panel["association_se"] * scale,
        "panel_bias_per_million": panel["bias_sd"] * scale,
        "lead": panel["lead"],
        "lead_se": panel["lead_se"],
        "combined_weight": combined_weights(panel, events * spend, counted),
    }


def examine(bench: Bench, programme: str, *, progress: Progress = silent) -> xr.Dataset:
    """Return what one programme avoids step by step from its published effect, and at effects of several sizes.

    Parameters
    ----------
    bench
        From :func:`bench` or :func:`bench_with`.
    programme
        Its name in the table ``programmes``.
    progress
        Called with a stage and the share of it that is done.

    Returns
    -------
    Dataset
        ``steps`` (step, account, chain, draw): avoided for a child served, GBP, with the effect as its own studies
        publish it, and after each of ``STEPS``; the last is what `compared_on` gives. Left out where nothing is
        counted.
        ``response`` (size, account, chain, draw): the same if the effect on ``main``, an outcome, were certain and of
        that size, log hazard ratio or standardised mean difference, with its timing; other outcomes move in proportion
        to their expected effects if ``with_others``, otherwise not at all. Left out where no outcome can be counted.
        ``cost`` (chain, draw) of a child, NaN if no price is known.

    Raises
    ------
    InputError
        An unknown programme.
    """
    names = bench.used["programme"].values.tolist()
    if programme not in names:
        raise InputError(f"programme '{programme}': there is none of that name.", fix=f"use one of {', '.join(names)}.")
    used = bench.used.sel(programme=[programme])
    counted = used["not_counted"].isel(programme=0, drop=True) == ""
    cost = programme_costs(bench.register, bench.desk.draws, bench.desk.scenario).reindex(programme=[programme])
    result = xr.Dataset({"cost": cost.isel(programme=0, drop=True)})
    expected = used["effect"].mean(SAMPLE_DIMS).isel(programme=0, drop=True)
    gains: dict[str, float] = {}
    if counted.any():
        variants = {step: Variant(one, average_risk=True) for step, one in _before_risk(bench, used, programme).items()}
        names = [str(name) for name in counted["outcome"].values[counted.values]]
        alone = {name: Variant(_certain(used, expected.where(expected["outcome"] == name, 0.0))) for name in names}
        priced = _priced(bench, programme, variants | {STEPS[-1]: Variant(used)} | alone, progress)
        result["steps"] = priced.sel(variant=list(STEPS)).rename(variant="step")
        gains = {name: float(priced.sel(variant=name, account="social").mean()) for name in names}
    if main := _main(bench, used, gains):
        together = gains.get(main, 0.0) > 0
        one = xr.where(expected["outcome"] == main, 1.0, 0.0)
        profile = expected / expected.sel(outcome=main, drop=True) if together else one
        parts = {f"{size:g}": Variant(_certain(used, profile * size)) for size in sizes(main)}
        priced = _priced(bench, programme, parts, progress)
        result["response"] = priced.rename(variant="size").assign_coords(size=list(sizes(main)))
        result = result.assign(main=main, with_others=together and len(gains) > 1)
    return result


def _before_risk(bench: Bench, used: xr.Dataset, programme: str) -> dict[str, xr.Dataset]:
    """Return what is used of a programme's effect after each step but the last."""
    own = bench.studies[bench.studies["programme"] == programme]
    tables, scenario = bench.register.tables, bench.desk.scenario
    how: dict[str, Any] = {"seed": scenario.seed, "selection": scenario.effect.selection}
    alone = sample_programmes(own, tables["programmes"], tables["priors"], like=bench.desk.draws, **how)
    return effect_steps(used, alone, published_effect(own), programme)


def _certain(used: xr.Dataset, effect: xr.DataArray) -> xr.Dataset:
    """Return what is used with a certain effect (outcome), alike at every site."""
    wide = effect.broadcast_like(used["effect"]).transpose(*used["effect"].dims).reset_coords(drop=True)
    return used.assign(effect=wide, area_sd=xr.zeros_like(used["area_sd"]))


def _priced(bench: Bench, programme: str, variants: Mapping[str, Variant], progress: Progress) -> xr.DataArray:
    """Return what variants of a programme avoid for a child served (variant, account, chain, draw)."""
    priced = price_variants(bench.desk, programme, variants, areas=bench.areas, progress=progress)
    avoided = bench.desk.labelled(priced["avoided"])
    parts = [appraisal.account_total(avoided, account).reset_coords(drop=True) for account in ACCOUNTS]
    joined = xr.concat(parts, xr.Variable("account", list(ACCOUNTS)))
    return joined.transpose("variant", "account", *SAMPLE_DIMS).assign_attrs(avoided.attrs)


def _main(bench: Bench, used: xr.Dataset, gains: Mapping[str, float]) -> str:
    """Return the outcome by which a programme is expected to gain most; "" if none can be counted.

    Where none is expected to gain, or none has a study, it is the first of ``MAIN`` that is counted, or that would be.
    """
    if gains and max(gains.values()) > 0:
        return max(gains, key=lambda name: gains[name])
    studied = used.assign(evidence=xr.full_like(used["evidence"], "own"))
    able = why_not_counted(studied, bench.register.tables).isel(programme=0, drop=True) == ""
    return next((name for name in MAIN if (name in gains if gains else bool(able.sel(outcome=name)))), "")


def __dir__() -> list[str]:
    return __all__
