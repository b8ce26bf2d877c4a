"""Rates of areas and of England, computed from the sampled parameters after sampling.

They are not part of the graph, because thousands of rates would take longer to compile than to compute.
"""

from typing import Any

import numpy as np
import xarray as xr
from scipy.special import expit

from toolkit.models.outcomes.levels import levels
from toolkit.models.outcomes.likelihoods import BETA_BINOMIAL
from toolkit.models.outcomes.persistence import deviations
from toolkit.schema import aligned, random_stream

REPORTED = ("intercept", "spend_within", "spend_between", "low_income", "low_income_within")
SCALES = ("region_sd", "year_sd", "persistence", "drift", "drift_size", "dispersion")
DRIFT_YEARS = 5  # over this span the drift's posterior hardly depends on the persistence, for fast and slow outcomes


def complete(
    sampled: xr.Dataset, *, design: xr.Dataset, modes: xr.Dataset, regions: np.ndarray, seed: int
) -> xr.Dataset:
    """Turn sampled parameters into the reported ones.

    Parameters
    ----------
    sampled
        Posterior draws of the free variables of :func:`toolkit.models.outcomes.model`.
    design
        The data that the model conditions on.
    modes
        Basis of the year effects.
    regions
        Basis of the regional effects (region, region_mode).
    seed
        Seed for the levels and deviations of areas that were not fitted, which are drawn from the distribution of
        areas.

    Returns
    -------
    Dataset
        Coefficients, standard deviations and ``persistence`` by indicator, ``area_correlation``, ``region_effect``,
        ``year_effect``, ``area_effect``, ``area_rate`` and ``national_rate``. Rates of years outside an
        indicator's window are NaN.
    """
    further = [f"{name}_{side}" for name in design["covariate"].values for side in ("within", "between")]
    posterior = sampled[[*REPORTED, *further, *SCALES]]
    posterior["persistence_sd"] = spread_of(sampled["drift"], sampled["persistence"])
    posterior["region_effect"] = _region_effect(sampled, design, regions)
    posterior["year_effect"] = _year_effect(sampled, design, modes)
    cholesky = _cholesky(sampled, design)
    posterior = posterior.assign(_spread(cholesky))
    random = random_stream(seed, "models.rates")
    posterior["area_effect"] = _area_effect(sampled, posterior, design, cholesky, random)
    posterior["area_rate"] = _area_rate(posterior, sampled["deviation_z"], design, random)
    weight = design["weight"]
    posterior["national_rate"] = (posterior["area_rate"] * weight).sum("area", skipna=False) / weight.sum("area")
    return _described(posterior)


def baseline(posterior: xr.DataTree, statistics: xr.Dataset) -> xr.DataArray:
    """Return the rates that a scenario starts from: those of each indicator's last year with data.

    Parameters
    ----------
    posterior
        From :func:`toolkit.models.fitting.fit`.
    statistics
        The Dataset it was fitted to, whose areas it must cover.

    Returns
    -------
    DataArray
        (chain, draw, indicator, area), events per person or share; ``base_year`` (indicator) is the year.

    Raises
    ------
    InputError
        If the areas of the posterior are not those of the statistics.
    """
    rate = posterior["posterior"].to_dataset()["area_rate"]
    aligned(rate.isel(chain=0, draw=0, data_year=0, indicator=0, drop=True), statistics["area"])
    return last_rates(rate)


def last_rates(rate: xr.DataArray) -> xr.DataArray:
    """Return the rates of each indicator's last year, with ``base_year`` (indicator) as a coordinate."""
    known = rate.isel(chain=0, draw=0, area=0, drop=True).notnull().values
    last = known.shape[1] - 1 - np.argmax(known[:, ::-1], axis=1)
    years = rate["data_year"].values[last]
    base = xr.concat([rate.isel(indicator=[k], data_year=t, drop=True) for k, t in enumerate(last)], "indicator")
    named = ", ".join(f"{name} {year}" for name, year in zip(rate["indicator"].values, years, strict=True))
    return base.assign_coords(base_year=("indicator", years)).rename("baseline_rate").assign_attrs(base_years=named)


