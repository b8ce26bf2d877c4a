"""The chart of an outlook: what was counted, and a fan of what is forecast."""

from typing import Any

import numpy as np
import pandas as pd
from bokeh.models import ColumnDataSource, CustomJSTickFormatter, FixedTicker, Range1d

from toolkit.apps.parts.charts import (
    BLUE,
    HEIGHT,
    INK,
    ORANGE,
    PALE,
    Chart,
    figure_of,
    grid_ends,
    legend,
    money_axis,
    set_ends,
)
from toolkit.schema import FIRST_YEAR


def fan(label: str, dashed: str, *, first: int, money: bool, wedge: bool) -> Chart:
    """Return a fan of 50 and 90% intervals by financial year, with points of the past if ``first`` is before it.

    ``dashed`` names a line beside the median, if there is one; ``wedge`` fills what is between them.
    """
    ranges: dict[str, Any] = {"x_range": Range1d(start=first - 0.5, end=2034.5), "y_range": Range1d(start=0, end=1)}
    plot = figure_of(label, HEIGHT + 60, **ranges)
    ends = ColumnDataSource({name: [] for name in ("year", "lower", "low", "median", "high", "upper", "line")})
    points = ColumnDataSource({"year": [], "value": []})
    bands = {"90%": ("lower", "upper", 0.4), "50%": ("low", "high", 0.9)}
    for name, (low, high, alpha) in bands.items():
        plot.varea("year", low, high, source=ends, fill_color=PALE, fill_alpha=alpha, legend_label=name)
    plot.line("year", "median", source=ends, line_color=BLUE, line_width=3, legend_label="Median")
    if wedge:
        plot.varea("year", "line", "median", source=ends, fill_color=ORANGE, fill_alpha=0.3)
    if dashed:
        style: dict[str, Any] = {"line_color": ORANGE, "line_width": 2, "line_dash": [8, 4], "legend_label": dashed}
        plot.line("year", "line", source=ends, **style)
    if first < FIRST_YEAR:
        plot.scatter("year", "value", source=points, size=7, fill_color=INK, line_color=INK, legend_label="Counted")
    legend(plot)
    plot.legend.ncols = 2
    plot.add_layout(plot.legend[0], "above")  # beside a fan there is no place that is always free
    if money:
        money_axis(plot.yaxis[0])
    else:
        plot.yaxis.formatter = CustomJSTickFormatter(code='return tick.toLocaleString("en-GB")')
    plot.yaxis.ticker.desired_num_ticks = 5
    plot.xaxis.formatter = CustomJSTickFormatter(code='return tick + "/" + String(tick + 1).slice(2)')
    plot.xaxis.ticker = FixedTicker(ticks=list(range(first, 2035, 4)))
    return Chart(plot, {"ends": ends, "past": points})


def set_fan(chart: Chart, ends: pd.DataFrame, past: pd.Series) -> None:
    """Put a fan, with the ``line`` beside its median, and the past on their chart and fit its axis to them."""
    chart.show({"ends": {"year": ends.index, **{str(name): ends[name] for name in ends}}})
    chart.show({"past": {"year": past.index, "value": past}})
    every = [*ends.min(), *ends.max(), *past]
    set_ends(chart.figure.y_range, *grid_ends(np.nanmin(every), np.nanmax(every)))
