"""The page *Cost of poor outcomes*: what they cost over a life and in a year, who bears it, and how areas compare."""

from collections.abc import Callable
from html import escape
from typing import Any

import numpy as np
import panel_material_ui as pmui
import xarray as xr

from toolkit import evidence
from toolkit.apps import charts, look
from toolkit.apps.card import Card
from toolkit.apps.reading import ends_of
from toolkit.apps.state import State
from toolkit.report import answer, tables
from toolkit.report import quantities as q
from toolkit.report import words as w
from toolkit.report.html import shown
from toolkit.report.quantities import Run
from toolkit.schema import SAMPLE_DIMS

VIEWS = {
    "Over a life: excess": "excess",
    "Over a life: gross": "gross",
    "In one year": "annual",
}
SAID = {
    "excess": "Lifetime cost of the children who start a first episode of need in the base year, beyond what children "
    "of the same age and area cost, shrunk to the part that would vanish with the outcome. It is not a saving.",
    "gross": "Lifetime cost of everything the outcomes use among the children who start a first episode of need in the "
    "base year. It is not a saving.",
    "annual": "Cost of one year’s outcomes among all children known to social care. Not one cohort over its life: it "
    "must not be added to the lifetime cost.",
}
NEIGHBOURS = 10
NEAR = {
    "Excess lifetime cost": "@0|area_life|excess", "Excess, each child": "@0|each|excess",
    "One year": "@0|area_annual|gross",
}  # fmt: skip


class Costs:
    """The page."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.choice = pmui.RadioButtonGroup(label="Which cost", options=VIEWS, value="excess", size="small")
        self.cards = {
            dim: Card(dim, charts.bars(f"Cost by {dim}", "Expected cost"),
                      (f"By {dim}", "Expected cost, with its 90% interval."), self._table(dim))
            for dim in ("outcome", "payer")
        }  # fmt: skip
        self.head, self.neighbours = look.html(), look.html()
        self.compare = pmui.Button(label="Compare with statistical neighbours", variant="outlined", size="small")
        self.compare.on_click(lambda _: self._ask())
        self.choice.param.watch(lambda _: state.tell(), "value")
        self.asked: str = ""
        self._near: Run | None = None

    def _ask(self) -> None:
        self.asked = self.state.place
        self.state.tell()

    def _table(self, dim: str) -> Any:
        def rows(run: Run) -> str:
            annual = self.choice.value == "annual"
            table = tables.annual_cost(run, dim) if annual else tables.lifetime_cost(run, dim)
            return look.table(shown(table, level=q.level(run)), _keys("annual" if annual else "life", dim))

        return rows

    def prepare(self, run: Run) -> dict[str, Any]:
        """Sum the costs by outcome and payer, and price the neighbours if they were asked for."""
        view = str(self.choice.value)
        found: dict[str, Any] = {"view": view}
        cost = (
            q.annual(run).sel(reading="gross", drop=True)
            if view == "annual"
            else q.lifetime(run).sel(reading=view, drop=True)
        )
        for dim in ("outcome", "payer"):
            found[dim] = _bars(run, q.by(cost, dim), dim)
        found["total"] = answer.estimate(run, cost.sum("component"))
        found["each"] = answer.estimate(run, cost.sum("component") / q.children(run)["entering"])
        if self.asked == self.state.place and len(self.state.areas) == 1:
            found["neighbours"] = self._priced_neighbours(run)
        return found

    def _priced_neighbours(self, run: Run) -> str:
        near = evidence.neighbours(None, self.state.areas[0])
        known = set(self.state.live.statistics["area"].values.tolist())
        areas = [area for area in near["area"] if area in known][:NEIGHBOURS]
        priced = self.state.live.run(run.scenario, (*self.state.areas, *areas))
        table = tables.shortened(tables.areas(priced), keep=("Excess", "One year"), ends=20)
        self._near = priced
        keys, caption = look.keyed(NEAR), "This area and its statistical neighbours"
        return look.table(shown(table, level=q.level(priced)), keys, caption=caption)

    def others(self, run: Run) -> list[Run]:
        """Return the runs besides the page's own whose numbers it shows."""
        return [self._near] if self._near is not None else []

    def show(self, run: Run, prepared: dict[str, Any]) -> None:
        """Put a run on the page."""
        view, total, each = prepared["view"], prepared["total"], prepared["each"]
        whole = "annual|gross|All|All" if view == "annual" else f"life|{view}|All|All"
        said = look.pressed(look.Number(str(total), whole), "cost of poor outcomes")
        single = look.pressed(look.Number(str(each), f"each|{view}|All"), "cost of each child")
        per = "" if view == "annual" else f", or {single} for each child who starts a first episode of need"
        sure = total.interval + ("" if view == "annual" else f"; for each child {each.interval}")
        self.head.object = (
            f'<p class="lead" role="status">{escape(answer.place(run))}: {said}{per}.</p>'
            f'<p class="hint">90% interval {escape(w.tied(sure))}. {escape(SAID[view])}</p>'
        )
        for dim, card in self.cards.items():
            data, words = prepared[dim]
            charts.set_bars(card.chart, data)
            card.show(run, {}, words)
        self.compare.disabled = len(self.state.areas) != 1
        self.neighbours.object = prepared.get("neighbours", "")

    def view(self) -> Any:
        """Return the page."""
        cards = pmui.Grid(
            *(pmui.Grid(card.view(), size={"xs": 12, "lg": 6}) for card in self.cards.values()),
            container=True, spacing=3, sizing_mode="stretch_width",
        )  # fmt: skip
        return pmui.Column(
            look.html("<h1>What do poor outcomes cost?</h1>"), self.choice, self.head, cards,
            look.html("<h2>Beside its neighbours</h2>"), self.compare, self.neighbours,
            sizing_mode="stretch_width",
        )  # fmt: skip


def _keys(kind: str, dim: str) -> Callable[[str, str], str]:
    def key(row: str, heading: str) -> str:
        reading = heading.partition(" ")[0].lower()
        return f"{kind}|{reading}|{row}|All" if dim == "outcome" else f"{kind}|{reading}|All|{row}"

    return key


def _bars(run: Run, cost: xr.DataArray, dim: str) -> tuple[dict[str, Any], str]:
    cost = cost.transpose(dim, *SAMPLE_DIMS)
    mean, low, high = ends_of(run, cost)
    order = np.argsort(mean)
    names = [w.label(cost[dim].values[k]) for k in order]
    said = "; ".join(f"{w.label(cost[dim].values[k])} {w.money(float(mean[k]))}" for k in order[::-1])
    return charts.bar_data(names, mean[order], low[order], high[order]), f"Expected cost by {dim}: {said}."
