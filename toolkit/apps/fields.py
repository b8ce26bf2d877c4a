"""Fields, lists and buttons of the forms, never wider than a phone, and what is said when one cannot be used."""

from collections.abc import Callable, Sequence
from typing import Any

import panel_material_ui as pmui

from toolkit.apps import look
from toolkit.schema import InputError

LEAST = 150  # pixels, in which a field's name can be read: on a phone two stand beside each other


def field(label: str, *, most: int = 20, width: int = 190, value: str = "") -> Any:
    """Return a field for a line of text."""
    return pmui.TextInput(label=label, value=value, max_length=most, size="small", sizing_mode="stretch_width",
                          max_width=width, min_width=min(width, LEAST))  # fmt: skip


def choice(label: str, options: dict[str, Any] | Sequence[str], *, width: int = 190) -> Any:
    """Return a list to choose from, at its first."""
    first = next(iter(options.values() if isinstance(options, dict) else options), None)
    return pmui.Select(
        label=label, options=options, value=first, size="small", sizing_mode="stretch_width", max_width=width
    )


def button(label: str, pressed: Callable[[], Any], *, main: bool = False) -> Any:
    """Return a button; ``main`` is the one that most will press."""
    kind = "contained" if main else "outlined"
    return pmui.Button(label=label, variant=kind, size="small", on_click=lambda _: pressed())


def beside(*parts: Any) -> Any:
    """Return parts beside each other, as far as there is room."""
    return pmui.FlexBox(*parts, gap="4px", align_items="center", sizing_mode="stretch_width")


def attempt(told: Any, title: str, act: Callable[[], Any]) -> None:
    """Do what a button asks; what is wrong with it is said under ``title``, where there is room for it."""
    lines: list[str] = []
    try:
        act()
    except InputError as problem:
        lines = str(problem).splitlines()
    told.param.update(object=look.box(title, lines, "bad", "alert"), visible=bool(lines))
