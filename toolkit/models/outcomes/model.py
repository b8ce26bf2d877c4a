"""The joint model of the outcome rates of all areas, years and indicators.

Rates are pooled over areas within regions, correlated across indicators within areas, and depend on the
year's national level, early-help spending (separately within and between areas, after Mundlak) and child low
income. Each area drifts around its level: its deviation of one year persists into the next. The parametrisation
is the one that sampled best on these data: year effects in the eigenvectors of their random walk, in which the walk's
prior is diagonal; covariates net of their yearly means; and levels and deviations of areas in coordinates that
follow the information in the counts (:mod:`toolkit.models.outcomes.persistence`).

References
----------
.. [1] Mundlak (1978), On the pooling of time series and cross section data, doi:10.2307/1913646.
.. [2] Lewandowski, Kurowicka and Joe (2009), Generating random correlation matrices,
   doi:10.1016/j.jmva.2009.04.008.
.. [3] Chung et al. (2013), A nondegenerate penalized likelihood estimator for variance parameters,
   doi:10.1007/s11336-013-9328-2: why the priors of standard deviations avoid 0.
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

from toolkit.models.fitting.priors import load_priors, prior, setting, unnamed_prior
from toolkit.models.outcomes.density import log_probability
from toolkit.models.outcomes.design import design_of
from toolkit.models.outcomes.likelihoods import UNOBSERVED, simulate
from toolkit.models.outcomes.persistence import simulate_deviations
from toolkit.models.outcomes.rates import complete, spread_of, walk_covariance
from toolkit.schema import INDICATORS

# Almost all of the ten thousand dimensions are nearly independent and standard normal. The optimal acceptance rate of
# such targets falls to 0.65 as their number grows (Beskos et al. 2013, doi:10.3150/12-BEJ414), but trajectory lengths
# are powers of two: on the real data 0.8 takes 31 steps a draw, 0.65 sometimes 15, and 0.8 samples the least known
# spread three times better.
TARGET_ACCEPT = 0.8
LEVELS = ("area_response", "area_chance", "area_extra", "area_years")
CELLS = ("events_upper", "exposure", "family", "response", "chance", "extra")  # in the order of the density's arguments
SIGNATURE = (
    "(k,i),(k,k),(k,i),(k,i,t),(k,i,t),(k),(k,i),(k)" + len(LEVELS) * ",(k,i)" + len(CELLS) * ",(k,i,t)" + "->(k,i,t)"
)


def outcomes(
    statistics: xr.Dataset,
    *,
    indicators: Sequence[str] = INDICATORS,
    priors: pd.DataFrame | None = None,
    covariates: Sequence[str] = (),
    spend_doubt: xr.DataArray | None = None,
) -> pm.Model:
    """Build the joint model of outcome rates.

    Parameters
    ----------
    statistics
        From :func:`toolkit.evidence.load_statistics`: dims (indicator, area, data_year).
    indicators
        The rates to model, each with its ``likelihood`` row in the table of priors.
    priors
        Rows of ``data/evidence/priors.csv``; by default the shipped table.
    covariates
        Further variables (area, data_year) of the statistics to condition on, such as ``caseload``, ``agency_share``
        and ``ofsted_judgement``: each adds ``<name>_within`` and ``<name>_between``, per standard deviation.
    spend_doubt
        From ``spend_error.calibrated``, together with its statistics: the errors of spending become parameters. Then
        only the sampled parameters are valid, not the rates computed from them afterwards.

    Returns
    -------
    pymc.Model
        Its ``design`` attribute holds the cells and covariates used, from which :func:`fit` computes the rates.

    Raises
    ------
    InputError
        Names an unknown indicator or covariate, a missing prior, or cells and covariates that cannot be used.
    """
    table = load_priors("outcomes", priors)
    design = design_of(statistics, indicators, table, covariates)
    modes = _year_modes(design)
    with pm.Model(coords=_coords(design, modes)) as model:
        names = list(design["indicator"].values)
        coefficient = {
            name: prior(name, table, names)
            for name in ("intercept", "spend_within", "spend_between", "low_income", "low_income_within")
        }
        year_sd, region_sd = (prior(name, table, names) for name in ("year_sd", "region_sd"))
        fitted = design.sel(area=design["fitted"])
        spend_within, spend_between = _spend(fitted, spend_doubt)
        level = (
            coefficient["intercept"][:, None]
            + _region_effect(design, region_sd)
            + coefficient["spend_between"][:, None] * spend_between
            + coefficient["low_income"][:, None] * fitted["low_income_between"].values
        )
        moves = (
            _year_effect(modes, coefficient, year_sd)[:, None, :]
            + coefficient["spend_within"][:, None, None] * spend_within
            + coefficient["low_income_within"][:, None, None] * fitted["low_income_within"].values
        )
        for covariate in covariates:
            within, between = (
                prior(f"covariate_{side}", table, names, name=f"{covariate}_{side}") for side in ("within", "between")
            )
            moves = moves + within[:, None, None] * fitted["covariate_within"].sel(covariate=covariate).values
            level = level + between[:, None] * fitted["covariate_between"].sel(covariate=covariate).values
        wandering = _wandering(names, table, fitted["log_size"].values)
        _observe(level, _area_cholesky(names, table), moves, wandering, fitted)
    model.target_accept = TARGET_ACCEPT
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


def _spend(fitted: xr.Dataset, doubt: xr.DataArray | None) -> tuple[Any, Any]:
    """Return spending within (indicator, area, data_year) and between areas; given ``doubt``, errors are parameters."""
    within, between = fitted["spend_within"].values, fitted["spend_between"].values
    if doubt is None:
        return within, between
    doubt = doubt.sel(area=fitted["area"].values, data_year=fitted["data_year"].values)
    scale = doubt.transpose("area", "data_year", "factor").values
    error = (scale * pm.Normal("spend_error", shape=(len(scale), scale.shape[2]))[:, None, :]).sum(axis=2)
    used = fitted["family"].values != UNOBSERVED
    mean = (used / used.sum(axis=2, keepdims=True).clip(1) * error).sum(axis=2)
    return within + error - mean[:, :, None], between + mean


def _region_effect(design: xr.Dataset, region_sd: Any) -> Any:
    """Return zero-sum regional effects (indicator, fitted area), from independent coordinates in an orthonormal basis.

    It uses sums of products, since a matrix product or indexing would take several seconds to compile.
    """
    mode = pm.Normal("region_modes", 0.0, region_sd[:, None], dims=("indicator", "region_mode"))
    basis = zero_sum_basis(design.sizes["region_name"])[design["region_index"].values[design["fitted"].values]]
    return (mode[:, None, :] * basis).sum(axis=2)


def zero_sum_basis(size: int) -> np.ndarray:
    """Return an orthonormal basis (size, size - 1) of the vectors that sum to 0."""
    return np.asarray(null_space(np.ones((1, size))))


def _area_cholesky(names: list[str], table: pd.DataFrame) -> Any:
    """Return the Cholesky factor of the areas' covariance between indicators; for one, its standard deviation."""
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


