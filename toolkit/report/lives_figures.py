"""The figures of what lives cost: states by age, cost by age and payer, by history, gross to excess, neighbours."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter

from toolkit.measures import cost_steps, lives
from toolkit.measures import quantities as q
from toolkit.measures.quantities import Run
from toolkit.measures.tables import span_cost
from toolkit.measures.words import label
from toolkit.report.decision_figures import COLOURS, plot_bridge
from toolkit.report.drawing import DARK, FONT, INK, LIGHT, canvas, empty, legend, money_axis, noted, tidy
from toolkit.report.figures import READING_COLOURS, reading_bars, with_level
from toolkit.schema import SAMPLE_DIMS

# Neighbours in the stack differ in lightness, so that they can be distinguished in grey too.
STATE_COLOURS = ("#801650", "#f4a582", "#12436d", "#9fc3de", "#eef2f5")
BINS = 40


def plot_occupancy(run: Run) -> Figure:
    """Draw where the children of the entering cohort are at each age, stacked to all of them."""
    share = lives.occupancy(run).mean(SAMPLE_DIMS)
    figure, axes = canvas(4.4, right=0.78)
    tops = _stack(axes, share, "state", dict(zip(lives.STATES, STATE_COLOURS, strict=True)))
    for state, (low, high) in tops.items():
        axes.annotate(
            lives.STATES[state],
            (1.015, (low + high) / 2),
            xycoords=axes.get_yaxis_transform(),
            va="center",
            fontsize=FONT,
            annotation_clip=False,
        )
    axes.set(xlim=(0, share.sizes["child_age"]), ylim=(0, 1))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:.0%}"))
    axes.set_xlabel("Age, years", fontsize=FONT)
    axes.set_ylabel("Share of the entering cohort", fontsize=FONT)
    note = f"Expected; the table has the {q.level(run):.0%} intervals"
    axes.set_title(note, loc="right", fontsize=FONT - 1.5, color=INK)
    return figure


def _stack(axes: Axes, values: xr.DataArray, dim: str, colours: Mapping[str, str]) -> dict[str, tuple[float, float]]:
    """Stack steps over ages, negative values downwards; return where each ends at the last age."""
    ages = np.append(values[values.dims[-1]].values, values[values.dims[-1]].values[-1] + 1)
    floors, ends = {1: np.zeros(ages.size), -1: np.zeros(ages.size)}, {}
    for name, colour in colours.items():
        heights = values.sel({dim: name}).values
        heights = np.append(heights, heights[-1])
        for sign, floor in floors.items():
            top = floor + sign * np.clip(sign * heights, 0.0, None)
            if sign > 0 or (top != floor).any():
                look: dict[str, Any] = {"step": "post", "color": colour, "edgecolor": "white", "linewidth": 0.4}
                axes.fill_between(ages, floor, top, label=_named(name) if sign > 0 else None, **look)
            if sign > 0:
                ends[name] = (float(floor[-1]), float(top[-1]))
            floors[sign] = top
    return ends


def _named(name: str) -> str:
    return lives.STATES.get(name, label(name))


def plot_cost_by_age(run: Run) -> Figure:
    """Draw what a child costs at each age by payer, gross and stacked, and the excess of all payers as lines."""
    cost = lives.cost_by_age(run)
    gross = cost.sel(reading="gross", drop=True).mean(SAMPLE_DIMS)
    lines = {r: q.interval(run, cost.sel(reading=r, drop=True).sum("payer")) for r in ("excess", "excess_never")}
    figure, axes = canvas(5.2)
    names = gross["payer"].values.astype(str)
    _stack(axes, gross, "payer", dict(zip(names, COLOURS, strict=False)))
    middle = cost["age"].values + 0.5
    axes.fill_between(
        middle, lines["excess"]["lower"], lines["excess"]["upper"], color="white", alpha=0.45, linewidth=0
    )
    for dashes, (reading, line) in zip(((5, 2), (1, 1)), lines.items(), strict=True):
        axes.plot(
            middle,
            line["mean"],
            color=INK,
            linewidth=1.8,
            linestyle=(0, dashes),
            label=f"{label(reading)}, all payers",
            path_effects=[withStroke(linewidth=4.5, foreground="white")],
        )
    axes.axhline(0, color=INK, linewidth=1)
    axes.set_xlim(0, cost.sizes["age"])
    axes.set_xlabel("Age, years", fontsize=FONT)
    money_axis(axes.yaxis, gross.sum("payer"), f"A year of age, each child,\n{run.scenario.price_base} prices")
    return with_level(legend(figure, axes), run, "Stack: gross, expected; band about the excess")


def plot_by_history(run: Run) -> Figure:
    """Draw how sure the lifetime cost of a child is, of all and by history, in each reading."""
    cost = lives.cost_by_history(run)
    figure = empty(6.4)
    panels = figure.subplots(cost.sizes["history"], 1)
    for axes, history in zip(panels, cost["history"].values[::-1].astype(str), strict=True):
        tidy(axes, grid="x")
        of_history = cost.sel(history=history, drop=True)
        for place, (reading, colour) in enumerate(reversed(READING_COLOURS.items()), start=1):
            drawn = of_history.sel(reading=reading, drop=True)
            interval = q.interval(run, drawn)
            heights = axes.hist(drawn.values.ravel(), bins=BINS, color=colour, alpha=0.85, label=label(reading))[0]
            below = -0.07 * place * float(np.max(heights))
            axes.plot([interval["lower"], interval["upper"]], [below, below], color=colour, linewidth=4)
            axes.plot(float(interval["mean"]), below, "o", color=colour, markeredgecolor=INK, markersize=7)
        axes.set_yticks([])
        name = "All children of the cohort" if history == lives.EVERYONE else label(history)
        axes.set_title(name, loc="left", fontsize=FONT, color=INK)
        money_axis(axes.xaxis, of_history, f"{label(span_cost(run))} of a child, {run.scenario.price_base} prices")
    panels[0].legend(loc="upper right", frameon=False, fontsize=FONT)
    return with_level(figure, run, "Heights: how likely; dots: expected; lines below")


def plot_waterfall(run: Run) -> Figure:
    """Draw the steps from gross to excess lifetime cost, outcome by outcome."""
    figure = plot_bridge(lives.waterfall(run), what=f"{label(span_cost(run))}, present value")
    return noted(figure, f"Expected; the table has the {q.level(run):.0%} intervals")


def plot_cost_steps(walk: str) -> Figure:
    """Draw how the cost of a child becomes another, a change at a time, as committed."""
    bridged = cost_steps.expected(walk)
    figure = plot_bridge(bridged, what="Lifetime cost of a child, present value")
    return noted(figure, f"{bridged.attrs['settings']}; expected; the table has the 90% intervals")


def plot_neighbours(run: Run) -> Figure:
    """Draw the cost of a child in the area and its statistical neighbours, over life and in a year."""
    costs = lives.beside(run)
    assert costs is not None
    costs = costs.isel(area=slice(None, None, -1))
    figure = empty(1.6 + 0.62 * costs.sizes["area"])
    panels = figure.subplots(1, 2, sharey=True)
    for axes, (period, (name, each)) in zip(panels, lives.periods(run).items(), strict=True):
        tidy(axes, grid="x")
        cost = costs["each"].sel(period=period, drop=True)
        reading_bars(axes, run, cost, "area")
        money_axis(axes.xaxis, cost, f"{name}, {each}")
        axes.tick_params(axis="x", rotation=40)
    panels[0].set_yticks(range(costs.sizes["area"]), lives.neighbour_names(costs))
    panels[0].get_yticklabels()[-1].set_fontweight("bold")
    return with_level(legend(figure, panels[1]), run)


def plot_curve_by_payer(run: Run) -> Figure:
    """Draw each payer's part of the spend-cost curve: its excess lifetime cost, and for the council the spend."""
    part = q.curve(run)["payer_part"]
    names = part["payer"].values.astype(str)
    figure = empty(0.8 + 1.9 * ((len(names) + 1) // 2))
    panels = np.atleast_2d(figure.subplots((len(names) + 1) // 2, 2, sharex=True)).ravel()
    for axes, name in zip(panels, names, strict=False):
        tidy(axes)
        interval = q.interval(run, part.sel(payer=name, drop=True))
        axes.fill_between(
            interval["multiple"], interval["lower"], interval["upper"], color=LIGHT, alpha=0.55, linewidth=0
        )
        axes.plot(interval["multiple"], interval["mean"], color=DARK, linewidth=2.2)
        axes.set_title(label(name), loc="left", fontsize=FONT, color=INK)
        money_axis(axes.yaxis, interval["mean"], "Cost left")
    for axes in panels[len(names) :]:
        axes.set_visible(False)
    figure.supxlabel("Early-help spend, times today's", fontsize=FONT)
    note = f"; excess {span_cost(run)}, the council's with its spend, {run.scenario.price_base} prices"
    return with_level(figure, run, "Band", note)


def pictures(run: Run) -> dict[str, Callable[[Run], Any]]:
    """Return the figures that the run can draw, by the name of the table that holds their numbers."""
    plots: dict[str, Callable[[Run], Any]] = {
        "occupancy": plot_occupancy,
        "cost_by_age": plot_cost_by_age,
        "by_history": plot_by_history,
        "waterfall": plot_waterfall,
        "curve_by_payer": plot_curve_by_payer,
        **{f"steps_{walk}": lambda _, walk=walk: plot_cost_steps(walk) for walk in cost_steps.TITLES},  # type: ignore[misc]
    }
    return plots if lives.beside(run) is None else plots | {"neighbours": plot_neighbours}
