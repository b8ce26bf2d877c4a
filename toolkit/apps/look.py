"""How the pages look: one theme, one style sheet, and the small pieces of HTML they are made of."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import panel as pn

from toolkit.report.html import Shown
from toolkit.report.words import tied

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
            "styleOverrides": {
                "root": {"&.Mui-focusVisible": {"outline": "3px solid #0b0c0c", "boxShadow": "0 0 0 6px #ffdd00"}}
            },
        },
        "MuiSlider": {
            "styleOverrides": {
                "thumb": {"&.Mui-focusVisible": {"outline": "3px solid #0b0c0c", "boxShadow": "0 0 0 6px #ffdd00"}}
            }
        },
        # Where the system chooses the colours, only what is drawn as a line or as text is seen.
        "MuiTab": SEEN,
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
STYLE = """
:host { font: 400 16px/1.45 Arial, Helvetica, sans-serif; color: #0b0c0c; }
h1 { font-size: 32px; line-height: 1.15; margin: 4px 0 10px; }
h2 { font-size: 21px; line-height: 1.25; margin: 4px 0; }
h3 { font-size: 17px; margin: 10px 0 4px; }
p { margin: 4px 0 8px; max-width: 46em; }
.lead { font-size: 21px; line-height: 1.4; max-width: 44em; }
.hint { color: #3d4347; font-size: 15px; }
.tile { border-left: 5px solid #1d70b8; padding: 2px 0 2px 12px; }
.tile.minus { border-color: #b0520f; }
.tile .name { font-size: 15px; }
.tile .value { font-size: 27px; font-weight: 700; line-height: 1.25; }
.tile .beside { font-size: 14px; color: #3d4347; }
.box { border: 3px solid #1d70b8; padding: 10px 14px; margin: 6px 0; max-width: 60em; }
.box.warn { border-color: #b0520f; } .box.bad { border-color: #d4351c; }
.box h2 { margin-top: 0; }
.paper { display: none; } @media print { .paper { display: block; } }
ul { margin: 4px 0; padding-left: 20px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 15px; margin: 4px 0 8px; min-width: 60%; }
caption { text-align: left; font-weight: 700; padding: 4px 0; }
th, td { border-bottom: 1px solid #b1b4b6; padding: 5px 14px 5px 0; text-align: left; vertical-align: top; }
th { font-weight: 700; } tbody th { font-weight: 400; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.tag { border: 1px solid #b0520f; color: #7a3a0a; padding: 0 6px; font-size: 13px; font-weight: 700; }
a { color: #1d70b8; } a:focus-visible { outline: 3px solid #0b0c0c; background: #ffdd00; }
"""


# What a visitor reads while the page's scripts load: the answer itself, which the live page replaces.
PAGE = (
    """{% extends base %}
{% block loader_css %}
#loader { display: none !important; }
@page { margin: 14mm; }
#lead { position: fixed; inset: 0; z-index: 2000; overflow: auto; background: #fff; color: #0b0c0c;
  font: 400 16px/1.45 Arial, Helvetica, sans-serif; }
#lead h1 { font: 700 32px/1.15 Arial, Helvetica, sans-serif; }
#lead header { background: #0b0c0c; color: #fff; border-bottom: 8px solid #1d70b8; padding: 18px 24px;
  font-size: 20px; }
#lead main { padding: 16px 24px; }
@media (min-width: 900px) { #lead main { margin-left: 330px; } }
#lead .tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(240px, 1fr)); gap: 16px; }
"""
    + STYLE.replace(":host", "#lead").replace("\nh1", "\n#lead h1")
    + """
{% endblock %}
{% block js_resources %}{% endblock %}
{% block loader %}{{ lead }}{{ bokeh_js }}{% endblock %}
"""
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
        model.text = escape(self.object)  # Panel's own works out every other property anew: a third of a move


def html(content: str = "", **given: Any) -> Any:
    """Return a pane of HTML in the house style; what comes from outside must be escaped before."""
    options = {"sizing_mode": "stretch_width", "margin": (2, 0)} | given
    made: Any = Html
    return made(content, stylesheets=[STYLE], sanitize_html=False, **options)


def tile(name: str, value: str, beside: str, sign: int = 0) -> str:
    """Return a headline number, its name above and its sureness below."""
    kind = " minus" if sign < 0 else ""
    return (
        f'<div class="tile{kind}"><div class="name">{escape(name)}</div><div class="value">{escape(tied(value))}</div>'
        f'<div class="beside">{escape(tied(beside))}</div></div>'
    )


def box(title: str, lines: Sequence[str], kind: str = "", role: str = "") -> str:
    """Return a framed message; ``role`` "alert" has it read out."""
    if not lines:
        return ""
    said = f" role={role}" if role else ""
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f'<div class="box {kind}"{said}><h2>{escape(title)}</h2><ul>{items}</ul></div>'


def table(shown: Shown, *, caption: str | None = None) -> str:
    """Return a report's table as HTML."""
    head = "".join(_cell("th", cell.text, cell.numeric, ' scope="col"') for cell in shown.headings)
    rows = ((name, [(cell.text, cell.numeric) for cell in cells]) for name, cells in shown.rows)
    return _table(caption or shown.title, head, rows, shown.note)


def plain_table(
    caption: str, headings: Sequence[str], rows: Iterable[tuple[str, Sequence[str]]], note: str = "",
    *, numbers: Sequence[int] | None = None,
) -> str:  # fmt: skip
    """Return a table of ready text, set to the right after the first column, or only where ``numbers`` says."""

    def right(place: int) -> bool:
        return place >= 0 if numbers is None else place in numbers

    head = "".join(_cell("th", text, right(place), ' scope="col"') for place, text in enumerate(headings, start=-1))
    body = ((name, [(text, right(place)) for place, text in enumerate(cells)]) for name, cells in rows)
    return _table(caption, head, body, note)


def _table(caption: str, head: str, rows: Iterable[tuple[str, Sequence[tuple[str, bool]]]], note: str) -> str:
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>{"".join(_cell("td", text, number) for text, number in cells)}</tr>'
        for name, cells in rows
    )
    foot = f'<p class="hint">{escape(note)}</p>' if note else ""
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(caption)}"><table>'
        f"<caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{foot}"
    )


def _cell(tag: str, text: str, numeric: bool, more: str = "") -> str:
    return f"<{tag}{more}{' class=number' if numeric else ''}>{escape(tied(text))}</{tag}>"
