"""Simulated studies against the sampling distributions they stand for."""

import numpy as np
import pytest
import xarray as xr

from toolkit.appraisal import study_designs
from toolkit.schema import InputError

TRUTH = xr.Dataset({"effect": ("sample", np.full(20_000, -0.2)), "price": ("sample", np.full(20_000, 500.0))})


def simulate(design, parameters=TRUTH):
    return design(parameters, np.random.default_rng(2))


def test_trial_reports_the_risk_ratio_with_its_sampling_error():
    reported = simulate(study_designs.trial(baseline=0.3, log_risk_ratio="effect", per_arm=1000))["log_risk_ratio"]
    treated = 0.3 * np.exp(-0.2)
    # Delta method for a log risk ratio: (1 - p) / (n p) in each arm.
    error = np.sqrt((1 - 0.3) / (1000 * 0.3) + (1 - treated) / (1000 * treated))
    assert float(reported.mean()) == pytest.approx(-0.2, abs=4 * error / np.sqrt(20_000) + 0.002)
    assert float(reported.std()) == pytest.approx(error, rel=0.03)


def test_empty_arms_still_report():
    reported = simulate(study_designs.trial(baseline=0.001, log_risk_ratio="effect", per_arm=5))
    assert np.isfinite(reported["log_risk_ratio"]).all()


def test_audit_reports_the_mean_of_its_cases():
    reported = simulate(study_designs.audit(unit_cost="price", cases=25, coefficient_of_variation=0.8))["price"]
    assert float(reported.mean()) == pytest.approx(500, rel=0.01)
    assert float(reported.std()) == pytest.approx(500 * 0.8 / 5, rel=0.03)


def test_survey_adds_its_standard_error():
    reported = simulate(study_designs.survey(value="effect", standard_error=0.1))["effect"]
    assert float(reported.std()) == pytest.approx(0.1, rel=0.03)


@pytest.mark.parametrize(
    ("design", "message"),
    [
        (lambda: study_designs.trial(baseline=0.3, log_risk_ratio="effect", per_arm=0), "per_arm"),
        (lambda: study_designs.survey(value="effect", standard_error=-1), "standard_error"),
        (lambda: simulate(study_designs.survey(value="mood", standard_error=1)), "mood"),
        (
            lambda: simulate(study_designs.trial(baseline="price", log_risk_ratio="effect", per_arm=9)),
            "probability",
        ),
        (
            lambda: simulate(study_designs.audit(unit_cost="effect", cases=9, coefficient_of_variation=1)),
            "above 0",
        ),
    ],
)
def test_impossible_designs_are_refused(design, message):
    with pytest.raises(InputError, match=message):
        design()
