"""The figure of programmes: what a pound avoids, with its interval, and break-even."""

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from toolkit.measures.programme_tables import GROUP, league_of
from toolkit.measures.programmes import LEVEL
from toolkit.measures.quantities import Run
from toolkit.measures.words import pence
from toolkit.report.drawing import DARK, FONT, INK, canvas, noted

TICKS = (-100, -30, -10, -3, -1, 0, 1, 3, 10, 30, 100)
NEAR = 0.5  # pounds up to which the scale is even; further out it is logarithmic


def plot_programmes(run: Run) -> Figure:
    """Draw what a pound avoids for the public purse, programme by programme, of a run that compares them."""
    league = league_of(run)
    assert league is not None  # else there is no such picture
    rows = league[league["avoided_fiscal"].notna()].iloc[::-1]
    figure, axes = canvas(1.4 + 0.36 * max(len(rows), 2))
    at = np.arange(len(rows))
    axes.hlines(at, rows["avoided_fiscal_low"], rows["avoided_fiscal_high"], color=INK, linewidth=1.3)
    own = (rows["evidence"] == "own").to_numpy()
    for chosen, face in ((own, DARK), (~own, "#ffffff")):
        axes.plot(
            rows["avoided_fiscal"].to_numpy()[chosen], at[chosen], "o", color=DARK, markerfacecolor=face, markersize=6
        )
    axes.axvline(0, color=INK, linewidth=1)
    axes.axvline(1, color=INK, linewidth=1.3, linestyle=(0, (5, 3)))
    axes.set_xscale("asinh", linear_width=NEAR)
    axes.xaxis.set_major_locator(FixedLocator(TICKS))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: pence(x).removesuffix(".00")))
    axes.set_yticks(at, rows["label"].tolist())
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_xlabel("Avoided for each £1, public purse", fontsize=FONT)
    return noted(figure, f"Lines: {LEVEL:.0%} intervals. Full: own studies; open: its type's alone. Dashed: break-even")


def pictures(run: Run) -> dict[str, Callable[[Run], Any]]:
    """Return the figure by the name of its table, if the run compares programmes."""
    return {"programmes": plot_programmes} if GROUP in run.tree.children else {}
