"""A backtest of the outcome model: fit to the years up to one, forecast the later ones, compare with naive forecasts."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import expit, logit

from toolkit import evidence
from toolkit.models.check import Array, cells_of, check, covered, hidden_up_to, on_link, sizes_of, thinned
from toolkit.models.diagnose import diagnose, passed
from toolkit.models.fit import fit
from toolkit.models.likelihoods import simulate
from toolkit.models.outcomes import outcomes
from toolkit.models.priors import load_priors, setting
from toolkit.models.rates import last_rates
from toolkit.schema import INDICATORS, InputError, data_folder

DRAWS = 2000  # of the model's forecast
POINTS = 200  # of the empirical distribution of a naive forecast's errors

Rule = Callable[[pd.DataFrame, int], Any]


def crps(draws: Array, observed: Array) -> Array:
    """Return the continuous ranked probability score of each forecast, in the units of what is forecast: less is better.

    Parameters
    ----------
    draws
        (draw, cell), equally likely values of each forecast.
    observed
        (cell,), what came.

    References
    ----------
    Gneiting and Raftery (2007), Strictly proper scoring rules, prediction, and estimation, equation 21,
    doi:10.1198/016214506000001437.
    """
    number = len(draws)
    rank = (2 * np.arange(1, number + 1) - number - 1) / number**2
    return np.asarray(np.abs(draws - observed).mean(axis=0) - rank @ np.sort(draws, axis=0))


def backtest(
    statistics: xr.Dataset,
    *,
    last_year: int = 2022,
    seed: int,
    indicators: Sequence[str] = INDICATORS,
    priors: pd.DataFrame | None = None,
    **sampling: Any,
) -> pd.DataFrame:
    """Fit to the years up to one, forecast the later ones, and score the forecasts against naive ones.

    The naive forecasts, on the logit scale of (events + 1/2) / (exposure + 1): an area's last value; its mean;
    a straight line through the national means, plus the area's mean distance from them. Each is spread by its own
    past errors at the same horizon, in areas of the same third by size, of either sign, found by forecasting within
    the years up to ``last_year`` in the same way. Years that the table of priors sets free (grades given by
    teachers) are left out of their history, as the model gives them no say in its usual steps.

    Parameters
    ----------
    statistics, indicators, priors
        As for :func:`toolkit.models.outcomes`; the years after ``last_year`` are only scored.
    last_year
        The last year of the fit.
    seed
        Of the fit and of the forecasts.
    **sampling
        Arguments of :func:`toolkit.models.fit`.

    Returns
    -------
    DataFrame
        As :func:`compare`, with ``converged``, whether the fit passed :func:`toolkit.models.diagnose`, and ``versions``.

    Raises
    ------
    InputError
        If no year comes after ``last_year``, or as :func:`toolkit.models.outcomes`.
    """
    past = statistics.sel(data_year=slice(None, last_year))
    if past.sizes["data_year"] == statistics.sizes["data_year"]:
        raise InputError(f"backtest: no statistics after {last_year}. Mend: give an earlier last_year.")
    posterior = fit(outcomes(past, indicators=indicators, priors=priors), seed=seed, **sampling)
    table = compare(posterior, statistics, last_year=last_year, seed=seed, priors=priors)
    return table.assign(converged=int(passed(diagnose(posterior))), versions=versions(posterior))


def compare(
    posterior: xr.DataTree, statistics: xr.Dataset, *, last_year: int, seed: int, priors: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Score the forecasts of a fit to the years up to ``last_year``, and naive ones, on the years after it.

    Counts are forecast given their exposure. All small enough to be hidden score as one and the same value, so
    that hidden and known counts score alike.

    Parameters
    ----------
    posterior
        Fit to the statistics up to ``last_year``.
    statistics, last_year, seed, priors
        As for :func:`backtest`.

    Returns
    -------
    DataFrame
        One row an indicator, ``years`` scored and ``forecast``: ``cells``, ``crps`` of the rate (per cent of the mean
        rate), ``coverage_90``, ``model_ratio`` (the model's CRPS over this forecast's) and its standard error over areas
        (which the luck of a whole year is not in), and ``model_is`` "better", "worse" or, within two standard
        errors, "level".
    """
    table, design = load_priors("outcomes", priors), posterior["constant_data"].to_dataset()
    names = design["indicator"].values
    parts = []
    for name, random in zip(names, np.random.default_rng(seed).spawn(len(names)), strict=True):
        cells = cells_of(statistics.sel(indicator=name), design["fitted"])
        past, later = cells[cells["data_year"] <= last_year], cells[cells["data_year"] > last_year]
        free = setting("year_free", table, "years", indicator=name) or (0, 0)
        past = past[~past["data_year"].between(*free)]
        later = later[later["area"].isin(past["area"])].reset_index(drop=True)
        later["size"] = later["area"].map(sizes_of(past))
        forecasts = {"model": forecast(posterior, str(name), later, random=random), **_naive(past, later, last_year)}
        parts.append(_scores(later, forecasts, hidden_up_to(cells)).assign(indicator=name))
    columns = "indicator years forecast cells crps coverage_90 model_ratio model_ratio_se model_is"
    return pd.concat(parts, ignore_index=True).assign(last_year=last_year)[[*columns.split(), "last_year"]]


