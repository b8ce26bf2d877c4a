"""The programmes of a run's file: what it holds, its tables and figure, and nothing where it holds none."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tests.unit.measures.test_programmes import NO_STUDY, SPREAD, programme
from toolkit.measures.analysis import analyse
from toolkit.measures.programme_tables import in_words, league_of, programme_tables, recorded
from toolkit.measures.programmes import league_table
from toolkit.records import open_netcdf, write_netcdf
from toolkit.report.contents import every_table
from toolkit.report.html import render
from toolkit.report.programme_figures import pictures
from toolkit.report.workbook import write_workbook

ABOUT = {"programme_type": "keyworker", "target_group": "in_need", "ages_from": 0, "ages_to": 17, "security": 3}
PARTS = {
    "sure": programme(SPREAD, 100.0),
    "unsure": programme(SPREAD, 900.0),
    "unpriced": programme(SPREAD, np.nan),
    "nothing": programme({}, 1000.0, not_counted=NO_STUDY),
}


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return pd.DataFrame(
        [{"programme": name, "label": f"The {name} one", **ABOUT, "not_known": "much"} for name in PARTS]
    )


@pytest.fixture(scope="module")
def compared() -> xr.Dataset:
    return xr.concat(list(PARTS.values()), xr.Variable("programme", list(PARTS)), join="exact")


@pytest.fixture(scope="module")
def with_programmes(run, compared: xr.Dataset, table: pd.DataFrame):
    tree = run.tree.copy()
    tree["programmes"] = xr.DataTree(recorded(compared, table))
    return replace(run, tree=tree)


def test_a_file_gives_back_the_league_it_was_written_from(
    with_programmes, compared: xr.Dataset, table: pd.DataFrame, tmp_path: Path
) -> None:
    path = tmp_path / "run.nc"
    write_netcdf(xr.DataTree(children={"programmes": with_programmes.tree["programmes"].copy()}), path)
    reread = replace(with_programmes, tree=open_netcdf(path))
    league, expected = league_of(reread), league_table(compared, table)
    assert league.index.tolist() == expected.index.tolist()
    for column in ("avoided_fiscal", "cost_per_child_high", "chance_pays_social", "council_cash", "chance_of_harm"):
        np.testing.assert_allclose(league[column], expected[column], rtol=1e-5, err_msg=column)
    for column in ("label", "verdict", "not_counted", "ages"):
        assert league[column].tolist() == expected[column].tolist()


def test_a_run_without_programmes_has_none_of_it(run) -> None:
    assert league_of(run) is None and programme_tables(run) == {} and pictures(run) == {}


def test_tables_hold_every_programme_once(with_programmes) -> None:
    """Evenly 200 to 1,200 pounds, over 100 and over 900: 7 and 0.78 pounds, a third of the draws above 900."""
    tables = programme_tables(with_programmes)
    first, left_out = tables["programmes"].frame, tables["programmes_left_out"].frame
    assert list(first.index) == ["The sure one", "The unsure one"]
    assert first["For each £1, the public purse", "expected"].tolist() == pytest.approx([7.0, 0.7 / 0.9], rel=1e-6)
    assert first["Chance it pays, public purse", ""].tolist() == pytest.approx([1.0, 0.3], abs=1e-3)
    assert first["Verdict, public purse", ""].iloc[0] == "pays back"
    assert sorted(left_out.index) == ["The nothing one", "The unpriced one"]
    assert left_out.loc["The unpriced one", ("Why", "")] == "no price is known"
    assert "no study" in left_out.loc["The nothing one", ("Why", "")]


def test_words_group_programmes_by_verdict(with_programmes) -> None:
    text = in_words(league_of(with_programmes))
    assert text == "Pays back: The sure one. Cannot be distinguished from break-even: The unsure one."


@pytest.mark.long
def test_report_and_workbook_have_a_section_and_a_sheet_only_where_there_are_programmes(
    run, with_programmes, tmp_path: Path
) -> None:
    import openpyxl

    for one, expected in ((run, False), (with_programmes, True)):
        analysis = analyse(one)
        tables = every_table(one, analysis)
        page = render(one, tables, analysis)
        assert ('<h2 id="programmes">' in page) == expected and ("The unpriced one" in page) == expected
        path = tmp_path / f"{expected}.xlsx"
        write_workbook(one, tables, path)
        assert ("Programmes" in openpyxl.load_workbook(path).sheetnames) == expected


def test_the_figure_names_every_programme_that_it_draws(with_programmes) -> None:
    (plot,) = pictures(with_programmes).values()
    axes = plot(with_programmes).axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["The unsure one", "The sure one"]
