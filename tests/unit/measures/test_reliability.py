"""The page says of the committed checks what they found, failures first."""

import openpyxl
import pandas as pd
import pytest

from toolkit import evidence
from toolkit.measures import reliability
from toolkit.measures.analysis import analyse
from toolkit.report.contents import every_table
from toolkit.report.html import render
from toolkit.report.workbook import write_workbook
from toolkit.schema import CANNOT_BE_DETERMINED

TABLES = {
    "backtest": "reference/backtest",
    "predictive": "reference/predictive_checks",
    "pathway": "reference/pathway_checks",
    "published": "reference/reconciliation",
    "scaling": "reference/power_scaling",
    "own_care": "reference/own_care",
    "outlook": "reference/outlook_backtest",
}


SPENDING = "reference/spend_error"


@pytest.fixture
def committed(monkeypatch):
    """Return the committed tables; what a test puts in their place is what the page reads."""
    held = {name: evidence.load_table(name) for name in (*TABLES.values(), *reliability.CALIBRATED, SPENDING)}
    monkeypatch.setattr(reliability, "load_table", lambda name: held[name])
    return held


def test_every_failure_that_is_committed_is_said() -> None:
    said = " ".join(reliability.sentences())
    backtest = evidence.load_table("reference/backtest").query("part == 'all' and forecast != 'model'")
    for verdict, words in reliability.VERDICTS.items():
        assert (f": {words} for" in said or f"; {words} for" in said) == (backtest["model_is"] == verdict).any()
    predictive = evidence.load_table("reference/predictive_checks").query("size == 'all'")
    for check in predictive.loc[predictive["verdict"] != "passed", "check"].unique():
        assert reliability.CHECKS[check] in said
    assert said.startswith("Not everywhere" if (predictive["verdict"] == "failed").any() else "As far as")


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


def test_where_changes_come_in_jumps_it_says_what_that_means(committed) -> None:
    table = committed["reference/predictive_checks"]
    table["verdict"], table["value"] = "passed", table["expected_high"]
    assert "Of re-referrals too many" not in " ".join(reliability.sentences())
    row = (table["indicator"] == "rereferrals") & (table["size"] == "all") & (table["check"] == "coverage_50")
    table.loc[row, ["value", "verdict"]] = 0.6, "failed"
    assert "Of re-referrals too many counts lie near the middle" in " ".join(reliability.sentences())


def test_a_calibration_that_failed_is_named(committed) -> None:
    name = "reference/calibration_small_models"
    committed[name]["verdict"] = "passed"
    assert f"{len(committed[name])} of {len(committed[name])} for pooled prices" in " ".join(reliability.sentences())
    committed[name].loc[0, ["verdict", "parameter", "pool"]] = "failed", "mean_effect", "care"
    assert "; not: mean effect of care)" in " ".join(reliability.sentences())


def test_a_check_at_its_threshold_is_no_pass_and_no_failure(committed) -> None:
    """Each table with one verdict that cannot be determined: counted apart in words, and named in the table."""
    predictive, pathway = committed["reference/predictive_checks"], committed["reference/pathway_checks"]
    for table in (predictive, pathway, *(committed[name] for name in reliability.CALIBRATED)):
        table["verdict"] = "passed"
    one = predictive[(predictive["indicator"] == "care_starts") & (predictive["size"] == "all")]
    predictive.loc[one.index[one["check"] == "pit_mean"], "verdict"] = CANNOT_BE_DETERMINED
    pathway.loc[pathway.index[pathway["fitted"] == 1][0], "verdict"] = CANNOT_BE_DETERMINED
    calibration = committed["reference/calibration_pathway"]
    calibration.loc[0, ["verdict", "parameter", "pool"]] = CANNOT_BE_DETERMINED, "rate", "referral"
    scaling = committed["reference/power_scaling"]
    scaling["diagnosis"] = "rests on the data"
    scaling.loc[0, "diagnosis"] = CANNOT_BE_DETERMINED
    backtest = committed["reference/backtest"]
    model = (backtest["part"] == "all") & (backtest["forecast"] == "model")
    backtest.loc[model, "coverage_90"], backtest.loc[model, "coverage_90_mcse"] = 0.9, 0.0001
    backtest.loc[model & (backtest["indicator"] == "care_starts"), "coverage_90_mcse"] = 0.1
    said, checks = " ".join(reliability.sentences()), (predictive["size"] == "all").sum()
    assert f"passes {checks - 1} of {checks} checks. Too near the threshold to be determined: counts are" in said
    assert "Failed:" not in said and "on the whole (care starts)." in said
    fitted = (pathway["fitted"] == 1).sum()
    assert f"meets {fitted - 1} of {fitted} (1 cannot be determined) published" in said
    assert "simulations each; cannot be determined: rate of referral)" in said
    assert (
        f"{len(scaling) - 1} of {len(scaling)} quantities of the outcome model would hardly move; for 1 it cannot"
        in said
    )
    assert "allows: none. On the edge of that: care starts 90%." in said
    tables = reliability.reliability()
    for name in ("predictive", "pathway"):
        assert tables[name].frame["Result", ""].eq("cannot be determined").sum() == 1
    assert tables["calibration"].frame["Cannot be determined", ""].sum() == 1


