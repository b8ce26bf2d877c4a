"""How the pages look: one theme, one style sheet, and the small pieces of HTML they are made of."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
import panel as pn

from toolkit.measures.tables import Table
from toolkit.measures.words import tied
from toolkit.report.html import shown
from toolkit.tabular import excerpt

MOST_LINES, LONGEST_LINE = 20, 400  # of a message
OWN_WORDS = 10_000  # characters of a line that no visitor wrote
FOCUS = {"&.Mui-focusVisible": {"outline": "3px solid #0b0c0c", "boxShadow": "0 0 0 6px #ffdd00"}}
FORCED = {"@media (forced-colors: active)": {"outline": "3px solid Highlight", "outlineOffset": "-4px"}}
SEEN = {"styleOverrides": {"root": {"&.Mui-selected": FORCED}}}
THEME = {
    "palette": {
        "primary": {"main": "#1d70b8", "dark": "#003078"},
        "text": {"primary": "#0b0c0c", "secondary": "#3d4347"},
        "success": {"main": "#00703c"},
        "error": {"main": "#d4351c"},
    },
    "typography": {"fontFamily": "Arial, Helvetica, sans-serif", "button": {"textTransform": "none"}},
    "shape": {"borderRadius": 0},
    # Below 900 pixels, as on a screen of 1280 at 200%, the controls are opened on request, for there is no room beside.
    "breakpoints": {"values": {"xs": 0, "sm": 900, "md": 1000, "lg": 1200, "xl": 1536}},
    "components": {
        "MuiButtonBase": {
            "defaultProps": {"disableRipple": True},
            "styleOverrides": {"root": FOCUS},
        },
        "MuiSlider": {"styleOverrides": {"thumb": FOCUS}},
        # Where the system chooses the colours, only what is drawn as a line or as text is seen.
        # Narrow enough for nine beside the controls on a screen of 1280.
        "MuiTab": {
            "styleOverrides": {
                "root": {**SEEN["styleOverrides"]["root"], "minWidth": 0, "padding": "12px 7px", "fontSize": 13}
            }
        },
        "MuiToggleButton": SEEN,
        "MuiAppBar": {
            "styleOverrides": {
                "root": {
                    "boxShadow": "none",
                    "borderBottom": "8px solid #1d70b8",
                    "backgroundColor": "#0b0c0c !important",
                    "color": "#ffffff !important",
                }
            }
        },
    },
}
APPS = Path(__file__).resolve().parents[1]
STYLE = (APPS / "static" / "style.css").read_text(encoding="utf-8")
# What a visitor reads while the page's scripts load: the answer itself, which the live page replaces.
PAGE = (
    (APPS / "templates" / "page.html")
    .read_text(encoding="utf-8")
    .replace("/* style.css */", STYLE.replace(":host", "#lead, #explained").replace("\nh1", "\n#lead h1"))
)


def lead(sentence: str, tiles: Sequence[str]) -> str:
    """Return what is read before the live page is there: until its own answer, or if none is known, its controls."""
    until = "h1, [role=alert]" if tiles else "input[type=range]"
    return (
        f'<div id="lead" data-until="{until}"><header>Cost of outcomes</header>'
        "<main><h1>What would this investment do?</h1>"
        f'<p class="lead">{escape(tied(sentence))}</p><div class="tiles">{"".join(tiles)}</div></main></div>'
    )


class Html(pn.pane.HTML):
    """HTML made here, of which nothing but the text changes; a test pins the name of what is replaced."""

    def _update(self, ref: str, model: Any) -> None:
        model.text = escape(self.object)  # Panel's own computes every other property again: a third of a move


def html(content: str = "", **more: Any) -> Any:
    """Return a pane of HTML in the house style; what comes from outside must be escaped before."""
    options = {"sizing_mode": "stretch_width", "margin": (2, 0)} | more
    pane: Any = Html
    return pane(content, stylesheets=[STYLE], sanitize_html=False, **options)


class Number(str):
    """A number's text that explains itself when pressed, under a key of :mod:`toolkit.apps.explanations.numbers`.

    ``of`` says what it is of, where the text around it does not.
    """

    key: str
    of: str

    def __new__(cls, text: str, key: str, of: str = "") -> "Number":
        """Keep the key beside the text."""
        number = super().__new__(cls, text)
        number.key, number.of = key, of
        return number


class ExplainedText(str):
    """A sentence with numbers that explain themselves when pressed, in the order in which they appear."""

    numbers: tuple[Number, ...]

    def __new__(cls, text: str, *numbers: Number) -> "ExplainedText":
        """Keep the numbers beside the text."""
        sentence = super().__new__(cls, text)
        sentence.numbers = tuple(filter(None, numbers))
        return sentence


def keyed(kinds: Mapping[str, str]) -> Callable[[str, str], str]:
    """Return the key of a number in a row under a heading: the kind of what the heading begins with, and the row."""

    def key(row: str, heading: str) -> str:
        start = max(filter(heading.startswith, kinds), key=len, default="")
        return f"{kinds[start]}|{row}" if start else ""

    return key


def pressed(text: str, about: str, *, stop: int = 0) -> str:
    """Return text as HTML, a number with a key as a button; ``about`` describes it to screen readers."""
    if not isinstance(text, Number):
        return escape(tied(text))
    label, key = escape(f"{', '.join(filter(None, (text, text.of, about)))}: explain"), escape(text.key)
    return (
        f'<button type="button" class="explain" data-key="{key}" aria-label="{label}" tabindex="{stop}">'
        f"{escape(tied(text))}</button>"
    )


def explained(text: str, about: str = "") -> str:
    """Return a sentence as HTML, with its numbers that explain themselves as buttons."""
    parts, rest = [], str(text)
    for number in text.numbers if isinstance(text, ExplainedText) else ():
        before, present, rest = rest.partition(number)
        end, space, rest = rest.partition(" ")  # such as a full stop, which stays beside its number
        whole = f'<span class="whole">{pressed(number, about)}{escape(end)}</span>' if present else ""
        parts.append(f"{escape(tied(before))}{whole}{space}")
    return "".join(parts) + escape(tied(rest))


def tile(name: str, value: str, beside: str, sign: int = 0) -> str:
    """Return a headline number, with its name above and its uncertainty below."""
    kind = " minus" if sign < 0 else ""
    return (
        f'<div class="tile{kind}"><div class="name">{escape(name)}</div><div class="value">{pressed(value, name)}</div>'
        f'<div class="beside">{explained(beside, name)}</div></div>'
    )


def box(title: str, lines: Sequence[str], kind: str = "", role: str = "", *, longest: int = LONGEST_LINE) -> str:
    """Return a framed message; ``role`` "alert" has it read out. Of many or long lines, as much as can be read."""
    if not lines:
        return ""
    attribute = f" role={role}" if role else ""
    shown = [excerpt(line, longest) for line in lines[:MOST_LINES]]
    more = [f"And {len(lines) - MOST_LINES:,} more."] if len(lines) > MOST_LINES else []
    items = "".join(f"<li>{escape(line)}</li>" for line in [*shown, *more])
    return f'<div class="box {kind}"{attribute}><h2>{escape(title)}</h2><ul>{items}</ul></div>'


def table(content: Table, level: float, keys: Callable[[str, str], str]) -> str:
    """Return a report's table as HTML; ``keys`` gives the key of the number in a row under a heading, or ""."""
    report = shown(content, level=level)
    heads = [(cell.text, cell.numeric) for cell in report.headings]
    columns = _columns(heads)

    def keyed(name: str, text: str, heading: str) -> str:
        key = keys(name, heading) if text not in ("", "–") else ""
        return Number(text, key) if key else text

    rows = (
        (name, [(keyed(name, cell.text, head), cell.numeric) for cell, head in zip(cells, columns, strict=True)])
        for name, cells in report.rows
    )
    return _table(report.title, heads, rows, report.note)


