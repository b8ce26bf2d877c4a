"""Log-probabilities of counts that are known exactly or only to an interval, with their gradients.

Three families cover every rate: the beta-binomial for shares of a known number, the negative binomial for
events in a population, and a log-normal for the mean of a known number, such as points per pupil. A hidden
small count contributes the probability of its whole interval. Value and gradient come from one pass over the
cells, which takes half the time of the same density written as an expression
(``tests/unit/models/outcomes/test_likelihoods.py`` checks both against SciPy).

References
----------
.. [1] Abramowitz and Stegun (1964), Handbook of Mathematical Functions, 6.1.41 and 6.3.18.
.. [2] Hilbe (2011), Negative Binomial Regression, doi:10.1017/CBO9780511973420.
"""

import math
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

UNOBSERVED, BETA_BINOMIAL, NEGATIVE_BINOMIAL, MEAN = 0, 1, 2, 3
FAMILIES = {"beta_binomial": BETA_BINOMIAL, "negative_binomial": NEGATIVE_BINOMIAL, "mean": MEAN}

_STIRLING_FROM = 8.0  # above it the error of the five-term series is below 1e-12
_HALF_LOG_2_PI = 0.5 * math.log(2.0 * math.pi)

Array = NDArray[Any]


@numba.njit(error_model="numpy")
def log_gamma_and_digamma(x: float) -> tuple[float, float]:
    """Return log gamma and its derivative for ``x`` > 0: recurrence up to 8, then Stirling's series."""
    product, reciprocals = 1.0, 0.0
    while x < _STIRLING_FROM:
        product *= x
        reciprocals += 1.0 / x
        x += 1.0
    inverse, log_x = 1.0 / x, math.log(x)
    square = inverse * inverse
    series = inverse * (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square * (1 / 1680 - square * (1 / 1188)))))
    slope = square * (1 / 12 - square * (1 / 120 - square * (1 / 252 - square * (1 / 240 - square * (1 / 132)))))
    log_gamma = (x - 0.5) * log_x - x + _HALF_LOG_2_PI + series
    if reciprocals > 0.0:
        log_gamma -= math.log(product)
    return log_gamma, log_x - 0.5 * inverse - slope - reciprocals


@numba.njit(error_model="numpy")
def sized(log_size: float) -> tuple[float, float, float, float]:
    """Return ``log_size``, its exponential, and log gamma and digamma of that, for all cells of an indicator.

    The exponential is the sum of the two beta parameters, or the size of a negative binomial.
    """
    size = math.exp(log_size)
    log_gamma, digamma = log_gamma_and_digamma(size)
    return log_size, size, log_gamma, digamma


Sized = tuple[float, float, float, float]


@numba.njit(error_model="numpy")
def beta_binomial_cell(
    eta: float, shape: Sized, lower: float, upper: float, trials: float
) -> tuple[float, float, float]:
    """Return log P(lower <= y <= upper) and its gradient in ``eta`` and log size, without C(trials, lower).

    ``eta`` is the logit of the mean share; ``shape`` is from :func:`sized`, as of the other families.
    """
    _, size, low_s, slope_low_s = shape
    small = math.exp(-abs(eta))  # neither overflows nor loses precision of the smaller share
    less = small / (1.0 + small)
    share, rest = (1.0 - less, less) if eta > 0.0 else (less, 1.0 - less)
    alpha, beta = share * size, rest * size
    top_a, slope_top_a = log_gamma_and_digamma(lower + alpha)
    top_b, slope_top_b = log_gamma_and_digamma(trials - lower + beta)
    top_s, slope_top_s = log_gamma_and_digamma(trials + size)
    low_a, slope_low_a = log_gamma_and_digamma(alpha)
    low_b, slope_low_b = log_gamma_and_digamma(beta)
    log_p = (top_a - low_a) + (top_b - low_b) - (top_s - low_s)
    on_a, on_b, on_s = slope_top_a - slope_low_a, slope_top_b - slope_low_b, slope_top_s - slope_low_s
    if upper > lower:
        log_p, on_a, on_b = _beta_binomial_sum(log_p, on_a, on_b, lower, upper, trials, alpha, beta)
    return log_p, alpha * rest * (on_a - on_b), alpha * on_a + beta * on_b - size * on_s


