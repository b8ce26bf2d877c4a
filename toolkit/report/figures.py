"""The figures of a run: units on every axis, intervals labelled with their level, in the style of ``drawing``."""

from collections.abc import Mapping
from textwrap import fill
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from toolkit.measures import quantities as q
from toolkit.measures.quantities import Run
from toolkit.measures.tables import CASH_YEARS, STANDARDISED, span_cost, year_names
from toolkit.measures.words import change, financial_year, label, money_scale, number, percent
from toolkit.report.drawing import (
    DARK,
    DASHES,
    FONT,
    INK,
    LIGHT,
    PALETTE,
    canvas,
    empty,
    money_axis,
    noted,
    tidy,
    whiskers,
)
from toolkit.schema import ACCOUNTS, SAMPLE_DIMS

READING_COLOURS = {"excess": DARK, "excess_never": "#4f86b0", "gross": LIGHT}


def plot_cost_by_outcome(run: Run) -> Figure:
    """Draw the lifetime cost of the entering cohort by outcome, in each reading."""
    return _readings(run, q.by(q.lifetime(run), "outcome"), "outcome", "Present value")


def plot_cost_by_payer(run: Run) -> Figure:
    """Draw the lifetime cost of the entering cohort by payer, in each reading."""
    return _readings(run, q.by(q.lifetime(run), "payer"), "payer", "Present value")


def _readings(run: Run, cost: xr.DataArray, dim: str, what: str) -> Figure:
    """Draw the readings of a cost."""
    cost = cost.isel({dim: np.argsort(cost.sel(reading="gross").mean(SAMPLE_DIMS).values)})
    figure, axes = canvas(1.4 + 0.75 * cost.sizes[dim])
    reading_bars(axes, run, cost, dim)
    money_axis(axes.xaxis, cost, f"{what}, {run.scenario.price_base} prices")
    axes.legend(loc="lower right", frameon=False, fontsize=FONT)
    return with_level(figure, run)


def plot_annual_cost(run: Run) -> Figure:
    """Draw the cost of one year's outcomes by outcome, the annual cross-section."""
    return _readings(
        run, q.by(q.annual(run), "outcome"), "outcome", "Cost of a year, what it leads to at present value"
    )


def plot_who_pays(run: Run) -> Figure:
    """Draw the net position of each payer over the appraisal: who pays, who gains."""
    net = q.position(run)["net"]
    net = net.isel(payer=np.argsort(-net.mean(SAMPLE_DIMS).values))
    figure, axes = canvas(1.6 + 0.42 * net.sizes["payer"])
    bars(axes, run, net, "payer", offset=0.0, colour=DARK, name="")
    axes.axvline(0, color=INK, linewidth=1)
    money_axis(axes.xaxis, net, f"Pays (left) or gains (right), present value, {run.scenario.price_base} prices")
    return with_level(figure, run)


def plot_payback(run: Run) -> Figure:
    """Draw the chance of having paid back by each year, by account; for a cut, of still being ahead."""
    chance, cut = q.paid_back(run), run.scenario.cut
    figure, axes = canvas(4.0, right=0.75)
    for account in ACCOUNTS:
        values = chance.sel(account=account)
        axes.plot(chance["year"], values, color=PALETTE[account], linestyle=DASHES[account], linewidth=2.2)
    axes.set_ylim(0, 1)
    axes.set_xlim(0, float(chance["year"].max()))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:.0%}"))
    axes.set_ylabel("Chance of still being ahead" if cut else "Chance of having paid back", fontsize=FONT)
    axes.set_xlabel(f"Years since {financial_year(run.scenario.first_year, 0)} (year 0)", fontsize=FONT)
    ends = {account: percent(float(chance.sel(account=account).isel(year=-1))) for account in ACCOUNTS}
    _name_lines(axes, {account: f"{label(account)}: {end}" for account, end in ends.items()})
    return figure


def plot_council_cash(run: Run) -> Figure:
    """Draw the council's cashable position in each of the first ten years."""
    cash = q.council_cash(run).isel(year=slice(0, CASH_YEARS))
    years, interval = cash["year"].values, q.interval(run, cash)
    figure, axes = canvas(3.6)
    axes.bar(years, interval["mean"], width=0.62, color=DARK)
    whiskers(axes, years, interval, upright=True)
    axes.axhline(0, color=INK, linewidth=1)
    axes.set_xticks(years, year_names(run, years), rotation=40, ha="right")
    money_axis(axes.yaxis, interval["mean"], f"Council's cash position a year,\n{run.scenario.price_base} prices")
    return with_level(figure, run)