def forecast(posterior: xr.DataTree, indicator: str, cells: pd.DataFrame, *, random: np.random.Generator) -> Array:
    """Draw counts of later years (draw, cell): the last year's rates, moved by the random walk of the national level.

    Parameters
    ----------
    posterior
        A fit to earlier years; spending and low income are carried forward from the last of them.
    indicator
        Whose counts.
    cells
        ``area``, ``data_year`` and ``exposure`` of the cells to forecast.
    random
        Source of randomness.
    """
    family = int(posterior["constant_data"]["likelihood"].sel(indicator=indicator))
    parameters = thinned(posterior, 2000).sel(indicator=indicator)
    rates = last_rates(thinned(posterior, 2000)["area_rate"]).sel(indicator=indicator)
    horizon = cells["data_year"].to_numpy() - int(rates["base_year"])
    step_sd = parameters["year_sd"].values.astype(float)[:, None]
    walk = (step_sd * random.normal(size=(len(step_sd), horizon.max()))).cumsum(axis=1)
    level = on_link(rates.sel(area=cells["area"].to_numpy()).transpose("sample", "area").values.astype(float), family)
    log_size = -2 * np.log(parameters["dispersion"].values.astype(float))[:, None]
    exposure = cells["exposure"].to_numpy()
    return simulate(level + walk[:, horizon - 1], log_size, exposure, np.array(family), rng=random)


def _naive(past: pd.DataFrame, later: pd.DataFrame, last_year: int) -> dict[str, Array]:
    history = _on_logit_scale(past)
    rules: dict[str, tuple[Rule, int]] = {
        "last_value": (_last, 1),
        "area_mean": (_mean, 2),
        "national_trend": (_trend, 3),
    }
    sizes, made = sizes_of(past), {}
    exposure, horizons = later["exposure"].to_numpy(), later["data_year"] - last_year
    for name, (rule, least) in rules.items():
        errors = _past_errors(history, rule, least, max(horizons), sizes)
        centre, spread = np.zeros(len(later)), np.zeros((POINTS, len(later)))
        for (horizon, size), index in later.groupby([horizons, "size"]).groups.items():
            centre[index] = rule(history, last_year + horizon)[later.loc[index, "area"]]
            spread[:, index] = _spread(errors[errors["size"] == size], horizon)[:, None]
        counts = expit(centre + spread) * (exposure + 1) - 0.5
        made[name] = counts.round().clip(0, exposure)
    return made


def _on_logit_scale(cells: pd.DataFrame) -> pd.DataFrame:
    middle = (cells["lower"] + cells["upper"]) / 2
    scaled = cells.assign(level=logit((middle + 0.5) / (cells["exposure"] + 1)))
    return scaled.pivot(index="area", columns="data_year", values="level")


def _last(history: pd.DataFrame, year: int) -> "pd.Series[float]":
    return history.ffill(axis=1).iloc[:, -1]


def _mean(history: pd.DataFrame, year: int) -> "pd.Series[float]":
    return history.mean(axis=1)


def _trend(history: pd.DataFrame, year: int) -> "pd.Series[float]":
    national = history.mean()
    slope, level = np.polyfit(national.index - year, national, 1)
    return level + (history - national).mean(axis=1)


