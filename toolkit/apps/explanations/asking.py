"""Which number a visitor has pressed, and what is said of it: a key comes from the browser, words go back to it.

The browser's part is in ``static/access.js``. Nothing is worked out unless an explanation is open; one that is open
follows the scenario. A key is looked up and never run, and one that means nothing is refused in words.
"""

from collections.abc import Callable
from html import escape
from typing import Any

from bokeh.models import ColumnDataSource, CustomJS

from toolkit.apps.engine.refresh import Overtaken, incident
from toolkit.apps.explanations import numbers
from toolkit.measures.quantities import Run
from toolkit.schema import InputError

TELL = 'dispatchEvent(new CustomEvent("explained", {detail: {key: told.data.key[0], said: told.data.said[0]}}))'

CLOSED = "-"


class Asking:
    """The number that is explained, if any."""

    def __init__(self, tell: Callable[[], None]) -> None:
        self.key, self._tell = "", tell
        self.asked = ColumnDataSource({"key": [""]}, name="asked")
        self.told = ColumnDataSource({"key": [""], "said": [""]})
        self.told.js_on_change("data", CustomJS(args={"told": self.told}, code=TELL))
        self.asked.on_change("data", self._came)

    def attach(self, doc: Any) -> None:
        """Put it on the page, where it is not seen."""
        if doc is not None and doc.roots and self.asked.document is None:
            doc.roots[0].tags = [*doc.roots[0].tags, self.asked, self.told]

    def _came(self, _name: str, _old: Any, new: Any) -> None:
        held = new.get("key")
        key = str(held[0]) if isinstance(held, list) and held else ""
        if key == self.key:
            return
        self.key = key
        if key:
            self._tell()
        else:
            self.show("")

    def close(self) -> None:
        """Explain nothing any more, and have the browser close what is open when it is next sent something."""
        if self.key:
            self.key = CLOSED

    def prepare(self, run: Run, page: Any) -> str:
        """Return what is to be said of the number, as HTML; away from the page's thread."""
        if (key := self.key) in ("", CLOSED):
            return ""
        try:
            if key.startswith("@"):  # of another run that the page shows
                place, _, key = key[1:].partition("|")
                run = _other(run, page, place)
            return numbers.explanation(run, key)
        except Overtaken:
            raise
        except InputError as problem:
            said = str(problem)
        except Exception as problem:
            said = f"Give this number when you report it: {incident(problem, 'an explanation')}."
        return f'<h2 id="explained-title">This number cannot be explained</h2><p>{escape(said)}</p>'

    def show(self, said: str) -> None:
        """Send it to the browser."""
        data: dict[str, Any] = {"key": [self.key], "said": [said]}
        if self.told.data != data:
            self.told.data = data
        if self.key == CLOSED:
            self.key = ""


def _other(run: Run, page: Any, place: str) -> Run:
    runs = page.others(run) if hasattr(page, "others") else []
    if not (place.isascii() and place.isdecimal() and int(place) < len(runs)):
        raise InputError("This number is no longer on the page.", fix="close this and press another.")
    found: Run = runs[int(place)]
    return found
