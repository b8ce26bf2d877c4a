"""Live answers: every change prices the whole posterior again, and nothing is computed twice.

Each stage is remembered while its inputs are unchanged, so that a change repeats only the stages after it:

1. ``drawn``: figures and effects, when the evidence or what is bought changes;
2. ``unit``: a place's lives and costs at a reference sum, when the proportions of the plan, the effect or the horizon
   change;
3. ``run``: everything in proportion to the sum, at every change: the main page's numbers at once
   (:mod:`toolkit.apps.engine.sums`), and the tree behind other pages and tables only when one of them reads it.

The economics are the toolkit's own: stage 2 is ``pricing``, and stage 3 only scales its draws
(:mod:`toolkit.apps.engine.scaled_run`).
"""

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence
from contextvars import ContextVar
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from toolkit import changes, costing, evidence, plans, scenarios, workflow
from toolkit.apps.engine.scaled_run import Drawn, LiveRun, Probe, Unit, at_reference, size_of
from toolkit.apps.engine.sums import Lines, Terms, linear
from toolkit.code_hash import package_hash
from toolkit.measures import headline
from toolkit.measures import quantities as q
from toolkit.origins import flagged
from toolkit.pricing import dependence
from toolkit.pricing.areas import Progress, added_up, silent
from toolkit.pricing.desk import Desk
from toolkit.records import assemble, fingerprint, open_cached, prune, versions, write_netcdf
from toolkit.resolved import ResolvedScenario, resolve
from toolkit.scenarios import BASE, PlanPart, Scenario
from toolkit.schema import BUSINESS_AS_USUAL, INVESTMENT, SAMPLE_DIMS, InputError, data_folder

