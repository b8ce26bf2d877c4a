"""What a week of placement costs in each authority: prices of the panel, partially pooled.

The log real price of placement k in area i and year t is national[k, t] + region[k, r] + own[k, i, t] plus
noise. The national path is a random walk with drift, its real growth. An area's own distance from its
region is a stationary autoregression, so the latest years inform the base year, and a missing
year or area is predicted from the rest. Smaller authorities are noisier, and some vary far more than
others: each area's whole series is scaled by its own chi-squared mixture, which makes it a multivariate Student's t.
Own distance, noise and scale are integrated out exactly by a scalar Kalman filter.
"""

from collections.abc import Callable
from typing import Any

import arviz as az
import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
import xarray as xr

from toolkit.models.fitting.monte_carlo import rounded, summary
from toolkit.models.prior_rows import prior_of, shape_of
from toolkit.schema import MCSE, SAMPLE_DIMS, InputError, random_stream

MODEL = "placements"
TYPICAL_CHILDREN = 400.0  # looked-after children of a middling authority, the reference of size
LEAST_TAIL = 2.0  # degrees of freedom below which the t has no variance
MOST_DRAWS = 2000  # of the posterior, enough for a mean and a standard deviation by area
NUMBERS = ("log_ratio", "log_ratio_sd", "price", "low", "high")
TABLE_COLUMNS = ["area", "placement", "base_year", *(f"{name}{which}" for name in NUMBERS for which in ("", MCSE))]


def placements(prices: xr.Dataset, *, priors: pd.DataFrame) -> pm.Model:
    """Return the model of weekly placement prices.

    Parameters
    ----------
    prices
        From ``evidence.placement_prices``: ``price`` (placement, area, data_year) with gaps, ``children`` and
        ``region`` (area).
    priors
        The table of priors, model ``placements``.

    Returns
    -------
    pymc.Model
        ``national`` (placement, data_year), log real price; by placement ``growth`` a year, ``persistence``,
        ``area_sd``, ``noise``, ``noise_size`` and ``tail``; ``region_effect`` (placement, region).

    Raises
    ------
    InputError
        A price that is not positive, or a missing prior.
    """
    observed = prices["price"].to_numpy()
    if not (observed[np.isfinite(observed)] > 0).all():
        raise InputError("placement prices: a price is 0 or less.", fix="blank the cell.")
    regions, region = np.unique(prices["region"].to_numpy(), return_inverse=True)
    coords = {dim: prices[dim].to_numpy() for dim in ("placement", "data_year")} | {"region": regions}
    shape = (prices.sizes["placement"], prices.sizes["data_year"] - 1)
    with pm.Model(coords=coords) as model:
        growth, start = _normal("growth", priors), _normal("start", priors)
        # The yearly changes are sampled directly (centred): 150 areas determine them well, so that standardised ones
        # would lie along a narrow curved ridge with growth and their spread.
        change = pm.Normal("change", growth[:, None], _half("national_step", priors)[:, None], shape=shape)
        # Cumulative sums of the changes, 0 in the first year.
        so_far = change @ np.triu(np.ones((shape[1], shape[1] + 1)), k=1)
        national = pm.Deterministic("national", start[:, None] + so_far, dims=("placement", "data_year"))
        spread, part = _half("region_sd", priors)[:, None], _known_part(prices)[:, None]
        raw = pm.ZeroSumNormal("region_raw", sigma=spread**part, dims=("placement", "region"))
        offset = pm.Deterministic("region_effect", spread ** (1 - part) * raw, dims=("placement", "region"))
        memory = pm.Beta("persistence", *shape_of(priors, MODEL, "persistence"), dims="placement")
        extra = pm.Gamma("tail_extra", *shape_of(priors, MODEL, "tail_extra"), dims="placement")
        tail = pm.Deterministic("tail", LEAST_TAIL + extra, dims="placement")
        own = {"memory": memory, "area_sd": _half("area_sd", priors), "noise": _half("noise", priors)}
        own["noise_size"] = _normal("noise_size", priors)
        parts = {name: value[:, None] for name, value in own.items()}
        log_price = pm.Data("log_price", np.log(np.nan_to_num(observed, nan=1.0)))  # calibration replaces it
        gap = log_price - national[:, None, :] - offset[:, region, None]
        filtered = _filter(gap, np.isfinite(observed), log_size(prices), log=pt.log, exp=pt.exp, **parts)
        pm.Potential("prices", _log_density(filtered, tail[:, None]).sum())
    return model


