"""Budget lines, options, claim check and tracker of a small paper, against sums worked by hand."""

import numpy as np
import pandas as pd
import pytest

from tests.outlooks import small_outlook
from toolkit import evidence, levers, scenarios
from toolkit.budget_command import levers_named, paper_tables
from toolkit.claims import read_actuals, read_claims
from toolkit.measures import budget_lines, claim_check, growth
from toolkit.measures import quantities as q
from toolkit.plans import same_children
from toolkit.schema import SAMPLE_DIMS, InputError

AREAS = ("E08000035", "E06000047")


@pytest.fixture(scope="module")
def ran(make_run):
    return make_run()


@pytest.fixture(scope="module")
def paper(ran, register):
    outlook = levers.council(small_outlook(AREAS).sel(year=slice(None, 2031)))
    figures = levers.figures(scenarios.load("families_first"), register, like=outlook)
    pulled = levers.pull({"foster_carers": [10, 20], "step_down": [5, 10]}, outlook, figures)
    lines = [growth.plan_lines(ran, outlook), growth.lever_lines(pulled, outlook, figures)]
    return growth.on_top(outlook, lines, evidence.load_table("cost_components"))


@pytest.fixture(scope="module")
def programmes(register):
    return register.tables["programmes"]


def claims_of(tmp_path, text):
    path = tmp_path / "claims.csv"
    path.write_text("reference,description,year,sum,measure,recurrent\n" + text, encoding="utf-8")
    return read_claims(path)


def test_lines_stand_beside_growth_and_add_up_over_the_years(paper):
    lines = budget_lines.budget_lines(paper)
    assert list(dict.fromkeys(lines["reference"])) == ["G1", "P1", "P2", "L1", "L2"]
    assert set(lines["year"]) == {"2026/27", "2027/28", "2028/29", "2029/30", "2030/31"}
    running = lines.groupby(["reference", "kind"])["new"].cumsum()
    np.testing.assert_allclose(running, lines["cumulative"], rtol=1e-9, atol=1e-3)
    last = lines[lines["year"] == "2030/31"].set_index(["reference", "kind"])["cumulative"]
    spend = paper["spend_if_nothing_changes"].mean(SAMPLE_DIMS)
    assert last["G1", "growth"] == pytest.approx(float(spend[-1] - spend[0]))
    avoided = last.xs("growth avoided", level="kind").sum()
    assert avoided == pytest.approx(float(paper["growth_avoided"].isel(year=-1).sum("line").mean()))
    assert (lines["owner"] == "").all()
    assert (lines["low"] <= lines["cumulative"] + 1e-6).all()


def test_what_is_spent_once_is_one_off_and_its_sum_runs_on(paper):
    lines = budget_lines.budget_lines(paper).set_index(["reference", "kind"])
    opened = lines.loc[("L2", "spent on it")]  # foster places of 10 and then 10 more carers
    assert set(opened["recurrent"]) == {"one-off"}
    assert (opened["new"].to_numpy()[2:] == 0).all()
    assert opened["cumulative"].iloc[-1] == pytest.approx(opened["new"].sum())
    assert set(lines.loc[("L1", "growth avoided"), "recurrent"]) == {"recurrent"}


def test_options_are_in_proportion_and_doing_nothing_is_nothing(ran, paper):
    tables = budget_lines.option_tables(ran, paper, most=1.2)
    value = tables["value"].set_index("option")
    assert value["size"].to_dict() == {"do nothing": 0.0, "least": 0.5, "preferred": 1.0, "more": 1.2}
    npsv = float(q.result(ran)["npsv"].sel(account="fiscal").mean())
    assert value.loc["preferred", "npsv_fiscal"] == pytest.approx(npsv)
    assert value.loc["least", "npsv_fiscal"] == pytest.approx(npsv / 2)
    assert value.loc["do nothing", "npsv_social"] == 0
    assert value.loc["more", "switching_fiscal"] == pytest.approx(q.switching(ran).loc["fiscal", "multiple"])
    spend = tables["spend"].pivot_table(index="year", columns="option", values="spend", aggfunc="sum")
    np.testing.assert_allclose(spend["least"] * 2, spend["preferred"])
    assert (spend["do nothing"] == 0).all()
    grant = tables["spend"]["grant_line"].unique()
    assert "Supporting Families: a grant from central government" in grant
    ahead = tables["outlook"].set_index(["option", "year"])["children_looked_after"]
    fewer = float(paper["fewer"].isel(line=[0, 1], year=-1).sum(["line", "placement"]).mean())
    assert ahead["do nothing", "2030/31"] - ahead["preferred", "2030/31"] == pytest.approx(fewer)


def test_cash_in_whole_steps_has_no_options_in_proportion(make_run, paper):
    with pytest.raises(InputError, match="cash_step: options in proportion have no whole steps"):
        budget_lines.option_tables(make_run(changes={"cash_step": 50_000.0}), paper, most=2.0)


