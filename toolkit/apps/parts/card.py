"""A chart with its heading, its words, and the table that holds the same numbers."""

from collections.abc import Callable
from html import escape
from typing import Any

import panel as pn
import panel_material_ui as pmui

from toolkit.apps.parts import charts, look
from toolkit.apps.parts.fields import column
from toolkit.measures.quantities import Run

TABLE = "What is drawn explains itself when pressed; by keyboard, the numbers of the table below it do."


class Card:
    """A chart with its heading, its words and its table, which is made only while it is looked at."""

    def __init__(
        self,
        name: str,
        chart: charts.Chart,
        about: tuple[str, str],
        rows: Callable[[Run], str],
        pressed: str = TABLE,
    ) -> None:
        self.name, self.chart, self._rows, self._pressed = name, chart, rows, pressed
        self._run: Run | None = None
        heading, hint = about
        self.head = look.html(f'<h2>{escape(heading)}</h2><p class="hint">{escape(hint)}</p>')
        self.as_table = pmui.Checkbox(label=f"Table: {heading.lower()}", value=False)
        self.table = look.html(visible=False)
        self.as_table.param.watch(lambda _: self._fill(), "value")

    def show(self, run: Run, data: dict[str, Any], words: str) -> None:
        """Put a run's numbers into the chart and, if it is open, the table."""
        self._run = run
        self.chart.show(data)
        self.chart.describe(f"{words} {self._pressed}")
        self._fill()

    def _fill(self) -> None:
        self.table.visible = bool(self.as_table.value)
        if self.table.visible and self._run is not None:
            self.table.object = self._rows(self._run)

    def view(self) -> Any:
        """Return the card."""
        plot = pn.pane.Bokeh(self.chart.figure, sizing_mode="stretch_width")
        return column(self.head, plot, self.as_table, self.table, css_classes=["card"])
