"""Counts of local authorities, as people keep them and as the Department for Education publishes them."""

import re
import warnings
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from toolkit import tabular
from toolkit.evidence.areas import check_whole
from toolkit.schema import InputError
from toolkit.tabular import excerpt, number

HIDDEN, HIDDEN_UP_TO = "c", 5  # the Department withholds counts of one to five
UNKNOWN = ("x", "z", "k", "u", "low", ":", "~", "-", "..")  # not available, not applicable, unreliable, rounded away
AUTHORITY, YEAR = ("la_code", "new_la_code", "old_la_code"), ("data_year", "time_period")  # ours first
LEVEL = "geographic_level"
MOST_CHILDREN = 1e8


def read_counts(
    source: Path | str | pd.DataFrame,
    reference: pd.DataFrame,
    *,
    years: Collection[int],
    events: str = "events",
    exposure: str = "exposure",
    only: Mapping[str, str] | None = None,
    hidden_up_to: float = HIDDEN_UP_TO,
    where: str = "counts",
) -> pd.DataFrame:
    """Return events and the persons they are counted among by authority and year, withheld counts as intervals.

    Parameters
    ----------
    source
        A CSV file or a table: ``la_code`` (or the Department's ``new_la_code``, ``old_la_code``), ``data_year`` (or
        ``time_period``, 2025 or 202425, of which the later year counts), ``events``, ``exposure``, and if counts are
        withheld perhaps ``events_upper``, in any order. Where there is a ``geographic_level``, only local authorities
        are read. A code that an authority had before or has had since is taken for it.
    reference
        From :func:`reference_areas`.
    years
        That can be used: others are refused, but passed by in a ``time_period``.
    events, exposure
        Columns that hold them, if they are called otherwise.
    only
        Value that a column must have, such as {"sex": "Total"}, where an authority and year has several rows.
    hidden_up_to
        Largest count that ``c`` withholds where the row has no ``events_upper``.
    where
        Named in messages if ``source`` is no file.

    Returns
    -------
    DataFrame
        ``la_code``, ``data_year``, ``events_lower``, ``events_upper``, ``exposure``, by line. A row with any other
        marker of the Department in these cells (x, z, k, u, low, :, ~, -) is not known and left out.
        ``attrs["hidden"]`` counts the intervals and ``attrs["unknown"]`` the rows left out.

    Raises
    ------
    InputError
        A column or value that is missing, an unknown authority or year, several rows of an authority and year, or a
        count that is negative, not a number or more than its exposure.

    Warns
    -----
    UserWarning
        Of rows that were left out.

    References
    ----------
    Department for Education, Explore education statistics: open data standards (symbols, time periods).
    """
    where = where if isinstance(source, pd.DataFrame) else tabular.path_shown(Path(source))
    rows = _text(source, where) if isinstance(source, pd.DataFrame) else tabular.table(Path(source), gaps=True)
    rows.columns = pd.Index([_plain(name) for name in rows], dtype=object)
    if not rows.columns.is_unique:
        raise InputError(
            f"{where}: column '{rows.columns[rows.columns.duplicated()][0]}' is there twice.", fix="keep one."
        )
    rows = _chosen(rows, only or {}, where)
    cells = _used(rows, events, exposure, where)
    codes, published = _codes(reference), cells.attrs["year"] == YEAR[1]
    cells_by_year: dict[tuple[str, int], tuple[Any, tuple[float, float, float] | None]] = {}
    left_out, hidden = Counter[str](), 0
    for line, row in zip(cells.index, cells.to_dict("records"), strict=True):
        place = f"{where}, line {line}"
        code, year = codes.get(row["la_code"].upper()), _year(row["data_year"], place)
        if code is None:
            raise InputError(
                f"{place}: '{excerpt(row['la_code'])}' is no authority of reference_areas.csv.",
                fix="use its ONS code, such as E08000035, or take out the row.",
            )
        if year not in years and not published:
            raise InputError(f"{place}: {year} is a year that the statistics lack.", fix="take out the row.")
        if (code, year) in cells_by_year:
            differing = _differing(rows, cells_by_year[code, year][0], line)
            raise InputError(f"{place}: repeats {code} in {year}. {differing}")
        mark = _marker(row)
        counted = None if mark or year not in years else _interval(row, hidden_up_to, place)
        cells_by_year[code, year] = line, counted
        if counted is None:
            of_year = "of years that the statistics lack" if year not in years else "that count among nobody"
            left_out[f"marked {mark}" if mark else of_year] += 1
        else:
            hidden += row["events"].casefold() == HIDDEN
    if left_out:
        listed = ", ".join(f"{count} {what}" for what, count in sorted(left_out.items()))
        warnings.warn(f"{where}: rows left out as not known: {listed}.", stacklevel=3)
    known = {key: (line, *counted) for key, (line, counted) in cells_by_year.items() if counted is not None}
    if not known:
        raise InputError(
            f"{where}: no row has a count that can be used.", fix="check the columns that hold the counts."
        )
    check_whole(known, cells_by_year, reference, where)
    columns = ["line", "events_lower", "events_upper", "exposure"]
    index = pd.MultiIndex.from_tuples(known, names=["la_code", "data_year"])
    table = pd.DataFrame(known.values(), index, columns).reset_index().set_index("line")
    table.attrs.update(hidden=hidden, unknown=sum(left_out.values()))
    return table


def _plain(name: object) -> str:
    return str(name).strip().casefold().replace(" ", "_")