def test_claims_are_set_against_the_interval_and_each_other(paper, programmes, tmp_path):
    line = paper.isel(line=list(paper["measure"].values).index("step_down"))
    sure, never = float(line["avoided"].sel(year=2027).min()) * 0.4, float(line["avoided"].max()) * 2
    claims = claims_of(
        tmp_path,
        f"A1,Moves,2026/27,{sure:.2f},step_down,\nA1,Moves,2027/28,{sure:.2f},step_down,\n"
        f"A2,More moves,2027/28,{never:.2f},step down,no\nA3,Hope,2027/28,5,,\n"
        "A4,Pathfinder,2027/28,1480219,families first,\nA5,Posts,2027/28,5,agency posts,\n",
    )
    checked = claim_check.check_claims(claims, paper, programmes)
    first, second, third, hope, elsewhere, posts = (row for _, row in checked.iterrows())
    assert second["claimed"] == pytest.approx(2 * sure, abs=0.02)  # recurrent: both years' sums
    assert second["chance"] == 1.0
    assert second["chance_with_overlap"] == 0.0
    assert second["overlap"] == "A2"
    assert third["chance"] == 0.0
    assert "above the interval" in third["finding"]
    assert "The same children could meet A1 as well." in third["finding"]
    assert first["evidence"] == "no study: arithmetic"
    assert first["expected"] == pytest.approx(float(line["avoided"].sel(year=2026).mean()))
    assert hope["finding"] == "Name what is to be done to check it."
    assert hope["overlap"] == ""
    assert elsewhere["finding"] == posts["finding"] == claim_check.NOT_PLANNED
    assert "No impact estimate exists" in elsewhere["evidence"]
    assert posts["evidence"] == "no study: arithmetic"
    assert np.isnan(elsewhere["chance"])


def test_only_what_could_serve_the_same_children_overlaps(paper, programmes, tmp_path):
    rows = programmes.set_index("programme")
    assert same_children("supporting_families", "family_safeguarding", rows)
    text = "".join(f"{name},x,2026/27,5,{name},\n" for name in ("supporting_families", "family_group_conference"))
    assert not claim_check.check_claims(claims_of(tmp_path, text), paper, programmes)["overlap"].any()
    both = programmes.assign(target_group="in_need")
    overlap = claim_check.check_claims(claims_of(tmp_path, text), paper, both)["overlap"]
    assert overlap.tolist() == ["family_group_conference", "supporting_families"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            "A1,x,2026/27,5,magic,",
            r"claims, line 2 \(A1\): 'magic' is no programme or lever. Fix: use one of supporting",
        ),
        ("A1,x,2040/41,5,step_down,", r"claims, line 2 \(A1\): 2040/41 is not looked at. Fix: use 2026/27 to 2030/31"),
    ],
)
def test_a_claim_on_what_is_not_there_is_refused(paper, programmes, tmp_path, row, message):
    with pytest.raises(InputError, match=message):
        claim_check.check_claims(claims_of(tmp_path, row + "\n"), paper, programmes)


def test_the_tracker_says_whether_what_came_in_is_in_its_band(paper, tmp_path):
    path = tmp_path / "actuals.csv"
    path.write_text(
        "measure,quarter,actual\nlooked after,2026/27 Q1,2000\nlooked after,2026/27 Q2,10\n"
        "residential,2026/27 Q4,2500\n",
        encoding="utf-8",
    )
    actuals = read_actuals(path, dict.fromkeys(claim_check.TRACKED, 3_000.0))
    table = claim_check.tracker(paper, actuals).set_index(["measure", "quarter"])
    assert len(table) == 4 * 5 * 4
    assert table["in_band"]["looked_after", "2026/27 Q2"] == "below"
    assert table["in_band"]["residential", "2026/27 Q4"] == "above"
    assert (table["in_band"] == "").sum() == 77
    year_end = paper["children"].sel(from_this_year=2026).sum("placement")
    with_plan = year_end - paper["fewer"].sel(year=2026).sum(["line", "placement"])
    assert table["expected"]["looked_after", "2026/27 Q4"] == pytest.approx(float(with_plan.mean()))
    start = paper["children"].sel(from_this_year=2025).sum("placement")
    middle = (0.5 * start + 0.5 * with_plan).mean()
    assert table["expected"]["looked_after", "2026/27 Q2"] == pytest.approx(float(middle))
    year = paper["spend_if_nothing_changes"].sel(from_this_year=2027) - paper["avoided"].sum("line").sel(year=2027)
    assert table["expected"]["spend", "2027/28 Q3"] == pytest.approx(float(year.mean()) / 4)


def test_every_table_of_a_paper_is_there(ran, paper, programmes):
    tables = paper_tables(ran, paper, programmes, room=2.0)
    assert list(tables) == [
        *("growth_cash", "growth_real", "budget_lines"),
        *("options_value", "options_spend", "options_outlook", "tracker"),
    ]
    assert all(isinstance(table, pd.DataFrame) and len(table) for table in tables.values())
    assert tables["growth_cash"]["year"].tolist()[0] == "2026/27"


def test_levers_are_given_by_name_and_year():
    assert levers_named(["step_down=5,10", "price_growth = 1%"]) == {"step_down": [5.0, 10.0], "price_growth": [0.01]}
    for text, message in (("step_down", "not a name and numbers"), ("step_down=x", "'x' is not a number")):
        with pytest.raises(InputError, match=message):
            levers_named([text])
    with pytest.raises(InputError, match="step_down is given already"):
        levers_named(["step_down=1", "step_down=2"])
