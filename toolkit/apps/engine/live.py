"""Live answers: every change prices the whole posterior again, and nothing is computed twice.

Stages, each remembered while what it depends on is unchanged, so that a change repeats only what follows it:

1. ``drawn``: figures and effects, when the evidence changes;
2. ``unit``: a place's lives and costs at a reference sum, when the effect, the group or the horizon changes;
3. ``run``: everything that is in proportion to the children reached, at every change: the main page's numbers at
   once (:mod:`toolkit.apps.engine.sums`), the tree that other pages and tables read only when one asks for it.

The economics are the toolkit's own: stage 2 is ``pricing``, and stage 3 only scales its draws
(:mod:`toolkit.apps.engine.scaled_run`).
"""

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
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
from toolkit.pricing import dependence
from toolkit.pricing.areas import Progress, added_up, programme, silent
from toolkit.pricing.place import Desk, Place, yearly_sum
from toolkit.pricing.representative_areas import pool
from toolkit.records import assemble, fingerprint, open_cached, prune, versions, write_netcdf
from toolkit.resolved import ResolvedScenario, resolve
from toolkit.scenarios import Scenario
from toolkit.schema import BUSINESS_AS_USUAL, INVESTMENT, SAMPLE_DIMS, InputError, data_folder

__all__ = [
    "PROGRESS",
    "Live",
    "Memory",
    "NeedsFit",
]

REFERENCE = {
    "option": {"spend_per_child": 20.0, "cut": False},
    "adjustments": {"optimism_bias": 0.0, "deadweight": 0.0, "displacement": 0.0, "attribution": 1.0},
}
KEPT = {"resolved": 24, "drawn": 4, "unit": 12, "run": 24, "preset": 20, "fit": 2, "probe": 4}  # at most, of each stage
FILES_KEPT = 4  # of several areas priced, on disk: each is some hundred megabytes
LOOK_AGAIN = 0.2  # seconds
# Of whoever waits for what this thread works out; it may raise, which ends the work.
PROGRESS: ContextVar[Progress] = ContextVar("PROGRESS", default=silent)


class NeedsFit(InputError):
    """Changed priors move the posterior too far for its draws to be weighed: only a new fit can tell."""


class Memory:
    """Remembers what was made, the latest used first to stay; one maker a key, others wait for it."""

    def __init__(self, kept: dict[str, int] = KEPT) -> None:
        self._kept, self._guard = kept, threading.Lock()
        self._held: dict[str, OrderedDict[Hashable, Any]] = {stage: OrderedDict() for stage in kept}
        self._locks: dict[tuple[str, Hashable], threading.Lock] = {}

    def holds(self, stage: str, key: Hashable) -> bool:
        """Return whether something is remembered."""
        with self._guard:
            return key in self._held[stage]

    def get[T](self, stage: str, key: Hashable, make: Callable[[], T]) -> T:
        """Return what ``make`` gives, made once; who waits for another's work can leave (``PROGRESS``)."""
        with self._guard:
            lock = self._locks.setdefault((stage, key), threading.Lock())
        while not lock.acquire(timeout=LOOK_AGAIN):
            PROGRESS.get()("another page asked for the same first", 0.0)
        try:
            held = self._held[stage]
            made: T = held[key] if key in held else make()
            with self._guard:
                held[key] = made
                held.move_to_end(key)
                while len(held) > self._kept[stage]:
                    self._locks.pop((stage, held.popitem(last=False)[0]), None)
            return made
        finally:
            with self._guard:
                if key not in self._held[stage]:  # nothing came of it
                    self._locks.pop((stage, key), None)
            lock.release()


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
        found = {"England": evidence.resolve_areas(reference, england=True)}
        for region in sorted(reference["region"].unique()):
            found[str(region)] = evidence.resolve_areas(reference, region=region)
        current = reference[reference["status"] == "current"].sort_values("la_name")
        found |= {str(row.la_name): [str(row.area)] for row in current.itertuples()}
        known = set(self.statistics["area"].values.tolist())
        held = {name: [area for area in areas if area in known] for name, areas in found.items()}
        return {name: areas for name, areas in held.items() if areas}

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
        """Return the fit under the scenario's priors: weighed draws where they will do, else a fit made before.

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
        found = changes.weighed(self.fitted, scenario, before, after)
        if isinstance(found, xr.DataTree):
            return found
        if (kept := open_cached(path)) is not None:
            return kept
        raise NeedsFit(
            f"priors: the change moves the fit too far for its draws to be weighed (Pareto k-hat {found.shape:.2f}, "
            f"{found.effective:,.0f} effective draws; below 0.7 and {found.least:,.0f} or more are needed). "
            "Fix: fit the model anew, or change the priors less."
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
        if scenario.cash_step:  # its cash is not in proportion to the children reached, which every page relies on
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
        return Drawn(resolved.figures, draws, effects)

    def run(self, scenario: Scenario, areas: tuple[str, ...]) -> "LiveRun":
        """Return the scenario priced and appraised for areas, draw by draw, as ``workflow.run`` would."""
        return self._memory.get("run", (scenario.hash, areas), lambda: self._run(scenario, areas))

    def ready(self, scenario: Scenario, areas: tuple[str, ...]) -> bool:
        """Return whether a scenario's numbers take no time to speak of."""
        return self._memory.holds("unit", (_at_reference(scenario).hash, areas))

    def full_run(self, scenario: Scenario, areas: tuple[str, ...]) -> workflow.Run:
        """Return the command's own run, with everything that its files hold."""
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
        """Return the areas' costs at the reference sum."""
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
        found = [linear(one, terms) for one in saved]
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
            Lines.of_nodes(found),
            _curve(plain),
            tree,
            reached.transpose("area", *SAMPLE_DIMS),
            found[0]["payer"].values.tolist(),
            headline.place(plain),
            q.spend_range(plain),
            self.resolved(scenario).own_figures,
            card,
        )

    def _added_up(self, desk: Desk, shares: dict[str, np.ndarray]) -> xr.DataTree:
        """Price areas; several as a file has them from before, while all that they rest on is the same."""
        path = self.cache / "priced" / f"{self._fingerprint(desk.scenario, list(shares))}.nc"
        if len(shares) > 1 and (kept := open_cached(path)) is not None:
            return kept
        told, progress = partial(_saved, shares), PROGRESS.get()
        total, stood, local = added_up(desk, areas=list(shares), tell=told, progress=progress)
        curve = total[["curve_avoided", "curve_spend"]]
        priced = xr.DataTree.from_dict({"stood": stood, "local": local, "total": curve})
        if len(shares) > 1:
            write_netcdf(priced, path)
            prune(path.parent, FILES_KEPT)
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
    level, avoided = (q.by_account(one).sel(account="social") for one in (left, saved))
    both = {"level": level + spend, "avoided": avoided}
    flat = {name: one.transpose("multiple", *SAMPLE_DIMS).values for name, one in both.items()}
    found = {name: one.reshape(len(one), -1).astype(np.float32) for name, one in flat.items()}
    return found | {"spend": spend.values, "multiple": spend["multiple"].values}


def __dir__() -> list[str]:
    return __all__
