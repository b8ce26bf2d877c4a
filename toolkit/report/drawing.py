"""The house style of every figure: palette, canvas, axes of money, notes, legends, SVG.

Lines differ in dash as well as colour and are named where they end, and bars differ in position, so that nothing
rests on colour alone.
"""

import base64
import io
import re
from functools import partial

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, MaxNLocator

from toolkit.measures.words import MINUS, money_scale
from toolkit.schema import SAMPLE_DIMS

# After the UK Government Analysis Function's palette; each stands out from white by at least 4.5 to 1, so that names
# may share their line's colour. Dashes distinguish lines in grey.
INK, GRID, DARK, LIGHT = "#0b0c0c", "#d9dcde", "#12436d", "#9fc3de"
PALETTE = {"fiscal": "#12436d", "economic": "#b8480b", "social": "#801650"}
DASHES: dict[str, str | tuple[int, tuple[int, ...]]] = {
    "fiscal": "-",
    "economic": (0, (6, 2)),
    "social": (0, (2, 1)),
}
FONT = 10.5
WIDTH = 7.4


def empty(height: float, *, free: bool = False) -> Figure:
    """Return an empty figure that a notebook shows as it is, without pyplot and the windows it may open."""
    figure = Figure(figsize=(WIDTH, height), layout=None if free else "constrained")
    setattr(figure, "_repr_svg_", partial(svg, figure))  # noqa: B010 - not an attribute that matplotlib declares
    return figure


def canvas(height: float, *, right: float | None = None) -> tuple[Figure, Axes]:
    """Return a figure with one pair of axes, ``height`` inches high; ``right`` leaves room for names of lines."""
    figure = empty(height, free=right is not None)
    axes = figure.subplots()
    if right:
        figure.subplots_adjust(left=0.15, right=right, bottom=0.17, top=0.93)
    tidy(axes)
    return figure, axes


def tidy(axes: Axes, grid: str = "both") -> None:
    """Take away frame and ticks and draw a faint grid."""
    axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
    axes.tick_params(length=0, labelsize=FONT, labelcolor=INK)
    axes.grid(axis=grid, color=GRID, linewidth=0.8)  # type: ignore[arg-type]
    axes.set_axisbelow(True)


def whiskers(axes: Axes, at: np.ndarray, interval: xr.Dataset, *, upright: bool) -> None:
    """Draw intervals at ``at``, along or across."""
    lines, ends = (axes.vlines, axes.hlines) if upright else (axes.hlines, axes.vlines)
    lines(at, interval["lower"], interval["upper"], color=INK, linewidth=1.3)
    for side in ("lower", "upper"):
        ends(interval[side], at - 0.09, at + 0.09, color=INK, linewidth=1.3)


def money_axis(axis: mpl.axis.Axis, values: object, title: str) -> None:
    """Scale one axis to the expected money it shows and name it with its unit."""
    shown = values.mean(SAMPLE_DIMS) if isinstance(values, xr.DataArray) and "draw" in values.dims else values
    scale, unit, _ = money_scale(shown)
    axis.set_major_locator(MaxNLocator(6))
    axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x / scale:,.10g}".replace("-", MINUS)))
    axis.set_label_text(f"{title}, {unit}", fontsize=FONT, color=INK)


def noted(figure: Figure, note: str) -> Figure:
    """Write what whiskers, bands and colours mean above the drawing."""
    figure.text(0.995, 0.995, note, ha="right", va="top", fontsize=FONT - 1.5, color=INK)
    figure.set_layout_engine("constrained", rect=(0, 0, 1, 0.95))
    return figure


def legend(drawn: Figure, axes: Axes) -> Figure:
    """Put the legend below the drawing, in as many columns as its names leave room for."""
    handles, names = axes.get_legend_handles_labels()
    columns = int(WIDTH / (0.75 + 0.095 * max(map(len, names))))  # inches of a line and its name
    drawn.legend(
        handles,
        names,
        loc="outside lower center",
        ncols=max(1, min(4, len(names), columns)),
        frameon=False,
        fontsize=FONT,
        handlelength=2.6,
    )
    return drawn


def data_uri(figure: Figure) -> str:
    """Return a figure as an address that holds the SVG itself."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg(figure).encode()).decode()}"


def svg(figure: Figure) -> str:
    """Return a figure as SVG whose text is text, the same bytes for the same figure."""
    stream = io.StringIO()
    for text in figure.findobj(Text):
        text.set_parse_math(False)  # a user's name may hold dollar signs
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "report"}):
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    drawn = stream.getvalue()
    drawn = drawn[drawn.index("<svg") :]
    return re.sub(r"'DejaVu Sans'", "Arial, Helvetica, sans-serif", drawn)
