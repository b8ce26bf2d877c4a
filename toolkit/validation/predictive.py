"""Posterior predictive checks of the outcome model: the place of each count in its predictive distribution."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import arviz as az
import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy import stats
from scipy.special import logit

from toolkit.models.fitting.monte_carlo import batch_errors, batches, verdicts
from toolkit.models.outcomes.forecast import to_link
from toolkit.models.outcomes.likelihoods import BETA_BINOMIAL, MEAN, UNOBSERVED, cell_log_probabilities, simulate
from toolkit.models.outcomes.rates import area_spread, linear_predictor
from toolkit.schema import MCSE, InputError, aligned, random_stream

SIZES = ("small", "middle", "large")
SURE = 0.99  # probability that a check of a correct model is in its range: a table has some seventy checks
MAY_BE_UNRELIABLE = 0.01  # largest share of cells with unreliable weights that passes
DRAWS = 1000  # at most, of each batch
MEASURED = ["value", "expected_low", "expected_high", "margin"]

Array = NDArray[Any]
_at, _share = np.polynomial.hermite_e.hermegauss(15)
_NODES = (_at, _share / _share.sum())


def check(posterior: xr.DataTree, statistics: xr.Dataset, *, seed: int) -> pd.DataFrame:
    """Compare every cell of the statistics with the fitted model's prediction.

    Each cell is placed in its leave-one-out predictive distribution, from the area's other years and by importance
    weights: its probability integral transform (PIT), randomised within the bounds of the count, is uniform if the
    model is correct, for exact and hidden counts alike. This is repeated on up to eight batches of the draws, each
    with its own random numbers: the table holds the means, and the spread of the batches gives Monte Carlo errors.

    Parameters
    ----------
    posterior
        From :func:`toolkit.models.fitting.fit` of :func:`toolkit.models.outcomes.model`.
    statistics
        The statistics that it was fitted to.
    seed
        Seed of the replicated data.

    Returns
    -------
    DataFrame
        One row per indicator, size (third of the areas by mean exposure, or "all") and check, with its ``value`` and
        its range in 99 of 100 cases if the model is correct and cells are independent:
        ``coverage_50`` and ``coverage_90`` of the central intervals, ``pit_mean``, ``pit_distance``
        (Kolmogorov-Smirnov); and, against replicated data, ``lag_one_correlation`` of an area's standardised residuals,
        ``largest_residual`` and ``hidden_cells`` (how many counts are small enough to be hidden).
        ``unreliable_weights`` counts the cells whose weights are too uneven to trust. ``*_mcse`` are Monte Carlo
        standard errors; ``verdict`` is "passed", "failed" or, if the value is within two of them of an end of the
        range, ``CANNOT_BE_DETERMINED``.

    Raises
    ------
    InputError
        If the posterior has no ``constant_data``, or other areas or indicators than the statistics.

    References
    ----------
    .. [1] Czado, Gneiting and Held (2009), Predictive model assessment for count data,
       doi:10.1111/j.1541-0420.2009.01191.x.
    .. [2] Vehtari, Gelman and Gabry (2017), Practical Bayesian model evaluation using leave-one-out
       cross-validation and WAIC, doi:10.1007/s11222-016-9696-4.
    .. [3] Vehtari et al. (2016), Bayesian leave-one-out cross-validation approximations for Gaussian latent variable
       models, JMLR 17(103): integrated importance sampling.
    .. [4] Gelman, Meng and Stern (1996), Posterior predictive assessment of model fitness via realized
       discrepancies, Statistica Sinica 6:733-807.
    """
    if "constant_data" not in posterior.children:
        raise InputError(
            "check: the posterior has no constant_data.", fix="pass the result of models.fit(outcomes(...))."
        )
    design = posterior["constant_data"].to_dataset()
    try:
        statistics = statistics.sel(indicator=design["indicator"], data_year=design["data_year"])
    except KeyError as error:
        raise InputError(
            f"check: {error} is in the posterior only.", fix="pass the statistics it was fitted to."
        ) from None
    aligned(design["family"], statistics["exposure"])
    names, parts = design["indicator"].values, []
    # Batches run one after another, because the densities of every cell and draw stay in memory.
    samples = _stacked(posterior)
    every = batches(samples.sizes["sample"])
    for at, source in zip(every, random_stream(seed, "models.predictive").spawn(len(every)), strict=True):
        rows: list[dict[str, Any]] = []
        parameters = _spaced(samples.isel(sample=at), DRAWS).transpose("sample", ...)
        for name, random in zip(names, source.spawn(len(names)), strict=True):
            part = design.sel(indicator=name)
            cells = cells_of(statistics.sel(indicator=name), part["family"] != UNOBSERVED)
            checks = _checks(cells, parameters.sel(indicator=name), part, random)
            rows += [{"indicator": name, **row} for row in checks]
        parts.append(pd.DataFrame(rows))
    return _judged(parts)


def _judged(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Return the mean of the batches' tables with its Monte Carlo errors and verdicts."""
    parts = [part.assign(margin=_margin(part)) for part in parts]
    errors = batch_errors(parts, MEASURED)
    means = np.mean([part[MEASURED].to_numpy(float) for part in parts], axis=0)
    table = parts[0].assign(**dict(zip(MEASURED, means.T, strict=True))).join(errors)
    table["verdict"] = verdicts(table["margin"], table["margin_mcse"])
    ends = [f"{name}{which}" for name in MEASURED[:-1] for which in ("", MCSE)]
    return table[["indicator", "size", "check", "cells", *ends, "verdict"]]


