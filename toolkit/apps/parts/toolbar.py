"""Undo, redo, reset, and the scenario as a file: the same YAML that the command takes."""

import io
from typing import Any

import panel_material_ui as pmui

from toolkit.apps.parts import look
from toolkit.apps.parts.fields import upload
from toolkit.apps.session.state import State
from toolkit.schema import InputError


class Toolbar:
    """The buttons above every page."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.undo = _button("Undo", lambda: state.undo())
        self.redo = _button("Redo", lambda: state.redo())
        self.reset = _button("Reset to the evidence", lambda: state.reset())
        self.save = pmui.FileDownload(
            callback=self._file,
            filename="scenario.yaml",
            label="Save scenario",
            variant="outlined",
            size="small",
            margin=0,
        )
        self.open = upload("Load scenario", ".yaml,.yml", self._load, margin=0)
        self.problems = look.html(visible=False)

    def _file(self) -> io.BytesIO:
        self.save.filename = f"{self.state.scenario.name}.yaml"
        return io.BytesIO(self.state.file().encode())

    def _load(self, content: bytes) -> None:
        box = ""
        try:
            self.state.load(content)
        except InputError as problem:
            box = look.box("The scenario file was not used", str(problem).splitlines(), "bad", "alert")
        self.problems.param.update(object=box, visible=bool(box))

    def show(self) -> None:
        """Show which buttons can be pressed; what was wrong with a file is over once anything else is done."""
        self.problems.visible = False
        self.undo.disabled, self.redo.disabled = not self.state.can_undo, not self.state.can_redo
        self.reset.disabled = not self.state.changed

    def view(self, *beside: Any) -> Any:
        """Return the buttons, and what stands beside them."""
        buttons = (self.undo, self.redo, self.reset, self.save, self.open, *beside)
        bar = pmui.FlexBox(*buttons, gap="6px", align_items="center")
        return pmui.Column(bar, self.problems, sizing_mode="stretch_width", margin=(10, 0, 0, 0))


def _button(name: str, pressed: Any) -> Any:
    return pmui.Button(label=name, variant="outlined", size="small", margin=0, on_click=lambda _: pressed())
