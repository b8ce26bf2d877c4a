"""Power-scaling of the outcome model: what rests on a prior, and agreement with the likelihood itself."""

import arviz as az
import numpy as np
import pytest
import xarray as xr
from scipy import stats

from toolkit.validation.prior_influence import SCALED, _diagnosed, outcome_power_scaling

NAME, SIZE = "care_starts", (4, 1000)
SPREAD = {"spend_within": 0.2, "spend_between": 0.3}  # the priors' standard deviations, around 0


@pytest.fixture
def posterior() -> xr.Dataset:
    """Draws that know everything well but within-area spending, which is as its prior has it."""
    random = np.random.default_rng(8)
    centre = {"intercept": -6.0, "persistence": 0.7, "drift_size": -0.2, "low_income": 0.3, "low_income_within": 0.0}
    draws = {name: centre.get(name, 0.2) + 0.01 * random.standard_normal(SIZE) for name in SCALED}
    draws["spend_within"] = SPREAD["spend_within"] * random.standard_normal(SIZE)
    draws["spend_between"] = 0.4 + 0.15 * random.standard_normal(SIZE)
    dims = ("chain", "draw", "indicator")
    return xr.Dataset({name: (dims, values[..., None]) for name, values in draws.items()}, {"indicator": [NAME]})


@pytest.mark.long
def test_what_the_data_say_nothing_of_rests_on_its_prior(posterior: xr.Dataset) -> None:
    scaling = outcome_power_scaling(posterior, seed=1).set_index("parameter")
    assert scaling.loc["spend_within", "diagnosis"] == "rests on the prior"
    assert scaling.loc["spend_within", "prior_ratio"] == pytest.approx(1, abs=0.03)
    assert scaling.loc["low_income", "diagnosis"] == "rests on the data"
    assert scaling.loc["low_income", "prior_ratio"] == pytest.approx(0.02, abs=0.002)
    assert (scaling["noise"] < 0.05).all()


@pytest.mark.long
def test_it_agrees_with_scaling_the_likelihood_itself(posterior: xr.Dataset) -> None:
    """Posterior N(0.4, 0.15) under a prior N(0, 0.3): the likelihood is normal and known."""
    scaling = outcome_power_scaling(posterior, seed=1).set_index("parameter").loc["spend_between"]
    draws = posterior["spend_between"].sel(indicator=NAME).values
    log_prior = stats.norm(0, SPREAD["spend_between"]).logpdf(draws)
    likelihood = stats.norm(0.4, 0.15).logpdf(draws) - log_prior
    tree = az.from_dict(
        {
            "posterior": {"x": draws},
            "log_prior": {"p": log_prior},
            "log_likelihood": {"l": likelihood[..., None]},
        }
    )
    for group in ("prior", "likelihood"):
        assert float(az.psense(tree, group=group)["x"]) == pytest.approx(scaling[group], abs=0.02)


@pytest.mark.parametrize(
    ("prior", "likelihood", "said"),
    [
        (0.02, 0.20, "rests on the data"),
        (0.02, 0.051, "rests on the data"),  # what the likelihood does is not asked there
        (0.045, 0.20, "cannot be told"),
        (0.20, 0.051, "cannot be told"),
        (0.20, 0.02, "rests on the prior"),
        (0.20, 0.20, "depends on prior and data alike"),
    ],
)
def test_a_diagnosis_that_an_error_of_a_hundredth_could_tip_cannot_be_determined(prior, likelihood, said) -> None:
    errors = {"prior_mcse": 0.005, "likelihood_mcse": 0.005}
    assert _diagnosed({"prior": prior, "likelihood": likelihood, **errors}) == said
