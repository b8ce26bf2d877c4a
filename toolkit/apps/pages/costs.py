"""The page *Cost of poor outcomes*: what they cost over a life and in a year, who bears it, and how areas compare."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import panel_material_ui as pmui
import xarray as xr

from toolkit import evidence
from toolkit.apps.engine.page_values import ends_of
from toolkit.apps.engine.scaled_run import LiveRun, Unit
from toolkit.apps.parts import charts, look
from toolkit.apps.parts.card import Card
from toolkit.apps.parts.fields import button, column, grid
from toolkit.apps.parts.spend_cost_curve import SpendCurve
from toolkit.apps.session.state import State
from toolkit.measures import headline, tables
from toolkit.measures import quantities as q
from toolkit.measures import words as w
from toolkit.measures.quantities import Run
from toolkit.scenario_model import LONGEST_HORIZON
from toolkit.schema import SAMPLE_DIMS

MEANINGS = {
    "excess": "{cost} of the children who start a first episode of need in the base year, beyond what all children "
    "of the same age and area cost, reduced to the part that would vanish with the outcome. It is not a saving.",
    "excess_never": "{cost} of the children who start a first episode of need in the base year, beyond what children "
    "never in need of the same age and area cost, reduced to the part that would vanish with the outcome. It is not a "
    "saving.",
    "gross": "{cost} of everything the outcomes use among the children who start a first episode of need in the "
    "base year. It is not a saving.",
    "annual": "Cost of one year’s outcomes among all children known to social care. Not one cohort over years: it "
    "must not be added to the cost of one.",
}
EXCESSES = {"excess": "excess_never", "excess_never": "excess"}
NEIGHBOURS = 10
NEAR = {  # the longest that a heading begins with counts
    "Excess": "@0|area_life|excess",
    "Excess, each child": "@0|each|excess",
    "Excess over never in need, each child": "@0|each|excess_never",
    "One year": "@0|area_annual|gross",
}
CHOSEN = " \N{LEFTWARDS ARROW} this area"


def views(horizon: int) -> dict[str, str]:
    """Return which cost can be looked at, by what it is called where so many years are counted."""
    over = w.counted("Over a life", horizon)
    lives = {f"{over}: {w.inside(reading)}": reading for reading in q.READINGS}
    return lives | {"In one year": "annual"}


class Costs:
    """The page."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.choice = pmui.RadioButtonGroup(
            label="Which cost", options=views(LONGEST_HORIZON), value="excess", size="small"
        )
        self.curve = SpendCurve(state)
        self.cards = {
            dim: Card(
                dim,
                charts.bars(f"Cost by {dim}", "Expected cost"),
                (f"By {dim}", "Expected cost, with its 90% interval."),
                self._table(dim),
            )
            for dim in ("outcome", "payer")
        }
        self.head = look.html()
        chart = charts.bars("Cost beside statistical neighbours", "Excess cost of a child", height=430)
        about = "Expected excess cost of a child who starts an episode of need, with its 90% interval."
        self.beside = Card("beside", chart, ("The cost of a child", about), lambda _: self.neighbours_table)
        self.neighbours_table, self._beside = "", self.beside.view()
        # For which the sums hold: they do not depend on the spending.
        self._summed_for: tuple[Unit, str, str] | None = None
        self._sums: dict[str, Any] = {}
        self.compare = button("Compare with statistical neighbours", self._ask)
        self.choice.param.watch(lambda event: state.look(cost=event.new), "value")
        self.asked: str = ""
        self._near: Run | None = None

    def _ask(self) -> None:
        self.asked = self.state.place
        self.state.notify()

    def _table(self, dim: str) -> Any:
        def rows(run: Run) -> str:
            annual = self.state.views["cost"] == "annual"
            table = tables.annual_cost(run, dim) if annual else tables.lifetime_cost(run, dim)
            return look.table(table, q.level(run), _keys("annual" if annual else "life", dim))

        return rows

    def prepare(self, run: LiveRun) -> dict[str, Any]:
        """Sum the costs by outcome and payer, and price the neighbours if they were asked for."""
        view = self.state.views["cost"]
        asked = self.asked if self.asked == self.state.place and len(self.state.areas) == 1 else ""
        if self._summed_for is None or self._summed_for[0] is not run.unit or self._summed_for[1:] != (view, asked):
            sums = self._summed(run, view)
            if asked:
                sums["neighbours"] = self._priced_neighbours(run)
            self._summed_for, self._sums = (run.unit, view, asked), sums
        return self._sums

    def _summed(self, run: Run, view: str) -> dict[str, Any]:
        priced = q.annual(run).sel(reading="gross") if view == "annual" else q.lifetime(run).sel(reading=view)
        cost = priced.drop_vars("reading")
        sums: dict[str, Any] = {dim: _bars(run, q.by(cost, dim), dim, view) for dim in ("outcome", "payer")}
        sums["total"] = headline.estimate(run, cost.sum("component"))
        sums["each"] = headline.estimate(run, cost.sum("component") / q.children(run)["entering"])
        if view in EXCESSES:  # the other comparator's stands beside it
            other = q.lifetime(run).sel(reading=EXCESSES[view]).sum("component")
            sums["beside"] = [headline.estimate(run, part) for part in (other, other / q.children(run)["entering"])]
        return sums | {"view": view}

    def _priced_neighbours(self, run: Run) -> tuple[str, dict[str, Any], str]:
        near = evidence.neighbours(None, self.state.areas[0])
        known = set(self.state.live.base_year["area"].values.tolist())
        areas = [area for area in near["area"] if area in known][:NEIGHBOURS]
        priced = self.state.live.run(run.scenario, (*self.state.areas, *areas))
        self._near = priced
        table = tables.shortened(tables.areas(priced), keep=("Code", "Excess", "One year"), ends=20)
        frame = table.frame.set_axis(_marked(table.frame, self.state.areas[0]))
        each = frame["Excess, each child"].iloc[::-1]
        data = charts.bar_data(list(each.index), *(each[part].to_numpy() for part in ("expected", "lower", "upper")))
        data["key"] = [f"@0|each|excess|{name.removesuffix(CHOSEN)}" for name in each.index]
        data["colour"] = [charts.INK if CHOSEN in name else charts.PALE for name in each.index]
        costs = "; ".join(f"{name} {w.money(value)}" for name, value in each["expected"].iloc[::-1].items())
        cost = w.counted("lifetime cost", run.scenario.horizon)
        words = f"Expected excess {cost} of a child, most expensive first: {costs}."
        title, keys = "This area and its statistical neighbours", look.keyed(NEAR)
        plain = replace(table, title=title, frame=frame.drop(columns="Code", level=0))
        return look.table(plain, q.level(priced), lambda row, head: keys(row.removesuffix(CHOSEN), head)), data, words

    def others(self, run: Run) -> list[Run]:
        """Return the runs besides the page's own whose numbers it shows."""
        return [self._near] if self._near is not None else []

    def show(self, run: LiveRun, prepared: dict[str, Any]) -> None:
        """Put a run on the page."""
        view, total, each = prepared["view"], prepared["total"], prepared["each"]
        horizon = run.scenario.horizon
        if self.choice.options != views(horizon):
            self.choice.options = views(horizon)
        self.choice.value = view
        whole = "annual|gross|All|All" if view == "annual" else f"life|{view}|All|All"
        single, life = f"each|{view}|All", view != "annual"
        per = f", or {each} for each child who starts a first episode of need" * life
        sure = f"; for each child {each.interval}" * life
        lead = look.ExplainedText(
            f"{headline.place(run)}: {total}{per}.",
            look.Number(str(total), whole, "cost of poor outcomes"),
            look.Number(str(each), single, "cost of each child"),
        )
        meaning = MEANINGS[view].format(cost=w.label(w.counted("lifetime cost", horizon)))
        apart, numbers = "", []
        if view in EXCESSES:
            other, (both, one) = EXCESSES[view], prepared["beside"]
            apart = f" {w.label(other)}{' over all children' * (other == 'excess')}: {both}, or {one} for each child."
            numbers = [look.Number(str(both), f"life|{other}|All|All", "cost over the other comparator")]
            numbers += [look.Number(str(one), f"each|{other}|All", "cost of each child over the other comparator")]
        hint = look.ExplainedText(
            f"90% interval {total.interval}{sure}. {meaning}{apart}",
            look.Number(total.interval, whole, "90% interval of the cost"),
            look.Number(each.interval, single, "90% interval for each child"),
            *numbers,
        )
        self.head.object = (
            f'<p class="lead" role="status">{look.explained(lead)}</p><p class="hint">{look.explained(hint)}</p>'
        )
        for dim, card in self.cards.items():
            data, words = prepared[dim]
            charts.set_bars(card.chart, data)
            card.show(run, {}, words)
        self.curve.show(run)
        self.compare.disabled = len(self.state.areas) != 1
        self._beside.visible = "neighbours" in prepared
        if self._beside.visible:
            self.neighbours_table, data, words = prepared["neighbours"]
            charts.set_bars(self.beside.chart, data)
            self.beside.show(run, {}, words)

    def view(self) -> Any:
        """Return the page."""
        return column(
            look.html("<h1>What do poor outcomes cost?</h1>"),
            self.choice,
            self.head,
            grid([card.view() for card in self.cards.values()], 3, lg=6),
            self.curve.view(),
            look.html("<h2>Beside its neighbours</h2>"),
            self.compare,
            self._beside,
        )