@numba.njit(error_model="numpy")
def _beta_binomial_sum(
    log_p: float, on_a: float, on_b: float, lower: float, upper: float, trials: float, alpha: float, beta: float
) -> tuple[float, float, float]:
    # Each count from its ratio to the one before, relative to the first, whose log-probability is log_p.
    weight, total, total_a, total_b = 1.0, 1.0, on_a, on_b
    y = lower
    while y < upper:
        fewer = trials - y - 1.0 + beta
        weight *= (trials - y) * (y + alpha) / ((y + 1.0) * fewer)
        on_a += 1.0 / (y + alpha)
        on_b -= 1.0 / fewer
        total += weight
        total_a += weight * on_a
        total_b += weight * on_b
        y += 1.0
    return log_p + math.log(total), total_a / total, total_b / total


@numba.njit(error_model="numpy")
def negative_binomial_cell(
    eta: float, shape: Sized, lower: float, upper: float, exposure: float
) -> tuple[float, float, float]:
    """Return log P(lower <= y <= upper) and its gradient in ``eta`` and log size, without exposure^lower / lower!.

    The mean is ``exposure`` exp(``eta``) and the variance mean + mean^2 / size.
    """
    log_size, size, low, slope_low = shape
    mean = exposure * math.exp(eta)
    ratio = mean / size
    log_one_more = math.log1p(ratio)
    top, slope_top = log_gamma_and_digamma(lower + size)
    log_p = top - low - (size + lower) * log_one_more + lower * (eta - log_size)
    on_eta = (lower - mean) / (1.0 + ratio)
    on_size = slope_top - slope_low - log_one_more + (mean - lower) / (size + mean)
    if upper > lower:
        weight, total, total_eta, total_size = 1.0, 1.0, on_eta, on_size
        y = lower
        while y < upper:
            weight *= (y + size) / (y + 1.0) * ratio / (1.0 + ratio)
            on_eta += 1.0 / (1.0 + ratio)
            on_size += 1.0 / (y + size) - 1.0 / (size + mean)
            total += weight
            total_eta += weight * on_eta
            total_size += weight * on_size
            y += 1.0
        log_p, on_eta, on_size = log_p + math.log(total), total_eta / total, total_size / total
    return log_p, on_eta, size * on_size


@numba.njit(error_model="numpy")
def mean_cell(eta: float, shape: Sized, total: float, number: float) -> tuple[float, float, float]:
    """Return the log-density of log(``total`` / ``number``) and its gradient in ``eta`` and log size.

    It is normal around ``eta`` with variance 1 / (``number`` size); log (number / 2 pi) / 2 is dropped.
    """
    log_size, size, _, _ = shape
    precision = number * size
    rest = math.log(total / number) - eta
    square = precision * rest * rest
    return 0.5 * (log_size - square), precision * rest, 0.5 * (1.0 - square)


@numba.njit(error_model="numpy")
def cell_log_probability(
    eta: float, shape: Sized, lower: float, upper: float, exposure: float, family: int
) -> tuple[float, float, float]:
    """Return the log-probability of a cell of any family and its gradient in ``eta`` and log size."""
    if family == BETA_BINOMIAL:
        return beta_binomial_cell(eta, shape, lower, upper, exposure)
    if family == NEGATIVE_BINOMIAL:
        return negative_binomial_cell(eta, shape, lower, upper, exposure)
    if family == MEAN:
        return mean_cell(eta, shape, lower, exposure)
    return 0.0, 0.0, 0.0


