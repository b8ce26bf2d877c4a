"""Proposed savings and actuals as users write them."""

import pytest

from toolkit.claims import read_actuals, read_claims
from toolkit.schema import InputError

WALSALL = """Reference,Description,Year,Sum,Measure
OP16,Families First for Children pathfinder,2026-27,"1,480,219",family group conference
OP15,Family drug and alcohol court ended,2026/27,"£94,500",
"""
MOST = {"looked_after": 1_000.0, "spend": 5e7}


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "mine.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_savings_are_read_as_a_paper_prints_them(written):
    rows = read_claims(written(WALSALL))
    assert rows["year"].tolist() == [2026, 2026]
    assert rows["sum"].tolist() == [1_480_219, 94_500]
    assert rows["measure"].tolist() == ["family_group_conference", ""]
    assert rows["recurrent"].all()
    once = read_claims(written("reference,description,year,sum,recurrent\nA,a,2026/27,5,no\n"))
    assert not once["recurrent"].any()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("A1,Fewer homes,,100,", r"mine.csv, line 2 \(A1\): a saving without a year. Fix: write the financial year"),
        ("A1,Fewer homes,2026/27,,", r"mine.csv, line 2 \(A1\): a saving without a sum. Fix: write the pounds"),
        (",Fewer homes,2026/27,3,", r"mine.csv, line 2: a saving without a reference"),
        ("A1,Fewer homes,2026/28,3,", r"line 2: '2026/28' is not a financial year. Fix: write it as 2026/27"),
        ("A1,Fewer homes,soon,3,", r"'soon' is not a financial year"),
        ("A1,Fewer homes,2026/27,lots,", r"line 2, column 'sum': 'lots' is not a number"),
        ("A1,Fewer homes,2026/27,-3,", r"line 2 \(A1\): -3 is below 0. Fix: write a saving as a sum above 0"),
        (
            "A1,a,2026/27,3,\nA1,a,2027/28,3,\nA1,b,2026-27,4,",
            r"line 4 \(A1\): the reference, year and measure of line 2",
        ),
        ("A1,Fewer homes,2031/32,3,", r"line 2 \(A1\): 2031/32 is not looked at. Fix: use 2026/27 to 2030/31"),
        ("A1,Fewer homes,2026/27,3,perhaps", r"line 2 \(A1\): recurrent is 'perhaps'. Fix: write yes or no"),
    ],
)
def test_a_saving_that_cannot_be_used_is_refused_in_a_line(written, row, message):
    with pytest.raises(InputError, match=message):
        read_claims(written(f"reference,description,year,sum,recurrent\n{row}\n"), years=range(2026, 2031))


def test_actuals_are_read_by_quarter(written):
    rows = read_actuals(written("measure,quarter,actual\nLooked after,2026-27 q1,812\n"), MOST)
    assert rows.iloc[0].tolist() == ["looked_after", "2026/27 Q1", 812.0]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("looked_after,2026/27 Q1,-3", "line 2: -3 for looked_after is not between 0 and 1,000, which is all there"),
        ("looked_after,2026/27 Q1,1001", "1,001 for looked_after is not between 0 and 1,000"),
        ("adopted,2026/27 Q1,3", "line 2: measure 'adopted' is not tracked. Fix: use one of looked_after, spend"),
        ("looked_after,2026/27,3", "line 2: quarter '2026/27' is none. Fix: write it as 2026/27 Q1"),
        ("looked_after,2026/27 Q1,", "line 2, column 'actual': blank where a number is needed"),
        ("looked_after,2026/27 Q1,3\nlooked after,2026/27 Q1,4", "line 3: looked_after of 2026/27 Q1 is there already"),
    ],
)
def test_an_actual_outside_what_it_can_be_is_refused(written, row, message):
    with pytest.raises(InputError, match=message):
        read_actuals(written(f"measure,quarter,actual\n{row}\n"), MOST)
