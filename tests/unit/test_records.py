"""Files that name what is wrong with them: a damaged one is never read with other numbers."""

import os
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import xarray as xr

from toolkit import records
from toolkit.schema import InputError

COPIES = 400


@pytest.fixture
def tree() -> xr.DataTree:
    random = np.random.default_rng(1)
    draws = xr.Dataset({"cost": (("chain", "draw"), random.normal(size=(2, 500)), {"units": "GBP"})})
    names = xr.Dataset({"name": ("area", np.array(["Leeds", "Rutland"], dtype=object))})
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs={"seed": 1}), "draws": draws, "areas": names})


def damaged(content: bytes, random: np.random.Generator) -> bytes:
    """Return a copy with a few bits turned, a part cut off, blanked, doubled or put in front."""
    kind, start = random.integers(6), int(random.integers(len(content)))
    end = start + int(random.integers(1, 600))
    if kind < 2:
        turned = bytearray(content)
        for place in random.integers(len(content), size=random.integers(1, 9)):
            turned[place] ^= 1 << int(random.integers(8))
        return bytes(turned)
    if kind == 2:
        return content[:start]
    if kind == 3:
        return content[:start] + bytes(len(content[start:end])) + content[end:]
    return content[:end] + content[start:] if kind == 4 else content[start:end] + content


def test_no_damaged_copy_is_read(tree: xr.DataTree, tmp_path: Path) -> None:
    path, random = tmp_path / "run.nc", np.random.default_rng(20261122)
    records.write_netcdf(tree, path)
    whole, refused = path.read_bytes(), 0
    for _ in range(COPIES):
        path.write_bytes(copy := damaged(whole, random))
        if copy == whole:  # zeros over zeros
            continue
        with pytest.raises(InputError, match=r"run\.nc: .*Fix: "):
            records.open_netcdf(path)
        refused += 1
    assert refused > 0.9 * COPIES
    path.write_bytes(whole)
    xr.testing.assert_identical(records.open_netcdf(path), tree)


def test_other_programs_read_a_file_that_ends_with_its_checksum(tree: xr.DataTree, tmp_path: Path) -> None:
    path = tmp_path / "run.nc"
    records.write_netcdf(tree, path)
    with netCDF4.Dataset(path) as file:
        np.testing.assert_array_equal(file["draws/cost"][:], tree["draws/cost"])


@pytest.mark.parametrize("content", [None, b"", b"\x89HDF\r\n", b"a,b\n1,2\n"])
def test_what_is_no_run_is_refused_by_name(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "run.nc"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"run\.nc: .*Fix: "):
        records.open_netcdf(path)


def test_a_damaged_cache_is_named_and_none(tree: xr.DataTree, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "outcomes-1.nc"
    assert records.open_cached(path) is None and not caplog.messages
    records.write_netcdf(tree, path)
    assert records.open_cached(path) is not None and not caplog.messages
    os.truncate(path, path.stat().st_size - 100)
    assert records.open_cached(path) is None
    assert len(caplog.messages) == 1 and "outcomes-1.nc" in caplog.messages[0]


def test_a_fingerprint_sees_type_shape_and_the_last_digit() -> None:
    one = xr.Dataset({"rate": ("area", np.array([0.1, 0.2]))})
    others = [
        xr.Dataset({"rate": ("area", np.array([0.1, np.nextafter(0.2, 1)]))}),
        xr.Dataset({"rate": (("area", "year"), np.array([[0.1, 0.2]]))}),
        xr.Dataset({"rates": ("area", np.array([0.1, 0.2]))}),
    ]
    assert records.fingerprint(one) == records.fingerprint(one.copy(deep=True))
    assert len({records.fingerprint(one), *map(records.fingerprint, others)}) == 4


def test_a_run_of_an_older_version_has_its_groups_under_their_present_names(tmp_path: Path) -> None:
    old = {name: xr.Dataset({"value": ("draw", [1.0, 2.0])}) for name in ("told", "reading", "costs")}
    tree = xr.DataTree.from_dict(old)
    tree.attrs["scenario_hash"] = "abc"
    records.write_netcdf(tree, tmp_path / "run.nc")
    opened = records.open_netcdf(tmp_path / "run.nc")
    assert list(opened.children) == ["life_course", "effect_evidence", "costs"]
    xr.testing.assert_identical(opened["life_course"].to_dataset(), tree["told"].to_dataset())
    assert opened.attrs == {"scenario_hash": "abc", "schema_version": 2}


def test_a_variable_with_the_name_of_its_group_is_in_memory_too(tmp_path: Path) -> None:
    """As ``lives`` of every run: what is read later would be read from a file that nobody checked."""
    tree, path = xr.DataTree.from_dict({"lives": xr.Dataset({"lives": ("draw", [1.0, 2.0])})}), tmp_path / "run.nc"
    records.write_netcdf(tree, path)
    opened = records.open_netcdf(path)
    path.unlink()
    assert opened["lives/lives"].values.tolist() == [1.0, 2.0]


def _whole_run() -> xr.DataTree:
    draws = xr.Dataset({"value": (("chain", "draw"), np.ones((2, 3)))})
    tree = xr.DataTree.from_dict({name: draws for name in records.GROUPS})
    tree.attrs = {"schema_version": 2, "scenario": '{"name": "families_first"}'}
    return tree


def _without_costs(tree: xr.DataTree) -> None:
    del tree["costs"]


def _words_for_draws(tree: xr.DataTree) -> None:
    tree["lives"] = xr.DataTree(tree["lives"].to_dataset().astype(str).astype(object))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_without_costs, "no group costs, which every run has"),
        (_words_for_draws, "/lives/value holds no numbers"),
        (lambda tree: tree.attrs.update(schema_version=3), "version '3' of a run's file is not known here"),
        (lambda tree: tree.attrs.update(schema_version="two"), "version 'two'"),
        (lambda tree: tree.attrs.update(scenario="[]"), "'scenario' holds none"),
        (lambda tree: tree.attrs.update(scenario=5), "'scenario' holds none"),
        (lambda tree: tree.attrs.pop("scenario"), "'scenario' holds none"),
    ],
)
def test_a_run_that_lacks_what_every_run_has_is_refused(change, message: str, tmp_path: Path) -> None:
    tree, path = _whole_run(), tmp_path / "run.nc"
    records.write_netcdf(tree, path)
    xr.testing.assert_identical(records.open_netcdf(path), tree)
    first = tree.copy()
    del first.attrs["schema_version"]  # as the first version wrote
    records.write_netcdf(first, path)
    assert set(records.open_netcdf(path).children) == set(records.GROUPS)
    change(tree)
    records.write_netcdf(tree, path)
    with pytest.raises(InputError, match=rf"run\.nc: .*{message}.*Fix: run again"):
        records.open_netcdf(path)
