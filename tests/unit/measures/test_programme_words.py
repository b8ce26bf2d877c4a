"""One programme in words, from numbers made by hand."""

import numpy as np
import pandas as pd
import pytest

from toolkit.measures.programme_words import Panel, believed_sentences, believed_table, facts, forest_table, steps_table

ROW = {
    "label": "The one",
    "target_group": "in_need",
    "ages": "0 to 17",
    "security": 2,
    "evidence": "own",
    "counted": "care",
    "not_counted": "GCSEs: no study",
    "not_known": "much",
    "cost_per_child": 1000.0,
    "cost_per_child_low": 800.0,
    "cost_per_child_high": 1200.0,
    "children_per_million": 1000.0,
    "avoided_fiscal": 0.7,
    "avoided_fiscal_low": 0.2,
    "avoided_fiscal_high": 1.2,
    "avoided_social": 1.4,
    "avoided_social_low": 0.4,
    "avoided_social_high": 2.4,
    "verdict": "pays back",
    "council_cash": 0.25,
    "care_entries_per_100": -0.5,
}
STUDY = {
    "programme": "The one",
    "own": True,
    "design": "randomised trial",
    "follow_up": 1.5,
    "published": "risk ratio 0.68",
}
STUDY |= {"low": np.log(0.5), "high": np.log(0.9), "shrunk": np.log(0.9), "shrunk_low": np.log(0.8)}
STUDY |= {"shrunk_high": 0.0, "title": "A trial", "publisher": "A journal", "year": "2020", "url": "https://a.org"}


def panel(fiscal: float = np.log(0.7), social: float = np.log(0.8), main: str = "care", **changes: object) -> Panel:
    needed = pd.DataFrame({"effect": [fiscal, social], "reach": -1.5}, index=["fiscal", "social"])
    studies = {
        "FIRST": STUDY | {"outcome": "care", "effect": np.log(0.68)},
        "SECOND": STUDY | {"outcome": "care", "effect": np.log(0.75)},
        "THIRD": STUDY | {"outcome": "care", "effect": np.nan, "published": "no significant effect"},
        "GRADES": STUDY | {"outcome": "gcse_attainment", "effect": 0.1, "low": 0.0, "high": 0.2},
    }
    rest = {"with_others": False, "used": (np.log(0.9), np.log(0.8), 0.0), "steps": {}, "programme": "one"}
    row = pd.Series(ROW | {str(key): value for key, value in changes.items() if key in ROW})
    rest |= {key: value for key, value in changes.items() if key in rest}
    return Panel(row=row, main=main, needed=needed, studies=pd.DataFrame.from_dict(studies, orient="index"), **rest)


def test_what_must_be_believed_is_said_for_both_payers() -> None:
    assert believed_sentences(panel()) == [
        "It pays for the public purse if a hazard ratio on care, where it is delivered, is 0.70 or less.",
        "It pays for society if a hazard ratio on care, where it is delivered, is 0.80 or less.",
        "What is used: 0.90 (0.80 to 1.00).",
    ]
    assert any("in proportion" in line for line in believed_sentences(panel(with_others=True)))


def test_attainment_pays_from_a_difference_up() -> None:
    lines = believed_sentences(panel(fiscal=0.25, main="gcse_attainment"))
    assert "a standardised difference on GCSEs, where it is delivered, is 0.25 sd or more" in lines[0]


def test_what_is_out_of_reach_unpriced_or_not_counted_is_said() -> None:
    assert "does not pay even at a hazard ratio of 0.22 on care" in believed_sentences(panel(fiscal=np.nan))[0]
    unpriced = panel(fiscal=np.nan, social=np.nan, cost_per_child=np.nan)
    assert believed_sentences(unpriced) == ["What must be believed cannot be worked out, because no price is known."]
    assert "no outcome of it can be counted" in believed_sentences(panel(main=""))[0]


def test_studies_are_put_beside_what_must_be_believed() -> None:
    """0.68 is below both 0.70 and 0.80; 0.75 below the latter alone; a finding without a number says neither."""
    table = believed_table(panel()).set_index("study")
    assert table.index.tolist() == ["FIRST", "SECOND", "THIRD"]
    columns = ["enough for the public purse", "enough for society"]
    assert table.loc["FIRST", columns].tolist() == ["yes", "yes"]
    assert table.loc["SECOND", columns].tolist() == ["no", "yes"]
    assert table.loc["THIRD", columns].tolist() == ["", ""]
    assert (
        table.loc["THIRD", "effect"] == "no significant effect" and table.loc["FIRST", "90% interval"] == "0.50 to 0.90"
    )
    assert set(believed_table(panel(fiscal=np.nan))["enough for the public purse"]) == {"no", ""}


def test_facts_leave_out_what_is_not_known() -> None:
    lines = dict(facts(panel()))
    assert lines["avoided for a pound, the public purse"] == "£0.70 (£0.20 to £1.20)"
    assert (
        lines["cost a child"] == "£1,000 (£800 to £1,200)"
        and lines["who it serves"] == "children in need, ages 0 to 17"
    )
    unpriced = dict(facts(panel(cost_per_child=np.nan)))
    assert unpriced["cost a child"] == "not known" and "avoided for a pound, society" not in unpriced
    nothing = dict(facts(panel(evidence="not counted", counted="")))
    assert nothing["counted"] == "nothing" and "care entries, of a hundred children" not in nothing


def test_the_forest_shows_each_scale_as_it_reads() -> None:
    table = forest_table(panel().studies).set_index("study")
    assert table.loc["FIRST", "converted"] == "0.68 (0.50 to 0.90)"
    assert table.loc["THIRD", "converted"] == "" and table.loc["FIRST", "after shrinkage"] == "0.90 (0.80 to 1.00)"
    assert table.loc["GRADES", "converted"] == "0.10 sd (0.00 sd to 0.20 sd)"


@pytest.mark.parametrize(("contribution", "expected"), [(-0.5, "−£0.50"), (0.25, "+£0.25")])
def test_a_step_shows_its_sign(contribution: float, expected: str) -> None:
    rows = [["First", "what", 1.0, 0.5, 1.5, 1.0], ["Then", "what", 1.0 + contribution, 0.0, 1.0, contribution]]
    steps = pd.DataFrame(rows, columns=["label", "meaning", "ratio", "low", "high", "contribution"])
    assert steps_table(steps)["change"].tolist() == ["", expected]
