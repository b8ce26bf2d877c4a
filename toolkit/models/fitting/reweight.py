"""Apply a changed prior without a refit: weight the draws by the ratio of the priors, if that is reliable."""

from typing import Any, NamedTuple

import arviz  # noqa: F401 - gives arrays their statistics
import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from toolkit.models.fitting.priors import load_priors, log_prior
from toolkit.schema import SAMPLE_DIMS, random_stream

Array = NDArray[Any]
TRUSTED_SHAPE = 0.7  # Pareto k-hat from which weighted means converge too slowly
LEAST_EFFECTIVE = 0.25  # share of the draws
KIND = ["distribution", "arg1", "arg2"]


class Weighed(NamedTuple):
    """Importance weights of a change of priors: Pareto k-hat, effective draws and the fewest that are enough."""

    weights: Array
    shape: float
    effective: float
    least: float

    @property
    def usable(self) -> bool:
        """Whether the weighted draws can replace a refit."""
        return bool(self.shape < TRUSTED_SHAPE and self.effective >= self.least)


def weigh(posterior: xr.Dataset, before: pd.DataFrame, after: pd.DataFrame) -> Weighed:
    """Weight the draws of the outcome model by the ratio of two tables of priors, with Pareto-smoothed weights.

    Parameters
    ----------
    posterior
        Posterior of the outcome model, fitted with ``before`` (chain, draw, indicator).
    before, after
        Tables of priors with the same rows.

    References
    ----------
    .. [1] Vehtari, Simpson, Gelman, Yao and Gabry (2024), Pareto smoothed importance sampling, JMLR 25(72).
    .. [2] Kallioinen, Paananen, Bürkner and Vehtari (2023), Detecting and diagnosing prior and likelihood
       sensitivity with power-scaling, doi:10.1007/s11222-023-10366-5.
    """
    old, new = (load_priors("outcomes", table) for table in (before, after))
    names = [str(name) for name in posterior["indicator"].values]
    moved = pd.Series({key: not old.loc[key, KIND].equals(new.loc[key, KIND]) for key in old.index})
    ratio = np.zeros([posterior.sizes[dim] for dim in SAMPLE_DIMS])
    for parameter in sorted({str(key).partition("[")[0] for key in old.index[moved]}):
        drawn = posterior[parameter].transpose(*SAMPLE_DIMS, "indicator").values.astype(float)
        ratio += np.sum(log_prior(parameter, new, names, drawn) - log_prior(parameter, old, names, drawn), axis=-1)
    # ArviZ expects the log likelihoods that are left out and smooths their negative.
    log_weights, shape = xr.DataArray(-ratio, dims=SAMPLE_DIMS).azstats.psislw()
    smoothed = log_weights.values.ravel()
    weights = np.exp(smoothed - smoothed.max())
    weights /= weights.sum()
    return Weighed(weights, float(shape), float(1.0 / (weights**2).sum()), LEAST_EFFECTIVE * ratio.size)


def resampled(fitted: xr.DataTree, weighed: Weighed, *, seed: int) -> xr.DataTree:
    """Return a fit whose posterior draws are resampled by weight (systematic resampling); the rest is unchanged.

    Parameters
    ----------
    fitted
        From ``workflow.fit``.
    weighed
        From :func:`weigh`.
    seed
        Seed of the one random number that systematic resampling uses.
    """
    posterior = fitted["posterior"].to_dataset()
    shape, size = tuple(posterior.sizes[dim] for dim in SAMPLE_DIMS), weighed.weights.size
    places = (np.arange(size) + random_stream(seed, "models.reweight").uniform()) / size
    taken = np.minimum(np.searchsorted(np.cumsum(weighed.weights), places), size - 1).reshape(shape)
    chain, draw = (xr.DataArray(part, dims=SAMPLE_DIMS) for part in np.divmod(taken, shape[1]))
    labels = {dim: posterior[dim].values for dim in SAMPLE_DIMS}
    reweighted = fitted.copy()
    reweighted["posterior"] = xr.DataTree(posterior.isel(chain=chain, draw=draw).assign_coords(labels))
    return reweighted
