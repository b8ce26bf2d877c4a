"""Numbers and rows as people type or paste them, with what is wrong said row by row."""

import csv
import io
import math
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any
from unicodedata import category

from toolkit.schema import PRICE_BASE, InputError

MINUS = "\N{MINUS SIGN}"
COLUMNS = ("figure", "value", "low", "high", "price_year", "reason")
MOST_ROWS, MOST_CHARACTERS = 100, 50_000
LEVEL = 0.9


@dataclass(frozen=True)
class Pasted:
    """What was read: overrides by role, and one line for each row that cannot be used."""

    rows: dict[str, dict[str, Any]]
    problems: list[str]


def whole(text: str) -> str:
    """Return text with whole characters only: half of a pair, which cannot be written, becomes a replacement mark."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def shown(text: object, most: int = 60) -> str:
    """Return what someone gave, as a message repeats it: no longer than so, and what cannot be seen marked."""
    cut = str(text)[: most + 1]
    seen = "".join(map(_visible, cut))
    return seen if len(seen) <= most else f"{seen[:most]}…"


def _visible(sign: str) -> str:
    if sign.isspace():
        return sign if category(sign) == "Zs" else " "
    return "\N{REPLACEMENT CHARACTER}" if category(sign).startswith("C") else sign


def number(text: object, what: str) -> float:
    """Read a number as people write it: £1,250.50 or 12%.

    Raises
    ------
    InputError
        If it is none, or not finite.
    """
    plain = str(text or "").strip().replace(",", "").replace("£", "").replace(MINUS, "-")
    try:
        found = float(plain.removesuffix("%")) / (100 if plain.endswith("%") else 1)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise InputError(f"{what}: '{shown(plain, 20)}' is no number. Mend: write digits, for example 1250.50.")
    return found


def override(given: dict[str, str], unit: str) -> dict[str, Any]:
    """Return one figure of a person's own as a scenario's override.

    Parameters
    ----------
    given
        ``value``, and if stated ``low``, ``high``, ``price_year`` and ``reason``, as typed.
    unit
        Of the cited figure; money takes a price year.

    Raises
    ------
    InputError
        What is wrong with it.
    """
    row: dict[str, Any] = {"value": number(given.get("value"), "value"), "reason": given.get("reason", "").strip()}
    if given.get("low") or given.get("high"):
        ends = {end: number(given.get(end), end) for end in ("low", "high")}
        row |= ends | {"interval_level": LEVEL}
    if unit.startswith("GBP"):
        row["price_year"] = given.get("price_year", "").strip() or PRICE_BASE
    if len(row["reason"]) < 5:
        raise InputError("reason: too short. Mend: say in a few words where the figure comes from.")
    return row


def pairs(text: str, names: dict[str, str]) -> tuple[dict[str, float], list[str]]:
    """Read two pasted columns, names and numbers, and return the numbers by key and a line for each unusable row.

    Parameters
    ----------
    text
        As copied from a spreadsheet; a line of headings above them is passed by.
    names
        Key of each name that a row may have, in small letters.
    """
    if len(text) > MOST_CHARACTERS:
        return {}, [f"More than {MOST_CHARACTERS:,} characters. Mend: paste fewer rows."]
    rows = [line for line in text.lstrip("\ufeff").splitlines() if line.strip()][:MOST_ROWS]
    found: dict[str, float] = {}
    problems: list[str] = [] if rows else ["Nothing was pasted. Mend: paste names and numbers, a row each."]
    for place, line in enumerate(rows, start=1):
        cells = [cell.strip() for cell in (line.split("\t") if "\t" in line else line.rsplit(None, 1))]
        key = names.get(cells[0].casefold(), "")
        try:
            if not key and place == 1 and len(rows) > 1 and not any(sign.isdigit() for sign in "".join(cells[1:])):
                continue
            if not key:
                close = get_close_matches(cells[0].casefold()[:80], list(names), n=1, cutoff=0.4)
                hint = f" Mend: did you mean {close[0]}?" if close else ""
                raise InputError(f"'{shown(cells[0], 40)}': nothing of that name can be given.{hint}")
            if key in found or len(cells) != 2:
                why = "given twice" if key in found else "needs one number beside it"
                raise InputError(f"{shown(cells[0], 40)}: {why}.")
            found[key] = number(cells[1], shown(cells[0], 40))
        except InputError as problem:
            problems.append(f"Row {place}: {problem}")
    return found, problems


def read(text: str, units: dict[str, str]) -> Pasted:
    """Read pasted rows, from a spreadsheet (tabs) or a CSV file, under a line of headings.

    Parameters
    ----------
    text
        Headings ``figure, value, low, high, price_year, reason`` (the first two and the last are needed).
    units
        Unit of each figure that a row may name.
    """
    if len(text) > MOST_CHARACTERS:
        return Pasted({}, [f"More than {MOST_CHARACTERS:,} characters. Mend: paste fewer rows."])
    lines = text.lstrip("\ufeff").strip()
    delimiter = "\t" if "\t" in lines.partition("\n")[0] else ","
    reader = csv.reader(io.StringIO(lines), delimiter=delimiter)
    try:
        table = [[cell.strip() for cell in row] for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as problem:
        return Pasted({}, [f"Not readable as rows ({problem}). Mend: paste from a spreadsheet."])
    if not table:
        return Pasted({}, ["Nothing was pasted. Mend: paste a line of headings and the rows under it."])
    heads = [head.casefold().replace(" ", "_") for head in table[0]]
    unknown = [head[:30] for head in heads if head not in COLUMNS]
    lacking = [name for name in ("figure", "value", "reason") if name not in heads]
    if unknown or lacking or len(set(heads)) < len(heads):
        what = (
            f"lacks {', '.join(lacking)}" if lacking else f"has a heading it should not: {', '.join(unknown or heads)}"
        )
        return Pasted({}, [f"Row 1 {what[:120]}. Mend: use the headings {', '.join(COLUMNS)}."])
    if len(table) > MOST_ROWS + 1:
        return Pasted({}, [f"More than {MOST_ROWS} rows. Mend: paste fewer."])
    return _rows(table[1:], heads, units)


def _rows(table: list[list[str]], heads: list[str], units: dict[str, str]) -> Pasted:
    found: dict[str, dict[str, Any]] = {}
    problems: list[str] = []
    for place, cells in enumerate(table, start=2):
        given = dict(zip(heads, cells, strict=False))
        key = given.get("figure", "").casefold().replace(" ", "_")
        try:
            if len(cells) > len(heads):
                raise InputError("more cells than headings. Mend: put text that holds a comma in quotes.")
            if key not in units:
                raise InputError(f"figure '{shown(given.get('figure', ''), 40)}': this run uses none of that name.")
            if key in found:
                raise InputError(f"figure '{key}': given twice. Mend: keep one row.")
            found[key] = override(given, units[key])
        except InputError as problem:
            problems.append(f"Row {place}: {problem}")
    return Pasted(found, problems)
