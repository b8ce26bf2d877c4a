"""Loading the tables in ``data/`` with every check, and the manifest that seals them.

The manifest, ``datapackage.json``, is a Frictionless data package made by :func:`seal` from the layouts.
"""

import hashlib
import json
import os
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd
import pandera.pandas as pa

from toolkit.evidence.history import with_entry
from toolkit.evidence.layouts import BESIDE, MEANINGS, NEEDED_NUMBERS, NUMBERS, WHOLE, key, schema
from toolkit.evidence.ranges import check_errors, plainly_written
from toolkit.schema import MCSE, InputError, data_folder
from toolkit.tabular import excerpt

MANIFEST = "datapackage.json"
MISSING = "{}: missing. Fix: restore it from the repository, or reinstall the package."
OPEN_GOVERNMENT = {
    "name": "OGL-UK-3.0",
    "title": "Open Government Licence v3.0",
    "path": "https://www.nationalarchives.gov.uk/doc/open-government-licence/version/3/",
}
CREATIVE_COMMONS = {
    "name": "CC-BY-4.0",
    "title": "Creative Commons Attribution 4.0",
    "path": "https://creativecommons.org/licenses/by/4.0/",
}
PROJECT = {"name": "MIT", "title": "MIT License", "path": "https://opensource.org/license/mit"}
UNIT_COST_DATABASE = {
    "title": "Unit Cost Database v1.4, New Economy / Greater Manchester Combined Authority, 2015",
    "path": "https://golab.bsg.ox.ac.uk/knowledge-bank/resources/unit-cost-database/",
}
MOST_COMMAS = 1_000  # in a line
SHOWN = 10  # failures listed in one error


def load_table(name: str, folder: Path | None = None) -> pd.DataFrame:
    """Load one table of ``data/``, after checking its checksum and then every cell.

    Parameters
    ----------
    name
        "evidence/unit_costs", or short "unit_costs".
    folder
        A data folder; the shipped one if not given.

    Returns
    -------
    DataFrame
        Blank text is "", a blank number NaN.

    Raises
    ------
    InputError
        A missing or altered file, or cells against the rules: file, row (the header is row 1), column,
        what is wrong and how to fix it.
    """
    folder = folder or data_folder()
    declared = checksums(folder)
    paths = [path for path in declared if path.removesuffix(".csv") == name or Path(path).stem == name]
    if len(paths) != 1:
        known = ", ".join(sorted(declared))
        raise InputError(f"{folder / MANIFEST}: no table '{name}'.", fix=f"use one of {known}.")
    file = folder / paths[0]
    if checksum(file) != declared[paths[0]]:
        raise InputError(
            f"{file}: altered since {MANIFEST} was made (checksum).",
            fix="restore it, or if the change is meant, run: outcomes evidence seal",
        )
    table = _sealed(file, declared[paths[0]], paths[0].removesuffix(".csv"), tuple(_outcomes(folder)))
    return table.copy(deep=False)  # pandas copies on write


@lru_cache(maxsize=128)
def _sealed(file: Path, checksum: str, name: str, outcomes: tuple[str, ...]) -> pd.DataFrame:
    """Return a validated table, read once for each checksum: checking every cell takes longer than most uses."""
    return _validated(file, name, outcomes)


def checksums(folder: Path | None = None) -> dict[str, str]:
    """Return the checksum of every table in the manifest, by path.

    Raises
    ------
    InputError
        If the manifest is missing or no longer JSON.
    """
    try:
        return {resource["path"]: resource["hash"] for resource in _manifest(folder or data_folder())["resources"]}
    except (KeyError, TypeError) as error:
        raise InputError(f"{MANIFEST}: lacks {error}.", fix="restore the data folder.") from None


def _manifest(folder: Path) -> dict[str, Any]:
    file = folder / MANIFEST
    try:
        manifest: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return manifest
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: unreadable ({error}).", fix="restore the data folder.") from None


def read_unsealed(file: Path, name: str, folder: Path | None = None) -> pd.DataFrame:
    """Read a file that is not in the manifest by the rules of the table ``name``."""
    return _validated(file, name, _outcomes(folder or data_folder()))


