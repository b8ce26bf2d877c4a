"""Files of the project's own kinds for ``benchmarks.fuzz_readers``: runs, saved scenarios, tables of the data.

Each has good files to start from, a function from the bytes of one file to every number that was read, and, where a
file is more than a table, a change of its own kind: a group that is missing, a value of another type.
"""

import json
import re
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from toolkit import evidence, records, scenarios
from toolkit.apps.engine.live import Live, Memory
from toolkit.apps.parts.look import LONGEST_LINE
from toolkit.apps.session.scenario_keys import flat
from toolkit.apps.session.state import State
from toolkit.apps.session.tab import restored
from toolkit.evidence import tables
from toolkit.schema import SAMPLE_DIMS, InputError, data_folder
from toolkit.text_files import excerpt

PROGRAMMES = ("programmes", "programme_costs", "programme_effects", "baseline_risks")
TABLES = ("unit_costs", "effects", "judgements", "cost_components", "priors", *PROGRAMMES)
OTHER_SETTINGS: dict[str, Any] = {
    "horizon": 60,
    "plan": [{"programme": "supporting_families", "pounds_per_child": [22.5, 20.25]}],
    "adjustments": {"optimism_bias": 0.15},
    "overrides": {
        "price_care_year": {
            "value": 90000.0,
            "low": 80000.5,
            "high": 99000.0,
            "price_year": "2024/25",
            "interval_level": 0.9,
            "reason": "our own ledger",
        }
    },
}


def _pick[T](random: np.random.Generator, options: Sequence[T]) -> T:
    return options[int(random.integers(len(options)))]


def _on_disk(content: bytes, folder: str, name: str) -> Path:
    path = Path(folder) / name
    path.write_bytes(content)
    return path


# A run's file ------------------------------------------------------------------------------------------


@lru_cache
def _run() -> xr.DataTree:
    """Return a tree with the groups and the attributes of a run."""
    random = np.random.default_rng(1)

    def drawn(name: str, **dims: list[str]) -> xr.Dataset:
        shape = [*map(len, dims.values()), 2, 5]
        drawn = xr.DataArray(random.normal(50, 9, shape), dims=(*dims, *SAMPLE_DIMS), attrs={"units": "GBP"})
        return xr.Dataset({name: drawn.assign_coords(**dims, chain=[0, 1], draw=range(5))})

    area = ["E08000035", "E06000047"]
    groups = {
        "assumptions/figures": xr.Dataset({"title": ("role", np.array(["a", "b"], dtype=object))}),
        "assumptions/draws": drawn("price_care_year"),
        "posterior": drawn("baseline_rate", area=area),
        "effects": drawn("effect", programme=["supporting_families"], outcome=["care"]),
        "lives": drawn("lives", area=area),
        "costs": drawn("lifetime", area=area),
        "appraisal": drawn("benefit", account=["fiscal", "social"]),
        "checks": xr.Dataset({"passed": ("check_number", np.array(["True"], dtype=object))}),
    }
    tree = xr.DataTree.from_dict(groups)
    scenario = scenarios.load("families_first")
    tree.attrs = {"schema_version": 2, "scenario": scenario.model_dump_json(), "seed": scenario.seed, "areas": "[]"}
    return tree


@lru_cache
def runs() -> tuple[bytes, ...]:
    return (_stored(_run()),)


def _stored(tree: xr.DataTree) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        records.write_netcdf(tree, Path(folder) / "run.nc")
        return (Path(folder) / "run.nc").read_bytes()


def read_run(content: bytes) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        tree = records.open_netcdf(_on_disk(content, folder, "run.nc"))
    if "schema_version" in tree.attrs:  # what reads a run counts on these
        assert tree.attrs["schema_version"] in (1, 2) and set(_run().children) <= set(tree.children)
        assert isinstance(json.loads(tree.attrs["scenario"]), dict)
    values = [
        variable.values.ravel()
        for group in tree.subtree
        for variable in group.dataset.data_vars.values()
        if set(SAMPLE_DIMS) <= set(variable.dims) or variable.dtype.kind in "iuf"
    ]
    return np.concatenate([np.zeros(0), *values]).astype(float)


