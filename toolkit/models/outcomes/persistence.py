"""Deviations of areas from their level that fade from year to year, and the density of the counts given them.

An area's deviations are a stationary first-order autoregression. Sampled directly, or as independent innovations,
they slow the sampler: exact and hidden counts, large and small areas sample best in different coordinates, and which
are best changes with the standard deviations themselves. So what is sampled is the distance of the deviations, in
units of its spread, from their expectation under a normal approximation to the counts: with Q the precision of
the autoregression, W the information in the counts, r their distance from the linear predictor and
Q + W = L L', the deviations are u = (Q + W)^-1 W r + L^-T z. The approximation only chooses coordinates: the
density is exact, with the determinant of the change of variables in it.

References
----------
.. [1] Papaspiliopoulos, Roberts and Sköld (2007), A general framework for the parametrization of hierarchical
   models, doi:10.1214/088342307000000014: why coordinates should depend on the data.
.. [2] Rue and Held (2005), Gaussian Markov Random Fields, doi:10.1201/9780203492024: banded factors.
.. [3] Smith (1995), Differentiation of the Cholesky algorithm, doi:10.1080/10618600.1995.10474671.
"""

import math
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from toolkit.models.outcomes.likelihoods import UNOBSERVED, cell_log_probability, sized

Array = NDArray[Any]


@numba.njit(error_model="numpy")
def _neighbours_less_one(t: int, last: int) -> float:
    return float((t > 0) + (t < last)) - 1.0


@numba.njit(error_model="numpy")
def _deviations(
    z: Array,
    distance: Array,
    weight: Array,
    persistence: float,
    spread: Array,
    pivot: Array,
    beside: Array,
    pull: Array,
    out: Array,
) -> None:
    """Write the deviations of one indicator into ``out``, and L's diagonal and subdiagonal, and L^-1 W r.

    All arrays are (data_year, area) or (area,). The innermost loops run over areas, which are independent, so that the
    compiler can vectorise them.
    """
    years, areas = z.shape
    square, last = persistence * persistence, years - 1
    left = 1.0 - square
    for t in range(years):
        own = (1.0 + square * _neighbours_less_one(t, last)) / left
        for i in range(areas):
            pivot[t, i] = own / (spread[i] * spread[i]) + weight[t, i]
            pull[t, i] = weight[t, i] * distance[t, i]
        if t > 0:
            for i in range(areas):
                beside[t, i] = -persistence / (left * spread[i] * spread[i] * pivot[t - 1, i])
                pivot[t, i] -= beside[t, i] * beside[t, i]
                pull[t, i] -= beside[t, i] * pull[t - 1, i]
        for i in range(areas):
            pivot[t, i] = math.sqrt(pivot[t, i])
            pull[t, i] /= pivot[t, i]
    for t in range(last, -1, -1):
        for i in range(areas):
            out[t, i] = pull[t, i] + z[t, i]
        if t < last:
            for i in range(areas):
                out[t, i] -= beside[t + 1, i] * out[t + 1, i]
        for i in range(areas):
            out[t, i] /= pivot[t, i]


@numba.njit(error_model="numpy")
def _prior(persistence: float, spread: Array, u: Array, on_u: Array) -> float:
    """Return the log-density of autoregressions without the constant 2 pi, and add its gradient to ``on_u``."""
    years, areas = u.shape
    square, last = persistence * persistence, years - 1
    left = 1.0 - square
    total = 0.0
    for t in range(years):
        own = 1.0 + square * _neighbours_less_one(t, last)
        for i in range(areas):
            product = own * u[t, i]
            if t > 0:
                product -= persistence * u[t - 1, i]
            if t < last:
                product -= persistence * u[t + 1, i]
            product /= left * spread[i] * spread[i]
            total += u[t, i] * product
            on_u[t, i] -= product
    # The conversion to float is for the type checker.
    return float(-0.5 * total - years * np.log(spread).sum() - 0.5 * areas * last * math.log(left))


