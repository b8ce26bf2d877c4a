"""What a run needs to know of each area in the base year: its latest counts and its own placement prices."""

import zlib

import numpy as np
import xarray as xr

from toolkit.schema import INDICATORS, SAMPLE_DIMS

PRICE_YEARS = 3  # the latest years of an area's price over England's that speak for it


def base_year(statistics: xr.Dataset) -> xr.Dataset:
    """Return the latest known value of every count and covariate by area.

    Parameters
    ----------
    statistics
        From ``load_statistics``.

    Returns
    -------
    Dataset
        (area): the area-year variables at their latest year with a value, ``gcse_pupils`` and
        ``care_starts`` from the indicators, and ``<name>_year`` saying which year each comes from. An area
        without any value keeps NaN, and pricing it raises.
    """
    known = {str(name): array for name, array in statistics.items() if array.dims == ("area", "data_year")}
    for name, indicator, variable in (
        ("gcse_pupils", "gcse_grade_4", "exposure"),
        ("care_starts", "care_starts", "events_lower"),
    ):
        if indicator in INDICATORS and indicator in statistics["indicator"].values:
            known[name] = statistics[variable].sel(indicator=indicator, drop=True)
    latest = {}
    for name, array in known.items():
        year = array["data_year"].where(array.notnull(), -1).max("data_year")
        known_year = year.where(year > 0, array["data_year"][-1]).astype(int)
        latest[name] = array.sel(data_year=known_year).drop_vars("data_year")
        latest[f"{name}_year"] = year.where(year > 0)
    return xr.Dataset(latest)


def local_price_ratio(statistics: xr.Dataset, *, like: xr.Dataset, seed: int) -> xr.Dataset:
    """Draw each area's price of a looked-after week over England's, partially pooled.

    The log ratio of the latest three years is shrunk towards nought by its own year-to-year noise: the
    normal-normal posterior, exact for known variances, which are estimated from all areas at once.

    Parameters
    ----------
    statistics
        From ``load_statistics``: ``care_week_price`` and ``children_looked_after``.
    like
        Anything with ``chain`` and ``draw``.
    seed
        Seed of the run.

    Returns
    -------
    Dataset
        ``care`` (area, chain, draw), dimensionless. An area without prices is drawn from the spread
        between areas.

    References
    ----------
    Gelman, A. et al. (2013). Bayesian Data Analysis, 3rd ed., section 2.5.
    """
    price, children = statistics["care_week_price"], statistics["children_looked_after"]
    england = (price * children).sum("area") / children.where(price.notnull()).sum("area")
    log_ratio = xr.DataArray(np.log(price / england)).isel(data_year=slice(-PRICE_YEARS, None))
    count = log_ratio.notnull().sum("data_year")
    mean = log_ratio.mean("data_year").fillna(0.0)
    noise = float(log_ratio.var("data_year", ddof=1).mean()) / count.where(count > 0, np.inf)
    between = max(float(log_ratio.mean("data_year").var(ddof=1) - noise.where(count > 0).mean()), 1e-6)
    weight = between / (between + noise.where(count > 0, np.inf)).fillna(np.inf)
    spread = (between * (1.0 - weight)) ** 0.5
    stream = np.random.default_rng([seed, zlib.crc32(b"local_price_ratio")])
    shape = (price.sizes["area"], *(like.sizes[dim] for dim in SAMPLE_DIMS))
    noise_draws = xr.DataArray(
        stream.standard_normal(shape),
        dims=("area", *SAMPLE_DIMS),
        coords={"area": price["area"].values, **{dim: like[dim].values for dim in SAMPLE_DIMS}},
    )
    log_drawn = (weight * mean).reset_coords(drop=True) + spread.reset_coords(drop=True) * noise_draws
    return xr.Dataset({"care": xr.DataArray(np.exp(log_drawn)).assign_attrs(units="1")})
