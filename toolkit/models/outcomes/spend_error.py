"""Error in the early-help spending that authorities return, and its effect on the association with outcomes.

An area's log spending around the year's mean is a level, a deviation that fades, and an error of each return that does
not last. Such error pulls the association within areas towards 0. Two corrections are compared with the naive estimate:
spending replaced by its expectation given all returns of the area (regression calibration), and its errors as
parameters of the outcome model, about which the outcomes are informative (latent). These data cannot distinguish a
lasting error, such as a different interpretation of a line of the return, from spending; and part of what is treated
as error was spent. So the pull may be larger or smaller than estimated here.

References
----------
.. [1] Carroll, Ruppert, Stefanski and Crainiceanu (2006), Measurement Error in Nonlinear Models, chapter 4.
"""

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy import optimize, stats

from toolkit.evidence.statistics import lagged_log_spend
from toolkit.models.fitting.diagnose import diagnose, passed
from toolkit.models.fitting.fit import fit
from toolkit.models.fitting.monte_carlo import summary
from toolkit.models.outcomes.model import outcomes

PARTS = ("level", "deviation", "persistence", "error")

Array = NDArray[Any]


def spend_parts(statistics: xr.Dataset) -> dict[str, float]:
    """Return standard deviations of areas' levels, deviations and errors of log spending, and the persistence.

    The estimate is by maximum likelihood over the fitted areas, net of each year's mean.

    Parameters
    ----------
    statistics
        From :func:`toolkit.evidence.load_statistics`.
    """
    gaps = _gaps(statistics.sel(area=statistics["fitted"].values)).values
    patterns, which = np.unique(np.isfinite(gaps), axis=0, return_inverse=True)

    def surprise(free: Array) -> float:
        covariance = np.add(*_covariances(_named(free), gaps.shape[1]))
        log_densities = [
            stats.multivariate_normal(cov=covariance[np.ix_(known, known)]).logpdf(gaps[which == i][:, known])
            for i, known in enumerate(patterns)
        ]
        return -float(np.hstack(log_densities).sum())

    return _named(optimize.minimize(surprise, [-1.0, -1.5, 0.5, -2.5], method="Nelder-Mead", tol=1e-4).x)


def calibrated(statistics: xr.Dataset) -> tuple[xr.Dataset, xr.DataArray, float]:
    """Return statistics with spending as expected given all returns of each area, and the remaining uncertainty.

    Parameters
    ----------
    statistics
        From :func:`toolkit.evidence.load_statistics`.

    Returns
    -------
    tuple
        The statistics; the doubt (area, data_year, factor), whose product with independent standard normal
        numbers is the error that remains in the mean log spending of the three previous years; and the reliability:
        the slope of that mean's calibrated movements within areas on the returned ones.
    """
    parts, gaps = spend_parts(statistics), _gaps(statistics)
    years = gaps.sizes["data_year"]
    lasting, error = _covariances(parts, years)
    expected, doubt = np.full(gaps.shape, np.nan), np.zeros((*gaps.shape, years))
    for i, row in enumerate(gaps.values):
        known = np.isfinite(row)
        gain = np.linalg.solve((lasting + error)[np.ix_(known, known)], lasting[known]).T
        expected[i, known] = (gain @ row[known])[known]
        lags = _lags(known)
        values, vectors = np.linalg.eigh(lags @ (lasting - gain @ lasting[known]) @ lags.T)
        doubt[i] = vectors * np.sqrt(values.clip(0))
    spend = statistics["early_help_spend"]
    corrected = statistics.assign(early_help_spend=spend * xr.ufuncs.exp(expected - gaps))
    corrected["early_help_spend"].attrs = spend.attrs
    moves = [lagged_log_spend(dataset) for dataset in (statistics, corrected)]
    before, after = (move - move.mean("data_year") - (move - move.mean("data_year")).mean("area") for move in moves)
    reliability = float((before * after).sum() / (before**2).sum())
    coords = {dim: statistics[dim].values for dim in gaps.dims}
    return corrected, xr.DataArray(doubt, coords, (*gaps.dims, "factor")), reliability


def spend_error_table(
    returned: xr.DataTree, statistics: xr.Dataset, *, seed: int, priors: pd.DataFrame | None = None, **sampling: Any
) -> pd.DataFrame:
    """Compare the association with returned, calibrated and latent spending by fits of the outcome model.

    Parameters
    ----------
    returned
        The fit to the statistics as returned.
    statistics, priors
        As for `outcomes`.
    seed, **sampling
        As for `fit`.

    Returns
    -------
    DataFrame
        One row per indicator and ``spending``: mean, standard deviation and 90 per cent interval of ``spend_within``,
        with their Monte Carlo errors, the reliability, whether the fit converged, and settings.
    """
    better, doubt, reliability = calibrated(statistics)
    latent = outcomes(better, priors=priors, spend_doubt=doubt)
    del latent.complete  # the rates would be those of spending without its error
    rows = _associations("returned", returned)
    for name, model in {"calibrated": outcomes(better, priors=priors), "latent": latent}.items():
        rows += _associations(name, fit(model, seed=seed, **sampling))
    return pd.DataFrame(rows).assign(reliability=reliability, seed=seed)


def _associations(name: str, tree: xr.DataTree) -> list[dict[str, Any]]:
    by_indicator, attributes = summary(tree["posterior"].to_dataset()["spend_within"]).to_dataframe(), tree.attrs
    converged = int(passed(diagnose(tree)))
    settings = f"{attributes['chains']} chains of {attributes['draws']} draws after {attributes['tune']}, nutpie"
    about = {"converged": converged, "settings": settings}
    return [
        {"indicator": indicator, "spending": name, **row, **about}
        for indicator, row in by_indicator.T.to_dict().items()
    ]


def _gaps(statistics: xr.Dataset) -> xr.DataArray:
    """Return log spending less the mean of the fitted areas in the year (area, data_year)."""
    spend = xr.ufuncs.log(statistics["early_help_spend"].reset_coords(drop=True)).transpose("area", "data_year")
    gaps: xr.DataArray = spend - spend.where(statistics["fitted"].reset_coords(drop=True)).mean("area")
    return gaps


def _named(free: Array) -> dict[str, float]:
    level, deviation, persistence, error = free
    values = np.exp(level), np.exp(deviation), 1 / (1 + np.exp(-persistence)), np.exp(error)
    return dict(zip(PARTS, map(float, values), strict=True))


def _covariances(parts: dict[str, float], years: int) -> tuple[Array, Array]:
    """Return the covariances over years of lasting spending and of the error."""
    apart = abs(np.subtract.outer(np.arange(years), np.arange(years)))
    lasting = parts["level"] ** 2 + parts["deviation"] ** 2 * parts["persistence"] ** apart
    return lasting, parts["error"] ** 2 * np.eye(years)


def _lags(known: Array) -> Array:
    """Return the weights (year, year) of the known years among the three before each year, in their mean."""
    apart = np.subtract.outer(np.arange(len(known)), np.arange(len(known)))
    used = ((apart >= 1) & (apart <= 3) & known).astype(float)
    return np.asarray(used / used.sum(axis=1, keepdims=True).clip(1))
