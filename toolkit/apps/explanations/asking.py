"""Which number a visitor has pressed, and its explanation: a key comes from the browser, HTML goes back to it.

The browser's part is in ``static/access.js``. Nothing is computed unless an explanation is open; an open one follows
the scenario. A key is looked up and never run; an unknown one is answered with an error message.
"""

from collections.abc import Callable
from html import escape
from typing import Any

from bokeh.models import ColumnDataSource, CustomJS

from toolkit.apps.engine.refresh import Overtaken, incident
from toolkit.apps.explanations import numbers
from toolkit.measures.quantities import Run
from toolkit.schema import InputError

SHOW = 'dispatchEvent(new CustomEvent("explained", {detail: {key: answer.data.key[0], html: answer.data.html[0]}}))'

CLOSED = "-"


class Asking:
    """The number that is explained, if any."""

    def __init__(self, on_ask: Callable[[], None]) -> None:
        self.key, self._on_ask = "", on_ask
        self.asked = ColumnDataSource({"key": [""]}, name="asked")
        self.answer = ColumnDataSource({"key": [""], "html": [""]})
        self.answer.js_on_change("data", CustomJS(args={"answer": self.answer}, code=SHOW))
        self.asked.on_change("data", self._came)

    def attach(self, doc: Any) -> None:
        """Attach the sources to the page, where they are invisible."""
        if doc is not None and doc.roots and self.asked.document is None:
            doc.roots[0].tags = [*doc.roots[0].tags, self.asked, self.answer]

    def _came(self, _name: str, _old: Any, new: Any) -> None:
        keys = new.get("key")
        key = str(keys[0]) if isinstance(keys, list) and keys else ""
        if key == self.key:
            return
        self.key = key
        if key:
            self._on_ask()
        else:
            self.show("")

    def close(self) -> None:
        """Stop explaining, and have the browser close the explanation when it is next sent something."""
        if self.key:
            self.key = CLOSED

    def prepare(self, run: Run, page: Any) -> str:
        """Return the explanation of the number as HTML; runs outside the page's thread."""
        if (key := self.key) in ("", CLOSED):
            return ""
        try:
            if key.startswith("@"):  # a number of another run on the page
                place, _, key = key[1:].partition("|")
                run = _other(run, page, place)
            if own := getattr(page, "explain", lambda _: "")(key):  # a number of the page's own
                return str(own)
            return numbers.explanation(run, key)
        except Overtaken:
            raise
        except InputError as problem:
            reason = str(problem)
        except Exception as problem:
            reason = f"Give this number when you report it: {incident(problem, 'an explanation')}."
        return f'<h2 id="explained-title">This number cannot be explained</h2><p>{escape(reason)}</p>'

    def show(self, html: str) -> None:
        """Send an explanation to the browser."""
        data: dict[str, Any] = {"key": [self.key], "html": [html]}
        if self.answer.data != data:
            self.answer.data = data
        if self.key == CLOSED:
            self.key = ""


def _other(run: Run, page: Any, place: str) -> Run:
    runs = page.others(run) if hasattr(page, "others") else []
    if not (place.isascii() and place.isdecimal() and int(place) < len(runs)):
        raise InputError("This number is no longer on the page.", fix="close this and press another.")
    other: Run = runs[int(place)]
    return other
