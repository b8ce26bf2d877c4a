"""The charts: Bokeh figures made once, of which only the data change; axes keep their ends while they can.

No meaning is carried by colour alone: lines differ in dash, bars have labels, and each chart has its table. What is
drawn is named by the key of its numbers (``explanations.numbers``), columns of its data in braces: pressed, it
explains itself (``access.js``).
"""

import math
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from bokeh.core.properties import value
from bokeh.models import ColumnDataSource, CustomJSTickFormatter, FactorRange, FixedTicker, PointDrawTool, Range1d
from bokeh.models.annotations import LabelSet, Span, Whisker
from bokeh.models.callbacks import CustomJS
from bokeh.models.labeling import NoOverlap
from bokeh.plotting import figure as bokeh_figure

INK, GRID, BLUE, PALE, ORANGE = "#0b0c0c", "#dbdee0", "#1d70b8", "#a9cbe6", "#b0520f"
TAPPED = 'dispatchEvent(new CustomEvent("tapped", {detail: cb_obj}))'
POINTED = ".bk-events { cursor: pointer !important; }"
SHORT = 10  # rows: fewer are sent as they are, more as four bytes each, which no screen can show to differ from eight
FONT, HEIGHT, WIDEST = "Arial, Helvetica, sans-serif", 290, 1000  # pixels; wider than that no sheet of paper is
NARROW = 28  # letters in a line beside a bar, so that a phone has room for the bar
DASHES = {"fiscal": "solid", "economic": [8, 4], "social": [2, 3]}
ACCOUNT_COLOURS = {"fiscal": INK, "economic": ORANGE, "social": BLUE}
MONEY_TICKS = """
const v = tick, a = Math.abs(v), s = v < 0 ? "\u2212" : "";
const say = (x) => parseFloat(x.toPrecision(4)).toLocaleString("en-GB");
if (a >= 1e9) return s + "£" + say(a / 1e9) + "bn";
if (a >= 1e6) return s + "£" + say(a / 1e6) + "m";
if (a >= 1e3) return s + "£" + say(a / 1e3) + "k";
return s + "£" + say(a);
"""


@dataclass(frozen=True)
class Chart:
    """A figure and the sources whose data it shows."""

    figure: Any
    sources: dict[str, ColumnDataSource]

    def show(self, data: Mapping[str, Mapping[str, Any]]) -> None:
        """Put numbers on the figure: those that changed, long columns packed."""
        for name, columns in data.items():
            packed = {key: _packed(np.asarray(column)) for key, column in columns.items()}
            current = self.sources[name].data
            if any(not np.array_equal(current[key], column) for key, column in packed.items()):
                self.sources[name].data = packed

    def describe(self, text: str) -> None:
        """Say in words what the picture shows, for those who cannot see it."""
        label = self.figure.html_attributes.get("aria-label")
        if label != text:
            self.figure.html_attributes = {"role": "img", "aria-label": text}


def _packed(column: np.ndarray) -> Any:
    return column.astype(np.float32) if len(column) > SHORT and column.dtype.kind in "if" else column.tolist()


def grid_ends(low: float, high: float) -> tuple[float, float]:
    """Round the ends of an axis outwards to a coarse grid, so that they seldom change."""
    low, high = min(low, 0.0), max(high, 0.0)
    span = max(high - low, 1.0)
    step = 10.0 ** math.floor(math.log10(span))
    step = step / 2 if span / step < 2.5 else step
    pad = 0.02 * span
    return (math.floor((low - pad) / step) * step if low < 0 else 0.0, math.ceil((high + pad) / step) * step)


def set_ends(axis: Range1d, low: float, high: float) -> None:
    """Move an axis only if its ends change."""
    if (axis.start, axis.end) != (low, high):
        axis.update(start=low, end=high)


