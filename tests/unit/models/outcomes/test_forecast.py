"""Later years: the walk goes on from beneath the free years, and areas return to their level as they persist."""

import numpy as np
import pytest
import xarray as xr
from scipy.special import expit

from toolkit import models
from toolkit.models.outcomes.forecast import walk_ahead
from toolkit.schema import InputError

YEARS, AREAS, SAMPLES = np.arange(2018, 2023), 3, (2, 2000)
SIZE = np.array([1.0, 1.0, 2.0])  # of the areas, with a drift as large
LEVEL, DEVIATION = np.array([-1.0, 0.0, 1.0]), np.array([0.5, -0.5, 0.0])
PERSISTENCE, SPREAD, STEP = 0.6, 0.2, 0.01
SPEND, SPEND_MEAN = 0.4, np.array([0.1, 0.0, 0.0, -0.1, 0.2])


def world(free=()):
    """Posterior of one share without doubt about anything but the future."""
    national = np.array([-0.1, 0.0, 0.1, 0.5, 0.3])
    eta = LEVEL[:, None] + national + np.where(YEARS[-1] == YEARS, DEVIATION[:, None], 0.0)
    whole = lambda values: np.broadcast_to(values, (*SAMPLES, 1, *np.shape(values)))  # noqa: E731
    draws = {
        "area_rate": (("area", "data_year"), expit(eta)),
        "area_effect": (("area",), LEVEL),
        "year_effect": (("data_year",), national),
        **{
            name: ((), value)
            for name, value in {
                "year_sd": STEP,
                "persistence": PERSISTENCE,
                "persistence_sd": SPREAD,
                "spend_within": SPEND,
                "low_income_within": 0.0,
                "drift_size": 1.0,
            }.items()
        },
    }
    coords = {"indicator": ["share"], "area": list("abc"), "data_year": YEARS}
    posterior = {name: (("chain", "draw", "indicator", *dims), whole(value)) for name, (dims, value) in draws.items()}
    still = (("indicator", "area", "data_year"), np.zeros((1, AREAS, len(YEARS))))
    yearly = lambda values: (("indicator", "data_year"), np.asarray(values)[None])  # noqa: E731
    design = {
        "likelihood": ("indicator", [1]),
        "in_window": yearly(YEARS > 0),
        "spend_within": still,
        "low_income_within": still,
        "spend_year_mean": yearly(SPEND_MEAN),
        "low_income_year_mean": yearly(0.0 * YEARS),
        "log_size": (("indicator", "area"), np.log([SIZE])),
        "free_variance": yearly(np.isin(YEARS, free) * 1e6),
    }
    groups = {
        "posterior": xr.Dataset(posterior, coords),
        "constant_data": xr.Dataset(design, coords | {"covariate": []}),
    }
    return xr.DataTree.from_dict(groups)


def logit_of(rates):
    return np.log(rates / (1 - rates)).astype(float)


def test_areas_return_to_their_level():
    eta = logit_of(models.forecast(world(), years=[2023, 2025], seed=1)).sel(indicator="share")
    mean, sd = eta.mean(("chain", "draw")), eta.std(("chain", "draw"))
    for year, ahead in ((2023, 1), (2025, 3)):
        expected = LEVEL + 0.3 + PERSISTENCE**ahead * DEVIATION
        np.testing.assert_allclose(mean.sel(data_year=year), expected, atol=0.02)
        spread = ((SIZE * SPREAD) ** 2 * (1 - PERSISTENCE ** (2 * ahead)) + ahead * STEP**2) ** 0.5
        np.testing.assert_allclose(sd.sel(data_year=year), spread, rtol=0.06)


def test_an_indicator_that_ends_earlier_goes_on_from_its_own_last_year():
    tree = world()
    design, draws = (tree[group].to_dataset() for group in ("constant_data", "posterior"))
    known = design["data_year"] < YEARS[-1]
    tree["constant_data"] = design.assign(in_window=design["in_window"] & known)
    tree["posterior"] = draws.assign({name: draws[name].where(known) for name in ("area_rate", "year_effect")})
    mean = logit_of(models.forecast(tree, years=[YEARS[-1]], seed=1)).mean(("chain", "draw", "data_year"))
    np.testing.assert_allclose(mean.sel(indicator="share"), LEVEL + 0.5, atol=0.02)


def test_the_walk_goes_on_from_the_last_usual_year():
    eta = logit_of(models.forecast(world(free=(2021, 2022)), years=[2023], seed=1)).sel(
        indicator="share", data_year=2023
    )
    # The walk of 2020 without spending's part of that year, with that of the last year carried forward.
    expected = LEVEL + 0.1 + SPEND * (SPEND_MEAN[-1] - SPEND_MEAN[2]) + PERSISTENCE * DEVIATION
    np.testing.assert_allclose(eta.mean(("chain", "draw")), expected, atol=0.02)


def test_weights_of_a_plain_walk_are_those_of_its_last_year():
    weights, root = walk_ahead(np.zeros(4), 3)
    np.testing.assert_allclose(weights, np.tile([0, 0, 0, 1.0], (3, 1)), atol=1e-12)
    np.testing.assert_allclose(root @ root.T, np.minimum.outer([1, 2, 3], [1, 2, 3]), atol=1e-12)


def test_weights_equal_those_of_a_normal_with_a_vague_level():
    free = np.array([0.0, 4.0, 0.0, 25.0, 25.0])
    weights, root = walk_ahead(free, 2)
    joint = np.minimum.outer(np.arange(1.0, 8), np.arange(1.0, 8)) + 1e7
    joint[:5, :5] += np.diag(free)
    conditional = np.linalg.solve(joint[:5, :5], joint[:5, 5:]).T
    np.testing.assert_allclose(weights, conditional, atol=1e-5)
    np.testing.assert_allclose(root @ root.T, joint[5:, 5:] - conditional @ joint[:5, 5:], atol=1e-4)
    np.testing.assert_allclose(weights.sum(axis=1), 1)


@pytest.mark.parametrize("years", [[], [2022], [2021, 2024]])
def test_years_that_are_not_later_are_refused(years):
    with pytest.raises(InputError, match="2022"):
        models.forecast(world(), years=years, seed=1)
