"""The mean of the worst draws against sums by hand and against the linear programme over all draws."""

import numpy as np
import pytest
from scipy import optimize

from toolkit.appraisal.tail_cuts import best_tail

WHOLE = {"low": np.zeros(2), "high": np.ones(2)}
MONEY = {"weights": np.ones((1, 2)), "caps": np.ones(1)}


def test_two_items_that_fail_apart_are_bought_together() -> None:
    """Each loses 10 in one draw of ten, in which the other gains 20: halves gain 5 in their worst."""
    gain = np.full((10, 2), 20.0)
    gain[0, 0] = gain[1, 1] = -10.0
    shares, gap, bound = best_tail(gain, 0.9, **MONEY, **WHOLE)
    assert shares == pytest.approx([0.5, 0.5], abs=1e-4)
    assert gap == 0.0 and bound == pytest.approx(5.0, abs=1e-3)


def test_nothing_is_bought_where_every_tail_loses() -> None:
    gain = np.random.default_rng(1).normal(0.1, 1.0, size=(500, 2))
    shares, gap, bound = best_tail(gain, 0.9, **MONEY, **WHOLE)
    assert shares == pytest.approx([0.0, 0.0], abs=1e-9) and gap == 0.0 and abs(bound) < 1e-4


def test_rules_that_nothing_keeps_have_no_answer() -> None:
    shares, _, _ = best_tail(np.ones((10, 2)), 0.9, weights=-np.ones((1, 2)), caps=-np.full(1, 3.0), **WHOLE)
    assert shares is None


@pytest.mark.parametrize("seed", range(4))
def test_it_is_the_optimum_of_rockafellar_and_uryasevs_programme(seed: int) -> None:
    """Whose variables are the shares, the quantile and each draw's shortfall from it."""
    random = np.random.default_rng(seed)
    draws, items, worst = 300, 8, 30
    gain = random.normal(random.uniform(0.5, 2, items), 1.0, size=(draws, items)) + random.normal(size=(draws, 1))
    weights = np.vstack([np.ones(items), random.uniform(0, 1, items)])
    caps = np.array([1.0, 0.3])
    shares, gap, bound = best_tail(gain, 0.9, weights=weights, caps=caps, low=np.zeros(items), high=np.ones(items))
    known = optimize.linprog(
        np.concatenate([np.zeros(items), [-1.0], np.full(draws, 1 / worst)]),
        A_ub=np.vstack(
            [
                np.hstack([weights, np.zeros((2, 1 + draws))]),
                np.hstack([-gain, np.ones((draws, 1)), -np.eye(draws)]),
            ]
        ),
        b_ub=np.concatenate([caps, np.zeros(draws)]),
        bounds=[(0, 1)] * items + [(None, None)] + [(0, None)] * draws,
    )
    assert shares is not None and gap == 0.0
    assert np.sort(gain @ shares)[:worst].mean() == pytest.approx(-known.fun, abs=5e-5)
    assert bound >= -known.fun - 1e-9
    assert (weights @ shares <= caps + 1e-7).all()
