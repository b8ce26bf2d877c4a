"""Draws that need no generator, shared by the decision tests."""

import numpy as np
import pytest
import xarray as xr
from scipy.stats import norm


def _lattice(draws):
    """Normal quantiles of an additive lattice, and four options' costs and effects made from them."""
    uniform = (np.arange(1, draws + 1)[:, None] * np.sqrt([2, 3, 5, 7, 11])) % 1
    uptake, risk, price, harm, noise = norm.ppf(uniform).T
    effect = [
        0 * uptake,
        0.10 + 0.05 * risk + 0.03 * uptake,
        0.16 + 0.09 * risk + 0.05 * uptake * risk,
        0.20 + 0.12 * risk - 0.04 * harm,
    ]
    cost = [0 * price, 900 + 200 * price, 1900 + 500 * price + 300 * noise, 3600 + 900 * price]
    options = {"option": ["a", "b", "c", "d"]}
    parameters = {"uptake": uptake, "risk": risk, "price": price, "harm": harm}
    return (
        xr.DataArray(np.transpose(cost), dims=("sample", "option"), coords=options),
        xr.DataArray(np.transpose(effect), dims=("sample", "option"), coords=options),
        xr.Dataset({name: ("sample", values) for name, values in parameters.items()}),
    )


@pytest.fixture
def lattice():
    return _lattice
