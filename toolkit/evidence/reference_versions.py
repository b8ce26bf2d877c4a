"""What the committed tables of checks and fits were made from, so that users of another version are warned."""

import hashlib
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import pandas as pd

from toolkit.code_hash import PACKAGE, code_hash
from toolkit.evidence.tables import checksums, load_table, seal
from toolkit.schema import data_folder

RECORD = "reference/made_from"
IMPORTED = re.compile(r"^\s*from toolkit\.([\w.]+) import ([^#\n(]+|\([^)]*\))", re.MULTILINE)
APART = ("evidence", "schema", "code_hash")  # what they give is hashed as data; they hold no model


def write_reference(tables: Mapping[str, pd.DataFrame], folder: Path | None = None, *, reason: str) -> list[Path]:
    """Write tables of ``reference``, by name, note what they were made from and why, and seal the data folder.

    Returns
    -------
    list of Path
        The tables written, and the manifest.
    """
    target = (folder or data_folder()) / "reference"
    record = _with_hashes(load_table(RECORD, folder), folder)
    rewritten = record["made"].isin(list(tables))
    for part in ("code", "data"):
        record.loc[rewritten, f"{part}_hash"] = record.loc[rewritten, f"{part}_now"]
    record.loc[rewritten, "reason"] = reason
    for name, table in tables.items():
        table.to_csv(target / f"{name}.csv", index=False)
    record.drop(columns=["code_now", "data_now"]).to_csv(target / "made_from.csv", index=False)
    commands = ", ".join(sorted(set(record.loc[rewritten, "command"])))
    return [*(target / f"{name}.csv" for name in tables), seal(folder, reason=f"results computed again: {commands}")]


def outdated(folder: Path | None = None) -> pd.DataFrame:
    """Return which committed tables were made from another version of the code or of the data than is here.

    Parameters
    ----------
    folder
        A data folder; the shipped one if not given.

    Returns
    -------
    DataFrame
        One row a table that is not known to be of this version: ``made`` (its name), ``command`` (computes it again)
        and ``differs``: "code", "data", "code and data", or "not recorded".
    """
    record = _with_hashes(load_table(RECORD, folder), folder)
    code, data = (record[f"{part}_hash"] != record[f"{part}_now"] for part in ("code", "data"))
    record["differs"] = (code.map({True: "code", False: ""}) + data.map({True: " data", False: ""})).str.strip()
    record["differs"] = record["differs"].str.replace(" ", " and ").where(record["code_hash"] != "", "not recorded")
    return record.loc[record["differs"] != "", ["made", "command", "differs"]].reset_index(drop=True)


def hashes(name: str, folder: Path | None = None) -> tuple[str, str]:
    """Return hashes of the code and the data, as they are now, that a table of ``reference`` is made from."""
    row = _with_hashes(load_table(RECORD, folder).query("made == @name"), folder).iloc[0]
    return str(row["code_now"]), str(row["data_now"])


def _with_hashes(record: pd.DataFrame, folder: Path | None) -> pd.DataFrame:
    """Add hashes of the code and the data, as they are now, that each table is made from."""
    code = [code_hash(_reached(tuple(row.split()))) for row in record["code"]]
    return record.assign(code_now=code, data_now=[_data(row.split(), folder) for row in record["data"]])


@lru_cache
def _reached(roots: tuple[str, ...]) -> frozenset[str]:
    """Return modules, by path, and all they import from the package in turn, except those of ``APART``."""
    modules, left = set[str](), list(roots)
    while left:
        if (module := left.pop()) in modules or module.startswith(APART):
            continue
        modules.add(module)
        for name, parts in IMPORTED.findall(_source(module)):
            path = name.replace(".", "/")
            named = [f"{path}/{part.split()[0]}" for part in parts.strip("() \n").split(",") if part.strip()]
            left += [name for name in (path, *named) if (PACKAGE / f"{name}.py").is_file()]
    return frozenset(modules)


def _source(module: str) -> str:
    return (PACKAGE / f"{module}.py").read_text(encoding="utf-8")


def _data(names: list[str], folder: Path | None) -> str:
    """Hash tables, by path; "statistics" is all of its folder, "priors:pathway" the priors of one model."""
    declared = checksums(folder)
    parts = []
    for name in names:
        table, _, model = name.partition(":")
        if model:
            rows = load_table(table, folder).query("model == @model")
            parts.append(rows[["parameter", "distribution", "arg1", "arg2"]].to_csv(index=False))
        else:
            parts += [declared[path] for path in sorted(declared) if path.startswith((f"{name}/", f"{name}.csv"))]
    return _hash(*parts)


def _hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
