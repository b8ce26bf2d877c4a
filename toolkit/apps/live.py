"""Live answers: every change prices the whole posterior again, and nothing is computed twice.

Stages, each remembered while what it depends on is unchanged, so that a change repeats only what follows it:

1. ``drawn``: figures and effects, when the evidence changes;
2. ``unit``: one area's lives and costs at a reference sum, when the effect, the group or the horizon changes;
3. ``run``: everything that is in proportion to the children reached, at every change.

The economics are the toolkit's own: stage 2 is ``pricing`` and ``appraise``, and stage 3 only scales their
draws, which is exact because avoided cost is proportional to the children reached, draw by draw.
"""

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from toolkit import appraisal, changes, evidence, pathways, scenarios, workflow
from toolkit.places import yearly_sum
from toolkit.pricing import Progress, price, programme, silent
from toolkit.records import assemble, open_netcdf
from toolkit.report import quantities as q
from toolkit.scenarios import Scenario
from toolkit.schema import BUSINESS_AS_USUAL, INVESTMENT, SAMPLE_DIMS, InputError

REFERENCE = {
    "option": {"spend_per_child": 20.0, "cut": False},
    "adjustments": {"optimism_bias": 0.0, "deadweight": 0.0, "displacement": 0.0, "attribution": 1.0},
}
KEPT = {"drawn": 4, "unit": 12, "run": 24, "curve": 24, "preset": 20, "fit": 2}  # at most, of each stage


class NeedsFit(InputError):
    """Changed priors move the posterior too far for its draws to be weighed: only a new fit can tell."""


@dataclass(frozen=True)
class Drawn:
    """What the evidence gives a scenario: its figures, their draws and the effects."""

    assumptions: pd.DataFrame
    draws: xr.Dataset
    effects: xr.Dataset


@dataclass(frozen=True)
class Unit:
    """One area's costs at the reference sum, without the programme's own; everything here is linear in reach."""

    tree: xr.DataTree
    result: xr.Dataset
    by_account: xr.DataArray
    reached: xr.DataArray


class Memory:
    """Remembers what was made, the latest used first to stay; one maker a key, others wait for it."""

    def __init__(self, kept: dict[str, int] = KEPT) -> None:
        self._kept, self._guard = kept, threading.Lock()
        self._held: dict[str, OrderedDict[Hashable, Any]] = {stage: OrderedDict() for stage in kept}
        self._locks: dict[tuple[str, Hashable], threading.Lock] = {}

    def get[T](self, stage: str, key: Hashable, make: Callable[[], T]) -> T:
        """Return what ``make`` gives, made once."""
        with self._guard:
            lock = self._locks.setdefault((stage, key), threading.Lock())
        with lock:
            held = self._held[stage]
            made: T = held[key] if key in held else make()
            with self._guard:
                held[key] = made
                held.move_to_end(key)
                while len(held) > self._kept[stage]:
                    self._locks.pop((stage, held.popitem(last=False)[0]), None)
            return made


