"""Deviations of areas from their level that fade from year to year, and the density of the counts that they move.

An area's deviations are a stationary first-order autoregression. Sampled as they are, or as independent innovations,
they bind the sampler: well-known and hidden counts, large areas and small want different coordinates, and which is
best changes with the standard deviations themselves. So what is sampled is the distance of the deviations, in
units of its spread, from what a normal approximation to the counts would expect of them: with Q the precision of
the autoregression, W the information in the counts, r their distance from the linear predictor and
Q + W = L L', the deviations are u = (Q + W)^-1 W r + L^-T z. The approximation chooses coordinates only: the
density is exact, with the determinant of the change of variables in it.

References
----------
.. [1] Papaspiliopoulos, Roberts and Sköld (2007), A general framework for the parametrization of hierarchical
   models, doi:10.1214/088342307000000014: why coordinates should follow the data.
.. [2] Rue and Held (2005), Gaussian Markov Random Fields, doi:10.1201/9780203492024: banded factors.
.. [3] Smith (1995), Differentiation of the Cholesky algorithm, doi:10.1080/10618600.1995.10474671.
"""

import math
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from toolkit.models.likelihoods import UNOBSERVED, cell_log_probability

Array = NDArray[Any]


@numba.njit(cache=True)
def _neighbours_less_one(t: int, last: int) -> float:
    return float((t > 0) + (t < last)) - 1.0


@numba.njit(cache=True)
def _deviations(
    eta: Array, z: Array, persistence: float, spread: float, weight: Array, response: Array, work: Array, out: Array
) -> None:
    """Write the deviations of one area into ``out``; rows of ``work``: pivots of L, its entries beside them, L^-1 W r."""
    last = eta.size - 1
    scale = 1.0 / (spread * spread * (1.0 - persistence * persistence))
    for t in range(last + 1):
        diagonal = scale * (1.0 + persistence * persistence * _neighbours_less_one(t, last)) + weight[t]
        pull = weight[t] * (response[t] - eta[t])
        if t > 0:
            work[1, t] = -persistence * scale / work[0, t - 1]
            diagonal -= work[1, t] * work[1, t]
            pull -= work[1, t] * work[2, t - 1]
        work[0, t] = math.sqrt(diagonal)
        work[2, t] = pull / work[0, t]
    for t in range(last, -1, -1):
        rest = work[2, t] + z[t]
        if t < last:
            rest -= work[1, t + 1] * out[t + 1]
        out[t] = rest / work[0, t]


@numba.njit(cache=True)
def _prior(persistence: float, spread: float, u: Array, on_u: Array) -> float:
    """Return the log-density of an autoregression, the constant 2 pi dropped, and add its slopes to ``on_u``."""
    last = u.size - 1
    left = 1.0 - persistence * persistence
    scale = 1.0 / (spread * spread * left)
    square = 0.0
    for t in range(last + 1):
        product = (1.0 + persistence * persistence * _neighbours_less_one(t, last)) * u[t]
        if t > 0:
            product -= persistence * u[t - 1]
        if t < last:
            product -= persistence * u[t + 1]
        square += u[t] * product
        on_u[t] -= scale * product
    return -0.5 * scale * square - (last + 1) * math.log(spread) - 0.5 * last * math.log(left)


@numba.njit(cache=True)
def _pull_back(
    u: Array, on_u: Array, distance: Array, weight: Array, persistence: float, spread: float, work: Array,
    on_z: Array, on_weight: Array, on_eta: Array,
) -> tuple[float, float]:  # fmt: skip
    """Carry the slopes on deviations back to z, weights and eta; return those on persistence and spread.

    Both triangular solves and the factorisation are reversed in one pass each.
    """
    last = u.size - 1
    square = persistence * persistence
    scale = 1.0 / (spread * spread * (1.0 - square))
    for t in range(last + 1):
        rest = on_u[t]
        if t > 0:
            rest -= work[1, t] * on_z[t - 1]
        on_z[t] = rest / work[0, t]
    on_scale, on_square, on_beside, pivot_carry, on_pull_later = 0.0, 0.0, 0.0, 0.0, 0.0
    for t in range(last, -1, -1):
        on_pull = on_z[t]
        if t < last:
            on_pull -= work[1, t + 1] * on_pull_later
        on_pull /= work[0, t]
        on_pivot = pivot_carry - on_pull * work[2, t] - u[t] * on_z[t] - 1.0 / work[0, t]
        on_diagonal = on_pivot / (2.0 * work[0, t])
        on_weight[t] = on_diagonal + on_pull * distance[t]
        on_eta[t] -= weight[t] * on_pull
        more = _neighbours_less_one(t, last)
        on_precision = on_diagonal - 0.5 * u[t] * u[t]
        on_scale += on_precision * (1.0 + square * more)
        on_square += on_precision * more
        if t > 0:
            on_entry = -on_pull * work[2, t - 1] - u[t] * on_z[t - 1] - 2.0 * work[1, t] * on_diagonal
            on_beside += on_entry / work[0, t - 1] - u[t] * u[t - 1]
            pivot_carry = -on_entry * work[1, t] / work[0, t - 1]
        on_pull_later = on_pull
    on_scale -= persistence * on_beside
    inside = persistence / (1.0 - square)
    on_persistence = scale * (2.0 * persistence * on_square - on_beside) + inside * (2.0 * scale * on_scale + last)
    return on_persistence, -(2.0 * scale * on_scale + last + 1) / spread


