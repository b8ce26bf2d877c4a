"""The surprises of each area's series: how far each year lies from what the years before it led to expect.

An area's own level follows its surprises: after a year with surprise e the level moves by ``gain`` times e, the rest
was passing. This is the innovations form of a local level, whose every step is linear in the data, so that its
density needs no filter. The first known year moves the level from its region's mean by ``first_gain``: an area
with short or noisy history stays near its region.

References
----------
Hyndman, Koehler, Ord and Snyder (2008), Forecasting with exponential smoothing: the state space approach, chapter 3.
"""

from typing import Any

import numpy as np
import pytensor.tensor as pt
import xarray as xr


def filled(value: xr.DataArray) -> tuple[np.ndarray, np.ndarray]:
    """Fill gaps with the nearest known year plus the mean movement of the other areas.

    Parameters
    ----------
    value
        (series, area, data_year), NaN where unknown.

    Returns
    -------
    tuple
        The values without gaps, and where a surprise is known: not where a gap was filled, nor at the first value
        of an area that begins later than the series does.
    """
    values = value.transpose("series", "area", "data_year").to_numpy().copy()
    known = np.isfinite(values)
    for row, seen in zip(values, known, strict=True):
        first = int(np.flatnonzero(seen.any(axis=0))[0])
        path = np.zeros(row.shape[1])
        path[first + 1 :] = np.cumsum(np.nanmean(np.diff(row[:, first:], axis=1), axis=0))
        for area, there in zip(row, seen, strict=True):
            if not there.any():
                area[:] = np.nanmean(row - path) + path
                continue
            at = np.flatnonzero(there)
            nearest = at[np.clip(np.searchsorted(at, np.arange(len(area)), side="right") - 1, 0, None)]
            area[~there] = (area[nearest] - path[nearest] + path)[~there]
            there[at[0]] = at[0] == first
    return values, known


def first_years(known: np.ndarray) -> np.ndarray:
    """Return the position of the first known year of each series."""
    return np.asarray(known.any(axis=1).argmax(axis=1))


def weights(gain: Any, first_gain: Any, first: np.ndarray, years: int, *, ahead: int = 0) -> Any:
    """Return how much each year's distance counts in the level expected in each later year.

    Parameters
    ----------
    gain, first_gain
        (..., series).
    first
        (series,), from :func:`first_years`.
    years, ahead
        Number of years of data, and whether to add the year after them (1).

    Returns
    -------
    array or graph
        (..., series, data_year, expected year).
    """
    from_year, to_year = np.arange(years)[:, None], np.arange(years + ahead)[None, :]
    later = (from_year < to_year) & (from_year >= first[:, None, None])
    apart = np.where(later, to_year - 1 - from_year, 0)
    is_first = from_year == first[:, None, None]
    taken = (
        np.where(is_first, 1.0, 0.0) * first_gain[..., None, None]
        + np.where(is_first, 0.0, 1.0) * gain[..., None, None]
    )
    return np.where(later, 1.0, 0.0) * taken * (1 - gain[..., None, None]) ** apart


def log_density(standardised: Any, log_spread: Any, known: np.ndarray, tail: Any) -> Any:
    """Return the log-density of each area's series under a multivariate t (..., series, area).

    Parameters
    ----------
    standardised, log_spread
        (series, area, data_year), surprises over their spreads at a scale of one, and the log of those spreads.
    known
        Likewise, where a surprise is known.
    tail
        (series, 1), degrees of freedom.
    """
    count, half = known.sum(axis=-1), tail / 2
    squares, determinant = (known * standardised**2).sum(axis=-1), (known * log_spread).sum(axis=-1)
    constant = pt.gammaln(half + count / 2) - pt.gammaln(half) - count / 2 * pt.log(np.pi * tail)
    return constant - determinant - (half + count / 2) * pt.log1p(squares / tail)


def log_spreads(
    area_sd: Any, spread: Any, power: Any, size: np.ndarray, first: np.ndarray, years: int, *, log: Any
) -> Any:
    """Return the log of each surprise's spread at a scale of one (..., series, area, data_year).

    That of the first year is how far areas lie apart (``area_sd``); later ones fall with a power of an area's size.

    Parameters
    ----------
    area_sd, spread, power
        (..., series).
    size
        (area,), log size over that of a middling area.
    first, years
        As for :func:`weights`.
    log
        Of numbers or of a graph.
    """
    is_first = np.where(np.arange(years) == first[:, None], 1.0, 0.0)[:, None, :]
    later = log(spread)[..., None] + power[..., None] * size
    return is_first * log(area_sd)[..., None, None] + (1.0 - is_first) * later[..., None]