def plot_spend_cost_curve(run: Run) -> Figure:
    """Draw spend and lifetime cost as early-help spend changes, and the cost avoided."""
    curve, base = q.curve(run).sel(account="social", drop=True), run.scenario.price_base
    cost = span_cost(run)
    more = curve["spend"] - curve["spend"].sel(multiple=1.0, drop=True)
    avoided = more - curve["change"]
    figure = empty(7.0)
    upper, lower = figure.subplots(2, 1, sharex=True)
    for axes, drawn in ((upper, curve["net"]), (lower, avoided)):
        tidy(axes)
        band = q.interval(run, drawn)
        axes.fill_between(curve["multiple"], band["lower"], band["upper"], color=LIGHT, alpha=0.55, linewidth=0)
        _curve_line(axes, run, drawn.mean(SAMPLE_DIMS))
    limits = lower.get_ylim()
    lower.plot(curve["multiple"], more, color=INK, linewidth=1.2, label="A pound for each pound")
    lower.set_ylim(*limits)
    scale, unit, decimals = money_scale(curve["spend"])
    today, ticks = float(curve["spend"].sel(multiple=1.0)) / scale, (0.5, 1.0, 1.5, 2.0)
    lower.set_xticks(ticks, [f"{multiple:g} × today\n{number(multiple * today, decimals)}" for multiple in ticks])
    lower.set_xlabel(f"Early-help spend a year, {unit}", fontsize=FONT)
    money_axis(upper.yaxis, curve["net"], f"Spend and excess\n{cost}, {base} prices")
    money_axis(lower.yaxis, np.array(limits), f"{label(cost)} avoided,\n{base} prices")
    handles = lower.get_legend_handles_labels()[0]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False, fontsize=FONT, handlelength=3.2)
    return with_level(figure, run, "Band", "; thin and dotted: extrapolation beyond what areas have seen")


def _curve_line(axes: Axes, run: Run, line: xr.DataArray) -> None:
    """Draw the expected line, dotted where no area has been."""
    multiples, values = line["multiple"].values, line.values
    bounds = q.spend_range(run) or (1.0, 1.0)
    inner = np.unique(np.clip([*multiples, *bounds], max(bounds[0], multiples[0]), min(bounds[1], multiples[-1])))
    axes.plot(inner, np.interp(inner, multiples, values), label="The programmes of the plan", color=DARK, linewidth=2.6)
    for side in (multiples[multiples <= inner[0]], multiples[multiples >= inner[-1]]):
        outer = np.unique([*side, inner[0] if side[0] < inner[0] else inner[-1]])
        axes.plot(outer, np.interp(outer, multiples, values), linestyle=(0, (1, 2.5)), color=DARK, linewidth=1.3)


def plot_break_even(run: Run) -> Figure:
    """Draw the expected net present value by account if the effects were less or more than those used."""
    by_account = q.switching(run)
    shares = np.array(q.EFFECT_MULTIPLES)
    figure, axes = canvas(3.8, right=0.80)
    for account, row in by_account.iterrows():
        ends = row[list(q.EFFECT_MULTIPLES)].to_numpy(float)
        axes.plot(shares, ends, color=PALETTE[str(account)], linestyle=DASHES[str(account)], linewidth=2.2)
    axes.axhline(0, color=INK, linewidth=1)
    axes.set_xlim(0, 1)
    axes.set_xticks(shares, ["none", "half", "three\nquarters", "as\nused"])
    axes.set_xlabel("How much of the effects used there is", fontsize=FONT)
    money_axis(
        axes.yaxis,
        by_account[list(q.EFFECT_MULTIPLES)],
        f"Expected net present value,\n{run.scenario.price_base} prices",
    )
    _name_lines(axes, {account: label(account) for account in ACCOUNTS})
    return figure


