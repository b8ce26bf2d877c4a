"""Live answers: every change prices the whole posterior again, and nothing is computed twice.

Each stage is remembered while its inputs are unchanged, so that a change repeats only the stages after it:

1. ``drawn``: figures and effects, when the evidence changes;
2. ``unit``: a place's lives and costs at a reference sum, when the effect, the group or the horizon changes;
3. ``run``: everything in proportion to the children reached, at every change: the main page's numbers at once
   (:mod:`toolkit.apps.engine.sums`), and the tree behind other pages and tables only when one of them reads it.

The economics are the toolkit's own: stage 2 is ``pricing``, and stage 3 only scales its draws
(:mod:`toolkit.apps.engine.scaled_run`).
"""

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence
from contextvars import ContextVar
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from toolkit import changes, costing, evidence, pathways, scenarios, workflow
from toolkit.apps.engine.scaled_run import Drawn, LiveRun, Probe, Unit
from toolkit.apps.engine.sums import Lines, Terms, linear
from toolkit.code_hash import package_hash
from toolkit.measures import headline
from toolkit.measures import quantities as q
from toolkit.origins import flagged
from toolkit.pricing import dependence
from toolkit.pricing.areas import Progress, added_up, programme, silent
from toolkit.pricing.place import Desk, Place, yearly_sum
from toolkit.pricing.representative_areas import pool
from toolkit.records import assemble, fingerprint, open_cached, prune, versions, write_netcdf
from toolkit.resolved import ResolvedScenario, resolve
from toolkit.scenarios import Scenario
from toolkit.schema import BUSINESS_AS_USUAL, INVESTMENT, SAMPLE_DIMS, InputError, data_folder

REFERENCE = {
    "option": {"spend_per_child": 20.0, "cut": False},
    "adjustments": {"optimism_bias": 0.0, "deadweight": 0.0, "displacement": 0.0, "attribution": 1.0},
}
MOST_STORED = {
    "resolved": 24,
    "drawn": 4,
    "unit": 12,
    "run": 24,
    "preset": 20,
    "fit": 2,
    "probe": 4,
}  # results of each stage
LARGEST_STORED = 1_000_000_000  # bytes of each stage: a region's costs take ten times a council's
MOST_FILES = 4  # of several areas priced, on disk: each is some hundred megabytes
LOOK_AGAIN = 0.2  # seconds
# Called with the progress of this thread's work; it may raise an exception, which ends the work.
PROGRESS: ContextVar[Progress] = ContextVar("PROGRESS", default=silent)


class NeedsFit(InputError):
    """Changed priors move the posterior too far for its draws to be reweighted, so that a refit is needed."""


class Memory:
    """Remembers the most recently used results; only one thread computes each key, and others wait for it."""

    def __init__(self, most: dict[str, int] = MOST_STORED) -> None:
        self._most, self._guard = most, threading.Lock()
        self._stored: dict[str, OrderedDict[Hashable, Any]] = {stage: OrderedDict() for stage in most}
        self._locks: dict[tuple[str, Hashable], threading.Lock] = {}

    def holds(self, stage: str, key: Hashable) -> bool:
        """Return whether a result is remembered."""
        with self._guard:
            return key in self._stored[stage]

    def get[T](self, stage: str, key: Hashable, make: Callable[[], T]) -> T:
        """Return the result of ``make``, computed once; who waits for another thread can be stopped (``PROGRESS``)."""
        with self._guard:
            lock = self._locks.setdefault((stage, key), threading.Lock())
        while not lock.acquire(timeout=LOOK_AGAIN):
            PROGRESS.get()("another page asked for the same first", 0.0)
        try:
            stored = self._stored[stage]
            value: T = stored[key] if key in stored else make()
            with self._guard:
                stored[key] = value
                stored.move_to_end(key)
                while len(stored) > self._most[stage] or (len(stored) > 1 and _bytes(stored.values()) > LARGEST_STORED):
                    self._locks.pop((stage, stored.popitem(last=False)[0]), None)
            return value
        finally:
            with self._guard:
                if key not in self._stored[stage]:  # the computation failed
                    self._locks.pop((stage, key), None)
            lock.release()


def _bytes(kept: Iterable[Any]) -> int:
    return sum(getattr(one, "nbytes", 0) for one in kept)