MOST_STORED = {
    "resolved": 24,
    "drawn": 4,
    "unit": 12,
    "run": 24,
    "preset": 20,
    "fit": 2,
    "probe": 4,
    "most": 50,
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
        self.base = scenarios.load(BASE) if base is None else base
        self.cache, self.refits, self._memory = cache, cache / "refits", Memory()
        self.fitted = workflow.fit(self.statistics, self.base, self.register, cache=cache, progress=progress)
        every = evidence.with_parts(self.statistics, evidence.whole_of())
        self.base_year = evidence.base_year(every).reset_coords(drop=True)

    @cached_property
    def places(self) -> dict[str, list[str]]:
        """Every place that can be chosen and its areas: England, the regions, the authorities by name."""
        reference = self.reference
        places = {"England": evidence.resolve_areas(reference, england=True)}
        for region in sorted(reference["region"].unique()):
            places[str(region)] = evidence.resolve_areas(reference, region=region)
        current = reference[reference["status"] == "current"].sort_values("la_name")
        places |= {str(row.la_name): [str(row.la_code)] for row in current.itertuples()}
        known = set(self.base_year["area"].values.tolist())
        fitted = {name: [area for area in areas if area in known] for name, areas in places.items()}
        return {name: areas for name, areas in fitted.items() if areas}

    def preset(self, name: str) -> Scenario:
        """Return a shipped scenario at the seed and the number of draws of the fit; of its own name, the base's."""
        base = self.base
        if name == base.name:
            return base

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
        evidence_of = {
            *("overrides", "outcomes", "seed", "draws", "chains", "priors", "studies", "left_out", "price_base"),
            *("effect", "own_programmes"),
        }
        parts = scenario.model_dump(mode="json", include=evidence_of)
        bought = sorted({(part.programme, part.cost) for part in scenario.plan})
        key = json.dumps([parts, bought, scenario.programmes], sort_keys=True)
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
        moved = assumptions[assumptions["overridden"] | assumptions.index.str.startswith("cost_")]
        evidence.sample(moved, like=few, seed=scenario.seed, price_base=scenario.price_base)

    def _draw(self, scenario: Scenario) -> Drawn:
        resolved, fitted = self.resolved(scenario), self.fitted_for(scenario)
        like = fitted["posterior"].to_dataset()
        draws = workflow.draw_figures(scenario, resolved.figures, self.register, like=like)
        effects = workflow.draw_effects(resolved, draws)
        studies = workflow.studies_of(resolved).rename_axis("study_row").to_xarray()
        return Drawn(flagged(resolved.figures, self.register), draws, effects, studies)

    def run(self, scenario: Scenario, areas: tuple[str, ...]) -> "LiveRun":
        """Return the scenario priced and appraised for areas, draw by draw, as ``workflow.run`` would."""
        return self._memory.get("run", (scenario.hash, areas), lambda: self._run(scenario, areas))

    def ready(self, scenario: Scenario, areas: tuple[str, ...]) -> bool:
        """Return whether a scenario's numbers take almost no time."""
        return self._memory.holds("unit", (at_reference(scenario).hash, areas))

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

        def probe(area: str | None) -> Probe:
            return self.probe(scenario, area or plain, areas)

        return LiveRun(scenario, drawn, unit, self.register.excluded, probe)

    def probe(self, scenario: Scenario, area: str, areas: tuple[str, ...]) -> Probe:
        """Return a scenario for one of its areas on draws in which one input at a time is moved."""
        at = at_reference(scenario)
        design, drawn, unit = self._memory.get("probe", (at.hash, area, areas), lambda: self._probe(at, area, areas))
        return Probe(design, LiveRun(scenario, drawn, unit, self.register.excluded))

    def _probe(self, scenario: Scenario, area: str, areas: tuple[str, ...]) -> tuple[dependence.Design, Drawn, Unit]:
        drawn, fitted = self.drawn(scenario), self.fitted_for(scenario)
        design = dependence.design(drawn.draws, drawn.effects, fitted["posterior"].to_dataset())
        moved = Drawn(drawn.assumptions, design.draws, design.effects, drawn.studies)
        tree = fitted.copy()
        tree["posterior"] = xr.DataTree(design.posterior)
        desk = self._desk(scenario, tree, moved, areas)
        return design, moved, self._unit_of(dependence.steadied(desk), moved, tree, (area,))

    def _desk(self, scenario: Scenario, fitted: xr.DataTree, drawn: Drawn, areas: tuple[str, ...]) -> Desk:
        resolved = replace(self.resolved(scenario), areas=areas)  # over which the sums of a plan are shared out
        return Desk(fitted, self.statistics, resolved, drawn.draws, drawn.effects)

    def here(self, scenario: Scenario, areas: Sequence[str]) -> xr.Dataset:
        """Return base-year statistics of areas, a council's own in place of published ones."""
        return evidence.with_own(self.base_year, self.resolved(scenario).own_figures).sel(area=list(areas))

    def check_plan(self, scenario: Scenario, areas: Sequence[str]) -> None:
        """Refuse a plan that cannot be bought in areas, as ``plans.check_plan`` does."""
        plans.check_plan(scenario, *self._limits(scenario), list(areas))

    def most_times(self, scenario: Scenario, areas: tuple[str, ...]) -> float:
        """Return by how much a plan's sums can be multiplied before ``check_plan`` refuses it."""
        at = at_reference(scenario)
        at = at.times(-1.0) if scenario.cut else at  # whose limit is also what is spent today

        def most() -> float:
            return plans.most_times(at, *self._limits(at), list(areas))

        return self._memory.get("most", (at.hash, areas), most) / abs(size_of(scenario))

    def converted(self, scenario: Scenario, part: PlanPart, basis: str, areas: Sequence[str]) -> PlanPart:
        """Return a part of a plan that spends the same in areas, with its sums given in another basis."""
        base, figures, programmes = self._limits(scenario)
        one = part.model_copy(update={part.basis: (), basis: tuple(1.0 for _ in part.sums)})

        def pounds(bought: PlanPart) -> np.ndarray:
            alone = scenario.model_copy(update={"plan": (bought,)})
            (purchase,) = plans.purchases(alone, base, plans.at_values(figures), programmes, areas)
            spent = purchase.pounds.sum([dim for dim in purchase.pounds.dims if dim != "year"])
            return np.asarray(spent.values)

        sums = pounds(part) / pounds(one)
        return one.model_copy(update={basis: tuple(float(f"{value:.6g}") for value in sums)})

    def _limits(self, scenario: Scenario) -> tuple[xr.Dataset, pd.DataFrame, pd.DataFrame]:
        """Return what a plan is checked against: statistics, figures and programmes."""
        resolved = self.resolved(at_reference(scenario))
        figures = plans.at_values(resolved.figures)
        spent = plans.counted(scenario, self.base_year, resolved.own_figures, figures, resolved.register.deflators)
        return spent, resolved.figures, resolved.register.tables["programmes"]

    def unit(self, scenario: Scenario, areas: tuple[str, ...]) -> Unit:
        """Return the costs of areas at the reference sum."""
        at = at_reference(scenario)
        return self._memory.get("unit", (at.hash, areas), lambda: self._unit(at, areas))

    def _unit(self, scenario: Scenario, areas: tuple[str, ...]) -> Unit:
        drawn, fitted = self.drawn(scenario), self.fitted_for(scenario)
        return self._unit_of(self._desk(scenario, fitted, drawn, areas), drawn, fitted, areas)

    def _unit_of(self, desk: Desk, drawn: Drawn, fitted: xr.DataTree, areas: tuple[str, ...]) -> Unit:
        scenario = desk.scenario
        priced = self._added_up(desk, list(areas))
        total, local = (priced[name].to_dataset() for name in ("total", "local"))
        curve = total[["curve_avoided", "curve_spend"]]
        costs = local.merge(curve).assign_coords(costing.labels(desk.rows))
        card = workflow.card_of(fitted)
        kept_out = total["care_avoided"].rename(event_year="year")
        kept_out = kept_out.reindex(year=range(scenario.horizon), fill_value=0.0)
        tree = assemble(
            scenario,
            drawn.assumptions,
            fitted,
            drawn.draws,
            drawn.effects,
            costs.assign(lives=costs["children_reached"], care_avoided=kept_out, spent_on=desk.spent_on(areas)),
            xr.Dataset(),
            card,
            list(areas),
            self.statistics,
        )
        tree.attrs["deflators"] = self.register.deflators.to_json()
        tree.attrs["discount_schedules"] = self.register.tables["discount_schedules"].to_json(orient="records")
        terms, saved = Terms.of(desk), desk.labelled(total["saved"])
        avoided = linear(saved, terms)
        plain = workflow.Run(tree, scenario, pd.DataFrame(), pd.DataFrame({"passed": []}), pd.DataFrame(), {})
        return Unit(
            self.here(scenario, areas),
            _paid(desk, areas),
            saved,
            total.get("benefit_before"),
            terms,
            Lines.of(avoided),
            _curve(plain),
            tree,
            avoided["payer"].values.tolist(),
            headline.place(plain),
            q.spend_range(plain),
            self.resolved(scenario).own_figures,
            card,
        )

    def _added_up(self, desk: Desk, areas: list[str]) -> xr.DataTree:
        """Price areas; several are read from a file of an earlier pricing if nothing that it depends on has changed."""
        path = self.cache / "priced" / f"{self._fingerprint(desk.scenario, areas)}.nc"
        if len(areas) > 1 and (cached := open_cached(path)) is not None:
            return cached
        total, _, local = added_up(desk, areas=areas, progress=PROGRESS.get())
        cost = total["cost"].transpose("option", "component", "event_year", *SAMPLE_DIMS)
        saved = cost.sel(option=BUSINESS_AS_USUAL, drop=True) - cost.sel(option=INVESTMENT, drop=True)
        kept = total.drop_vars(["cost", "lives"]).drop_dims(["option", "quantity"], errors="ignore")
        priced = xr.DataTree.from_dict({"total": kept.assign(saved=saved), "local": local})
        if len(areas) > 1:
            write_netcdf(priced, path)
            prune(path.parent, MOST_FILES)
        return priced

    def _fingerprint(self, scenario: Scenario, areas: list[str]) -> str:
        """Return a hash of what the pricing of areas rests on: scenario, fit, data, code and libraries."""
        fit = workflow.fit_path(self.statistics, self.resolved(scenario), cache=self.cache).name
        data = (data_folder() / "datapackage.json").read_bytes()
        libraries = versions("numpy", "scipy", "xarray", "numba")
        return fingerprint(libraries, data, package_hash(), [scenario.hash, areas, fit])


def _paid(desk: Desk, areas: Sequence[str]) -> np.ndarray:
    """Return what a plan costs in areas (funder, year, draw), or (funder, year, 1) where draws are alike, GBP."""
    spent = list(desk.pounds(areas).values())
    varying = any(set(SAMPLE_DIMS) <= set(part.dims) for part in spent)
    if varying:
        like = xr.zeros_like(desk.draws["children_per_family"])
        spent = [(part + like).transpose("year", *SAMPLE_DIMS) for part in spent]
    return np.stack([part.values.reshape(part.sizes["year"], -1) for part in spent])


def _curve(run: q.Run) -> dict[str, np.ndarray]:
    """Return the spend-cost curve of the social account, which does not move with the sum (multiple, draw)."""
    spend, saved = q.costs(run)["curve_spend"], q.priced(run, "curve_avoided")
    left = q.lifetime(run).sel(reading="excess", drop=True)
    level, avoided = (q.by_account(array).sel(account="social") for array in (left, saved))
    both = {"level": level + spend, "avoided": avoided}
    flat = {name: array.transpose("multiple", *SAMPLE_DIMS).values for name, array in both.items()}
    curves = {name: array.reshape(len(array), -1).astype(np.float32) for name, array in flat.items()}
    return curves | {"spend": spend.values, "multiple": spend["multiple"].values}
