"""Backtest of the outlook: fit up to a year, forecast later years, and score the forecasts against naive ones."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from toolkit import evidence
from toolkit.models.fitting.diagnose import diagnose, passed
from toolkit.models.fitting.fit import fit
from toolkit.models.fitting.monte_carlo import batch_errors, batches, rounded
from toolkit.models.outlook.forecast import simulate, surprise_correlation
from toolkit.models.outlook.model import outlook
from toolkit.models.outlook.series import CARRIED, mix, stocks, to_series
from toolkit.schema import SAMPLE_DIMS
from toolkit.validation.backtest import _against, _past_errors, _spread, _verdict, crps
from toolkit.validation.predictive import SIZES, Array, sizes_of

ORIGINS, SCORED = (2021, 2022), (2023, 2024, 2025)
SETTINGS = {"draws": 1000, "tune": 500, "chains": 4}
GROWTH_YEARS = 5  # of the national growth and the linear trend that naive rules carry on
RULES = ("last_value", "national_growth", "linear_trend")
PREFIXES = ("model", "children_model")


def quantities(value: xr.DataArray) -> dict[str, xr.DataArray]:
    """Return the logs of what is scored, from the series: children, residential share, prices and spending."""
    parts = {str(name): value.sel(series=name, drop=True) for name in value["series"].values}
    children: xr.DataArray = xr.ufuncs.log(stocks(parts)[0])
    return {
        "children": children,
        "residential_share": xr.ufuncs.log(mix(parts).sel(placement="residential", drop=True)),
        "price_residential": parts["price_residential"],
        "price_fostering": parts["price_fostering"],
        "price_care": parts["care_week"],
        "spend": children + parts["care_week"],
    }


def naive(history: pd.DataFrame, rule: str, year: int) -> "pd.Series[float]":
    """Return a naive forecast of each area's log value.

    Parameters
    ----------
    history
        Logs, areas by years.
    rule
        "last_value"; "national_growth", the last value and the areas' mean growth of the last five years; or
        "linear_trend", the area's own line through them.
    year
        To forecast.
    """
    last = history.T.ffill().T.iloc[:, -1]
    recent, ahead = history.iloc[:, -(GROWTH_YEARS + 1) :], year - int(history.columns[-1])
    if rule == "last_value" or recent.shape[1] < 2:
        return last
    if rule == "national_growth":
        return last + ahead * recent.diff(axis=1).mean().mean()
    value, known = recent.to_numpy(), recent.notna().to_numpy()
    years = np.where(known, np.array(recent.columns, dtype=float), np.nan)
    with warnings.catch_warnings():  # an area without a recent value has no line, and no forecast
        warnings.filterwarnings("ignore", "Mean of empty slice", RuntimeWarning)
        middle, level = (np.nanmean(part, axis=1, keepdims=True) for part in (years, value))
    apart = np.nansum((years - middle) ** 2, axis=1)
    slope = np.nansum((years - middle) * (value - level), axis=1) / np.where(apart > 0, apart, 1.0)
    return pd.Series(level[:, 0] + slope * (year - middle[:, 0]), recent.index)


def compare(posterior: xr.Dataset, series: xr.Dataset, *, last_year: int, seed: int) -> pd.DataFrame:
    """Score the forecasts of a fit to the years up to ``last_year``, and naive ones, on 2023 to 2025.

    Parameters
    ----------
    posterior
        Fit to the series up to ``last_year``, with ``correlation``.
    series
        All years, from ``to_series``.
    last_year, seed
        Of the fit and of the draws.

    Returns
    -------
    DataFrame
        One row per ``quantity``, ``part`` of the cells (all, a year, a third of the areas by children) and
        ``forecast``: ``cells``; mean ``crps`` in per cent of the area's last value; ``coverage_50`` and ``coverage_90``
        of the central intervals; ``model_ratio``, the model's CRPS over this forecast's, with its standard error over
        areas and ``model_is``; ``children_model_*``, the same weighted by children. "carried" is the model with the
        growth of the last five years in prices. A naive forecast's spread is that of
        its past errors; a quantity with too short a history for them is forecast as a point.
    """
    past = series.sel(data_year=slice(None, last_year))
    years = [year for year in SCORED if year > last_year]
    fade = evidence.load_table("evidence/judgements").set_index("id")["value"]["growth_fade_years"]
    how: dict[str, Any] = {
        "lasting": (),
        "years": max(years) - last_year,
        "fade_years": float(fade),
        "seed": seed,
        "areas": list(series["area"].values),
    }
    forecasts = {}
    for name, carried in {"model": (), "carried": CARRIED.values()}.items():
        drawn = simulate(posterior, past, carried=carried, **how)["value"].stack(sample=SAMPLE_DIMS, create_index=False)
        forecasts[name] = quantities(drawn)
    actual, known = quantities(series["value"]), quantities(past["value"])
    children = np.exp(known["children"].mean("data_year").to_series())
    sizes = sizes_of(pd.DataFrame({"area": children.index, "exposure": children.to_numpy()}))
    scored = [
        _scored(
            name,
            {how: parts[name] for how, parts in forecasts.items() if how == "model" or name in CARRIED},
            actual[name],
            _wide(known[name]),
            children,
            sizes,
            years,
        )
        for name in actual
    ]
    return pd.concat(scored, ignore_index=True).assign(last_year=last_year)


def _wide(values: xr.DataArray) -> pd.DataFrame:
    ordered = values.transpose("area", "data_year")
    areas = pd.Index(values["area"].values, name="area")
    return pd.DataFrame(ordered.to_numpy(), areas, values["data_year"].values)


def _scored(
    quantity: str,
    drawn: Mapping[str, xr.DataArray],
    actual: xr.DataArray,
    history: pd.DataFrame,
    children: "pd.Series[float]",
    sizes: "pd.Series[str]",
    years: Sequence[int],
) -> pd.DataFrame:
    history = history.dropna(axis=1, how="all")
    observed = _wide(actual.sel(data_year=list(years)))
    observed = observed[history.notna().any(axis=1)]
    cells = observed.melt(ignore_index=False, var_name="year", value_name="observed").dropna().reset_index()
    cells["size"], cells["weight"] = cells["area"].map(sizes), cells["area"].map(children)
    where = {dim: xr.DataArray(cells[dim].to_numpy(), dims="cell") for dim in ("area", "year")}
    draws = {name: part.sel(where).transpose("sample", "cell").to_numpy() for name, part in drawn.items()}
    for rule in RULES:
        if rule == "last_value" or history.shape[1] > (1 if rule == "national_growth" else 2):
            draws[rule] = _drawn_naive(history, rule, cells, sizes)
    last = cells["area"].map(naive(history, "last_value", years[0])).to_numpy()
    scores = {
        name: _score(np.exp(part - last), np.exp(cells["observed"].to_numpy() - last)) for name, part in draws.items()
    }
    table = _by_part(cells, scores)
    model = draws["model"]
    again = []
    for at in batches(len(model)):
        part = _score(np.exp(model[at] - last), np.exp(cells["observed"].to_numpy() - last))
        again.append(_by_part(cells, scores | {"model": part}))
    measured = ["crps", "coverage_50", "coverage_90"]
    measured += [f"{prefix}_{kind}" for prefix in PREFIXES for kind in ("ratio", "ratio_se")]
    table = table.join(batch_errors(again, measured))
    for prefix in PREFIXES:
        table[f"{prefix}_is"] = _verdict(table, prefix)
    return table.assign(quantity=quantity)


def _drawn_naive(history: pd.DataFrame, rule: str, cells: pd.DataFrame, sizes: "pd.Series[str]") -> Array:
    """Return equally likely values of a naive forecast (point, cell): its past errors about it, or it alone."""
    origin = int(history.columns[-1])
    ahead = cells["year"] - origin
    centre = np.zeros(len(cells))
    for year in sorted(set(cells["year"])):
        here = (cells["year"] == year).to_numpy()
        centre[here] = cells.loc[here, "area"].map(naive(history, rule, year))
    least = {"last_value": 1, "national_growth": 2, "linear_trend": 3}[rule]
    if history.shape[1] <= least:
        return centre[None]
    errors = _past_errors(history, lambda table, year: naive(table, rule, year), least, int(ahead.max()), sizes)
    spread = {(size, h): _spread(errors[errors["size"] == size], h) for size in SIZES for h in set(ahead)}
    drawn: Array = centre + np.stack([spread[key] for key in zip(cells["size"], ahead, strict=True)], axis=1)
    return drawn


def _score(drawn: Array, observed: Array) -> pd.DataFrame:
    """Return the score of each cell, and whether its central intervals contain it (a point has none: 0)."""
    row: dict[str, Any] = {"crps": 100 * crps(drawn, observed)}
    for level in (50, 90):
        low, high = np.quantile(drawn, [0.5 - level / 200, 0.5 + level / 200], axis=0)
        row[f"coverage_{level}"] = ((low <= observed) & (observed <= high)).astype(float) * (len(drawn) > 1)
    return pd.DataFrame(row)


def _by_part(cells: pd.DataFrame, scores: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    labels = (cells["year"].astype(str), cells["size"])
    groups = {"all": cells.index} | {name: cells.index[by == name] for by in labels for name in sorted(set(by))}
    rows = []
    for part, index in groups.items():
        model = scores["model"].loc[index, "crps"]
        area, weight = cells.loc[index, "area"], cells.loc[index, "weight"]
        for name, scored in scores.items():
            here = scored.loc[index]
            row: dict[str, Any] = {"part": part, "forecast": name, "cells": len(index), **here.mean()}
            for prefix, by in zip(PREFIXES, (weight**0, weight), strict=True):
                against = _against(model * by, here["crps"] * by, area)
                row |= {f"{prefix}_{key}": value for key, value in against.items()}
            rows.append(row)
    return pd.DataFrame(rows)


def outlook_backtest(
    *, seed: int, folder: Path | None = None, progress: Any = None, **sampling: Any
) -> dict[str, pd.DataFrame]:
    """Fit the outlook to the years up to 2021 and up to 2022 and return the table ``outlook_backtest`` (minutes).

    Parameters
    ----------
    seed
        Of the fits and forecasts.
    folder
        Data folder; the shipped one by default.
    progress
        Called with the share that is done.
    **sampling
        Arguments of :func:`toolkit.models.fitting.fit`, in place of ``SETTINGS``.
    """
    series, priors = to_series(evidence.care_panel(folder)), evidence.load_table("priors", folder)
    tables, how = [], SETTINGS | sampling
    for origin in ORIGINS:
        past = series.sel(data_year=slice(None, origin))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Loop fusion failed", UserWarning)
            fitted = fit(outlook(past, priors=priors), seed=seed, progress=False, **how)
        posterior = fitted["posterior"].to_dataset()
        posterior = posterior.assign(correlation=surprise_correlation(posterior, past))
        scored = compare(posterior, series, last_year=origin, seed=seed)
        tables.append(scored.assign(converged=int(passed(diagnose(fitted)))))
        if progress is not None:
            progress(len(tables) / len(ORIGINS))
    table = pd.concat(tables, ignore_index=True)
    table["used"] = used(table)
    settings = "{chains} chains of {draws} draws after {tune}, nutpie".format(**how)
    leading = ["quantity", "last_year", "part", "forecast", "used"]
    table = table[[*leading, *table.columns.drop(leading)]].assign(seed=seed, settings=settings)
    return {"outlook_backtest": rounded(table)}


def used(table: pd.DataFrame) -> "pd.Series[int]":
    """Return whether each row's forecast is the one that the outlook uses for its quantity (1 or 0).

    That is the model; or, where national growth beats it in all cells of both origins, plain and weighted by children
    and beyond two standard errors, the model with that growth carried on ("carried").
    """
    rows = table[(table["part"] == "all") & (table["forecast"] == "national_growth")]
    beaten = rows[(rows["model_is"] == "worse") & (rows["children_model_is"] == "worse")].groupby("quantity").size()
    carried = set(beaten.index[beaten == len(ORIGINS)]) & set(CARRIED)
    chosen = ["carried" if quantity in carried else "model" for quantity in table["quantity"]]
    return (table["forecast"] == chosen).astype(int)