def figure_of(label: str, height: int = HEIGHT, **options: Any) -> Any:
    """Return an empty figure in the house style, of which ``label`` says what it shows."""
    plot = bokeh_figure(
        height=height,
        sizing_mode="stretch_width",
        max_width=WIDEST,
        toolbar_location=None,
        tools="",
        outline_line_color=None,
        html_attributes={"role": "img", "aria-label": label},
        min_border_right=12,
        **options,
    )
    for axis in plot.axis:
        axis.update(
            axis_line_color=None,
            major_tick_line_color=None,
            minor_tick_line_color=None,
            major_label_text_color=INK,
            major_label_text_font=FONT,
            major_label_text_font_size="13px",
            axis_label_text_font=FONT,
            axis_label_text_font_style="normal",
            axis_label_text_color=INK,
            axis_label_text_font_size="13px",
        )
    plot.grid.grid_line_color = GRID
    plot.js_on_event("tap", CustomJS(code=TAPPED))
    plot.stylesheets = [POINTED]
    plot.background_fill_color = plot.border_fill_color = "#ffffff"
    return plot


def money_axis(axis: Any, ticks: int = 5) -> None:
    """Label an axis in pounds."""
    axis.formatter = CustomJSTickFormatter(code=MONEY_TICKS)
    axis.ticker.desired_num_ticks = ticks
    axis.major_label_policy = NoOverlap(min_distance=16)


def legend(plot: Any) -> None:
    """Set a legend in the house style."""
    plot.legend.update(
        location="top_left",
        border_line_color=None,
        background_fill_alpha=0.8,
        label_text_font=FONT,
        label_text_font_size="13px",
        glyph_width=34,
        padding=2,
        label_text_color=INK,
    )


def _zero(figure: Any, dimension: Literal["width", "height"]) -> None:
    figure.add_layout(Span(location=0, dimension=dimension, line_color=INK, line_width=1))


def _across(label: str, axis: str, height: int = HEIGHT) -> Any:
    """Return a figure of horizontal bars of money, a name beside each."""
    plot = figure_of(label, x_range=Range1d(start=-1, end=1), y_range=FactorRange(), height=height)
    money_axis(plot.xaxis[0], 3)  # beside names a phone has room for no more
    plot.ygrid.grid_line_color = None
    plot.xaxis.axis_label = axis
    return plot


def _hatched(plot: Any, source: ColumnDataSource, key: str, **ends: str) -> None:
    """Draw bars that go either way from 0, which differ in hatch as well as in colour."""
    plot.hbar(
        "name",
        **ends,
        height=0.55,
        source=source,
        name=key,
        fill_color="colour",
        line_color=INK,
        line_width=0.7,
        hatch_pattern="hatch",
        hatch_color="#ffffff",
        hatch_alpha=0.6,
    )


def by_year() -> Chart:
    """Cost avoided each year with its interval, and the money spent."""
    plot = figure_of(
        "Cost avoided and money spent by year", x_range=Range1d(start=-0.6, end=30), y_range=Range1d(start=0, end=1)
    )
    avoided = ColumnDataSource({"year": [], "mean": [], "lower": [], "upper": []})
    spent = ColumnDataSource({"year": [], "spend": []})
    plot.varea("year", "lower", "upper", source=avoided, fill_color=PALE, fill_alpha=0.7)
    plot.vbar(
        "year",
        top="spend",
        width=0.7,
        source=spent,
        name="year_spent|{year}",
        fill_color="#ffffff",
        line_color=ORANGE,
        line_width=2,
        hatch_pattern="right_diagonal_line",
        hatch_color=ORANGE,
        hatch_weight=1,
        hatch_scale=7,
    )
    plot.line("year", "mean", source=avoided, line_color=BLUE, line_width=3, name="year_avoided|{year}")
    money_axis(plot.yaxis[0])
    _zero(plot, "width")
    plot.xaxis.axis_label = "Years since the start"
    return Chart(plot, {"avoided": avoided, "spent": spent})


