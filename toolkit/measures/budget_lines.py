"""What a budget paper takes as it is: lines of growth and savings, and options side by side."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from toolkit.measures import quantities as q
from toolkit.measures import words as w
from toolkit.measures.growth import YEARS, reduced, year_label
from toolkit.measures.quantities import Run
from toolkit.schema import SAMPLE_DIMS, InputError

__all__ = ["OPTIONS", "budget_lines", "option_tables"]

OPTIONS = {"do nothing": 0.0, "least": 0.5, "preferred": 1.0, "more": 1.5}  # times the plan's sums
KINDS = {"growth_avoided": "growth avoided", "cash_released": "cash released", "spent": "spent on it"}
GROWTH = "G1"


def budget_lines(paper: xr.Dataset) -> pd.DataFrame:
    """Return the lines of a budget: growth, then of each saving its growth avoided, cash released and cost, by year.

    Parameters
    ----------
    paper
        From `toolkit.measures.growth.on_top`.

    Returns
    -------
    DataFrame
        A row for each line, kind and year: ``reference``, ``description``, ``kind``, ``recurrent`` ("recurrent" or
        "one-off": what has ended by the last year), ``year``, ``new`` (GBP in cash of the year, what the year adds),
        ``cumulative`` (what it comes to by then) with ``low`` and ``high``, ``cumulative_real`` (in the price base),
        ``confidence``, ``believed`` and ``owner``, which is left blank. Lines that are nothing are left out.
    """
    before = paper["spend_if_nothing_changes"]
    growth = before - before.isel(from_this_year=0, drop=True)
    growth = growth.isel(from_this_year=slice(1, None)).rename(from_this_year="year")
    index = paper["index"].isel(from_this_year=slice(1, None)).rename(from_this_year="year")
    described = "Children looked after and safeguarding: growth above this year's spend if nothing changes"
    rows = _rows(growth, index, reference=GROWTH, description=described, kind="growth", confidence="forecast")
    for line in range(paper.sizes["line"]):
        one = paper.isel(line=line)
        gained = float((one["avoided"].isel(year=YEARS - 1) > 0).mean())
        labels = {name: str(one[name].item()) for name in ("reference", "description", "believed")}
        labels["confidence"] = f"{one['confidence'].item()}; {w.percent(gained)} chance of any saving in the last year"
        for name, kind in KINDS.items():
            if bool(one[name].any()):
                rows += _rows(one[name], index, kind=kind, **labels)
    columns = ["reference", "description", "kind", "recurrent", "year", "new", "cumulative", "low", "high"]
    return pd.DataFrame(rows).reindex(columns=[*columns, "cumulative_real", "confidence", "believed"]).assign(owner="")


def _rows(level: xr.DataArray, index: xr.DataArray, **labels: str) -> list[dict[str, object]]:
    """Return a row a year: of what recurs, the level and its change; of what does not, the year's sum and the total."""
    level = level.transpose("year", *SAMPLE_DIMS).isel(year=slice(0, YEARS))
    recurs = bool(level.isel(year=-1).any())
    cumulative = level if recurs else level.cumsum("year").assign_coords(year=level["year"])
    new = reduced(level - level.shift(year=1, fill_value=0.0) if recurs else level)["mean"]
    real = cumulative / index if recurs else (level / index).cumsum("year").assign_coords(year=level["year"])
    ends, in_base = reduced(cumulative), reduced(real)["mean"]
    return [
        {
            **labels,
            "recurrent": "recurrent" if recurs else "one-off",
            "year": year_label(int(year)),
            "new": float(new.sel(year=year)),
            "cumulative": float(ends["mean"].sel(year=year)),
            "low": float(ends["lower"].sel(year=year)),
            "high": float(ends["upper"].sel(year=year)),
            "cumulative_real": float(in_base.sel(year=year)),
        }
        for year in level["year"].values
    ]


