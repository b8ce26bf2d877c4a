"""Surprises against the recursion that they stand for, and their density against an independent one."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from toolkit.models.outlook.smoothing import filled, first_years, log_density, log_spreads, weights

GAIN, FIRST_GAIN, AREA_SD, SPREAD = 0.4, 0.8, 0.5, 0.1


def test_weights_are_the_recursion():
    random = np.random.default_rng(3)
    gap = random.normal(size=7)
    expected = gap @ weights(np.array([GAIN]), np.array([FIRST_GAIN]), np.array([2]), 7, ahead=1)[0]
    level = 0.0
    for year in range(2, 7):
        assert expected[year] == pytest.approx(level)
        level += (FIRST_GAIN if year == 2 else GAIN) * (gap[year] - level)
    assert expected[7] == pytest.approx(level)
    assert expected[:2] == pytest.approx(0.0)


def test_the_density_is_a_multivariate_t():
    """Values are a lower-triangular map of the surprises, whose determinant is one."""
    random = np.random.default_rng(5)
    value, known = random.normal(size=(1, 1, 5)), np.ones((1, 1, 5), dtype=bool)
    first, tail = first_years(known), 6.0
    map_of = np.eye(5) - weights(np.array([GAIN]), np.array([FIRST_GAIN]), first, 5)[0]
    spreads = np.array([AREA_SD, SPREAD, SPREAD, SPREAD, SPREAD])
    inverse = np.linalg.inv(map_of)
    shape = inverse.T @ np.diag(spreads**2) @ inverse
    logs = log_spreads(*np.array([[AREA_SD], [SPREAD], [-0.3]]), np.zeros(1), first, 5, log=np.log)
    assert np.exp(logs[0, 0]) == pytest.approx(spreads)
    found = log_density(value @ map_of * np.exp(-logs), logs, known, np.array([[tail]])).eval()[0, 0]
    assert found == pytest.approx(stats.multivariate_t(np.zeros(5), shape, df=tail).logpdf(value[0, 0]))


def test_large_areas_are_less_surprised():
    logs = log_spreads(*np.array([[AREA_SD], [SPREAD], [-0.5]]), np.log([1.0, 4.0]), np.array([0]), 2, log=np.log)
    assert np.exp(logs[0, :, 1]) == pytest.approx([SPREAD, SPREAD / 2])
    assert np.exp(logs[0, :, 0]) == pytest.approx(AREA_SD)


def test_gaps_follow_the_other_areas():
    nan = np.nan
    given = np.array([[[nan, 1.0, nan, 4.0], [nan, 2.0, 5.0, 5.0], [nan, nan, 1.0, nan], [nan] * 4]])
    value, known = filled(xr.DataArray(given, dims=("series", "area", "data_year")))
    # The only known changes are 3 from the second to the third year and 0 from there to the fourth.
    assert value[0, 0] == pytest.approx([1.0, 1.0, 4.0, 4.0])
    assert value[0, 2] == pytest.approx([-2.0, -2.0, 1.0, 1.0])
    # The first value of an area that begins later than its series has no surprise.
    assert known[0].tolist() == [[False, True, False, True], [False, True, True, True], [False] * 4, [False] * 4]
    assert first_years(known).tolist() == [1]
