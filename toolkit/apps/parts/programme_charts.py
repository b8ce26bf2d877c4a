"""The charts of *Which programme?*: intervals of what a pound avoids, and studies with what shrinkage makes of them."""

import math
from typing import Any

import numpy as np
import pandas as pd
from bokeh.models import ColumnDataSource, FactorRange, FixedTicker, Range1d, TapTool
from bokeh.models.annotations import Arrow, Span, VeeHead
from bokeh.models.labeling import NoOverlap

from toolkit.apps.parts.charts import BLUE, INK, Chart, figure_of, narrow, set_ends
from toolkit.measures import words as w

NEAR = 0.5  # pounds: up to about here the scale is even, further out it is logarithmic
POUNDS = (-100, -30, -10, -3, -1, 0, 0.5, 1, 3, 10, 30, 100)
RATIOS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.4, 1.7, 2.0, 3.0, 5.0)
DEVIATIONS = tuple(round(0.1 * step, 1) for step in range(-15, 16))
ROW = 44  # pixels


def along(pounds: Any) -> Any:
    """Return where pounds lie on the scale of the league."""
    return np.arcsinh(np.asarray(pounds, float) / NEAR)


def league() -> Chart:
    """Draw what each programme avoids for a pound, with its interval, and break-even; a row can be chosen."""
    plot = figure_of("What a pound avoids, by programme", x_range=Range1d(start=-1, end=2), y_range=FactorRange())
    rows = ColumnDataSource({name: [] for name in ("name", "mean", "lower", "upper", "marker")})
    pressed = ColumnDataSource({"name": [], "programme": []})  # apart, or choosing a row would fade the others' marks
    whole = plot.hbar("name", left=-99, right=99, height=1, source=pressed, fill_alpha=0, line_alpha=0)
    whole.nonselection_glyph.update(fill_alpha=0)
    whole.selection_glyph = whole.glyph.clone(fill_alpha=0.18, fill_color=BLUE)
    plot.segment("lower", "name", "upper", "name", source=rows, line_color=INK, line_width=2)
    plot.scatter(
        "mean",
        "name",
        source=rows,
        marker="marker",
        size=11,
        fill_color=BLUE,
        line_color=INK,
    )
    tool = TapTool(renderers=[whole])
    plot.add_tools(tool)
    plot.toolbar.active_tap = tool
    plot.add_layout(Span(location=0, dimension="height", line_color=INK))
    plot.add_layout(Span(location=float(along(1)), dimension="height", line_color=INK, line_width=2, line_dash=[6, 4]))
    plot.xaxis.ticker = FixedTicker(ticks=[float(along(tick)) for tick in POUNDS])
    plot.xaxis.major_label_overrides = {float(along(tick)): _pounds(tick) for tick in POUNDS}
    plot.xaxis.major_label_policy = NoOverlap(min_distance=10)
    plot.xaxis.axis_label = "Cost avoided for each £1 spent (dashed: break-even)"
    plot.ygrid.grid_line_color = None
    return Chart(plot, {"rows": rows, "pressed": pressed})


def _pounds(tick: float) -> str:
    size = f"£{abs(tick):g}" if float(tick).is_integer() else f"£{abs(tick):.2f}"
    return f"{w.MINUS}{size}" if tick < 0 else size


def set_league(chart: Chart, shown: pd.DataFrame, account: str, chosen: str) -> None:
    """Put a league on its chart, the first of its rows at the top, and mark the one that is chosen.

    Parameters
    ----------
    shown
        Rows of a league table, with a price and a counted effect.
    account
        Whose money.
    chosen
        A programme, which may not be among them.
    """
    rows = shown.iloc[::-1]
    names = [narrow(label) for label in rows["label"]]
    columns = [rows[f"avoided_{account}{end}"].to_numpy(float) for end in ("", "_low", "_high")]
    mean, lower, upper = map(along, columns)
    chart.figure.height = 80 + ROW * max(len(names), 3)
    if list(chart.figure.y_range.factors) != names:
        chart.figure.y_range.factors = names
    chart.show(
        {
            "rows": {
                "name": names,
                "mean": mean,
                "lower": lower,
                "upper": upper,
                "marker": ["circle" if whose == "own" else "circle_dot" for whose in rows["evidence"]],
            },
            "pressed": {"name": names, "programme": list(rows.index)},
        }
    )
    low, high = (min(lower.min(initial=0), along(-0.5)), max(upper.max(initial=0), along(1.5)))
    set_ends(chart.figure.x_range, float(low - 0.15), float(high + 0.15))
    place = [list(rows.index).index(chosen)] if chosen in rows.index else []
    selected = chart.sources["pressed"].selected
    if selected.indices != place:
        selected.indices = place


