"""A backtest of the outcome model: fit up to a year, forecast the later ones, score them against naive forecasts."""

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

DRAWS = 8000  # of the model's forecast, at most
POINTS = 200  # of the empirical distribution of a naive forecast's errors

PREFIXES = ("model", "events_model")

Rule = Callable[[pd.DataFrame, int], Any]


def crps(draws: Array, observed: Array) -> Array:
    """Return the continuous ranked probability score of each forecast, in the units of the forecast: less is better.

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

    The naive forecasts, on the logit scale of (events + 1/2) / (exposure + 1) or the log of a mean: an area's last
    value; its mean; a straight line through the national means, plus the area's mean distance from them. Each is
    spread by its own past errors at the same horizon, in areas of the same third by size, of either sign, found by
    forecasting within the years up to ``last_year`` in the same way. Years that the table of priors sets free (grades
    not given as usual) are left out of their history, as the model gives them no say in where the walk goes on.

    Parameters
    ----------
    statistics, indicators, priors
        As for :func:`toolkit.models.outcomes.model`; the years after ``last_year`` are only scored.
    last_year
        The last year of the fit.
    seed
        Of the fit and of the forecasts.
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
        If no year comes after ``last_year``, or as :func:`toolkit.models.outcomes.model`.
    """
    past = statistics.sel(data_year=slice(None, last_year))
    if past.sizes["data_year"] == statistics.sizes["data_year"]:
        raise InputError(f"backtest: no statistics after {last_year}.", fix="give an earlier last_year.")
    posterior = fit(outcomes(past, indicators=indicators, priors=priors), seed=seed, **sampling)
    table = compare(posterior, statistics, last_year=last_year, seed=seed, priors=priors)
    return _signed(table, posterior)


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
        One row an indicator, ``part`` of the cells (all, a year's, those of a third of the areas by mean exposure) and
        ``forecast``: ``cells``; mean ``crps`` of the rate (per cent of the mean rate); ``coverage_90`` of the central
        interval; ``model_ratio``, the model's CRPS over this forecast's, with its standard error over areas (which
        leaves out what a whole year does to all of them); and ``model_is`` "better", "worse" or, within two
        standard errors, "uncertain"; "cannot be told" where Monte Carlo error (``*_mcse``) could make it another.
        ``events_model_*`` score events in place of rates: large areas weigh more.
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
        A fit to earlier years; spending and low income are carried forward from the last of them.
    indicator
        Whose counts.
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
    found = eta.sel(at).transpose("sample", "cell").values
    return simulate(found, log_size, cells["exposure"].to_numpy(), family, rng=random)


def _naive(past: pd.DataFrame, later: pd.DataFrame, family: int) -> dict[str, Array]:
    history = _on_scale(past, family)
    rules: dict[str, tuple[Rule, int]] = {
        "last_value": (_last, 1),
        "area_mean": (_mean, 2),
        "national_trend": (_trend, 3),
    }
    if history.shape[1] < 2:
        raise InputError("backtest: fewer than two usual years to forecast from.", fix="give a later last_year.")
    sizes, made = sizes_of(past), {}
    exposure, origin = later["exposure"].to_numpy(), int(past["data_year"].max())
    horizons = later["data_year"] - origin
    for name, (rule, least) in rules.items():
        # Points of all pupils have three usual years before the free ones: no rule may want more before its first.
        least = min(least, history.shape[1] - 1)
        errors = _past_errors(history, rule, least, max(horizons), sizes)
        centre, spread = np.zeros(len(later)), np.zeros((POINTS, len(later)))
        for horizon in sorted(set(horizons)):
            expected = rule(history, origin + horizon)
            for size in SIZES:
                chosen = ((horizons == horizon) & (later["size"] == size)).to_numpy()
                centre[chosen] = expected[later.loc[chosen, "area"]]
                spread[:, chosen] = _spread(errors[errors["size"] == size], horizon)[:, None]
        made[name] = _off_scale(centre + spread, exposure, family)
    return made


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
    level = np.polyfit(national.index - year, national, 1)[1]  # of the line, in the year to forecast
    return level + (history - national).mean(axis=1)


def _past_errors(history: pd.DataFrame, rule: Rule, least: int, furthest: int, sizes: "pd.Series[str]") -> pd.DataFrame:
    """Return the errors of a rule's forecasts of the years it knows, from ``least`` years before them or more."""
    rows = []
    years = [int(year) for year in history.columns]
    for origin in years[least - 1 : -1]:
        for year in [year for year in years if origin < year <= origin + furthest]:
            error = (history[year] - rule(history.loc[:, :origin], year)).dropna()
            rows.append(pd.DataFrame({"horizon": year - origin, "size": sizes[error.index], "error": error}))
    return pd.concat(rows)


def _spread(errors: pd.DataFrame, horizon: int) -> Array:
    """Return even quantiles of the errors of either sign at a horizon, or of all horizons where it has none."""
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
    """Return the score of each cell's events, and whether its central interval holds them."""
    lower, upper = (cells[name].to_numpy() for name in ("lower", "upper"))
    low = np.maximum(lower, limit)
    known = np.maximum(counts, limit)  # counts up to the limit cannot be told apart here or in the data
    known = known - (known - low).clip(0, np.maximum(upper, limit) - low)
    return crps(known, low), covered((counts < lower).mean(axis=0), (counts <= upper).mean(axis=0), 0.9)


def _by_part(cells: pd.DataFrame, scored: dict[str, tuple[Array, Array]]) -> pd.DataFrame:
    """Return mean scores by part of the cells and forecast."""
    lower, upper, exposure = (cells[name].to_numpy() for name in ("lower", "upper", "exposure"))
    events = pd.DataFrame({name: score for name, (score, _) in scored.items()}, cells.index)
    inside = pd.DataFrame({name: held for name, (_, held) in scored.items()}, cells.index)
    score = 100 * events.div(exposure, axis=0) / (((lower + upper) / 2) / exposure).mean()
    rows = []
    for part, index in _parts(cells).items():
        for name in scored:
            found = {"part": part, "forecast": name, "cells": len(index), "crps": score.loc[index, name].mean()}
            found |= {"coverage_90": inside.loc[index, name].mean()}
            for prefix, values in zip(PREFIXES, (score, events), strict=True):
                against = _against(values.loc[index, "model"], values.loc[index, name], cells.loc[index, "area"])
                found |= {f"{prefix}_{key}": value for key, value in against.items()}
            rows.append(found)
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
    """Say how the model does against each forecast; of itself nothing."""
    ratio, spread = table[f"{prefix}_ratio"], 2 * table[f"{prefix}_ratio_se"]
    error = np.hypot(table[f"{prefix}_ratio{MCSE}"], 2 * table[f"{prefix}_ratio_se{MCSE}"])
    margin = abs(ratio - 1) - spread
    choices = ["", CANNOT_BE_DETERMINED, "uncertain", "worse"]
    return np.select([table["forecast"] == "model", near(margin, error), margin <= 0, ratio > 1], choices, "better")


def _signed(table: pd.DataFrame, posterior: xr.DataTree) -> pd.DataFrame:
    """Add whether the fit converged, and what made it."""
    made = posterior.attrs
    return table.assign(
        converged=int(passed(diagnose(posterior))),
        seed=made["seed"],
        settings=f"{made['chains']} chains of {made['draws']} draws after {made['tune']}, {made['sampler']}",
        versions="; ".join(f"{name} {number}" for name, number in json.loads(made["versions"]).items()),
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
        Arguments of :func:`toolkit.models.fitting.fit`; 2,000 draws a chain unless given.
    """
    sampling = {"draws": 2000, **sampling}
    statistics = evidence.load_statistics(folder)
    priors = evidence.load_table("priors", folder)
    posterior = fit(outcomes(statistics, priors=priors), seed=seed, **sampling)
    scaling = outcome_power_scaling(posterior["posterior"].to_dataset(), seed=seed, priors=priors)
    tables = {
        "predictive_checks": _signed(check(posterior, statistics, seed=seed), posterior),
        "power_scaling": _signed(scaling, posterior),
        "backtest": backtest(statistics, last_year=last_year, seed=seed, priors=priors, **sampling),
        "spend_error": spend_error_table(posterior, statistics, seed=seed, priors=priors, **sampling),
    }
    return {name: rounded(table) for name, table in tables.items()}