def test_what_rests_on_a_prior_is_counted(committed) -> None:
    table = committed["reference/power_scaling"]
    table["diagnosis"] = "rests on the data"
    assert "with how many indicators: none. Associations with spending rest on the data in 12 of 12" in " ".join(
        reliability.sentences()
    )
    table.loc[table["parameter"] == "spend_within", "diagnosis"] = "rests on the prior"
    assert "spend within (6). Associations with spending rest on the data in 6 of 12" in " ".join(
        reliability.sentences()
    )


def test_how_much_error_in_spending_matters_is_said(committed) -> None:
    table = committed[SPENDING].set_index(["spending", "indicator"])
    table["reliability"], table["mean"], table["sd"] = 0.9, 0.1, 0.05
    table.loc[("latent", "care_starts"), "mean"] = 0.2
    committed[SPENDING] = table.reset_index()
    said = reliability.spending_words()
    assert "10% are taken for error that passes" in said
    assert "by 2.00 of its standard deviation at most (care starts: an elasticity of 0.200 instead of 0.100)" in said


def test_without_a_failure_it_says_that(committed) -> None:
    checked = ("reference/predictive_checks", "reference/pathway_checks", "reference/own_care")
    for name in (*checked, *reliability.CALIBRATED):
        committed[name]["verdict"] = "passed"
    table = committed["reference/backtest"]
    table.loc[table["forecast"] != "model", "model_is"] = "better"
    table["coverage_90"] = 0.9
    outlook = committed["reference/outlook_backtest"]
    outlook["coverage_90"], outlook["converged"] = 0.9, 1
    outlook.loc[outlook["forecast"] != "model", "model_is"] = "better"
    assert reliability.sentences()[0] == "As far as these checks go, yes."


def test_where_the_outlook_misses_its_coverage_or_loses_to_a_rule_it_says_so(committed) -> None:
    test_without_a_failure_it_says_that(committed)
    table = committed["reference/outlook_backtest"]
    whole = (table["part"] == "all") & (table["quantity"] == "spend") & (table["last_year"] == 2022)
    table.loc[whole & (table["used"] == 1), "coverage_90"] = 0.7
    table.loc[whole & (table["forecast"] == "national_growth"), "model_is"] = "worse"
    lead, first, *_ = reliability.sentences()
    assert lead.startswith("Not everywhere") and "for spend from 2022 on (70%)" in first
    assert "did better for spend from 2022 on (the area's last value with England's growth)" in first
    table["converged"] = 0
    assert "fell short of a check of convergence" in reliability.sentences()[1]


@pytest.mark.parametrize("name", ["reference/pathway_checks", "reference/calibration_outcomes"])
def test_one_failure_of_any_kind_is_a_failure(committed, name) -> None:
    test_without_a_failure_it_says_that(committed)
    committed[name].loc[0, "verdict"] = "failed"
    lead, first, *_ = reliability.sentences()
    assert lead.startswith("Not everywhere") and ("pathway" in first or "data simulated from itself" in first)


def test_checks_of_another_version_are_named_with_the_command_that_makes_them_again(monkeypatch) -> None:
    rows = [("backtest", "outcomes check", "code"), ("pathway_checks", "outcomes evidence pathway", "not recorded")]
    monkeypatch.setattr(reliability, "outdated", lambda: pd.DataFrame(rows, columns=["made", "command", "differs"]))
    said = " ".join(reliability.sentences())
    assert "Made on an earlier version of code: backtest (run: outcomes check)." in said
    assert "The version of these was not recorded: pathway checks (run: outcomes evidence pathway)." in said
    monkeypatch.setattr(reliability, "outdated", lambda: pd.DataFrame(rows[:0], columns=["made", "command", "differs"]))
    assert "made with the code and on the data of this run" in " ".join(reliability.sentences())


def test_tables_hold_the_committed_numbers() -> None:
    made = reliability.reliability()
    assert all(not table.frame.isna().all().any() for table in made.values())
    published = evidence.load_table("reference/reconciliation").dropna(subset=["ratio"])
    assert made["published"].frame["Ours over it", ""].tolist() == published["ratio"].tolist()
    assert made["pathway"].frame["Result", ""].tolist().count("FAILED") == (
        evidence.load_table("reference/pathway_checks")["verdict"].eq("failed").sum()
    )


@pytest.mark.long
def test_the_page_and_the_workbook_hold_them(undrawn, run, tmp_path) -> None:
    found = analyse(run)
    made = every_table(run, found)
    page = render(run, made, found)
    assert 'id="believed"' in page
    for said in reliability.sentences():
        assert said.split(".")[0].replace("'", "&#39;") in page
    write_workbook(run, made, tmp_path / "book.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "book.xlsx")["Believing the models"]
    words = [row[0].value for row in sheet.iter_rows(max_col=1)]
    assert all(made[name].title in words for name in TABLES)
