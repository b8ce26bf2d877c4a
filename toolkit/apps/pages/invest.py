"""The page *Invest to save*: the answer, how sure it is, four charts and the budget paper's cash view."""

from collections.abc import Callable
from functools import cache
from html import escape
from typing import Any

import numpy as np
import panel_material_ui as pmui

from toolkit.apps.engine.page_values import Reading, estimate, read
from toolkit.apps.engine.scaled_run import LiveRun
from toolkit.apps.engine.sums import ends
from toolkit.apps.parts import charts, look
from toolkit.apps.parts.card import Card
from toolkit.apps.parts.fields import button, column, grid
from toolkit.apps.session.state import State
from toolkit.evidence import boundary_notes
from toolkit.measures import quantities as q
from toolkit.measures import tables
from toolkit.measures import words as w
from toolkit.measures.budget import BUDGET_YEARS
from toolkit.measures.quantities import Run
from toolkit.report.shortfalls import shortfalls
from toolkit.schema import ACCOUNTS, SAMPLE_DIMS

ABOUT = {
    "by_year": (
        "What is spent, what is avoided, by year",
        "Hatched bars: money spent each year. Line: expected cost avoided, all accounts; band: 90% interval.",
    ),
    "payers": ("Who pays, who gains", "Expected net position of each payer, present value, with its 90% interval."),
    "payback": ("When does it pay back?", "Chance of having the money back by each year, discounted, by account."),
}
ONWARD = (
    "<h2>Spend and cost together</h2><p class=hint>What is spent in a year plus the cost that is left, at "
    "half to double of today’s spend, with a handle to drag: on the page of what poor outcomes cost.</p>"
)
TABLES: dict[str, Callable[[Run], tables.Table]] = {"payers": tables.who_pays, "payback": tables.payback}
KINDS = {  # what the numbers under each heading of each table are
    "by_year": {"Money spent": "year_spent", "Cost avoided": "year_avoided"},
    "payers": {"Cost avoided": "payer_avoided", "Spent on the plan": "payer_programme", "Net position": "payer_net"},
    "payback": {f"{w.label(account)} account": f"paid_back|{account}" for account in ACCOUNTS},
}


class Invest:
    """The page."""

    def __init__(self, state: State) -> None:
        self.state = state
        makers = {"by_year": charts.by_year, "payers": charts.payers, "payback": charts.payback}
        self.cards = {name: Card(name, make(), ABOUT[name], _table_of(name)) for name, make in makers.items()}
        self.sentence, self.statements, self.accounts, self.budget = (look.html() for _ in range(4))
        self.tiles = [look.html() for _ in range(5)]
        self.onward = button("Move this sum along the curve", lambda: state.open("Cost of poor outcomes"))

    def prepare(self, run: LiveRun) -> Reading:
        """Reduce a run to what the page shows; away from the page's thread."""
        return read(run)

    def show(self, run: LiveRun, reading: Reading) -> None:
        """Put a run on the page."""
        notes = boundary_notes(self.state.live.reference, self.state.areas)
        about = "".join(f"<p class=hint>{escape(note)}</p>" for note in notes)
        _set(self.sentence, f'<p class="lead" role="status">{look.explained(reading.sentence)}</p>{about}')
        for pane, tile in zip(self.tiles, reading.tiles, strict=True):
            _set(pane, look.tile(tile.name, look.Number(tile.value, tile.key), tile.beside, tile.sign))
        for name, card in self.cards.items():
            card.show(run, reading.charts[name], reading.words[name])
        self._axes(reading)
        items = "".join(f"<li>{look.explained(statement)}</li>" for statement in reading.statements)
        _set(self.statements, f"<ul>{items}</ul>")

    def rest(self, run: LiveRun) -> None:
        """Write the tables, once the charts are at rest."""
        _set(self.accounts, _accounts(run))
        _set(self.budget, _budget(run))

    def _axes(self, reading: Reading) -> None:
        figures = {name: card.chart.figure for name, card in self.cards.items()}
        charts.set_ends(figures["by_year"].y_range, *charts.grid_ends(*reading.ends["by_year"]))
        charts.set_ends(figures["payback"].x_range, *reading.ends["payback"])
        charts.set_bars(self.cards["payers"].chart, reading.charts["payers"]["bars"])

    def view(self) -> Any:
        """Return the page."""
        cards = [card.view() for card in self.cards.values()]
        short = [_shortfalls()] if _shortfalls() else []
        return column(
            look.html("<h1>What would this investment do?</h1>"),
            self.sentence,
            grid(self.tiles, 2, sm=6, lg=4),
            look.html(look.box("Where the models fall short", short, "warn", longest=look.OWN_WORDS)),
            grid([*cards, pmui.Column(look.html(ONWARD), self.onward)], 3, lg=6),
            look.html("<h2>How sure is it?</h2>"),
            self.statements,
            self.accounts,
            look.html(f"<h2>The council’s cash over {BUDGET_YEARS} years</h2>"),
            self.budget,
        )


