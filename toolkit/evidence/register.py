"""The register of cited figures: which may be used, which may not and why, and where each comes from."""

import difflib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from toolkit import prices
from toolkit.evidence.layouts import TABLES
from toolkit.evidence.programmes import check_programmes
from toolkit.evidence.structures import check_structures
from toolkit.evidence.tables import checksums, load_table
from toolkit.schema import InputError

COLUMNS = [
    *("table", "outcome", "description", "value", "low", "high", "interval_kind", "interval_level"),
    *("unit", "price_year", "payer", "price_category", "confidence", "source", "locator", "url"),
    *("superseded_by", "note"),
]
# What describes a row, for tables without a description of their own.
DESCRIBED_BY = {
    "effects": "{programme}: {outcome}, {measure}",
    "prevalence": "{indicator}, {group} ({year})",
    "transitions": "{from_state} to {to_state}: {measure}",
    "adjustment": "{quantity}, {group}: {method}",
    "published_totals": "{metric} ({year})",
}
CITED_TABLES = ("unit_costs", "economic_parameters", "judgements", *DESCRIBED_BY)
FIGURE_TABLES = (*CITED_TABLES, "modelled_figures")
OWN_JUDGEMENT = "Our own judgement"
DEFAULT_CONFIDENCE = ("A", "B", "J")


@dataclass(frozen=True)
class Register:
    """Every cited figure.

    Attributes
    ----------
    figures
        Figures that may be used, by id; columns ``COLUMNS``.
    tables
        The evidence tables as they stand, by short name.
    excluded
        Figures that may not be used, by id: ``table`` and ``reason``.
    """

    figures: pd.DataFrame
    tables: dict[str, pd.DataFrame]
    excluded: pd.DataFrame

    @property
    def deflators(self) -> pd.Series:
        """GDP deflators by price year, from :func:`toolkit.prices.deflators`."""
        return prices.deflators(self.tables["economic_parameters"])


def load_register(
    *, confidence: Collection[str] = DEFAULT_CONFIDENCE, include: Iterable[str] = (), folder: Path | None = None
) -> Register:
    """Load the evidence and sort its figures into those that may be used and those that may not.

    Figures from memory (C), superseded ones, money without a price year and rows without a number stay out,
    each with its reason.

    Parameters
    ----------
    confidence
        Grades to admit.
    include
        Ids to admit besides: figures of other grades, or superseded ones, asked for by name.
    folder
        A data folder; the shipped one if not given.

    Raises
    ------
    InputError
        As ``load_table``; an id that two tables share; a role whose figure does not exist; an included
        id that is unknown or has no usable number; and what ``check_programmes`` and ``check_structures`` refuse.
    """
    names = [Path(path).stem for path in checksums(folder) if not path.startswith("statistics/")]
    # load_table refuses, by name, a table that the manifest lacks.
    needed = [Path(name).name for name in TABLES if name.startswith("evidence/")]
    tables = {name: load_table(name, folder) for name in dict.fromkeys([*names, *needed])}
    figure_tables = [_figures(tables[name], name) for name in FIGURE_TABLES if name in tables or name in CITED_TABLES]
    figures = pd.concat(figure_tables).set_index("id")
    shared = figures.index[figures.index.duplicated()]
    if len(shared):
        raise InputError(
            f"figure '{shared[0]}': in {list(figures.loc[shared[0], 'table'])}.", fix="rename one of them."
        )
    _check_roles(tables["roles"], figures)
    check_programmes(tables)
    check_structures(tables["structure_weights"])
    faults = _faults(figures, confidence, {_known(key, figures.index) for key in include})
    usable = faults == ""
    excluded = figures.loc[~usable, ["table"]].assign(reason=faults[~usable])
    return Register(figures[usable], tables, excluded)