def changed_run(content: bytes, random: np.random.Generator, token: str) -> bytes:
    """Return a run's file, whole and with its checksum, of which a group, variable, type or attribute is not right."""
    tree, token = _run().copy(deep=True), token.encode("utf-8", "replace").decode()
    name = _pick(random, [group.path.strip("/") for group in tree.leaves])
    data = tree[name].to_dataset()
    variable = _pick(random, [str(key) for key in data.data_vars])
    other: dict[str, Any] = {
        "text": data[variable].astype(str).astype(object),
        "token": xr.full_like(data[variable], token, dtype=object),
        "time": xr.full_like(data[variable], np.datetime64("2025-01-01", "ns"), dtype="datetime64[ns]"),
        "one": data[variable].isel({data[variable].dims[-1]: 0}, drop=True),
        "turned": data[variable].transpose(*data[variable].dims[::-1]),
    }
    match _pick(random, ["group", "variable", "rename", "attribute", "without", *other]):
        case "group":
            node = tree[name]
            del node.parent[node.name]
        case "variable":
            tree[name] = xr.DataTree(data.drop_vars(variable))
        case "rename":
            tree[name] = xr.DataTree(data.rename({variable: "other"}))
        case "attribute":
            tree.attrs[_pick(random, list(tree.attrs))] = _pick(random, [token, 3, -1, 2.5, "", "{}", [1, 2]])
        case "without":
            del tree.attrs[_pick(random, list(tree.attrs))]
        case kind:
            tree[name] = xr.DataTree(data.assign({variable: other[str(kind)]}))
    try:
        return _stored(tree)
    except (ValueError, TypeError, RuntimeError):  # what cannot be written cannot be read
        return content


# Scenarios that a browser's tab holds ------------------------------------------------------------------


class _Unfitted(Live):
    """The evidence of the dashboard without its fit, which reading a scenario does not need."""

    def __init__(self) -> None:
        self.register, self.statistics = evidence.load_register(), evidence.load_statistics()
        self.reference, self.base, self._memory = evidence.reference_areas(), scenarios.load("families_first"), Memory()
        self.base_year = evidence.base_year(self.statistics).reset_coords(drop=True)


@lru_cache
def _live() -> Live:
    return _Unfitted()


@lru_cache
def saved() -> tuple[bytes, ...]:
    rows = []
    for name, settings in (("Ours", OTHER_SETTINGS), ("As cited", {})):
        state = State(_live())
        state.replace(scenarios.change(state.scenario, **settings))
        rows.append({"name": name, "place": "Leeds", "scenario": state.file()})
    return (json.dumps(rows).encode(),)


def _numbers_in(value: Any) -> list[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [number for part in value for number in _numbers_in(part)]
    return [float(value)] if isinstance(value, int | float) and not isinstance(value, bool) else []


def read_saved(content: bytes) -> np.ndarray:
    """Take what a browser held; what is left out is named, and refused here if nothing is left."""
    found, problems = restored(content.decode("utf-8", "replace"), State(_live()))
    for line in problems:
        assert line.isprintable() and 0 < len(line) <= LONGEST_LINE, ascii(line)
    for one in found:
        assert one.name.isprintable() and one.areas == tuple(_live().places[one.place])
        json.dumps(one.scenario.model_dump(mode="json"), ensure_ascii=False).encode()
    if problems and not found:
        raise InputError(excerpt(problems[0], 299))
    return np.array(_numbers_in([flat(one.scenario) for one in found]), float)


def changed_saved(content: bytes, random: np.random.Generator, token: str) -> bytes:
    """Return saved scenarios of which a part has another type, is missing or is there many times."""
    rows = json.loads(content)
    place = int(random.integers(len(rows)))
    row, key = rows[place], _pick(random, ["name", "place", "scenario"])
    match _pick(random, ["value", "value", "value", "line", "part", "missing", "type", "many", "whole"]):
        case "value":
            lines = row["scenario"].split("\n")
            at = _pick(random, [k for k, line in enumerate(lines) if re.search(r": \S", line)])
            lines[at] = f"{lines[at].partition(': ')[0]}: {token}"
            row["scenario"] = "\n".join(lines)
        case "line":
            lines = row["scenario"].split("\n")
            del lines[int(random.integers(len(lines)))]
            row["scenario"] = "\n".join(lines)
        case "part":
            row[key] = token
        case "missing":
            del row[key]
        case "type":
            row[key] = _pick(random, [None, 3, 1e308, True, [], {}, [["a"] * 9] * 9, {"a": token}])
        case "many":
            rows *= 50
        case "whole":
            rows = _pick(random, [None, 3, token, {}, {"a": rows}, [rows], [None], [token] * 9])
    return json.dumps(rows).encode()


# Tables of the data ------------------------------------------------------------------------------------


@lru_cache
def table(name: str) -> tuple[bytes, ...]:
    """Return the first rows that stand alone: one that is superseded needs the row that stands in its place."""
    shipped = pd.read_csv(data_folder() / "evidence" / f"{name}.csv", dtype=str, keep_default_na=False)
    if "superseded_by" in shipped:
        shipped = shipped[shipped["superseded_by"] == ""]
    return (shipped.head(25).to_csv(index=False).encode(),)


@lru_cache
def _outcomes() -> list[str]:
    return tables._outcomes(data_folder())


def read_table(name: str, content: bytes) -> np.ndarray:
    """Check a table as sealing does."""
    with tempfile.TemporaryDirectory() as folder:
        return _numeric(tables._validated(_on_disk(content, folder, f"{name}.csv"), f"evidence/{name}", _outcomes()))


def _numeric(frame: pd.DataFrame) -> np.ndarray:
    values = frame.select_dtypes("number").to_numpy(dtype=float).ravel()
    return values[~np.isnan(values)]