class Live:
    """The fitted evidence of one process, shared read-only by all its sessions."""

    def __init__(
        self,
        cache: Path,
        *,
        statistics: xr.Dataset | None = None,
        base: Scenario | None = None,
        progress: Progress = silent,
    ) -> None:
        self.register = evidence.load_register()
        self.statistics = evidence.load_statistics() if statistics is None else statistics
        self.reference = evidence.reference_areas()
        self.base = scenarios.load("family_help") if base is None else base
        self.cache, self.refits, self._memory = cache, cache / "refits", Memory()
        self.fitted = workflow.fit(self.statistics, self.base, self.register, cache=cache, progress=progress)
        self.base_year = evidence.base_year(self.statistics).reset_coords(drop=True)

    @cached_property
    def places(self) -> dict[str, list[str]]:
        """Every place that can be chosen and its areas: England, the regions, the authorities by name."""
        reference = self.reference
        places = {"England": evidence.resolve_areas(reference, england=True)}
        for region in sorted(reference["region"].unique()):
            places[str(region)] = evidence.resolve_areas(reference, region=region)
        current = reference[reference["status"] == "current"].sort_values("la_name")
        places |= {str(row.la_name): [str(row.area)] for row in current.itertuples()}
        known = set(self.statistics["area"].values.tolist())
        fitted = {name: [area for area in areas if area in known] for name, areas in places.items()}
        return {name: areas for name, areas in fitted.items() if areas}

    def preset(self, name: str) -> Scenario:
        """Return a shipped scenario at the seed and the number of draws of the fit."""
        base = self.base

        def load() -> Scenario:
            return scenarios.change(scenarios.load(name), seed=base.seed, draws=base.draws, chains=base.chains)

        return self._memory.get("preset", name, load)

    def resolved(self, scenario: Scenario) -> ResolvedScenario:
        """Return the scenario with the evidence that it uses, for any areas."""

        def look_up() -> ResolvedScenario:
            return resolve(scenario, self.register, self.statistics, base=self.base_year)

        return self._memory.get("resolved", scenario.hash, look_up)

    def fitted_for(self, scenario: Scenario) -> xr.DataTree:
        """Return the fit under the scenario's priors: reweighted draws where they suffice, else an earlier refit.

        Raises
        ------
        NeedsFit
            Where there is neither.
        """
        if not scenario.priors or not self.resolved(scenario).changes_outcome_priors:
            return self.fitted
        key = workflow.fit_path(self.statistics, self.resolved(scenario), cache=self.refits)
        return self._memory.get("fit", key, lambda: self._changed_fit(scenario, key))

    def _changed_fit(self, scenario: Scenario, path: Path) -> xr.DataTree:
        before, after = self.register.tables["priors"], self.resolved(scenario).outcome_priors
        reweighted = changes.weighed(self.fitted, scenario, before, after)
        if isinstance(reweighted, xr.DataTree):
            return reweighted
        if (cached := open_cached(path)) is not None:
            return cached
        raise NeedsFit(
            f"priors: the change moves the fit too far for its draws to be reweighted (Pareto k-hat "
            f"{reweighted.shape:.2f}, {reweighted.effective:,.0f} effective draws; below 0.7 and "
            f"{reweighted.least:,.0f} or more are needed). "
            "Fix: refit the model, or change the priors less."
        )

    def drawn(self, scenario: Scenario) -> Drawn:
        """Return the scenario's figures and effects as draws."""
        evidence_of = {"overrides", "outcomes", "seed", "draws", "chains", "priors", "studies", "left_out"}
        parts = scenario.model_dump(mode="json", include=evidence_of)
        key = json.dumps(
            [parts, scenario.option.cost_per_family, scenario.effect.family_group_conferencing, scenario.luck],
            sort_keys=True,
        )
        return self._memory.get("drawn", key, lambda: self._draw(scenario))

    def check(self, scenario: Scenario) -> None:
        """Refuse a scenario whose figures this site cannot draw.

        Raises
        ------
        InputError
            An unknown figure, one that cannot be such a distribution, or other draws than those of the fit.
        """
        if (scenario.seed, scenario.draws, scenario.chains) != (self.base.seed, self.base.draws, self.base.chains):
            raise InputError("seed, draws and chains are those of the fit.", fix="run the command for others.")
        if scenario.covariates != self.base.covariates:
            raise InputError("covariates: the dashboard's fit has its own.", fix="run the command for others.")
        if scenario.cash_step:  # then cash is not in proportion to the children reached, as every page assumes
            raise InputError("cash_step: the dashboard takes the cited share.", fix="run the command for whole steps.")
        few = xr.Dataset(coords={"chain": [0], "draw": [0, 1]})
        assumptions = self.resolved(scenario).figures
        moved = assumptions[assumptions["overridden"] | (assumptions.index == "cost_per_family")]
        evidence.sample(moved, like=few, seed=scenario.seed, price_base=scenario.price_base)

    def _draw(self, scenario: Scenario) -> Drawn:
        resolved, fitted = self.resolved(scenario), self.fitted_for(scenario)
        like = fitted["posterior"].to_dataset()
        draws = workflow.draw_figures(scenario, resolved.figures, self.register, like=like)
        effects = workflow.draw_effects(fitted, self.statistics, resolved, draws)
        return Drawn(flagged(resolved.figures, self.register), draws, effects)

    def run(self, scenario: Scenario, areas: tuple[str, ...]) -> "LiveRun":
        """Return the scenario priced and appraised for areas, draw by draw, as ``workflow.run`` would."""
        return self._memory.get("run", (scenario.hash, areas), lambda: self._run(scenario, areas))

    def ready(self, scenario: Scenario, areas: tuple[str, ...]) -> bool:
        """Return whether a scenario's numbers take almost no time."""
        return self._memory.holds("unit", (_at_reference(scenario).hash, areas))

    def full_run(self, scenario: Scenario, areas: tuple[str, ...]) -> workflow.Run:
        """Return the run that the command itself makes, with everything that its files need."""
        return workflow.run(
            scenario,
            areas=areas,
            cache=self.cache,
            statistics=self.statistics,
            progress=PROGRESS.get(),
            fitted=self.fitted_for(scenario),
        )

    def _run(self, scenario: Scenario, areas: tuple[str, ...]) -> "LiveRun":
        drawn, unit = self.drawn(scenario), self.unit(scenario, areas)
        plain = next((area for area in areas if area != scenario.own_area), areas[0])
        return LiveRun(scenario, drawn, unit, self.register.excluded, lambda area: self.probe(scenario, area or plain))

    def probe(self, scenario: Scenario, area: str) -> Probe:
        """Return a scenario for one area on draws in which one input at a time is moved."""
        at = _at_reference(scenario)
        design, drawn, unit = self._memory.get("probe", (at.hash, area), lambda: self._probe(at, area))
        return Probe(design, LiveRun(scenario, drawn, unit, self.register.excluded))

    def _probe(self, scenario: Scenario, area: str) -> tuple[dependence.Design, Drawn, Unit]:
        drawn, fitted = self.drawn(scenario), self.fitted_for(scenario)
        design = dependence.design(drawn.draws, drawn.effects, fitted["posterior"].to_dataset())
        moved, tree = Drawn(drawn.assumptions, design.draws, design.effects), fitted.copy()
        tree["posterior"] = xr.DataTree(design.posterior)
        desk = Desk(tree, self.statistics, self.resolved(scenario), moved.draws, moved.effects)
        return design, moved, self._unit_of(dependence.steadied(desk), moved, tree, (area,))

    def here(self, scenario: Scenario, areas: Sequence[str]) -> xr.Dataset:
        """Return base-year statistics of areas, a council's own in place of published ones."""
        return evidence.with_own(self.base_year, self.resolved(scenario).own_figures).sel(area=list(areas))

    def unit(self, scenario: Scenario, areas: tuple[str, ...]) -> Unit:
        """Return the costs of areas at the reference sum."""
        at = _at_reference(scenario)
        return self._memory.get("unit", (at.hash, areas), lambda: self._unit(at, areas))

    def _unit(self, scenario: Scenario, areas: tuple[str, ...]) -> Unit:
        drawn, fitted = self.drawn(scenario), self.fitted_for(scenario)
        desk = Desk(fitted, self.statistics, self.resolved(scenario), drawn.draws, drawn.effects)
        return self._unit_of(desk, drawn, fitted, areas)

    def _unit_of(self, desk: Desk, drawn: Drawn, fitted: xr.DataTree, areas: tuple[str, ...]) -> Unit:
        scenario = desk.scenario
        here = self.here(scenario, areas)
        reached = pathways.children_reached(yearly_sum(scenario, here), drawn.draws, here, scenario.option)
        stands = pool(here, scenario.option)
        shares = dict(zip(areas, stands.shares.astype(np.float32), strict=True))
        priced = self._added_up(desk, shares)
        stood, local, total = (priced[name].to_dataset() for name in ("stood", "local", "total"))
        costs = local.merge(total).assign_coords(costing.labels(desk.rows))
        card = workflow.card_of(fitted)
        tree = assemble(
            scenario,
            drawn.assumptions,
            fitted,
            drawn.draws,
            drawn.effects,
            costs.assign(lives=costs["children_reached"]),
            xr.Dataset(),
            card,
            list(areas),
            self.statistics,
        )
        tree.attrs["deflators"] = self.register.deflators.to_json()
        tree.attrs["discount_schedules"] = self.register.tables["discount_schedules"].to_json(orient="records")
        terms, saved = Terms.of(desk), desk.labelled(stood["saved"])
        by_node = [linear(node, terms) for node in saved]
        plain = workflow.Run(tree, scenario, pd.DataFrame(), pd.DataFrame({"passed": []}), pd.DataFrame(), {})
        return Unit(
            here,
            stands,
            stands.reach(drawn.draws, scenario.option),
            float(here["population_0_17"].sum()),
            programme(scenario, 1.0).sel(option=INVESTMENT).values,
            saved,
            stood.get("saved_before"),
            terms,
            Lines.of_nodes(by_node),
            _curve(plain),
            tree,
            reached.transpose("area", *SAMPLE_DIMS),
            by_node[0]["payer"].values.tolist(),
            headline.place(plain),
            q.spend_range(plain),
            self.resolved(scenario).own_figures,
            card,
        )

    def _added_up(self, desk: Desk, shares: dict[str, np.ndarray]) -> xr.DataTree:
        """Price areas; several are read from a file of an earlier pricing if nothing that it depends on has changed."""
        path = self.cache / "priced" / f"{self._fingerprint(desk.scenario, list(shares))}.nc"
        if len(shares) > 1 and (cached := open_cached(path)) is not None:
            return cached
        progress = PROGRESS.get()
        total, saved, local = added_up(desk, areas=list(shares), summarise=partial(_saved, shares), progress=progress)
        curve = total[["curve_avoided", "curve_spend"]]
        priced = xr.DataTree.from_dict({"stood": saved, "local": local, "total": curve})
        if len(shares) > 1:
            write_netcdf(priced, path)
            prune(path.parent, MOST_FILES)
        return priced

    def _fingerprint(self, scenario: Scenario, areas: list[str]) -> str:
        """Return a hash of what the pricing of areas rests on: scenario, fit, data, code and libraries."""
        fit = workflow.fit_path(self.statistics, self.resolved(scenario), cache=self.cache).name
        data = (data_folder() / "datapackage.json").read_bytes()
        libraries = versions("numpy", "scipy", "xarray", "numba")
        return fingerprint(libraries, data, package_hash(), [scenario.hash, areas, fit])


