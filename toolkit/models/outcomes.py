"""The joint model of the outcome rates of all areas, years and indicators.

Rates are pooled over areas within regions, correlated across indicators within areas, and follow the
year's national level, early-help spending (within and between areas apart, after Mundlak) and child low
income. The parametrisation is the one that sampled best on these data: area levels centred on what their
region, spending and deprivation predict; year effects in the eigenvectors of their random walk, where
the walk's prior is diagonal; and covariates net of their yearly means.

References
----------
.. [1] Mundlak (1978), On the pooling of time series and cross section data, doi:10.2307/1913646.
.. [2] Lewandowski, Kurowicka and Joe (2009), Generating random correlation matrices,
   doi:10.1016/j.jmva.2009.04.008.
.. [3] Chung et al. (2013), A nondegenerate penalized likelihood estimator for variance parameters,
   doi:10.1007/s11336-013-9328-2: why the priors of standard deviations avoid nought.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
import xarray as xr
from scipy.linalg import block_diag, eigh, null_space

from toolkit.models.design import design_of
from toolkit.models.likelihoods import AreaLogProbability, log_probability, simulate
from toolkit.models.priors import load_priors, prior, setting, unnamed_prior
from toolkit.models.rates import complete
from toolkit.schema import INDICATORS


def outcomes(
    statistics: xr.Dataset, *, indicators: Sequence[str] = INDICATORS, priors: pd.DataFrame | None = None
) -> pm.Model:
    """Build the joint model of outcome rates.

    Parameters
    ----------
    statistics
        From :func:`toolkit.evidence.load_statistics`: dims (indicator, area, data_year).
    indicators
        The rates to model, each with its ``likelihood`` row in the table of priors.
    priors
        Rows of ``data/evidence/priors.csv``; the shipped table if not given.

    Returns
    -------
    pymc.Model
        Its ``design`` attribute holds the cells and covariates used; :func:`fit` adds the rates from it.

    Raises
    ------
    InputError
        Names an unknown indicator, a missing prior, or cells and covariates that cannot be used.
    """
    table = load_priors("outcomes", priors)
    design = design_of(statistics, indicators, table)
    modes = _year_modes(design, table)
    with pm.Model(coords=_coords(design, modes)) as model:
        names = list(design["indicator"].values)
        coefficient = {
            name: prior(name, table, names)
            for name in ("intercept", "spend_within", "spend_between", "low_income", "low_income_within")
        }
        year_sd, region_sd, dispersion = (prior(name, table, names) for name in ("year_sd", "region_sd", "dispersion"))
        area = _area_level(design, table, coefficient, _region_effect(design, region_sd))
        year = _year_effect(modes, coefficient, year_sd)
        fitted = design.sel(area=design["fitted"])
        eta = (
            area[:, :, None]
            + year[:, None, :]
            + coefficient["spend_within"][:, None, None] * fitted["spend_within"].values
            + coefficient["low_income_within"][:, None, None] * fitted["low_income_within"].values
        )
        _observe(eta, dispersion, fitted)
    model.design = design
    model.complete = partial(complete, design=design, modes=modes, regions=zero_sum_basis(design.sizes["region_name"]))
    return model


def _coords(design: xr.Dataset, modes: xr.Dataset) -> dict[str, Any]:
    return {
        "indicator": design["indicator"].values,
        "area": design["area"].values[design["fitted"].values],
        "data_year": design["data_year"].values,
        "region_mode": np.arange(design.sizes["region_name"] - 1),
        "year_mode": modes["year_mode"].values,
    }


def _region_effect(design: xr.Dataset, region_sd: Any) -> Any:
    """Zero-sum regional effects (indicator, fitted area): independent coordinates in an orthonormal zero-sum basis.

    Sums of products throughout: a matrix product or a look-up by index would compile for several seconds.
    """
    mode = pm.Normal("region_modes", 0.0, region_sd[:, None], dims=("indicator", "region_mode"))
    basis = zero_sum_basis(design.sizes["region_name"])[design["region_index"].values[design["fitted"].values]]
    return (mode[:, None, :] * basis).sum(axis=2)


def zero_sum_basis(size: int) -> np.ndarray:
    """Return an orthonormal basis (size, size - 1) of the vectors that sum to nought."""
    return np.asarray(null_space(np.ones((1, size))))


def _area_level(design: xr.Dataset, table: pd.DataFrame, coefficient: dict[str, Any], region: Any) -> Any:
    fitted = design.sel(area=design["fitted"])
    mean = (
        coefficient["intercept"][:, None]
        + region
        + coefficient["spend_between"][:, None] * fitted["spend_between"].values
        + coefficient["low_income"][:, None] * fitted["low_income_between"].values
    )
    cholesky = _area_cholesky(list(design["indicator"].values), table)
    return pm.CustomDist(
        "area_level",
        mean,
        cholesky,
        logp=_area_log_probability,
        random=_simulate_areas,
        signature="(k,n),(k,k)->(k,n)",
        dims=("indicator", "area"),
    )


def _area_cholesky(names: list[str], table: pd.DataFrame) -> Any:
    """Lower triangle of the covariance of areas between indicators; of one indicator its standard deviation."""
    if len(names) == 1:
        return prior("area_sd", table, names, name="area_cholesky")[:, None]
    cholesky, _, _ = pm.LKJCholeskyCov(
        "area_cholesky",
        n=len(names),
        eta=setting("area_correlation", table, "lkj"),
        sd_dist=unnamed_prior("area_sd", table, names),
        compute_corr=True,
        store_in_trace=False,
    )
    return cholesky


def _area_log_probability(value: Any, mean: Any, cholesky: Any) -> Any:
    return AreaLogProbability().make_node(value - mean, cholesky).outputs[0]


def _simulate_areas(mean: Any, cholesky: Any, rng: np.random.Generator | None = None, size: Any = None) -> Any:
    rng = rng or np.random.default_rng()
    return mean + cholesky @ rng.normal(size=mean.shape)


def _year_modes(design: xr.Dataset, table: pd.DataFrame) -> xr.Dataset:
    """Eigenvectors of each indicator's random walk over its window, and the standard deviation along each.

    A random walk's prior on zero-sum year effects is diagonal in them, so they are independent in the prior
    and, having almost equal data each year, nearly so in the posterior. ``shift_*`` are the yearly means of
    the covariates in the same coordinates: the walk is the prior of the year effects without them.
    """
    years = design["data_year"].values
    parts = []
    for k, name in enumerate(design["indicator"].values):
        window = design["in_window"].values[k]
        steps = np.diff(np.eye(window.sum()), axis=0) / _step_scale(name, years[window], table)[:, None]
        values, vectors = eigh(steps.T @ steps)
        basis = np.zeros((len(years), window.sum() - 1))
        basis[window] = vectors[:, 1:]
        means = {which: basis.T @ design[f"{which}_year_mean"].values[k] for which in ("spend", "low_income")}
        parts.append((basis, 1 / np.sqrt(values[1:]), means["spend"], means["low_income"], np.full(len(values) - 1, k)))
    basis = block_diag(*[part[0] for part in parts])
    scale, spend, low_income, owner = (np.concatenate([part[i] for part in parts]) for i in (1, 2, 3, 4))
    return xr.Dataset(
        {
            "basis": (("cell", "year_mode"), basis),
            "scale": ("year_mode", scale),
            "shift_spend": ("year_mode", spend),
            "shift_low_income": ("year_mode", low_income),
            "own": (("year_mode", "owner"), np.eye(len(parts))[owner]),
        },
        {"year_mode": np.arange(len(scale))},
    )


def _step_scale(indicator: str, years: np.ndarray, table: pd.DataFrame) -> np.ndarray:
    """How much freer than usual each step of the walk is: grading by teachers broke the series and came back."""
    free = setting("year_free", table, "years", indicator=indicator)
    if free is None:
        return np.ones(len(years) - 1)
    inside = (years >= free[0]) & (years <= free[1])
    return np.where(inside[1:] != inside[:-1], setting("year_free_ratio", table, "fixed"), 1.0)


def _year_effect(modes: xr.Dataset, coefficient: dict[str, Any], year_sd: Any) -> Any:
    """Return year effects (indicator, data_year), nought outside an indicator's window."""
    own = modes["own"].values  # one column an indicator, one where it owns the mode
    spend, low_income, sd = (
        (values * own).sum(axis=1)
        for values in (coefficient["spend_within"], coefficient["low_income_within"], year_sd)
    )
    mean = spend * modes["shift_spend"].values + low_income * modes["shift_low_income"].values
    mode = pm.Normal("year_modes", mean, sd * modes["scale"].values, dims="year_mode")
    return (modes["basis"].values * mode).sum(axis=1).reshape((own.shape[1], -1))


def _observe(eta: Any, dispersion: Any, fitted: xr.Dataset) -> None:
    """One observed node for every cell of every family."""
    log_size = -2.0 * pt.log(dispersion)[:, None, None]
    cells = [fitted[name].values for name in ("events_upper", "exposure", "family")]
    pm.CustomDist(
        "events",
        eta,
        log_size,
        *cells,
        logp=log_probability,
        random=_simulate_events,
        observed=fitted["events_lower"].values,
        dims=("indicator", "area", "data_year"),
    )


def _simulate_events(
    eta: Any, log_size: Any, upper: Any, exposure: Any, family: Any, rng: Any = None, size: Any = None
) -> Any:
    return simulate(eta, log_size, exposure, family, rng=rng or np.random.default_rng(), size=size)
