"""Live answers: every change prices the whole posterior again, and nothing is computed twice.

Stages, each remembered while what it depends on is unchanged, so that a change repeats only what follows it:

1. ``drawn``: figures and effects, when the evidence changes;
2. ``unit``: a place's lives and costs at a reference sum, when the effect, the group or the horizon changes;
3. ``run``: everything that is in proportion to the children reached, at every change: the main page's numbers at
   once (:mod:`toolkit.apps.moves`), the tree that other pages and tables read only when one asks for it.

The economics are the toolkit's own: stage 2 is ``pricing``, and stage 3 only scales its draws, which is exact for one
area because avoided cost is proportional to the children reached, draw by draw, and for several within the tolerance of
:mod:`toolkit.apps.pooling`.
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

from toolkit import appraisal, costing, evidence, pathways, scenarios, workflow
from toolkit.apps.moves import Lines, Numbers, Terms, linear, weighed
from toolkit.apps.pooling import Pool, pool
from toolkit.pricing import Desk, Progress, each, programme, silent
from toolkit.records import assemble
from toolkit.report import answer
from toolkit.report import quantities as q
from toolkit.scenarios import Scenario
from toolkit.schema import BUSINESS_AS_USUAL, INVESTMENT, SAMPLE_DIMS, InputError

REFERENCE = {
    "option": {"spend_per_child": 20.0, "cut": False},
    "adjustments": {"optimism_bias": 0.0, "deadweight": 0.0, "displacement": 0.0, "attribution": 1.0},
}
KEPT = {"drawn": 4, "unit": 12, "run": 24, "preset": 20}  # at most, of each stage


@dataclass(frozen=True)
class Drawn:
    """What the evidence gives a scenario: its figures, their draws and the effects."""

    assumptions: pd.DataFrame
    draws: xr.Dataset
    effects: xr.Dataset


@dataclass(frozen=True)
class Unit:
    """A place's costs at the reference sum, without the programme's own; everything here is linear in reach.

    Attributes
    ----------
    here
        Base-year statistics of its areas.
    saved, before
        Worth of events avoided (node, component, event_year, chain, draw) and ``benefit_before`` (node, before,
        component, chain, draw), with each child of a stand-in reached.
    lines
        What the main page draws of ``saved``.
    curve
        ``level``, spend and cost on the curve, and ``avoided`` of it (multiple, draw), social account.
    seen
        Multiples of today's spend that areas have seen.
    tree
        What does not move with the sum.
    reached
        Children reached at the reference sum (area, chain, draw).
    """

    here: xr.Dataset
    pool: Pool
    saved: xr.DataArray
    before: xr.DataArray | None
    terms: Terms
    lines: Lines
    curve: dict[str, np.ndarray]
    tree: xr.DataTree
    reached: xr.DataArray
    payers: list[str]
    where: str
    seen: tuple[float, float] | None


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
        self.cache, self._memory = cache, Memory()
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

    def drawn(self, scenario: Scenario) -> Drawn:
        """Return the scenario's figures and effects as draws."""
        parts = scenario.model_dump(mode="json", include={"overrides", "outcomes", "seed", "draws", "chains"})
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
        few = xr.Dataset(coords={"chain": [0], "draw": [0, 1]})
        assumptions = scenarios.resolve(scenario, self.register)
        evidence.sample(assumptions, like=few, seed=scenario.seed, price_base=scenario.price_base)

    def _draw(self, scenario: Scenario) -> Drawn:
        assumptions = scenarios.resolve(scenario, self.register)
        like = self.fitted["posterior"].to_dataset()
        draws = workflow.draw_figures(scenario, assumptions, self.register, like=like)
        effects = workflow.draw_effects(self.fitted, self.statistics, scenario, draws, self.register)
        return Drawn(assumptions, draws, effects)

    def run(self, scenario: Scenario, areas: tuple[str, ...], progress: Progress = silent) -> "LiveRun":
        """Return the scenario priced and appraised for areas, draw by draw, as ``workflow.run`` would."""
        return self._memory.get("run", (scenario.hash, areas), lambda: self._run(scenario, areas, progress))

    def ready(self, scenario: Scenario, areas: tuple[str, ...]) -> bool:
        """Return whether a scenario's numbers take no time to speak of."""
        return self._memory.holds("unit", (_at_reference(scenario).hash, areas))

    def full_run(self, scenario: Scenario, areas: tuple[str, ...], progress: Progress = silent) -> workflow.Run:
        """Return the command's own run, with everything that its files hold."""
        return workflow.run(
            scenario, areas=areas, cache=self.cache, statistics=self.statistics, progress=progress
        )  # fmt: skip

    def _run(self, scenario: Scenario, areas: tuple[str, ...], progress: Progress) -> "LiveRun":
        drawn, unit = self.drawn(scenario), self.unit(scenario, areas, progress)
        return LiveRun(scenario, drawn, unit, self.card, self.register.excluded)

    def unit(self, scenario: Scenario, areas: tuple[str, ...], progress: Progress = silent) -> Unit:
        """Return the areas' costs at the reference sum."""
        at = _at_reference(scenario)
        return self._memory.get("unit", (at.hash, areas), lambda: self._unit(at, areas, progress))

    def _unit(self, scenario: Scenario, areas: tuple[str, ...], progress: Progress) -> Unit:
        drawn, here = self.drawn(scenario), self.base_year.sel(area=list(areas))
        sums = scenario.option.spend_per_child * here["population_0_17"]
        reached = pathways.children_reached(sums, drawn.draws, here, scenario.option)
        desk = Desk(self.fitted, self.statistics, scenario, drawn.draws, drawn.effects, self.register)
        stands, total, local = pool(here, scenario.option), _Total(), []
        priced = each(desk.area, list(areas), "price areas", progress)
        for shares, (summed, own) in zip(stands.shares, priced, strict=True):
            total.add(summed, own["children_reached"], shares)
            local.append(own)
        costs = xr.concat(local, xr.Variable("area", list(areas)), coords="minimal", compat="override")
        costs = costs.merge(total.curve).assign_coords(costing.labels(desk.rows))
        tree = assemble(
            scenario, drawn.assumptions, self.fitted, drawn.draws, drawn.effects,
            costs.assign(lives=costs["children_reached"]), xr.Dataset(), self.card, list(areas), self.statistics,
        )  # fmt: skip
        terms, saved = Terms.of(desk), desk.labelled(total.saved)
        found = [linear(one, terms) for one in saved]
        plain = workflow.Run(tree, scenario, pd.DataFrame(), pd.DataFrame({"passed": []}), pd.DataFrame(), {})
        return Unit(
            here, stands, saved, total.before, terms, Lines.of_nodes(found), _curve(plain), tree,
            reached.transpose("area", *SAMPLE_DIMS), found[0]["payer"].values.tolist(), answer.place(plain),
            q.spend_range(plain),
        )  # fmt: skip


