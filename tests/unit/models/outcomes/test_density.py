"""The density of counts, levels and deviations against one written with dense matrices, and its slopes."""

import numpy as np
import pytensor
import pytest
from scipy.optimize import approx_fprime
from scipy.stats import multivariate_normal

from toolkit.models.outcomes import density, levels, likelihoods, persistence

SHAPE = KINDS, AREAS, YEARS = (3, 2, 5)
SHAPES = [(KINDS, AREAS), (KINDS, KINDS), (KINDS, AREAS), SHAPE, SHAPE, (KINDS,), (KINDS, AREAS), (KINDS,)]


def world(seed=1):
    """What is sampled, and cells of each family: exact, hidden, missing, and an area without any."""
    rng = np.random.default_rng(seed)
    family = np.broadcast_to(np.array([1, 2, 3])[:, None, None], SHAPE).copy()
    family[0, 0, 2] = family[1, 1, 0] = family[2, 0] = 0
    exposure = np.where(family == 2, 4000.0, np.where(family == 3, 800.0, 60.0))
    eta = np.array([-1.2, -5.5, 3.8])[:, None, None] + 0.1 * rng.normal(size=SHAPE)
    dispersion = np.array([0.15, 0.1, 0.4])
    lower = likelihoods.simulate(eta, -2 * np.log(dispersion)[:, None, None], exposure, family, rng=rng)
    upper = lower.copy()
    lower[0, 1, 3], upper[0, 1, 3], lower[1, 1, 3], upper[1, 1, 3] = 0, 5, 0, 9
    approximation = likelihoods.normal_approximation(lower, upper, exposure, family)
    known = np.isfinite(approximation[1])
    years = np.maximum(known.sum(axis=2), 1.0)
    means = [np.where(known, part, 0).sum(axis=2) / years for part in approximation]
    means[1][~known.any(axis=2)] = np.inf
    sampled = [
        eta.mean(axis=2),
        np.tril(rng.uniform(0.1, 0.3, (KINDS, KINDS))),
        rng.normal(size=(KINDS, AREAS)),
        0.1 * rng.normal(size=SHAPE),
        rng.normal(size=SHAPE),
        np.array([0.7, 0.9, 0.3]),
        np.array([[0.3, 0.4], [0.2, 0.1], [0.1, 0.15]]),
        dispersion,
    ]
    return sampled, (*means, years), (lower, upper, exposure, family, *approximation)


def dense(sampled, areas, cells):
    """The same density written with inverses of whole matrices; also the levels and the deviations."""
    level, cholesky, level_z, moves, deviation_z, rho, spread, dispersion = sampled
    response, chance, extra, years = areas
    drift = spread**2 * (1 + rho)[:, None] / (years * (1 - rho[:, None]) + 2 * rho[:, None])
    information = 1 / (drift + (chance + extra * dispersion[:, None] ** 2) / years)
    area, deviation, total = (
        np.zeros(level.shape),
        np.zeros(SHAPE),
        0.5 * (level_z**2).sum() + 0.5 * (deviation_z**2).sum(),
    )
    for i in range(AREAS):
        precision = np.eye(KINDS) + cholesky.T @ np.diag(information[:, i]) @ cholesky
        factor = np.linalg.cholesky(precision)
        pull = cholesky.T @ (information[:, i] * (response - level)[:, i])
        standard = np.linalg.solve(precision, pull) + np.linalg.solve(factor.T, level_z[:, i])
        area[:, i] = level[:, i] + cholesky @ standard
        total -= 0.5 * standard @ standard + np.log(np.diag(factor)).sum()
    lower, upper, exposure, family, wanted, sampling, more = cells
    for k, i in np.ndindex(KINDS, AREAS):
        covariance = spread[k, i] ** 2 * rho[k] ** abs(np.subtract.outer(range(YEARS), range(YEARS)))
        weight = np.diag(1 / (sampling[k, i] + more[k, i] * dispersion[k] ** 2))
        precision = np.linalg.inv(covariance) + weight
        factor, eta = np.linalg.cholesky(precision), area[k, i] + moves[k, i]
        u = np.linalg.solve(precision, weight @ (wanted[k, i] - eta)) + np.linalg.solve(factor.T, deviation_z[k, i])
        total += multivariate_normal(np.zeros(YEARS), covariance).logpdf(u) + YEARS / 2 * np.log(2 * np.pi)
        total -= np.log(np.diag(factor)).sum()
        deviation[k, i] = u
        for t in range(YEARS):
            cell = (part[k, i, t] for part in (lower, upper, exposure, family))
            total += likelihoods.cell_log_probability(
                eta[t] + u[t], likelihoods.sized(-2 * np.log(dispersion[k])), *cell
            )[0]
    return total, area, deviation


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_density_equals_the_dense_one(seed):
    sampled, areas, cells = world(seed)
    assert density.log_density(*sampled, *areas, *cells)[0] == pytest.approx(dense(sampled, areas, cells)[0], rel=1e-10)