def set_aside(prices: xr.Dataset, *, priors: pd.DataFrame) -> xr.DataArray:
    """Mark prices that differ implausibly from every neighbouring year (placement, area, data_year).

    Parameters
    ----------
    prices
        From ``evidence.placement_prices``.
    priors
        The table of priors: ``set_aside_factor`` is the factor by which a price, relative to England's, must be above
        or below every neighbouring year's.
    """
    rows = priors[(priors["model"] == MODEL) & (priors["parameter"] == "set_aside_factor")]
    if rows.empty:
        raise InputError(f"priors: model '{MODEL}' has no row for set_aside_factor.", fix="add one.")
    ratio = xr.DataArray(np.log(prices["price"] / prices["england"]))
    near = [abs(ratio - ratio.shift(data_year=step)) for step in (-1, 1)]
    close = [gap <= float(np.log(rows["arg1"].iloc[0])) for gap in near]
    alone = near[0].isnull() & near[1].isnull()
    flagged: xr.DataArray = ratio.notnull() & ~close[0] & ~close[1] & ~alone
    return flagged


def _known_part(prices: xr.Dataset) -> np.ndarray:
    """Return how well each placement's regional differences are known from its prices: 0 not at all, 1 exactly.

    Only the sampler's coordinates depend on it: well-known effects are sampled centred, others non-centred
    (Papaspiliopoulos, Roberts and Sköld, 2007, doi:10.1214/088342307000000014).
    """
    level = xr.ufuncs.log(prices["price"] / prices["england"]).mean("data_year").transpose("area", "placement")
    regions = pd.DataFrame(level.to_numpy()).groupby(prices["region"].to_numpy())
    by_chance, between = regions.var().mean() * (1 / regions.count()).mean(), regions.mean().var()
    return np.asarray((1 - by_chance / between).fillna(0.0).clip(0.0, 1.0))


def _normal(name: str, priors: pd.DataFrame) -> Any:
    return pm.Normal(name, *prior_of(priors, MODEL, name), dims="placement")


def _half(name: str, priors: pd.DataFrame) -> Any:
    return pm.HalfNormal(name, prior_of(priors, MODEL, name)[1], dims="placement")


def log_size(prices: xr.Dataset) -> np.ndarray:
    """Return the log of each area's looked-after children over those of a middling authority."""
    return np.log(prices["children"].fillna(1).clip(min=1).to_numpy() / TYPICAL_CHILDREN)


def _filter(
    gap: Any,
    known: np.ndarray,
    size: np.ndarray,
    *,
    memory: Any,
    area_sd: Any,
    noise: Any,
    noise_size: Any,
    log: Callable[[Any], Any],
    exp: Callable[[Any], Any],
) -> dict[str, Any]:
    """Run each area's Kalman filter over the years (the last axis), on numbers or on a graph.

    Returns the last year's own distance (``mean`` and ``variance``), the sum of squared standardised surprises, the
    log determinant of their variances and the number of known years, all at a scale of one.
    """
    error = (noise * exp(noise_size * size)) ** 2
    mean, variance, squares, determinant = 0.0 * error, area_sd**2 + 0.0 * error, 0.0, 0.0
    for year in range(known.shape[-1]):
        if year:
            mean, variance = memory * mean, memory**2 * variance + area_sd**2 * (1 - memory**2)
        seen = known[..., year].astype(float)
        spread, surprise = variance + error, gap[..., year] - mean
        squares = squares + seen * surprise**2 / spread
        determinant = determinant + seen * log(spread)
        gain = seen * variance / spread
        mean, variance = mean + gain * surprise, variance * (1 - gain)
    return {
        "mean": mean,
        "variance": variance,
        "squares": squares,
        "determinant": determinant,
        "count": known.sum(axis=-1).astype(float),
    }


def _log_density(filtered: dict[str, Any], tail: Any) -> Any:
    """Return the log-density of each area's series under the multivariate t; 0 for a series without a price."""
    count, half = filtered["count"], tail / 2
    constant = pt.gammaln(half + count / 2) - pt.gammaln(half) - count / 2 * pt.log(np.pi * tail)
    return constant - filtered["determinant"] / 2 - (half + count / 2) * pt.log1p(filtered["squares"] / tail)