def bars(label: str, axis: str, height: int = HEIGHT, key: str = "{key}") -> Chart:
    """Horizontal bars with intervals; a bar to the left of 0 is hatched as well as of another colour."""
    plot = _across(label, axis, height)
    source = ColumnDataSource({"key": [], "name": [], "mean": [], "lower": [], "upper": [], "colour": [], "hatch": []})
    _hatched(plot, source, key, right="mean")
    whisker = Whisker(base="name", lower="lower", upper="upper", source=source, dimension="width", line_color=INK)
    for head in (whisker.upper_head, whisker.lower_head):
        setattr(head, "size", 9)  # noqa: B010 - declared as perhaps absent
    plot.add_layout(whisker)
    _zero(plot, "height")
    return Chart(plot, {"bars": source})


def bar_data(names: list[str], mean: Any, lower: Any, upper: Any) -> dict[str, Any]:
    """Return the data of :func:`bars`, the first name at the foot."""
    return {
        "name": list(map(narrow, names)),
        "mean": list(map(float, mean)),
        "lower": list(map(float, lower)),
        "upper": list(map(float, upper)),
        "colour": [BLUE if value >= 0 else ORANGE for value in mean],
        "hatch": [" " if value >= 0 else "right_diagonal_line" for value in mean],
    }


def set_bars(chart: Chart, data: dict[str, Any]) -> None:
    """Put bars on their chart and fit its axes to them."""
    chart.show({"bars": data})
    _set_names(chart, data["name"])
    set_ends(chart.figure.x_range, *grid_ends(min(data["lower"], default=0.0), max(data["upper"], default=1.0)))


def _set_names(chart: Chart, names: list[str]) -> None:
    if list(chart.figure.y_range.factors) != names:
        chart.figure.y_range.factors = names


def narrow(name: str) -> str:
    """Return a name in lines short enough to stand beside a bar."""
    return "\n".join(textwrap.wrap(name, NARROW, break_on_hyphens=False))


def ranges(label: str, axis: str, height: int = 400) -> Chart:
    """Horizontal bars from the answer at an input's low end to that at its high end, round the expected answer."""
    plot = _across(label, axis, height)
    source = ColumnDataSource({"name": [], "low": [], "high": [], "lower": [], "upper": []})
    middle = ColumnDataSource({"name": [], "expected": []})
    plot.hbar(
        "name", left="low", right="high", height=0.55, source=source, fill_color=PALE, line_color=INK, line_width=0.7
    )
    plot.scatter("low", "name", source=source, name="{lower}", size=8, fill_color="#ffffff", line_color=INK)
    plot.scatter("high", "name", source=source, name="{upper}", size=8, fill_color=INK, line_color=INK)
    plot.line("expected", "name", source=middle, line_color=INK, line_width=1.5, line_dash=[4, 4])
    return Chart(plot, {"ranges": source, "expected": middle})


def set_ranges(
    chart: Chart, names: list[str], ends: list[tuple[float, float]], expected: float, keys: dict[str, list[str]]
) -> None:
    """Put ranges on their chart and fit its axes to them, whether or not 0 is near; few bars stay slim."""
    chart.figure.height = 110 + 30 * max(len(names), 4)
    names = list(map(narrow, names))
    low, high = [a for a, _ in ends], [b for _, b in ends]
    _set_names(chart, names)
    chart.sources["ranges"].data = {"name": names, "low": low, "high": high, **keys}
    chart.sources["expected"].data = {"name": names, "expected": [expected] * len(names)}
    least, most = min(low + high, default=0.0), max(low + high, default=1.0)
    pad = 0.06 * (most - least) or 1.0
    set_ends(chart.figure.x_range, least - pad, most + pad)


def waterfall(label: str, axis: str) -> Chart:
    """Horizontal bars from where each step starts to where it leads; a step down is hatched as well."""
    plot = _across(label, axis)
    source = ColumnDataSource({"key": [], "name": [], "start": [], "end": [], "colour": [], "hatch": []})
    _hatched(plot, source, "{key}", left="start", right="end")
    _zero(plot, "height")
    return Chart(plot, {"steps": source})