@pytest.mark.long
def test_the_graph_has_the_same_density_whatever_the_order_of_arrays():
    sampled, areas, (lower, upper, exposure, family, *approximation) = world()
    cells = (lower, upper, exposure, family.astype("int32"), *approximation)
    given = [np.asfortranarray(values) for values in (*sampled, *areas, *cells)]
    total, *slopes = density.LogDensity()(*[pytensor.shared(values) for values in given])
    found = pytensor.function([], [total, *slopes], mode="NUMBA")()
    for one, other in zip(found, density.log_density(*sampled, *areas, *cells), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


@pytest.mark.long
def test_slopes_are_derivatives():
    sampled, areas, cells = world()

    def value(flat):
        parts = np.split(flat, np.cumsum([np.prod(shape) for shape in SHAPES])[:-1])
        return density.log_density(*(p.reshape(s) for p, s in zip(parts, SHAPES, strict=True)), *areas, *cells)

    at = np.concatenate([part.ravel() for part in sampled])
    slopes = np.concatenate([part.ravel() for part in value(at)[1:]])
    by_difference = approx_fprime(at, lambda flat: value(flat)[0], 1e-7)
    moves = np.concatenate(
        [np.tril(np.ones(s)).ravel() if s == (KINDS, KINDS) else np.ones(np.prod(s)) for s in SHAPES]
    )
    np.testing.assert_allclose(slopes, by_difference * moves, rtol=1e-4, atol=1e-4)


def test_levels_and_deviations_are_rebuilt_from_what_was_sampled():
    sampled, areas, cells = world()
    _, area, deviation = dense(sampled, areas, cells)
    level, cholesky, level_z, moves, deviation_z, *wandering = sampled
    once = [part[None] for part in (level_z, level, cholesky, *wandering)]
    np.testing.assert_allclose(levels.levels(*once, *areas)[0], area, rtol=1e-10)
    for k in range(KINDS):
        eta, drawn = (area[k][:, None] + moves[k])[None], [part[k : k + 1] for part in wandering]
        found = persistence.deviations(eta, deviation_z[k][None], *drawn, *(part[k] for part in cells[4:]))
        np.testing.assert_allclose(found[0], deviation[k], rtol=1e-9, atol=1e-12)


def test_without_counts_levels_and_deviations_have_their_priors():
    rng, draws = np.random.default_rng(3), 20_000
    nothing = np.zeros((1, 4)), np.full((1, 4), np.inf), np.zeros((1, 4))
    spread, rho = np.full((draws, 1), 0.3), np.full(draws, 0.8)
    u = persistence.deviations(np.zeros((draws, 1, 4)), rng.normal(size=(draws, 1, 4)), rho, spread, rho, *nothing)
    np.testing.assert_allclose(np.cov(u[:, 0].T), 0.09 * 0.8 ** abs(np.subtract.outer(range(4), range(4))), atol=0.004)
    cholesky = np.array([[0.2, 0.0], [0.15, 0.1]])
    one = np.ones((2, 1))
    found = levels.levels(
        rng.normal(size=(draws, 2, 1)),
        np.zeros((draws, 2, 1)),
        np.broadcast_to(cholesky, (draws, 2, 2)).copy(),
        np.full((draws, 2), 0.8),
        np.full((draws, 2, 1), 0.3),
        np.full((draws, 2), 0.1),
        0 * one,
        np.inf * one,
        0 * one,
        one,
    )
    np.testing.assert_allclose(np.cov(found[:, :, 0].T), cholesky @ cholesky.T, atol=0.002)


def test_simulated_deviations_are_autoregressions():
    rho, spread = np.array([0.9, 0.2]), np.array([0.3, 1.0])
    u = persistence.simulate_deviations(rho, spread, (20_000, 2, 6), rng=np.random.default_rng(5))
    for k in range(2):
        expected = spread[k] ** 2 * rho[k] ** abs(np.subtract.outer(range(6), range(6)))
        np.testing.assert_allclose(np.cov(u[:, k].T), expected, atol=0.04 * spread[k] ** 2)
