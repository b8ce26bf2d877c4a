"""Figures of the evidence: forest of the studies, rival prices, placement prices."""

from collections.abc import Sequence
from textwrap import shorten

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from toolkit.measures.studies import SIGNIFICANT
from toolkit.measures.tables import STANDARDISED
from toolkit.measures.words import change, inside, label, number
from toolkit.report.drawing import DARK, FONT, GRID, INK, PALETTE, canvas, tidy

__all__ = [
    "plot_forest",
    "plot_placement_price",
    "plot_pool",
]

GREY = "#6b6b6b"
WIDEST = 44  # characters of a programme's name beside a figure


def plot_forest(studies: pd.DataFrame, used: pd.DataFrame, outcome: str) -> Figure:
    """Draw the studies of an outcome, and below them the effect that is used of each programme.

    Parameters
    ----------
    studies
        From ``measures.studies.shown``: estimates with 95 per cent intervals as reported, before the bias of the design
        is taken off; findings without a number as the range they allow, at their likely error.
    used
        From ``measures.studies.used``.
    outcome
        Which.
    """
    rows = studies[studies["outcome"] == outcome].sort_values(["label", "effect"], na_position="first")
    count = len(used)
    figure, axes = canvas(1.6 + 0.5 * (len(rows) + count))
    tidy(axes, grid="x")
    for at, (_, row) in enumerate(rows.iterrows(), start=count):
        _study(axes, at, row)
    for at, (_, row) in enumerate(used.iloc[::-1].iterrows()):
        axes.plot(row[["lower", "upper"]].astype(float), [at, at], color=DARK, linewidth=3.2)
        axes.plot(row["mean"], at, "D", color=DARK, markersize=7)
    axes.axvline(0, color=INK, linewidth=1)
    names = [f"{row['study']}, {inside(row['design'])}\n{_short(row['label'])}" for _, row in rows.iterrows()]
    axes.set_yticks(
        range(len(rows) + count), [*(f"As used:\n{_short(str(name))}" for name in used.index[::-1]), *names]
    )
    axes.set_ylim(-0.6, len(rows) + count - 0.4)
    _effect_axis(axes, outcome)
    axes.set_title(f"{label(outcome)} (dotted: no number given)", loc="left", fontsize=FONT)
    return figure


def _short(name: str) -> str:
    return shorten(name, WIDEST, placeholder=" …")


def _study(axes: Axes, at: int, row: pd.Series) -> None:
    if np.isfinite(row["effect"]):
        axes.plot(row["effect"] + SIGNIFICANT * row["se"] * np.array([-1, 1]), [at, at], color=GREY, linewidth=1.6)
        axes.plot(row["effect"], at, "s", color=GREY, markersize=5)
        return
    ends = np.clip([row["lower"], row["upper"]], -2 * SIGNIFICANT, 2 * SIGNIFICANT) * row["se"]
    axes.plot(ends, [at, at], color=GREY, linewidth=1.6, linestyle=(0, (1, 2)))
    for end, limit in zip(ends, (row["lower"], row["upper"]), strict=True):
        if abs(limit) <= SIGNIFICANT:
            axes.plot(end, at, "|", color=GREY, markersize=8)


def _effect_axis(axes: Axes, outcome: str) -> None:
    smd = outcome == STANDARDISED
    axes.xaxis.set_major_locator(MaxNLocator(7))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: number(x, 2) if smd else change(np.expm1(x))))
    side = "Shift in standard deviations, right is better" if smd else "Change in the rate, left is better"
    axes.set_xlabel(f"{side} (studies: 95% intervals)", fontsize=FONT, color=INK)
    reach = max(abs(end) for end in axes.get_xlim())
    axes.set_xlim(-reach, reach)


def plot_pool(rivals: pd.DataFrame, summary: pd.DataFrame, pools: Sequence[str] | None = None) -> Figure:
    """Draw rival estimates of each cost and what pooling makes of them, in 2025/26 prices.

    Parameters
    ----------
    rivals
        From ``models.unit_costs.rival_estimates``.
    summary
        From ``models.unit_costs.pooled_summary`` of the same.
    pools
        Which; all by default.
    """
    chosen = list(summary.index if pools is None else pools)
    figure, axes = canvas(1.4 + 0.62 * len(chosen))
    tidy(axes, grid="x")
    for at, pool in enumerate(chosen):
        centre = summary.loc[pool, "median"]
        rows = rivals[rivals["pool"] == pool]
        for step, (_, row) in enumerate(rows.iterrows()):
            height = at + 0.15 + 0.4 * step / max(1, len(rows) - 1)
            ratio = np.exp(row["estimate"] - centre + SIGNIFICANT * row["se"] * np.array([-1, 0, 1]))
            axes.plot(ratio[[0, 2]], [height, height], color=GREY, linewidth=1.4)
            axes.plot(ratio[1], height, "s", color=GREY, markersize=4)
        ends = np.exp(summary.loc[pool, ["low", "high"]].to_numpy(float) - centre)
        axes.plot(ends, [at, at], color=DARK, linewidth=3.2)
        axes.plot(1, at, "D", color=DARK, markersize=6)
    axes.set_xscale("log")
    axes.set_xticks([0.33, 0.5, 1, 2, 3], ["⅓", "½", "1", "2", "3"])
    axes.set_xticks([], minor=True)
    names = [f"{label(pool)}\n£{np.exp(summary.loc[pool, 'median']):,.0f}" for pool in chosen]
    axes.set_yticks(range(len(chosen)), names)
    axes.set_xlabel("Over the pooled median (grey: estimates, 95%; blue: pooled, 90%)", fontsize=FONT)
    return figure


def plot_placement_price(prices: xr.Dataset, placement: str, *, england: str = "published, by care days") -> Figure:
    """Draw an authority's price of a placement year by year: every authority, their mean, and England's.

    Parameters
    ----------
    prices
        From ``evidence.placement_prices``.
    placement
        ``residential``, ``fostering`` or ``care``.
    england
        What to call England's line.
    """
    price = prices.sel(placement=placement)
    nominal, years = price["price"] * price["to_nominal"], price["data_year"].values
    figure, axes = canvas(4.2, right=0.72)
    axes.plot(years, nominal.transpose("data_year", "area").values, color=GRID, linewidth=0.7)
    lines = {"mean of authorities": nominal.mean("area"), england: price["england"] * price["to_nominal"]}
    for (name, line), colour in zip(lines.items(), (DARK, PALETTE["economic"]), strict=True):
        axes.plot(years, line.values, color=colour, linewidth=2.4, linestyle="-" if colour == DARK else (0, (6, 2)))
        near = 1.06 if colour == DARK else 0.94
        axes.annotate(f" {name}", (years[-1], near * float(line[-1])), color=colour, va="center", annotation_clip=False)
    axes.set_ylim(0, 1.05 * float(nominal.quantile(0.995)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda x, _: f"£{x:,.0f}"))
    axes.set_ylabel("A week, prices of each year", fontsize=FONT)
    axes.set_xlabel("Financial year ending", fontsize=FONT)
    axes.set_title(f"{label(placement)}: grey, each authority", loc="left", fontsize=FONT)
    return figure


def __dir__() -> list[str]:
    return __all__
