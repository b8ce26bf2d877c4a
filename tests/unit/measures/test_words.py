import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit import evidence
from toolkit.measures import words

MINUS = "\N{MINUS SIGN}"


@pytest.mark.parametrize(
    ("pounds", "said"),
    [
        (1_234_567, "£1.2 million"),
        (-3_400, f"{MINUS}£3,400"),
        (22, "£22"),
        (0, "£0"),
        (-0.4, "£0"),
        (999.6, "£1,000"),
        (345_678, "£346,000"),
        (999_499, "£999,000"),
        (999_501, "£1.0 million"),
        (99_960_000, "£100 million"),
        (286_700_000, "£287 million"),
        (999_600_000, "£1.0 billion"),
        (-23e9, f"{MINUS}£23.0 billion"),
        (math.nan, "not defined"),
        (math.inf, "not defined"),
    ],
)
def test_money_is_said_as_a_reader_says_it(pounds, said):
    assert words.money(pounds) == said


@given(st.floats(-1e12, 1e12, allow_nan=False))
def test_money_keeps_the_sum_to_half_a_per_cent_and_its_sign(pounds):
    said = words.money(pounds)
    units = {"million": 1e6, "billion": 1e9}
    number, *unit = said.replace(MINUS, "-").replace("£", "").replace(",", "").split()
    value = float(number) * (units[unit[0]] if unit else 1)
    assert abs(value - pounds) <= max(0.5, 0.05 * abs(pounds))
    assert value * pounds >= 0
    assert "-" not in said, "a hyphen is not a minus sign"


@pytest.mark.parametrize(
    ("share", "said"),
    [(0, "under 1%"), (0.004, "under 1%"), (0.42, "42%"), (0.995, "over 99%"), (1, "over 99%"), (1.2, "120%")],
)
def test_chances_are_never_said_to_be_none_or_certain(share, said):
    assert words.percent(share) == said


@pytest.mark.parametrize(("share", "said"), [(-0.124, f"{MINUS}12%"), (0.03, "+3%"), (-0.001, "0%"), (0.004, "0%")])
def test_changes_carry_their_sign(share, said):
    assert words.change(share) == said


@pytest.mark.parametrize(
    ("value", "said"), [(0.37389, "0.37389"), (5214.0, "5,214"), (113_514.2, "113,514"), (-0.05, f"{MINUS}0.05")]
)
def test_cited_figures_are_not_rounded_away(value, said):
    assert words.figure(value) == said


def test_years_are_financial_years():
    assert words.financial_year(2025, 0) == "2025/26"
    assert words.financial_year(2025, 74) == "2099/00"


def test_labels_keep_acronyms():
    assert words.label("police_and_justice") == "Police and justice"
    assert words.inside("hmrc") == "HMRC (tax)"
    assert words.inside("gcse_attainment") == "GCSE attainment"
    assert words.inside("neet") == "NEET"
    assert words.inside("local_authority") == "local authority"


@pytest.mark.parametrize(
    ("largest", "expected"),
    [(5e9, (1e9, "billion", 2)), (3e7, (1e6, "million", 1)), (3e5, (1e3, "thousand", 0)), (5_000, (1.0, "£", 0))],
)
def test_a_column_of_money_has_one_scale(largest, expected):
    divisor, unit, decimals = words.money_scale([1.0, -largest, math.nan])
    assert (divisor, decimals) == (expected[0], expected[2])
    assert expected[1] in unit


def test_sums_do_not_break_over_a_line():
    assert words.tied(f"{MINUS}£1.2 million") == f"{MINUS}\N{WORD JOINER}£1.2\N{NO-BREAK SPACE}million"


def test_a_merged_area_is_named_by_all_its_authorities():
    reference = evidence.reference_areas()
    merged = reference[reference["area"].str.startswith("stable:")]
    assert merged["area"].nunique() == 3
    for area, rows in merged.groupby("area"):
        name = words.area(rows["stable_area"].iloc[0])
        assert name == " together with ".join(evidence.members(reference, area))
    assert words.area("Leeds") == "Leeds"
