"""The page *Budget outlook*: where children looked after, prices and spend are heading, and what the plan changes."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from toolkit.apps.engine.jobs import Job
from toolkit.apps.engine.outlooks import Outlook as Ahead
from toolkit.apps.engine.outlooks import outlooks_of
from toolkit.apps.engine.scaled_run import LiveRun
from toolkit.apps.parts import fan_chart, look
from toolkit.apps.parts.card import Card
from toolkit.apps.parts.fields import beside, choice, column
from toolkit.apps.parts.waiting import Waiting
from toolkit.apps.session.state import State
from toolkit.evidence import load_table
from toolkit.measures import outlook_check
from toolkit.measures import outlook_plan as o
from toolkit.measures import words as w
from toolkit.measures.growth import LEVEL, growth_table, reduced, year_label
from toolkit.measures.quantities import Run
from toolkit.schema import FIRST_YEAR

BASELINES = {
    "The model’s forecast": "model",
    "As many as now": "flat",
    "The independent review’s path": "review",
    "The county councils’ path": "counties",
}
PRICES = {"Children’s homes and other residential care": "residential", "Foster care": "fostering"}
PLAN, SPENT = "Median with the plan", "Spent on the plan"
SHOWN = {
    "children": ("Children looked after", "At 31 March. Unaccompanied children are among them.", PLAN),
    "price": (
        "What a placement costs a week",
        "In cash of the year. Counted: as councils reported it, which is noisy; the fan starts from what lasts of it.",
        "",
    ),
    "spend": ("Spend on children looked after", "Section 251, a year, in cash of the year.", PLAN),
    "avoided": (
        "What the plan takes off that spend",
        "A year, in cash of the year, beside what it is expected to cost.",
        SPENT,
    ),
}
PRESSED = "The table below holds its numbers."
Fans = dict[str, tuple[pd.DataFrame, pd.Series]]  # ends with the line beside the median, and the past


class Outlook:
    """The page."""

    def __init__(self, state: State) -> None:
        self.state, self.outlooks = state, outlooks_of(state.live)
        self.waiting = Waiting(state, "Forecasting")
        self.baseline = choice("Number of children", BASELINES, width=260)
        self.baseline.param.watch(lambda _: state.notify(), "value")
        self.priced = choice("Price of", PRICES, width=340)
        self.priced.param.watch(lambda _: self._price(), "value")
        self._fans: Fans = {}
        self._run: Run | None = None
        self.cards = {name: self._card(name) for name in SHOWN}
        self.sentence, self.growth, self.judged = look.html(), look.html(), look.html(_about())
        parts = [self.cards["children"].view(), self.priced, *(self.cards[name].view() for name in list(SHOWN)[1:])]
        self._body = column(self.sentence, *parts, self.growth, self.judged, visible=False)

    def _card(self, name: str) -> Card:
        title, hint, dashed = SHOWN[name]
        first = FIRST_YEAR + 1 if name == "avoided" else 2014
        chart = fan_chart.fan(title, dashed, first=first, money=name != "children", wedge=dashed == PLAN)
        return Card(name, chart, (title, hint), lambda _: self._table(name), PRESSED)

    def prepare(self, run: LiveRun) -> tuple[Ahead, xr.Dataset] | Job:
        """Return the outlook and the plan on top of it, or the work on the outlook, which goes on meanwhile."""
        ahead = self.outlooks.wanted(self.state.areas, self.baseline.value)
        return ahead if isinstance(ahead, Job) else (ahead, self.outlooks.on_top(ahead, run, self.state.areas))

    def show(self, run: Run, prepared: tuple[Ahead, xr.Dataset] | Job) -> None:
        """Put them on the page, or say how far they are."""
        self._body.visible = not isinstance(prepared, Job)
        if isinstance(prepared, Job):
            self.waiting.start(prepared)
            return
        self.waiting.stop()
        ahead, paper = prepared
        self._run, self._fans = run, fans(ahead, paper)
        for name in ("children", "spend", "avoided"):
            self._draw(run, name, name)
        self._price()
        words = f"{o.opening(ahead.draws, paper, self.baseline.value)} {ahead.note}"
        self.sentence.object = f'<p class="lead">{look.explained(words)}</p>'
        tables = {"in cash": growth_table(paper), "in real terms": growth_table(paper, real=True)}
        self.growth.object = "<h2>Growth and savings side by side</h2>" + "".join(
            look.table(replace(table, title=f"{table.title}, {prices}"), LEVEL, lambda *_: "")
            for prices, table in tables.items()
        )

    def _price(self) -> None:
        if self._run is not None:
            self._draw(self._run, "price", self.priced.value)

    def _draw(self, run: Run, card: str, name: str) -> None:
        """Put a fan on a card."""
        ends, past = self._fans[name]
        fan_chart.set_fan(self.cards[card].chart, ends, past)
        last = ends.iloc[-1]
        say = _in_words(card)
        words = f"{SHOWN[card][0]}: {say(last['median'])} in {year_label(int(ends.index[-1]))}, 90% interval "
        self.cards[card].show(run, {}, f"{words}{w.interval(last['lower'], last['upper'], say)}.")

    def _table(self, card: str) -> str:
        title, _, dashed = SHOWN[card]
        return fan_table(title, *self._fans[self.priced.value if card == "price" else card], dashed, _in_words(card))

    def view(self) -> Any:
        """Return the page."""
        head = look.html("<h1>Where is the budget heading?</h1>")
        return column(head, beside(self.baseline), self.waiting.status, self._body)


def fans(ahead: Ahead, paper: xr.Dataset) -> Fans:
    """Return what the charts draw: of each quantity, and of what the plan takes off."""
    planned, nothing = o.with_plan(ahead.draws, paper), pd.Series(dtype=float)
    drawn: Fans = {}
    for name, draws in ahead.draws.items():
        line = o.fan(planned[name])["median"] if name in ("children", "spend") else np.nan
        drawn[str(name)] = (o.fan(draws).assign(line=line), ahead.past[name].dropna())
    spent = reduced(paper["spent"].sum("line"))["mean"].to_series()
    return drawn | {"avoided": (o.fan(paper["avoided"].sum("line")).assign(line=spent), nothing)}


def fan_table(title: str, ends: pd.DataFrame, past: pd.Series, dashed: str, say: Callable[[float], str]) -> str:
    """Return a fan, the past before it and the line beside its median as a table."""
    columns: dict[str, pd.Series] = {"Counted": past.map(say)} if len(past) else {}
    columns["Median"] = ends["median"].map(say)
    for share, low, high in (("50%", "low", "high"), ("90%", "lower", "upper")):
        columns[f"{share} interval"] = ends[low].map(say) + " to " + ends[high].map(say)
    if dashed:
        columns[dashed] = ends["line"].map(say)
    whole = pd.DataFrame(columns).sort_index().fillna("–")
    rows = [(year_label(int(str(year))), list(row)) for year, *row in whole.itertuples()]
    return look.plain_table(title, ["Year", *whole.columns], rows)


def _in_words(card: str) -> Callable[[float], str]:
    return (lambda value: w.number(value, 0)) if card == "children" else w.money


@cache
def _about() -> str:
    """Return what is not counted, and how the backtest judged the forecast."""
    scores = load_table("reference/outlook_backtest")
    words, table = outlook_check.words(scores)[0], look.table(outlook_check.table(scores), LEVEL, lambda *_: "")
    counted = look.box("What is not counted", o.NOT_COUNTED, "warn", longest=look.OWN_WORDS)
    return counted + look.box("How such forecasts did", [words], longest=look.OWN_WORDS) + table