@numba.njit(nogil=True, error_model="numpy")
def cell_log_probabilities(
    eta: Array, log_size: Array, lower: Array, upper: Array, exposure: Array, family: Array
) -> Array:
    """Return the log-probability of every cell, 0 if unobserved.

    All arguments have three dims (indicator, area, data_year); ``log_size`` has length one in all but the first.
    """
    log_p = np.zeros(eta.shape)
    for k in range(eta.shape[0]):
        shape = sized(log_size[k, 0, 0])
        for i in range(eta.shape[1]):
            for t in range(eta.shape[2]):
                log_p[k, i, t] = cell_log_probability(
                    eta[k, i, t], shape, lower[k, i, t], upper[k, i, t], exposure[k, i, t], family[k, i, t]
                )[0]
    return log_p


def normal_approximation(lower: Array, upper: Array, exposure: Array, family: Array) -> tuple[Array, Array, Array]:
    """Return the normal approximation to what the counts say about the linear predictor.

    Parameters
    ----------
    lower, upper, exposure, family
        Arrays of one shape.

    Returns
    -------
    tuple of ndarray
        The predictor that each count implies, and the two parts of its variance: that of chance, and the factor
        of the squared dispersion. Unobserved and hidden counts have infinite variance.
    """
    number, events = np.where(family > 0, exposure, 1.0), (lower + upper) / 2 + 0.5
    share = events / (number + 1)
    mean = np.where(family == MEAN, lower, 1.0) / number
    spread = share * (1 - share)
    chosen = [family == BETA_BINOMIAL, family == NEGATIVE_BINOMIAL, family == MEAN]
    known = (family != UNOBSERVED) & (lower == upper)
    with np.errstate(divide="ignore", invalid="ignore"):  # every formula is evaluated at all cells
        response = np.select(chosen, [np.log(share / (1 - share)), np.log(events / number), np.log(mean)], 0.0)
        chance = np.select(chosen, [1 / (number * spread), 1 / events, 0.0 * mean], 0.0)
        extra = np.select(chosen, [1 / spread, np.ones_like(mean), 1 / number], 0.0)
    return np.where(known, response, 0.0), np.where(known, chance, np.inf), np.where(known, extra, 0.0)


def simulate(
    eta: Array, log_size: Array, exposure: Array, family: Array, *, rng: np.random.Generator, size: Any = None
) -> Array:
    """Draw a count for every cell, 0 if ``family`` is unobserved.

    Parameters
    ----------
    eta
        Logit of the share, log of the rate or of the mean.
    log_size
        Log of the sum of the beta parameters, of the negative-binomial size, or of the precision of one of the
        pupils that a mean is taken over.
    exposure
        Trials, population, or the number that a mean is taken over.
    family
        One of ``FAMILIES``' values, or ``UNOBSERVED``.
    rng
        Source of randomness.
    size
        Shape of the result, by default the common shape of the arguments.

    Returns
    -------
    ndarray
        Counts, or totals if a mean is modelled.
    """
    shape = size or np.broadcast_shapes(eta.shape, log_size.shape, exposure.shape, family.shape)
    eta, concentration, exposure, family = (
        np.broadcast_to(part, shape) for part in (eta, np.exp(log_size), exposure, family)
    )
    counts = np.zeros(shape)
    shares, events, means = (family == kind for kind in (BETA_BINOMIAL, NEGATIVE_BINOMIAL, MEAN))
    share = 1 / (1 + np.exp(-eta[shares]))
    drawn = rng.beta(share * concentration[shares], (1 - share) * concentration[shares])
    counts[shares] = rng.binomial(exposure[shares].astype(int), drawn)
    frailty = rng.gamma(concentration[events], 1 / concentration[events])
    counts[events] = rng.poisson(frailty * exposure[events] * np.exp(eta[events]))
    spread = (concentration[means] * exposure[means]) ** -0.5
    counts[means] = exposure[means] * np.exp(eta[means] + spread * rng.standard_normal(spread.size))
    return counts
