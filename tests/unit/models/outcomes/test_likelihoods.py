"""The kernels against SciPy's own distributions, and their slopes against differences."""

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.special import digamma, expit, gammaln, logsumexp
from scipy.stats import betabinom, nbinom, norm

from toolkit.models.outcomes import likelihoods

SIZES = (0.5, 3.0, 150.0, 5e3)  # from wild to hardly any over-dispersion


def beta_binomial(counts, eta, size, trials):
    return betabinom.logpmf(counts, trials, expit(eta) * size, expit(-eta) * size)


def negative_binomial(counts, eta, size, exposure):
    return nbinom.logpmf(counts, size, size / (size + exposure * np.exp(eta)))


@pytest.mark.parametrize("x", [0.01, 0.5, 1.0, 2.5, 7.999, 8.0, 60.0, 1e5])
def test_log_gamma_and_digamma_equal_scipy(x):
    np.testing.assert_allclose(likelihoods.log_gamma_and_digamma(x), (gammaln(x), digamma(x)), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("count", "trials"), [(0, 7), (31, 120), (120, 120), (900, 4000)])
def test_exact_share_equals_scipy(size, count, trials):
    found = likelihoods.beta_binomial_cell(
        -1.2, likelihoods.sized(np.log(size)), float(count), float(count), float(trials)
    )[0]
    dropped = gammaln(trials + 1) - gammaln(count + 1) - gammaln(trials - count + 1)
    assert found + dropped == pytest.approx(beta_binomial(count, -1.2, size, trials), abs=1e-9, rel=1e-10)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("count", "exposure"), [(0, 500.0), (9, 4e3), (160, 6e4)])
def test_exact_events_equal_scipy(size, count, exposure):
    found = likelihoods.negative_binomial_cell(
        -6.0, likelihoods.sized(np.log(size)), float(count), float(count), exposure
    )[0]
    expected = negative_binomial(count, -6.0, size, exposure)
    assert found + count * np.log(exposure) - gammaln(count + 1) == pytest.approx(expected, abs=1e-9, rel=1e-10)


@pytest.mark.parametrize(("lower", "upper"), [(0, 5), (0, 9), (6, 20), (12, 14)])
@pytest.mark.parametrize("size", SIZES)
def test_interval_is_the_log_of_the_summed_probabilities(lower, upper, size):
    counts = np.arange(lower, upper + 1)
    share = likelihoods.beta_binomial_cell(-1.0, likelihoods.sized(np.log(size)), float(lower), float(upper), 40.0)[0]
    dropped = gammaln(41) - gammaln(lower + 1) - gammaln(41 - lower)
    assert share + dropped == pytest.approx(logsumexp(beta_binomial(counts, -1.0, size, 40)), abs=1e-10)
    events = likelihoods.negative_binomial_cell(-6.0, likelihoods.sized(np.log(size)), float(lower), float(upper), 5e3)[
        0
    ]
    expected = logsumexp(negative_binomial(counts, -6.0, size, 5e3))
    assert events + lower * np.log(5e3) - gammaln(lower + 1) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("cell", [likelihoods.beta_binomial_cell, likelihoods.negative_binomial_cell])
@pytest.mark.parametrize(("lower", "upper"), [(7.0, 7.0), (0.0, 5.0), (3.0, 11.0)])
def test_slopes_are_derivatives(cell, lower, upper):
    at = np.array([-1.3, np.log(30.0)])
    slopes = approx_fprime(at, lambda x: cell(x[0], likelihoods.sized(x[1]), lower, upper, 60.0)[0], 1e-7)
    np.testing.assert_allclose(
        cell(at[0], likelihoods.sized(at[1]), lower, upper, 60.0)[1:], slopes, rtol=1e-4, atol=1e-5
    )


def test_an_unobserved_cell_adds_nothing():
    shape, cells = (2, 1, 2), np.full((2, 1, 2), 4.0)
    family = np.array([[[1, 0]], [[2, 0]]])
    log_p = likelihoods.cell_log_probabilities(
        np.full(shape, -1.0), np.zeros((2, 1, 1)), cells, cells, 10 * cells, family
    )
    assert (log_p[..., 1] == 0).all()
    assert (log_p[..., 0] != 0).all()


@pytest.mark.parametrize("number", [40.0, 2e3])
def test_mean_equals_scipy(number):
    found = likelihoods.mean_cell(3.8, likelihoods.sized(-2 * np.log(0.4)), 47.0 * number, number)
    assert found[0] + 0.5 * np.log(number / (2 * np.pi)) == pytest.approx(
        norm.logpdf(np.log(47), 3.8, 0.4 / number**0.5)
    )
    slopes = approx_fprime(
        [3.8, 1.8], lambda x: likelihoods.mean_cell(x[0], likelihoods.sized(x[1]), 47.0 * number, number)[0], 1e-7
    )
    np.testing.assert_allclose(
        likelihoods.mean_cell(3.8, likelihoods.sized(1.8), 47.0 * number, number)[1:], slopes, rtol=1e-4
    )


@pytest.mark.parametrize(("kind", "eta", "exposure"), [(1, -1.0, 4000), (2, -4.0, 6e4), (3, 3.8, 900)])
def test_normal_approximation_has_the_variance_of_simulated_counts(kind, eta, exposure):
    n, dispersion, rng = 20_000, 0.1, np.random.default_rng(2)
    shape = (1, n)
    family, number = np.full(shape, kind), np.full(shape, float(exposure))
    log_size = np.full((1, 1), -2 * np.log(dispersion))
    counts = likelihoods.simulate(np.full(shape, eta), log_size, number, family, rng=rng)
    response, chance, extra = likelihoods.normal_approximation(counts, counts, number, family)
    assert response.mean() == pytest.approx(eta, abs=0.02)
    assert response.var() == pytest.approx((chance + extra * dispersion**2).mean(), rel=0.06)


def test_hidden_and_missing_counts_have_no_information():
    lower, upper = np.array([0.0, 0.0]), np.array([5.0, 0.0])
    response, chance, extra = likelihoods.normal_approximation(lower, upper, np.ones(2) * 50, np.array([1, 0]))
    assert np.isinf(chance).all()
    assert (response == 0).all()
    assert (extra == 0).all()


def test_simulated_counts_have_the_stated_mean_and_variance():
    # Mean and variance of the first two: Hilbe (2011), sections 2.3 and 8.2.
    n, size, rng = 40_000, 25.0, np.random.default_rng(9)
    eta = np.repeat([[[-1.0]], [[-6.0]], [[3.8]]], n, axis=2)
    exposure = np.repeat([[[50.0]], [[2e4]], [[400.0]]], n, axis=2)
    family = np.repeat([[[1]], [[2]], [[3]]], n, axis=2)
    counts = likelihoods.simulate(eta, np.log(np.full((3, 1, 1), size)), exposure, family, rng=rng)[:, 0]
    share, mean, total = expit(-1.0), 2e4 * np.exp(-6.0), 400 * np.exp(3.8)
    variance = [50 * share * (1 - share) * (size + 50) / (size + 1), mean + mean**2 / size, total**2 / (400 * size)]
    np.testing.assert_allclose(counts.mean(axis=1), [50 * share, mean, total], rtol=0.01)
    np.testing.assert_allclose(counts.var(axis=1), variance, rtol=0.04)