def plot_effects(run: Run) -> Figure:
    """Draw the effects that count by outcome and programme, for a child served; rates share one scale."""
    effects = q.effects(run)
    counts = effects["not_counted"].transpose("programme", "outcome") == ""
    outcomes = effects["outcome"].values[counts.any("programme").values].astype(str)
    if not len(outcomes):
        figure = canvas(1.2)[0]
        return noted(figure, "No effect of any programme of the plan is counted")
    heights = [0.75 + 0.45 * int(counts.sel(outcome=outcome).sum()) for outcome in outcomes]
    figure = empty(0.6 + sum(heights))
    panels = np.atleast_1d(figure.subplots(len(outcomes), 1, height_ratios=heights))
    reach = 0.0
    for axes, outcome in zip(panels, outcomes, strict=True):
        here = effects["effect"].sel(outcome=outcome, drop=True)
        _forest(axes, run, here.isel(programme=np.flatnonzero(counts.sel(outcome=outcome).values)))
        smd = outcome == STANDARDISED
        scale = "shift in standard deviations, right is better" if smd else "change in the rate, left is better"
        axes.set_title(f"{label(outcome)}: {scale}", loc="left", fontsize=FONT, color=INK)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _, smd=smd: number(x, 2) if smd else change(x)))
        reach = reach if smd else max(reach, *np.abs(axes.get_xlim()))
    for axes, outcome in zip(panels, outcomes, strict=True):
        own = float(np.abs(axes.get_xlim()).max()) if outcome == STANDARDISED else reach
        axes.set_xlim(-own, own)
        axes.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
    return with_level(figure, run, "Lines", "; dots: expected")


def _forest(axes: Axes, run: Run, effects: xr.DataArray) -> None:
    """Draw the programmes' effects on one outcome as lines and dots."""
    tidy(axes, grid="x")
    names, effects = q.programme_names(run), effects.isel(programme=slice(None, None, -1))
    band = q.interval(run, effects)
    rows = np.arange(effects.sizes["programme"])
    axes.hlines(rows, band["lower"], band["upper"], color=DARK, linewidth=3.2)
    axes.plot(band["mean"], rows, "o", color=DARK, markersize=6)
    axes.axvline(0, color=INK, linewidth=1)
    axes.set_yticks(rows, [fill(names[str(name)], 30) for name in effects["programme"].values])
    axes.set_ylim(-0.6, len(rows) - 0.4)


# Drawing -----------------------------------------------------------------------------------------


def bars(
    axes: Axes, run: Run, draws: xr.DataArray, dim: str, *, offset: float, colour: str, name: str, height: float = 0.56
) -> None:
    """Draw expected values as bars along, with their intervals."""
    interval = q.interval(run, draws)
    rows = np.arange(draws.sizes[dim])
    axes.barh(rows + offset, interval["mean"], height=height, color=colour, edgecolor=DARK, linewidth=0.8, label=name)
    whiskers(axes, rows + offset, interval, upright=False)
    axes.set_yticks(rows, [label(value) for value in draws[dim].values])
    axes.grid(visible=False, axis="y")


def reading_bars(axes: Axes, run: Run, cost: xr.DataArray, dim: str) -> None:
    """Draw the readings of a cost side by side."""
    for offset, (reading, colour) in zip((0.27, 0.0, -0.27), READING_COLOURS.items(), strict=True):
        of_reading = cost.sel(reading=reading, drop=True)
        bars(axes, run, of_reading, dim, offset=offset, colour=colour, name=label(reading), height=0.26)


def _name_lines(axes: Axes, names: Mapping[str, str]) -> None:
    """Write each line's name where it ends, apart enough to be read and inside the figure."""
    low, high = axes.get_ylim()
    ends = {name: float(np.asarray(line.get_ydata())[-1]) for name, line in zip(names, axes.lines, strict=False)}
    order, gap = sorted(names, key=ends.__getitem__), 0.065 * (high - low)
    for rank, name in enumerate(order):
        highest = high - gap * (len(order) - 1 - rank)
        ends[name] = min(max(ends[name], ends[order[rank - 1]] + gap if rank else low), highest)
        place: dict[str, Any] = {"xycoords": axes.get_yaxis_transform(), "annotation_clip": False, "va": "center"}
        axes.annotate(names[name], (1.015, ends[name]), color=PALETTE[name], fontsize=FONT, fontweight="bold", **place)


def with_level(figure: Figure, run: Run, what: str = "Whiskers", extra: str = "") -> Figure:
    """Name the level of the intervals above the drawing."""
    return noted(figure, f"{what}: {q.level(run):.0%} interval{extra}")
