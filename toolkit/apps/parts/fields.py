"""Fields, lists and buttons of the forms, never wider than a phone, and the message when one cannot be used."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from io import BytesIO
from typing import Any

import panel_material_ui as pmui

from toolkit.apps.parts import look
from toolkit.schema import InputError
from toolkit.tabular import excerpt

LARGEST_SENT = 500_000  # bytes: a browser sends no larger file, and access.js says so
LEAST = 150  # pixels, in which a field's name can be read: on a phone two stand beside each other
column: Any = partial(pmui.Column, sizing_mode="stretch_width")  # parts below each other


def field(label: str, *, most: int = 20, width: int = 190, value: str = "") -> Any:
    """Return a field for a line of text."""
    return pmui.TextInput(
        label=label,
        value=value,
        max_length=most,
        size="small",
        sizing_mode="stretch_width",
        max_width=width,
        min_width=min(width, LEAST),
    )


def pasted(label: str, *, most: int, rows: int) -> Any:
    """Return a field for many lines of text."""
    options = {"max_length": most, "sizing_mode": "stretch_width"}
    return pmui.TextAreaInput(label=label, value="", rows=rows, **options)


def choice(label: str, options: dict[str, Any] | Sequence[str], *, width: int = 190) -> Any:
    """Return a list to choose from, at its first."""
    first = next(iter(options.values() if isinstance(options, dict) else options), None)
    return pmui.Select(
        label=label, options=options, value=first, size="small", sizing_mode="stretch_width", max_width=width
    )


def button(label: str, pressed: Callable[[], Any], *, main: bool = False, **more: Any) -> Any:
    """Return a button; ``main`` is the one that most will press."""
    kind = "contained" if main else "outlined"
    return pmui.Button(label=label, variant=kind, size="small", on_click=lambda _: pressed(), **more)


def download(label: str, name: str, content: Callable[[], BytesIO], **more: Any) -> Any:
    """Return a button that sends a file."""
    return pmui.FileDownload(callback=content, filename=name, label=label, variant="outlined", size="small", **more)


def upload(label: str, kind: str, take: Callable[[bytes], Any], **options: Any) -> Any:
    """Return a button that reads one file of a kind, such as ".csv", and hands its content on, keeping none of it."""
    widget: Any = pmui.FileInput(
        label=label,
        accept=kind,
        max_file_size=LARGEST_SENT,
        chunk_size=LARGEST_SENT,
        variant="outlined",
        size="small",
        **options,
    )

    def arrived(message: dict[str, Any]) -> None:
        # In one piece, as a browser sends what is no larger; Panel's own would gather any number of any size.
        content = message.get("data")
        if isinstance(content, bytes | bytearray | memoryview) and 0 < len(content) <= LARGEST_SENT:
            name, mime = (excerpt(message.get(key)) for key in ("name", "mime_type"))
            widget._buffer[:] = [{"value": bytes(content), "filename": name, "mime_type": mime}]

    def use(event: Any) -> None:
        if event.new:
            take(event.new)
            widget.clear()

    answer = widget._handle_msg

    def arrived_or_failed(message: dict[str, Any]) -> None:
        # The browser reports a file that it will not send; the page says so itself, and Panel would raise.
        if message.get("status") != "error":
            answer(message)

    widget._process_chunk, widget._handle_msg = arrived, arrived_or_failed
    widget.param.watch(use, "value")
    return widget


def beside(*parts: Any) -> Any:
    """Return parts beside each other, as far as there is room."""
    return pmui.FlexBox(*parts, gap="4px", align_items="center", sizing_mode="stretch_width")


def grid(parts: Iterable[Any], spacing: int, **size: int) -> Any:
    """Return parts in a grid of twelve columns, of which each takes as many as ``size`` says for a width of screen."""
    cells = [pmui.Grid(part, size={"xs": 12, **size}) for part in parts]
    return pmui.Grid(*cells, container=True, spacing=spacing, sizing_mode="stretch_width")


def attempt(problems: Any, title: str, act: Callable[[], Any]) -> None:
    """Do what a button asks; show problems under ``title`` in the pane ``problems``."""
    lines: list[str] = []
    try:
        act()
    except InputError as problem:
        lines = str(problem).splitlines()
    problems.param.update(object=look.box(title, lines, "bad", "alert"), visible=bool(lines))
