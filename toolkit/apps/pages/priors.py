"""Priors on the page *Model checks*: change one, and see whether reweighted draws of the fit suffice."""

from collections.abc import Callable
from typing import Any

import pandas as pd

from toolkit import evidence
from toolkit.apps.parts import entry, look
from toolkit.apps.parts.fields import attempt, beside, button, choice, column, field
from toolkit.apps.session.state import State
from toolkit.measures import words as w
from toolkit.measures.quantities import Run

ARGUMENTS = {  # distribution: what its numbers are
    "normal": ("Mean", "Standard deviation"),
    "log_normal": ("Mean of the log", "Standard deviation of the log"),
    "gamma": ("Shape", "Rate"),
    "beta": ("First shape", "Second shape"),
    "half_normal": ("Scale", ""),
}
NAMES = {
    "mu": "Mean effect of all programmes",
    "tau_type": "Spread of effects between types of programme",
    "tau_programme": "Spread of effects between programmes of one type",
    "tau_study": "Spread of effects between evaluations and places",
    "scale_up_independent": "Share that survives scale-up, independently evaluated in the UK",
    "scale_up_other": "Share that survives scale-up, otherwise",
    "take_up_unknown": "Share served by a whole-school or area programme, where not surveyed",
    "site_common": "Share of the luck of sites that all areas have in common",
    "onset": "Years until help changes events",
    "intercept": "Level of the rate",
    "spend_within": "Spending, within an area over time",
    "spend_between": "Spending, between areas",
    "low_income": "Low income, between areas",
    "low_income_within": "Low income, within an area over time",
    "area_sd": "Spread of areas",
    "region_sd": "Spread of regions",
    "year_sd": "Step from year to year",
    "drift": "Drift of an area over five years",
    "dispersion": "Spread of one year’s count beyond chance",
    "drift_size": "Fall of the drift with an area’s size",
    "persistence": "Persistence of an area’s deviation",
}


SCALES = {"_event": "events, log hazard ratio", "_attainment": "attainment, standardised difference"}


def reader_name(key: str) -> str:
    """Return the reader's name of a prior: "outcomes.area_sd[care_starts]" is "Spread of areas (care starts)"."""
    name, _, which = key.partition(".")[2].rstrip("]").partition("[")
    for ending, what in SCALES.items():
        if name not in NAMES and name.endswith(ending):
            name, which = name.removesuffix(ending), what
    return NAMES[name] + (f" ({w.inside(which)})" if which else "")


class Priors:
    """The part of the page."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.known = evidence.changeable_priors(state.live.register.tables["priors"])
        self.verdict, self.table, self.problems = look.html(), look.html(), look.html(visible=False)
        self.which = choice("Prior", {reader_name(str(key)): str(key) for key in self.known.index}, width=520)
        self.first, self.second = field("", width=240), field("", width=240)
        self.reason = field("Why this prior", most=200, width=520)
        self.use = button("Use this prior", lambda: self._put(self._changed), main=True)
        self.back = button(
            "Back to the shipped priors", lambda: self._put(lambda: dict.fromkeys(state.scenario.priors))
        )
        self.which.param.watch(lambda _: self._fill(), "value")
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
        return {str(self.which.value): row}

    def _put(self, change: Callable[[], Any]) -> None:
        attempt(self.problems, "The priors are as they were", lambda: self.state.put(priors=change()))

    def show(self, run: Run) -> None:
        """Show the priors in use, and the checks of changed ones."""
        mine = self.state.scenario.priors
        rows = []
        for key, row in self.known.iterrows():
            own, shipped = mine.get(str(key)), _numbers(row["arg1"], row["arg2"])
            yours = "" if own is None else f"{_numbers(own.first, own.second)}: {own.reason}"
            rows.append((reader_name(str(key)), [str(row["distribution"]).replace("_", " "), shipped, yours]))
        heads = ["Parameter", "Distribution", "Ours", "Yours"]
        self.table.object = look.plain_table("Priors", heads, rows, numbers=())
        card = run.report_card.set_index("check")
        self.verdict.object = ""
        if "changed_priors_pareto_k" in card.index:
            shape, draws = (card.loc[f"changed_priors_{name}"] for name in ("pareto_k", "effective_draws"))
            line = (
                f"The fit’s draws were reweighted by the ratio of the priors, without a refit: Pareto k-hat "
                f"{shape['value']:.2f} (below {shape['threshold']:g}), {draws['value']:,.0f} effective draws "
                f"({draws['threshold']:,.0f} are enough)."
            )
            self.verdict.object = look.box("Changed priors", [line])
        elif any(key.startswith("outcomes.") for key in mine):
            self.verdict.object = look.box("Changed priors", ["The model was refitted with these priors."])

    def view(self) -> Any:
        """Return the part of the page."""
        return column(
            look.html(
                "<h2>Change a prior</h2><p class=hint>What was believed before the data. The fit’s draws are "
                "reweighted where that can be trusted; otherwise the page offers a refit.</p>"
            ),
            self.verdict,
            self.which,
            beside(self.first, self.second),
            self.reason,
            beside(self.use, self.back),
            self.problems,
            self.table,
        )


def _numbers(first: float, second: float | None) -> str:
    return ", ".join(f"{x:g}".replace("-", w.MINUS) for x in (first, second) if x is not None and not pd.isna(x))