@numba.njit(error_model="numpy")
def _pull_back(
    u: Array,
    on_u: Array,
    distance: Array,
    weight: Array,
    persistence: float,
    spread: Array,
    pivot: Array,
    beside: Array,
    pull: Array,
    on_z: Array,
    on_weight: Array,
    on_eta: Array,
    on_spread: Array,
    room: Array,
) -> float:
    """Propagate the gradient of deviations back to z, weights, eta and spread; return that of persistence.

    Both triangular solves and the factorisation are reversed in one pass each. ``room`` (5, area) is workspace.
    """
    years, areas = u.shape
    square, last = persistence * persistence, years - 1
    on_pull, carry, on_own, on_ends, on_off = room[0], room[1], room[2], room[3], room[4]
    for t in range(years):
        for i in range(areas):
            on_z[t, i] = on_u[t, i]
        if t > 0:
            for i in range(areas):
                on_z[t, i] -= beside[t, i] * on_z[t - 1, i]
        for i in range(areas):
            on_z[t, i] /= pivot[t, i]
    room[:] = 0.0
    for t in range(last, -1, -1):
        more = _neighbours_less_one(t, last)
        if t < last:
            for i in range(areas):
                on_pull[i] *= -beside[t + 1, i]
        for i in range(areas):
            inverse = 1.0 / pivot[t, i]
            on_pull[i] = (on_z[t, i] + on_pull[i]) * inverse
            on_diagonal = 0.5 * inverse * (carry[i] - on_pull[i] * pull[t, i] - u[t, i] * on_z[t, i] - inverse)
            on_weight[t, i] = on_diagonal + on_pull[i] * distance[t, i]
            on_eta[t, i] -= weight[t, i] * on_pull[i]
            on_own[i] += on_diagonal - 0.5 * u[t, i] * u[t, i]
            on_ends[i] += more * (on_diagonal - 0.5 * u[t, i] * u[t, i])
            carry[i] = on_diagonal
        if t > 0:
            for i in range(areas):
                on_entry = -on_pull[i] * pull[t - 1, i] - u[t, i] * on_z[t - 1, i] - 2.0 * beside[t, i] * carry[i]
                on_entry /= pivot[t - 1, i]
                carry[i] = -on_entry * beside[t, i]
                on_off[i] += on_entry - u[t, i] * u[t - 1, i]
    on_persistence = 0.0
    for i in range(areas):
        scale = 1.0 / (spread[i] * spread[i] * (1.0 - square))
        on_scale = 2.0 * scale * (on_own[i] + square * on_ends[i] - persistence * on_off[i])
        on_spread[i] = -(on_scale + years) / spread[i]
        on_persistence += scale * (2.0 * persistence * on_ends[i] - on_off[i])
        on_persistence += persistence / (1.0 - square) * (on_scale + last)
    return on_persistence


@numba.njit(error_model="numpy")
def _weigh(
    noise: float, eta: Array, response: Array, chance: Array, extra: Array, weight: Array, distance: Array
) -> None:
    """Write the information in each count and its distance from the predictor, transposed to (data_year, area)."""
    for i in range(eta.shape[0]):
        for t in range(eta.shape[1]):
            weight[t, i] = 1.0 / (chance[i, t] + extra[i, t] * noise * noise)
            distance[t, i] = response[i, t] - eta[i, t]


