"""A council's own figures on the page *Evidence*: typed, or pasted as two columns, over the published ones."""

from html import escape
from typing import Any

import pandas as pd
import panel_material_ui as pmui

from toolkit import evidence
from toolkit.apps import entry, look
from toolkit.apps.state import State
from toolkit.report import words as w
from toolkit.schema import PRICE_BASE, InputError

FAMILY = "cost_per_family"  # a cited figure, put in its place as one
NAMES = {key: row[0] for key, row in evidence.OWN.items()} | {FAMILY: "Cost of helping one family"}
READ = {name.casefold(): key for key, label in NAMES.items() for name in (key, key.replace("_", " "), label)}


class OwnFigures:
    """The part of the page."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.heading, self.table, self.told = look.html(), look.html(), look.html(visible=False)
        options = {label: key for key, label in NAMES.items()}
        self.which = pmui.Select(label="Statistic", options=options, value=next(iter(NAMES)), size="small", width=520)
        self.value = pmui.TextInput(label="Your council’s value", value="", max_length=20, size="small", width=190)
        self.year = pmui.TextInput(label="Price year of money", value=PRICE_BASE, size="small", width=190)
        self.reason = pmui.TextInput(
            label="Where your council’s figures come from", value="", max_length=200, size="small"
        )
        self.use = pmui.Button(label="Use our value", variant="contained", size="small")
        self.back = pmui.Button(label="Go back to the published value", variant="outlined", size="small")
        self.clear = pmui.Button(label="Go back to all published values", variant="outlined", size="small")
        self.paste = pmui.TextAreaInput(
            label="Or paste two columns from a spreadsheet: name, value", value="", rows=3,
            max_length=entry.MOST_CHARACTERS, sizing_mode="stretch_width",
        )  # fmt: skip
        self.take = pmui.Button(label="Use our pasted values", variant="outlined", size="small")
        self.use.on_click(lambda _: self._put(lambda: {self.which.value: entry.number(self.value.value, "value")}))
        self.take.on_click(lambda _: self._put(self._pasted))
        self.back.on_click(lambda _: self._drop([self.which.value]))
        self.clear.on_click(lambda _: self._drop(list(NAMES)))

    def _pasted(self) -> dict[str, float]:
        found, problems = entry.pairs(str(self.paste.value or ""), READ)
        if problems:
            raise InputError("\n".join(problems))
        return found

    def _put(self, given: Any) -> None:
        reason, year = str(self.reason.value or "").strip(), str(self.year.value or "").strip() or PRICE_BASE
        try:
            values: dict[str, float] = given()
            if len(reason) < 5:
                raise InputError("Say in a few words where the figures come from: it is printed beside them.")
            rows = {key: {"value": value, "reason": reason, "price_year": year} for key, value in values.items()}
            family = {key: rows.pop(key) for key in (FAMILY,) if key in rows}
            for key, row in rows.items():
                row["area"] = self.state.areas[0]
                if not evidence.OWN[key][1].startswith("GBP"):
                    del row["price_year"]
            self.state.put(own_figures=rows, overrides=family)
            self.paste.value = ""
            self._say([])
        except InputError as problem:
            self._say(str(problem).splitlines())

    def _drop(self, keys: list[str]) -> None:
        gone: dict[str, None] = dict.fromkeys(keys)
        self.state.put(own_figures=gone, overrides={FAMILY: None} if FAMILY in gone else {})
        self._say([])

    def _say(self, lines: list[str]) -> None:
        said = look.box("These figures were not used", lines, "bad", "alert")
        self.told.param.update(object=said, visible=bool(lines))

    def prepare(self) -> str:
        """Return the area's published figures beside its own as a table; nothing for more than one area."""
        if len(self.state.areas) != 1:
            return ""
        area, own = self.state.areas[0], self.state.scenario.own_figures
        rows = []
        for key, row in evidence.published(self.state.live.base_year, area).iterrows():
            mine = own.get(str(key))
            known = "–" if pd.isna(row["published"]) else w.figure(float(f"{row['published']:.6g}"))
            unit = row["unit"] + (f", {PRICE_BASE} prices" if row["unit"].startswith("GBP") else "")
            said = "" if mine is None else w.figure(mine.value) + (f" ({mine.price_year})" if mine.price_year else "")
            rows.append((row["description"], [known, said, unit, f"{row['source']}, {row['year']:.0f}"]))
        name = str(self.state.live.statistics["area_name"].sel(area=area).item())
        note = "Own values are the council’s own, used for this session and kept in its saved scenario and link only."
        return look.plain_table(name, ["Statistic", "Published", "Yours", "Unit", "Published in, year to"], rows, note)

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
        return pmui.Column(
            look.html(f"<h2>Your council’s own figures</h2><p class=hint>{escape(about)}</p>"), self.table,
            self.which, pmui.FlexBox(self.value, self.year, gap="4px"), self.reason,
            pmui.FlexBox(self.use, self.back, self.clear, gap="4px"), self.paste, self.take, self.told,
            sizing_mode="stretch_width",
        )  # fmt: skip
