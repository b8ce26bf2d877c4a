"""What users bring of their own to a budget: a CSV of proposed savings, and one of counts that came in."""

import re
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from toolkit.prices import price_year_label
from toolkit.schema import InputError
from toolkit.tabular import excerpt, number, path_shown, table

__all__ = ["QUARTERS", "read_actuals", "read_claims"]

QUARTERS = ("Q1", "Q2", "Q3", "Q4")
NO, YES = ("no", "one-off"), ("yes", "recurrent", "")


def read_claims(path: Path, *, years: range | None = None) -> pd.DataFrame:
    """Read somebody's proposed savings.

    Parameters
    ----------
    path
        CSV with the columns ``reference``, ``description``, ``year`` (a financial year, 2026/27) and ``sum`` (GBP in
        cash, new in that year), and perhaps ``measure`` (a programme of the plan, or a lever) and ``recurrent``
        (yes, unless it says no).
    years
        Those in which the financial years of the paper start; any if not given.

    Returns
    -------
    DataFrame by line
        The same, ``year`` that in which the financial year starts, ``sum`` a number, ``recurrent`` a truth.

    Raises
    ------
    InputError
        A saving without a reference, a year or a sum, or outside the years; a sum below 0; a reference, year and
        measure that are there already; and whatever else cannot be read: the file, the line, the fix.
    """
    rows = table(path, needs=("reference", "description", "year", "sum"), allows=("measure", "recurrent"), gaps=True)
    where = path_shown(path)
    rows = rows.assign(**{name: "" for name in ("measure", "recurrent") if name not in rows})
    wanted = {
        "reference": "give it the reference it has in the paper.",
        "year": "write the financial year in which it is new, such as 2026/27.",
        "sum": "write the pounds that are new in that year.",
    }
    for line, row in rows.iterrows():
        named = f"{where}, line {line}{f' ({excerpt(row["reference"])})' if row['reference'] else ''}"
        for column, fix in wanted.items():
            if not row[column]:
                raise InputError(f"{named}: a saving without a {column}.", fix=fix)
        if row["recurrent"].casefold() not in (*NO, *YES):
            raise InputError(f"{named}: recurrent is '{excerpt(row['recurrent'])}'.", fix="write yes or no.")
    cells = rows["sum"].items()
    read = rows.assign(
        year=[_year(cell, f"{where}, line {line}") for line, cell in rows["year"].items()],
        sum=[number(cell, f"{where}, line {line}, column 'sum'", signs=True) for line, cell in cells],
        recurrent=[cell.casefold() in YES for cell in rows["recurrent"]],
        measure=rows["measure"].str.casefold().str.replace(" ", "_").str.replace("-", "_"),
    )
    first: dict[tuple[str, int, str], object] = {}
    for line, row in read.iterrows():
        named = f"{where}, line {line} ({excerpt(row['reference'])})"
        if row["sum"] < 0:
            raise InputError(f"{named}: {row['sum']:,.10g} is below 0.", fix="write a saving as a sum above 0.")
        if years is not None and row["year"] not in years:
            raise InputError(
                f"{named}: {_label(row['year'])} is not looked at.",
                fix=f"use {_label(years[0])} to {_label(years[-1])}.",
            )
        key = (row["reference"], row["year"], row["measure"])
        if key in first:
            raise InputError(
                f"{named}: the reference, year and measure of line {first[key]}.",
                fix="keep one of them, or add them up.",
            )
        first[key] = line
    return read


def read_actuals(path: Path, most: Mapping[str, float]) -> pd.DataFrame:
    """Read counts and sums that came in, by quarter.

    Parameters
    ----------
    path
        CSV with the columns ``measure``, ``quarter`` (2026/27 Q1) and ``actual``.
    most
        The largest that each measure can be: for a count of children, all children of the areas.

    Returns
    -------
    DataFrame by line
        ``measure``, ``quarter`` as "2026/27 Q1", ``actual`` a number.

    Raises
    ------
    InputError
        An unknown measure, no quarter, a quarter that is there twice, or a number outside what it can be.
    """
    rows = table(path, needs=("measure", "quarter", "actual"), allows=(), gaps=True)
    where = path_shown(path)
    measures = rows["measure"].str.casefold().str.replace(" ", "_")
    quarters: list[str] = []
    values: list[float] = []
    for line, row in rows.assign(measure=measures).iterrows():
        named = f"{where}, line {line}"
        if row["measure"] not in most:
            raise InputError(
                f"{named}: measure '{excerpt(row['measure'])}' is not tracked.", fix=f"use one of {', '.join(most)}."
            )
        year, _, part = row["quarter"].upper().rpartition(" ")
        if part not in QUARTERS:
            raise InputError(f"{named}: quarter '{excerpt(row['quarter'])}' is none.", fix="write it as 2026/27 Q1.")
        quarters.append(f"{_label(_year(year, named))} {part}")
        value = number(row["actual"], f"{named}, column 'actual'", signs=True)
        if not 0 <= value <= most[row["measure"]]:
            raise InputError(
                f"{named}: {value:,.10g} for {row['measure']} is not between 0 and {most[row['measure']]:,.0f}, "
                "which is all there can be.",
                fix="check the number and its unit.",
            )
        values.append(value)
    read = rows.assign(measure=measures, quarter=quarters, actual=values)
    twice = read.index[read.duplicated(["measure", "quarter"])]
    if len(twice):
        row = read.loc[twice[0]]
        raise InputError(
            f"{where}, line {twice[0]}: {row['measure']} of {row['quarter']} is there already.", fix="keep one."
        )
    return read


def _year(cell: str, where: str) -> int:
    label = price_year_label(cell)
    if not re.fullmatch(r"20[0-9]{2}/[0-9]{2}", label) or label != _label(int(label[:4])):
        raise InputError(f"{where}: '{excerpt(cell)}' is not a financial year.", fix="write it as 2026/27.")
    return int(label[:4])


def _label(year: int) -> str:
    return f"{year}/{(year + 1) % 100:02d}"


def __dir__() -> list[str]:
    return __all__
