"""A plan at any sum, scaled from what its place saves and costs at a reference sum: the run that the pages read.

Scaling is exact, because all that a plan costs and avoids is in proportion to its sums, draw by draw.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import xarray as xr

from toolkit import appraisal, evidence, pathways
from toolkit.appraisal.present_values import running_total_back
from toolkit.apps.engine.sums import Lines, Numbers, Terms, linear
from toolkit.measures import quantities as q
from toolkit.pricing.dependence import Design
from toolkit.scenarios import Adjustments, Scenario
from toolkit.schema import SAMPLE_DIMS

DIGITS = 12  # kept of sums at the reference, so that rounding of the sums makes no other plan


def size_of(scenario: Scenario) -> float:
    """Return by how much a scenario's sums are those of its reference: the first sum of its plan, below 0 of a cut."""
    return next(value for value in scenario.plan[0].sums if value)


def at_reference(scenario: Scenario) -> Scenario:
    """Return a scenario at the sum that all with the same proportions share, without what only scales."""
    size, rest = size_of(scenario), Adjustments(drop_off=scenario.adjustments.drop_off)
    plan = [
        part.model_copy(update={part.basis: tuple(float(f"{value / size:.{DIGITS}g}") for value in part.sums)})
        for part in scenario.plan
    ]
    return scenario.model_copy(update={"plan": tuple(plan), "adjustments": rest})


@dataclass(frozen=True)
class Drawn:
    """What the evidence gives a scenario: its figures, their draws, the effects and the studies behind them."""

    assumptions: pd.DataFrame
    draws: xr.Dataset
    effects: xr.Dataset
    studies: xr.Dataset


