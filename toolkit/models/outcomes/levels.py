"""Levels of areas, correlated between indicators, in coordinates that follow the information in the counts.

The idea is the same as for the deviations (:mod:`toolkit.models.outcomes.persistence`). If areas hardly differ apart
from their drift, levels sample best non-centred; if they differ much, centred; and which is better changes with the
parameters. Levels are m + L b, with m the prediction from region and covariates, L the Cholesky factor of their
covariance, and b independent standard normal a priori. With R the information in the counts, r their distance from m
and I + L' R L = C C', what is sampled is z in b = (I + L' R L)^-1 L' R r + C^-T z, and the determinant of the change of
variables is in the density.

References
----------
.. [1] Papaspiliopoulos, Roberts and Sköld (2007), A general framework for the parametrization of hierarchical
   models, doi:10.1214/088342307000000014.
.. [2] Smith (1995), Differentiation of the Cholesky algorithm, doi:10.1080/10618600.1995.10474671.
"""

import math
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@numba.njit(error_model="numpy")
def _information(
    persistence: float, spread: float, dispersion: float, chance: float, extra: float, years: float
) -> float:
    """Return the information in the mean of an area's counts on its level, from the variance of drift and noise.

    The mean of a stationary autoregression over n years with persistence p has the variance
    spread^2 (1 + p) / (n (1 - p) + 2 p), as its best linear estimate has.
    """
    drift = spread * spread * (1.0 + persistence) / (years * (1.0 - persistence) + 2.0 * persistence)
    return 1.0 / (drift + (chance + extra * dispersion * dispersion) / years)


@numba.njit(error_model="numpy")
def pull_back_information(
    on_information: float,
    persistence: float,
    spread: float,
    dispersion: float,
    chance: float,
    extra: float,
    years: float,
) -> tuple[float, float, float]:
    """Propagate the gradient of the information back to persistence, spread and dispersion."""
    over = years * (1.0 - persistence) + 2.0 * persistence
    drift = spread * spread * (1.0 + persistence) / over
    information = 1.0 / (drift + (chance + extra * dispersion * dispersion) / years)
    on_variance = -information * information * on_information
    turn = (over - (1.0 + persistence) * (2.0 - years)) / (over * over)
    return (
        on_variance * spread * spread * turn,
        on_variance * 2.0 * drift / spread,
        on_variance * 2.0 * extra * dispersion / years,
    )


@numba.njit(error_model="numpy")
def area_levels(
    z: Array,
    mean: Array,
    cholesky: Array,
    information: Array,
    response: Array,
    factor: Array,
    pull: Array,
    standard: Array,
    out: Array,
) -> None:
    """Write the levels into ``out``, and C, C^-1 L' R r and b, which the gradient needs.

    All arrays are (indicator, area) except L and C (indicator, indicator, area). The innermost loops run over areas,
    which are independent, so that the compiler can vectorise them.
    """
    size = z.shape[0]
    for i in range(size):
        for j in range(i + 1):
            factor[i, j] = 1.0 if i == j else 0.0
            for k in range(i, size):
                _add(factor[i, j], cholesky[k, i] * cholesky[k, j], information[k])
            for k in range(j):
                _take(factor[i, j], factor[i, k], factor[j, k])
            if i == j:
                _root(factor[i, i])
            else:
                _divide(factor[i, j], factor[j, j])
        pull[i] = 0.0
        for k in range(i, size):
            for s in range(z.shape[1]):
                pull[i, s] += cholesky[k, i] * information[k, s] * (response[k, s] - mean[k, s])
        for k in range(i):
            _take(pull[i], factor[i, k], pull[k])
        _divide(pull[i], factor[i, i])
    for i in range(size - 1, -1, -1):
        standard[i] = pull[i] + z[i]
        for k in range(i + 1, size):
            _take(standard[i], factor[k, i], standard[k])
        _divide(standard[i], factor[i, i])
    for i in range(size):
        out[i] = mean[i]
        for k in range(i + 1):
            _add(out[i], cholesky[i, k], standard[k])


@numba.njit(error_model="numpy")
def _add(to: Array, times: float, values: Array) -> None:
    for s in range(to.size):
        to[s] += times * values[s]


@numba.njit(error_model="numpy")
def _take(of: Array, values: Array, times: Array) -> None:
    for s in range(of.size):
        of[s] -= values[s] * times[s]


@numba.njit(error_model="numpy")
def _divide(values: Array, by: Array) -> None:
    for s in range(values.size):
        values[s] /= by[s]


@numba.njit(error_model="numpy")
def _root(values: Array) -> None:
    for s in range(values.size):
        values[s] = math.sqrt(values[s])


