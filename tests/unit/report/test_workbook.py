"""The workbook, opened again."""

import openpyxl
import pytest

from toolkit.measures import quantities as q
from toolkit.measures.analysis import analyse
from toolkit.report.contents import every_table
from toolkit.report.sheets import inert
from toolkit.report.workbook import SHEETS, write_workbook


def opened(run, folder):
    path = folder / "workbook.xlsx"
    write_workbook(run, every_table(run, analyse(run)), path)
    return openpyxl.load_workbook(path)


@pytest.fixture(scope="module")
def book(run, tmp_path_factory):
    return opened(run, tmp_path_factory.mktemp("book"))


def cells(book):
    return [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None]


def row_of(sheet, label, *, after):
    """Numbers of the first row called ``label`` below the caption ``after``."""
    start = next(row[0].row for row in sheet.iter_rows(max_col=1) if row[0].value == after)
    found = next(row for row in sheet.iter_rows(min_row=start) if row[0].value == label)
    return [cell.value for cell in found[1:] if cell.value is not None]


def test_sheets_are_the_promised_ones(book):
    assert book.sheetnames == [name for name in SHEETS if name != "Programmes"]
    assert set(book.sheetnames) >= {
        "Summary",
        "Cost by outcome",
        "Cost by payer",
        "Yearly",
        "Areas",
        "Spend-cost curve",
        "Assumptions",
        "Checks",
        "About",
    }


@pytest.mark.long
def test_every_table_made_is_used(run):
    kept = {name for names in SHEETS.values() for name in names}
    # Two are held in full by payback_every_year and checks.
    assert set(every_table(run, analyse(run))) - kept == {"payback", "failures"}


def test_numbers_are_the_trees_own(book, run):
    care = q.by(q.lifetime(run).sel(reading="excess"), "outcome").sel(outcome="care")
    found = row_of(book["Cost by outcome"], "Care", after="Lifetime cost of the entering cohort, by outcome")
    assert found[:3] == pytest.approx([float(care.mean()), float(care.quantile(0.05)), float(care.quantile(0.95))])
    npsv = q.result(run)["npsv"].sel(account="social")
    summary = row_of(book["Summary"], "Net present social value", after="The answer in figures")
    assert summary == pytest.approx([float(npsv.mean()), float(npsv.quantile(0.05)), float(npsv.quantile(0.95))])
    yearly = row_of(book["Yearly"], "2026/27", after="Expected net position by payer and year")
    flows = q.result(run)["net_position"].sel(year=1).mean(("chain", "draw"))
    assert yearly[0] == pytest.approx(float(flows.sel(payer="local_authority")))
    assert yearly[-1] == pytest.approx(float(flows.sum()))


def test_the_years_and_the_rest_hold_every_pound(book, run):
    sheet, title = book["Yearly"], "Expected net position by payer and year"
    years = [f"{2025 + n}/{(26 + n) % 100:02d}" for n in range(30)] + ["2055/56 to 2094/95"]
    total = sum(row_of(sheet, year, after=title)[-1] for year in years)
    assert total == pytest.approx(float(q.result(run)["net_position"].sum(["year", "payer"]).mean()))


def test_money_is_formatted_as_money_and_chances_as_per_cent(book):
    formats = {cell.number_format for cell in cells(book) if isinstance(cell.value, float)}
    assert any("£" in code for code in formats)
    assert "0.0%" in formats
    assert all(cell.data_type in "ns" for cell in cells(book))


def test_single_tables_stay_in_view_when_scrolled(book):
    assert book["Assumptions"].freeze_panes == "B4"
    assert book["Areas"].freeze_panes == "B4"
    assert book["Assumptions"].column_dimensions["A"].width > 20


def test_assumptions_carry_their_sources(book, run):
    rows = {row[0].value: [cell.value for cell in row] for row in book["Assumptions"].iter_rows(min_row=4)}
    care = rows["Price care year"]
    assert run.assumptions.loc["price_care_year", "source"] in care
    assert run.assumptions.loc["price_care_year", "value"] in care


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_text_that_could_be_a_formula_is_made_inert(text):
    assert inert(text) == f"'{text}"


@pytest.mark.parametrize("text", ["Leeds", "", "£1 = 100p", "\N{MINUS SIGN}£3"])
def test_other_text_is_left_alone(text):
    assert inert(text) == text


@pytest.mark.long
def test_hostile_text_is_text_when_the_workbook_is_opened(make_run, tmp_path):
    attack = '=HYPERLINK("http://example.org","x")'
    hostile = make_run(changes={"title": attack}, areas={"E08000035": (attack, "+1"), "E06000047": ("@B", "C")})
    hostile.assumptions.loc["price_care_year", ["source", "reason"]] = [attack, "-1+1"]
    book = opened(hostile, tmp_path)
    dangerous = [
        cell
        for cell in cells(book)
        if str(cell.value).startswith(("=", "+", "-", "@", "\t", "\r")) and cell.data_type == "s"
    ]
    assert dangerous == []
    assert any(cell.value == f"'{attack}" for cell in cells(book))
    assert all(cell.data_type != "f" and cell.hyperlink is None for cell in cells(book))


@pytest.mark.long
def test_a_failed_run_is_stamped_first_on_every_sheet(make_run, tmp_path):
    for sheet in opened(make_run(passed=False), tmp_path):
        assert str(sheet["A1"].value).startswith("THIS RUN FAILED ITS CHECKS")
        assert sheet["A1"].fill.fgColor.rgb == "FFD4351C"


def test_a_run_that_passed_is_not_stamped(book):
    assert not [cell for cell in cells(book) if "THIS RUN FAILED" in str(cell.value)]


@pytest.mark.long
def test_evidence_of_ones_own_is_flagged_first_of_all(make_run, tmp_path):
    own = {"price_care_year": {"value": 90_000, "price_year": "2024/25", "reason": "our own ledger"}}
    study = {"programme": "triple_p", "outcome": "care", "design": "rct", "scale": "log_hazard", "estimate": -0.1}
    study |= {"standard_error": 0.1, "follow_up_months": 12, "reason": "our own trial"}
    given = {"studies": {"our_trial": study}, "left_out": ["TF2_LAC"]}
    run = make_run(
        overrides=own,
        changes=given | {"priors": {"programmes.tau_type_event": {"first": 0.2, "reason": "our own view"}}},
    )
    said = [row[0].value for row in opened(run, tmp_path)["Summary"].iter_rows(max_row=6)]
    assert said[2:] == [
        "Evidence of your own: Price care year: 90,000. Reason: our own ledger",
        "Evidence of your own: Prior programmes.tau_type_event: 0.2. Reason: our own view",
        "Evidence of your own: Study our_trial added, of Triple p on care. Reason: our own trial",
        "Evidence of your own: Study TF2_LAC left out",
    ]