@numba.njit(nogil=True, error_model="numpy")
def area_year_log_probability(
    eta: Array,
    z: Array,
    persistence: Array,
    spread: Array,
    dispersion: Array,
    lower: Array,
    upper: Array,
    exposure: Array,
    family: Array,
    response: Array,
    chance: Array,
    extra: Array,
) -> tuple[float, Array, Array, Array, Array, Array]:
    """Return the log-density of all counts and deviations relative to a standard normal z, and its gradient.

    Parameters
    ----------
    eta
        Linear predictor without deviations (indicator, area, data_year); other arrays have these dims unless stated.
    z
        What is sampled in place of the deviations; the model adds its standard normal density.
    persistence, dispersion
        (indicator,): correlation from year to year, and standard deviation of a cell beyond chance.
    spread
        (indicator, area), standard deviation of the deviations in any year.
    lower, upper, exposure, family
        What is known of each count.
    response, chance, extra
        The normal approximation to the counts: the predictor that they imply, and its variance
        ``chance + extra * dispersion ** 2``, infinite if nothing is known.
    """
    kinds, areas, years = eta.shape
    on_eta, on_z = np.zeros(eta.shape), np.zeros(eta.shape)
    on_persistence, on_spread, on_dispersion = np.zeros(kinds), np.zeros(spread.shape), np.zeros(kinds)
    workspace, room = np.zeros((11, years, areas)), np.zeros((5, areas))
    weight, distance, pivot, beside, pull, u = (
        workspace[0],
        workspace[1],
        workspace[2],
        workspace[3],
        workspace[4],
        workspace[5],
    )
    on_u, on_z_turned, on_weight, on_eta_turned, z_turned = (
        workspace[6],
        workspace[7],
        workspace[8],
        workspace[9],
        workspace[10],
    )
    total = 0.0
    for k in range(kinds):
        noise = dispersion[k]
        shape, on_log_size = sized(-2.0 * math.log(noise)), 0.0
        _weigh(noise, eta[k], response[k], chance[k], extra[k], weight, distance)
        for i in range(areas):
            for t in range(years):
                z_turned[t, i] = z[k, i, t]
        _deviations(z_turned, distance, weight, persistence[k], spread[k], pivot, beside, pull, u)
        for i in range(areas):
            pivots = 1.0
            for t in range(years):
                pivots *= pivot[t, i]
                total += 0.5 * z[k, i, t] ** 2
                on_u[t, i] = 0.0
                if family[k, i, t] != UNOBSERVED:
                    log_p, on_u[t, i], on_size = cell_log_probability(
                        eta[k, i, t] + u[t, i],
                        shape,
                        lower[k, i, t],
                        upper[k, i, t],
                        exposure[k, i, t],
                        family[k, i, t],
                    )
                    total += log_p
                    on_log_size += on_size
                on_eta_turned[t, i] = on_u[t, i]
            total -= math.log(pivots)
        on_noise = -2.0 * on_log_size / noise
        total += _prior(persistence[k], spread[k], u, on_u)
        on_persistence[k] = _pull_back(
            u,
            on_u,
            distance,
            weight,
            persistence[k],
            spread[k],
            pivot,
            beside,
            pull,
            on_z_turned,
            on_weight,
            on_eta_turned,
            on_spread[k],
            room,
        )
        for i in range(areas):
            for t in range(years):
                on_z[k, i, t] = z[k, i, t] + on_z_turned[t, i]
                on_eta[k, i, t] = on_eta_turned[t, i]
                on_noise -= 2.0 * on_weight[t, i] * extra[k, i, t] * noise * weight[t, i] * weight[t, i]
        on_dispersion[k] = on_noise
    return total, on_eta, on_z, on_persistence, on_spread, on_dispersion


@numba.njit(error_model="numpy")
def deviations(
    eta: Array,
    z: Array,
    persistence: Array,
    spread: Array,
    dispersion: Array,
    response: Array,
    chance: Array,
    extra: Array,
) -> Array:
    """Return the deviations of one indicator for each draw of z.

    Parameters
    ----------
    eta, z
        (draw, area, data_year), linear predictor without deviations, and the sampled coordinates.
    persistence, dispersion
        (draw,).
    spread
        (draw, area).
    response, chance, extra
        (area, data_year), as for :func:`area_year_log_probability`.
    """
    draws, areas, years = eta.shape
    out, workspace = np.zeros(eta.shape), np.zeros((6, years, areas))
    for s in range(draws):
        _weigh(dispersion[s], eta[s], response, chance, extra, workspace[0], workspace[1])
        _deviations(
            z[s].T.copy(),
            workspace[1],
            workspace[0],
            persistence[s],
            spread[s],
            workspace[2],
            workspace[3],
            workspace[4],
            workspace[5],
        )
        out[s] = workspace[5].T
    return out


def simulate_deviations(
    persistence: Array, spread: Array, shape: tuple[int, ...], *, rng: np.random.Generator
) -> Array:
    """Draw deviations of the given shape, years last; ``persistence`` and ``spread`` broadcast to one year."""
    shocks = rng.standard_normal(shape)
    for t in range(1, shape[-1]):
        shocks[..., t] = persistence * shocks[..., t - 1] + np.sqrt(1 - persistence**2) * shocks[..., t]
    return spread[..., None] * shocks
