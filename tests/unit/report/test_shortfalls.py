"""The first page says where the models fail, from the committed checks themselves."""

import numpy as np
import pandas as pd
import pytest

from toolkit import evidence
from toolkit.measures import reliability
from toolkit.measures.analysis import analyse
from toolkit.measures.reliability import CALIBRATED
from toolkit.report import shortfalls
from toolkit.report.contents import every_table
from toolkit.report.html import render

NAMES = ("reference/predictive_checks", "reference/pathway_checks", *CALIBRATED)


@pytest.fixture
def committed(monkeypatch):
    """Return the committed tables; what a test puts in their place is what is read."""
    tables = {name: evidence.load_table(name) for name in NAMES}
    for module in (shortfalls, reliability):
        monkeypatch.setattr(module, "load_table", lambda name: tables[name].copy())
    return tables


def test_the_pathways_failures_are_counted_and_the_furthest_named() -> None:
    checks = evidence.load_table("reference/pathway_checks")
    missed = checks[checks["verdict"] == "failed"]
    words = shortfalls.shortfalls()
    for fitted, rows in checks.groupby("fitted"):
        assert f"{(missed['fitted'] == fitted).sum()} of {len(rows)}" in words
    assert "returns to care within five years (15% in the model, 35% published)" in words
    factor = np.exp(abs(np.log(missed["mean"] / missed["published"]))).sort_values(ascending=False)
    assert words.count(" in the model, ") == shortfalls.FURTHEST
    worst = missed.loc[factor.index[0]]
    assert f"{worst['mean']:.0%} in the model, {worst['published']:.0%} published" in words.partition(";")[2][:120]


def test_rates_over_one_are_no_percentages(committed) -> None:
    table = committed["reference/pathway_checks"]
    table["verdict"] = np.where(table["figure"] == "CIN_EXIT_Y25", "failed", "passed")
    assert "cases of need closed a year, for each open (1.051 in the model, 0.882 published)" in shortfalls.shortfalls()


def test_where_nothing_fails_nothing_is_said(committed) -> None:
    for table in committed.values():
        table["verdict"] = "passed"
    assert shortfalls.shortfalls() == ""


def test_passed_checks_of_the_fit_do_not_stand_for_those_of_the_models(committed) -> None:
    card = pd.DataFrame({"passed": [True] * 12})
    for table in committed.values():
        table["verdict"] = "passed"
    committed["reference/pathway_checks"].loc[[0, 3], "verdict"] = "failed"
    assert "All 12 checks of this fit passed" in shortfalls.checked(card) and ", 2 failed." in shortfalls.checked(card)
    card.loc[4, "passed"] = False
    assert shortfalls.checked(card).startswith("1 of 12 checks of this fit failed")


def test_the_first_page_of_the_report_says_it(run, undrawn) -> None:
    found = analyse(run)
    page = render(run, every_table(run, found), found)
    first = page[: page.index('aria-label="Contents"')]
    assert "returns to care within five years (15% in the model, 35% published)" in first
    assert "Every check passed" not in page and "harm and wellbeing" not in page
    assert "social adds the harm done to victims of crime. Wellbeing is not counted." in first
