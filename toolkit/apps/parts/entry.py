"""Numbers and rows as people type or paste them, with the problems of each row."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from toolkit import tabular
from toolkit.prices import price_year_label
from toolkit.schema import PRICE_BASE, InputError
from toolkit.tabular import excerpt

NEEDED = ("figure", "value", "reason")
COLUMNS = ("figure", "value", "low", "high", "price_year", "reason")
MOST_ROWS, MOST_CHARACTERS, LONGEST_REASON = 100, 50_000, 300
LEVEL = 0.9


@dataclass(frozen=True)
class Pasted:
    """What was read: overrides by role or numbers by key, and one line for each row that cannot be used."""

    rows: dict[str, Any]
    problems: list[str]


def whole(text: str) -> str:
    """Return text with whole characters only: half of a pair, which cannot be written, becomes a replacement mark."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def used(pasted: Pasted) -> dict[str, Any]:
    """Return what was read if all of it can be used.

    Raises
    ------
    InputError
        The first problems, a line each.
    """
    if pasted.problems:
        raise InputError(tabular.brief("\n".join(pasted.problems)))
    return pasted.rows


def number(text: object, what: str) -> float:
    """Read a number as people type it: £1,250.50 or 12%.

    Raises
    ------
    InputError
        As :func:`toolkit.tabular.number`.
    """
    return tabular.number(text, what, signs=True)


def override(texts: Mapping[Any, str], unit: str) -> dict[str, Any]:
    """Return one figure of a person's own as a scenario's override.

    Parameters
    ----------
    texts
        ``value``, and if stated ``low``, ``high``, ``price_year`` and ``reason``, as typed.
    unit
        Of the cited figure; money takes a price year.

    Raises
    ------
    InputError
        What is wrong with it.
    """
    row: dict[str, Any] = {"value": number(texts.get("value"), "value"), "reason": texts.get("reason", "").strip()}
    if texts.get("low") or texts.get("high"):
        ends = {end: number(texts.get(end), end) for end in ("low", "high")}
        row |= ends | {"interval_level": LEVEL}
    if unit.startswith("GBP"):
        row["price_year"] = price_year_label(texts.get("price_year", "")) or PRICE_BASE
    if not 5 <= len(row["reason"]) <= LONGEST_REASON:
        short = "too short" if len(row["reason"]) < 5 else f"over {LONGEST_REASON} characters"
        raise InputError(f"reason: {short}.", fix="say in a few words where the figure comes from.")
    return row


def pairs(text: str, names: dict[str, str]) -> Pasted:
    """Read two pasted columns, names and numbers.

    Parameters
    ----------
    text
        As copied from a spreadsheet or a CSV file, parted by tabs, semicolons, commas or spaces; a line of headings
        above them is passed by.
    names
        Key of each name that a row may have, in small letters.
    """
    if len(text) > MOST_CHARACTERS:
        return Pasted({}, [f"More than {MOST_CHARACTERS:,} characters. Fix: paste fewer rows."])
    try:
        rows = [line.strip() for line in tabular.decoded(text, "The pasted rows").splitlines() if line.strip(" \t,;")]
    except InputError as problem:
        return Pasted({}, [str(problem)])
    numbers: dict[str, float] = {}
    problems: list[str] = [] if rows else ["Nothing was pasted. Fix: paste names and numbers, a row each."]
    for place, line in enumerate(rows[:MOST_ROWS], start=1):
        name, value = _pair(line.replace('"', ""), names)
        try:
            if not name and place == 1 and len(rows) > 1 and not any(sign.isdigit() for sign in line):
                continue
            if not name:
                start = re.split(r"[\t;,]|\s+(?=\S+$)", line, maxsplit=1)[0].strip(' "')
                close = get_close_matches(start[:60].casefold(), list(names), n=1, cutoff=0.4)
                hint = (
                    f"did you mean {close[0]}?" if close else f"use one of {', '.join(dict.fromkeys(names.values()))}."
                )
                raise InputError(f"'{excerpt(start)}': nothing of that name can be given.", fix=f"{hint}")
            key = names[name]
            if key in numbers:
                raise InputError(f"{excerpt(name)}: given twice.", fix="keep one row.")
            if re.search(r"[\t;]", value):
                raise InputError(f"{excerpt(name)}: needs one number beside it.", fix="paste two columns.")
            if ";" in line and "," in value:
                raise InputError(
                    f"{excerpt(name)}: '{excerpt(value)}' between semicolons.", fix="write it without commas."
                )
            numbers[key] = number(value, excerpt(name))
        except InputError as problem:
            problems.append(f"Row {place}: {problem}")
    if len(rows) > MOST_ROWS:
        problems.append(f"More than {MOST_ROWS} rows. Fix: paste fewer.")
    return Pasted(numbers, problems)


def _pair(line: str, names: dict[str, str]) -> tuple[str, str]:
    """Return the longest known name that a line begins with, and what stands beside it; nothing if there is none."""
    for name in sorted(names, key=len, reverse=True):
        beside = line[len(name) :]
        if line[: len(name)].casefold() == name and re.match(r"[\s,;:=]|$", beside):
            return name, beside.strip(" \t,;:=")
    return "", ""


def read(content: str | bytes, units: dict[str, str], where: str = "The pasted rows") -> Pasted:
    """Read rows as pasted from a spreadsheet or uploaded as a CSV file, under a line of headings.

    Parameters
    ----------
    content
        Headings ``figure, value, low, high, price_year, reason`` (the first two and the last are needed).
    units
        Unit of each figure that a row may name.
    where
        Named in what is wrong.
    """
    if len(content) > MOST_CHARACTERS:
        return Pasted({}, [f"{where}: more than {MOST_CHARACTERS:,} characters. Fix: give fewer rows."])
    try:
        table = tabular.table(content, where, needs=NEEDED, allows=COLUMNS, gaps=True)
    except InputError as problem:
        return Pasted({}, [str(problem)])
    if len(table) > MOST_ROWS:
        return Pasted({}, [f"{where}: more than {MOST_ROWS} rows. Fix: give fewer."])
    overrides: dict[str, dict[str, Any]] = {}
    problems: list[str] = []
    for line, row in zip(table.index, table.to_dict("records"), strict=True):
        key = row["figure"].casefold().replace(" ", "_")
        try:
            if key not in units:
                raise InputError(f"figure '{excerpt(row['figure'])}': this run uses none of that name.")
            if key in overrides:
                raise InputError(f"figure '{key}': given twice.", fix="keep one row.")
            overrides[key] = override(row, units[key])
        except InputError as problem:
            problems.append(f"Line {line}: {problem}")
    return Pasted(overrides, problems)