def _region_effect(sampled: xr.Dataset, design: xr.Dataset, regions: np.ndarray) -> xr.DataArray:
    basis = xr.DataArray(regions, {"region_name": design["region_name"].values}, ("region_name", "region_mode"))
    effect: xr.DataArray = xr.dot(sampled["region_modes"].drop_vars("region_mode"), basis, dim="region_mode")
    return effect


def _year_effect(sampled: xr.Dataset, design: xr.Dataset, modes: xr.Dataset) -> xr.DataArray:
    shape = (design.sizes["indicator"], design.sizes["data_year"], modes.sizes["year_mode"])
    basis = xr.DataArray(
        modes["basis"].values.reshape(shape),
        {"indicator": design["indicator"].values, "data_year": design["data_year"].values},
        ("indicator", "data_year", "year_mode"),
    )
    effect: xr.DataArray = xr.dot(sampled["year_modes"].drop_vars("year_mode"), basis, dim="year_mode")
    return effect.where(design["in_window"])


def _cholesky(sampled: xr.Dataset, design: xr.Dataset) -> xr.DataArray:
    """Unpack the lower triangle, stored row by row."""
    names, packed = design["indicator"].values, sampled["area_cholesky"]
    full = np.zeros((*packed.shape[:2], len(names), len(names)))
    full[:, :, *np.tril_indices(len(names))] = packed.values
    coords = {"chain": packed["chain"], "draw": packed["draw"], "indicator": names, "factor": names}
    return xr.DataArray(full, coords, ("chain", "draw", "indicator", "factor"))


def _spread(cholesky: xr.DataArray) -> dict[str, xr.DataArray]:
    """Return the standard deviations of the areas of a region, and their correlations between indicators."""
    area_sd = (cholesky**2).sum("factor") ** 0.5
    unit = cholesky / area_sd
    other = unit.rename(indicator="indicator_other")
    return {"area_sd": area_sd, "area_correlation": xr.dot(unit, other, dim="factor")}


def _area_effect(
    sampled: xr.Dataset, posterior: xr.Dataset, design: xr.Dataset, cholesky: xr.DataArray, rng: np.random.Generator
) -> xr.DataArray:
    """Return levels: of fitted areas as sampled, of others drawn around the prediction from region and covariates."""
    region = posterior["region_effect"].isel(region_name=xr.DataArray(design["region_index"].values, dims="area"))
    mean = (
        posterior["intercept"]
        + region.drop_vars("region_name").assign_coords(area=design["area"].values)
        + posterior["spend_between"] * design["spend_between"].reset_coords(drop=True)
        + posterior["low_income"] * design["low_income_between"].reset_coords(drop=True)
    )
    for name in design["covariate"].values:
        between = design["covariate_between"].sel(covariate=name).reset_coords(drop=True)
        mean = mean + posterior[f"{name}_between"] * between
    order = ("chain", "draw", "indicator", "area")
    mean = mean.transpose(*order)
    # Areas that were not fitted have no counts, so a standard normal z draws them from their prior.
    z = rng.standard_normal(mean.shape)
    z[..., np.isin(design["area"], sampled["area"])] = sampled["level_z"].transpose(*order).values
    wandering = (posterior["persistence"], area_spread(posterior, design).transpose(*order), posterior["dispersion"])
    drawn = (part.values.astype(float).reshape(-1, *part.shape[2:]) for part in (mean, cholesky, *wandering))
    known = (design[f"area_{name}"].values.astype(float) for name in ("response", "chance", "extra", "years"))
    return mean.copy(data=np.asarray(levels(z.reshape(-1, *z.shape[2:]), *drawn, *known)).reshape(z.shape))


def _area_rate(
    posterior: xr.Dataset, sampled: xr.DataArray, design: xr.Dataset, rng: np.random.Generator
) -> xr.DataArray:
    rates = []
    for name in design["indicator"].values:
        draws, cells = posterior.sel(indicator=name), design.sel(indicator=name).reset_coords(drop=True)
        eta = linear_predictor(draws, cells)
        moved = eta.values + _deviation(eta, draws, sampled.sel(indicator=name), cells, rng)
        link = expit if int(cells["likelihood"]) == BETA_BINOMIAL else np.exp
        rates.append(eta.copy(data=link(moved).astype("float32")))
    rate = xr.concat(rates, "indicator").transpose("chain", "draw", "indicator", "area", "data_year")
    return rate.assign_coords(area_name=("area", design["area_name"].values), region=("area", design["region"].values))


