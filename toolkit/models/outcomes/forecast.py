"""Forecast rates after the data: the national level is a random walk, and areas return towards their own levels."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import expit, logit

from toolkit.models.outcomes.likelihoods import BETA_BINOMIAL
from toolkit.models.outcomes.rates import area_spread, linear_predictor, walk_covariance
from toolkit.schema import InputError, random_stream

Array = NDArray[np.float64]
COVARIATES = {"spend_within": "spend_year_mean", "low_income_within": "low_income_year_mean"}


def forecast(posterior: xr.DataTree, *, years: Sequence[int], seed: int) -> xr.DataArray:
    """Draw the rates of later years, for every area, fitted or not.

    Parameters
    ----------
    posterior
        From :func:`toolkit.models.fitting.fit` of :func:`toolkit.models.outcomes.model`.
    years
        Years after the last year with data of every indicator.
    seed
        Seed of the steps of the national level and of the areas' deviations.

    Returns
    -------
    DataArray
        (chain, draw, indicator, area, data_year): shares, events per person and year, or means, as ``area_rate``.
        Spending and low income stay at their last values.

    Raises
    ------
    InputError
        If no year is given, or one is not after the data.
    """
    draws, design = posterior["posterior"].to_dataset(), posterior["constant_data"].to_dataset()
    names = design["indicator"].values
    parts = []
    for name, random in zip(names, random_stream(seed, "models.forecast").spawn(len(names)), strict=True):
        eta = predictor(draws, design, str(name), years, random=random)
        parts.append(from_link(eta, int(design["likelihood"].sel(indicator=name))).astype("float32"))
    rates = xr.concat(parts, xr.Variable("indicator", names)).transpose("chain", "draw", "indicator", ...)
    return rates.rename("forecast_rate").assign_attrs(units=draws["area_rate"].attrs.get("units", "1"))


def predictor(
    draws: xr.Dataset, design: xr.Dataset, indicator: str, years: Sequence[int], *, random: np.random.Generator
) -> xr.DataArray:
    """Draw the linear predictor of one indicator in later years, deviations included (..., area, data_year).

    Parameters
    ----------
    draws
        Draws of the posterior, over any dims.
    design
        The data that the model was fitted to.
    indicator, years, random
        As for :func:`forecast`.
    """
    cells = design.sel(indicator=indicator).reset_coords(drop=True)
    window = np.flatnonzero(cells["in_window"].values)
    last = int(cells["data_year"][window[-1]])
    if not len(years) or min(years) <= last:
        raise InputError(f"forecast: {indicator} was fitted up to {last}.", fix="ask for later years.")
    draws, ahead = draws.sel(indicator=indicator), np.arange(1, max(years) - last + 1)
    at_last = {"data_year": last}
    now = linear_predictor(draws, cells).sel(at_last, drop=True)
    rate = draws["area_rate"].sel(at_last, drop=True).astype(float)
    family = int(cells["likelihood"])
    deviation = _persisting(draws, area_spread(draws, cells), to_link(rate, family) - now, len(ahead), random)
    level = now - draws["year_effect"].sel(at_last, drop=True)
    eta = level + _national(draws, cells.isel(data_year=window), len(ahead), random) + deviation
    return eta.assign_coords(data_year=last + ahead).sel(data_year=list(years)).transpose(..., "area", "data_year")


def to_link(rate: xr.DataArray, family: int) -> xr.DataArray:
    """Return the logit of shares, or the log of rates and means."""
    return rate.copy(data=logit(rate.values) if family == BETA_BINOMIAL else np.log(rate.values))


def from_link(eta: xr.DataArray, family: int) -> xr.DataArray:
    """Return shares, rates or means from their linear predictor."""
    return eta.copy(data=expit(eta.values) if family == BETA_BINOMIAL else np.exp(eta.values))


def _persisting(
    draws: xr.Dataset, spread: xr.DataArray, deviation: xr.DataArray, ahead: int, random: np.random.Generator
) -> xr.DataArray:
    persistence, parts = draws["persistence"].astype(float), []
    fresh = spread * (1 - persistence**2) ** 0.5
    for _ in range(ahead):
        deviation = persistence * deviation + fresh * deviation.copy(data=random.standard_normal(deviation.shape))
        parts.append(deviation)
    return xr.concat(parts, "data_year")


def _national(draws: xr.Dataset, cells: xr.Dataset, ahead: int, random: np.random.Generator) -> xr.DataArray:
    """Draw the year effects of later years, given those of the window.

    The covariates carried forward keep their part of the last year's effect. The walk continues beneath the free
    years: after teacher-assessed grades it starts from the years before them.
    """
    weights, root = walk_ahead(cells["free_variance"].values, ahead)
    parts = [draws[name] * cells[mean] for name, mean in COVARIATES.items()]
    moved = sum(parts[1:], start=parts[0])
    carried = moved.isel(data_year=-1, drop=True)
    walk = (draws["year_effect"].sel(data_year=cells["data_year"].values) - moved).astype(float)
    onward = xr.DataArray(weights, dims=("ahead", "data_year")) @ walk.drop_vars("data_year")
    step_sd = draws["year_sd"]
    shocks = xr.DataArray(random.standard_normal((*step_sd.shape, ahead)), dims=(*step_sd.dims, "step"))
    steps = step_sd * xr.dot(shocks, xr.DataArray(root, dims=("ahead", "step")), dim="step")
    ahead_effect: xr.DataArray = onward + steps + carried
    return ahead_effect.rename(ahead="data_year")


def walk_ahead(free_variance: Array, ahead: int) -> tuple[Array, Array]:
    """Return how a random walk of unknown level continues after years that deviate freely from it.

    Parameters
    ----------
    free_variance
        (year,), variance of each known year around the walk, in squared steps.
    ahead
        Number of years to forecast.

    Returns
    -------
    weights, root
        (ahead, year), weights of the known years in the mean of later ones, which sum to one; and (ahead, ahead), the
        Cholesky factor of the covariance around that mean, in steps.

    References
    ----------
    Cressie (1993), Statistics for Spatial Data, section 3.4: prediction with an unknown mean (universal kriging).
    """
    known = len(free_variance)
    whole = walk_covariance(known + ahead)
    inner, across = whole[:known, :known] + np.diag(free_variance), whole[:known, known:]
    simple, solved_ones = np.linalg.solve(inner, across), np.linalg.solve(inner, np.ones(known))
    weights = (simple + np.outer(solved_ones, 1 - simple.sum(axis=0)) / solved_ones.sum()).T
    mixed = weights @ across
    return weights, np.linalg.cholesky(whole[known:, known:] - mixed - mixed.T + weights @ inner @ weights.T)
