"""The page *Take away*: the report, the workbook, the figures and the scenario as files, made by the command's code."""

import io
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import panel_material_ui as pmui

from toolkit import report
from toolkit.apps import look
from toolkit.apps.state import State
from toolkit.report import drawing
from toolkit.report.html import drawn
from toolkit.report.quantities import Run

NAMES = {
    "report.html": "Report, one page that needs no network (HTML)",
    "workbook.xlsx": "Workbook with every table and source (Excel)",
    "figures.zip": "Every figure, as PNG and SVG (zip)",
}
RESOLUTION = 160  # dots an inch


class Files:
    """The page."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.ask = pmui.Button(label="Make the files for this scenario", variant="contained", size="small")
        self.ask.on_click(lambda _: self._ask())
        self.asked, self._made_for, self._made = "", "", dict[str, bytes]()
        self.status = look.html()
        self.downloads = {
            name: pmui.FileDownload(
                callback=self._content(name), filename=name, label=title, variant="outlined", size="small",
                visible=False, margin=(4, 0),
            )
            for name, title in NAMES.items()
        }  # fmt: skip

    def _content(self, name: str) -> Any:
        return lambda: io.BytesIO(self._made[name])

    def _key(self) -> str:
        return f"{self.state.scenario.hash} {self.state.place}"

    def _ask(self) -> None:
        self.asked = self._key()
        self.state.tell()

    def prepare(self, run: Run) -> tuple[str, dict[str, bytes]]:
        """Make the files if they were asked for; away from the page's thread."""
        key = self._key()
        if self.asked != key or self._made_for == key:
            return self._made_for, self._made
        full = self.state.live.full_run(self.state.scenario, self.state.areas)
        return key, made(full)

    def show(self, run: Run, prepared: tuple[str, dict[str, bytes]]) -> None:
        """Show what can be downloaded."""
        self._made_for, self._made = prepared
        fresh = bool(self._made) and self._made_for == self._key()
        for name, button in self.downloads.items():
            button.visible = fresh
            button.filename = f"{self.state.scenario.name} {self.state.place} {name}".replace(" ", "_").lower()
        said = "The files below hold the scenario on the page." if fresh else "It takes some seconds."
        self.status.object = f'<p class="hint" role="status">{said}</p>'

    def view(self) -> Any:
        """Return the page."""
        return pmui.Column(
            look.html(
                "<h1>Take it to committee</h1><p>The files are made by the command’s own code, from the same draws "
                "as the numbers on these pages. The address of this page is a link to the scenario.</p>"
            ),
            self.ask, self.status, *self.downloads.values(), sizing_mode="stretch_width",
        )  # fmt: skip


def made(run: Any) -> dict[str, bytes]:
    """Return the files of a finished run by name."""
    with tempfile.TemporaryDirectory() as folder:
        paths = report.write_all(run, Path(folder))
        found = {path.name: path.read_bytes() for path in paths if path.name in NAMES}
    return found | {"figures.zip": pictures(run)}


def pictures(run: Run) -> bytes:
    """Return every figure as PNG and SVG in one archive."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, plot in drawn(run).items():
            figure, image = plot(run), io.BytesIO()
            archive.writestr(f"{name}.svg", drawing.svg(figure))
            figure.savefig(image, format="png", dpi=RESOLUTION)
            archive.writestr(f"{name}.png", image.getvalue())
    return held.getvalue()
