"""The page *Evidence*: every figure this run uses, where it comes from, and a form to replace it."""

from collections.abc import Callable
from html import escape
from typing import Any

import pandas as pd

from toolkit import evidence
from toolkit.apps.engine.scaled_run import LiveRun
from toolkit.apps.pages.own_figures import OwnFigures
from toolkit.apps.pages.studies import Studies
from toolkit.apps.parts import entry, look
from toolkit.apps.parts.fields import attempt, beside, button, choice, column, field, pasted, upload
from toolkit.apps.session.state import State
from toolkit.measures import provenance
from toolkit.measures import words as w
from toolkit.schema import PRICE_BASE

MOST_ROWS = 60


class Evidence:
    """The page."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.own, self.studies = OwnFigures(state), Studies(state)
        self.used, self.register, self.problems = look.html(), look.html(), look.html(visible=False)
        self.role = choice("Figure to replace", {}, width=520)
        self.value, self.year = field("Your value"), field("Price year, if money", value=PRICE_BASE)
        self.low, self.high = field("Low end (optional)"), field("High end (optional)")
        self.reason = field("Reason, printed beside it", most=300, width=520)
        self.apply = button("Use this figure", lambda: self._put(self._typed), main=True)
        self.remove = button("Go back to the cited figure", lambda: self._put(lambda: {self.role.value: None}))
        self.search = field("Search the whole register", most=80, width=320)
        self.take = button("Use the pasted figures", lambda: self._put(self._pasted))
        about = "Paste several: figure, value, low, high, price_year, reason"
        self.paste = pasted(about, most=entry.MOST_CHARACTERS, rows=4)
        self.upload = upload("Or load them from a CSV file", ".csv", self._upload)
        self.search.param.watch(lambda _: self._find(), "value")
        self.cited = look.html()
        self.role.param.watch(lambda _: self._cite(), "value")
        self._find()

    def _put(self, rows: Callable[[], dict[str, Any]]) -> None:
        attempt(self.problems, "This figure was not used", lambda: self.state.override_all(rows()))

    def _typed(self) -> dict[str, Any]:
        named = {"value": self.value, "low": self.low, "high": self.high, "price_year": self.year}
        texts = {name: str(widget.value or "") for name, widget in (named | {"reason": self.reason}).items()}
        role = str(self.role.value)
        return {role: entry.override(texts, self._units().get(role, ""))}

    def _units(self) -> dict[str, str]:
        figures = self.state.live.resolved(self.state.scenario).figures
        return dict(zip(figures.index.astype(str), figures["unit"].astype(str), strict=True))

    def _pasted(self) -> dict[str, Any]:
        rows = self._rows(str(self.paste.value or ""), "The pasted rows")
        self.paste.value = ""
        return rows

    def _rows(self, content: str | bytes, where: str) -> dict[str, Any]:
        return entry.used(entry.read(content, self._units(), where))

    def _upload(self, content: bytes) -> None:
        if content:
            self._put(lambda: self._rows(content, "The file"))

    def _cite(self) -> None:
        """Show the cited value of the figure to replace."""
        plain = self.state.scenario.model_copy(update={"overrides": {}})
        row = dict(self.state.live.resolved(plain).figures.loc[str(self.role.value)])
        text = ", ".join(filter(None, [w.figure(float(row["value"])), row["unit"], look.text(row["price_year"])]))
        self.cited.object = f'<p class="hint">Cited: {escape(text)}.</p>'

    def _find(self) -> None:
        words = str(self.search.value or "").casefold().split()
        figures = self.state.live.register.figures
        text = (figures.index.astype(str) + " " + figures["description"].astype(str)).str.casefold()
        hits = figures[[all(word in line for word in words) for line in text]]
        rows = [(str(key), _cells(row)) for key, row in hits.head(MOST_ROWS).iterrows()]
        note = f"{min(len(hits), MOST_ROWS)} of {len(hits):,} figures that match, of {len(figures):,} in the register."
        self.register.object = _table("Register of cited figures", rows, note)

    def prepare(self, run: LiveRun) -> tuple[str, str, tuple[str, list[str]]]:
        """Return the figures of the run as a table, the area's own, and the studies in use."""
        rows = []
        for role, row in run.assumptions.iterrows():
            tag = ' <span class="tag">your own figure</span>' if row["overridden"] else ""
            name, cells = f"{w.label(role)}{tag and ' (yours)'}", _cells(row, tag)
            value = look.Number(w.figure(float(row["value"])), f"figure|{role}")
            cells[1] = look.pressed(value, f"value, {name}", stop=-1)
            rows.append((name, cells))
        used = _table("Every figure this run uses", rows, provenance.FIGURES_NOTE)
        return used, self.own.prepare(), self.studies.prepare(run)

    def show(self, run: LiveRun, prepared: tuple[str, str, tuple[str, list[str]]]) -> None:
        """Put a run on the page."""
        self.used.object, own, studies = prepared
        self.own.show(own)
        self.studies.show(studies)
        roles = {w.label(role): str(role) for role in run.assumptions.index if role not in evidence.OWN}
        if self.role.options != roles:
            now = self.role.value if self.role.value in roles.values() else next(iter(roles.values()))
            self.role.param.update(options=roles, value=now)

    def view(self) -> Any:
        """Return the page."""
        fields = beside(self.value, self.low, self.high, self.year)
        return column(
            look.html("<h1>What does it all rest on?</h1>"),
            self.own.view(),
            look.html("<h2>Replace a cited figure</h2><p class=hint>It is flagged wherever it is used.</p>"),
            self.role,
            self.cited,
            fields,
            self.reason,
            beside(self.apply, self.remove),
            self.paste,
            beside(self.take, self.upload),
            self.problems,
            look.html("<h2>The figures of this run</h2>"),
            self.used,
            self.studies.view(),
            look.html("<h2>The whole register</h2>"),
            self.search,
            self.register,
        )


def _cells(row: pd.Series, tag: str = "") -> list[str]:
    """Return a figure's cells as HTML."""
    interval = ""
    if pd.notna(row["low"]) and pd.notna(row["high"]):
        level = "" if pd.isna(row["interval_level"]) else f" ({float(row['interval_level']):.0%})"
        interval = f"{w.figure(float(row['low']))} to {w.figure(float(row['high']))}{level}"
    elif "coefficient_of_variation" in row and pd.notna(row["coefficient_of_variation"]):
        interval = f"graded ±{float(row['coefficient_of_variation']):.0%}"
    reason = f"<br><b>Reason:</b> {escape(look.text(row['reason']))}" if tag else ""
    return [
        escape(look.text(row["description"])) + tag + reason,
        escape(w.figure(float(row["value"]))),
        escape(interval),
        *(escape(look.text(row[name])) for name in ("unit", "price_year", "confidence")),
        look.source_of(row),
    ]


def _table(caption: str, rows: list[tuple[str, list[str]]], note: str) -> str:
    heads = ("Figure", "What it is", "Value", "Interval", "Unit", "Price year", "Grade", "Source")
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
        for name, cells in rows
    )
    return f'{look.scrolling(caption, head, body)}<p class="hint">{escape(note)}</p>'
