"""The spend-cost curve with its handle, which a pointer drags and a slider beside it moves by keyboard."""

from typing import Any

import numpy as np

from toolkit.apps.engine.page_values import curve, estimate, on_curve, spend_multiple
from toolkit.apps.engine.scaled_run import LiveRun, size_of
from toolkit.apps.parts import charts, look
from toolkit.apps.parts.card import Card
from toolkit.apps.parts.controls import slider
from toolkit.apps.parts.fields import column
from toolkit.apps.session.state import State
from toolkit.measures import quantities as q
from toolkit.measures import tables
from toolkit.measures import words as w

ENDS, STEP = (0.5, 2.0), 0.01  # of today's early-help spend, as far as the curve is drawn
ABOUT = (
    "Spend and cost together",
    "A year’s early-help spend plus the cost it leaves. Thick: spend that areas have seen; dotted: not. "
    "Drag the diamond, or move the slider under it.",
)


class SpendCurve:
    """The curve, which stands on the page of what poor outcomes cost: it is that cost, at every sum.

    It stands there alone, where nothing else has to be worked out while it is dragged; *Invest to save* leads to it.
    """

    def __init__(self, state: State) -> None:
        self.state, self._own, self._each, self._here = state, False, 0.0, 1.0
        self.card = Card("curve", charts.curve(), ABOUT, _table)
        self.words = look.html()
        self.slider = slider("Early-help spend a year, times today’s", *ENDS, STEP, "0.00")
        self.card.chart.sources["handle"].on_change("data", self._dragged)
        self.slider.param.watch(lambda event: self._take(event.new), "value")

    def _dragged(self, _name: str, _old: Any, new: Any) -> None:
        if len(new["multiple"]):
            self._take(float(new["multiple"][0]))

    def _take(self, multiple: float) -> None:
        """Take the sum that the handle was moved to: so many times the plan's, as far as there are children for it."""
        if self._own or not self._each:
            return
        multiple = float(np.clip(multiple, *ENDS))
        times = (multiple - 1.0) / self._each
        if abs(multiple - 1.0) < STEP / 2:  # nothing is no plan: through today's spend by the smallest step
            times = -STEP * np.sign(self._each * self.state.times) / self._each
        before = self.state.times
        self.state.multiply(self.state.bounded(float(times)))
        if self.state.times == before:  # the handle lies where it was dropped
            self.state.notify()

    def show(self, run: LiveRun) -> None:
        """Put a run on the curve."""
        self._here, self._own = spend_multiple(run), True
        self._each = (self._here - 1.0) * size_of(self.state.base) / size_of(run.scenario)  # at once the plan's sums
        try:
            data, words, limits = curve(run)
            self.card.show(run, data, words)
            charts.set_ends(self.card.chart.figure.y_range, *charts.grid_ends(*limits))
            # As the scenario has it now: a slider that is put back to a run of before fights the hand that moves it.
            meant = float(np.clip(1.0 + self._each * self.state.times, *ENDS))
            if abs(meant - self.slider.value) > STEP / 2:
                self.slider.value = round(meant, 2)
            self.words.object = f'<p role="status">{summary(run)}</p>'
        finally:
            self._own = False

    def view(self) -> Any:
        """Return the curve and what moves along it."""
        return column(self.card.view(), self.slider, self.words)


def summary(run: LiveRun) -> str:
    """Return as HTML where the sum is on the curve, and its effect on spend and cost together."""
    here, multiples = spend_multiple(run), run.unit.curve["multiple"]
    where = f"This sum makes early-help spend {here:.2f} times today’s"
    if not on_curve(run):
        return f"{where}, which is beyond the curve."
    rows = run.numbers.curve
    there, today = (_at(rows, multiples, at) for at in (here, 1.0))
    level, change = estimate(there), estimate(there - today)
    more = "more" if change.expected >= 0 else "less"
    size, interval = w.money(abs(change.expected)), change.interval or str(change)
    return look.explained(
        look.ExplainedText(
            f"{where}: spend and cost together come to {level} (90% interval {level.interval}), {size} {more} than at "
            f"today’s spend (change: {interval}).",
            look.Number(str(level), "curve_here", "spend and cost together"),
            look.Number(level.interval, "curve_here", "its 90% interval"),
            look.Number(size, "curve_here_change", f"{more} than at today’s spend"),
            look.Number(
                interval, "curve_here_change", "90% interval of the change" if change.interval else "the change"
            ),
        )
    )


def _at(rows: np.ndarray, multiples: np.ndarray, here: float) -> np.ndarray:
    """Return draws of the curve between its points (draw)."""
    place = int(np.clip(np.searchsorted(multiples, here) - 1, 0, len(multiples) - 2))
    share = (here - multiples[place]) / (multiples[place + 1] - multiples[place])
    return np.asarray(rows[place] + np.float32(share) * (rows[place + 1] - rows[place]))


def _table(run: q.Run) -> str:
    kinds = {"Change": "curve_change", "Spend a year": "curve_spend", "Spend and cost": "curve"}
    return look.table(tables.spend_cost_curve(run), q.level(run), look.keyed(kinds))