def plain_table(
    caption: str,
    headings: Sequence[str],
    rows: Iterable[tuple[str, Sequence[str]]],
    note: str = "",
    *,
    numbers: Sequence[int] | None = None,
) -> str:
    """Return a table of ready text, set to the right after the first column, or only where ``numbers`` says."""

    def right(place: int) -> bool:
        return place >= 0 if numbers is None else place in numbers

    heads = [(text, right(place)) for place, text in enumerate(headings, start=-1)]
    body = ((name, [(text, right(place)) for place, text in enumerate(cells)]) for name, cells in rows)
    return _table(caption, heads, body, note)


def _table(
    caption: str, heads: Sequence[tuple[str, bool]], rows: Iterable[tuple[str, Sequence[tuple[str, bool]]]], note: str
) -> str:
    columns = _columns(heads)
    head = "".join(f'<th scope="col"{_class(number)}>{escape(tied(text))}</th>' for text, number in heads)
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        + "".join(
            f"<td{_class(number)}>{pressed(text, f'{heading}, {name}', stop=-1)}</td>"
            for (text, number), heading in zip(cells, columns, strict=True)
        )
        + "</tr>"
        for name, cells in rows
    )
    foot = f'<p class="hint">{explained(note)}</p>' if note else ""
    return f"{scrolling(caption, head, body)}{foot}"


def _columns(heads: Sequence[tuple[str, bool]]) -> list[str]:
    """Return what each column after the first is of: an interval, of the number before it."""
    of = ""
    return [f"{of}, {text}" if text.endswith("% interval") else (of := text) for text, _ in heads[1:]]


def scrolling(caption: str, head: str, body: str) -> str:
    """Return rows of HTML as a table that scrolls by itself where it is too wide, and is one stop of the tabulator.

    One and not one a number, or a page would have hundreds of stops before what comes after a table: the tabulator
    goes to the first number, the arrow keys from there to the others (``access.js``), as in a grid. A table without
    such numbers is itself the stop, so that it can be scrolled by keyboard.
    """
    first, stop = body.replace(' tabindex="-1"', ' tabindex="0"', 1), ' tabindex="0"'
    return (
        f'<div class="scroll" role="region"{stop if first == body else ""} aria-label="{escape(caption)}"><table>'
        f"<caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{first}</tbody></table></div>"
    )


def _class(numeric: bool) -> str:
    return " class=number" if numeric else ""


def source_of(row: pd.Series) -> str:
    """Return a figure's source, linked where it has an address, and where in it, as HTML."""
    link, source = str(row.get("url", "") or ""), escape(text(row["source"]))
    if link.startswith(("https://", "http://")):
        source = f'<a href="{escape(link, quote=True)}" rel="noreferrer noopener" target="_blank">{source}</a>'
    locator = escape(text(row["locator"]))
    return f'<span class="source">{source}{", " * bool(locator)}{locator}</span>'


def text(value: Any) -> str:
    """Return what a cell of a table holds as text, nothing where it is blank."""
    return "" if pd.isna(value) else str(value)
