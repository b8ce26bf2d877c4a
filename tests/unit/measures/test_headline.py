import dataclasses
import json
import re

import numpy as np
import pytest

from toolkit import report
from toolkit.measures import headline
from toolkit.measures import quantities as q
from toolkit.measures.headline import basis_sentence


def test_headline_is_plain_json_and_says_what_the_tree_says(run):
    found = json.loads(json.dumps(report.headline(run), allow_nan=False))
    npsv = q.result(run)["npsv"].sel(account="social")
    assert found["npsv"]["social"]["expected"] == pytest.approx(float(npsv.mean()))
    assert found["npsv"]["social"]["lower"] == pytest.approx(float(npsv.quantile(0.05)))
    assert found["interval_level"] == 0.90
    assert found["chance_paid_back"]["fiscal"]["69"] == pytest.approx(
        float(np.isfinite(q.result(run)["payback_year"].sel(account="fiscal")).mean())
    )
    assert found["hash"] == run.scenario.hash
    assert (found["price_base"], found["timing"]) == ("2025/26", "start_of_year")


def test_a_programme_without_spread_has_no_interval(run):
    assert set(report.headline(run)["programme_cost"]) == {"expected"}


def test_rows_and_summary_agree(run):
    rows, table = report.headline_rows(run), report.summary(run)
    assert [row[0] for row in rows] == list(table.index)
    assert {"expected", "lower", "upper", "unit"} == set(table.columns)
    assert "GBP, 2025/26 prices" in set(table["unit"])
    assert dict((label, said) for label, said, _ in rows)["Cost of the plan"] == "£11.6 million"


def test_both_readings_and_every_account_are_always_shown(run):
    labels = " ".join(label for label, *_ in report.headline_rows(run))
    for needed in (
        "Excess lifetime cost",
        "Gross lifetime cost",
        "fiscal",
        "economic",
        "social",
        "within 70 years",
        "adds to cost",
        "cash",
    ):
        assert needed in labels


@pytest.mark.parametrize(
    ("effect", "cut", "said"),
    [(0.1, False, "avoid £"), (-0.1, False, "add £"), (0.1, True, "cause £"), (-0.1, True, "avoid £")],
)
def test_the_sentence_says_which_way_cost_moves(make_run, effect, cut, said):
    sentence = report.headline_sentence(make_run(effect=effect, cut=cut))
    assert f"is expected to {said}" in sentence
    assert "saving" not in sentence
    assert ("million away from Supporting Families and Family group conference is" in sentence) == cut
    assert ("million spent on Supporting Families and Family group conference is" in sentence) != cut


def test_the_sentence_of_a_failed_run_says_so_first(make_run):
    assert report.headline_sentence(make_run(passed=False)).startswith("THIS RUN FAILED ITS CHECKS.")


def test_many_areas_are_counted_not_listed(make_run):
    areas = {f"E0600000{n}": (f"Place {n}", "North East") for n in range(1, 6)}
    assert report.headline_sentence(make_run(areas=areas)).startswith("5 areas in North East:")


def test_intervals_in_the_sentence_are_in_order(make_run):
    for effect in (0.1, -0.1):
        sentence = report.headline_sentence(make_run(effect=effect)).replace("\N{MINUS SIGN}", "-")
        numbers = re.search(r"interval (-?)£([\d.]+) million to (-?)£([\d.]+) million", sentence).groups()
        low, high = float(numbers[0] + numbers[1]), float(numbers[2] + numbers[3])
        assert low < high


@pytest.mark.parametrize(("of_cash", "share"), [(4.0, 0.25), (0.5, None), (-0.5, None)])
def test_cash_above_the_cost_avoided_is_called_no_share_of_it(run, of_cash, share):
    # What victims lose is changed until the cost avoided in all is some multiple of the council's cash.
    tree, cash = run.tree.copy(deep=True), float(q.cash_released(run).mean())
    benefit = tree["appraisal"]["benefit"]
    gap = of_cash * cash - float(q.avoided(run).sel(account="social").mean())
    benefit.loc[{"payer": "victims", "outcome": "youth_justice", "account": "social"}] += gap
    other = dataclasses.replace(run, tree=tree)
    found = report.headline(other)["cash_share_of_cost_avoided"]
    assert found is None if share is None else found == pytest.approx(share, rel=1e-4)
    words = headline.cash_sentence(other, headline.facts(other))
    assert words.startswith(
        {4.0: "Of the cost avoided, 25% would be cash", 0.5: "In the council's own cash £", -0.5: "With no cost"}[
            of_cash
        ]
    )