def _margin(table: pd.DataFrame) -> Array:
    """Return how far each value is inside its range; no value can be below a range from zero."""
    above = (table["value"] - table["expected_low"]).where(table["expected_low"] != 0, np.inf)
    return np.asarray(np.minimum(above, table["expected_high"] - table["value"]))


def _stacked(posterior: xr.DataTree) -> xr.Dataset:
    return posterior["posterior"].to_dataset().stack(sample=("chain", "draw"), create_index=False)


def _spaced(samples: xr.Dataset, draws: int) -> xr.Dataset:
    return samples.isel(sample=np.unique(np.linspace(0, samples.sizes["sample"] - 1, draws).astype(int)))


def thinned(posterior: xr.DataTree, draws: int) -> xr.Dataset:
    """Return evenly spaced draws of the posterior, chains stacked along ``sample``."""
    return _spaced(_stacked(posterior), draws).transpose("sample", ...)


def cells_of(statistics: xr.Dataset, enters: xr.DataArray) -> pd.DataFrame:
    """Return the cells that enter the fit, one row each, in order of area and year."""
    columns = {"events_lower": "lower", "events_upper": "upper", "exposure": "exposure"}
    entering = statistics[list(columns)].where(enters & statistics["observed"]).reset_coords(drop=True)
    return entering.to_dataframe(["area", "data_year"]).dropna().reset_index().rename(columns=columns)


def sizes_of(cells: pd.DataFrame) -> "pd.Series[str]":
    """Return each area's third by mean exposure."""
    order = cells.groupby("area")["exposure"].mean().rank(method="first")
    return pd.qcut(order, 3, labels=list(SIZES)).astype(str)


def _checks(cells: pd.DataFrame, parameters: xr.Dataset, part: xr.Dataset, random: Any) -> Iterator[dict[str, Any]]:
    where = {dim: xr.DataArray(cells[dim].to_numpy(), dims="cell") for dim in ("area", "data_year")}
    family = int(part["likelihood"])
    rate = parameters["area_rate"].sel(where).transpose("sample", "cell").values.astype(float)
    log_size = -2 * np.log(parameters["dispersion"].values.astype(float))[:, None]
    lower, upper, exposure = (cells[name].to_numpy() for name in ("lower", "upper", "exposure"))
    expected, spread = (side.sel(where).transpose("sample", "cell").values for side in _from_others(parameters, part))
    weights, unreliable = _left_out(expected, spread, log_size, lower, upper, exposure, family)
    left_out = expected + spread * random.standard_normal(expected.shape)
    drawn = simulate(left_out, log_size, exposure, np.array(family), rng=random)
    below, upto = ((weights * side).sum(axis=0) for side in (drawn < lower, drawn <= upper))
    pit = below + random.uniform(size=len(cells)) * (upto - below)
    sizes = cells["area"].map(sizes_of(cells))
    for size in ("all", *SIZES):
        chosen = (sizes == size).to_numpy() | (size == "all")
        for row in _uniform(below[chosen], upto[chosen], pit[chosen]):
            yield {"size": size, **row, "cells": int(chosen.sum())}
    eta = logit(rate) if family == BETA_BINOMIAL else np.log(rate)
    replicated = simulate(eta, log_size, exposure, np.array(family), rng=random)
    mean = exposure * rate
    variance = _variance(rate, mean, np.exp(log_size), exposure, family)
    for row in _discrepancies(cells, replicated, mean, variance):
        yield {"size": "all", **row, "cells": len(cells)}
    yield {
        "size": "all",
        **_row("unreliable_weights", unreliable, 0, MAY_BE_UNRELIABLE * len(cells)),
        "cells": len(cells),
    }


def _row(name: str, value: float, low: float, high: float) -> dict[str, Any]:
    return {"check": name, "value": float(value), "expected_low": float(low), "expected_high": float(high)}


def _variance(rate: Array, mean: Array, concentration: Array, exposure: Array, family: int) -> Array:
    """Return the variance of a count or total; of a mean, to first order from the normal error of its log."""
    if family == BETA_BINOMIAL:
        return np.asarray(mean * (1 - rate) * (1 + (exposure - 1) / (concentration + 1)))
    if family == MEAN:
        return np.asarray(mean**2 / (concentration * exposure))
    return np.asarray(mean * (1 + mean / concentration))


