"""Backtest of the outcome model: fit up to a year, forecast later years, and score the forecasts against naive ones."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import expit, logit

from toolkit import evidence
from toolkit.models.fitting.diagnose import diagnose, passed
from toolkit.models.fitting.fit import fit
from toolkit.models.fitting.monte_carlo import batch_errors, batches, near, rounded
from toolkit.models.fitting.priors import load_priors, setting
from toolkit.models.outcomes.forecast import predictor
from toolkit.models.outcomes.likelihoods import MEAN, simulate
from toolkit.models.outcomes.model import outcomes
from toolkit.models.outcomes.spend_error import spend_error_table
from toolkit.schema import CANNOT_BE_DETERMINED, INDICATORS, MCSE, InputError, random_stream
from toolkit.validation.predictive import SIZES, Array, cells_of, check, covered, hidden_up_to, sizes_of, thinned
from toolkit.validation.prior_influence import outcome_power_scaling

DRAWS = 8000  # at most, of the model's forecast
POINTS = 200  # of the empirical distribution of a naive forecast's errors

PREFIXES = ("model", "events_model")

Rule = Callable[[pd.DataFrame, int], Any]


def crps(draws: Array, observed: Array) -> Array:
    """Return the continuous ranked probability score of each forecast, in its units: lower is better.

    Parameters
    ----------
    draws
        (draw, cell), equally likely values of each forecast.
    observed
        (cell,), the actual values.

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
    """Fit to the years up to ``last_year``, forecast later ones, and score the forecasts against naive ones.

    The naive forecasts, on the logit scale of (events + 1/2) / (exposure + 1) or the log of a mean, are an area's last
    value; its mean; and a straight line through the national means, plus the area's mean distance from them. Their
    spread is that of their past errors at the same horizon, in the same third of areas by size, with either sign, from
    forecasts of the same kind within the years up to ``last_year``. Years that the table of priors sets free (unusual
    grading) are left out of their history, as they do not affect how the model's walk continues.

    Parameters
    ----------
    statistics, indicators, priors
        As for :func:`toolkit.models.outcomes.model`; the years after ``last_year`` are only scored.
    last_year
        The last year of the fit.
    seed
        Seed of the fit and of the forecasts.
    **sampling
        Arguments of :func:`toolkit.models.fitting.fit`.

    Returns
    -------
    DataFrame
        As :func:`compare`, with ``converged`` (whether the fit passed ``models.diagnose``), ``seed``,
        ``settings`` and ``versions``.

    Raises
    ------
    InputError
        If there is no year after ``last_year``, or as :func:`toolkit.models.outcomes.model`.
    """
    past = statistics.sel(data_year=slice(None, last_year))
    if past.sizes["data_year"] == statistics.sizes["data_year"]:
        raise InputError(f"backtest: no statistics after {last_year}.", fix="give an earlier last_year.")
    posterior = fit(outcomes(past, indicators=indicators, priors=priors), seed=seed, **sampling)
    table = compare(posterior, statistics, last_year=last_year, seed=seed, priors=priors)
    return _with_settings(table, posterior)


