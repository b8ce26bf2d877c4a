"""The pages *Compare* and *Cost of poor outcomes*: what a number is, how sure it is, and a cut in its own words."""

import html
import re

import pytest

from tests.conftest import LEEDS
from toolkit.apps.pages import compare
from toolkit.apps.shell import Site

pytestmark = pytest.mark.fit


@pytest.fixture
def cells(live, small_scenario):
    def of(times=1.0):
        run = live.run(small_scenario.times(times), (LEEDS,))
        return {name: text for name, (text, _) in compare._results(run).items()}

    return of


def test_a_cut_does_not_cost_or_pay_back(cells):
    cut = cells(-0.15)
    assert cut["Spending on the plan"].startswith("£") and cut["Spending on the plan"].endswith("taken away")
    assert cut["For each £1"].endswith("caused by each £1 cut")
    assert cut["Chance for the public purse"].endswith("still ahead at the end")
    plain = cells()
    assert plain["For each £1"].endswith("avoided") and plain["Chance for the public purse"].endswith("paid back")


def test_every_sum_has_its_interval(cells):
    shown = cells()
    for name in ("90% interval of it", "90% interval of that", "90% interval of the cash"):
        assert " to " in shown[name]


def test_a_budget_too_small_is_refused_in_plain_words(live):
    site = Site(live, query="?page=Compare")
    page = site.pages["Compare"]
    page._save()
    site.state.multiply(2.0)
    page._save()
    page.budget.value = "0.001"
    text = html.unescape(page.portfolio.object)
    assert "divisible" not in text and "Fix" not in text
    assert "£1,000, buys none of them: Scenario 1 costs £" in text


def test_the_budget_and_the_aim_are_in_the_link_and_in_the_history(live):
    site = Site(live, query="?page=Compare")
    page, state = site.pages["Compare"], site.state
    page.budget.value = "£35.50 million"
    page.aim.value = "conditional_value_at_risk"
    assert state.address.endswith("&aim=conditional_value_at_risk&budget=35.5") and page.budget.value == "35.5"
    other = Site(live, query=state.address)
    assert other.state.views == state.views and other.pages["Compare"].aim.value == "conditional_value_at_risk"
    state.undo()
    state.undo()
    assert (page.budget.value, page.aim.value) == ("20", "expected_value") and "budget" not in state.address
    state.redo()
    assert page.budget.value == "35.5"


@pytest.mark.parametrize("text", ["", "much", "-3", "0", "nan", "1e400", "1e9", "12%25", "<b>", "9" * 400])
def test_a_budget_of_nonsense_falls_back_and_is_named(live, text):
    site = Site(live, query=f"?page=Compare&aim=luck&budget={text}")
    messages = site.state.messages
    assert [line.split(":")[0] for line in messages] == ["aim", "budget"] and messages[1].endswith("so it is 20.")
    assert site.state.views["budget"] == "20" and site.pages["Compare"].budget.value == "20"
    site.state.look(budget="30")
    site.pages["Compare"].budget.value = text
    assert site.state.messages[0].startswith("budget: ") and "Fix" in site.state.messages[0]
    assert site.pages["Compare"].budget.value == "30" and len(site.messages.object) < 500


def test_the_page_says_how_far_programmes_share_their_sites_luck(live):
    def correlation(shared):
        site = Site(live, query=f"?page=Compare&effect.shared_luck={shared}")
        page = site.pages["Compare"]
        page._save()
        site.state.buy([{"programme": "multisystemic_therapy", "pounds_per_child": [9.0]}])
        page._save()
        text = html.unescape(re.sub("<[^>]+>", " ", page.table.object))
        portfolio = html.unescape(page.portfolio.object)
        assert "the luck of a site" in text and "the luck of a site" in portfolio
        assert {1.0: "shared wholly with", 0.0: "not shared with", 0.5: "50% shared with"}[shared] in text
        return float(re.search(r"of two of them correlate by (-?[0-9.]+)\.", text.replace("\N{MINUS SIGN}", "-"))[1])

    wholly, half, own = (correlation(shared) for shared in (1.0, 0.5, 0.0))
    assert wholly > half + 0.05 > own + 0.1  # what is uncertain of their own effects is not shared


def test_the_cost_of_a_child_has_its_interval_and_says_which_child(live):
    page = Site(live, query="?page=Cost of poor outcomes").pages["Cost of poor outcomes"]
    assert "for each child who starts a first episode of need" in page.head.object
    text = html.unescape(re.sub("<[^>]+>", "", page.head.object))
    assert re.search(r"90% interval £[^;]+; for each child £", text)
    page.choice.value = "annual"
    assert "for each child" not in page.head.object
