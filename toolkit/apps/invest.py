"""The page *Invest to save*: the answer, how sure it is, four charts and the budget paper's cash view."""

from collections.abc import Callable
from html import escape
from typing import Any

import panel_material_ui as pmui

from toolkit.apps import charts, look
from toolkit.apps.card import Card
from toolkit.apps.explain import BUTTONS, explanation
from toolkit.apps.fields import button
from toolkit.apps.moves import BUDGET_YEARS
from toolkit.apps.reading import Reading, budget_rows, read
from toolkit.apps.scaled import LiveRun
from toolkit.apps.state import State
from toolkit.report import quantities as q
from toolkit.report import tables
from toolkit.report import words as w
from toolkit.report.html import shown
from toolkit.report.quantities import Run

TITLE = "Invest to save"
ABOUT = {
    "by_year": (
        "What is spent, what is avoided, by year",
        "Hatched bars: money spent each year. Line: expected cost avoided, all accounts; band: 90% interval.",
    ),
    "payers": (
        "Who pays, who gains",
        "Expected net position of each payer, present value, with its 90% interval.",
    ),
    "payback": ("When does it pay back?", "Chance of having the money back by each year, discounted, by account."),
}
ONWARD = (
    "<h2>Spend and cost together</h2><p class=hint>What is spent in a year plus the lifetime cost that is left, at "
    "half to double of today’s spend, with a handle to drag: on the page of what poor outcomes cost.</p>"
)
TABLES: dict[str, Callable[[Run], tables.Table]] = {
    "payers": tables.who_pays,
    "payback": tables.payback,
}


class Invest:
    """The page."""

    def __init__(self, state: State) -> None:
        self.state = state
        made = {"by_year": charts.by_year, "payers": charts.payers, "payback": charts.payback}
        self.cards = {name: Card(name, make(), ABOUT[name], _table_of(name)) for name, make in made.items()}
        self.sentence, self.statements, self.budget = look.html(), look.html(), look.html()
        self.tiles = [look.html() for _ in range(5)]
        self.onward = button("Move this sum along the curve", lambda: state.open("Cost of poor outcomes"))
        self.explained = ""
        self.explanation = look.html(visible=False)
        self.buttons = {key: self._explainer(key, name) for key, name in BUTTONS.items()}

    def _explainer(self, key: str, name: str) -> Any:
        def pressed(_: Any) -> None:
            self.explained = "" if self.explained == key else key
            self.state.tell()

        return pmui.Button(label=name, variant="text", size="small", margin=(0, 0, 0, 8), on_click=pressed)

    def prepare(self, run: LiveRun) -> tuple[Reading, str]:
        """Reduce a run to what the page shows; away from the page's thread."""
        return read(run), explanation(run, self.explained) if self.explained else ""

    def show(self, run: LiveRun, prepared: tuple[Reading, str]) -> None:
        """Put a run on the page."""
        reading, explained = prepared
        self.explanation.param.update(object=explained, visible=bool(explained))
        _set(self.sentence, f'<p class="lead" role="status">{escape(w.tied(reading.sentence))}</p>')
        for pane, tile in zip(self.tiles, reading.tiles, strict=True):
            _set(pane, look.tile(tile.name, tile.value, tile.beside, tile.sign))
        for name, card in self.cards.items():
            card.show(run, reading.charts[name], reading.words[name])
        self._axes(reading)
        _set(self.statements, "<ul>" + "".join(f"<li>{escape(said)}</li>" for said in reading.statements) + "</ul>")
        _set(self.budget, _budget(run))

    def _axes(self, reading: Reading) -> None:
        figures = {name: card.chart.figure for name, card in self.cards.items()}
        charts.set_ends(figures["by_year"].y_range, *charts.grid_ends(*reading.ends["by_year"]))
        charts.set_ends(figures["payback"].x_range, *reading.ends["payback"])
        charts.set_bars(self.cards["payers"].chart, reading.charts["payers"]["bars"])

    def view(self) -> Any:
        """Return the page."""
        tiles = pmui.Grid(
            *(
                pmui.Grid(pmui.Column(pane, button), size={"xs": 12, "sm": 6, "lg": 4})
                for pane, button in zip(self.tiles, self.buttons.values(), strict=True)
            ),
            container=True, spacing=2, sizing_mode="stretch_width",
        )  # fmt: skip
        cards = pmui.Grid(
            *(pmui.Grid(part, size={"xs": 12, "lg": 6}) for part in (*(card.view() for card in self.cards.values()),
              pmui.Column(look.html(ONWARD), self.onward))),
            container=True, spacing=3, sizing_mode="stretch_width",
        )  # fmt: skip
        return pmui.Column(
            look.html("<h1>What would this investment do?</h1>"), self.sentence, tiles, self.explanation, cards,
            look.html("<h2>How sure is it?</h2>"), self.statements,
            look.html(f"<h2>The council’s cash over {BUDGET_YEARS} years</h2>"), self.budget,
            sizing_mode="stretch_width",
        )  # fmt: skip


def _set(pane: Any, content: str) -> None:
    if pane.object != content:
        pane.object = content


def _table_of(name: str) -> Callable[[Run], str]:
    if name == "by_year":
        return lambda run: look.table(shown(_yearly(run), level=q.level(run)))
    return lambda run: look.table(shown(TABLES[name](run), level=q.level(run)))


def _yearly(run: Run) -> tables.Table:
    """Cost avoided by year, all accounts, with the spending of each."""
    spent = q.result(run)["programme_by_year"]
    avoided = (q.result(run)["net_position"].sum("payer") + spent).isel(year=slice(0, 30))
    frame = tables.spread(run, {"Cost avoided": avoided}, "year")
    frame.insert(0, ("Money spent", ""), spent.values[: len(frame)])
    frame = frame.set_axis(tables.year_names(run, avoided["year"].values))
    note = f"Real, {tables.basis(run)}, not discounted, all accounts."
    return tables.Table("Money spent and cost avoided by year", "Year", frame, "money", note=note)


def _budget(run: LiveRun) -> str:
    years, rows = budget_rows(run)
    scale, unit, decimals = w.money_scale([value for _, values in rows for value in values])
    said = [(name, [w.number(value / scale, decimals) for value in values]) for name, values in rows]
    note = (
        f"{unit.replace(chr(160), ' ')}, {run.scenario.price_base} prices, not discounted. Only savings that can leave "
        "a budget count here; negative is money out. Cost avoided is not the same as money saved."
    )
    return look.plain_table("The council’s cash position", ["Line", *years], said, note)
