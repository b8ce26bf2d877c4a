"""What a place keeps of each programme of a plan, against what it keeps of the plan in all."""

import numpy as np
import pytest

from tests.conftest import LEEDS
from tests.unit.pricing.conftest import RUTLAND, desk_without_a_fit, no_effect
from toolkit.pricing.areas import price_areas
from toolkit.schema import BUSINESS_AS_USUAL, INVESTMENT, SAMPLE_DIMS

PLAN = [
    {"programme": "supporting_families", "pounds_per_child": [22.0, 22.0], "funder": "central_government"},
    {
        "programme": "family_group_conference",
        "pounds_per_child": [1.0],
        "funder": "local_authority",
        "first_year": 2027,
    },
]


@pytest.fixture(scope="module")
def priced(register, dozen):
    changes = {"plan": PLAN, "adjustments": {"optimism_bias": 0.1}}
    names = [part["programme"] for part in PLAN]
    used = no_effect(desk_without_a_fit(register, dozen, **changes).draws, names)
    used["effect"] = used["effect"] - 0.3
    desk = desk_without_a_fit(register, dozen, effects=used, **changes)
    return desk, price_areas(desk, areas=[LEEDS, RUTLAND])[0]


def test_programmes_together_keep_out_of_care_as_many_as_the_plan(priced):
    _, result = priced
    lived = result["lives"].sel(quantity="care_years", drop=True)
    saved = lived.sel(option=BUSINESS_AS_USUAL, drop=True) - lived.sel(option=INVESTMENT, drop=True)
    avoided = result["care_avoided"]
    assert avoided["programme"].values.tolist() == ["supporting_families", "family_group_conference"]
    assert abs(avoided).mean(SAMPLE_DIMS).sum("year").min() > 0
    np.testing.assert_allclose(avoided.sum("programme"), saved.transpose("year", *SAMPLE_DIMS), atol=1e-3)


def test_pounds_by_programme_are_those_of_the_plan_with_optimism_bias(priced):
    desk, result = priced
    children = float(desk.here["population_0_17"].sel(area=[LEEDS, RUTLAND]).sum())
    spent = result["spent_on"].sel(year=slice(0, 3)).transpose("programme", "year")
    expected = np.array([[22.0, 22.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]]) * children * 1.1
    np.testing.assert_allclose(spent, expected, rtol=1e-6)
