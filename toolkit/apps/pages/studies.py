"""Studies of an effect on the page *Evidence*: which are pooled, leaving one out, adding one; pooled again at once."""

from collections.abc import Callable
from typing import Any

import pandas as pd

from toolkit import models
from toolkit.apps.parts import entry, look
from toolkit.apps.parts.fields import attempt, beside, button, choice, column, field
from toolkit.apps.session.state import State
from toolkit.measures import words as w

SCALES = {
    "Risk ratio": "risk_ratio",
    "Odds ratio": "odds_ratio",
    "Rate ratio": "rate_ratio",
    "Standardised difference": "hedges_g",
    "Risk difference": "risk_difference",
}


class Studies:
    """The part of the page."""

    def __init__(self, state: State) -> None:
        self.state = state
        tables = state.live.register.tables
        bias, outcomes = tables["design_bias"], list(tables["outcome_scales"]["outcome"])
        designs = {w.label(name): name for name in bias.loc[bias["admitted_by_default"] == 1, "design"].unique()}
        self.pooled, self.problems = look.html(), look.html(visible=False)
        self.known = choice("Study", [], width=320)
        self.leave = button("Leave it out", lambda: self._put(self._without))
        self.again = button("Back to the evidence’s own studies", lambda: self._put(self._none))
        self.name = field("Name of a new study", most=40, width=320)
        self.outcome = choice("Outcome", {w.label(name): name for name in outcomes}, width=250)
        self.design, self.scale = choice("Design", designs), choice("Scale", SCALES)
        self.estimate, self.error = field("Estimate"), field("Standard error (of a ratio, of its log)", width=300)
        self.programme = field("Programme, if another study here is of it", most=60, width=300)
        self.reason = field("Where it is published", most=200, width=520)
        self.add = button("Add this study", lambda: self._put(self._added), main=True)

    def _without(self) -> None:
        key, scenario = str(self.known.value), self.state.scenario
        if key in scenario.studies:
            self.state.put(studies={key: None})
        else:
            self.state.put(left_out=sorted({*scenario.left_out, key}))

    def _none(self) -> None:
        self.state.put(left_out=(), studies=dict.fromkeys(self.state.scenario.studies))

    def _added(self) -> None:
        key = str(self.name.value or "").strip().replace(" ", "_")
        row = {
            "outcome": self.outcome.value,
            "design": self.design.value,
            "scale": self.scale.value,
            "estimate": entry.number(self.estimate.value, "estimate"),
            "standard_error": entry.number(self.error.value, "standard error"),
            "shared_programme": str(self.programme.value or "").strip(),
            "reason": str(self.reason.value or "").strip(),
        }
        self.state.put(studies={key: row})

    def _put(self, change: Callable[[], None]) -> None:
        attempt(self.problems, "The studies are as they were", change)

    def prepare(self) -> pd.DataFrame:
        """Return the studies that are pooled."""
        scenario = self.state.scenario
        mixed, pooled = scenario.effect.family_group_conferencing, self.state.live.resolved(scenario).studies
        return models.study_table(self.state.live.register.tables, mixed=mixed, **pooled)

    def show(self, pooled: pd.DataFrame) -> None:
        """Show the pooled studies."""
        rows = [
            (
                f"{row.study}{' (yours)' if row.study in self.state.scenario.studies else ''}",
                [w.label(row.outcome), w.label(row.design), _number(row.effect, "Effect"), _number(row.se, "Error")],
            )
            for row in pooled.itertuples()
        ]
        left = ", ".join(f"{key} ({why})" for key, why in pooled.attrs["left_out"].items())
        heads = ["Study", "Outcome", "Design", "Effect", "Standard error"]
        note = (
            "Effect: log risk ratio, benefit below 0; for attainment a standardised difference, benefit above "
            f"0. Without a number, only its direction is pooled. Left out: {left or 'none'}."
        )
        self.pooled.object = look.plain_table("Studies that are pooled", heads, rows, note, numbers=(2, 3))
        names = sorted(set(pooled["study"]))
        if self.known.options != names:
            self.known.param.update(options=names, value=names[0] if names else None)

    def view(self) -> Any:
        """Return the part of the page."""
        return column(
            look.html("<h2>The studies of the effect</h2><p class=hint>Pooled again, exactly, after every change.</p>"),
            self.pooled,
            beside(self.known, self.leave, self.again),
            beside(self.name, self.outcome, self.design, self.scale, self.estimate, self.error),
            beside(self.programme, self.reason),
            self.add,
            self.problems,
        )


def _number(value: Any, what: str) -> str:
    number = "no number" if pd.isna(value) else f"{value:.3g}".replace("-", w.MINUS)
    return look.Number(number, f"column|{what} of a study")
