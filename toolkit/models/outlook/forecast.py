"""Draw the years to come of every series, from each draw of the parameters."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from toolkit.models.outlook.series import LASTING
from toolkit.models.outlook.smoothing import filled, first_years, log_spreads, weights
from toolkit.schema import SAMPLE_DIMS, random_stream

Array = NDArray[Any]
GROWTH_YEARS = 5  # of the growth that is carried on where it forecasts better than the model's
NOT_BY_CHANCE = 2.0  # standard errors beyond which a correlation of two series' surprises is kept


def own_state(posterior: xr.Dataset, series: xr.Dataset, areas: Sequence[str] | None = None) -> dict[str, Array]:
    """Return where each area, or some, stands after its last year (sample, series, area), by draw of the parameters.

    ``level``, its distance from its region's path; ``tail`` and ``squares``, degrees of freedom and the sum of squared
    surprises that its scale is drawn from; ``log_spread`` of a later surprise at a scale of one; ``surprise``
    (sample, series, area, data_year), standardised, NaN where unknown.
    """
    flat = posterior.stack(sample=SAMPLE_DIMS, create_index=False).transpose("sample", "series", ...)
    numbers = {name: flat[name].to_numpy().astype(float) for name in OF_SERIES}
    at = np.arange(series.sizes["area"]) if areas is None else series.indexes["area"].get_indexer(pd.Index(areas))
    value, known = filled(series["value"])  # gaps are filled as all areas moved, whichever are asked for
    first, years, size = first_years(known), value.shape[-1], series["log_size"].to_numpy()[at]
    value, known = value[:, at], known[:, at]
    region = np.searchsorted(flat["region"].to_numpy(), series["region"].to_numpy()[at])
    place = flat["region_effect"].to_numpy()[:, :, region, None]
    gap = value - flat["national"].to_numpy()[:, :, None, :] - place
    expected = gap @ weights(numbers["gain"], numbers["first_gain"], first, years, ahead=1)
    spread = (numbers["area_sd"], numbers["spread"], numbers["size_power"], size, first, years)
    surprise = np.where(known, (gap - expected[..., :-1]) * np.exp(-log_spreads(*spread, log=np.log)), np.nan)
    later = np.log(numbers["spread"])[..., None] + numbers["size_power"][..., None] * size
    return {
        "level": expected[..., -1],
        "place": place[..., 0],
        "squares": np.nansum(surprise**2, axis=-1),
        "count": known.sum(axis=-1).astype(float),
        "log_spread": later,
        "surprise": surprise,
    }


OF_SERIES = ("growth", "step", "memory", "area_sd", "spread", "size_power", "gain", "first_gain", "tail")


def surprise_correlation(posterior: xr.Dataset, series: xr.Dataset) -> xr.DataArray:
    """Return how the series' surprises of one area and year go together (series, series_other).

    Parameters
    ----------
    posterior, series
        Draws of the model's parameters, and its series.

    Returns
    -------
    DataArray
        Correlations of surprises over their area's scale at the mean of the parameters; those within two standard
        errors of 0 are 0, and the nearest such matrix without negative eigenvalues is returned.
    """
    mean = posterior.mean(SAMPLE_DIMS).expand_dims(chain=[0], draw=[0])
    state = own_state(mean, series)
    tail = mean["tail"].to_numpy()[0, 0][:, None]
    scale = np.sqrt((tail + state["squares"][0]) / (tail + state["count"]))
    scaled = (state["surprise"][0] / scale[..., None]).reshape(len(scale), -1)
    number = np.isfinite(scaled).astype(float) @ np.isfinite(scaled).T.astype(float)
    here = np.nan_to_num(scaled)
    squares = here**2 @ np.isfinite(scaled).T.astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = np.nan_to_num(here @ here.T / np.sqrt(squares * squares.T))
    kept = np.where(abs(correlation) > NOT_BY_CHANCE / np.sqrt(np.maximum(number, 1.0)), correlation, 0.0)
    np.fill_diagonal(kept, 1.0)
    values, vectors = np.linalg.eigh(kept)
    near = vectors * np.clip(values, 1e-6, None) @ vectors.T
    near = near / np.sqrt(np.outer(np.diag(near), np.diag(near)))
    names = series["series"].to_numpy()
    return xr.DataArray(near, {"series": names, "series_other": names}, ("series", "series_other"), name="correlation")


def simulate(
    posterior: xr.Dataset,
    series: xr.Dataset,
    *,
    years: int,
    fade_years: float,
    seed: int,
    areas: Sequence[str],
    carried: Collection[str] = (),
    lasting: Collection[str] = LASTING,
) -> xr.Dataset:
    """Draw the series of the years after the last.

    England's growth fades linearly to none; its departures keep their memory. Surprises of one area and year, and
    departures of one year, go together as the surprises of the past did.

    Parameters
    ----------
    posterior
        Draws of the model's parameters, with ``correlation`` from :func:`surprise_correlation`.
    series
        What the model was fitted to.
    years
        Number of years to come.
    fade_years
        Years until England's growth has faded to none.
    seed
        Of the draws. An area's own do not depend on which others are drawn.
    areas
        Which areas.
    carried
        Series whose growth is England's of the last five years, without momentum, in place of the model's.
    lasting
        Series forecast without what passes: by default prices, whose returns are noisy; none to score returns.

    Returns
    -------
    Dataset
        ``value`` (chain, draw, series, area, year): the last year, as published or as expected where it is not, and the
        years to come. ``growth`` (chain, draw, series, year),
        the part of England's yearly change that is growth.
    """
    state, flat = own_state(posterior, series, areas), posterior.stack(sample=SAMPLE_DIMS, create_index=False)
    numbers = {name: flat[name].transpose("sample", "series").to_numpy().astype(float) for name in OF_SERIES}
    national = flat["national"].transpose("sample", "series", "data_year").to_numpy().astype(float)
    samples, kinds = numbers["growth"].shape
    root = np.linalg.cholesky(posterior["correlation"].to_numpy())
    stream = random_stream(seed, "models.outlook")
    shocks = stream.standard_normal((years, samples, kinds)) @ root.T * numbers["step"]
    left = np.clip(1.0 - np.arange(years) / fade_years, 0.0, None)[:, None, None]
    departure, path = national[..., -1] - national[..., -2] - numbers["growth"], [national[..., -1]]
    plain = np.isin(series["series"].to_numpy(), list(carried))
    recent = (national[..., -1] - national[..., -1 - GROWTH_YEARS]) / GROWTH_YEARS
    growth, departure = np.where(plain, recent, numbers["growth"]), np.where(plain, 0.0, departure)
    for year in range(years):
        departure = numbers["memory"] * departure + shocks[year]
        path.append(path[-1] + growth * left[year] + departure)
    surprises = np.empty((samples, kinds, len(areas), years))
    for at, area in enumerate(areas):
        own = random_stream(seed, f"models.outlook {area}")
        freedom = numbers["tail"] + state["count"][:, at]
        scale = np.sqrt((numbers["tail"] + state["squares"][:, :, at]) / own.chisquare(freedom))
        drawn = own.standard_normal((years, samples, kinds)) @ root.T
        surprises[:, :, at] = np.moveaxis(drawn, 0, -1) * (scale * np.exp(state["log_spread"][:, :, at]))[..., None]
    moved = np.cumsum(surprises, axis=-1) * numbers["gain"][..., None, None]
    before = np.concatenate([np.zeros_like(moved[..., :1]), moved[..., :-1]], axis=-1)
    smooth = np.isin(series["series"].to_numpy(), list(lasting))[:, None, None]
    apart = np.where(smooth, moved, before + surprises)
    centre = (np.stack(path, axis=-1)[:, :, None, :] + state["place"][..., None]) + state["level"][..., None]
    latest = series["value"].sel(area=list(areas)).isel(data_year=-1).transpose("series", "area").to_numpy()
    start = np.where(np.isfinite(latest) & ~smooth[..., 0], latest, centre[..., 0])
    value = np.concatenate([start[..., None], centre[..., 1:] + apart], axis=-1)
    last = int(series["data_year"][-1])
    coords: dict[str, Any] = {dim: posterior[dim].to_numpy() for dim in SAMPLE_DIMS}
    coords |= {"series": series["series"].to_numpy(), "year": np.arange(last, last + years + 1)}
    chains = (posterior.sizes["chain"], posterior.sizes["draw"])
    faded = np.concatenate([np.zeros((1, samples, kinds)), left * growth])
    return xr.Dataset(
        {
            "value": ((*SAMPLE_DIMS, "series", "area", "year"), value.reshape(*chains, *value.shape[1:])),
            "growth": (
                (*SAMPLE_DIMS, "series", "year"),
                np.moveaxis(faded, 0, -1).reshape(*chains, kinds, years + 1),
            ),
        },
        {**coords, "area": list(areas)},
    )
