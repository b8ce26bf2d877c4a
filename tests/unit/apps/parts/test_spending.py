"""The plan and its sum, the handle of the curve, and what a link, the history and a tab keep."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import LEEDS
from toolkit.apps import shell
from toolkit.apps.parts import spending
from toolkit.apps.parts.fields import LARGEST_SENT
from toolkit.apps.server import STATIC
from toolkit.apps.session import tab
from toolkit.apps.session.scenario_keys import MOST_SAVED
from toolkit.apps.session.state import State
from toolkit.apps.shell import Site
from toolkit.measures.value_of_information import parameter_name
from toolkit.schema import InputError

pytestmark = pytest.mark.fit
COST = "Cost of poor outcomes"


@pytest.mark.parametrize(
    ("text", "years", "sums"),
    [
        ("60", 3, [60.0] * 3),
        ("£1,250.50", 1, [1250.5]),
        ("731m; 717.1m; 704m", 3, [731e6, 717.1e6, 704e6]),
        ("0.5bn;-2", 4, [5e8, -2.0]),
    ],
)
def test_yearly_sums_are_read_as_they_are_typed(text, years, sums):
    assert spending.sums_of(text, years) == pytest.approx(sums)
    assert spending.sums_of(spending.in_words(tuple(sums)), len(sums)) == pytest.approx(sums)


@pytest.mark.parametrize("text", ["", "much", "1;", "m", "1e400", "12;x", "1,23"])
def test_sums_that_are_no_numbers_are_refused(text):
    with pytest.raises(InputError, match="sum a year"):
        spending.sums_of(text, 3)


def test_the_sum_of_all_years_is_the_plans_and_sets_how_many_times_it_is_spent(site):
    total, state = site.panel.plan.total, site.state
    children = float(site.latest.unit.here["population_0_17"].sum())
    assert float(total.value.replace(",", "")) == pytest.approx(3 * 61.0 * children, abs=1.0)
    total.value = "£20m"
    assert total.value == "20,000,000" and state.times == pytest.approx(20e6 / (3 * 61.0 * children))
    before = state.scenario
    for text, words in (("9bn", "is too much"), ("-5", "cannot be used"), ("many", "is not a number")):
        total.value = text
        assert words in site.messages.object and "Fix" in site.messages.object
        assert state.scenario == before and total.value == "20,000,000"
    site.panel.named("Take these sums away instead (a cut)").value = True
    assert state.scenario.cut and "taken away" in total.label and total.value == "20,000,000"
    state.undo()
    assert total.label == "Sum in all years, £" and not site.panel.named("Take these sums away instead (a cut)").value


def test_parts_are_added_changed_and_taken_out(site):
    plan, state = site.panel.plan, site.state
    plan._add()
    assert len(plan.rows) == 3 and state.base.plan[2].sums == (1.0,) * 3 and not state.messages
    row = plan.rows[2]
    row.programme.value, row.funder.value = "multisystemic_therapy", "local_authority"
    row.sums.value = "2; 3"
    assert state.base.plan[2].sums == (2.0, 3.0) and state.base.funders == ("central_government", "local_authority")
    row.sums.value = "2; much"
    assert "is not a number" in state.messages[0] and row.sums.value == "2; 3"
    row.sums.value = "900"
    assert "are eligible" in state.messages[0] and row.sums.value == "2; 3"
    spent = site.latest.numbers.spent.copy()
    row.basis.value = "pounds"
    assert state.base.plan[2].basis == "pounds"
    np.testing.assert_allclose(site.latest.numbers.spent, spent, rtol=1e-5)
    again = State(site.live)
    again.read_address(state.address)
    assert again.scenario == state.scenario and again.messages == []
    plan.rows[0].remove.clicks += 1
    plan.rows[0].remove.clicks += 1
    assert state.base.programmes == ("multisystemic_therapy",) and not plan.rows[0].remove.visible
    state.undo()
    assert len(plan.rows) == 2 and plan.rows[1].programme.value == "multisystemic_therapy"


def test_the_slider_ends_where_the_children_do(site):
    slider, state = site.panel.named("Sum: times the plan"), site.state
    assert slider.end == pytest.approx(state.live.most_times(state.base, state.areas), abs=slider.step)
    state.start_from("family_nurse_partnership")  # whose eligible children are not known
    assert slider.end == 100.0


def test_the_handle_is_moved_by_keyboard_through_todays_spend(live):
    site = Site(live, query=f"?place=Leeds&page={COST}&times=0.1")
    page, state = site.pages[COST].curve, site.state
    for cut, to in ((True, -0.01), (False, 0.01), (False, 0.1), (True, -0.2)):
        page.slider.value = round(1.0 + to, 2)
        assert state.scenario.cut is cut
        assert page.slider.value == pytest.approx(1.0 + to, abs=0.006)
        assert f"{1.0 + to:.2f} times" in page.words.object
    assert "less than at today" in page.words.object or "more than at today" in page.words.object


def test_moving_the_handle_sums_no_cost_up_again(live, monkeypatch):
    site = Site(live, query=f"?place=Leeds&page={COST}")
    page, summed = site.pages[COST], []
    monkeypatch.setattr(page, "_summed", lambda *given: summed.append(given))
    page.curve.slider.value = 1.2
    assert not summed and "1.20 times" in page.curve.words.object


def test_the_words_beside_the_curve_are_its_numbers(live, small_scenario):
    from toolkit.apps.parts import spend_cost_curve

    run = live.run(small_scenario.times(1.2), (LEEDS,))
    multiples, here = run.unit.curve["multiple"], 1.4
    mean = float(spend_cost_curve._at(run.numbers.curve, multiples, here).mean())
    assert mean == pytest.approx(np.interp(here, multiples, run.numbers.curve.mean(-1)), rel=1e-5)
    assert "beyond the curve" in spend_cost_curve.summary(live.run(small_scenario.times(9.0), (LEEDS,)))


@pytest.mark.long
def test_what_is_read_of_a_scenario_is_in_the_link_and_in_the_history(live):
    site = Site(live, query="?place=Leeds&page=What drives it")
    page = site.pages["What drives it"]
    social = page.card.chart.sources["expected"].data
    page.account.value = "fiscal"
    assert "account=fiscal" in site.state.address
    other = Site(live, query=site.state.address).pages["What drives it"]
    assert other.account.value == "fiscal"
    assert other.card.chart.sources["expected"].data == page.card.chart.sources["expected"].data != social
    site.state.undo()
    assert page.account.value == "social" and page.card.chart.sources["expected"].data == social
    site.state.redo()
    assert page.account.value == "fiscal"
    costs = Site(live, query=f"?page={COST}&cost=annual").pages[COST]
    assert costs.choice.value == "annual" and "Cost of one year" in costs.head.object
    wrong = Site(live, query="?account=mine")
    assert "account: &#x27;mine&#x27; is none of" in wrong.messages.object and "account" not in wrong.state.address


def test_back_and_forward_are_steps_of_the_history(site):
    state, pages = site.state, shell.PAGES
    first = state.address
    state.multiply(1.4)
    second = state.address
    state.arrive(first, pages)
    assert state.address == first and not state.can_undo and state.can_redo
    state.arrive(second, pages)
    assert state.address == second and state.can_undo and not state.can_redo
    state.open("Compare")
    assert site.current == "Compare"
    state.arrive(second, pages)
    assert site.current == "Invest to save" and state.address == second
    state.arrive("?place=Kent&page=Nowhere", pages)
    assert (state.place, state.page, len(state.messages)) == ("Kent", "", 1)
    state.undo()
    assert state.address == second


def test_saved_scenarios_survive_a_refresh(live):
    site = Site(live, query="?place=Kent&page=Compare&times=0.5")
    site.pages["Compare"]._save()
    text = site.tab.kept.data["text"][0]
    again = Site(live, query="?page=Compare")
    again.tab.kept.data = {"text": [text]}
    assert again.state.saved == site.state.saved and not again.state.messages
    assert "£30.00 a year for each child" in again.pages["Compare"].table.object
    again.pages["Compare"]._drop()
    assert json.loads(again.tab.kept.data["text"][0]) == []


def test_what_a_browser_held_is_read_as_a_strangers(live):
    state = State(live)
    good = {"name": "<b>mine</b>" * 20, "place": "Leeds", "scenario": state.file()}
    rows = [
        good,
        good | {"name": "b", "scenario": "a: !!python/object/apply:os.system [true]"},
        good | {"name": "c", "place": "Atlantis"},
        good | {"name": "d", "scenario": state.file().replace("60.0", "-1.0")},
    ]
    saved, problems = tab.restored(json.dumps(rows), state)
    assert [one.scenario for one in saved] == [state.scenario] and all(len(one.name) <= 60 for one in saved)
    assert [any(f"Compare: {name}" in line for line in problems) for name in "bcd"] == [True] * 3
    for text in ("{", "[1]", "null", '[{"name": 1}]', "[" * 100_000):
        assert tab.restored(text, state)[0] == () and len(tab.restored(text, state)[1]) == 1
    many = [good | {"name": str(k)} for k in range(20)]
    assert len(tab.restored(json.dumps(many), state)[0]) == MOST_SAVED


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "name": st.text(st.characters(exclude_categories=[]), max_size=8),
                "place": st.sampled_from(["Leeds", "\ud800", "Kent\udc00", ""]),
                "scenario": st.lists(st.sampled_from([*"ab:{}[]\n\"' ", "\ud800", "\\ud800", "horizon: 40\n"])).map(
                    "".join
                )
                | st.sampled_from(
                    ["based_on: families_first", 'title: "\\ud800"\nbased_on: families_first', "horizon: \ud800"]
                ),
            }
        ),
        max_size=4,
    )
)
def test_half_a_character_that_a_tab_held_is_no_fault(live, rows):
    saved, problems = tab.restored(json.dumps(rows), State(live))
    for text in (*problems, *(one.name for one in saved), *(one.scenario.model_dump_json() for one in saved)):
        text.encode()
    assert len(saved) <= MOST_SAVED and all(len(line) < 1000 for line in problems)


@pytest.mark.parametrize(
    "data", [{}, {"text": []}, {"text": [1]}, {"text": "abc"}, {"text": None}, {"text": ["\ud800"]}]
)
def test_whatever_a_browser_puts_into_a_source_is_no_fault(live, data):
    one = tab.Tab(State(live), ["Compare"])
    one._read(tab._text(data))
    one.state.arrive(tab._text(data), ["Compare"])


def test_the_chosen_area_is_marked_in_words_beside_its_neighbours(live):
    site = Site(live, query=f"?place=Leeds&page={COST}")
    page = site.pages[COST]
    page._ask()
    data = page.beside.chart.sources["bars"].data
    marked = [name for name in data["name"] if "this area" in name]
    assert [name.startswith("Leeds") for name in marked] == [True] and len(data["name"]) > 1
    page.beside.as_table.value = True
    assert page.beside.table.object.count("this area</") == 1
    site.state.go_to("Kent")
    assert not page._beside.visible


def test_the_page_says_of_the_same_size_what_the_browser_drops():
    assert f"LARGEST = {LARGEST_SENT};" in (STATIC / "access.js").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("justice_ratio_care", "youth justice entries: looked-after children against all"),
        ("pathway: referral[1_4]", "the fitted pathway: referrals at ages 1 to 4"),
        ("pathway: referral[under_1]", "the fitted pathway: referrals under age 1"),
        ("pathway: entry_age[3]", "the fitted pathway: share of first needs at age 3"),
        ("price_care_year", "the unit cost: care year"),
    ],
)
def test_an_input_is_called_in_words(name, words):
    assert parameter_name(name) == words


def test_no_input_is_called_by_its_key(live, small_scenario):
    from toolkit.measures import value_of_information as voi

    names = [parameter_name(str(one)) for one in voi.parameters(live.run(small_scenario, (LEEDS,))).data_vars]
    assert [name for name in names if any(sign in name for sign in "[]_")] == []
    assert len(set(names)) == len(names)


def test_a_file_of_which_nothing_else_can_be_used_says_so(live):
    state = State(live)
    state.load(state.file().replace("- 60.0", "- 60000.0").encode())
    assert state.messages[0].startswith("plan:") and not state.can_undo
