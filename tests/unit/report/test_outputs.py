"""All three files are written, or none of the old ones is touched."""

import dataclasses
import json
import re

import pytest
import xarray as xr

from toolkit import report
from toolkit.measures.analysis import analyse
from toolkit.report import outputs
from toolkit.report.contents import every_table
from toolkit.schema import InputError


@pytest.fixture(scope="module")
def made(run):
    return every_table(run, analyse(run))


@pytest.fixture(autouse=True)
def quick(undrawn, made, monkeypatch):
    """Neither draw pictures nor make the tables again: these tests are about files."""
    monkeypatch.setattr(outputs, "every_table", lambda run, found: made)


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def before(tmp_path):
    for name in outputs.NAMES:
        (tmp_path / name).write_text(f"old {name}")
    return content(tmp_path)


def test_all_three_files_are_written_and_nothing_else(run, tmp_path):
    paths = report.write_all(run, tmp_path / "new" / "build")
    assert [path.name for path in paths] == ["report.html", "workbook.xlsx", "run.nc"]
    assert sorted(path.name for path in (tmp_path / "new" / "build").iterdir()) == sorted(outputs.NAMES)
    with xr.open_datatree(paths[2], engine="netcdf4") as tree:
        xr.testing.assert_allclose(tree["appraisal"]["npsv"].load(), run.tree["appraisal"]["npsv"])


def placed(run, *names, place=""):
    """A run for other areas, so far as the name of its folder goes."""
    areas = [f"code of {name}" for name in names]
    costs = xr.Dataset(coords={"area": areas, "area_name": ("area", list(names))})
    tree = xr.DataTree.from_dict({"costs": costs})
    tree.attrs = {"areas": json.dumps(areas), "place": place}
    return dataclasses.replace(run, tree=tree)


def test_the_folder_is_named_by_scenario_and_place(run):
    name = run.scenario.name
    assert outputs.folder_name(placed(run, "Leeds")) == f"{name}-leeds"
    assert outputs.folder_name(placed(run, "St. Helens", "Hull, City of")) == f"{name}-hull-city-of-st-helens"
    many = [f"Area {number}" for number in range(12)]
    assert outputs.folder_name(placed(run, *many, place="North East")) == f"{name}-north-east"
    assert re.fullmatch(f"{name}-12-areas-[0-9a-f]{{6}}", outputs.folder_name(placed(run, *many)))
    assert outputs.folder_name(placed(run, *many[:5])) != outputs.folder_name(placed(run, *many[:4], "Other"))


@pytest.mark.long
@pytest.mark.parametrize("problem", [RuntimeError("disk full"), KeyboardInterrupt()], ids=["failure", "ctrl-c"])
@pytest.mark.parametrize("stage", ["render", "write_workbook", "write_netcdf"])
def test_what_stops_the_writing_leaves_the_old_files(run, tmp_path, before, monkeypatch, stage, problem):
    def stop(*_):
        raise problem

    monkeypatch.setattr(outputs, stage, stop)
    with pytest.raises(type(problem)):
        report.write_all(run, tmp_path)
    assert content(tmp_path) == before


@pytest.mark.parametrize("held", outputs.NAMES)
def test_a_file_that_cannot_be_replaced_leaves_the_old_ones_and_says_what_to_do(
    run, tmp_path, before, monkeypatch, held
):
    replace = outputs.Path.replace

    def refuse(path, target):
        if path.parent.name == "new" and path.name == held:
            raise PermissionError(13, "Permission denied")
        return replace(path, target)

    monkeypatch.setattr(outputs.Path, "replace", refuse)
    with pytest.raises(InputError, match="close the files"):
        report.write_all(run, tmp_path)
    assert content(tmp_path) == before


@pytest.mark.long
def test_a_first_run_that_cannot_be_finished_leaves_nothing(run, tmp_path, monkeypatch):
    replace = outputs.Path.replace

    def refuse(path, target):
        if path.name == "run.nc" and path.parent.name == "new":
            raise PermissionError(13, "Permission denied")
        return replace(path, target)

    monkeypatch.setattr(outputs.Path, "replace", refuse)
    with pytest.raises(InputError):
        report.write_all(run, tmp_path)
    assert content(tmp_path) == {}
