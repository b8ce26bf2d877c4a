"""The plan in words and as a table: what is bought, with whose money, and what is not counted."""

from dataclasses import replace

import pytest
import xarray as xr

from toolkit.measures import plan
from toolkit.measures import quantities as q
from toolkit.settings import PlanPart


def test_a_line_for_each_part(make_run):
    both = make_run(funders=("local_authority", "central_government"))
    assert plan.lines(both) == [
        "Supporting Families: £11.00 a year for each child aged 0 to 17, 2025/26 to 2027/28; the council's own money.",
        "Family group conference: £11.00 a year for each child aged 0 to 17, 2025/26 to 2027/28; a grant from central "
        "government.",
    ]
    assert plan.bought(both) == "Supporting Families and Family group conference"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"england": (731e6, 717.1e6)}, "£731 million and £717 million"),
        ({"units": (1200.0,)}, "1,200"),
        ({"pounds": (-2e6, -2e6)}, "£2.0 million a year less"),
    ],
)
def test_sums_in_words(given, words):
    assert plan._sums(PlanPart(programme="triple_p", **given)) == words


def test_the_table_shows_the_sums_as_stated_and_what_is_spent_here_by_payer(make_run):
    table = plan.plan_table(make_run(funders=("local_authority", "central_government")))
    frame = table.frame.droplevel(1, axis=1)
    assert list(frame.columns[:3]) == ["2025/26", "2026/27", "2027/28"]
    assert frame["2026/27"].tolist() == ["£11.00", "£11.00", "£2.0 million", "£2.0 million"]
    assert frame["Whose money"].tolist()[2:] == ["the council's own money", "a grant from central government"]


def test_a_payer_of_nothing_is_left_out_of_the_table(make_run):
    run = make_run(funders=("local_authority",))
    spent = q.spending(run)
    result, tree = run.tree["appraisal"].to_dataset(), run.tree.copy()
    # As of a run without yearly costs, which has every payer.
    every = spent.reindex(payer=[*result["payer"].values], fill_value=0.0)
    tree["appraisal"] = xr.DataTree(result.assign(programme_by_payer=every))
    table = plan.plan_table(replace(run, tree=tree))
    assert table.frame["Whose money", ""].tolist() == plan.plan_table(run).frame["Whose money", ""].tolist()
    assert "a grant from central government" not in table.frame["Whose money", ""].tolist()


def test_parts_that_start_later_have_no_sum_before(make_run):
    late = [
        {"programme": "supporting_families", "pounds": [1e6], "first_year": 2026},
        {"programme": "family_group_conference", "pounds": [2e6, 3e6]},
    ]
    run = make_run()
    parts = tuple(PlanPart(**part) for part in late)
    run = type(run)(**{**vars(run), "scenario": run.scenario.model_copy(update={"plan": parts})})
    frame = plan.plan_table(run).frame.droplevel(1, axis=1)
    assert frame["2025/26"].tolist()[:2] == ["", "£2.0 million"]
    assert frame["2026/27"].tolist()[:2] == ["£1.0 million", "£3.0 million"]
    assert "£1.0 million for all areas of the run together, 2026/27; the council's own" in plan.lines(run)[0]


def test_what_counts_and_what_does_not_is_said_of_each_programme(run):
    first, second = plan.counted_on(run)
    assert first == (
        "Supporting Families: on youth justice and care from its own studies and on GCSE attainment from studies of "
        "its type alone."
    )
    assert second == "Family group conference: on care from its own studies."
    assert plan.not_counted(run) == [
        "Supporting Families: no effect is counted on repeat referrals (no study).",
        "Family group conference: no effect is counted on repeat referrals, youth justice and GCSE attainment "
        "(no study).",
    ]
    assert list(q.programme_names(run)) == ["supporting_families", "family_group_conference"]
