"""What a trial would see and report, against closed forms."""

from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from tests.unit.measures.test_value_of_information import inputs as inputs
from tests.unit.measures.test_value_of_information import run as run
from toolkit.measures import possible_studies


def test_a_trial_counts_events_of_the_programme_whose_effect_moves_the_answer_most(run, inputs):
    programme, outcomes = possible_studies._tried(inputs)
    assert (programme, outcomes) == ("a", ["care"])
    mild = inputs.parameters.assign({"effect: a: care": 0.1 * inputs.parameters["effect: a: care"]})
    seen, design = possible_studies._trial(run, mild, programme, {"care": 0.19}, 10**7)
    # Half take it up, and it works from three months on: the year's hazard is 0.25 + 0.75 exp(0.5 b).
    hazard = 0.25 + 0.75 * np.exp(0.5 * mild["effect: a: care"])
    np.testing.assert_allclose(seen["care"], np.log((1 - 0.81**hazard) / 0.19))
    reported = design(seen, np.random.default_rng(1))["care"]
    np.testing.assert_allclose(reported, seen["care"], atol=0.01)


def test_the_risk_that_a_trial_meets_is_that_of_the_lives_of_those_served(run, monkeypatch):
    """A published share looked after from month 19 to 24 is no chance to enter care by then, let alone in a year."""
    again = xr.DataArray([[[0.2]]], dims=("chain", "draw", "parameter"), coords={"parameter": ["rereferral_first"]})
    monkeypatch.setattr(possible_studies.q, "drawn", lambda run: {"pathway": again})
    assert possible_studies._usual(run, "supporting_families") == {"repeat_referrals": pytest.approx(1 - np.exp(-0.2))}
    tree = run.tree.copy()
    within = xr.DataArray([[[0.02, 0.04]]], {"programme": ["supporting_families"]}, ("programme", "chain", "draw"))
    tree["programmes"] = xr.DataTree(within.to_dataset(name="care_within_year"))
    found = possible_studies._usual(SimpleNamespace(tree=tree), "supporting_families")
    assert found["care"] == pytest.approx(0.03)
