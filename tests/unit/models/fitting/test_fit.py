"""Sampling any model: the known answer, what is recorded, and what is refused."""

import json

import numpy as np
import pymc as pm
import pytest

from toolkit.models import evenly, fit
from toolkit.schema import InputError

OBSERVED = np.array([1.2, 0.4, 2.1, 1.7, 0.9])


def normal_mean() -> pm.Model:
    with pm.Model() as model:
        mean = pm.Normal("mean", 0.0, 2.0)
        pm.Normal("observed", mean, 1.0, observed=OBSERVED)
    return model


@pytest.fixture(scope="module")
def tree():
    return fit(normal_mean(), seed=11, draws=1000, tune=300, chains=2, progress=False)


@pytest.mark.long
def test_conjugate_posterior_is_found(tree):
    # Normal data of known variance: Gelman et al. (2013), Bayesian Data Analysis, equation 2.12.
    precision = 1 / 4 + len(OBSERVED)
    draws = tree["posterior"]["mean"].astype(float)
    assert float(draws.mean()) == pytest.approx(OBSERVED.sum() / precision, abs=5 * precision**-0.5 / 500**0.5)
    assert float(draws.std()) == pytest.approx(precision**-0.5, rel=0.1)


def test_what_made_the_draws_is_recorded(tree):
    assert (tree.attrs["seed"], tree.attrs["draws"], tree.attrs["tune"], tree.attrs["chains"]) == (11, 1000, 300, 2)
    assert {"pymc", "nutpie", "numba"} <= set(json.loads(tree.attrs["versions"]))
    assert tree["posterior"]["mean"].dtype == np.float32
    assert {"diverging", "energy"} <= set(tree["sample_stats"].data_vars)


def test_draws_kept_are_evenly_spaced_and_every_group_keeps_the_same(tree):
    kept = evenly(tree, 400)
    assert kept["posterior"]["draw"].values.tolist() == list(range(400))
    assert kept["posterior"]["mean"][:, :3].values.tolist() == tree["posterior"]["mean"][:, [0, 2, 5]].values.tolist()
    assert kept["sample_stats"].sizes["draw"] == 400
    assert (kept.attrs["draws"], kept.attrs["draws_kept"]) == (1000, 400)
    with pytest.raises(InputError, match="1001 draws of 1000"):
        evenly(tree, 1001)


@pytest.mark.parametrize(
    "settings",
    [{"draws": 0}, {"chains": 1.5}, {"tune": -1}, {"seed": -1}, {"cores": 0}, {"target_accept": 1.0}, {"draws": True}],
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(InputError, match=next(iter(settings))):
        fit(normal_mean(), **{"seed": 1, **settings})


def test_an_impossible_model_is_refused():
    with pm.Model() as model:
        rate = pm.Gamma("rate", 2.0, 1.0)
        pm.Potential("impossible", rate - rate - np.inf)
    with pytest.raises(InputError, match="no starting point"):
        fit(model, seed=1, draws=10, tune=10, chains=1, progress=False)