def set_waterfall(chart: Chart, names: list[str], start: list[float], end: list[float], keys: list[str]) -> None:
    """Put steps on their chart, the first at the foot, and fit its axes to them."""
    colours = [BLUE if b >= a else ORANGE for a, b in zip(start, end, strict=True)]
    hatch = [" " if colour == BLUE else "right_diagonal_line" for colour in colours]
    _set_names(chart, names)
    data: dict[str, Any] = {"key": keys, "name": names, "start": start, "end": end, "colour": colours, "hatch": hatch}
    chart.sources["steps"].data = data
    set_ends(chart.figure.x_range, *grid_ends(min(start + end), max(start + end)))


def payers() -> Chart:
    """Net position by payer with its interval."""
    return bars("Who pays and who gains", "Pays (left), gains (right)", key="payer_net|{name}")


def payback() -> Chart:
    """Chance of having paid back by each year, by account."""
    plot = figure_of("Chance of having paid back", x_range=Range1d(start=0, end=70), y_range=Range1d(start=0, end=1))
    sources = {}
    for account, dash in DASHES.items():
        sources[account] = ColumnDataSource({"year": [], "chance": []})
        plot.line(
            "year",
            "chance",
            source=sources[account],
            line_color=ACCOUNT_COLOURS[account],
            line_dash=dash,
            line_width=3,
            legend_label=account.capitalize(),
            name=f"paid_back|{account}|{{year}}",
        )
    legend(plot)
    plot.yaxis.formatter = CustomJSTickFormatter(code='return Math.round(100 * tick) + "%"')
    plot.yaxis.ticker.desired_num_ticks = 5
    plot.xaxis.axis_label = "Years since the start"
    return Chart(plot, sources)


def curve() -> Chart:
    """Spend and lifetime cost as early-help spend changes, with the scenario's own point, which can be dragged."""
    ranges: dict[str, Any] = {"x_range": Range1d(start=0.45, end=2.05), "y_range": Range1d(start=0, end=1)}
    plot = figure_of("Spend-cost curve", **ranges)
    line = ColumnDataSource({"multiple": [], "mean": [], "lower": [], "upper": []})
    seen, today = (ColumnDataSource({"multiple": [], "mean": []}) for _ in range(2))
    handle = ColumnDataSource({"multiple": [], "mean": [], "name": []})
    plot.varea("multiple", "lower", "upper", source=line, fill_color=PALE, fill_alpha=0.7)
    plot.line(
        "multiple",
        "mean",
        source=line,
        line_color=BLUE,
        line_width=2,
        line_dash=[2, 4],
        name="curve|{multiple}",
    )
    plot.line("multiple", "mean", source=seen, line_color=BLUE, line_width=4)
    plot.scatter("multiple", "mean", source=today, size=9, fill_color=INK, line_color=INK)
    grip = plot.scatter(
        "multiple",
        "mean",
        source=handle,
        name="curve_here",
        size=17,
        marker="diamond",
        fill_color="#ffffff",
        line_color=INK,
        line_width=2.5,
    )
    plot.add_layout(
        LabelSet(
            x="multiple",
            y="mean",
            text="name",
            source=handle,
            x_offset=6,
            y_offset=10,
            text_font=value(FONT),
            text_font_size=value("13px"),
            text_color=value(INK),
        )
    )
    tool = PointDrawTool(renderers=[grip], add=False, drag=True)
    plot.add_tools(tool)
    plot.toolbar.active_tap = tool
    money_axis(plot.yaxis[0])
    plot.xaxis.ticker = FixedTicker(ticks=[0.5, 1.0, 1.5, 2.0])
    plot.xaxis.formatter = CustomJSTickFormatter(code='return tick + " × today"')
    plot.xaxis.axis_label = "Early-help spend a year"
    return Chart(plot, {"line": line, "seen": seen, "today": today, "handle": handle})
