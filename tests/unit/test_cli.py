"""The command, as a person types it."""

import json
import re
import shutil
from pathlib import Path

import openpyxl
import pytest
import xarray as xr

from tests.unit.conftest import Outcomes
from toolkit import __version__, evidence, models, options, report, scenarios, workflow
from toolkit.schema import InputError


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, dozen: xr.Dataset, fit_cache: Path, tmp_path: Path) -> Path:
    """Work in a folder whose ``build/cache`` is the shared small fit, the only one; return another for the outputs."""
    monkeypatch.setattr(evidence, "load_statistics", lambda folder=None: dozen)
    load = scenarios.load
    monkeypatch.setattr(scenarios, "load", lambda name: scenarios.change(load(name), draws=200, chains=2))
    monkeypatch.setattr(models, "fit", lambda *_, **__: pytest.fail("fitted again"))
    monkeypatch.chdir(tmp_path)
    shutil.copytree(fit_cache, tmp_path / "build" / "cache")
    return tmp_path / "elsewhere"


@pytest.mark.fit
def test_run_writes_three_files_that_read_back(outcomes: Outcomes, small: Path, small_run: workflow.Run) -> None:
    code, out, _ = outcomes("run", "family_help_2025", "--area", "leeds", "--build", str(small))
    assert code == (0 if small_run.passed else 3)
    assert "Leeds" in out and "90%" in out
    assert [path.name for path in small.iterdir()] == ["family_help_2025-leeds"]
    folder = small / "family_help_2025-leeds"
    report = (folder / "report.html").read_text(encoding="utf-8")
    assert "Leeds" in report and "90%" in report
    book = openpyxl.load_workbook(folder / "workbook.xlsx")
    assert len(book.sheetnames) > 4
    tree = workflow.open_netcdf(folder / "run.nc")
    assert json.loads(tree.attrs["areas"]) == ["E08000035"]
    assert sorted(path.name for path in folder.iterdir()) == ["report.html", "run.nc", "workbook.xlsx"]


@pytest.mark.long
@pytest.mark.fit
def test_run_as_json_is_the_same_headline(outcomes: Outcomes, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "write_all", lambda *_, **__: [])  # which the test above looks at
    _, out, _ = outcomes("run", "family_help_2025", "--area", "E08000035", "--build", str(small), "--json")
    headline = json.loads(out)
    assert headline["npsv"].keys() == {"fiscal", "economic", "social"}