def _past_errors(history: pd.DataFrame, rule: Rule, least: int, furthest: int, sizes: "pd.Series[str]") -> pd.DataFrame:
    """Return the errors of a rule's forecasts of the years it knows, from ``least`` years before them or more."""
    rows = []
    for origin in history.columns[least - 1 : -1]:
        known = history.loc[:, :origin]
        for year in history.columns[(history.columns > origin) & (history.columns <= origin + furthest)]:
            error = (history[year] - rule(known, year)).dropna()
            rows.append(pd.DataFrame({"horizon": year - origin, "size": sizes[error.index], "error": error}))
    return pd.concat(rows)


def _spread(errors: pd.DataFrame, horizon: int) -> Array:
    """Return even quantiles of the errors of either sign at a horizon, or of all horizons where it has none."""
    same = errors.loc[errors["horizon"] == horizon, "error"]
    chosen = (same if len(same) else errors["error"]).to_numpy()
    return np.quantile([*chosen, *-chosen], (np.arange(POINTS) + 0.5) / POINTS)


def _scores(cells: pd.DataFrame, forecasts: dict[str, Array], limit: float) -> pd.DataFrame:
    lower, upper, exposure = (cells[name].to_numpy() for name in ("lower", "upper", "exposure"))
    mean_rate = (((lower + upper) / 2) / exposure).mean()
    low = np.maximum(lower, limit)
    score, inside = pd.DataFrame(index=cells.index), pd.DataFrame(index=cells.index)
    for name, counts in forecasts.items():
        told = np.maximum(counts, limit)  # counts up to the limit are told apart neither here nor in the data
        told = told - (told - low).clip(0, np.maximum(upper, limit) - low)
        score[name] = 100 * crps(told, low) / exposure / mean_rate
        inside[name] = covered((counts < lower).mean(axis=0), (counts <= upper).mean(axis=0), 0.9)
    years = sorted(cells["data_year"].unique())
    spans = {
        f"{years[0]}-{years[-1]}": cells.index,
        **{str(year): cells.index[cells["data_year"] == year] for year in years},
    }
    rows = []
    for span, index in spans.items():
        for name in forecasts:
            found = {"years": span, "forecast": name, "cells": len(index), "crps": score.loc[index, name].mean()}
            found |= {"coverage_90": inside.loc[index, name].mean()}
            rows.append(found | _against(score.loc[index, "model"], score.loc[index, name], cells.loc[index, "area"]))
    return pd.DataFrame(rows)


def _against(model: "pd.Series[float]", other: "pd.Series[float]", area: "pd.Series[str]") -> dict[str, Any]:
    by_area = (model - other).groupby(area).mean()
    ratio, error = model.mean() / other.mean(), by_area.std() / np.sqrt(len(by_area)) / other.mean()
    verdict = "level" if abs(ratio - 1) <= 2 * error else "worse" if ratio > 1 else "better"
    return {"model_ratio": ratio, "model_ratio_se": error, "model_is": verdict if model is not other else ""}


def versions(posterior: xr.DataTree) -> str:
    """Return the versions of the packages that made a posterior, in one line."""
    return "; ".join(f"{name} {number}" for name, number in json.loads(posterior.attrs["versions"]).items())


def remake(*, seed: int, last_year: int = 2022, folder: Path | None = None, **sampling: Any) -> list[Path]:
    """Fit the outcome model twice, make the committed tables of its checks anew and seal the data folder.

    Parameters
    ----------
    seed, last_year
        As for :func:`backtest`.
    folder
        Data folder; the shipped one by default.
    **sampling
        Arguments of :func:`toolkit.models.fit`.
    """
    statistics = evidence.load_statistics(folder)
    posterior = fit(outcomes(statistics), seed=seed, **sampling)
    made = {
        "predictive_checks": check(posterior, statistics, seed=seed).assign(
            converged=int(passed(diagnose(posterior))), versions=versions(posterior)
        ),
        "backtest": backtest(statistics, last_year=last_year, seed=seed, **sampling),
    }
    settings = "{chains} chains of {draws} draws after {tune}, nutpie".format(**posterior.attrs)
    target = (folder or data_folder()) / "reference"
    target.mkdir(exist_ok=True)
    for name, table in made.items():
        table.round(4).assign(seed=seed, settings=settings).to_csv(target / f"{name}.csv", index=False)
    return [*(target / f"{name}.csv" for name in made), evidence.seal(folder)]
