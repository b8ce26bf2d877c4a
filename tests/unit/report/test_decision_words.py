"""What the sentences of a decision say, in every case they can meet."""

import numpy as np
import pytest
import xarray as xr

from toolkit import appraisal
from toolkit.report import decision_words as said

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
        said.ladder(table, unit="a unit") == "a is best while a unit is worth little; then b from £10 and d from £40."
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


def information(worth, error, floor, ceiling=100.0):
    names = [f"p{k}" for k in range(len(worth))]
    parts = {"evppi": worth, "standard_error": error, "noise_floor": floor}
    return xr.Dataset({n: ("set", list(map(float, v))) for n, v in parts.items()} | {"evpi": ceiling}, {"set": names})


def test_the_most_useful_thing_is_named_only_above_the_noise():
    assert "is p1: knowing it exactly would be worth £60, 60% of" in said.most_useful(
        information([10, 60], [5, 5], [1, 1])
    )
    assert "the effect" in said.most_useful(information([10, 60], [5, 5], [1, 1]), names={"p1": "the effect"})
    assert "none stands out" in said.most_useful(information([10, 9], [5, 5], [1, 1]))
    assert "no draw would change" in said.most_useful(information([0, 0], [0, 0], [0, 0], ceiling=0.0))


def test_a_group_is_no_single_thing():
    table = information([10, 60], [1, 1], [0, 0]).assign_coords(kind=("set", ["single", "group"]))
    assert "is p0" in said.most_useful(table)


def test_certainty_is_worth_nothing_where_nothing_changes():
    assert "nothing that could be learnt" in said.worth_of_certainty(0.0, best="a")
    assert "£770" in said.worth_of_certainty(770.0, best="a")
