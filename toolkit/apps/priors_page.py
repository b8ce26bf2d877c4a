"""Priors on the page *Model health*: other numbers for one, and whether the fit's draws can still tell."""

from typing import Any

import pandas as pd
import panel_material_ui as pmui

from toolkit import evidence
from toolkit.apps import entry, look
from toolkit.apps.state import State
from toolkit.report import words as w
from toolkit.report.quantities import Run
from toolkit.schema import InputError

ARGUMENTS = {  # distribution: what its numbers are
    "normal": ("Mean", "Standard deviation"),
    "log_normal": ("Mean of the log", "Standard deviation of the log"),
    "gamma": ("Shape", "Rate"),
    "beta": ("First shape", "Second shape"),
    "halfnormal": ("Scale", ""),
    "half_normal": ("Scale", ""),
}


def said(key: str) -> str:
    """Return what a reader calls a prior: "outcomes.spend_within[care_starts]" is "Spend within (care starts)"."""
    name, _, indicator = key.partition(".")[2].rstrip("]").partition("[")
    return w.label(name) + (f" ({w.inside(indicator)})" if indicator else "") + (
        ", effect of help" if key.startswith("effects.") else ""
    )  # fmt: skip


class Priors:
    """The part of the page."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.known = evidence.changeable_priors(state.live.register.tables["priors"])
        self.verdict, self.table, self.told = look.html(), look.html(), look.html(visible=False)
        options = {said(str(key)): str(key) for key in self.known.index}
        self.which = pmui.Select(
            label="Prior", options=options, value=str(self.known.index[0]), size="small", width=420
        )
        self.first, self.second = (pmui.TextInput(label="", max_length=20, size="small", width=240) for _ in range(2))
        self.reason = pmui.TextInput(label="Why this prior", value="", max_length=200, size="small")
        self.use = pmui.Button(label="Use this prior", variant="contained", size="small")
        self.back = pmui.Button(label="Back to the shipped priors", variant="outlined", size="small")
        self.which.param.watch(lambda _: self._fill(), "value")
        self.use.on_click(lambda _: self._put(self._changed))
        self.back.on_click(lambda _: self._put(lambda: dict.fromkeys(state.scenario.priors)))
        self._fill()

    def _row(self) -> pd.Series:
        return pd.Series(self.known.loc[str(self.which.value)])

    def _fill(self) -> None:
        row, mine = self._row(), self.state.scenario.priors.get(str(self.which.value))
        labels = ARGUMENTS[str(row["distribution"])]
        numbers = (row["arg1"], row["arg2"]) if mine is None else (mine.first, mine.second)
        for widget, label, number in zip((self.first, self.second), labels, numbers, strict=True):
            text = f"{number:g}" if label else ""
            widget.param.update(label=label or "Not needed", value=text, disabled=not label)

    def _changed(self) -> dict[str, dict[str, Any]]:
        row: dict[str, Any] = {"reason": str(self.reason.value or "").strip()}
        for key, widget in (("first", self.first), ("second", self.second)):
            if not widget.disabled:
                row[key] = entry.number(widget.value, str(widget.label))
        key = str(self.which.value)  # a row already there would keep its own second number
        return {key: row}

    def _put(self, change: Any) -> None:
        lines: list[str] = []
        try:
            self.state.put(priors=change())
        except InputError as problem:
            lines = str(problem).splitlines()
        self.told.param.update(
            object=look.box("The priors are as they were", lines, "bad", "alert"), visible=bool(lines)
        )

    def show(self, run: Run) -> None:
        """Show the priors in use, and what the run's card says of changed ones."""
        mine = self.state.scenario.priors
        rows = []
        for key, row in self.known.iterrows():
            shipped = _numbers(row["arg1"], row["arg2"])
            own = mine.get(str(key))
            cells = [str(row["distribution"]).replace("_", " "), shipped]
            rows.append(
                (said(str(key)), [*cells, "" if own is None else f"{_numbers(own.first, own.second)}: {own.reason}"])
            )
        self.table.object = look.plain_table("Priors", ["Parameter", "Distribution", "Shipped", "Yours"], rows)
        card = run.report_card.set_index("check")
        self.verdict.object = ""
        if "changed_priors_pareto_k" in card.index:
            shape, draws = (card.loc[f"changed_priors_{name}"] for name in ("pareto_k", "effective_draws"))
            line = (
                f"The fit’s draws were weighed by the ratio of the priors, not fitted anew: Pareto k-hat "
                f"{shape['value']:.2f} (below {shape['threshold']:g}), {draws['value']:,.0f} effective draws "
                f"({draws['threshold']:,.0f} are enough)."
            )
            self.verdict.object = look.box("Changed priors", [line])
        elif any(key.startswith("outcomes.") for key in mine):
            self.verdict.object = look.box("Changed priors", ["The model was fitted anew with these priors."])

    def view(self) -> Any:
        """Return the part of the page."""
        return pmui.Column(
            look.html(
                "<h2>Change a prior</h2><p class=hint>What was believed before the data. A change is weighed into the "
                "fit where that can be trusted; otherwise the page offers a new fit.</p>"
            ),
            self.verdict, self.which, pmui.FlexBox(self.first, self.second, gap="4px"), self.reason,
            pmui.FlexBox(self.use, self.back, gap="4px"), self.told, self.table, sizing_mode="stretch_width",
        )  # fmt: skip


def _numbers(first: float, second: float | None) -> str:
    return ", ".join(f"{x:g}".replace("-", w.MINUS) for x in (first, second) if x is not None and not pd.isna(x))