def option_tables(
    run: Run, paper: xr.Dataset, *, most: float, sizes: Mapping[str, float] | None = None
) -> dict[str, pd.DataFrame]:
    """Return the options of a business case side by side: the plan's sums at several sizes, without levers.

    All that a plan costs and avoids is in proportion to its sums.

    Parameters
    ----------
    run
        Of the preferred option.
    paper
        From `toolkit.measures.growth.on_top`, for the same areas.
    most
        By how much every sum could be multiplied before more children are served than are eligible, from
        `toolkit.plans.most_times`; a larger size is lowered to it.
    sizes
        Of the options, times the plan's sums; ``OPTIONS`` if not given.

    Returns
    -------
    dict of DataFrame
        ``value``: a row an option with its ``size``, net present value of the public purse and of society (GBP,
        discounted, with ``_low`` and ``_high``), the share of its effect at which each is nil (``switching_fiscal``,
        ``switching_social``), ``payback_year`` (in half of the draws; blank if not within the horizon) and
        ``chance_paid_back`` for the public purse. ``spend``: a row for option, grant line and year, GBP in cash.
        ``outlook``: a row for option and year: children looked after, and spend on them in cash, expected.

    Raises
    ------
    InputError
        A plan whose cash moves in whole steps, which is not in proportion.
    """
    if run.scenario.cash_step:
        raise InputError("cash_step: options in proportion have no whole steps.", fix="set it to 0.")
    result, multiple = q.result(run), q.switching(run)["multiple"].to_dict()
    chosen = {name: min(size, most) for name, size in (sizes or OPTIONS).items()}
    values = []
    for name, size in chosen.items():
        row: dict[str, object] = {"option": name, "size": size}
        for account in ("fiscal", "social"):
            ends = reduced(result["npsv"].sel(account=account) * size)
            row |= {f"npsv_{account}{end}": float(ends[part]) for end, part in _ENDS.items()}
            row[f"switching_{account}"] = multiple[account] if size else np.nan
        years = q.paid_back(run).sel(account="fiscal").to_series()
        back = years.index[years >= 0.5]
        row["payback_year"] = year_label(run.scenario.first_year + int(back[0])) if size and len(back) else ""
        row["chance_paid_back"] = float(years.iloc[-1]) if size else np.nan
        values.append(row)
    planned = paper.isel(line=np.flatnonzero(paper["kind"].values == "programme"), year=slice(0, YEARS))
    return {
        "value": pd.DataFrame(values),
        "spend": pd.DataFrame(
            [
                {
                    "option": name,
                    "grant_line": f"{one['description'].item()}: {one['funder'].item()}",
                    "year": year_label(int(year)),
                    "spend": size * float(one["spent"].sel(year=year).mean()),
                }
                for name, size in chosen.items()
                for one in (planned.isel(line=line) for line in range(planned.sizes["line"]))
                for year in planned["year"].values
            ]
        ),
        "outlook": _outlook(planned, chosen),
    }


_ENDS = {"": "mean", "_low": "lower", "_high": "upper"}


def _outlook(planned: xr.Dataset, sizes: Mapping[str, float]) -> pd.DataFrame:
    """Return children looked after and spend on them in cash, expected, by option and year."""
    fewer, avoided = planned["fewer"].sum(["line", "placement"]), planned["avoided"].sum("line")
    years = planned["year"].values
    children = planned["children"].sum("placement").sel(from_this_year=years).rename(from_this_year="year")
    spend = planned["spend_if_nothing_changes"].sel(from_this_year=years).rename(from_this_year="year")
    return pd.DataFrame(
        [
            {
                "option": name,
                "year": year_label(int(year)),
                "children_looked_after": float((children - size * fewer).sel(year=year).mean()),
                "spend": float((spend - size * avoided).sel(year=year).mean()),
            }
            for name, size in sizes.items()
            for year in years
        ]
    )


def __dir__() -> list[str]:
    return __all__
