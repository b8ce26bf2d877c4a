"""A scenario at any sum, scaled from what its place saves and costs at a reference sum: the run that the pages read.

Scaling is exact for one area, because avoided cost is proportional to the children reached, draw by draw, and for
several within the tolerance of :mod:`toolkit.pricing.representative_areas`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import xarray as xr

from toolkit import appraisal, evidence, pathways
from toolkit.appraisal.present_values import running_total_back
from toolkit.apps.engine.sums import Lines, Numbers, Terms, linear, weighed
from toolkit.measures import quantities as q
from toolkit.pricing.dependence import Design
from toolkit.pricing.place import yearly_sum
from toolkit.pricing.representative_areas import Pool, Reach
from toolkit.scenarios import Scenario
from toolkit.schema import SAMPLE_DIMS


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
    reach, children
        What a sum reaches of the stand-ins of ``pool``, and children aged 0 to 17 in all areas.
    paid
        What each pound a year of the sum costs in every year, with no optimism bias.
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
    own, card
        A council's own figures, from ``evidence.own_figures``, and the checks of the fit.
    """

    here: xr.Dataset
    pool: Pool
    reach: Reach
    children: float
    paid: np.ndarray
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
    own: pd.DataFrame
    card: pd.DataFrame

    @property
    def nbytes(self) -> int:
        """What grows with the areas and the draws, in bytes."""
        parts = (self.saved, self.before, self.reached)
        return sum(part.nbytes for part in parts if part is not None)


@dataclass(frozen=True)
class LiveRun:
    """A scenario priced for a place: its numbers at once, and what a report reads of a run when that is asked for.

    ``probe`` returns the same scenario for one of its areas, or a named one, with one input moved at a time.
    """

    scenario: Scenario
    drawn: Drawn
    unit: Unit
    excluded: pd.DataFrame
    probe: "Callable[[str | None], Probe] | None" = None

    @property
    def report_card(self) -> pd.DataFrame:
        """Checks of the fit."""
        return self.unit.card

    @cached_property
    def assumptions(self) -> pd.DataFrame:
        """The scenario's figures, and a council's own."""
        return evidence.own_rows(self.drawn.assumptions, self.unit.own)

    @property
    def timings(self) -> dict[str, tuple[float, float]]:
        """No stage is timed."""
        return {}

    @property
    def passed(self) -> bool:
        """Whether every check of the fitted model passed."""
        return bool(self.report_card["passed"].all())

    @property
    def _kept(self) -> float:
        """Return the share of a change that counts in the year of entry; ``pathways.additional`` has it by year."""
        return float(pathways.additional(self.scenario.adjustments)[0])

    @cached_property
    def _sums(self) -> xr.DataArray:
        """Return what is spent a year in each area (area), GBP; negative for a cut."""
        return yearly_sum(self.scenario, self.unit.here)

    @cached_property
    def _reach(self) -> np.ndarray:
        """Return the children whom the sum reaches of each child of a stand-in (node, draw)."""
        return self.unit.reach.at(self.scenario.option.pounds).astype(np.float32)

    @cached_property
    def _programme(self) -> np.ndarray:
        """Return what the programme costs each year, real, GBP; negative for a cut."""
        scenario = self.scenario
        return self.unit.paid * (scenario.option.pounds * self.unit.children * (1.0 + scenario.optimism))

    @cached_property
    def numbers(self) -> Numbers:
        """The numbers of the main page."""
        kept, unit, curve = np.float32(self._kept), self.unit, self.unit.curve
        changed, cost = self._reach * kept, np.cumsum(self._programme * unit.terms.worth)
        return Numbers(
            unit.lines.at(changed),
            self._programme,
            cost,
            np.abs(weighed(self._reach, unit.pool.shares.sum(0))),
            curve["level"] - kept * curve["avoided"],
            unit.lines.back(changed, cost, cut=self.scenario.option.cut),
            unit.payers,
            self.scenario.option.funder,
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
                "/appraisal": _appraisal(linear(saved, unit.terms), self._programme, unit.terms, cut=option.cut),
                "/costs": costs,
                "/lives": lives[["children_entering"]].assign(children_reached=reached),
                "/effects": self.drawn.effects,
                "/posterior": unit.tree["posterior"].to_dataset()[["baseline_rate"]],
                "/assumptions/draws": self.drawn.draws,
            }
        )
        tree.attrs = unit.tree.attrs
        return tree


@dataclass(frozen=True)
class Probe:
    """A run on draws in which one input at a time is moved, and where each is."""

    design: Design
    run: LiveRun


def _appraisal(avoided_values: xr.Dataset, paid: np.ndarray, terms: Terms, *, cut: bool) -> xr.Dataset:
    """Return what ``appraise`` would, from what is avoided (``sums.linear``) and the programme."""
    money = {"units": "GBP", "price_base": avoided_values.attrs["price_base"]}
    spent = xr.DataArray(paid, coords={"year": avoided_values["year"]}, attrs=money)
    worth = spent * terms.worth
    single = worth.astype(np.float32)
    payer = (avoided_values["payer"] == terms.funder).astype(np.float32)
    avoided = avoided_values["benefit"].sum(["outcome", "payer"])
    cost = xr.full_like(avoided.isel(account=0, drop=True), float(worth.sum())).assign_attrs(money)
    net = avoided_values["worth"] - single
    cash = avoided_values["cashable_net_position"] - spent.astype(np.float32) * payer
    council_flows = cash.sel(payer=q.COUNCIL, drop=True)
    council = appraisal.discounted(council_flows, schedule=terms.schedule, schedules=terms.schedules)
    if cut:  # which saves first and costs later, so that "paid back" says nothing of it
        ahead = running_total_back(net)
        avoided_values["ahead"], avoided_values["probability_ahead"] = ahead, ahead.mean(SAMPLE_DIMS)
    changed = {
        "net_position": avoided_values["net_position"] - spent.astype(np.float32) * payer,
        "net_position_discounted": avoided_values["net_position_discounted"] - single * payer,
        "cashable_net_position": cash,
        "programme_by_year": spent,
    }
    return avoided_values.drop_vars("worth").assign(changed | appraisal.value_and_payback(avoided, cost, net, council))
