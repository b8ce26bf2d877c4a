"""A council's own figures on the page *Evidence*: typed, or pasted as two columns, over the published ones."""

from collections.abc import Callable
from html import escape
from typing import Any

import pandas as pd

from toolkit import evidence
from toolkit.apps.parts import entry, look
from toolkit.apps.parts.fields import attempt, beside, button, choice, column, field, pasted
from toolkit.apps.session.state import State
from toolkit.measures import words as w
from toolkit.prices import price_year_label
from toolkit.schema import PRICE_BASE, InputError

NAMES = {key: row[0] for key, row in evidence.OWN.items()}
READ = {name.casefold(): key for key, label in NAMES.items() for name in (key, key.replace("_", " "), label)}


class OwnFigures:
    """The part of the page."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.table, self.problems = look.html(), look.html(visible=False)
        self.which = choice("Statistic", {label: key for key, label in NAMES.items()}, width=520)
        self.value = field("Your council’s value")
        self.year = field("Price year of money", value=PRICE_BASE)
        self.reason = field("Where your council’s figures come from", most=200, width=520)
        about = "Or paste two columns from a spreadsheet: name, value"
        self.paste = pasted(about, most=entry.MOST_CHARACTERS, rows=3)
        self.use = button("Use our value", lambda: self._put(self._typed), main=True)
        self.take = button("Use our pasted values", lambda: self._put(self._pasted))
        self.back = button("Go back to the published value", lambda: self._drop([self.which.value]))
        self.clear = button("Go back to all published values", lambda: self._drop(list(NAMES)))

    def _typed(self) -> dict[str, float]:
        return {str(self.which.value): entry.number(self.value.value, "value")}

    def _pasted(self) -> dict[str, float]:
        return entry.used(entry.pairs(str(self.paste.value or ""), READ))

    def _put(self, values: Callable[[], dict[str, float]]) -> None:
        attempt(self.problems, "These figures were not used", lambda: self._use(values()))

    def _use(self, values: dict[str, float]) -> None:
        reason, year = str(self.reason.value or "").strip(), price_year_label(str(self.year.value or "")) or PRICE_BASE
        if len(reason) < 5:
            raise InputError("Say in a few words where the figures come from: it is printed beside them.")
        rows: dict[str, dict[str, Any]] = {}
        for key, value in values.items():
            money = evidence.OWN[key][1].startswith("GBP")
            rows[key] = {"value": value, "reason": reason} | ({"price_year": year} if money else {})
        area = self.state.areas[0]
        self.state.put(own_figures={key: {**row, "area": area} for key, row in rows.items()})
        self.paste.value = ""

    def _drop(self, keys: list[str]) -> None:
        attempt(self.problems, "Nothing changed", lambda: self.state.put(own_figures=dict.fromkeys(keys)))

    def prepare(self) -> str:
        """Return the area's published figures beside its own as a table; nothing for more than one area."""
        if len(self.state.areas) != 1:
            return ""
        area, own = self.state.areas[0], self.state.scenario.own_figures
        rows = []
        for key, row in evidence.published(self.state.live.base_year, area).iterrows():
            mine, money = own.get(str(key)), row["unit"].startswith("GBP")
            known = "–" if pd.isna(row["published"]) else w.number(row["published"], 2 * money)
            yours = "" if mine is None else w.number(mine.value, 2 * money)
            yours += f" ({mine.price_year} prices)" if mine is not None and money else ""
            unit = row["unit"] + (f", {PRICE_BASE} prices" if money else "")
            rows.append((row["description"], [known, yours, unit, f"{row['source']}, {row['year']:.0f}"]))
        name = " and ".join(evidence.members(self.state.live.reference, area))
        note = "Own values are the council’s own, used for this session and kept in its saved scenario and link only."
        heads = ["Statistic", "Published", "Yours", "Unit", "Published in, year to"]
        return look.plain_table(name, heads, rows, note, numbers=(0, 1))

    def show(self, table: str) -> None:
        """Show the table; without one area, say that one is needed."""
        single = bool(table)
        self.table.object = table or "<p>Choose a single authority to put its own figures in.</p>"
        for widget in (self.use, self.take, self.back, self.clear):
            widget.disabled = not single

    def view(self) -> Any:
        """Return the part of the page."""
        about = (
            "Used in place of the published ones wherever the council is priced, and flagged there. Rates of outcomes "
            "stay those of the fitted model, and what is known of England rests on what every council published."
        )
        return column(
            look.html(f"<h2>Your council’s own figures</h2><p class=hint>{escape(about)}</p>"),
            self.table,
            self.which,
            beside(self.value, self.year),
            self.reason,
            beside(self.use, self.back, self.clear),
            self.paste,
            self.take,
            self.problems,
        )
