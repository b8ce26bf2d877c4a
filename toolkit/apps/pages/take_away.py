"""The page *Take away*: the report, the workbook, the figures and the scenario as files, made by the command's code."""

import io
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from toolkit import report
from toolkit.apps.engine.page_values import ends_of
from toolkit.apps.parts import charts, look
from toolkit.apps.parts.card import Card
from toolkit.apps.parts.fields import beside, button, choice, column, download
from toolkit.apps.session.state import State
from toolkit.measures import budget
from toolkit.measures import quantities as q
from toolkit.measures import words as w
from toolkit.measures.quantities import Run
from toolkit.report import drawing
from toolkit.report.html import drawn

NAMES = {
    "report.html": "Report, one page that needs no network (HTML)",
    "workbook.xlsx": "Workbook with every table and source (Excel)",
    "figures.zip": "Every figure, as PNG and SVG (zip)",
}
LINES = {
    "Net in the year": "term|net",
    "Running total": "term|cumulative",
    "Programme": "term|programme",
    "Cash released": "term|cash_released",
}
RESOLUTION = 160  # dots an inch


class TakeAway:
    """The page."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.ask = button("Make the files for this scenario", self._ask, main=True)
        self.asked, self._files_for, self._files = "", "", dict[str, bytes]()
        self.status, self._pictures = look.html(), dict[str, bytes]()
        self.which = choice("One figure", [], width=400)
        self.single = {
            kind: download(f"This figure as {kind.upper()}", f"figure.{kind}", self._picture(kind), margin=(4, 0))
            for kind in ("png", "svg")
        }
        parts = (self.which, beside(*self.single.values()))
        self.figures = column(*parts, visible=False)
        self.cash = Card(
            "medium_term",
            charts.bars("The council’s medium-term view", "Budget effect, cash of each year"),
            ("The council’s medium-term view", "Net effect on its budget in the cash of each year; 90% intervals."),
            self._table,
        )
        self.downloads = {
            name: download(title, name, self._content(name), visible=False, margin=(4, 0))
            for name, title in NAMES.items()
        }

    def _table(self, run: Run) -> str:
        return look.table(budget.medium_term_table(run, budget.medium_term(run)), q.level(run), look.keyed(LINES))

    def _content(self, name: str) -> Any:
        return lambda: io.BytesIO(self._files[name])

    def _picture(self, kind: str) -> Any:
        def content() -> io.BytesIO:
            name = f"{self.which.value}.{kind}"
            self.single[kind].filename = name
            return io.BytesIO(self._pictures[name])

        return content

    def _key(self) -> str:
        return f"{self.state.scenario.hash} {self.state.place} {self.state.scenario.title}"

    def _ask(self) -> None:
        self.asked = self._key()
        self.state.notify()

    def prepare(self, run: Run) -> tuple[str, dict[str, bytes]]:
        """Make the files on request; runs outside the page's thread."""
        key = self._key()
        if self.asked != key or self._files_for == key:
            return self._files_for, self._files
        asked, self.asked = self.asked, ""  # so that it does not start again by itself if stopped
        files = files_of(self.state.live.full_run(self.state.scenario, self.state.areas))
        self.asked = self.asked or asked
        return key, files

    def show(self, run: Run, prepared: tuple[str, dict[str, bytes]]) -> None:
        """Show what can be downloaded."""
        self._files_for, self._files = prepared
        view = budget.medium_term(run)
        names = [*view["financial_year"].values.tolist(), f"All {view.sizes['year']} years"]
        mean, low, high = (np.append(part[2], part[3, -1]) for part in ends_of(run, view))
        data = charts.bar_data(names[::-1], mean[::-1], low[::-1], high[::-1])
        data["key"] = [f"term|cumulative|{names[-2]}", *(f"term|net|{name}" for name in names[-2::-1])]
        charts.set_bars(self.cash.chart, data)
        text = "; ".join(f"{name} {w.money(float(value))}" for name, value in zip(names, mean, strict=True))
        self.cash.show(run, {}, f"Expected net effect on the council’s budget: {text}.")
        self._unpack()
        fresh = self.figures.visible = bool(self._files) and self._files_for == self._key()
        for name, file in self.downloads.items():
            file.visible = fresh
            file.filename = f"{self.state.scenario.name} {self.state.place} {name}".replace(" ", "_").lower()
        text = "The files below hold the scenario on the page." if fresh else "It takes a minute or two."
        self.status.object = f'<p class="hint" role="status">{text}</p>'

    def _unpack(self) -> None:
        """Offer each figure of the archive as a separate file."""
        if not self._files:
            return
        with zipfile.ZipFile(io.BytesIO(self._files["figures.zip"])) as archive:
            self._pictures = {name: archive.read(name) for name in archive.namelist()}
        images = [name.removesuffix(".png") for name in self._pictures if name.endswith(".png")]
        names = {w.label(name): name for name in images}
        if self.which.options != names:
            self.which.param.update(options=names, value=next(iter(names.values())))

    def view(self) -> Any:
        """Return the page."""
        return column(
            look.html(
                "<h1>Take it to committee</h1><p>The files are made by the command’s own code, from the same draws "
                "as the numbers on these pages. The address of this page is a link to the scenario.</p>"
            ),
            self.ask,
            self.status,
            *self.downloads.values(),
            self.figures,
            self.cash.view(),
        )


def files_of(run: Any) -> dict[str, bytes]:
    """Return the files of a finished run by name."""
    with tempfile.TemporaryDirectory() as folder:
        paths = report.write_all(run, Path(folder))
        files = {path.name: path.read_bytes() for path in paths if path.name in NAMES}
    return files | {"figures.zip": pictures(run)}


def pictures(run: Run) -> bytes:
    """Return every figure as PNG and SVG in one archive."""
    archive_bytes = io.BytesIO()
    with zipfile.ZipFile(archive_bytes, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, plot in drawn(run).items():
            figure, image = plot(run), io.BytesIO()
            archive.writestr(f"{name}.svg", drawing.svg(figure))
            figure.savefig(image, format="png", dpi=RESOLUTION)
            archive.writestr(f"{name}.png", image.getvalue())
    return archive_bytes.getvalue()
