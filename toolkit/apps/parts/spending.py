"""The sum of a programme in three forms: pounds for each child, the sum a year, families reached a year.

The first is the scenario's figure; either of the others, when typed, sets it, and both follow it.
"""

from collections.abc import Callable, Sequence
from typing import Any

import panel_material_ui as pmui
from scipy.optimize import brentq

from toolkit.apps.engine.live import Live
from toolkit.apps.engine.scaled_run import LiveRun
from toolkit.apps.engine.sums import weighed
from toolkit.apps.parts import entry
from toolkit.apps.session.state import State
from toolkit.measures import words as w
from toolkit.pricing.representative_areas import pool
from toolkit.scenarios import Scenario
from toolkit.schema import InputError
from toolkit.settings import MOST_POUNDS

NAMES = {  # of the fields, for an investment and for a cut
    False: ("Sum a year, £", "Families reached a year"),
    True: ("Sum taken away a year, £", "Families who lose help a year"),
}
DIGITS = 8  # of pounds for each child, so that a sum for all England comes back to the pound


class Sums:
    """The two fields beside the slider."""

    def __init__(self, state: State) -> None:
        self.state, self._writing = state, False
        self.total, self.families = (
            pmui.TextInput(label=name, value="", max_length=20, size="small", sizing_mode="stretch_width")
            for name in NAMES[False]
        )
        for widget, pounds_for in ((self.total, for_total), (self.families, for_families)):
            widget.param.watch(self._typed(pounds_for), "value")

    def _typed(self, pounds_for: Callable[[Live, Scenario, Sequence[str], float], float]) -> Callable[[Any], None]:
        def typed(event: Any) -> None:
            if self._writing:
                return
            state = self.state
            try:
                size = entry.number(event.new, event.obj.label)
                pounds = round(pounds_for(state.live, state.scenario, state.areas, size), DIGITS)
            except InputError as problem:
                state.say([str(problem)])
            else:
                state.change(option={"spend_per_child": pounds})
                if not state.messages and state.scenario.option.spend_per_child == pounds:
                    state.notify()  # the same sum, written differently

        return typed

    def show(self, run: LiveRun) -> None:
        """Write what the sum of a run comes to."""
        option, self._writing = run.scenario.option, True
        families = float((run.numbers.reached / run.unit.reach.each).mean())
        sizes = (option.spend_per_child * run.unit.children, families)
        try:
            for widget, name, value in zip((self.total, self.families), NAMES[option.cut], sizes, strict=True):
                text = w.number(value, 0)
                if (widget.label, widget.value) != (name, text):
                    widget.param.update(label=name, value=text)
        finally:
            self._writing = False


def for_total(live: Live, scenario: Scenario, areas: Sequence[str], total: float) -> float:
    """Return the pounds for each child that make a sum a year, GBP, over areas.

    Raises
    ------
    InputError
        A sum of nothing or less, or of more than £1,000 for each child.
    """
    children = float(live.here(scenario, areas)["population_0_17"].sum())
    if not 0 < total <= MOST_POUNDS * children:
        raise InputError(
            f"sum a year: {w.money(total)} cannot be used, being £{total / children:,.2f} for each child.",
            fix="give "
            f"more than nothing and at most {w.money(MOST_POUNDS * children)} (£{MOST_POUNDS:,.0f} for each child); "
            "a cut is ticked.",
        )
    return total / children


def for_families(live: Live, scenario: Scenario, areas: Sequence[str], families: float) -> float:
    """Return the pounds for each child by which so many families a year are expected to be reached over areas.

    Raises
    ------
    InputError
        None or fewer, or more than £1,000 for each child would reach.
    """
    draws, option = live.drawn(scenario).draws, scenario.option
    stands = pool(live.here(scenario, areas), option)
    reach, weights = stands.reach(draws, option), stands.shares.sum(0)

    def beyond(pounds: float) -> float:
        return float((weighed(reach.at(pounds), weights) / reach.each).mean()) - families

    most = beyond(MOST_POUNDS) + families
    if not 0 < families < most:
        raise InputError(
            f"families a year: {w.number(families, 0)} cannot be used.",
            fix="give more than nothing and fewer than "
            f"{w.number(most, 0)}, whom £{MOST_POUNDS:,.0f} for each child would reach; a cut is ticked.",
        )
    return float(brentq(beyond, 0.0, MOST_POUNDS, xtol=1e-9))
