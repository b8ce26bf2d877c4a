"""Studies of effects on the page *Evidence*: which are in use, leaving one out, adding one; used again at once."""

from collections.abc import Callable
from typing import Any

from toolkit.apps.engine.scaled_run import LiveRun
from toolkit.apps.parts import entry, look
from toolkit.apps.parts.fields import attempt, beside, button, choice, column, field
from toolkit.apps.session.starts import programmes_of
from toolkit.apps.session.state import State
from toolkit.measures import quantities as q
from toolkit.measures import studies as table
from toolkit.measures import words as w
from toolkit.schema import EFFECT_OUTCOMES

SCALES = {
    "Log of a risk ratio": "log_risk",
    "Log of a rate ratio": "log_rate",
    "Log of an odds ratio": "log_odds",
    "Log of a hazard ratio": "log_hazard",
    "Risk difference": "risk_difference",
    "Standardised difference": "smd",
}
LED = {"By others than the programme’s developer": False, "By the programme’s developer": True}


class Studies:
    """The part of the page."""

    def __init__(self, state: State) -> None:
        self.state = state
        tables = state.live.register.tables
        bias = tables["design_bias"]
        designs = {w.label(name): name for name in bias.loc[bias["admitted_by_default"] == 1, "design"].unique()}
        self.used, self.problems = look.html(), look.html(visible=False)
        self.known = choice("Study", [], width=320)
        self.leave = button("Leave it out", lambda: self._put(self._without))
        self.again = button("Back to the evidence’s own studies", lambda: self._put(self._none))
        self.name = field("Name of a new study", most=40, width=320)
        self.programme = choice("Programme", programmes_of(state.live, state.base), width=320)
        self.outcome = choice("Outcome", {w.label(name): name for name in EFFECT_OUTCOMES}, width=250)
        self.design, self.scale = choice("Design", designs, width=250), choice("Scale", SCALES)
        self.estimate, self.error = field("Estimate on that scale"), field("Standard error on that scale", width=230)
        self.risk = field("Share with the event without help (odds, differences)", width=360)
        self.months = field("Followed for, months")
        self.evaluation = field("Evaluation, if another study here is of it", most=60, width=300)
        self.country = field("Country", most=60, value="England")
        self.led = choice("Who led it", LED, width=320)
        self.reason = field("Where it is published, and why it counts", most=200, width=520)
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
            "programme": self.programme.value,
            "outcome": self.outcome.value,
            "design": self.design.value,
            "scale": self.scale.value,
            "estimate": entry.number(self.estimate.value, "estimate"),
            "standard_error": entry.number(self.error.value, "standard error"),
            "follow_up_months": entry.number(self.months.value, "followed for"),
            "evaluation": str(self.evaluation.value or "").strip(),
            "country": str(self.country.value or "").strip() or "England",
            "developer_led": self.led.value,
            "reason": str(self.reason.value or "").strip(),
        }
        if str(self.risk.value or "").strip():
            row["control_risk"] = entry.number(self.risk.value, "share with the event")
        self.state.put(studies={key: row})

    def _put(self, change: Callable[[], None]) -> None:
        attempt(self.problems, "The studies are as they were", change)

    def prepare(self, run: LiveRun) -> tuple[str, list[str]]:
        """Return the studies in use as a table, and their names."""
        left = ", ".join(run.scenario.left_out)
        note = f'<p class="hint">Left out: {left}.</p>' if left else ""
        rows = look.table(table.studies(run), q.level(run), lambda _row, _heading: "")
        return f"{rows}{note}", sorted(set(run.drawn.studies["study"].values.astype(str)))

    def show(self, prepared: tuple[str, list[str]]) -> None:
        """Show the studies in use."""
        self.used.object, names = prepared
        if self.programme.options != (labels := programmes_of(self.state.live, self.state.base)):
            self.programme.options = labels
        if self.known.options != names:
            self.known.param.update(options=names, value=names[0] if names else None)

    def view(self) -> Any:
        """Return the part of the page."""
        return column(
            look.html(
                "<h2>The studies of effects</h2><p class=hint>The effects of all programmes are estimated together, "
                "again after every change.</p>"
            ),
            self.used,
            beside(self.known, self.leave, self.again),
            beside(self.name, self.programme),
            beside(self.outcome, self.design, self.scale),
            beside(self.estimate, self.error, self.months),
            beside(self.risk, self.evaluation),
            beside(self.country, self.led),
            self.reason,
            self.add,
            self.problems,
        )
