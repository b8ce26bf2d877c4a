"""Figures as people paste them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.apps.parts import entry
from toolkit.apps.shell import Site
from toolkit.schema import InputError

UNITS = {"cost_per_family": "GBP per family", "children_per_family": "children per family"}
HEADS = "figure,value,low,high,price_year,reason\n"


@pytest.mark.parametrize(
    ("text", "value"), [("£1,250.50", 1250.5), ("12%", 0.12), (" 7 ", 7.0), ("\N{MINUS SIGN}3", -3.0)]
)
def test_numbers_are_read_as_people_write_them(text, value):
    assert entry.number(text, "value") == value


@pytest.mark.parametrize(
    "text",
    ["", "inf", "nan", "=1+1", "1e999", "12 apples", None, "0,435", "1.250,50", "1,5,0", "140,0", "1e308", "0x9"],
)
def test_what_is_no_number_is_refused(text):
    with pytest.raises(InputError, match=r"not a number|blank|not between"):
        entry.number(text, "value")


def test_rows_from_a_spreadsheet_and_a_csv_file_are_the_same():
    rows = [["Cost per family", "£9,000", "8,000", "10,000", "2024/25", "our ledger"]]
    tabs = "figure\tvalue\tlow\thigh\tprice_year\treason\n" + "\t".join(rows[0])
    comma = "\ufeff" + HEADS + 'cost_per_family,9000,8000,10000,2024/25,"our ledger"\n\n'
    found = entry.read(tabs, UNITS)
    assert found == entry.read(comma, UNITS) and found.problems == []
    assert found.rows["cost_per_family"] == {
        "value": 9000,
        "low": 8000,
        "high": 10000,
        "interval_level": 0.9,
        "price_year": "2024/25",
        "reason": "our ledger",
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("figure,value\n1,2\n", "no column reason"),
        ("figure,value,reason,=cmd\n1,2,3,4\n", "'=cmd' is not known here"),
        (HEADS + "nobody,1,,,,our own ledger", "Line 2: figure 'nobody'"),
        (HEADS + "cost_per_family,x,,,,our own ledger", "Line 2: value"),
        (HEADS + "cost_per_family,9,1,,,our own ledger", "Line 2: high"),
        (HEADS + "cost_per_family,9,,,,no", "Line 2: reason"),
        (HEADS + "cost_per_family,9,,,,our ledger, 2025", "line 2: 7 cells for 6 columns"),
        (HEADS + 2 * "children_per_family,2,,,,our ledger\n", "Line 3: figure"),
        (HEADS + "cost_per_family,9,,,," + "y" * 301, "reason: over 300"),
        (HEADS + 101 * "x\n", "more than 100 rows"),
        ("x" * (entry.MOST_CHARACTERS + 1), "characters"),
    ],
)
def test_what_is_wrong_is_said_row_by_row(text, said):
    assert any(said in problem for problem in entry.read(text, UNITS).problems)


def test_decimal_commas_blank_rows_and_price_years_without_a_stroke_are_read():
    rows = "Figure;Value;Low;High;Price year;Reason\r\ncost per family;9.000,5;8000,5;1e4;202425;our ledger\r\n"
    rows += ";;;;;\r\n" * 2
    for form in (rows, rows.encode("utf-16"), rows.replace("ledger", "ledger \xa3").encode("cp1252")):
        found = entry.read(form, UNITS)
        assert not found.problems
        row = found.rows["cost_per_family"]
        assert (row["value"], row["low"], row["high"], row["price_year"]) == (9000.5, 8000.5, 10_000, "2024/25")


@given(st.text(max_size=300))
def test_no_paste_breaks_the_page(text):
    entry.read(text, UNITS)
    entry.read(HEADS + text, UNITS)


@pytest.mark.fit
def test_pasted_figures_are_used_all_or_none_and_flagged(live):
    site = Site(live, query="?page=Evidence")
    page = site.pages["Evidence"]
    page.paste.value = HEADS + "cost_supporting_families,9000,,,,our ledger\nnobody,1,,,,our ledger"
    page.take.clicks += 1
    assert "Line 3" in page.problems.object and site.state.scenario.overrides == {}
    page.paste.value = HEADS + "cost_supporting_families,9000,,,,our <b>ledger</b>"
    page.take.clicks += 1
    assert site.state.scenario.overrides["cost_supporting_families"].value == 9000
    assert "&lt;b&gt;ledger" in site.notes.object and "your own figure" in page.used.object


def test_the_cited_value_stands_beside_the_field_even_when_it_is_replaced(live):
    site = Site(live, query="?page=Evidence")
    page = site.pages["Evidence"]
    site.state.override(
        "cost_supporting_families", {"value": 9000.0, "price_year": "2025/26", "reason": "our own ledger"}
    )
    page.role.value = "cost_supporting_families"
    assert "Cited: 5,214, GBP per family" in page.cited.object
    page.value.value, page.reason.value = "0.001", "our own ledger"
    page.apply.clicks += 1
    assert "cited 5,214" in page.problems.object and "10 times" in page.problems.object
