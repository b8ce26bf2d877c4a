"""Simulation-based calibration of the small models: pooled unit costs and price growth.

Parameters are drawn from the prior, data from the model at the shipped design (the same estimates, standard
errors and pools), and the exact posterior must then cover the true values as often as stated.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from toolkit import evidence
from toolkit.models.prior_rows import prior_of
from toolkit.models.unit_costs.pooled import pooled, pooled_cdf, rival_estimates, yearly_growth
from toolkit.validation.calibration import Ranks, calibrate

Array = NDArray[np.float64]


def pools_replication(
    rows: pd.DataFrame, priors: pd.DataFrame, *, prior_model: str
) -> Callable[[np.random.Generator], Ranks]:
    """Return a replication of the pooling of unit costs, or of price growth, with the shipped pools.

    Parameters
    ----------
    rows
        From `rival_estimates` or `yearly_growth`.
    priors, prior_model
        As for `unit_costs`.
    """
    names, at = np.unique(rows["pool"].to_numpy(str), return_inverse=True)
    centre, spread = prior_of(priors, prior_model, "mean")
    scale_sd = prior_of(priors, prior_model, "between_scale")[1]

    def replicate(random: np.random.Generator) -> Ranks:
        scale = abs(random.normal(0, scale_sd))
        between, mean = abs(random.normal(0, scale, len(names))), random.normal(centre, spread, len(names))
        sd = np.hypot(rows["se"].to_numpy(float), between[at])
        posterior = pooled(rows.assign(estimate=random.normal(mean[at], sd)), priors=priors, prior_model=prior_model)
        below = pooled_cdf(posterior, xr.DataArray(mean, dims="pool", coords={"pool": names}))
        ranks = {("mean", str(name)): float(below.sel(pool=name)) for name in names}
        points = posterior["between"].to_numpy()
        for name, value in zip(names, between, strict=True):
            ranks["between", str(name)] = _cubic_rank(points, posterior["weight"].sel(pool=name).to_numpy(), value, 3)
        points = posterior["scale"].to_numpy()
        ranks["between_scale", "all"] = _cubic_rank(points, posterior["scale_weight"].to_numpy(), scale, 2)
        return ranks

    return replicate


def _cubic_rank(points: Array, weight: Array, truth: float, power: int) -> float:
    """Return the rank on a grid whose points are the middles of even cells of their ``power``-th root."""
    root, half = points ** (1 / power), points[0] ** (1 / power)
    edges = np.append(root - half, root[-1] + half) ** power
    return float(np.interp(truth, edges, np.concatenate([[0.0], np.cumsum(weight)])))


def small_models_tables(
    *, replications: int = 1000, seed: int = 20261122, folder: Path | None = None
) -> dict[str, pd.DataFrame]:
    """Calibrate the small models on the shipped evidence and return the table ``calibration_small_models`` (minutes).

    Parameters
    ----------
    replications, seed
        Number of replications, and the seed, of each model.
    folder
        Data folder; the shipped one by default.
    """
    register = evidence.load_register(folder=folder)
    priors = register.tables["priors"]
    models = {
        "cost_pools": pools_replication(rival_estimates(register), priors, prior_model="cost_pools"),
        "price_growth": pools_replication(yearly_growth(register), priors, prior_model="price_growth"),
    }
    tables = [
        calibrate(replication, replications=replications, seed=seed, model=name) for name, replication in models.items()
    ]
    design = "design: the pools of cost_pools.csv as shipped; exact posteriors"
    return {"calibration_small_models": pd.concat(tables, ignore_index=True).assign(settings=design)}