@dataclass(frozen=True)
class Unit:
    """A place's costs at the reference sum, without the plan's own; everything here is in proportion to the sum.

    Attributes
    ----------
    here
        Base-year statistics of its areas.
    paid
        What the plan costs, without optimism bias (funder, year, draw), or (funder, year, 1), GBP.
    saved, before
        Worth of events avoided (component, event_year, chain, draw) and ``benefit_before`` (before, component, chain,
        draw).
    lines
        What the main page draws of ``saved``.
    curve
        ``level``, spend and cost on the curve, and ``avoided`` of it (multiple, draw), social account: these do not
        move with the sum.
    seen
        Multiples of today's spend that areas have seen.
    tree
        Of a run at the reference, with what moves with the sum and what does not.
    own, card
        A council's own figures, from ``evidence.own_figures``, and the checks of the fit.
    """

    here: xr.Dataset
    paid: np.ndarray
    saved: xr.DataArray
    before: xr.DataArray | None
    terms: Terms
    lines: Lines
    curve: dict[str, np.ndarray]
    tree: xr.DataTree
    payers: list[str]
    where: str
    seen: tuple[float, float] | None
    own: pd.DataFrame
    card: pd.DataFrame

    @property
    def nbytes(self) -> int:
        """What grows with the areas and the draws, in bytes."""
        parts = (self.saved, self.before, *self.tree["costs"].data_vars.values())
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

    @cached_property
    def programmes(self) -> list[str]:
        """What readers call each programme of the plan."""
        return [str(label) for label in self.drawn.effects["label"].values]

    @property
    def _kept(self) -> float:
        """Return the share of a change that counts in the year of entry; ``pathways.additional`` has it by year."""
        return float(pathways.additional(self.scenario.adjustments)[0])

    @cached_property
    def _paid(self) -> np.ndarray:
        """Return what the plan costs each year, real, GBP (funder, year, draw) or (funder, year, 1)."""
        return np.asarray(self.unit.paid * (size_of(self.scenario) * (1.0 + self.scenario.optimism)))

    @cached_property
    def numbers(self) -> Numbers:
        """The numbers of the main page."""
        kept, size, unit, curve = np.float32(self._kept), size_of(self.scenario), self.unit, self.unit.curve
        cost = np.cumsum(self._paid.sum(0) * unit.terms.worth[:, None], axis=0)
        children = unit.tree["lives"]["children_reached"].sum("area").transpose(*SAMPLE_DIMS).values.reshape(-1)
        return Numbers(
            unit.lines.at(kept * np.float32(size)),
            self._paid,
            unit.terms.worth,
            np.abs(children * size),
            curve["level"] - kept * curve["avoided"],
            unit.lines.back(kept * np.float32(size), cost, cut=self.scenario.cut),
            unit.payers,
            unit.terms.funders,
        )

    @cached_property
    def tree(self) -> xr.DataTree:
        """What the report's tables and sentences read of a run, without the yearly arrays that only its files hold."""
        unit, size = self.unit, np.float32(size_of(self.scenario))
        kept = np.float32(self._kept)
        saved = unit.saved * (kept * size)
        costs, lives = unit.tree["costs"].to_dataset(), unit.tree["lives"].to_dataset()
        costs["spent_on"] = costs["spent_on"] * (size_of(self.scenario) * (1.0 + self.scenario.optimism))
        costs["benefit_by_area"] = costs["benefit_by_area"] * (kept * size)
        costs["curve_avoided"] = costs["curve_avoided"] * kept
        if unit.before is not None:  # before those adjustments by which a change is kept
            costs["benefit_before"] = unit.before * size
        lives = lives[["children_entering"]].assign(
            children_reached=lives["children_reached"] * size, care_avoided=lives["care_avoided"] * (kept * size)
        )
        avoided = linear(saved.assign_attrs(unit.saved.attrs), unit.terms)
        tree = xr.DataTree.from_dict(
            {
                "/appraisal": _appraisal(avoided, self._paid, unit.terms, cut=self.scenario.cut),
                "/costs": costs,
                "/lives": lives,
                "/effects": self.drawn.effects,
                "/studies": self.drawn.studies,
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
    """Return what ``appraise`` would, from what is avoided (``sums.linear``) and what the plan costs."""
    money = {"units": "GBP", "price_base": avoided_values.attrs["price_base"]}
    like = avoided_values["worth"].isel(account=0, drop=True)
    dims, shape = ("funder", "year", *SAMPLE_DIMS), (*paid.shape[:2], like.sizes["chain"], like.sizes["draw"])
    every = np.broadcast_to(paid, (*paid.shape[:2], shape[2] * shape[3])).reshape(shape)
    spent = xr.DataArray(every, dims=dims, coords={**like.coords, "funder": list(terms.funders)}, attrs=money)
    worth = spent * xr.DataArray(terms.worth, dims="year")
    payers = avoided_values["payer"].values
    spent_by_payer, worth_by_payer = (
        part.rename(funder="payer").reindex(payer=payers, fill_value=0.0) for part in (spent, worth)
    )
    by_payer = spent_by_payer.astype(np.float32)
    avoided = avoided_values["benefit"].sum(["outcome", "payer"])
    cost = worth.sum(["funder", "year"]).transpose(*avoided.dims[1:]).astype(avoided.dtype).assign_attrs(money)
    net = avoided_values["worth"] - worth.sum("funder").astype(np.float32)
    cash = avoided_values["cashable_net_position"] - by_payer
    council_flows = cash.sel(payer=q.COUNCIL, drop=True)
    council = appraisal.discounted(council_flows, schedule=terms.schedule, schedules=terms.schedules)
    if cut:  # which saves first and costs later, so that "paid back" says nothing of it
        ahead = running_total_back(net)
        avoided_values["ahead"], avoided_values["probability_ahead"] = ahead, ahead.mean(SAMPLE_DIMS)
    changed = {
        "net_position": avoided_values["net_position"] - by_payer,
        "net_position_discounted": avoided_values["net_position_discounted"] - worth_by_payer.astype(np.float32),
        "cashable_net_position": cash,
        "programme_by_payer": spent_by_payer,
    }
    return avoided_values.drop_vars("worth").assign(changed | appraisal.value_and_payback(avoided, cost, net, council))
