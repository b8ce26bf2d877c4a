"""The page says of the committed checks what they found, failures first."""

import openpyxl
import pandas as pd
import pytest

from toolkit import evidence
from toolkit.report import reliability
from toolkit.report.analysis import analyse
from toolkit.report.contents import every_table
from toolkit.report.html import render
from toolkit.report.workbook import write_workbook
from toolkit.schema import EFFECT_OUTCOMES

TABLES = {
    "backtest": "reference/backtest",
    "predictive": "reference/predictive_checks",
    "pathway": "reference/pathway_checks",
    "published": "reference/reconciliation",
}


@pytest.fixture
def committed(monkeypatch):
    """Return the committed tables; what a test puts in their place is what the page reads."""
    held = {name: evidence.load_table(name) for name in (*TABLES.values(), *reliability.CALIBRATED)}
    monkeypatch.setattr(reliability, "load_table", lambda name: held[name])
    return held


def test_every_failure_that_is_committed_is_said() -> None:
    said = " ".join(reliability.sentences())
    backtest = evidence.load_table("reference/backtest").query("part == 'all' and forecast != 'model'")
    for verdict, words in reliability.VERDICTS.items():
        assert (f": {words} for" in said or f"; {words} for" in said) == (backtest["model_is"] == verdict).any()
    predictive = evidence.load_table("reference/predictive_checks").query("size == 'all'")
    for check in predictive.loc[predictive["passed"] == 0, "check"].unique():
        assert reliability.CHECKS[check] in said
    assert said.startswith("Not everywhere" if (predictive["passed"] == 0).any() else "As far as")


def test_where_it_loses_to_last_years_value_it_says_so(committed) -> None:
    table = committed["reference/backtest"]
    last = (table["part"] == "all") & (table["forecast"] == "last_value")
    for verdict, said in reliability.VERDICTS.items():
        table.loc[last, "model_is"] = verdict
        assert f"Against the last value: {said} for re-referrals" in reliability.sentences()[1]
    table.loc[last, "model_is"] = "worse"
    assert reliability.sentences()[0].startswith("Not everywhere")


def test_where_it_misses_its_coverage_it_says_so(committed) -> None:
    table = committed["reference/backtest"]
    model = (table["part"] == "all") & (table["forecast"] == "model")
    table.loc[model, "coverage_90"] = 0.9
    assert any("Further off than chance allows: none" in said for said in reliability.sentences())
    table.loc[model & (table["indicator"] == "care_starts"), "coverage_90"] = 0.7
    assert any("allows: care starts 70%." in said for said in reliability.sentences())


def test_without_a_failure_it_says_that(committed) -> None:
    committed["reference/predictive_checks"]["passed"] = 1
    table = committed["reference/backtest"]
    table.loc[table["forecast"] != "model", "model_is"] = "better"
    table["coverage_90"] = 0.9
    assert reliability.sentences()[0] == "As far as these checks go, yes."


def test_tables_hold_the_committed_numbers() -> None:
    made = reliability.reliability()
    assert all(not table.frame.isna().all().any() for table in made.values())
    published = evidence.load_table("reference/reconciliation").dropna(subset=["ratio"])
    assert made["published"].frame["Ours over it", ""].tolist() == published["ratio"].tolist()
    assert made["pathway"].frame["Result", ""].tolist().count("FAILED") == (
        evidence.load_table("reference/pathway_checks")["passed"].eq(0).sum()
    )


def test_the_page_and_the_workbook_hold_them(undrawn, run, tmp_path) -> None:
    found = analyse(run)
    made = every_table(run, found)
    page = render(run, made, found)
    assert 'id="believed"' in page
    assert "An honest reading" in page
    for said in reliability.sentences():
        assert said.split(".")[0].replace("'", "&#39;") in page
    write_workbook(run, made, tmp_path / "book.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "book.xlsx")["Believing the models"]
    words = [row[0].value for row in sheet.iter_rows(max_col=1)]
    assert all(made[name].title in words for name in TABLES)


def test_the_honest_reading_is_that_of_the_run(run) -> None:
    table = reliability.reading(run).frame
    assert table["Combined", "expected"].tolist() == pytest.approx([-0.08] * len(EFFECT_OUTCOMES))
    assert list(reliability.reading_words(run).values()) == ["3 studies lean to benefit."] * len(EFFECT_OUTCOMES)
    assert isinstance(table, pd.DataFrame)