def unsealed(folder: Path | None = None) -> list[str]:
    """Return the paths of the tables that were changed, added or removed since the data folder was sealed."""
    folder = folder or data_folder()
    return _differ({file.relative_to(folder).as_posix(): checksum(file) for file in _files(folder)}, folder)


def _files(folder: Path) -> list[Path]:
    return sorted(
        file for part in (".", "evidence", "reference", "statistics") for file in (folder / part).glob("*.csv")
    )


def _differ(now: dict[str, str], folder: Path) -> list[str]:
    before = checksums(folder) if (folder / MANIFEST).is_file() else {}
    return sorted(path for path in {*now, *before} if now.get(path) != before.get(path))


def seal(folder: Path | None = None, *, reason: str = "") -> Path:
    """Check every table of a data folder and write a new manifest.

    Parameters
    ----------
    folder
        A data folder; the shipped one if not given.
    reason
        Why tables changed: kept in the manifest with the day, the user and the tables. Not needed where none did.

    Returns
    -------
    Path
        Of ``datapackage.json``, a Frictionless data package.

    Raises
    ------
    InputError
        As :func:`load_table`, and a change without a reason; nothing is written then.

    References
    ----------
    Data Package specification, https://datapackage.org
    """
    folder = folder or data_folder()
    outcomes = _outcomes(folder)
    resources = [_resource(file, folder, outcomes) for file in _files(folder)]
    changed = _differ({resource["path"]: resource["hash"] for resource in resources}, folder)
    before = _manifest(folder).get("history", []) if (folder / MANIFEST).is_file() else []
    package = {
        "name": "cost-of-outcomes",
        "title": "Evidence and statistics on outcomes of children in contact with social care",
        "licenses": [OPEN_GOVERNMENT, CREATIVE_COMMONS, PROJECT],
        "resources": resources,
    }
    if history := with_entry(before, changed, reason):
        package["history"] = history
    target, draft = folder / MANIFEST, folder / f".{MANIFEST}.part"
    draft.write_text(json.dumps(package, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(draft, target)
    return target


def _resource(file: Path, folder: Path, outcomes: Collection[str]) -> dict[str, Any]:
    path = file.relative_to(folder).as_posix()
    name = path.removesuffix(".csv")
    table = _validated(file, name, outcomes)
    rules = schema(name, outcomes=outcomes)
    cited = not {"source_title", "source_note"}.isdisjoint(table)
    sources = [{"title": "Each row names its source" if cited else "This project"}]
    licences = [OPEN_GOVERNMENT, PROJECT] if cited else [PROJECT]
    if name in ("evidence/unit_costs", "evidence/economic_parameters"):
        sources, licences = [*sources, UNIT_COST_DATABASE], [OPEN_GOVERNMENT, CREATIVE_COMMONS]
    if name.startswith("statistics/"):
        sources, licences = _statistics_sources(table, folder), [OPEN_GOVERNMENT]
    return {
        "name": file.stem,
        "type": "table",
        "path": path,
        "scheme": "file",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "hash": checksum(file),
        "bytes": file.stat().st_size,
        "sources": sources,
        "licenses": licences,
        "schema": {
            "fields": [_field(column, rules.columns[column]) for column in table.columns],
            "missingValues": [""],
            "primaryKey": key(name),
        },
    }


def _field(name: str, column: pa.Column) -> dict[str, Any]:
    kind = {"float64": "number", "int64": "integer"}.get(str(column.dtype), "string")
    constraints = {"required": True} if kind == "integer" or name in NEEDED_NUMBERS else {}
    meaning = MEANINGS.get(
        name, f"Monte Carlo standard error of {name.removesuffix(MCSE)}" if name.endswith(MCSE) else ""
    )
    description = {"description": meaning} if meaning else {}
    return {"name": name, "type": kind, **description, **({"constraints": constraints} if constraints else {})}


def _statistics_sources(table: pd.DataFrame, folder: Path) -> list[dict[str, str]]:
    listed = _read(folder / "statistics/sources.csv").set_index("source_id")
    used = sorted(set(table["source_id"])) if "source_id" in table else ["LAIT"]
    rows = zip(listed.loc[used, "title"], listed.loc[used, "url"], strict=True)
    return [{"title": title, "path": url} if url else {"title": title} for title, url in rows]


def checksum(file: Path) -> str:
    """Return the SHA-256 of a file, as the manifest has it."""
    if not file.is_file():
        raise InputError(MISSING.format(file))
    return "sha256:" + hashlib.sha256(file.read_bytes()).hexdigest()


def _outcomes(folder: Path) -> list[str]:
    vocabulary = _read(folder / "vocabulary.csv")
    return sorted(vocabulary.loc[vocabulary["kind"] == "outcome", "our_name"].unique())


def _read(file: Path) -> pd.DataFrame:
    try:
        with file.open("rb") as lines:
            wide = next((row for row, line in enumerate(lines, 1) if line.count(b",") > MOST_COMMAS), None)
        if wide is not None:  # pandas would take seconds over thousands of columns
            raise InputError(f"{file}, row {wide}: more than {MOST_COMMAS} commas.", fix="restore the line.")
        table = pd.read_csv(file, dtype=str, keep_default_na=False, encoding="utf-8")
    except FileNotFoundError:
        raise InputError(MISSING.format(file)) from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: no CSV in UTF-8 ({error}).", fix="save it as CSV UTF-8.") from None
    if not isinstance(table.index, pd.RangeIndex):  # pandas takes the surplus cells of every row as labels
        raise InputError(f"{file}, row 2: more cells than the header.", fix="take out the extra commas.")
    return table


def _validated(file: Path, name: str, outcomes: Collection[str]) -> pd.DataFrame:
    table, rules = _read(file), schema(name, outcomes=outcomes)
    numbers = [column for column in table.columns if column in NUMBERS | NEEDED_NUMBERS or column.endswith(MCSE)]
    whole = WHOLE | {"year"} if name.startswith("statistics/") else WHOLE
    for column in [*numbers, *(column for column in table.columns if column in whole)]:
        if not plainly_written(table[column]):
            row = next(place for place, cell in enumerate(table[column]) if not plainly_written(pd.Series([cell])))
            raise InputError(
                f"{file}, row {row + 2}, column '{column}': '{excerpt(table[column].iloc[row])}' is not a number.",
                fix="write digits 0 to 9 and a decimal point, without commas, spaces or signs.",
            )
    table[numbers] = table[numbers].replace("", None)
    try:
        validated = rules.validate(table, lazy=True)
        if name == "evidence/effects":
            check_errors(validated, file)
        return validated
    except pa.errors.SchemaErrors as errors:
        messages = _messages(errors.failure_cases, file)
    more = f"\nand {len(messages) - SHOWN} more" if len(messages) > SHOWN else ""
    raise InputError("\n".join(messages[:SHOWN]) + more)


def _messages(failures: pd.DataFrame, file: Path) -> list[str]:
    """Describe pandera's failure cases, one for each row and fault."""
    lines: dict[str, None] = {}
    for case in failures.to_dict("records"):
        check, column, cell = str(case["check"]), str(case["column"]), case["failure_case"]
        cell = excerpt(cell) if isinstance(cell, str) else cell
        if str(cell).startswith("TypeError("):  # of a column of text, which has a message
            continue
        where = f"{file}, row {int(case['index']) + 2}" if pd.notna(case["index"]) else f"{file}, row 1"
        if check == "column_in_dataframe":
            lines[f"{where}: column '{cell}' is missing. Fix: restore it."] = None
        elif check == "column_in_schema":
            lines[f"{where}: column '{cell}' is not known here. Fix: take it out."] = None
        elif BESIDE in check:
            column, message = check.split(BESIDE, 1)
            lines[f"{where}, column '{column}': {message}."] = None
        elif check.startswith(("coerce_dtype", "dtype", "not_nullable")):
            lines[f"{where}, column '{column}': {cell!r} is no number, or the row is short. Fix: correct it."] = None
        else:
            lines[f"{where}, column '{column}': {cell!r} {check}."] = None
    return list(lines)