def price_ratio(posterior: xr.Dataset, prices: xr.Dataset, *, seed: int) -> xr.DataArray:
    """Draw the log of each area's underlying price over England's in the latest year.

    England's price is the published one, weighted by care days: the ratio multiplies that figure, so that areas add
    up to England. The area's own distance is drawn exactly, given its prices and each draw of the parameters.

    Parameters
    ----------
    posterior
        Posterior of :func:`placements`.
    prices
        From ``evidence.placement_prices``.
    seed
        Seed of the draws.

    Returns
    -------
    DataArray
        ``log_ratio`` (draw, placement, area): about ``MOST_DRAWS`` draws, chain after chain.
    """
    every = max(1, posterior.sizes["chain"] * posterior.sizes["draw"] // MOST_DRAWS)
    thinned = posterior.isel(draw=slice(None, None, every))
    flat = thinned.stack(sample=SAMPLE_DIMS).transpose("sample", "placement", ...)
    region = np.searchsorted(flat["region"].to_numpy(), prices["region"].to_numpy())
    place = flat["region_effect"].to_numpy()[:, :, region]
    national = flat["national"].to_numpy()
    observed = prices["price"].to_numpy()
    gap = np.log(np.nan_to_num(observed, nan=1.0)) - national[:, :, None, :] - place[..., None]
    names = {"memory": "persistence", "area_sd": "area_sd", "noise": "noise", "noise_size": "noise_size"}
    parts = {name: flat[variable].to_numpy()[..., None] for name, variable in names.items()}
    filtered = _filter(gap, np.isfinite(observed), log_size(prices), log=np.log, exp=np.exp, **parts)
    tail = flat["tail"].to_numpy()[..., None]
    freedom = tail + filtered["count"]
    scale = np.sqrt(filtered["variance"] * (tail + filtered["squares"]) / freedom)
    own = filtered["mean"] + scale * random_stream(seed, "models.placements").standard_t(freedom)
    england = np.log(prices["england"].isel(data_year=-1).to_numpy())[:, None]
    coords = {dim: prices[dim].to_numpy() for dim in ("placement", "area")}
    ratio = national[..., -1][..., None] + place + own - england
    return xr.DataArray(ratio, coords, ("draw", "placement", "area"), name="log_ratio")


def price_table(posterior: xr.Dataset, prices: xr.Dataset, *, seed: int) -> pd.DataFrame:
    """Return :func:`price_ratio` as a table, one row per area and placement.

    Returns
    -------
    DataFrame
        Columns ``TABLE_COLUMNS``: mean and standard deviation of the log ratio, the median price of the base
        year in 2025/26 prices and its 90 per cent interval, each with its Monte Carlo error.
    """
    ratio, chains = price_ratio(posterior, prices, seed=seed), posterior.sizes["chain"]
    coords = {dim: ratio[dim] for dim in ("placement", "area")}
    by_chain = xr.DataArray(
        ratio.values.reshape(chains, -1, *ratio.shape[1:]), coords, (*SAMPLE_DIMS, "placement", "area")
    )
    logs, price = summary(by_chain), xr.ufuncs.exp(by_chain) * prices["england"].isel(data_year=-1, drop=True)
    ends = summary(price)
    names = {"log_ratio": logs["mean"], "log_ratio_sd": logs["sd"], "price": price.median(SAMPLE_DIMS)}
    names |= {"low": ends["low"], "high": ends["high"]}
    errors = [logs[f"mean{MCSE}"], logs[f"sd{MCSE}"], az.mcse(price, method="median")]
    errors += [ends[f"{name}{MCSE}"] for name in ("low", "high")]
    columns = names | {f"{name}{MCSE}": error for name, error in zip(NUMBERS, errors, strict=True)}
    table = xr.Dataset(columns).to_dataframe().reset_index().assign(base_year=int(prices["data_year"][-1]))
    digits = dict(zip(NUMBERS, (5, 5, 0, 0, 0), strict=True))
    table = rounded(table.sort_values(["placement", "area"])[TABLE_COLUMNS].round(digits), 5)
    return table.reset_index(drop=True)