def _year_modes(design: xr.Dataset) -> xr.Dataset:
    """Return eigenvectors of each indicator's year effects over its window, and the standard deviation along each.

    The prior of zero-sum year effects, a random walk with free years around it, is diagonal in these coordinates. So
    they are independent in the prior and, as each year has almost equal data, nearly independent in the posterior.
    ``shift_*`` are the yearly means of the covariates in the same coordinates: the walk is the prior of the year
    effects without them.
    """
    parts = []
    for k in range(design.sizes["indicator"]):
        window = design["in_window"].values[k]
        centre = np.eye(window.sum()) - 1 / window.sum()
        covariance = walk_covariance(window.sum()) + np.diag(design["free_variance"].values[k, window])
        values, vectors = eigh(centre @ covariance @ centre)
        basis = np.zeros((len(window), window.sum() - 1))
        basis[window] = vectors[:, 1:]
        means = {which: basis.T @ design[f"{which}_year_mean"].values[k] for which in ("spend", "low_income")}
        parts.append((basis, np.sqrt(values[1:]), means["spend"], means["low_income"], np.full(len(values) - 1, k)))
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


def _year_effect(modes: xr.Dataset, coefficient: dict[str, Any], year_sd: Any) -> Any:
    """Return year effects (indicator, data_year), 0 outside an indicator's window."""
    own = modes["own"].values  # one column per indicator, one for the modes it owns
    spend, low_income, sd = (
        (values * own).sum(axis=1)
        for values in (coefficient["spend_within"], coefficient["low_income_within"], year_sd)
    )
    mean = spend * modes["shift_spend"].values + low_income * modes["shift_low_income"].values
    mode = pm.Normal("year_modes", mean, sd * modes["scale"].values, dims="year_mode")
    return (modes["basis"].values * mode).sum(axis=1).reshape((own.shape[1], -1))


def _wandering(names: list[str], table: pd.DataFrame, log_size: np.ndarray) -> list[Any]:
    """Return persistence and spread of the deviations, and the noise around them.

    The spread is sampled as the drift over some years, which hardly depends on the persistence given the counts. It
    falls with an area's size: large authorities consist of many offices, whose changes even out.
    """
    persistence, drift, power, dispersion = (
        prior(name, table, names) for name in ("persistence", "drift", "drift_size", "dispersion")
    )
    spread = spread_of(drift, persistence)[:, None] * pt.exp(power[:, None] * log_size)
    return [persistence, spread, dispersion]


def _observe(level: Any, cholesky: Any, moves: Any, wandering: list[Any], fitted: xr.Dataset) -> None:
    """Add one observed node for every cell of every family, and for the levels and deviations of the areas."""
    dims = ("indicator", "area", "data_year")
    known = {name: pm.Data(name, fitted[name].values.astype(float), dims=dims[:2]) for name in LEVELS}
    cells = {name: pm.Data(name, fitted[name].values, dims=dims) for name in CELLS}
    pm.CustomDist(
        "events",
        level,
        cholesky,
        pm.Normal("level_z", dims=dims[:2]),
        moves,
        pm.Normal("deviation_z", dims=dims),
        *wandering,
        *known.values(),
        *cells.values(),
        logp=log_probability,
        random=_simulate_events,
        signature=SIGNATURE,
        observed=pm.Data("events_lower", fitted["events_lower"].values, dims=dims),
        dims=dims,
    )


def _simulate_events(
    level: Any,
    cholesky: Any,
    level_z: Any,
    moves: Any,
    deviation_z: Any,
    persistence: Any,
    spread: Any,
    dispersion: Any,
    *data: Any,
    rng: np.random.Generator,
    size: Any = None,
) -> Any:
    """Draw levels, deviations and counts from the prior, without z, whose meaning depends on the counts."""
    cells = dict(zip((*LEVELS, *CELLS), data, strict=True))
    area = level + cholesky @ rng.normal(size=level.shape)
    deviation = simulate_deviations(persistence[:, None], spread, moves.shape, rng=rng)
    log_size = -2.0 * np.log(dispersion)[:, None, None]
    return simulate(area[:, :, None] + moves + deviation, log_size, cells["exposure"], cells["family"], rng=rng)