def _text(table: pd.DataFrame, where: str) -> pd.DataFrame:
    """Return a table of any types as text, by the line that a row would have in a file."""

    def cell(value: Any) -> str:
        if pd.api.types.is_scalar(value) and pd.isna(value):
            return ""
        try:
            return str(value).strip()
        except ValueError:  # of an integer of thousands of digits
            return "a number too long to write"

    columns = {place: [cell(value) for value in table.iloc[:, place]] for place in range(table.shape[1])}
    text = pd.DataFrame(columns, index=pd.RangeIndex(2, len(table) + 2), dtype=object)
    return text.set_axis(table.columns, axis=1)


def _chosen(rows: pd.DataFrame, only: Mapping[str, str], where: str) -> pd.DataFrame:
    """Return the rows of local authorities that have the values asked for."""
    levels = {LEVEL: "Local authority"} if LEVEL in rows else {}
    for name, value in (levels | dict(only)).items():
        column = _plain(name)
        if column not in rows:
            seen = ", ".join(excerpt(cell, 20) for cell in list(rows)[:8])
            raise InputError(
                f"{where}: no column '{excerpt(name)}' to choose by (it has {seen}).", fix="check the name."
            )
        matching = rows[rows[column].str.casefold() == str(value).casefold()]
        if matching.empty:
            seen = ", ".join(f"'{excerpt(cell, 20)}'" for cell in rows[column].unique()[:8])
            raise InputError(
                f"{where}: no row where {excerpt(name)} is '{excerpt(value)}'.",
                fix=f"use one of its values, as {seen}.",
            )
        rows = matching
    return rows


def _used(rows: pd.DataFrame, events: str, exposure: str, where: str) -> pd.DataFrame:
    """Return the columns that are read, under our names; an attribute names the column of the year."""
    names = {"la_code": AUTHORITY, "data_year": YEAR, "events": (_plain(events),), "exposure": (_plain(exposure),)}
    columns = {ours: next((name for name in theirs if name in rows), "") for ours, theirs in names.items()}
    missing = [" or ".join(names[ours][:2]) for ours, name in columns.items() if not name]
    if missing:
        seen = ", ".join(excerpt(name, 20) for name in list(rows)[:8])
        raise InputError(f"{where}: no column {', '.join(missing)} (it has {seen}).", fix="name the columns so.")
    cells = pd.DataFrame({ours: rows[name] for ours, name in columns.items()})
    cells = cells.assign(events_upper=rows.get("events_upper", ""))
    cells.attrs["year"] = columns["data_year"]
    return cells


def _codes(reference: pd.DataFrame) -> dict[str, str]:
    """Return the present code of an authority by every code and number that it has or had."""
    known: dict[str, str] = {}
    for column in ("dfe_la_number", "earlier_or_other_codes", "la_code"):
        known |= dict(zip(reference[column].astype(str), reference["la_code"], strict=True))
    return known


def _year(text: str, place: str) -> int:
    """Return the year in which a period ends: 2025 of 2025, 202425, 2024/25 and 2024-25."""
    match = re.fullmatch(r"([12][0-9]{3})(?:\.0|[/-]?([0-9]{2}))?", text)
    if match is None or (match[2] and int(match[2]) != (int(match[1]) + 1) % 100):
        raise InputError(f"{place}: '{excerpt(text)}' is not a year.", fix="write 2025, or 202425 for 2024 to 2025.")
    return int(match[1]) + bool(match[2])


def _marker(row: Mapping[Any, str]) -> str:
    """Return the marker that makes a row unknown, if there is one: a withheld number of events does not."""
    cells = {name: row[name].casefold() for name in ("events", "events_upper", "exposure")}
    may_hide = ("events", "events_upper") if cells["events"] == HIDDEN else ()
    return next(
        (cell for name, cell in cells.items() if cell in UNKNOWN or (cell == HIDDEN and name not in may_hide)), ""
    )


def _interval(row: Mapping[Any, str], hidden_up_to: float, place: str) -> tuple[float, float, float] | None:
    """Return a row's least and greatest count and its exposure; None if it counts among nobody."""
    size = number(row["exposure"], f"{place}, exposure", low=0, high=MOST_CHILDREN)
    withheld = row["events"].casefold() == HIDDEN
    lower = 0.0 if withheld else number(row["events"], f"{place}, events", low=0, high=MOST_CHILDREN)
    upper = min(hidden_up_to, size) if withheld else lower
    if row["events_upper"].casefold() not in ("", HIDDEN):
        upper = number(row["events_upper"], f"{place}, events_upper", low=0, high=MOST_CHILDREN)
    if not lower <= upper <= size:
        what = f"{lower:g} events above their upper end, {upper:g}," if lower > upper else f"{upper:g} events"
        raise InputError(
            f"{place}: {what} or above the exposure, {size:g}.", fix="check the columns, or correct the row."
        )
    return (lower, upper, size) if size else None


def _differing(rows: pd.DataFrame, first: Any, second: Any) -> str:
    """Return how to choose between two rows of an authority and year."""
    pair = rows.loc[[first, second]]
    words = [name for name in pair if pair[name].nunique() == 2 and not pair[name].map(tabular.is_number).any()]
    words = [name for name in words if name not in (*AUTHORITY, *YEAR)]
    if not words:
        return f"Fix: keep one of it and line {first}."
    name = words[0]
    return f"Fix: choose by column '{excerpt(name)}', as only={{'{excerpt(name)}': '{excerpt(pair[name].iloc[0])}'}}."
