"""What the sentences of a decision say, in every case they can meet."""

import numpy as np
import pytest
import xarray as xr

from toolkit import appraisal
from toolkit.measures import decision_words as said

MONEY = {"units": "GBP", "price_base": "2025/26"}


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.7, "a 7 in 10 chance"),
        (0.8, "an 8 in 10 chance"),
        (0.08, "an 8 in 100 chance"),
        (0.03, "a 3 in 100 chance"),
        (0.005, "a 1 in 100 chance"),
        (0.001, "a less than 1 in 100 chance"),
        (0.94, "a 94 in 100 chance"),
        (0.999, "a more than 99 in 100 chance"),
        (0.1, "a 1 in 10 chance"),
        (0.9, "a 9 in 10 chance"),
    ],
)
def test_chances_are_counts_out_of_ten_or_a_hundred(share, words):
    assert said.chance(share) == words


def payback(*years):
    return xr.DataArray([list(map(float, years))], dims=("chain", "draw"))


@pytest.mark.parametrize(
    ("years", "part"),
    [
        (
            (3, 5, 9, np.inf),
            "as likely as not to pay back the council's own money in 7 years, by 2032/33; there is a 2",
        ),
        ((3, 5, 9), "in 5 years, by 2030/31."),
        ((3, np.inf, np.inf, np.inf), "probably never pays back the council's own money: there is a 2 in 10 chance"),
        ((np.inf, np.inf), "In none of the draws"),
    ],
)
def test_payback_keeps_never_as_an_answer(years, part):
    assert part in said.pays_back(payback(*years), first_year=2025, horizon=70)


def test_worth_to_society():
    npsv = xr.DataArray([[2e6, 1e6, -1e6, 2e6]], dims=("chain", "draw"))
    assert said.worthwhile(npsv) == (
        "There is an 8 in 10 chance that it is worth more to society than it costs; on average it gains £1.0 million."
    )
    assert "loses £1.0 million" in said.worthwhile(-npsv)


def options(costs, effects):
    arrays = [xr.DataArray(np.array([v, v], float), dims=("sample", "option"), attrs=MONEY) for v in (costs, effects)]
    return [array.assign_coords(option=[chr(97 + k) for k in range(len(costs))]) for array in arrays]


def test_the_ladder_and_what_is_ruled_out():
    # Ratios 10 (a to b) and 40 (b to d); c costs more than b for less, e is on no corner of the frontier.
    table = appraisal.icers(*options([0, 10, 20, 50, 45], [0, 1, 0.5, 2, 1.5]))
    assert (
        said.ladder(table, unit="a unit") == "a is best while a unit is worth little; then b above £10 and d above £40."
    )
    assert said.ruled_out(table) == (
        "c is never best on average: another option costs no more and does as much. "
        "e is never best on average: a mix of two others does more for the same money."
    )


def test_one_option_that_dominates_all():
    table = appraisal.icers(*options([0, 10], [1, 0]))
    assert said.ladder(table, unit="a unit").startswith("a costs no more and does at least as much")
    assert said.ruled_out(appraisal.icers(*options([0, 10], [0, 1]))) == ""


def test_the_most_often_best_need_not_be_the_best_on_average():
    # b wins a little in three draws of four and loses a lot in the fourth.
    cost = xr.zeros_like(options([0, 0], [0, 0])[0].isel(sample=[0, 0, 0, 0]))
    effect = cost.copy(data=[[0, 1], [0, 1], [0, 1], [0, -9]])
    here = appraisal.decision_curves(cost, effect, [1.0]).isel(threshold=0)
    sentence = said.best_choice(here, unit="a unit")
    assert "a is the best choice on average" in sentence
    assert "b is best more often (75% of the draws)" in sentence


def test_a_dead_heat_is_called_level():
    # Issue 19: costs 0 and 1000, effects 0 and .05 at 20,000 read "less than 1 in 100".
    cost, effect = options([0, 1000], [0, 0.05])
    here = appraisal.decision_curves(cost, effect, [20_000.0])
    assert said.best_choice(here.isel(threshold=0), unit="a unit") == (
        "If a unit is worth £20,000, a and b are level in every draw: nothing is lost by choosing any of them."
    )
    assert said.best_names(here) == ["a or b"]
    certainty = said.worth_of_certainty(float(here["evpi"][0]), best=said.best_names(here)[0])
    assert certainty.startswith("No draw has a better choice than a or b")


def test_level_on_average_names_all_with_their_chances():
    cost, effect = options([0, 0], [0, 0])
    effect = effect.copy(data=[[0, 1], [0, -1]])
    here = appraisal.decision_curves(cost, effect, [10.0]).isel(threshold=0)
    assert said.best_choice(here, unit="a unit") == (
        "If a unit is worth £10, a and b are level on average: no choice among them gains more. There is a 5 in 10 "
        "chance that a is the best of all and a 5 in 10 chance that b is the best of all."
    )


def test_shared_draws_and_equal_chances_are_no_better_option():
    # b is better by one in a draw of three, level in another, worse by a half in the last: each has 1.5 draws.
    cost = options([0, 0], [0, 0])[0].isel(sample=[0, 0, 0])
    here = appraisal.decision_curves(cost, cost.copy(data=[[0, 1], [0, 0], [0.5, 0]]), [1.0]).isel(threshold=0)
    sentence = said.best_choice(here, unit="a unit")
    assert "b is the best choice on average" in sentence and "more often" not in sentence
    assert "there is a 5 in 10 chance" in sentence and "In 33% of the draws several are best" in sentence


def test_the_ladder_names_options_that_are_level():
    table = appraisal.icers(*options([0, 10, 10], [0, 1, 1]))
    assert said.ladder(table, unit="a unit") == "a is best while a unit is worth little; then b or c above £10."
    assert said.ruled_out(table) == ""


def test_worth_just_what_it_costs_is_neither_gain_nor_loss():
    level = xr.DataArray([[1.0, -1.0, 0.1, -0.1]], dims=("chain", "draw"))
    assert said.worthwhile(level).endswith("on average it is worth just what it costs.")


def information(worth, error, floor, ceiling=100.0):
    names = [f"p{k}" for k in range(len(worth))]
    parts = {"evppi": worth, "standard_error": error, "noise_floor": floor}
    return xr.Dataset({n: ("set", list(map(float, v))) for n, v in parts.items()} | {"evpi": ceiling}, {"set": names})


def test_the_most_useful_thing_is_named_only_above_the_noise():
    assert "is p1: knowing it exactly would be worth £60, 60% of" in said.most_useful(
        information([10, 60], [5, 5], [1, 1])
    )
    assert "find out is p0 or p1: knowing" in said.most_useful(information([60, 60], [5, 5], [1, 1]))
    assert "the effect" in said.most_useful(information([10, 60], [5, 5], [1, 1]), names={"p1": "the effect"})
    assert "none stands out" in said.most_useful(information([10, 9], [5, 5], [1, 1]))
    assert "no draw would change" in said.most_useful(information([0, 0], [0, 0], [0, 0], ceiling=0.0))


def test_a_group_is_no_single_thing():
    table = information([10, 60], [1, 1], [0, 0]).assign_coords(kind=("set", ["single", "group"]))
    assert "is p0" in said.most_useful(table)


def test_certainty_is_worth_nothing_where_nothing_changes():
    assert "no further information" in said.worth_of_certainty(0.0, best="a")
    assert "£770" in said.worth_of_certainty(770.0, best="a")