@numba.njit(error_model="numpy")
def pull_back_levels(
    on_area: Array,
    mean: Array,
    cholesky: Array,
    information: Array,
    response: Array,
    factor: Array,
    pull: Array,
    standard: Array,
    on_z: Array,
    on_mean: Array,
    on_cholesky: Array,
    on_information: Array,
    on_pull: Array,
    on_factor: Array,
) -> None:
    """Propagate the gradient of the levels back to z, mean, information and L; arrays as above.

    ``on_factor`` and ``on_pull`` are workspace of the shape of ``factor`` and ``pull``.
    """
    size, areas = on_area.shape
    for i in range(size):  # gradient of b, prior included, then of C^-1 L' R r + z
        on_z[i] = -standard[i]
        for k in range(i, size):
            _add(on_z[i], cholesky[k, i], on_area[k])
        for k in range(i):
            _take(on_z[i], factor[i, k], on_z[k])
        _divide(on_z[i], factor[i, i])
    for i in range(size - 1, -1, -1):  # gradient of L' R r
        on_pull[i] = on_z[i]
        for k in range(i + 1, size):
            _take(on_pull[i], factor[k, i], on_pull[k])
        _divide(on_pull[i], factor[i, i])
    for i in range(size):
        for j in range(i + 1):
            on_factor[i, j] = 0.0
            _take(on_factor[i, j], on_pull[i], pull[j])
            _take(on_factor[i, j], standard[i], on_z[j])
        for s in range(areas):
            on_factor[i, i, s] -= 1.0 / factor[i, i, s]
    _pull_back_factor(factor, on_factor)
    both, on_response = np.zeros(areas), np.zeros(areas)
    for k in range(size):
        on_response[:], on_information[k] = 0.0, 0.0
        for i in range(k + 1):
            _add(on_response, cholesky[k, i], on_pull[i])
            both[:] = 0.0
            for j in range(k + 1):
                for s in range(areas):
                    both[s] += cholesky[k, j] * (on_factor[i, j, s] + on_factor[j, i, s])
            for s in range(areas):
                on_information[k, s] += 0.5 * cholesky[k, i] * both[s]
                on_cholesky[k, i] += on_area[k, s] * standard[i, s] + information[k, s] * (
                    both[s] + (response[k, s] - mean[k, s]) * on_pull[i, s]
                )
        for s in range(areas):
            on_information[k, s] += on_response[s] * (response[k, s] - mean[k, s])
            on_mean[k, s] = on_area[k, s] - information[k, s] * on_response[s]


@numba.njit(error_model="numpy")
def _pull_back_factor(factor: Array, on_factor: Array) -> None:
    """Turn gradients of Cholesky factors, in place, into those of the lower triangles of the factorised matrices."""
    size, _, areas = factor.shape
    scale = np.zeros(areas)
    for i in range(size - 1, -1, -1):
        for j in range(i, -1, -1):
            _divide(on_factor[i, j], factor[j, j])
            if i == j:
                on_factor[i, i] *= 0.5
                scale[:] = 2.0 * on_factor[i, i]
            else:
                _take(on_factor[j, j], on_factor[i, j], factor[i, j])
                scale[:] = on_factor[i, j]
            for k in range(j):
                _take(on_factor[i, k], scale, factor[j, k])
                if i != j:
                    _take(on_factor[j, k], scale, factor[i, k])
        on_factor[i, i + 1 :] = 0.0


@numba.njit(error_model="numpy")
def informations(
    persistence: Array, spread: Array, dispersion: Array, chance: Array, extra: Array, years: Array
) -> Array:
    """Return the information in the counts of every area (indicator, area)."""
    information = np.zeros(chance.shape)
    for k in range(chance.shape[0]):
        for i in range(chance.shape[1]):
            information[k, i] = _information(
                persistence[k], spread[k, i], dispersion[k], chance[k, i], extra[k, i], years[k, i]
            )
    return information


@numba.njit(error_model="numpy")
def levels(
    z: Array,
    mean: Array,
    cholesky: Array,
    persistence: Array,
    spread: Array,
    dispersion: Array,
    response: Array,
    chance: Array,
    extra: Array,
    years: Array,
) -> Array:
    """Return the levels for each draw of z.

    Parameters
    ----------
    z, mean
        (draw, indicator, area), the sampled coordinates, and the prediction from region and covariates.
    cholesky
        (draw, indicator, indicator), Cholesky factor of the covariance.
    persistence, spread, dispersion
        (draw, indicator), the spread (draw, indicator, area): the deviations and the noise around a level.
    response, chance, extra, years
        (indicator, area), means of the normal approximation (``likelihoods.normal_approximation``) over the years
        with known counts, and the number of these years; ``chance`` is infinite if there are none.
    """
    out = np.zeros(z.shape)
    room, factor = np.zeros((2, *z.shape[1:])), np.zeros((z.shape[1], *z.shape[1:]))
    for s in range(z.shape[0]):
        information = informations(persistence[s], spread[s], dispersion[s], chance, extra, years)
        area_levels(z[s], mean[s], cholesky[s], information, response, factor, room[0], room[1], out[s])
    return out
