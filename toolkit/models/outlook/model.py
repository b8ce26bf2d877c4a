"""Children looked after, their placements, prices and spending: one model of all areas and series.

Each series (:mod:`toolkit.models.outlook.series`) of an area is England's path, plus its region's difference, plus
the area's own level, which follows part of each year's surprise (:mod:`toolkit.models.outlook.smoothing`). England's
path changes by a growth of its own, from which it departs with some memory. An area's surprises share a scale of
their own, which is integrated out and makes them a multivariate t: some authorities swing far more than others.
"""

from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as tensor
import xarray as xr

from toolkit.models.outlook.smoothing import filled, first_years, log_density, log_spreads, weights
from toolkit.models.prior_rows import prior_of, shape_of

pt: Any = tensor  # without types
MODEL = "outlook"
UNINFORMED = 0.1  # spread of changes that the data do not speak of, which touch nothing
LEAST_TAIL = 2.0  # degrees of freedom below which the t has no variance


def outlook(series: xr.Dataset, *, priors: pd.DataFrame) -> pm.Model:
    """Return the model of the outlook.

    Parameters
    ----------
    series
        From :func:`toolkit.models.outlook.series.to_series`, with the coordinate ``region`` (area).
    priors
        The table of priors, model ``outlook``.

    Returns
    -------
    pymc.Model
        ``national`` (series, data_year); by series ``growth`` a year, ``step`` and ``memory`` of England's departures
        from it, ``area_sd``, ``spread``, ``size_power``, ``gain``, ``first_gain`` and ``tail``;
        ``region_effect`` (series, region).
    """
    value, known = filled(series["value"])
    first = first_years(known)
    regions, region = np.unique(series["region"].to_numpy(), return_inverse=True)
    coords = {dim: series[dim].to_numpy() for dim in ("series", "data_year")} | {"region": regions}
    years = series.sizes["data_year"]
    centre = value[:, :, -1].mean(axis=1)
    with pm.Model(coords=coords) as model:
        data = pm.Data("value", value)  # calibration replaces it
        level = centre + _normal("level", priors)
        growth = _normal("growth", priors)
        kept = pm.Beta("memory_half", *shape_of(priors, MODEL, "memory_half"), dims="series")
        memory = pm.Deterministic("memory", 2 * kept - 1, dims="series")
        step = pm.Gamma("step", *shape_of(priors, MODEL, "step"), dims="series")
        change = _changes(growth, memory, step, _informed(known, series["england_mix"]))
        # Levels are those of the last year: the placements of the first years are unknown.
        to_come = pt.concatenate([pt.cumsum(change[:, ::-1], axis=1)[:, ::-1], pt.zeros((len(centre), 1))], axis=1)
        national = pm.Deterministic("national", level[:, None] - to_come, dims=("series", "data_year"))
        between = _half("region_sd", priors)
        raw = pm.ZeroSumNormal("region_raw", dims=("series", "region"))
        offset = pm.Deterministic("region_effect", between[:, None] * raw, dims=("series", "region"))
        extra = pm.Gamma("tail_extra", *shape_of(priors, MODEL, "tail_extra"), dims="series")
        tail = pm.Deterministic("tail", LEAST_TAIL + extra, dims="series")
        area_sd, spread = _half("area_sd", priors), _half("spread", priors)
        power = _normal("size_power", priors)
        gains = [pm.Beta(name, *shape_of(priors, MODEL, name), dims="series") for name in ("gain", "first_gain")]
        gap = data - national[:, None, :] - offset[:, region, None]
        surprise = gap - gap @ weights(gains[0], gains[1], first, years)
        log_spread = log_spreads(area_sd, spread, power, series["log_size"].to_numpy(), first, years, log=pt.log)
        standardised = surprise * pt.exp(-log_spread)
        pm.Potential("areas", log_density(standardised, log_spread, known, tail[:, None]).sum())
        _england(series, national, priors)
    model.target_accept = 0.95  # which fit takes: England's placements begin in 2018 only
    return model


def _informed(known: np.ndarray, england_mix: xr.DataArray) -> np.ndarray:
    """Return which of England's yearly changes the data speak of (series, change)."""
    first = first_years(known)[:, None]
    return (np.arange(1, known.shape[-1]) > first) | np.isfinite(england_mix.diff("data_year").to_numpy())


def _changes(growth: Any, memory: Any, step: Any, informed: np.ndarray) -> Any:
    """Add England's yearly changes to the model in context: a stationary autoregression about growth.

    They are sampled directly (centred): 150 areas determine them well, so that departures from growth would lie along a
    narrow ridge with growth and their spread. Changes before the first that the data speak of touch nothing.
    """
    change = pm.Flat("change", shape=informed.shape)
    follows = np.pad(informed[:, :-1], ((0, 0), (1, 0)))  # a change that is informed has one before it
    before = pt.concatenate([pt.zeros((len(informed), 1)), change[:, :-1]], axis=1)
    level, kept = growth[:, None], memory[:, None]
    mean = level + follows * kept * (before - level)
    spread = step[:, None] * pt.where(follows, 1.0, (1 - kept**2) ** -0.5)
    density = pm.logp(pm.Normal.dist(informed * mean, pt.where(informed, spread, UNINFORMED)), change)
    pm.Potential("changes", density.sum())
    return change


def _england(series: xr.Dataset, national: Any, priors: pd.DataFrame) -> None:
    """Let England's published placements say how the mix moved before authorities published theirs."""
    changes = series["england_mix"].diff("data_year").to_numpy()
    at = np.argwhere(np.isfinite(changes))
    if len(at):
        expected = national[at[:, 0], at[:, 1] + 1] - national[at[:, 0], at[:, 1]]
        observed = changes[at[:, 0], at[:, 1]]
        pm.Normal("england", expected, prior_of(priors, MODEL, "england_noise")[1], observed=observed)


def _normal(name: str, priors: pd.DataFrame) -> Any:
    return pm.Normal(name, *prior_of(priors, MODEL, name), dims="series")


def _half(name: str, priors: pd.DataFrame) -> Any:
    return pm.HalfNormal(name, prior_of(priors, MODEL, name)[1], dims="series")