class Live:
    """The fitted evidence of one process, shared read-only by all its sessions."""

    def __init__(
        self, cache: Path, *, statistics: xr.Dataset | None = None, base: Scenario | None = None,
        progress: Progress = silent,
    ) -> None:  # fmt: skip
        self.register = evidence.load_register()
        self.statistics = evidence.load_statistics() if statistics is None else statistics
        self.reference = evidence.reference_areas()
        self.base = scenarios.load("family_help") if base is None else base
        self.cache, self.refits, self._memory = cache, cache / "refits", Memory()
        self.fitted = workflow.fit(self.statistics, self.base, self.register, cache=cache, progress=progress)
        self.card = pd.DataFrame(json.loads(str(self.fitted.attrs["report_card"])))
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

    def fitted_for(self, scenario: Scenario) -> xr.DataTree:
        """Return the fit under the scenario's priors: weighed draws where they will do, else a fit made before.

        Raises
        ------
        NeedsFit
            Where there is neither.
        """
        if not changes.moved(scenario, self.register):
            return self.fitted
        key = workflow.fit_path(self.statistics, scenario, self.register, cache=self.refits)
        return self._memory.get("fit", key, lambda: self._changed_fit(scenario, key))

    def _changed_fit(self, scenario: Scenario, path: Path) -> xr.DataTree:
        found = changes.weighed(self.fitted, scenario, self.register)
        if isinstance(found, xr.DataTree):
            return found
        if path.is_file():
            return open_netcdf(path)
        raise NeedsFit(
            f"priors: the change moves the fit too far for its draws to be weighed (Pareto k-hat {found.shape:.2f}, "
            f"{found.effective:,.0f} effective draws; below 0.7 and {found.least:,.0f} or more are needed). "
            "Mend: fit the model anew, or change the priors less."
        )

    def drawn(self, scenario: Scenario) -> Drawn:
        """Return the scenario's figures and effects as draws."""
        evidence_of = {"overrides", "outcomes", "seed", "draws", "chains", "priors", "studies", "left_out"}
        parts = scenario.model_dump(mode="json", include=evidence_of)
        key = json.dumps(
            [parts, scenario.option.cost_per_family, scenario.effect.family_group_conferencing], sort_keys=True
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
            raise InputError("seed, draws and chains are those of the fit. Mend: run the command for others.")
        if scenario.cash_step:  # its cash is not in proportion to the children reached, which every page relies on
            raise InputError("cash_step: the dashboard takes the cited share. Mend: run the command for whole steps.")
        changes.check_studies(scenario, self.register)
        evidence.own_figures(self.base_year, scenario.own_figures, self.register.deflators)
        few = xr.Dataset(coords={"chain": [0], "draw": [0, 1]})
        assumptions = scenarios.resolve(scenario, self.register)
        evidence.sample(assumptions, like=few, seed=scenario.seed, price_base=scenario.price_base)

    def _draw(self, scenario: Scenario) -> Drawn:
        assumptions = scenarios.resolve(scenario, self.register)
        fitted = self.fitted_for(scenario)
        like = fitted["posterior"].to_dataset()
        draws = workflow.draw_figures(scenario, assumptions, self.register, like=like)
        effects = workflow.draw_effects(fitted, self.statistics, scenario, draws, self.register)
        return Drawn(assumptions, draws, effects)

    def run(self, scenario: Scenario, areas: tuple[str, ...], progress: Progress = silent) -> workflow.Run:
        """Return the scenario priced and appraised for areas, draw by draw, as ``workflow.run`` would.

        Without the yearly arrays by component that only the files hold (``workflow.run`` makes those), but
        with everything that the report's tables and sentences read.
        """
        return self._memory.get("run", (scenario.hash, areas), lambda: self._run(scenario, areas, progress))

    def full_run(self, scenario: Scenario, areas: tuple[str, ...], progress: Progress = silent) -> workflow.Run:
        """Return the command's own run, with everything that its files hold."""
        return workflow.run(
            scenario, areas=areas, cache=self.cache, statistics=self.statistics, progress=progress,
            fitted=self.fitted_for(scenario),
        )  # fmt: skip

    def _run(self, scenario: Scenario, areas: tuple[str, ...], progress: Progress) -> workflow.Run:
        drawn, unit = self.drawn(scenario), self.unit(scenario, areas, progress)
        kept = _kept(scenario)
        key = (self._reference(scenario, areas).hash, areas, kept)
        own = evidence.own_figures(self.base_year, scenario.own_figures, self.register.deflators)
        parts = _at_this_sum(unit, drawn, scenario, evidence.with_own(self.base_year, own).sel(area=list(areas)))
        parts["/curve"] = self._memory.get("curve", key, lambda: _curve(parts, unit, scenario))
        tree = xr.DataTree.from_dict(parts)
        tree.attrs = unit.tree.attrs
        assumptions, card = evidence.own_rows(drawn.assumptions, own), workflow.card_of(self.fitted_for(scenario))
        return workflow.Run(tree, scenario, assumptions, card, self.register.excluded, {})

    def _reference(self, scenario: Scenario, areas: tuple[str, ...]) -> Scenario:
        # Reach bends at a different sum in every area, so that a total over areas is not in proportion to it.
        plain = scenario if len(areas) > 1 else scenarios.change(scenario, option=REFERENCE["option"])
        return scenarios.change(plain, adjustments=REFERENCE["adjustments"])

    def unit(self, scenario: Scenario, areas: tuple[str, ...], progress: Progress = silent) -> Unit:
        """Return the areas' costs at the reference sum."""
        at = self._reference(scenario, areas)
        return self._memory.get("unit", (at.hash, areas), lambda: self._unit(at, areas, progress))

    def _unit(self, scenario: Scenario, areas: tuple[str, ...], progress: Progress) -> Unit:
        drawn, fitted = self.drawn(scenario), self.fitted_for(scenario)
        priced = price(
            fitted, self.statistics, scenario, drawn.draws, drawn.effects, self.register,
            areas=list(areas), progress=progress,
        )  # fmt: skip
        cost = priced["cost"]
        without = cost.where(cost["outcome"] != q.PROGRAMME, 0.0).assign_attrs(cost.attrs)
        result = workflow.appraise(priced.assign(cost=without), scenario, drawn.draws)
        saved = without.sel(option=BUSINESS_AS_USUAL, drop=True) - without.sel(option=INVESTMENT, drop=True)
        worth = appraisal.discounted(saved.assign_attrs(cost.attrs), schedule=scenario.discount_schedule)
        kept = priced.drop_vars(["cost", "lives"])
        kept["lives"] = priced["children_reached"] * 0.0
        tree = assemble(
            scenario, drawn.assumptions, fitted, drawn.draws, drawn.effects, kept, result, workflow.card_of(fitted),
            list(areas), self.statistics,
        )  # fmt: skip
        linear = result[["benefit", "net_position", "net_position_discounted", "cashable_net_position"]]
        return Unit(
            tree,
            linear.transpose(..., *SAMPLE_DIMS).astype(np.float32).assign_attrs(result.attrs),
            q.by_account(worth).transpose("account", *SAMPLE_DIMS, "year").astype(np.float32),
            priced["children_reached"],
        )


def _kept(scenario: Scenario) -> float:
    """Return the share of a change that counts in the year of entry; ``pathways.additional`` says it year by year."""
    return float(pathways.additional(scenario.adjustments)[0])


def _curve(parts: dict[str, xr.Dataset], unit: Unit, scenario: Scenario) -> xr.Dataset:
    """Return the spend-cost curve of the social account, reduced: it does not move with the sum."""
    tree = xr.DataTree.from_dict({name: parts[name] for name in ("/costs", "/appraisal")})
    tree.attrs = unit.tree.attrs
    run = workflow.Run(tree, scenario, pd.DataFrame(), pd.DataFrame({"passed": []}), pd.DataFrame(), {})
    found = q.curve(run)
    net = found["net"].sel(account="social", source=scenario.effect.source, drop=True)
    return appraisal.summarise(net.astype(np.float32)).assign(spend=found["spend"])


def _at_this_sum(unit: Unit, drawn: Drawn, scenario: Scenario, areas: xr.Dataset) -> dict[str, xr.Dataset]:
    """Scale a unit's draws to the children whom the scenario's sum reaches, and set the programme against them."""
    kept = _kept(scenario)
    reached, factor = unit.reached, xr.full_like(unit.reached.isel(area=0, drop=True), 1.0)
    spend = sum(yearly_sum(scenario, areas.sel(area=area)) for area in areas["area"].values)
    if areas.sizes["area"] == 1:
        here = areas.isel(area=0, drop=True)
        children = pathways.children_reached(spend, drawn.draws, here, scenario.option).transpose(*SAMPLE_DIMS)
        factor = (children / unit.reached.isel(area=0, drop=True)).astype(np.float32)
        reached = children.expand_dims(area=areas["area"].values).astype(np.float32)
    costs = unit.tree["costs"].to_dataset()
    if "benefit_before" in costs:  # before those adjustments by which a change is kept
        costs["benefit_before"] = costs["benefit_before"] * factor
    factor = factor * np.float32(kept)
    costs = costs.assign(
        benefit_by_area=costs["benefit_by_area"] * factor,
        curve_avoided=costs["curve_avoided"] * np.float32(kept),
    )
    return {
        "/appraisal": _appraisal(unit, factor, programme(scenario, spend), scenario),
        "/costs": costs,
        "/lives": unit.tree["lives"].to_dataset()[["children_entering"]].assign(children_reached=reached),
        "/effects": drawn.effects,
        "/posterior": unit.tree["posterior"].to_dataset()[["baseline_rate"]],
        "/assumptions/draws": drawn.draws,
    }


def _appraisal(unit: Unit, factor: xr.DataArray, spending: xr.DataArray, scenario: Scenario) -> xr.Dataset:
    """Return what ``appraise`` would of the scaled costs, from arrays that are in proportion to them."""
    money = {"units": "GBP", "price_base": scenario.price_base}
    discount = {"schedule": scenario.discount_schedule, "timing": unit.result.attrs["timing"]}
    spent = spending.sel(option=INVESTMENT, drop=True) - spending.sel(option=BUSINESS_AS_USUAL, drop=True)
    worth = appraisal.discounted(spent.assign_attrs(money), **discount).astype(np.float32)
    scaled = (unit.result * factor).assign_attrs(unit.result.attrs)
    payer = (scaled["payer"] == q.COUNCIL).astype(np.float32)
    cost = xr.full_like(factor, float(worth.sum()))
    avoided = scaled["benefit"].sum(["outcome", "payer"])
    ratio = appraisal.benefit_cost_ratio(avoided, cost)
    net = (unit.by_account * factor - worth).assign_attrs(money)
    back = appraisal.payback_year(net)
    cash = scaled["cashable_net_position"] - spent.astype(np.float32) * payer
    council = appraisal.discounted(cash.sel(payer=q.COUNCIL, drop=True).assign_attrs(money), **discount)
    council_back = appraisal.payback_year(council)
    if scenario.option.cut:  # which saves first and costs later, so that "paid back" says nothing of it
        ahead = net.cumsum("year").assign_coords(year=net["year"]) >= 0
        scaled["probability_ahead"] = ahead.mean(SAMPLE_DIMS)
    return scaled.assign(
        net_position=scaled["net_position"] - spent.astype(np.float32) * payer,
        net_position_discounted=scaled["net_position_discounted"] - worth * payer,
        cashable_net_position=cash,
        npsv=avoided - cost,
        programme_cost=cost,
        programme_by_year=spent,
        bcr=ratio["ratio"],
        bcr_lower=ratio["lower"],
        bcr_upper=ratio["upper"],
        bcr_probability_above_one=ratio["probability_above_one"],
        payback_year=back,
        probability_paid_back=appraisal.probability_paid_back(back, net["year"]),
        council_payback_year=council_back,
        council_probability_paid_back=appraisal.probability_paid_back(council_back, council["year"]),
    )