@pytest.mark.long
@pytest.mark.fit
def test_failed_checks_exit_3_and_are_said_first(
    outcomes: Outcomes, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = workflow.card_of
    monkeypatch.setattr(workflow, "card_of", lambda tree: card(tree).assign(passed=False, cure="run more draws"))
    code, _, err = outcomes("run", "family_help_2025", "--area", "Leeds", "--build", str(small), "--quiet")
    assert code == 3
    assert "failed its checks" in err
    assert re.search(r"rhat of \w+.*, not 1.01; run more draws", err)
    body = (small / "family_help_2025-leeds" / "report.html").read_text(encoding="utf-8").split("<body", 1)[1]
    assert body.index("failed its checks") < body.index('id="answer"')


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("run", "family_help_2025"), "none chosen"),
        (("run", "familes_first", "--area", "Leeds"), "did you mean families_first"),
        (("run", "family_help_2025", "--area", "Leds"), "Leeds"),
        (("run", "family_help_2025", "--area", "Cumbria County"), "Cumbria"),
        (("run", "family_help_2025", "--area", "E10000006"), "abolished"),
        (("run", "family_help_2025", "--region", "Northeast"), "North East"),
        (("run", "family_help_2025", "--area", "Leeds", "--england"), "England holds Leeds already"),
        (("scenario", "check", "nowhere.yaml"), "no such file"),
        (("evidence", "show", "cla_year_s251"), "cla_year_s251_2024_25"),
        (("evidence", "show", "children_per_famly"), "did you mean children_per_family"),
        (("evidence", "list", "--outcome", "crime"), "choose one of"),
        (("evidence", "calibrate", "joint"), "spend_error"),
    ],
)
def test_bad_words_exit_2_with_the_mending_step(
    outcomes: Outcomes, words: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    build = ("--build", str(tmp_path / "build")) if words[0] == "run" else ()
    code, out, err = outcomes(*words, *build)
    assert code == 2
    assert message in err.replace("\n", " ")
    assert not (tmp_path / "build").exists()
    assert "Traceback" not in out + err


def test_help_shows_every_command(outcomes: Outcomes) -> None:
    code, out, _ = outcomes("--help")
    assert code == 0
    for command in ("run", "evidence", "scenario", "areas"):
        assert command in out


def test_version_is_the_packages(outcomes: Outcomes) -> None:
    assert outcomes("--version") == (0, f"outcomes {__version__}\n", "")


def test_a_build_that_cannot_be_written_is_refused_before_anything_is_fitted(
    outcomes: Outcomes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(workflow, "run", lambda *_, **__: pytest.fail("ran"))
    (tmp_path / "file").touch()
    code, _, err = outcomes("run", "family_help_2025", "--area", "Leeds", "--build", str(tmp_path / "file" / "build"))
    assert code == 2
    assert "cannot be written to" in err and "--build" in err and len(err.splitlines()) == 1


def test_fields_of_a_scenario_are_listed_with_unit_and_range(outcomes: Outcomes) -> None:
    code, out, _ = outcomes("scenario", "fields", "--json")
    rows = {row["key"]: row for row in json.loads(out)}
    assert code == 0
    spend = rows["plan.<part>.pounds_per_child"]
    assert (spend["unit"], spend["allowed"], spend["default"]) == (
        "GBP a year",
        "a list: a number, -1,000 or more, 1,000 or less",
        "[]",
    )


def test_evidence_show_tells_where_a_figure_comes_from(outcomes: Outcomes) -> None:
    code, out, _ = outcomes("evidence", "show", "cla_year_without_leaving_care_2024_25", "--json")
    shown = json.loads(out)
    assert code == 0
    assert shown["value"] == 103600.0 and shown["price_year"] == "2024/25" and shown["interval_level"] == 0.9
    assert "price_care_year" in shown["roles"] and shown["source_url"].startswith("http")


def test_excluded_figures_are_listed_with_their_reason(outcomes: Outcomes) -> None:
    _, out, _ = outcomes("evidence", "list", "--excluded", "--json")
    reasons = {row["id"]: row["reason"] for row in json.loads(out)}
    assert "asked for by name" in reasons["cba_confidence_grade_2_cost"]
    assert "superseded" in reasons["lac_average_year"]
    assert "price year" in reasons["youth_custody_month_all_services"]


def test_areas_of_a_region(outcomes: Outcomes) -> None:
    _, out, _ = outcomes("areas", "--region", "north east", "--json")
    listed = json.loads(out)
    assert len(listed) == 12
    assert {row["region"] for row in listed} == {"North East"}


@pytest.mark.parametrize(
    ("name", "area"),
    [("Cumberland", "E06000063"), ("E06000064", "E06000064"), ("Cumbria area", "stable:Cumbria area")],
)
def test_a_merged_area_and_its_councils_are_answered_aloud(
    capsys: pytest.CaptureFixture[str], name: str, area: str
) -> None:
    assert options.chosen_areas([name], quiet=False) == [area]
    assert "of Cumberland and Westmorland and Furness together" in capsys.readouterr().err
    options.chosen_areas(["Leeds"], england=False)
    options.chosen_areas([name], quiet=True)
    assert capsys.readouterr().err == ""


def test_areas_say_whose_rates_are_fitted_together(outcomes: Outcomes) -> None:
    listed = {row["la_name"]: row["rates_fitted_with"] for row in json.loads(outcomes("areas", "--json")[1])}
    assert {name: other for name, other in listed.items() if other} == {
        "Cumberland": "Westmorland and Furness",
        "Westmorland and Furness": "Cumberland",
        "North Northamptonshire": "West Northamptonshire",
        "West Northamptonshire": "North Northamptonshire",
        "Dorset": "Bournemouth, Christchurch and Poole",
        "Bournemouth, Christchurch and Poole": "Dorset",
    }


def test_scenario_check_says_what_would_be_used(outcomes: Outcomes) -> None:
    code, out, _ = outcomes("scenario", "check", "edge_of_care")
    assert code == 0 and "0 of your own" in out
    assert all(part in out for part in ("plan 1.england", "fade_half_life", "START_CONV60", "any: choose them"))
    code, out, _ = outcomes("scenario", "check", "edge_of_care", "--area", "Leeds", "--json")
    assert code == 0 and json.loads(out)["Areas"] == [{"areas": "Leeds (E08000035)"}]


def test_an_altered_data_file_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    shutil.copytree(evidence.tables.data_folder(), folder)
    target = folder / "evidence" / "unit_costs.csv"
    target.write_text(target.read_text(encoding="utf-8").replace("109500", "19500"), encoding="utf-8")
    with pytest.raises(InputError, match=r"unit_costs\.csv: altered.*outcomes evidence seal"):
        evidence.load_register(folder=folder)


@pytest.mark.parametrize("manifest", ['{"resources": []}', "[]", "not json"])
def test_a_broken_manifest_is_refused_by_name(tmp_path: Path, manifest: str) -> None:
    folder = tmp_path / "data"
    shutil.copytree(evidence.tables.data_folder(), folder)
    (folder / "datapackage.json").write_text(manifest, encoding="utf-8")
    with pytest.raises(InputError, match=r"datapackage\.json.*Fix"):
        evidence.load_register(folder=folder)


@pytest.mark.long
@pytest.mark.fit
@pytest.mark.parametrize("moment", ["fit_resolved", "price_areas", "write_workbook"])
def test_interrupting_a_run_leaves_the_previous_build(
    outcomes: Outcomes, small: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    names, folder = ("report.html", "workbook.xlsx", "run.nc"), small / "family_help_2025-leeds"
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_text("previous")

    def stop(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(report.outputs if moment == "write_workbook" else workflow, moment, stop)
    code, _, err = outcomes("run", "family_help_2025", "--area", "Leeds", "--build", str(small))
    assert code == 130
    assert "previous outputs are as they were" in err
    assert {path.name: path.read_text() for path in folder.iterdir()} == dict.fromkeys(names, "previous")
