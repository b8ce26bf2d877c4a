"""How a notebook shows a finished run: in a line, or as its headline."""

import dataclasses

import pytest

from toolkit import report, workflow


@pytest.mark.fit
def test_a_run_is_one_line_and_its_html_the_headline(small_run: workflow.Run) -> None:
    line = repr(small_run)
    assert len(line) < 200 and "\n" not in line
    assert small_run.scenario.hash in line and "Leeds and Rutland" in line
    page = small_run._repr_html_()
    assert all(label in page and expected in page for label, expected, _ in report.headline_rows(small_run))


@pytest.mark.fit
def test_a_run_that_failed_its_checks_shows_it(small_run: workflow.Run) -> None:
    failed = dataclasses.replace(small_run, report_card=small_run.report_card.assign(passed=False))
    assert "CHECKS FAILED" in repr(failed) and "CHECKS FAILED" in failed._repr_html_()
