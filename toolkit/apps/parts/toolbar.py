"""Undo, redo, reset, and the scenario as a file: the same YAML that the command takes."""

import io
from typing import Any

import panel_material_ui as pmui

from toolkit.apps.parts import look
from toolkit.apps.parts.fields import attempt, button, column, download, upload
from toolkit.apps.session.state import State


class Toolbar:
    """The buttons above every page."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.undo = button("Undo", state.undo, margin=0)
        self.redo = button("Redo", state.redo, margin=0)
        self.reset = button("Reset to the evidence", state.reset, margin=0)
        self.save = download("Save scenario", "scenario.yaml", self._file, margin=0)
        self.open = upload("Load scenario", ".yaml,.yml", self._load, margin=0)
        self.problems = look.html(visible=False)

    def _file(self) -> io.BytesIO:
        self.save.filename = f"{self.state.scenario.name}.yaml"
        return io.BytesIO(self.state.file().encode())

    def _load(self, content: bytes) -> None:
        attempt(self.problems, "The scenario file was not used", lambda: self.state.load(content))

    def show(self) -> None:
        """Show which buttons can be pressed; what was wrong with a file is over once anything else is done."""
        self.problems.visible = False
        self.undo.disabled, self.redo.disabled = not self.state.can_undo, not self.state.can_redo
        self.reset.disabled = not self.state.changed

    def view(self, *beside: Any) -> Any:
        """Return the buttons, and what stands beside them."""
        buttons = (self.undo, self.redo, self.reset, self.save, self.open, *beside)
        bar = pmui.FlexBox(*buttons, gap="6px", align_items="center")
        return column(bar, self.problems, margin=(10, 0, 0, 0))
