"""A changed prior without a new fit: draws weighed by the ratio of the priors, where that can be trusted."""

from collections.abc import Callable
from typing import Any, NamedTuple

import arviz  # noqa: F401 - gives arrays their statistics
import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy import stats

from toolkit.models.priors import load_priors, row_of
from toolkit.schema import SAMPLE_DIMS

Array = NDArray[Any]
TRUSTED_SHAPE = 0.7  # Pareto k-hat: from here weighted means converge too slowly
LEAST_EFFECTIVE = 0.25  # of the draws

DENSITIES: dict[str, Callable[[Array, float, float], Array]] = {
    "normal": lambda x, first, second: stats.norm.logpdf(x, first, second),
    "log_normal": lambda x, first, second: stats.norm.logpdf(np.log(x), first, second),
    "gamma": lambda x, first, second: stats.gamma.logpdf(x, first, scale=1 / second),
    "beta": lambda x, first, second: stats.beta.logpdf(x, first, second),
}


class Weighed(NamedTuple):
    """How far a change of priors moves a posterior: Pareto k-hat, effective draws and the fewest that will do."""

    weights: Array
    shape: float
    effective: float
    least: float

    @property
    def usable(self) -> bool:
        """Whether the draws can stand for those of a new fit."""
        return bool(self.shape < TRUSTED_SHAPE and self.effective >= self.least)


def weigh(posterior: xr.Dataset, before: pd.DataFrame, after: pd.DataFrame) -> Weighed:
    """Weigh the draws of the outcome model by the ratio of two tables of priors, smoothed at the tail.

    Parameters
    ----------
    posterior
        The outcome model's, fitted with ``before`` (chain, draw, indicator).
    before, after
        Tables of priors with the same rows.

    References
    ----------
    .. [1] Vehtari, Simpson, Gelman, Yao and Gabry (2024), Pareto smoothed importance sampling, JMLR 25(72).
    .. [2] Kallioinen, Paananen, Bürkner and Vehtari (2023), Detecting and diagnosing prior and likelihood
       sensitivity with power-scaling, doi:10.1007/s11222-023-10366-5.
    """
    tables = [load_priors("outcomes", table) for table in (before, after)]
    ratio = np.zeros((posterior.sizes["chain"], posterior.sizes["draw"]))
    for parameter in sorted({str(key).partition("[")[0] for key in tables[0].index} & set(posterior.data_vars)):
        for indicator in posterior["indicator"].values:
            old, new = (row_of(parameter, table, str(indicator)) for table in tables)
            if old is None or new is None or old[["arg1", "arg2"]].equals(new[["arg1", "arg2"]]):
                continue
            drawn = posterior[parameter].sel(indicator=indicator).transpose(*SAMPLE_DIMS).values.astype(float)
            density = DENSITIES[str(new["distribution"])]
            ratio += density(drawn, *map(float, new[["arg1", "arg2"]])) - density(
                drawn, *map(float, old[["arg1", "arg2"]])
            )
    # ArviZ takes log likelihoods to be left out, so what it smooths is their negative.
    log_weights, shape = xr.DataArray(-ratio, dims=SAMPLE_DIMS).azstats.psislw()
    smoothed = log_weights.values.ravel()
    weights = np.exp(smoothed - smoothed.max())
    weights /= weights.sum()
    return Weighed(weights, float(shape), float(1.0 / (weights**2).sum()), LEAST_EFFECTIVE * ratio.size)


def resampled(fitted: xr.DataTree, weighed: Weighed, *, seed: int) -> xr.DataTree:
    """Return a fit with its posterior's draws taken anew by weight, evenly (systematic resampling); the rest as it was.

    Parameters
    ----------
    fitted
        From ``workflow.fit``.
    weighed
        From :func:`weigh`.
    seed
        Of the one random number that systematic resampling takes.
    """
    posterior = fitted["posterior"].to_dataset()
    shape, size = tuple(posterior.sizes[dim] for dim in SAMPLE_DIMS), weighed.weights.size
    places = (np.arange(size) + np.random.default_rng(seed).uniform()) / size
    taken = np.minimum(np.searchsorted(np.cumsum(weighed.weights), places), size - 1).reshape(shape)
    chain, draw = (xr.DataArray(part, dims=SAMPLE_DIMS) for part in np.divmod(taken, shape[1]))
    labels = {dim: posterior[dim].values for dim in SAMPLE_DIMS}
    found = fitted.copy()
    found["posterior"] = xr.DataTree(posterior.isel(chain=chain, draw=draw).assign_coords(labels))
    return found