def _at_reference(scenario: Scenario) -> Scenario:
    return scenarios.change(scenario, **REFERENCE)


def _saved(shares: dict[str, np.ndarray], place: Place) -> xr.Dataset:
    """Return what a child reached in an area saves, as its stand-ins' (node, ...): events, and before adjustments."""
    summed, weights = place.summed, xr.DataArray(shares[str(place.stats["area"].item())], dims="node")
    cost = summed["cost"].transpose("option", "component", "event_year", *SAMPLE_DIMS)
    parts = {"saved": cost.sel(option=BUSINESS_AS_USUAL, drop=True) - cost.sel(option=INVESTMENT, drop=True)}
    if "benefit_before" in summed:
        parts["saved_before"] = summed["benefit_before"]
    reached = place.reached.astype(np.float32)
    return xr.Dataset({name: weights * (part.astype(np.float32) / reached) for name, part in parts.items()})


def _curve(run: q.Run) -> dict[str, np.ndarray]:
    """Return the spend-cost curve of the social account, which does not move with the sum (multiple, draw)."""
    spend, source = q.costs(run)["curve_spend"], run.scenario.effect.source
    saved = q.priced(run, "curve_avoided").sel(source=source, drop=True)
    left = q.lifetime(run).sel(reading="excess", drop=True)
    level, avoided = (q.by_account(array).sel(account="social") for array in (left, saved))
    both = {"level": level + spend, "avoided": avoided}
    flat = {name: array.transpose("multiple", *SAMPLE_DIMS).values for name, array in both.items()}
    curves = {name: array.reshape(len(array), -1).astype(np.float32) for name, array in flat.items()}
    return curves | {"spend": spend.values, "multiple": spend["multiple"].values}