def _keys(kind: str, dim: str) -> Callable[[str, str], str]:
    readings = {w.costed(reading): reading for reading in q.READINGS}

    def key(row: str, heading: str) -> str:
        # A heading goes on with its unit, and one reading's words begin another's; charts give the reading itself.
        reading = readings.get(max(filter(heading.startswith, readings), key=len, default=""), heading)
        return f"{kind}|{reading}|{row}|All" if dim == "outcome" else f"{kind}|{reading}|All|{row}"

    return key


def _marked(frame: pd.DataFrame, chosen: str) -> list[str]:
    """Return the names of areas, the chosen one marked in words."""
    codes = zip(frame.index, frame["Code", ""], strict=True)
    return [f"{name}{CHOSEN if code == chosen else ''}" for name, code in codes]


def _bars(run: Run, cost: xr.DataArray, dim: str, view: str) -> tuple[dict[str, Any], str]:
    cost = cost.transpose(dim, *SAMPLE_DIMS)
    mean, low, high = ends_of(run, cost)
    order = np.argsort(mean)
    names = [w.label(cost[dim].values[k]) for k in order]
    costs = "; ".join(f"{w.label(cost[dim].values[k])} {w.money(float(mean[k]))}" for k in order[::-1])
    kind, reading = ("annual", "gross") if view == "annual" else ("life", view)
    data = charts.bar_data(names, mean[order], low[order], high[order])
    data["key"] = [_keys(kind, dim)(name, reading) for name in names]
    return data, f"Expected cost by {dim}: {costs}."
