"""Studies of an effect on the page *Evidence*: which are pooled, one left out, one added; pooled anew at once."""

from typing import Any

import pandas as pd
import panel_material_ui as pmui

from toolkit import changes, models
from toolkit.apps import entry, look
from toolkit.apps.state import State
from toolkit.report import words as w
from toolkit.schema import InputError

SCALES = {
    "Risk ratio": "risk_ratio",
    "Odds ratio": "odds_ratio",
    "Rate ratio": "rate_ratio",
    "Standardised difference": "hedges_g",
    "Risk difference": "risk_difference",
}


def _text(label: str, most: int = 20, width: int = 190) -> Any:
    return pmui.TextInput(label=label, value="", max_length=most, size="small", width=width)


class Studies:
    """The part of the page."""

    def __init__(self, state: State) -> None:
        self.state = state
        tables = state.live.register.tables
        bias, outcomes = tables["design_bias"], list(tables["outcome_scales"]["outcome"])
        designs = {w.label(name): name for name in bias.loc[bias["admitted_by_default"] == 1, "design"].unique()}
        self.pooled, self.told = look.html(), look.html(visible=False)
        self.known = pmui.Select(label="Study", options=[], size="small", width=320)
        self.leave = pmui.Button(label="Leave it out", variant="outlined", size="small")
        self.again = pmui.Button(label="Back to the evidence’s own studies", variant="outlined", size="small")
        self.name = _text("Name of a new study", 40, 320)
        self.outcome = pmui.Select(label="Outcome", options={w.label(name): name for name in outcomes}, size="small",
                                   value=outcomes[0], width=250)  # fmt: skip
        self.design = pmui.Select(label="Design", options=designs, value=next(iter(designs.values())), size="small",
                                  width=190)  # fmt: skip
        self.scale = pmui.Select(label="Scale", options=SCALES, value="risk_ratio", size="small", width=190)
        self.estimate, self.error = _text("Estimate"), _text("Standard error (of a ratio, of its log)", width=300)
        self.reason = pmui.TextInput(label="Where it is published", value="", max_length=200, size="small")
        self.add = pmui.Button(label="Add this study", variant="contained", size="small")
        self.leave.on_click(lambda _: self._put(self._without))
        self.again.on_click(lambda _: self._put(self._none))
        self.add.on_click(lambda _: self._put(self._added))

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
            "outcome": self.outcome.value, "design": self.design.value, "scale": self.scale.value,
            "estimate": entry.number(self.estimate.value, "estimate"),
            "standard_error": entry.number(self.error.value, "standard error"),
            "reason": str(self.reason.value or "").strip(),
        }  # fmt: skip
        self.state.put(studies={key: row})

    def _put(self, change: Any) -> None:
        lines: list[str] = []
        try:
            change()
        except InputError as problem:
            lines = str(problem).splitlines()
        said = look.box("The studies are as they were", lines, "bad", "alert")
        self.told.param.update(object=said, visible=bool(lines))

    def prepare(self) -> pd.DataFrame:
        """Return the studies that are pooled."""
        scenario = self.state.scenario
        mixed = scenario.effect.family_group_conferencing
        return models.study_table(self.state.live.register.tables, mixed=mixed, **changes.pooling(scenario))

    def show(self, pooled: pd.DataFrame) -> None:
        """Show them."""
        rows = [
            (f"{row.study}{' (yours)' if row.study in self.state.scenario.studies else ''}",
             [w.label(row.outcome), w.label(row.design), _number(row.effect), _number(row.se)])
            for row in pooled.itertuples()
        ]  # fmt: skip
        left = ", ".join(f"{key} ({why})" for key, why in pooled.attrs["left_out"].items())
        heads = ["Study", "Outcome", "Design", "Effect", "Standard error"]
        note = (
            "Effect: log risk ratio, benefit below nought; for attainment a standardised difference, benefit above "
            f"nought. Without a number, only its direction is pooled. Left out: {left or 'none'}."
        )
        self.pooled.object = look.plain_table("Studies that are pooled", heads, rows, note)
        names = sorted(set(pooled["study"]))
        if self.known.options != names:
            self.known.param.update(options=names, value=names[0] if names else None)

    def view(self) -> Any:
        """Return the part of the page."""
        return pmui.Column(
            look.html("<h2>The studies of the effect</h2><p class=hint>Pooled anew, exactly, after every change.</p>"),
            self.pooled, pmui.FlexBox(self.known, self.leave, self.again, gap="4px", align_items="center"),
            pmui.FlexBox(self.name, self.outcome, self.design, self.scale, self.estimate, self.error, gap="4px"),
            self.reason, self.add, self.told, sizing_mode="stretch_width",
        )  # fmt: skip


def _number(value: Any) -> str:
    return "no number" if pd.isna(value) else f"{value:.3g}".replace("-", w.MINUS)