def _at_reference(scenario: Scenario) -> Scenario:
    return scenarios.change(scenario, **REFERENCE)


class _Total:
    """What is added up over areas: the curve, and under their stand-ins' shares what a child reached saves."""

    saved: Any = None
    before: Any = None
    curve: Any = 0.0

    def add(self, summed: xr.Dataset, reached: xr.DataArray, shares: np.ndarray) -> None:
        cost = summed["cost"].transpose("option", "component", "event_year", *SAMPLE_DIMS)
        saved = cost.sel(option=BUSINESS_AS_USUAL, drop=True) - cost.sel(option=INVESTMENT, drop=True)
        self.saved = _shared(self.saved, saved / reached, shares)
        if "benefit_before" in summed:
            self.before = _shared(self.before, summed["benefit_before"] / reached, shares)
        self.curve = self.curve + summed[["curve_avoided", "curve_spend"]]


def _shared(total: xr.DataArray | None, part: xr.DataArray, shares: np.ndarray) -> xr.DataArray:
    """Add a part to the totals of stand-ins (node, ...)."""
    if total is None:
        total = xr.zeros_like(part, dtype=np.float32).expand_dims(node=len(shares)).copy()
    for node, share in enumerate(shares.astype(np.float32)):
        total.values[node] += share * part.values
    return total


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


