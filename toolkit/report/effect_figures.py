"""Figures of the evidence: forest and funnel of the studies, rival prices, placement prices."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from toolkit.measures.studies import SIGNIFICANT
from toolkit.measures.words import change, label, number
from toolkit.report.drawing import DARK, DASHES, FONT, GRID, INK, LIGHT, PALETTE, canvas, tidy

__all__ = [
    "plot_forest",
    "plot_funnel",
    "plot_placement_price",
    "plot_pool",
]

GREY = "#6b6b6b"


def plot_forest(studies: pd.DataFrame, grid: xr.Dataset, outcome: str) -> Figure:
    """Draw the studies of an outcome, the pooled mean and what a new site can expect.

    Parameters
    ----------
    studies
        From ``models.study_table``: estimates with 95 per cent intervals as reported, before the bias of the
        design is taken off; findings without a number as the range they allow, at their likely error. Studies that
        share a programme are named with it.
    grid
        From ``models.quadrature``.
    outcome
        Which.
    """
    rows = studies[studies["outcome"] == outcome].sort_values("effect", na_position="first")
    effect = grid.sel(outcome=outcome)
    figure, axes = canvas(1.5 + 0.36 * (len(rows) + 2))
    tidy(axes, grid="x")
    shared = rows["programme"].map(label).where(rows.duplicated("programme", keep=False), "")
    design = rows["design"].str.replace("_", " ") + shared.mask(shared != "", "; " + shared)
    names = (rows["study"] + " (" + design + ")").to_list()
    for at, (_, row) in enumerate(rows.iterrows(), start=2):
        _study(axes, at, row)
    mean, sd = float(effect["mean_effect_mean"]), float(effect["mean_effect_sd"])
    for at, spread, colour in ((1, sd, DARK), (0, float(effect["new_site_sd"]), PALETTE["economic"])):
        axes.plot(mean + SIGNIFICANT * spread * np.array([-1, 1]), [at, at], color=colour, linewidth=3.2)
        axes.plot(mean, at, "D", color=colour, markersize=7)
    axes.axvline(0, color=INK, linewidth=1)
    axes.set_yticks(range(len(rows) + 2), ["A new site", "Pooled mean", *names])
    axes.set_ylim(-0.6, len(rows) + 1.6)
    _effect_axis(axes, outcome, effect)
    axes.set_title(f"{label(outcome)} (dotted: no number given)", loc="left", fontsize=FONT)
    return figure


def _study(axes: Axes, at: int, row: pd.Series) -> None:
    if np.isfinite(row["effect"]):
        axes.plot(row["effect"] + SIGNIFICANT * row["se"] * np.array([-1, 1]), [at, at], color=GREY, linewidth=1.6)
        axes.plot(row["effect"], at, "s", color=GREY, markersize=5)
        return
    ends = np.clip([row["lower"], row["upper"]], -2 * SIGNIFICANT, 2 * SIGNIFICANT) * row["se"]
    axes.plot(ends, [at, at], color=GREY, linewidth=1.6, linestyle=DASHES["judgement"])
    for end, limit in zip(ends, (row["lower"], row["upper"]), strict=True):
        if abs(limit) <= SIGNIFICANT:
            axes.plot(end, at, "|", color=GREY, markersize=8)


def _effect_axis(axes: Axes, outcome: str, effect: xr.Dataset) -> None:
    smd = outcome == "gcse_attainment"
    axes.xaxis.set_major_locator(MaxNLocator(7))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: number(x, 2) if smd else change(np.expm1(x))))
    side = "Shift in standard deviations, right is better" if smd else "Change in risk, left is better"
    axes.set_xlabel(f"{side} (95% intervals)", fontsize=FONT, color=INK)
    reach = max(*(abs(end) for end in axes.get_xlim()), 3 * float(effect["new_site_sd"]))
    axes.set_xlim(-reach, reach)


def plot_funnel(studies: pd.DataFrame, grid: xr.Dataset, outcome: str) -> Figure:
    """Draw each study's estimate against its standard error, about the pooled mean.

    Lines: where 95 per cent of unbiased studies would lie without and with the spread between sites; shaded:
    not significant at 5 per cent. Studies without a number stand on the right edge of their error, as ticks.

    Parameters
    ----------
    studies, grid, outcome
        As for :func:`plot_forest`.
    """
    rows, effect = studies[studies["outcome"] == outcome], grid.sel(outcome=outcome)
    numbered = rows["effect"].notna()
    mean, between = float(effect["mean_effect_mean"]), float(effect["between_sites_mean"])
    figure, axes = canvas(4.0)
    deepest = 1.15 * float(rows["se"].max())
    error = np.linspace(0, deepest, 60)
    axes.fill_betweenx(error, -SIGNIFICANT * error, SIGNIFICANT * error, color=LIGHT, alpha=0.35, linewidth=0)
    for spread, dash in ((error, "-"), (np.hypot(error, between), DASHES["economic"])):
        for side in (-1, 1):
            axes.plot(mean + side * SIGNIFICANT * spread, error, color=DARK, linestyle=dash, linewidth=1.4)
    axes.axvline(mean, color=DARK, linewidth=1.4)
    biased = rows["bias_sd"] > 0
    for chosen, marker, name in ((~biased, "o", "random allocation"), (biased, "s", "other design, wider")):
        studies_of_design = rows[numbered & chosen]
        axes.plot(
            studies_of_design["effect"],
            studies_of_design["se"],
            marker,
            color=PALETTE["economic"],
            markersize=6,
            label=name,
        )
    axes.plot(
        np.zeros(int((~numbered).sum())), rows.loc[~numbered, "se"], "_", color=GREY, markersize=16, label="no number"
    )
    axes.set_ylim(deepest, 0)
    axes.set_ylabel("Standard error", fontsize=FONT, color=INK)
    _effect_axis(axes, outcome, effect)
    figure.legend(frameon=False, fontsize=FONT - 1, loc="outside lower center", ncols=3)
    axes.set_title(f"{label(outcome)} (shaded: not significant)", loc="left", fontsize=FONT)
    return figure


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
