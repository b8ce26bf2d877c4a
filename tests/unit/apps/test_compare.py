"""The pages *Compare* and *Cost of poor outcomes*: what a number is, how sure it is, and a cut in its own words."""

import html

import pytest

from tests.conftest import LEEDS
from toolkit import scenarios
from toolkit.apps import compare
from toolkit.apps.compare import Saved
from toolkit.apps.shell import Site

pytestmark = pytest.mark.fit


@pytest.fixture
def cells(live, small_scenario):
    def made(**changes):
        scenario = scenarios.change(small_scenario, **changes)
        run = live.run(scenario, (LEEDS,))
        return compare._settings(Saved("one", "Leeds", (LEEDS,), scenario), run) | compare._results(run)

    return made


def test_a_cut_is_not_said_to_cost_or_pay_back(cells):
    found = cells(option={"cut": True, "spend_per_child": 9.0})
    assert found["Programme spending"].startswith("£") and found["Programme spending"].endswith("taken away")
    assert found["For each £1"].endswith("caused by each £1 cut")
    assert found["Chance for the public purse"].endswith("still ahead at the end")
    plain = cells()
    assert plain["For each £1"].endswith("avoided") and plain["Chance for the public purse"].endswith("paid back")


def test_every_sum_has_its_interval(cells):
    found = cells()
    for name in ("90% interval of it", "90% interval of that", "90% interval of the cash"):
        assert " to " in found[name]


def test_a_budget_too_small_is_told_in_plain_words(live):
    site = Site(live, query="?page=Compare")
    page = site.pages["Compare"]
    page._keep()
    site.state.change(option={"spend_per_child": 40.0})
    page._keep()
    page.budget.value = "0.001"
    said = html.unescape(page.portfolio.object)
    assert "divisible" not in said and "Mend" not in said
    assert "£1,000, buys none of them: Scenario 1 costs £" in said


def test_the_cost_of_a_child_has_its_interval_and_says_which_child(live):
    page = Site(live, query="?page=Cost of poor outcomes").pages["Cost of poor outcomes"]
    assert "for each child who starts a first episode of need" in page.head.object
    assert "; for each child £" in page.head.object
    page.choice.value = "annual"
    assert "for each child" not in page.head.object