@dataclass(frozen=True)
class LiveRun:
    """A scenario priced for a place: its numbers at once, and what a report reads of a run when that is asked for."""

    scenario: Scenario
    drawn: Drawn
    unit: Unit
    report_card: pd.DataFrame
    excluded: pd.DataFrame

    @property
    def assumptions(self) -> pd.DataFrame:
        """The scenario's figures."""
        return self.drawn.assumptions

    @property
    def timings(self) -> dict[str, tuple[float, float]]:
        """None were taken."""
        return {}

    @property
    def passed(self) -> bool:
        """Whether every check of the fitted model passed."""
        return bool(self.report_card["passed"].all())

    @property
    def _kept(self) -> float:
        """Return the share of a change that counts in the year of entry; ``pathways.additional`` says it by year."""
        return float(pathways.additional(self.scenario.adjustments)[0])

    @cached_property
    def _sums(self) -> xr.DataArray:
        """Return what is spent a year in each area (area), GBP; negative for a cut."""
        option = self.scenario.option
        return (-1.0 if option.cut else 1.0) * option.spend_per_child * self.unit.here["population_0_17"]

    @cached_property
    def _reach(self) -> np.ndarray:
        """Return the children whom the sum reaches of each child of a stand-in (node, draw)."""
        option = self.scenario.option
        pounds = -option.spend_per_child if option.cut else option.spend_per_child
        return self.unit.pool.reach(pounds, self.drawn.draws, option).astype(np.float32)

    @cached_property
    def _programme(self) -> np.ndarray:
        """Return what the programme costs each year, real, GBP; negative for a cut."""
        usual, option = programme(self.scenario, float(self._sums.sum())).values
        return np.asarray(option - usual)

    @cached_property
    def numbers(self) -> Numbers:
        """What the main page shows."""
        kept, curve = np.float32(self._kept), self.unit.curve
        return Numbers(
            self.unit.lines.at(self._reach * kept),
            self._programme,
            np.cumsum(self._programme * self.unit.terms.worth),
            np.abs(weighed(self._reach, self.unit.pool.shares.sum(0))),
            curve["level"] - kept * curve["avoided"],
            self.scenario.option.cut,
        )

    @cached_property
    def tree(self) -> xr.DataTree:
        """What the report's tables and sentences read of a run, without the yearly arrays that only its files hold."""
        unit, kept, option = self.unit, np.float32(self._kept), self.scenario.option
        reach = self._reach.reshape(-1, *unit.reached.shape[1:])
        saved = unit.saved.isel(node=0).copy(data=weighed(unit.saved.values, reach * kept))
        reached = pathways.children_reached(self._sums, self.drawn.draws, unit.here, option).astype(np.float32)
        costs, lives = unit.tree["costs"].to_dataset(), unit.tree["lives"].to_dataset()
        costs["benefit_by_area"] = costs["benefit_by_area"] * (kept * reached / unit.reached).astype(np.float32)
        costs["curve_avoided"] = costs["curve_avoided"] * kept
        if unit.before is not None:  # before those adjustments by which a change is kept
            weights = xr.DataArray(reach, dims=("node", *SAMPLE_DIMS))
            costs["benefit_before"] = (unit.before * weights).sum("node")
        tree = xr.DataTree.from_dict(
            {
                "/appraisal": _appraisal(linear(saved, unit.terms), self._programme, unit.terms.worth, cut=option.cut),
                "/costs": costs,
                "/lives": lives[["children_entering"]].assign(children_reached=reached),
                "/effects": self.drawn.effects,
                "/posterior": unit.tree["posterior"].to_dataset()[["baseline_rate"]],
                "/assumptions/draws": self.drawn.draws,
            }
        )
        tree.attrs = unit.tree.attrs
        return tree


def _appraisal(found: xr.Dataset, paid: np.ndarray, factors: np.ndarray, *, cut: bool) -> xr.Dataset:
    """Return what ``appraise`` would, from what is avoided (:func:`toolkit.apps.moves.linear`) and the programme."""
    money = {"units": "GBP", "price_base": found.attrs["price_base"]}
    spent = xr.DataArray(paid, coords={"year": found["year"]}, attrs=money)
    worth = spent * factors
    single = worth.astype(np.float32)
    payer = (found["payer"] == q.COUNCIL).astype(np.float32)
    avoided = found["benefit"].sum(["outcome", "payer"])
    cost = xr.full_like(avoided.isel(account=0, drop=True), float(worth.sum())).assign_attrs(money)
    ratio = appraisal.benefit_cost_ratio(avoided, cost)
    net = found["worth"] - single
    back = appraisal.payback_year(net)
    cash = found["cashable_net_position"] - spent.astype(np.float32) * payer
    council = appraisal.discounted(cash.sel(payer=q.COUNCIL, drop=True), schedule=found.attrs["schedule"])
    council_back = appraisal.payback_year(council)
    if cut:  # which saves first and costs later, so that "paid back" says nothing of it
        ahead = net.cumsum("year").assign_coords(year=net["year"]) >= 0
        found["probability_ahead"] = ahead.mean(SAMPLE_DIMS)
    return found.drop_vars("worth").assign(
        net_position=found["net_position"] - spent.astype(np.float32) * payer,
        net_position_discounted=found["net_position_discounted"] - single * payer,
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