def linear_predictor(draws: xr.Dataset, cells: xr.Dataset) -> xr.DataArray:
    """Return the linear predictor of one indicator without its deviations (chain, draw, area, data_year)."""
    eta: xr.DataArray = (
        draws["area_effect"]
        + draws["year_effect"]
        + draws["spend_within"] * cells["spend_within"]
        + draws["low_income_within"] * cells["low_income_within"]
    )
    for name in cells["covariate"].values:
        eta = eta + draws[f"{name}_within"] * cells["covariate_within"].sel(covariate=name, drop=True)
    return eta.transpose(..., "area", "data_year")


def _deviation(
    eta: xr.DataArray, draws: xr.Dataset, sampled: xr.DataArray, cells: xr.Dataset, rng: np.random.Generator
) -> np.ndarray:
    """Turn sampled coordinates into deviations; those of areas that were not fitted are drawn from their prior."""
    z = rng.standard_normal(eta.shape)
    z[:, :, np.isin(eta["area"], sampled["area"])] = sampled.transpose("chain", "draw", "area", "data_year").values
    flat = (eta.shape[0] * eta.shape[1], *eta.shape[2:])
    persistence, dispersion = (draws[name].values.astype(float).ravel() for name in ("persistence", "dispersion"))
    spread = area_spread(draws, cells).transpose("chain", "draw", "area").values.astype(float).reshape(flat[:2])
    known = (cells[name].values for name in ("response", "chance", "extra"))
    # Years outside the window have no year effect, so that their predictor is NaN, and no count.
    deviation = deviations(
        np.nan_to_num(eta.values).reshape(flat), z.reshape(flat), persistence, spread, dispersion, *known
    )
    return np.asarray(deviation).reshape(eta.shape)


def spread_of(drift: Any, persistence: Any) -> Any:
    """Return the standard deviation of deviations in any year from the drift (that of a change, over root 2)."""
    return drift * (1.0 - persistence**DRIFT_YEARS) ** -0.5


def area_spread(draws: xr.Dataset, cells: xr.Dataset) -> xr.DataArray:
    """Return the standard deviation of each area's deviations, which falls with the size of the area."""
    factor: xr.DataArray = xr.ufuncs.exp(draws["drift_size"] * cells["log_size"].reset_coords(drop=True))
    return draws["persistence_sd"] * factor


def walk_covariance(years: int) -> np.ndarray:
    """Return the covariance (years, years) of a random walk of unit steps that starts from 0."""
    return np.minimum.outer(np.arange(1, years + 1), np.arange(1, years + 1)).astype(float)


def _described(posterior: xr.Dataset) -> xr.Dataset:
    notes = {
        "spend_within": "log rate or logit share per log GBP per child, within an area over time: an association",
        "spend_between": "the same, between areas: an association",
        "low_income": "log rate or logit share per ten percentage points of child low income, between areas",
        "low_income_within": "the same, within an area over time",
        "area_sd": "between areas of a region, log or logit scale",
        "persistence": "correlation of an area's deviation from its level with that of the next year",
        "drift": f"standard deviation of a middling area's change over {DRIFT_YEARS} years, noise apart, over root 2",
        "drift_size": "power of an area's size by which its drift grows or, below 0, falls",
        "persistence_sd": "of the deviation of an area of middling size from its level in any year, log or logit scale",
        "dispersion": "variation of a cell beyond chance: coefficient of variation of events, (alpha + beta) ** -0.5 "
        "of shares, coefficient of variation between those that a mean is taken over",
        "area_effect": "level of an area on the log or logit scale in its average year",
        "area_rate": "share, events per person and year, or mean (points per pupil); NaN outside an indicator's years",
        "national_rate": "area rates weighted by exposure",
    }
    for name, note in notes.items():
        posterior[name].attrs["note"] = note
    for values in posterior.data_vars.values():
        values.attrs["units"] = "1"
    return posterior
