"""What a visitor's tab does by itself: it keeps saved scenarios over a refresh, and goes back and forward.

The other half is ``static/access.js``; the two meet in sources of data that are not seen.
"""

import json
from collections.abc import Collection
from typing import Any

from bokeh.models import ColumnDataSource

from toolkit.apps.parts.entry import whole
from toolkit.apps.parts.look import LONGEST_LINE
from toolkit.apps.session.scenario_keys import LONGEST_NAME, MOST_SAVED, Saved
from toolkit.apps.session.starts import as_file, named
from toolkit.apps.session.state import State
from toolkit.schema import InputError
from toolkit.tabular import excerpt


class Tab:
    """One visitor's tab: what it holds is read as any file of a stranger's is."""

    def __init__(self, state: State, pages: Collection[str]) -> None:
        self.state, self._saved, self._written = state, state.saved, ""
        self.kept, self.back = (ColumnDataSource({"text": [""]}, name=name) for name in ("kept", "back"))
        self.kept.on_change("data", lambda _name, _old, new: self._read(_text(new)))
        self.back.on_change("data", lambda _name, _old, new: state.arrive(_text(new), pages))

    def write(self) -> None:
        """Have the browser hold what is saved; called with the document locked, as a source that is not seen needs."""
        if self._saved is not self.state.saved:
            self._saved = self.state.saved
            rows = [{"name": one.name, "place": one.place, "scenario": as_file(one.scenario)} for one in self._saved]
            self._written = json.dumps(rows)
            self.kept.data = {"text": [self._written]}

    def _read(self, text: str) -> None:
        if text != self._written:
            self.state.saved, problems = restored(text, self.state)
            self._saved, self._written = self.state.saved, text
            self.state.say([*self.state.messages, *problems])


def _text(data: Any) -> str:
    """Return what a source of one text holds, whatever a browser put into it."""
    text = data.get("text")
    return whole(text[0]) if isinstance(text, list) and text and isinstance(text[0], str) else ""


def restored(text: str, state: State) -> tuple[tuple[Saved, ...], list[str]]:
    """Return the saved scenarios that a browser held, and a line for each that cannot be used.

    Parameters
    ----------
    text
        As :class:`Tab` writes it, or anything else.
    state
        Of the visitor, which stays as it is.
    """
    try:
        rows = [[whole(str(row[key])) for key in ("name", "place", "scenario")] for row in json.loads(text)]
    except (ValueError, TypeError, KeyError, RecursionError):
        return (), ["Compare: what this browser held of saved scenarios cannot be read, so it was left out."]
    saved: dict[str, Saved] = {}
    problems: list[str] = []
    for saved_name, place, content in rows[:MOST_SAVED]:
        name = excerpt(saved_name, LONGEST_NAME - 1)
        other, label = State(state.live), f"Compare: {name}"
        before = other.scenario
        try:
            if (known := named(place, state.live)) is None:
                raise InputError(f"'{excerpt(place)}' is no place.", fix="save it again.")
            other.place = known
            other.load(content.encode())
            if other.messages and other.scenario is before:
                raise InputError(other.messages[0])
            problems += [excerpt(f"{label}: {line}", LONGEST_LINE - 1) for line in other.messages]
            saved[name] = Saved(name, other.place, other.areas, other.scenario)
        except InputError as problem:
            problems.append(excerpt(f"{label} was left out. {problem}", LONGEST_LINE - 1))
    return tuple(saved.values()), problems
