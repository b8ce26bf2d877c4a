"""Explanations of headline numbers: of a cut and of a take-up of 0, each in its own words."""

import html

import pytest

from tests.conftest import LEEDS
from toolkit import scenarios
from toolkit.apps.explanations import formulas, numbers
from toolkit.measures import headline
from toolkit.measures import quantities as q
from toolkit.measures import words as w

pytestmark = pytest.mark.fit
CUT = -0.15


@pytest.fixture
def run(live, small_scenario):
    return lambda times=1.0, **changes: live.run(scenarios.change(small_scenario, **changes).times(times), (LEEDS,))


@pytest.mark.parametrize("key", formulas.FORMULAS)
def test_a_cut_is_told_as_one(run, key):
    said = html.unescape(numbers.explanation(run(CUT), key))
    now = said.split("Now: ")[1].split("</b>")[0]
    assert not any(wrong in now for wrong in ("spent", "− −", "−\u2060£-", "− £0 "))
    title = {
        "bcr": "Cost caused by each £1 cut",
        "payback": "Public purse still ahead at the end",
        "reached": "Children who lose help",
    }.get(key, formulas.FORMULAS[key].title)
    assert f'<h2 id="explained-title">{title}</h2>' in said


def test_the_words_of_a_cut_add_up(run):
    cut = run(CUT)
    cost, avoided = formulas._totals(cut)
    gain = f"+ {w.money(avoided)} of cost avoided" if avoided > 0 else f"− {w.money(-avoided)} of cost caused"
    assert formulas._worth(cut) == f"{w.money(-cost)} of spending taken away {gain} = {w.money(avoided - cost)}"
    assert formulas.ratio(cut).startswith(f"{w.money(-avoided)} caused ÷ {w.money(-cost)} taken away")
    for gained, ending in ((2e6, "+ £2.0 million won"), (-2e6, "− £2.0 million lost"), (0.1, "− £0 lost")):
        assert (
            formulas._sum_in_words(cut, -5e6, gained, "won", "lost") == f"£5.0 million of spending taken away {ending}"
        )


def test_an_investment_is_told_as_before(run):
    assert " of cost avoided − £" in formulas._worth(run()) and "spent" in formulas._worth(run())


def test_no_take_up_releases_nothing_and_has_no_empty_interval(run):
    none = run(effect={"take_up": 0.0})
    assert formulas._cash(none).startswith("£0 of cash released")
    said = headline.headline_sentence(none)
    assert "interval )" not in said and "changes no cost that is counted" in said


def test_the_table_of_the_ratio_holds_ratios(run):
    found = run()
    draws = formulas.FORMULAS["bcr"].draws(found)
    assert float(draws.mean()) == pytest.approx(float(q.result(found)["bcr"].sel(account="social")), rel=1e-4)
    said = numbers.explanation(found, "bcr")
    assert "million" not in said.split("<tbody>")[1]


def test_the_children_served_are_the_sums_over_the_costs(run):
    text = formulas._reached(run())
    assert "Supporting / Troubled Families keyworker £" in text and text.endswith(" children")
    assert "taken away over the years" in formulas._reached(run(CUT))


@pytest.mark.parametrize(("outcome", "whose"), [("care", "own studies"), ("repeat_referrals", None)])
def test_an_effect_says_whose_studies_it_rests_on(run, outcome, whose):
    name = f"effect: supporting_families: {outcome}"
    if whose:
        assert whose in formulas._cited(run(), name)
    assert formulas._cited(run(), name).startswith("From ")
