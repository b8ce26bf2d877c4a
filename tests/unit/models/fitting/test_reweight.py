"""Draws weighed by the ratio of priors, against a posterior that is known exactly."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from toolkit import evidence, models

NAMES = ["care_starts", "rereferrals"]


@pytest.fixture(scope="module")
def priors():
    return evidence.load_register().tables["priors"]


def changed(priors, **rows):
    given = {
        f"outcomes.{name}": evidence.priors.Prior(first=a, second=b, reason="a test") for name, (a, b) in rows.items()
    }
    return evidence.with_priors(priors, given)


@pytest.fixture(scope="module")
def posterior():
    """Normal data of mean 0.1 and error 0.1 under the shipped prior N(0, 0.2): mean 0.08, sd 0.0894."""
    random = np.random.default_rng(1)
    drawn = 0.08 + np.sqrt(1 / (1 / 0.2**2 + 1 / 0.1**2)) * random.standard_normal((4, 1000, 2))
    coords = {"chain": range(4), "draw": range(1000), "indicator": NAMES}
    return xr.Dataset({"spend_within": (("chain", "draw", "indicator"), drawn)}, coords)


@pytest.mark.parametrize(("first", "second"), [(0.1, 0.2), (-0.1, 0.2), (0.0, 0.1), (0.0, 0.15)])
def test_weighed_draws_are_those_of_the_new_posterior(posterior, priors, first, second):
    weights = models.weigh(posterior, priors, changed(priors, spend_within=(first, second)))
    assert weights.usable
    tree = models.resampled(xr.DataTree.from_dict({"posterior": posterior}), weights, seed=1)
    drawn = tree["posterior"]["spend_within"]
    precision = 1 / second**2 + 1 / 0.1**2
    expected = (first / second**2 + 0.1 / 0.1**2) / precision
    assert drawn.dims == posterior["spend_within"].dims
    np.testing.assert_allclose(drawn.mean(["chain", "draw"]), expected, atol=0.006)
    np.testing.assert_allclose(drawn.std(["chain", "draw"]), precision**-0.5, rtol=0.05)


def test_a_prior_far_off_is_not_trusted(posterior, priors):
    weights = models.weigh(posterior, priors, changed(priors, spend_within=(-0.9, 0.02)))
    assert not weights.usable and weights.effective < 100


def test_only_the_indicators_of_a_row_are_moved(posterior, priors):
    moved = changed(priors, **{"spend_within[attainment_8]": (0.3, 0.01)})
    one = models.weigh(posterior.assign_coords(indicator=["attainment_8", "rereferrals"]), priors, moved)
    assert one.effective < 1000
    ratio = pd.Series(models.weigh(posterior, priors, changed(priors, spend_within=(0.0, 0.19))).weights)
    assert ratio.sum() == pytest.approx(1.0)