def _from_others(parameters: xr.Dataset, part: xr.Dataset) -> tuple[xr.DataArray, xr.DataArray]:
    """Return mean and standard deviation of each year's predictor given the deviations of the neighbouring years.

    A deviation follows its own count so closely that leaving that count out by weights would fail; given its
    neighbours, the deviation is normal and can be drawn and integrated over again.
    """
    predictor = linear_predictor(parameters, part.reset_coords(drop=True))
    deviation = to_link(parameters["area_rate"].astype(float), int(part["likelihood"])) - predictor
    rho = parameters["persistence"].astype(float)
    beside = [deviation.shift(data_year=step) for step in (1, -1)]
    number = sum(side.notnull().astype(int) for side in beside)
    # One neighbour: an autoregression's next step; two: a bridge between them; none: its stationary spread.
    precision = 1 + (number == 2) * rho**2
    share = xr.where(number > 0, (1 - rho**2) / precision, 1.0)
    expected = predictor + rho / precision * sum(side.fillna(0.0) for side in beside)
    return expected, area_spread(parameters, part) * share**0.5


def _left_out(expected: Array, spread: Array, log_size: Array, *known: Any) -> tuple[Array, int]:
    """Return weights (sample, cell) that leave each cell out of its own prediction, and how many are unreliable.

    The deviation of the cell is integrated over by Gauss-Hermite quadrature: integrated importance sampling.
    """
    lower, upper, exposure, family = (np.broadcast_to(part, expected.shape)[:, :, None].copy() for part in known)
    log_p = np.full(expected.shape, -np.inf)
    for at, share in zip(*_NODES, strict=True):
        eta = (expected + spread * at)[:, :, None]
        cell = cell_log_probabilities(eta, log_size[:, :, None], lower, upper, exposure, family)[:, :, 0]
        log_p = np.logaddexp(log_p, np.log(share) + cell)
    log_likelihood = xr.Dataset({"events": (("chain", "draw", "cell"), log_p[None])})
    with warnings.catch_warnings():  # unreliable weights are reported as a check
        warnings.filterwarnings("ignore", "Estimated shape parameter of Pareto", UserWarning)
        loo = az.loo(xr.DataTree.from_dict({"log_likelihood": log_likelihood}), pointwise=True, reff=1.0)
    weights = np.exp(loo.log_weights.transpose("chain", "draw", "cell").values[0])
    return weights / weights.sum(axis=0), int((loo.pareto_k > loo.good_k).sum())


def _uniform(below: Array, upto: Array, pit: Array) -> Iterator[dict[str, Any]]:
    number, tail = len(pit), (1 - SURE) / 2
    for level in (50, 90):
        low, high = stats.binom.ppf([tail, 1 - tail], number, level / 100) / number
        yield _row(f"coverage_{level}", covered(below, upto, level / 100).mean(), low, high)
    half = stats.norm.ppf(1 - tail) / np.sqrt(12 * number)
    yield _row("pit_mean", pit.mean(), 0.5 - half, 0.5 + half)
    yield _row("pit_distance", stats.kstest(pit, "uniform").statistic, 0, stats.kstwo.ppf(SURE, number))


def covered(below: Array, upto: Array, level: float) -> Array:
    """Return the chance that a randomised PIT between ``below`` and ``upto`` is within the central interval.

    Parameters
    ----------
    below, upto
        Predictive probability of less than the count, and of at most the count; for a hidden count, of its bounds.
    level
        Probability of the central interval.
    """
    low, high = 0.5 - level / 2, 0.5 + level / 2
    width = upto - below
    share = (np.minimum(upto, high) - np.maximum(below, low)).clip(0) / np.where(width > 0, width, 1)
    return np.where(width > 0, share, (below >= low) & (below <= high))


def _discrepancies(cells: pd.DataFrame, replicated: Array, mean: Array, variance: Array) -> Iterator[dict[str, Any]]:
    exact = (cells["lower"] == cells["upper"]).to_numpy()
    area, year = cells["area"].to_numpy(), cells["data_year"].to_numpy()
    pairs = (area[1:] == area[:-1]) & (year[1:] == year[:-1] + 1) & exact[1:] & exact[:-1]
    measured: dict[str, Callable[[Array], Array]] = {
        "lag_one_correlation": lambda r: (
            (r[:, 1:] * r[:, :-1])[:, pairs].mean(axis=1) / (r[:, exact] ** 2).mean(axis=1)
        ),
        "largest_residual": lambda r: np.abs(r[:, exact]).max(axis=1),
    }
    observed, simulated = ((counts - mean) / np.sqrt(variance) for counts in (cells["lower"].to_numpy(), replicated))
    tail = (1 - SURE) / 2
    for name, measure in measured.items():
        yield _row(name, measure(observed).mean(), *np.quantile(measure(simulated), [tail, 1 - tail]))
    if (limit := hidden_up_to(cells)) > 0:
        hidden = ((cells["lower"] == 0) & ~exact).sum()
        yield _row("hidden_cells", hidden, *np.quantile((replicated <= limit).sum(axis=1), [tail, 1 - tail]))


def hidden_up_to(cells: pd.DataFrame) -> float:
    """Return the largest count that is hidden, 0 if none is."""
    hidden = cells.loc[(cells["lower"] == 0) & (cells["upper"] > 0), "upper"]
    return float(hidden.min()) if len(hidden) else 0.0
