"""The joint test: as strict as theory says for quantities that are alike or independent, and sees one that fails."""

import numpy as np
import pytest
from scipy import stats

from toolkit.validation.calibration import Ranks
from toolkit.validation.joint_test import joint_test


def drawn(values: np.ndarray) -> list[Ranks]:
    return [{("p", str(place)): float(value) for place, value in enumerate(row)} for row in values]


def test_quantities_that_are_copies_count_once() -> None:
    """The p-value is that of one Kolmogorov-Smirnov test, but for the grid of hundredths."""
    ranks = np.random.default_rng(12).random(800) ** 1.1
    once = stats.kstest(ranks, "uniform").pvalue
    assert 0.005 < once < 0.3
    found = joint_test(drawn(np.tile(ranks[:, None], 12)), model="m", seed=1).iloc[0]
    assert found["p_value"] == pytest.approx(once, abs=0.35 * once)


def test_independent_quantities_are_corrected_for_their_number() -> None:
    """Sidak: of 12 independent tests, the least p-value has p = 1 - (1 - least)^12."""
    ranks = np.random.default_rng(3).random((800, 12))
    ranks[:, 5] **= 1.14
    least = min(stats.kstest(column, "uniform").pvalue for column in ranks.T)
    wanted = 1 - (1 - least) ** 12
    assert 0.005 < wanted < 0.5
    found = joint_test(drawn(ranks), model="m", seed=1).iloc[0]
    assert found["p_value"] == pytest.approx(wanted, abs=0.35 * wanted)


def test_one_quantity_that_fails_among_many_fails_all() -> None:
    ranks = np.random.default_rng(4).random((500, 60))
    assert joint_test(drawn(ranks), model="m", seed=2).iloc[0]["verdict"] == "passed"
    ranks[:, 17] = stats.norm.cdf(2 * stats.norm.ppf(ranks[:, 17]))  # intervals half as wide as they should be
    found = joint_test(drawn(ranks), model="m", seed=2).iloc[0]
    assert found["verdict"] == "failed" and found["p_value"] == pytest.approx(1e-4)


def test_coverage_and_its_error_are_of_all_quantities() -> None:
    """Two copies: ranks of 0.5 lie in both intervals, of 0.9 in the wide one (0.05 to 0.95) only, of 0.99 in none."""
    ranks = np.repeat([[0.5, 0.5], [0.9, 0.9], [0.99, 0.99], [0.5, 0.99]], 5, axis=0)
    found = joint_test(drawn(ranks), model="m", seed=2).iloc[0]
    assert [found["coverage_50"], found["coverage_90"]] == pytest.approx([1.5 / 4, 2.5 / 4])
    shares = np.repeat([1, 1, 0, 0.5], 5)
    assert found["coverage_90_mcse"] == pytest.approx(shares.std(ddof=1) / np.sqrt(20), abs=1e-5)