@cache
def _shortfalls() -> str:
    return shortfalls()


def _set(pane: Any, content: str) -> None:
    if pane.object != content:
        pane.object = content


def _table_of(name: str) -> Callable[[Run], str]:
    def rows(run: Run) -> str:
        table = _yearly(run) if name == "by_year" else TABLES[name](run)
        return look.table(table, q.level(run), look.keyed(KINDS[name]))

    return rows


def _yearly(run: Run) -> tables.Table:
    """Cost avoided by year, all accounts, with the spending of each."""
    spent = q.spending(run).sum("payer")
    avoided = (q.result(run)["net_position"].sum("payer") + spent).isel(year=slice(0, 30))
    frame = tables.spread(run, {"Cost avoided": avoided}, "year")
    frame.insert(0, ("Money spent", ""), spent.mean(SAMPLE_DIMS).values[: len(frame)])
    frame = frame.set_axis(tables.year_names(run, avoided["year"].values))
    note = f"Real, {tables.basis(run)}, not discounted, all accounts."
    return tables.Table("Money spent and cost avoided by year", "Year", frame, "money", note=note)


def _accounts(run: LiveRun) -> str:
    """Return net value, what a pound brings and the chance of payback in each account."""
    numbers, last = run.numbers, run.numbers.back.shape[1] - 1
    cost, rows = numbers.expected_cost, []
    for account, avoided, back in zip(ACCOUNTS, numbers.avoided, numbers.back, strict=True):
        net = estimate(avoided - numbers.cost)
        texts = {
            f"worth|{account}": str(net),
            f"ratio|{account}": w.pence(float(avoided.mean()) / cost),
            f"paid_back|{account}|{last}": w.percent(float(back[-1])),
        }
        cells = [look.Number(text, key) for key, text in texts.items()]
        cells.insert(1, look.Number(net.interval or "none", f"worth|{account}"))
        rows.append((f"{w.label(account)} account", cells))
    cut = run.scenario.cut
    heads = [
        "Account",
        "Net present value",
        "90% interval",
        f"{'Caused' if cut else 'Avoided'} by each £1",
        "Chance of still being ahead at the end" if cut else "Chance of payback",
    ]
    return look.plain_table("Value by account", heads, rows, tables.accounts(run.unit.saved))


def _budget(run: LiveRun) -> str:
    """Return the council's cash in the years of a budget paper, in pounds of real money."""
    mean, low, high = ends(run.numbers.cash)
    spend = run.numbers.council_spent[: len(mean)].mean(-1)
    years = tables.year_names(run, range(len(mean)))
    rows = {
        "Spending on the plan": (-spend, "cash_spent"),
        "Cash released, expected": (mean + spend, "cash_released"),
        "Net cash, expected": (mean, "cash_net"),
        "Net cash, low end of 90% interval": (low, "cash_net"),
        "Net cash, high end of 90% interval": (high, "cash_net"),
        "Net cash, running total, expected": (np.cumsum(mean), "cash_running"),
    }
    scale, unit, decimals = w.money_scale([values for values, _ in rows.values()])
    cells = [
        (
            name,
            [
                look.Number(w.number(x / scale, decimals), f"{key}|{y}")
                for x, y in zip(values.tolist(), years, strict=True)
            ],
        )
        for name, (values, key) in rows.items()
    ]
    note = (
        f"{run.scenario.price_base} prices, not discounted. Only savings that can leave "
        "a budget count here; negative is money out. Cost avoided is not the same as money saved."
    )
    return look.plain_table(f"The council’s cash position, {unit}", ["Line", *years], cells, note)
