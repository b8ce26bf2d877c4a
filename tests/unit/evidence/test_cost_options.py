"""Options of cost that cannot stand beside what is in use."""

import pytest

from toolkit import changes, scenarios
from toolkit.schema import InputError


def check(register, chosen, **settings):
    scenario = scenarios.change(scenarios.load("families_first"), cost_options=chosen, **settings)
    changes.check_evidence(scenario, register)


def test_wellbys_beside_quality_of_life_are_refused_with_the_option_that_is_missing(register):
    message = (
        "cost_options: wellby stands beside the quality of life in use. Fix: add without_quality_of_life, or leave"
    )
    with pytest.raises(InputError, match=message):
        check(register, ["wellby"])
    check(register, ["wellby", "without_quality_of_life"])
    check(register, ["bottom_up_justice", "earnings_by_grade"])


def test_without_wellbeing_they_would_add_nothing(register):
    outcomes = [name for name in scenarios.load("families_first").outcomes if name != "wellbeing"]
    with pytest.raises(
        InputError, match=r"wellby adds only to wellbeing, which outcomes leaves out. Fix: leave wellby"
    ):
        check(register, ["wellby"], outcomes=outcomes)
