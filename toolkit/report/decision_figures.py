"""Figures of a decision from any draws: plane, curves, value of information, sensitivity analysis and bridge."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from toolkit import appraisal
from toolkit.appraisal.draws import flat, sample_dims
from toolkit.measures.words import MINUS, figure, financial_year, label, money, money_scale, number
from toolkit.report.drawing import DARK, FONT, INK, LIGHT, PALETTE, canvas, legend, money_axis, noted
from toolkit.report.drawing import DASHES as HOUSE_DASHES

__all__ = [
    "COLOURS",
    "plot_acceptability",
    "plot_bridge",
    "plot_evpi",
    "plot_expected_loss",
    "plot_information",
    "plot_medium_term",
    "plot_plane",
    "plot_portfolio",
    "plot_running",
    "plot_sobol",
    "plot_tornado",
    "plot_two_way",
    "plot_worth_of_a_pound",
]

# Eight that differ in grey and in dash as well; a ninth option takes the first again and is known by its name.
COLOURS = ("#12436d", "#d4580f", "#28a197", "#801650", "#6b6b6b", "#a285d1", "#3d3d3d", "#f46a25")
DASHES: tuple[Any, ...] = ("-", (0, (7, 2)), (0, (2, 1)), (0, (4, 1, 1, 1)), (0, (1, 2)), (0, (9, 1)), "--", "-.")
MARKERS = "osD^vPX*"
POINTS = 400  # of each option's cloud: more only hide each other
BARS, FEWEST_BARS = 15, 5  # in a tornado or a chart of information; what is worth nothing is left out


def plot_plane(cost: xr.DataArray, effect: xr.DataArray, *, reference: str, threshold: float, unit: str) -> Figure:
    """Draw the incremental cost and effect of each option against one of them, and the line of the threshold."""
    drawn, axes = canvas(4.6)
    names = list(map(str, cost["option"].values.tolist()))
    others = [name for name in names if name != reference]
    gaps = {array.name: array - array.sel(option=reference, drop=True) for array in (cost, effect)}
    costs, effects = (flat(gaps[name], leading=("option",)) for name in (cost.name, effect.name))
    shown = np.linspace(0, costs.shape[1] - 1, min(POINTS, costs.shape[1])).astype(int)
    places = [names.index(name) for name in others]
    for order, (name, place) in enumerate(zip(others, places, strict=True), start=1):
        look: dict[str, Any] = {"color": COLOURS[order % len(COLOURS)], "marker": MARKERS[order % len(MARKERS)]}
        axes.scatter(effects[place, shown], costs[place, shown], s=7, alpha=0.35, linewidths=0, **look)
        middle = effects[place].mean(), costs[place].mean()
        axes.scatter(*middle, s=90, edgecolors="white", zorder=4, label=name, **look)
    axes.axhline(0, color=INK, linewidth=1)
    axes.axvline(0, color=INK, linewidth=1)
    width = np.array(axes.get_xlim())
    height = axes.get_ylim()
    axes.plot(
        width, width * threshold, color=INK, linestyle=(0, (5, 3)), linewidth=1.4, label=f"{money(threshold)} a unit"
    )
    axes.set_xlim(*width)
    axes.set_ylim(*height)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: figure(float(f"{x:.12g}"))))
    axes.set_xlabel(f"More effect than {reference} ({unit})", fontsize=FONT)
    money_axis(axes.yaxis, costs[places].mean(1), f"More cost than {reference}")
    return legend(drawn, axes)


def plot_acceptability(curves: xr.Dataset, *, unit: str) -> Figure:
    """Draw the probability that each option is best, and the frontier of the one best on average."""
    drawn, axes = _curves(curves["probability_best"], curves, unit=unit)
    best = curves["probability_best"].sel(option=curves["best_option"])
    axes.plot(curves["threshold"], best, color="#ffdd00", linewidth=7, alpha=0.6, zorder=1, label="Best on average")
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:.0%}"))
    axes.set_ylabel("Probability of being best", fontsize=FONT)
    return legend(drawn, axes)


def plot_expected_loss(curves: xr.Dataset, *, unit: str) -> Figure:
    """Draw what each option is expected to lose against knowing the best; the lowest line is the EVPI."""
    drawn, axes = _curves(curves["expected_loss"], curves, unit=unit)
    axes.plot(curves["threshold"], curves["evpi"], color="#ffdd00", linewidth=7, alpha=0.6, zorder=1, label="EVPI")
    axes.set_ylim(bottom=0)
    money_axis(axes.yaxis, curves["expected_loss"].values, "Expected loss")
    return legend(drawn, axes)


def plot_evpi(curves: xr.Dataset, *, unit: str, threshold: float) -> Figure:
    """Draw the expected value of perfect information over the thresholds."""
    drawn, axes = canvas(3.4)
    axes.fill_between(curves["threshold"], curves["evpi"], color=LIGHT, alpha=0.6, linewidth=0)
    axes.plot(curves["threshold"], curves["evpi"], color=DARK, linewidth=2.2)
    axes.axvline(threshold, color=INK, linewidth=1, linestyle=(0, (1, 2)))
    axes.set_ylim(bottom=0)
    axes.set_xlim(float(curves["threshold"][0]), float(curves["threshold"][-1]))
    money_axis(axes.xaxis, curves["threshold"].values, f"Worth of {unit}")
    money_axis(axes.yaxis, curves["evpi"].values, "Value of knowing everything")
    return drawn


def plot_information(information: xr.Dataset, *, names: Mapping[str, str] | None = None) -> Figure:
    """Draw what knowing each set exactly is worth, with its standard error and the floor of the noise.

    Parameters
    ----------
    information
        From ``appraisal.evppi`` or ``analyse_inputs``, one number a set.
    names
        Readable name of each set.
    """
    worth = information["evppi"].values
    order = np.argsort(worth, kind="stable")[-BARS:]
    table = information.isel(set=order[max(0, len(order) - max(FEWEST_BARS, int((worth > 0).sum()))) :])
    drawn, axes = canvas(1.5 + 0.36 * table.sizes["set"])
    rows, worth, error = np.arange(table.sizes["set"]), table["evppi"].values, table["standard_error"].values
    group = np.array(table["kind"].values == "group") if "kind" in table.coords else np.zeros(len(rows), bool)
    axes.barh(rows, worth, height=0.56, color=np.where(group, DARK, LIGHT).tolist(), edgecolor=DARK, linewidth=0.8)
    axes.hlines(rows, np.maximum(worth - error, 0), worth + error, color=INK, linewidth=1.3)
    axes.scatter(table["noise_floor"], rows, marker="|", s=170, color="#d4351c", linewidths=2.2, zorder=4)
    axes.axvline(float(table["evpi"]), color=INK, linewidth=1.2, linestyle=(0, (5, 3)))
    axes.set_yticks(rows, [_tick(parameter, names) for parameter in table["set"].values])
    axes.grid(visible=False, axis="y")
    axes.set_xlim(0, 1.08 * max(float(table["evpi"]), float((worth + error).max()), 1e-12))
    money_axis(axes.xaxis, np.append(worth, float(table["evpi"])), "Value of knowing it exactly")
    note = "Whiskers: one standard error; red: floor of the noise; dashed: knowing everything"
    return noted(drawn, note + ("; dark: groups" if group.any() else ""))


def plot_tornado(table: xr.Dataset, *, title: str, names: Mapping[str, str] | None = None) -> Figure:
    """Draw the answer expected at the lower and upper end of each parameter, the widest swing at the top.

    Parameters
    ----------
    table
        From ``appraisal.tornado``.
    title
        What the answer is, without its unit of money.
    names
        Readable name of each parameter.
    """
    distinct = int((table["swing"] > table["noise_floor"]).sum()) if "noise_floor" in table else BARS
    shown = table.isel(parameter=slice(0, min(distinct, BARS))).isel(parameter=slice(None, None, -1))
    drawn, axes = canvas(1.5 + 0.36 * shown.sizes["parameter"])
    rows, centre = np.arange(shown.sizes["parameter"]), float(shown["expected"])
    for side, colour in (("lower", LIGHT), ("upper", DARK)):
        look: dict[str, Any] = {"height": 0.56, "color": colour, "edgecolor": DARK, "linewidth": 0.8}
        ends = shown[f"at_{side}"].values - centre
        axes.barh(rows, ends, left=centre, label=f"Parameter at its {side} end", **look)
    axes.axvline(centre, color=INK, linewidth=1)
    axes.set_yticks(rows, [_tick(parameter, names) for parameter in shown["parameter"].values])
    axes.grid(visible=False, axis="y")
    money_axis(axes.xaxis, np.append(shown["at_lower"].values, shown["at_upper"].values), title)
    noted(drawn, f"Ends: {float(table.attrs['level']):.0%} interval of each")
    return legend(drawn, axes)


def plot_bridge(bridged: xr.Dataset, *, what: str = "Expected net present value") -> Figure:
    """Draw the expected result from unadjusted to adjusted, a step for each adjustment.

    Parameters
    ----------
    bridged
        From ``appraisal.bridge``, one account.
    what
        Name of the axis.
    """
    dims = sample_dims(bridged["result"])
    expected = bridged.drop_vars("value", errors="ignore").mean(dims)
    after, change = expected["result"].values, expected["contribution"].values
    names = list(map(str, bridged["step"].values.tolist()))
    drawn, axes = canvas(4.0)
    whole = np.array([position in (0, len(names) - 1) for position in range(len(names))])
    bottom = np.where(whole, 0.0, after - change)
    colours = np.where(whole, DARK, np.where(change < 0, "#d4580f", "#28a197")).tolist()
    axes.bar(range(len(names)), change, bottom=bottom, width=0.62, color=colours, edgecolor=INK, linewidth=0.6)
    for place in range(len(names) - 1):
        axes.hlines(after[place], place + 0.31, place + 0.69, color=INK, linewidth=0.8)
    scale, _, decimals = money_scale(after)
    high = np.maximum(np.where(whole, np.maximum(after, 0), after), after - change * ~whole)
    for place, value in enumerate(change):
        sign = "" if whole[place] or value < 0 else "+"
        axes.annotate(
            sign + number(value / scale, decimals),
            (place, high[place]),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            fontsize=FONT - 1,
        )
    axes.axhline(0, color=INK, linewidth=1)
    axes.margins(y=0.12)
    values = bridged["value"].values if "value" in bridged else np.full(len(names), np.nan)
    ticks = [
        label(name) + ("" if np.isnan(v) else f"\n{v:g}".replace("-", MINUS))
        for name, v in zip(names, values, strict=True)
    ]
    axes.set_xticks(range(len(names)), ticks, rotation=40, ha="right", rotation_mode="anchor")
    axes.grid(visible=False, axis="x")
    money_axis(axes.yaxis, after, what)
    return drawn


def plot_medium_term(view: xr.DataArray, *, level: float = 0.90) -> Figure:
    """Draw what the plan adds to one budget in the cash of each year, and the running total.

    Parameters
    ----------
    view
        From ``appraisal.medium_term_view``.
    """
    drawn, axes = canvas(3.8)
    rows = np.arange(view.sizes["year"])
    net = appraisal.summarise(view.sel(line="net"), level=level)
    axes.bar(rows, net["mean"], width=0.55, color=LIGHT, edgecolor=DARK, linewidth=0.8, label="Net in the year")
    axes.vlines(rows, net["lower"], net["upper"], color=INK, linewidth=1.3)
    running = view.sel(line="cumulative").mean(sample_dims(view))
    axes.plot(rows, running, color="#d4580f", linewidth=2.2, marker="o", label="Running total")
    axes.axhline(0, color=INK, linewidth=1)
    axes.set_xticks(rows, list(map(str, view["financial_year"].values.tolist())))
    money_axis(axes.yaxis, np.append(running.values, net["mean"].values), "Budget effect, cash of each year")
    noted(drawn, f"Whiskers: {level:.0%} interval; gains are above the line")
    return legend(drawn, axes)


def _tick(name: object, names: Mapping[str, str] | None) -> str:
    """Name a bar: what a sentence calls "the effect on care" is "Effect on care" here."""
    name_in_words = (names or {}).get(str(name))
    return str(name) if name_in_words is None else label(name_in_words.removeprefix("the ").removeprefix("figure "))


def _curves(values: xr.DataArray, curves: xr.Dataset, *, unit: str) -> tuple[Figure, Axes]:
    drawn, axes = canvas(4.2)
    _lines(
        axes, curves["threshold"], {str(name): values.sel(option=name) for name in curves["option"].values}, zorder=3
    )
    axes.set_xlim(float(curves["threshold"][0]), float(curves["threshold"][-1]))
    money_axis(axes.xaxis, curves["threshold"].values, f"Worth of {unit}")
    return drawn, axes


def _lines(axes: Axes, across: xr.DataArray, lines: Mapping[str, xr.DataArray], zorder: float = 2) -> None:
    for order, (name, line) in enumerate(lines.items()):
        look = {"color": COLOURS[order % len(COLOURS)], "linestyle": DASHES[order % len(DASHES)]}
        axes.plot(across, line, linewidth=2.2, label=name, zorder=zorder, **look)


def plot_running(running: xr.DataArray, *, first_year: int) -> Figure:
    """Draw the expected running total of each payer over the years: who pays first, who gains and when.

    Parameters
    ----------
    running
        Discounted net position up to and with each year (payer, year, chain, draw).
    first_year
        Financial year of year 0.
    """
    drawn, axes = canvas(4.6)
    expected = running.mean(sample_dims(running))
    payers = expected["payer"].values.astype(str)
    _lines(axes, expected["year"], {label(payer): expected.sel(payer=payer) for payer in payers})
    axes.axhline(0, color=INK, linewidth=1)
    axes.set_xlim(0, float(expected["year"].max()))
    axes.set_xlabel(f"Years since {financial_year(first_year, 0)} (year 0)", fontsize=FONT)
    money_axis(axes.yaxis, expected, "Running total, present value")
    noted(drawn, "Expected; below the line they have paid more than they gained")
    return legend(drawn, axes)


def plot_worth_of_a_pound(curves: xr.Dataset) -> Figure:
    """Draw the chance that the option is the better choice as a pound of avoided cost counts for more or less.

    Parameters
    ----------
    curves
        ``chance`` (account, threshold) and ``break_even`` (account).
    """
    drawn, axes = canvas(4.2)
    for account in curves["account"].values.astype(str):
        look: dict[str, Any] = {"color": PALETTE[account], "linestyle": HOUSE_DASHES[account]}
        axes.plot(
            curves["threshold"], curves["chance"].sel(account=account), linewidth=2.2, label=label(account), **look
        )
        even = float(curves["break_even"].sel(account=account))
        if even <= float(curves["threshold"][-1]):
            chance = float(np.interp(even, curves["threshold"], curves["chance"].sel(account=account)))
            axes.plot(even, chance, "o", color=PALETTE[account], markersize=7)
    axes.axvline(1.0, color=INK, linewidth=1, linestyle=(0, (1, 2)))
    axes.set_ylim(0, 1)
    axes.set_xlim(0, float(curves["threshold"][-1]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"£{x:g}"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:.0%}"))
    axes.set_xlabel("What a pound of avoided cost counts for", fontsize=FONT)
    axes.set_ylabel("Chance that the plan is the better choice", fontsize=FONT)
    noted(drawn, "Dots: where it breaks even on average; dotted line: a pound counts as a pound")
    return legend(drawn, axes)


def plot_sobol(indices: xr.Dataset, *, names: Mapping[str, str] | None = None) -> Figure:
    """Draw the share of the answer's variance that each parameter explains, alone and with the others.

    Parameters
    ----------
    indices
        From ``appraisal.sobol``.
    names
        Readable name of each parameter.
    """
    table = indices.isel(parameter=np.argsort(indices["total"].values, kind="stable"))
    drawn, axes = canvas(1.5 + 0.5 * table.sizes["parameter"])
    rows = np.arange(table.sizes["parameter"])
    _pairs(axes, {"Alone": table["first"], "With the others": table["total"]}, (DARK, LIGHT))
    first, error = table["first"], table["standard_error"]
    axes.hlines(rows + 0.19, first - error, first + error, color="#d4580f", linewidth=2)
    axes.set_yticks(rows, [_tick(parameter, names) for parameter in table["parameter"].values])
    axes.set_xlim(left=0)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:.0%}"))
    axes.set_xlabel("Share of the answer's variance", fontsize=FONT)
    noted(drawn, f"Whiskers: one standard error; all together explain {float(indices['explained']):.0%}")
    return legend(drawn, axes)


def _pairs(axes: Axes, bars: Mapping[str, xr.DataArray], colours: tuple[str, str]) -> None:
    """Draw two bars a row, one above the other."""
    for offset, (name, ends), colour in zip((0.19, -0.19), bars.items(), colours, strict=True):
        rows = np.arange(ends.size) + offset
        axes.barh(rows, ends, height=0.36, color=colour, edgecolor=DARK, linewidth=0.8, label=name)
    axes.grid(visible=False, axis="y")


def plot_two_way(surface: xr.DataArray, *, title: str, names: Mapping[str, str] | None = None) -> Figure:
    """Draw the answer expected over two parameters, the line of nil marked where there is one.

    Parameters
    ----------
    surface
        From ``appraisal.two_way``.
    title
        What the answer is, without its unit of money.
    names
        Readable name of each parameter.
    """
    drawn, axes = canvas(4.6)
    across, up = (str(dim) for dim in surface.dims)
    scale, unit, decimals = money_scale(surface)
    grid = (surface / scale).transpose(up, across)
    shown = axes.contourf(grid[across], grid[up], grid, levels=12, cmap="cividis")
    if float(grid.min()) < 0 < float(grid.max()):
        nil = axes.contour(grid[across], grid[up], grid, levels=[0.0], colors="white", linewidths=2.2)
        axes.clabel(nil, fmt={0.0: "nil"}, fontsize=FONT)
    drawn.colorbar(shown, ax=axes, label=f"{title}, {unit}", format=f"%.{decimals}f")
    axes.set_xlabel(_tick(across, names), fontsize=FONT)
    axes.set_ylabel(_tick(up, names), fontsize=FONT)
    noted(drawn, f"Each over its central {float(surface.attrs['level']):.0%}")
    return drawn


def plot_portfolio(plan: xr.Dataset) -> Figure:
    """Draw what a portfolio spends on each item and what that is expected to gain.

    Parameters
    ----------
    plan
        From ``appraisal.allocate``.
    """
    chosen = plan.isel(item=np.flatnonzero(plan["spend"].values > 0))
    chosen = chosen.isel(item=np.argsort(chosen["expected_gain"].values, kind="stable")[-BARS:])
    drawn, axes = canvas(1.6 + 0.42 * chosen.sizes["item"])
    _pairs(axes, {"Spent": chosen["spend"], "Expected gain": chosen["expected_gain"]}, (LIGHT, DARK))
    axes.axvline(0, color=INK, linewidth=1)
    axes.set_yticks(range(chosen.sizes["item"]), [label(item) for item in chosen["item"].values])
    money_axis(axes.xaxis, np.append(chosen["spend"].values, chosen["expected_gain"].values), "Present value")
    heading = f"Budget {money(float(plan.attrs['budget']))}; not spent {money(float(plan['budget_left']))}"
    noted(drawn, f"{heading}; items share the luck that their draws share")
    return legend(drawn, axes)


def __dir__() -> list[str]:
    return __all__