@numba.njit(cache=True, nogil=True)
def area_year_log_probability(
    eta: Array, z: Array, persistence: Array, spread: Array, dispersion: Array,
    lower: Array, upper: Array, exposure: Array, family: Array, response: Array, chance: Array, extra: Array,
) -> tuple[float, Array, Array, Array, Array, Array]:  # fmt: skip
    """Return the log-density of all counts and deviations over that of a standard normal z, and its slopes.

    Parameters
    ----------
    eta
        Linear predictor without deviations (indicator, area, data_year), as all others but the next three.
    z
        What is sampled in place of the deviations; its own standard normal density is left to the model.
    persistence, spread, dispersion
        (indicator,): correlation from one year to the next, standard deviation in any year, and of a cell beyond chance.
    lower, upper, exposure, family
        What is known of each count.
    response, chance, extra
        What the normal approximation takes the counts for: the predictor they speak for, and its variance
        ``chance + extra * dispersion ** 2``, infinite where nothing is known.
    """
    kinds, areas, years = eta.shape
    on_eta, on_z = np.zeros(eta.shape), np.zeros(eta.shape)
    on_persistence, on_spread, on_dispersion = np.zeros(kinds), np.zeros(kinds), np.zeros(kinds)
    work, u, on_u = np.zeros((3, years)), np.zeros(years), np.zeros(years)
    weight, on_weight, distance = np.zeros(years), np.zeros(years), np.zeros(years)
    total = 0.0
    for k in range(kinds):
        noise = dispersion[k]
        log_size = -2.0 * math.log(noise)
        for i in range(areas):
            for t in range(years):
                weight[t] = 1.0 / (chance[k, i, t] + extra[k, i, t] * noise * noise)
                distance[t] = response[k, i, t] - eta[k, i, t]
            _deviations(eta[k, i], z[k, i], persistence[k], spread[k], weight, response[k, i], work, u)
            for t in range(years):
                on_u[t] = 0.0
                total += 0.5 * z[k, i, t] ** 2 - math.log(work[0, t])
                if family[k, i, t] != UNOBSERVED:
                    log_p, slope, on_size = cell_log_probability(
                        eta[k, i, t] + u[t], log_size, lower[k, i, t], upper[k, i, t], exposure[k, i, t],
                        family[k, i, t],
                    )  # fmt: skip
                    total += log_p
                    on_u[t] = slope
                    on_eta[k, i, t] = slope
                    on_dispersion[k] -= 2.0 * on_size / noise
            total += _prior(persistence[k], spread[k], u, on_u)
            slopes = _pull_back(
                u, on_u, distance, weight, persistence[k], spread[k], work, on_z[k, i], on_weight, on_eta[k, i]
            )
            on_persistence[k] += slopes[0]
            on_spread[k] += slopes[1]
            for t in range(years):
                on_z[k, i, t] += z[k, i, t]
                on_dispersion[k] -= 2.0 * on_weight[t] * extra[k, i, t] * noise * weight[t] * weight[t]
    return total, on_eta, on_z, on_persistence, on_spread, on_dispersion


@numba.njit(cache=True)
def deviations(
    eta: Array, z: Array, persistence: Array, spread: Array, dispersion: Array,
    response: Array, chance: Array, extra: Array,
) -> Array:  # fmt: skip
    """Return the deviations that each draw of z stands for, for one indicator.

    Parameters
    ----------
    eta, z
        (draw, area, data_year), linear predictor without deviations and what was sampled.
    persistence, spread, dispersion
        (draw,).
    response, chance, extra
        (area, data_year), as for :func:`area_year_log_probability`.
    """
    found, years = np.zeros(eta.shape), eta.shape[2]
    work, weight = np.zeros((3, years)), np.zeros(years)
    for s in range(eta.shape[0]):
        for i in range(eta.shape[1]):
            for t in range(years):
                weight[t] = 1.0 / (chance[i, t] + extra[i, t] * dispersion[s] ** 2)
            _deviations(eta[s, i], z[s, i], persistence[s], spread[s], weight, response[i], work, found[s, i])
    return found


def simulate_deviations(
    persistence: Array, spread: Array, shape: tuple[int, ...], *, rng: np.random.Generator
) -> Array:
    """Draw deviations of the given shape, years last; ``persistence`` and ``spread`` broadcast against one year."""
    shocks = rng.standard_normal(shape)
    for t in range(1, shape[-1]):
        shocks[..., t] = persistence * shocks[..., t - 1] + np.sqrt(1 - persistence**2) * shocks[..., t]
    return spread[..., None] * shocks