@pytest.mark.parametrize("horizon", [10, 69])
def test_fewer_years_than_a_life_are_not_called_lifetimes(make_run, horizon):
    short, whole = make_run(changes={"horizon": horizon}), make_run()
    assert f"of cost over {horizon} years (" in report.headline_sentence(short)
    assert "of cost over children's lifetimes (" in report.headline_sentence(whole)
    assert not any("lifetime" in label for label, *_ in report.headline_rows(short))
    assert f"Cost is counted for the first {horizon} years only." in basis_sentence(short)
    assert "only" not in basis_sentence(whole)


def test_a_constant_discount_rate_is_said_as_one(make_run):
    sentence = basis_sentence(make_run(changes={"discount_schedule": 0.025}))
    assert "(year 0) at a constant 2.5% a year, with money" in sentence
    assert "(year 0) by the Green Book 2026 standard schedule (harm" in basis_sentence(make_run())


@pytest.mark.parametrize(
    ("ever", "structures", "cut", "words"),
    [
        (0.6, (), False, "For the public purse it cannot be distinguished from break-even: the chance that it is paid"),
        (0.6, (), True, "break-even: the chance that it is left better off is 60%."),
        (0.97, (0.96, 0.99), False, "It very likely pays the public purse back: the chance"),
        (0.97, (0.9, 0.99), False, "It very likely pays the public purse back, but not under every structure of the"),
        (0.02, (), False, "It very likely does not pay the public purse back: the chance that it is paid back within"),
        (0.02, (), True, "The public purse is very unlikely to be left better off: the chance"),
        (0.98, (), True, "The public purse is very likely left better off: the chance that it is left better off"),
    ],
)
def test_the_answer_is_no_surer_than_its_chance_and_rival_structures_allow(make_run, ever, structures, cut, words):
    assert words in headline.purse(make_run(cut=cut).scenario, ever, structures)


def test_a_plan_of_which_no_effect_is_counted_is_not_called_worthless(run):
    nothing = headline.Estimate(0.0, 0.0, 0.0)
    sentence = headline.sentence(run, "Leeds", "Hope", 2e6, nothing, 0.0, 0.9)
    assert sentence == "Leeds: £2.0 million spent on Hope changes no cost that is counted, as no effect of it is."


def test_json_holds_the_plan_its_evidence_and_whose_money_it_is(make_run):
    found = json.loads(json.dumps(report.headline(make_run(funders=("local_authority", "central_government")))))
    assert [part["label"] for part in found["plan"]] == ["Supporting Families", "Family group conference"]
    assert found["plan"][1] == {
        "programme": "family_group_conference",
        "label": "Family group conference",
        "basis": "pounds_per_child",
        "sums": [11.0] * 3,
        "first_year": 2025,
        "areas": [],
        "funder": "central_government",
        "cost": "",
    }
    of_conferences = found["effects"]["family_group_conference"]
    assert of_conferences["care"] == {"evidence": "own", "not_counted": ""}
    assert of_conferences["youth_justice"] == {"evidence": "none", "not_counted": "no study"}
    assert found["children_served"]["expected"] == pytest.approx(float(q.children(make_run())["reached"].mean()))


@pytest.mark.parametrize(
    ("funders", "words"),
    [
        (("local_authority",), "The plan's money is the council's own."),
        (("central_government",), "a grant from central government, not the council's own."),
        (("local_authority", "central_government"), "Part of the plan's money is the council's own, and part"),
    ],
)
def test_whose_money_it_is_is_said(make_run, funders, words):
    assert words in basis_sentence(make_run(funders=funders))