def forest(label: str, *, ratios: bool) -> Chart:
    """Draw studies as converted, with an arrow to what shrinkage makes of each, below what must be believed."""
    plot = figure_of(label, x_range=Range1d(start=-1, end=1), y_range=Range1d(start=-1, end=1))
    plot.tags = ["rows"]  # so that what is pressed is looked for along its row (access.js)
    source = ColumnDataSource({name: [] for name in ("key", "y", "below", "effect", "low", "high", "shrunk")})
    shrunk = ColumnDataSource({name: [] for name in ("key", "below", "shrunk", "shrunk_low", "shrunk_high")})
    points = ColumnDataSource({name: [] for name in ("key", "y", "effect", "low", "high")})
    plot.segment("low", "y", "high", "y", source=source, line_color=INK, line_width=2)
    plot.scatter("effect", "y", source=source, name="{key}", marker="square", size=9, fill_color=INK, line_color=INK)
    arrow = Arrow(
        end=VeeHead(size=9, fill_color=BLUE, line_color=BLUE),
        x_start="effect",
        y_start="y",
        x_end="shrunk",
        y_end="below",
        source=source,
    )
    arrow.update(line_color=BLUE, line_width=1.5)
    plot.add_layout(arrow)
    plot.segment("shrunk_low", "below", "shrunk_high", "below", source=shrunk, line_color=BLUE, line_width=2)
    plot.scatter(
        "shrunk", "below", source=shrunk, name="{key}", marker="circle", size=9, fill_color="#ffffff", line_color=BLUE
    )
    plot.segment("low", "y", "high", "y", source=points, line_color=INK, line_width=2, line_dash=[4, 3])
    plot.scatter(
        "effect", "y", source=points, name="{key}", marker="diamond", size=14, fill_color="#ffffff", line_color=INK
    )
    plot.add_layout(Span(location=0, dimension="height", line_color=INK))
    ticks = [(math.log(tick), f"{tick:g}") for tick in RATIOS] if ratios else [(t, f"{t:g}") for t in DEVIATIONS]
    plot.xaxis.ticker = FixedTicker(ticks=[place for place, _ in ticks])
    plot.xaxis.major_label_overrides = {place: text.replace("-", w.MINUS) for place, text in ticks}
    plot.xaxis.major_label_policy = NoOverlap(min_distance=16)
    less = "Hazard ratio (below 1: fewer events)" if ratios else "Standard deviations (above 0: better grades)"
    plot.xaxis.axis_label = less
    plot.ygrid.grid_line_color = None
    return Chart(plot, {"studies": source, "shrunk": shrunk, "points": points})


def set_forest(chart: Chart, studies: pd.DataFrame, points: list[tuple[str, str, float, float, float]]) -> None:
    """Put studies on their chart below what must be believed.

    Parameters
    ----------
    studies
        Columns ``name`` and ``key`` (``key_shrunk`` of the shrunk estimate) beside those of `forest`.
    points
        Name, key, effect and both ends (NaN for a point alone) of each row above the studies.
    """
    count = len(points) + len(studies)
    places = np.arange(count, 0, -1.0)
    above, rows = places[: len(points)], places[len(points) :]
    names = [name for name, *_ in points] + list(studies["name"])
    chart.figure.height = 80 + ROW * max(count, 3)
    chart.figure.yaxis.ticker = FixedTicker(ticks=places.tolist())
    chart.figure.yaxis.major_label_overrides = {place: narrow(name) for place, name in zip(places, names, strict=True)}
    set_ends(chart.figure.y_range, 0.4, count + 0.6)
    known = studies["effect"].notna().to_numpy()
    effect, low, high = (studies[name].to_numpy(float) for name in ("effect", "low", "high"))
    shrunk = studies["shrunk"].to_numpy(float)
    columns = {"effect": effect[known], "low": low[known], "high": high[known], "shrunk": shrunk[known]}
    chart.show(
        {
            "studies": {
                "key": studies["key"].to_numpy(object)[known],
                "y": rows[known],
                "below": rows[known] - 0.28,
                **columns,
            },
            "shrunk": {
                "key": studies["key_shrunk"].to_numpy(object),
                "below": rows - 0.28,
                **{name: studies[name].to_numpy(float) for name in ("shrunk", "shrunk_low", "shrunk_high")},
            },
            "points": {
                "key": [key for _, key, *_ in points],
                "y": above,
                **{
                    name: np.array([point[place] for point in points], float)
                    for place, name in ((2, "effect"), (3, "low"), (4, "high"))
                },
            },
        }
    )
    every = np.concatenate([low[known], high[known], *(np.array(point[2:], float) for point in points), shrunk, [0.0]])
    least, most = np.nanmin(every), np.nanmax(every)
    pad = 0.08 * (most - least) or 0.1
    set_ends(chart.figure.x_range, float(least - pad), float(most + pad))