def show(register: Register, key: str) -> dict[str, Any]:
    """Return all there is to know about one figure.

    Parameters
    ----------
    register
        From :func:`load_register`.
    key
        A figure's id, or a role's name.

    Returns
    -------
    dict
        The row's own columns, with ``table``, ``id``, ``source``, ``roles`` (that use it), ``supersedes``
        (ids it replaced) and ``excluded`` (why it may not be used, or "").

    Raises
    ------
    InputError
        An unknown id, with the closest known ones.
    """
    roles = register.tables["roles"]
    key = dict(zip(roles["role"], roles["id"], strict=True)).get(key, key)
    known = pd.concat([register.figures["table"], register.excluded["table"]])
    table = register.tables[known[_known(key, [*known.index, *roles["role"]], known.index)]]
    row = _rows(table[table["id"] == key])[0]
    return {
        "table": known[key],
        **row,
        "source": _source(row),
        "roles": roles.loc[roles["id"] == key, "role"].tolist(),
        "supersedes": table.loc[table["superseded_by"] == key, "id"].tolist(),
        "excluded": register.excluded["reason"].get(key, ""),
    }


def _known(key: str, names: Collection[str], within: Collection[str] | None = None) -> str:
    if key not in (names if within is None else within):
        close = difflib.get_close_matches(key, dict.fromkeys(names), n=3, cutoff=0.5)
        hint = f"did you mean {', '.join(close)}?" if close else "see `outcomes evidence list`."
        raise InputError(f"figure '{key}': no such id.", fix=f"{hint}")
    return key


def _figures(table: pd.DataFrame, name: str) -> pd.DataFrame:
    rows = _rows(table)
    if name in DESCRIBED_BY:
        table = table.assign(description=[DESCRIBED_BY[name].format(**row) for row in rows])
    table = table.assign(table=name, source=[_source(row) for row in rows]).rename(
        columns={"source_locator": "locator", "source_url": "url"}
    )
    numbers = {"value", "low", "high", "interval_level"}
    blanks = {column: float("nan") if column in numbers else "" for column in COLUMNS if column not in table}
    return table.assign(**blanks)[["id", *COLUMNS]]


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(column): cell for column, cell in row.items()} for row in table.to_dict("records")]


def _source(row: dict[str, Any]) -> str:
    parts = [str(row[f"source_{part}"]) for part in ("title", "publisher", "year") if row.get(f"source_{part}")]
    return ", ".join(parts) or OWN_JUDGEMENT


def _check_roles(roles: pd.DataFrame, figures: pd.DataFrame) -> None:
    for index, row in roles.iterrows():
        where = f"roles.csv, row {int(str(index)) + 2} (role {row['role']})"
        if row["id"] not in figures.index:
            close = difflib.get_close_matches(row["id"], list(figures.index), n=3)
            raise InputError(f"{where}: no figure '{row['id']}'.", fix=f"name one that exists, such as {close}.")


def _faults(figures: pd.DataFrame, confidence: Collection[str], asked: set[str]) -> "pd.Series[str]":
    """Return why each figure may not be used; blank if it may."""
    lacking = pd.Series("", index=figures.index)
    money = figures["unit"].str.startswith("GBP") & (figures["price_year"] == "")
    lacking[money] += "money without a price year; "
    bounded = figures["low"].notna() & figures["high"].notna()
    lacking[figures["value"].isna() & ~bounded] += "neither a value nor a whole interval; "
    for key in sorted(asked):
        if lacking[key]:
            raise InputError(
                f"figure '{key}': {lacking[key].rstrip('; ')}.", fix="complete its row, or choose another."
            )
    barred = pd.Series("", index=figures.index)
    grade = ~figures["confidence"].isin(list(confidence))
    barred[grade] = "confidence " + figures["confidence"][grade] + ", to be asked for by name; "
    stale = figures["superseded_by"] != ""
    barred[stale] += "superseded by " + figures["superseded_by"][stale] + "; "
    barred[figures.index.isin(asked)] = ""
    return (barred + lacking).str.rstrip("; ")