def compare(
    posterior: xr.DataTree, statistics: xr.Dataset, *, last_year: int, seed: int, priors: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Score the forecasts of a fit to the years up to ``last_year``, and naive ones, on the years after it.

    Counts are forecast given their exposure. All counts small enough to be hidden are scored as one value, so
    that hidden and known counts are treated alike.

    Parameters
    ----------
    posterior
        Fit to the statistics up to ``last_year``.
    statistics, last_year, seed, priors
        As for :func:`backtest`.

    Returns
    -------
    DataFrame
        One row per indicator, ``part`` of the cells (all, a year, a third of the areas by mean exposure) and
        ``forecast``: ``cells``; mean ``crps`` of the rate (per cent of the mean rate); ``coverage_90`` of the central
        interval; ``model_ratio``, the model's CRPS over this forecast's, with its standard error over areas (which
        excludes shocks that are common to all areas); and ``model_is`` "better", "worse" or, within two standard
        errors, "uncertain"; ``CANNOT_BE_DETERMINED`` if Monte Carlo error (``*_mcse``) could change it.
        ``events_model_*`` score events instead of rates, so that large areas have more weight.
    """
    table, design = load_priors("outcomes", priors), posterior["constant_data"].to_dataset()
    names = design["indicator"].values
    parts = []
    for name, random in zip(names, random_stream(seed, "models.backtest").spawn(len(names)), strict=True):
        cells = cells_of(statistics.sel(indicator=name), design["fitted"])
        past, later = cells[cells["data_year"] <= last_year], cells[cells["data_year"] > last_year]
        free = setting("year_free", table, "years", indicator=name) or (0, 0)
        past = past[~past["data_year"].between(*free)]
        later = later[later["area"].isin(past["area"])].reset_index(drop=True)
        later["size"] = later["area"].map(sizes_of(past))
        family = int(design["likelihood"].sel(indicator=name))
        forecasts = {
            "model": counts_ahead(posterior, str(name), later, random=random),
            **_naive(past, later, family),
        }
        parts.append(_scores(later, forecasts, hidden_up_to(cells)).assign(indicator=name))
    scored = pd.concat(parts, ignore_index=True).assign(last_year=last_year)
    return scored[["indicator", *scored.columns.drop("indicator")]]


def counts_ahead(posterior: xr.DataTree, indicator: str, cells: pd.DataFrame, *, random: np.random.Generator) -> Array:
    """Draw counts of later years (draw, cell) from the forecast rates.

    Parameters
    ----------
    posterior
        A fit to earlier years; spending and low income stay at the values of the last one.
    indicator
        Which counts to draw.
    cells
        ``area``, ``data_year`` and ``exposure`` of the cells to forecast.
    random
        Source of randomness.

    Raises
    ------
    InputError
        If a cell's year is not after the last year of the fit.
    """
    design, parameters = posterior["constant_data"].to_dataset(), thinned(posterior, DRAWS)
    eta = predictor(parameters, design, indicator, sorted(set(cells["data_year"])), random=random)
    at = {dim: xr.DataArray(cells[dim].to_numpy(), dims="cell") for dim in ("area", "data_year")}
    log_size = -2 * np.log(parameters["dispersion"].sel(indicator=indicator).values.astype(float))[:, None]
    family = np.array(int(design["likelihood"].sel(indicator=indicator)))
    cell_eta = eta.sel(at).transpose("sample", "cell").values
    return simulate(cell_eta, log_size, cells["exposure"].to_numpy(), family, rng=random)


def _naive(past: pd.DataFrame, later: pd.DataFrame, family: int) -> dict[str, Array]:
    history = _on_scale(past, family)
    rules: dict[str, tuple[Rule, int]] = {
        "last_value": (_last, 1),
        "area_mean": (_mean, 2),
        "national_trend": (_trend, 3),
    }
    if history.shape[1] < 2:
        raise InputError("backtest: fewer than two usual years to forecast from.", fix="give a later last_year.")
    sizes, forecasts = sizes_of(past), {}
    exposure, origin = later["exposure"].to_numpy(), int(past["data_year"].max())
    horizons = later["data_year"] - origin
    for name, (rule, least) in rules.items():
        # Points per pupil have only three usual years before the free ones, so no rule may need more.
        least = min(least, history.shape[1] - 1)
        errors = _past_errors(history, rule, least, max(horizons), sizes)
        centre, spread = np.zeros(len(later)), np.zeros((POINTS, len(later)))
        for horizon in sorted(set(horizons)):
            expected = rule(history, origin + horizon)
            for size in SIZES:
                chosen = ((horizons == horizon) & (later["size"] == size)).to_numpy()
                centre[chosen] = expected[later.loc[chosen, "area"]]
                spread[:, chosen] = _spread(errors[errors["size"] == size], horizon)[:, None]
        forecasts[name] = _off_scale(centre + spread, exposure, family)
    return forecasts


def _on_scale(cells: pd.DataFrame, family: int) -> pd.DataFrame:
    """Return areas by years on the scale of naive forecasts."""
    middle = (cells["lower"] + cells["upper"]) / 2
    level = np.log(middle / cells["exposure"]) if family == MEAN else logit((middle + 0.5) / (cells["exposure"] + 1))
    return cells.assign(level=level).pivot(index="area", columns="data_year", values="level")


def _off_scale(level: Array, exposure: Array, family: int) -> Array:
    if family == MEAN:
        return np.asarray(np.exp(level) * exposure)
    return np.asarray((expit(level) * (exposure + 1) - 0.5).round().clip(0, exposure))


def _last(history: pd.DataFrame, year: int) -> Any:
    return history.ffill(axis=1).iloc[:, -1]


def _mean(history: pd.DataFrame, year: int) -> Any:
    return history.mean(axis=1)


def _trend(history: pd.DataFrame, year: int) -> Any:
    national = history.mean()
    level = np.polyfit(national.index - year, national, 1)[1]  # value of the line in the year to forecast
    return level + (history - national).mean(axis=1)


def _past_errors(history: pd.DataFrame, rule: Rule, least: int, furthest: int, sizes: "pd.Series[str]") -> pd.DataFrame:
    """Return the errors of a rule's forecasts of known years, from at least ``least`` earlier years."""
    rows = []
    years = [int(year) for year in history.columns]
    for origin in years[least - 1 : -1]:
        for year in [year for year in years if origin < year <= origin + furthest]:
            error = (history[year] - rule(history.loc[:, :origin], year)).dropna()
            rows.append(pd.DataFrame({"horizon": year - origin, "size": sizes[error.index], "error": error}))
    return pd.concat(rows)


def _spread(errors: pd.DataFrame, horizon: int) -> Array:
    """Return even quantiles of the errors at a horizon, with either sign, or of all horizons if it has none."""
    same = errors.loc[errors["horizon"] == horizon, "error"]
    chosen = (same if len(same) else errors["error"]).to_numpy()
    return np.asarray(np.quantile([*chosen, *-chosen], (np.arange(POINTS) + 0.5) / POINTS, method="inverted_cdf"))


def _scores(cells: pd.DataFrame, forecasts: dict[str, Array], limit: float) -> pd.DataFrame:
    scored = {name: _scored(cells, counts, limit) for name, counts in forecasts.items()}
    table, model = _by_part(cells, scored), forecasts["model"]
    parts = [_by_part(cells, scored | {"model": _scored(cells, model[at], limit)}) for at in batches(len(model))]
    measured = ["crps", "coverage_90", *(f"{prefix}_{name}" for prefix in PREFIXES for name in ("ratio", "ratio_se"))]
    table = table.join(batch_errors(parts, measured))
    columns = [f"{name}{which}" for name in measured[:2] for which in ("", MCSE)]
    for prefix in PREFIXES:
        table[f"{prefix}_is"] = _verdict(table, prefix)
        columns += [f"{prefix}_{name}" for name in ("ratio", f"ratio{MCSE}", "ratio_se", f"ratio_se{MCSE}", "is")]
    return table[["part", "forecast", "cells", *columns]]


def _scored(cells: pd.DataFrame, counts: Array, limit: float) -> tuple[Array, Array]:
    """Return the score of each cell's events, and whether its central interval contains them."""
    lower, upper = (cells[name].to_numpy() for name in ("lower", "upper"))
    low = np.maximum(lower, limit)
    known = np.maximum(counts, limit)  # counts up to the limit are not distinguished, here or in the data
    known = known - (known - low).clip(0, np.maximum(upper, limit) - low)
    return crps(known, low), covered((counts < lower).mean(axis=0), (counts <= upper).mean(axis=0), 0.9)


def _by_part(cells: pd.DataFrame, scored: dict[str, tuple[Array, Array]]) -> pd.DataFrame:
    """Return mean scores by forecast and part of the cells."""
    lower, upper, exposure = (cells[name].to_numpy() for name in ("lower", "upper", "exposure"))
    events = pd.DataFrame({name: score for name, (score, _) in scored.items()}, cells.index)
    inside = pd.DataFrame({name: contained for name, (_, contained) in scored.items()}, cells.index)
    score = 100 * events.div(exposure, axis=0) / (((lower + upper) / 2) / exposure).mean()
    rows = []
    for part, index in _parts(cells).items():
        for name in scored:
            row = {"part": part, "forecast": name, "cells": len(index), "crps": score.loc[index, name].mean()}
            row |= {"coverage_90": inside.loc[index, name].mean()}
            for prefix, values in zip(PREFIXES, (score, events), strict=True):
                against = _against(values.loc[index, "model"], values.loc[index, name], cells.loc[index, "area"])
                row |= {f"{prefix}_{key}": value for key, value in against.items()}
            rows.append(row)
    return pd.DataFrame(rows)


def _parts(cells: pd.DataFrame) -> dict[str, pd.Index]:
    """Return which cells to score together: all, those of a year, and those of areas of a size."""
    years = cells["data_year"].astype(str)
    groups = {name: cells.index[labels == name] for labels in (years, cells["size"]) for name in sorted(set(labels))}
    return {"all": cells.index, **groups}


def _against(model: "pd.Series[float]", other: "pd.Series[float]", area: "pd.Series[str]") -> dict[str, float]:
    """Return the ratio of two mean scores, with its standard error over areas by the delta method."""
    ratio = model.mean() / other.mean()
    by_area = (model - ratio * other).groupby(area).mean()
    return {"ratio": ratio, "ratio_se": by_area.std() / np.sqrt(len(by_area)) / other.mean()}


def _verdict(table: pd.DataFrame, prefix: str) -> Array:
    """Return how the model compares with each forecast; empty for the model itself."""
    ratio, spread = table[f"{prefix}_ratio"], 2 * table[f"{prefix}_ratio_se"]
    error = np.hypot(table[f"{prefix}_ratio{MCSE}"], 2 * table[f"{prefix}_ratio_se{MCSE}"])
    margin = abs(ratio - 1) - spread
    choices = ["", CANNOT_BE_DETERMINED, "uncertain", "worse"]
    return np.select([table["forecast"] == "model", near(margin, error), margin <= 0, ratio > 1], choices, "better")


def _with_settings(table: pd.DataFrame, posterior: xr.DataTree) -> pd.DataFrame:
    """Add whether the fit converged, its settings and versions."""
    fitted = posterior.attrs
    return table.assign(
        converged=int(passed(diagnose(posterior))),
        seed=fitted["seed"],
        settings=f"{fitted['chains']} chains of {fitted['draws']} draws after {fitted['tune']}, {fitted['sampler']}",
        versions="; ".join(f"{name} {number}" for name, number in json.loads(fitted["versions"]).items()),
    )


def check_tables(
    *, seed: int, last_year: int = 2022, folder: Path | None = None, **sampling: Any
) -> dict[str, pd.DataFrame]:
    """Fit the outcome model and return the tables of its checks by name (many minutes).

    Parameters
    ----------
    seed, last_year
        As for :func:`backtest`.
    folder
        Data folder; the shipped one by default.
    **sampling
        Arguments of :func:`toolkit.models.fitting.fit`; 2,000 draws per chain by default.
    """
    sampling = {"draws": 2000, **sampling}
    statistics = evidence.load_statistics(folder)
    priors = evidence.load_table("priors", folder)
    posterior = fit(outcomes(statistics, priors=priors), seed=seed, **sampling)
    scaling = outcome_power_scaling(posterior["posterior"].to_dataset(), seed=seed, priors=priors)
    tables = {
        "predictive_checks": _with_settings(check(posterior, statistics, seed=seed), posterior),
        "power_scaling": _with_settings(scaling, posterior),
        "backtest": backtest(statistics, last_year=last_year, seed=seed, priors=priors, **sampling),
        "spend_error": spend_error_table(posterior, statistics, seed=seed, priors=priors, **sampling),
    }
    return {name: rounded(table) for name, table in tables.items()}
