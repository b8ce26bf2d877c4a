"""The one reader of tables that users give: from a file to checked cells, or one line that says what is wrong.

In this order: size, kind of file, encoding and characters (:mod:`toolkit.text_files`), separator, headings, rows,
columns; then numbers, by `number`. What the cells mean is for each caller to judge.
"""

import csv
import io
import math
import re
from collections.abc import Collection
from difflib import get_close_matches
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from toolkit.schema import InputError
from toolkit.text_files import LARGEST, brief, contents, decoded, excerpt, path_shown

__all__ = [
    "LONGEST_NUMBER",
    "MOST",
    "brief",
    "contents",
    "decoded",
    "excerpt",
    "is_number",
    "number",
    "numbers",
    "path_shown",
    "table",
]

MOST_ROWS, MOST_COLUMNS = 1_000_000, 5_000
MOST, LONGEST_NUMBER = 1e15, 60  # largest number that is accepted; characters of one
LONGEST_NAME, LONGEST_CELL = 200, 32_767  # characters of a heading; of any cell, which is what a spreadsheet holds
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_EXPONENT = r"(?:[eE][+-]?[0-9]{1,3})?"
_NUMBER = re.compile(rf"[+-]?(?:(?:[1-9][0-9]{{0,2}}(?:,[0-9]{{3}})+|[0-9]+)(?:\.[0-9]*)?|\.[0-9]+){_EXPONENT}")
_SHORT = re.compile(r"[+-]?[0-9]{1,20}(?:\.[0-9]{1,20})?(?:[eE][+-]?[0-9]{1,2})?")  # of numbers, the usual ones
_WITH_COMMA = re.compile(rf"(£?[+-]?)((?:[0-9]{{1,3}}(?:\.[0-9]{{3}})+|[0-9]*)(?:,[0-9]+)?)({_EXPONENT}%?)")
_WITH_POINT = re.compile(rf"£?[+-]?(?:[0-9]{{1,3}}(?:,[0-9]{{3}})+|[0-9]*)\.[0-9]+{_EXPONENT}%?")
_EITHER = re.compile(r"£?[+-]?[1-9][0-9]{0,2}(?:(?:,[0-9]{3})+|(?:\.[0-9]{3})+)%?")  # 1,250: a thousand or one and more


def is_number(text: str) -> bool:
    """Return whether a cell is written as a number, whatever its size."""
    return _NUMBER.fullmatch(text) is not None


def number(cell: object, what: str, *, low: float = -MOST, high: float = MOST, signs: bool = False) -> float:
    """Return a number that a user wrote: ASCII digits, a decimal point, commas only between groups of three.

    Parameters
    ----------
    cell
        Its text; a number already read is checked for its bounds alone.
    what
        Named in the message, such as "costs.csv, line 3, column 'a'".
    low, high
        Bounds, both allowed.
    signs
        Whether a pound sign before and a per cent sign after are read, as people type them.

    Raises
    ------
    InputError
        If it is not such a number, not finite or out of bounds.
    """
    if isinstance(cell, (int, float, np.integer, np.floating)) and not isinstance(cell, bool) and cell == cell:
        try:
            value = float(cell)
        except OverflowError:
            value = math.inf
        text = f"{value:g}"
    else:
        text = "" if cell is None or isinstance(cell, (float, np.floating)) else str(cell).strip()
        value = _parsed(text, what, signs)
    if not low <= value <= high:
        least, most = (f"{bound:,.10g}" for bound in (low, high))
        raise InputError(
            f"{what}: '{excerpt(text)}' is not between {least} and {most}.", fix="check the decimal point and the unit."
        )
    return value


def _parsed(text: str, what: str, signs: bool) -> float:
    plain = text[:LONGEST_NUMBER].replace("\N{MINUS SIGN}", "-")
    if signs:
        plain = re.sub(r"^([+-]?)£", r"\1", plain.replace("£ ", "£")).removesuffix("%").rstrip()
    if len(text) < LONGEST_NUMBER and _NUMBER.fullmatch(plain) and any(sign.isdigit() for sign in plain):
        value = float(plain.replace(",", "")) / (100 if signs and text.endswith("%") else 1)
        if value or not re.search("[1-9]", re.split("[eE]", plain)[0]):
            return value
    if not text:
        raise InputError(f"{what}: blank where a number is needed.", fix="fill it in.")
    fix = "write digits, for example 1250.50"
    if re.fullmatch(r"[£+-]?[0-9][0-9.,]*,[0-9.,]*%?", plain):
        fix = "write decimals with a point and thousands without commas or in threes: 1250.5 or 1,250.5"
    raise InputError(f"{what}: '{excerpt(text)}' is not a number.", fix=f"{fix}.")


def numbers(column: pd.Series, where: str, *, low: float = -MOST, high: float = MOST) -> np.ndarray:
    """Return a column of :func:`table` as numbers, each as :func:`number` reads it.

    Raises
    ------
    InputError
        The first cell that is not a number: the file ``where``, the line and the column.
    """
    if all(map(_SHORT.fullmatch, column)):  # in a quarter of the time
        values = np.array(column, dtype=float)
        if ((low <= values) & (values <= high)).all():
            return values
    name = excerpt(column.name)
    cells = column.items()
    return np.array(
        [number(cell, f"{where}, line {line}, column '{name}'", low=low, high=high) for line, cell in cells]
    )


def table(
    source: Path | bytes | str,
    where: str = "",
    *,
    needs: Collection[str] = (),
    allows: Collection[str] | None = None,
    gaps: bool = False,
    largest: int = LARGEST,
) -> pd.DataFrame:
    """Return a user's table as text, by the number of each row's line.

    Cells are separated by commas, tabs or semicolons; with semicolons, decimal commas are turned into points. Blank
    rows and columns at the end, as spreadsheets leave them, are ignored.

    Parameters
    ----------
    source
        A path, or the content of a file.
    where
        Name of the content, for messages; a path names itself.
    needs
        Columns that must be there. Where this or ``allows`` is given, headings are read in any case and with spaces
        for underscores.
    allows
        The only other columns that may be there; any, if not given.
    gaps
        Whether blank lines between rows are ignored. Where rows are paired by position they must not be.
    largest
        Bytes.

    Returns
    -------
    DataFrame
        Of str, stripped; index ``line``, as an editor counts (the row's first, where a cell holds line ends).

    Raises
    ------
    InputError
        Names the file, the line and the column that cannot be used, and how to put it right.
    """
    if isinstance(source, Path):
        where = where or path_shown(source)
        source = contents(source, largest=largest)
    elif len(source) > largest:
        raise InputError(f"{where}: larger than {largest / 1e6:g} MB.", fix="keep only the rows and columns needed.")
    (first, heads), rows, separator = _rows(decoded(source, where), where)
    if needs or allows:
        heads = [head.casefold().replace(" ", "_") for head in heads]
    _check_heads(heads, f"{where}, line {first}", needs, allows)
    blank = [line for line, row in rows if not row]
    if blank and not gaps:
        raise InputError(
            f"{where}, line {blank[0]}: blank, but rows follow.",
            fix="fill it in or take it out, and the same row of every file that goes with it.",
        )
    wide = next(((line, len(row)) for line, row in rows if len(row) > len(heads)), None)
    if wide:
        raise InputError(
            f"{where}, line {wide[0]}: {wide[1]} cells for {len(heads)} columns.",
            fix="name every column in the first line, and put text that holds a separator in quotes.",
        )
    rows = [(line, row + [""] * (len(heads) - len(row))) for line, row in rows if row]
    cells = _with_points(rows, where) if separator == ";" else [row for _, row in rows]
    index = pd.Index([line for line, _ in rows], name="line", dtype=int)
    return pd.DataFrame(cells, index=index, columns=pd.Index(heads, dtype=object), dtype=object)


Row = tuple[int, list[str]]


def _rows(text: str, where: str) -> tuple[Row, list[Row], str]:
    """Return the headings, the rows to the last that is not blank (each with its line), and the separator."""
    body = text.rstrip("\r\n \t,;")
    declared = re.match(r"sep=([,;\t])\r?\n", body)  # a line that Excel writes and reads
    skipped = 1 if declared else 0
    body = body[declared.end() :] if declared else body
    separator = declared[1] if declared else max(SEPARATORS, key=lambda sign: _fit(body, sign))
    rows: list[Row] = []
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=separator, strict=True)
    line = skipped + 1
    try:
        for row in reader:
            while row and not row[-1].strip():
                row.pop()
            if any(len(cell) > LONGEST_CELL for cell in row):
                raise _too_long(where, line)
            if row or rows:
                rows.append((line, [cell.strip() for cell in row]))
            if len(rows) > MOST_ROWS or len(row) > MOST_COLUMNS:
                raise InputError(
                    f"{where}: more than {MOST_ROWS:,} rows or {MOST_COLUMNS:,} columns.", fix="keep fewer."
                )
            line = skipped + reader.line_num + 1
    except csv.Error as problem:
        if "field limit" in str(problem):  # of the whole process, which any library may move
            raise _too_long(where, line) from None
        raise InputError(
            f"{where}, line {line}: not readable as cells separated by {SEPARATORS[separator]} ({excerpt(problem)}).",
            fix="check the quotation marks, or save it again as CSV UTF-8.",
        ) from None
    while rows and not rows[-1][1]:
        rows.pop()
    if len(rows) < 2:
        what = "only a line of headings" if rows else "empty"
        raise InputError(f"{where}: {what}.", fix="give a line of column names, then a line for each row.")
    return rows[0], rows[1:], separator


def _too_long(where: str, line: int) -> InputError:
    return InputError(
        f"{where}, line {line}: a cell longer than {LONGEST_CELL:,} characters.",
        fix="shorten it, and check that every quotation mark has its pair.",
    )


def _fit(body: str, separator: str) -> tuple[bool, int]:
    """Return how well a separator splits the first two lines: whether into equally many cells, and how many."""
    try:
        reader = csv.reader(io.StringIO(body[:1_000_000], newline=""), delimiter=separator)
        counts = [len(row) for row in islice((row for row in reader if row), 2)]
    except csv.Error:
        return False, 0
    return bool(counts) and 1 < counts[0] == counts[-1], counts[0] if counts else 0


def _check_heads(heads: list[str], where: str, needs: Collection[str], allows: Collection[str] | None) -> None:
    known = [*needs, *(allows or ())]
    missing = [name for name in needs if name not in heads]
    if all(is_number(head) for head in heads if head):
        raise InputError(
            f"{where}: numbers where the names of the columns should be.", fix="put a line of names first."
        )
    if missing:
        near = get_close_matches(missing[0], [head[:60] for head in heads[:200]], 1)
        seen = f"'{excerpt(near[0])}' is not it" if near else f"the first is '{excerpt(heads[0])}'"
        raise InputError(
            f"{where}: no column {', '.join(missing)} ({seen}).", fix=f"use the headings {', '.join(known)}."
        )
    long = next((place for place, head in enumerate(heads, start=1) if len(head) > LONGEST_NAME), None)
    if long is not None:
        raise InputError(
            f"{where}: the name of column {long} is longer than {LONGEST_NAME} characters.", fix="shorten it."
        )
    if "" in heads:
        raise InputError(f"{where}: column {heads.index('') + 1} has no name.", fix="name every column.")
    twice = next((head for place, head in enumerate(heads) if head in heads[:place]), None)
    if twice is not None:
        raise InputError(f"{where}: column '{excerpt(twice)}' is there twice.", fix="rename or remove one.")
    unknown = [head for head in heads if head not in known] if allows is not None else []
    if unknown:
        near = get_close_matches(unknown[0][:60], known, 1)
        fix = f"did you mean {near[0]}?" if near else f"use the headings {', '.join(known)}."
        raise InputError(f"{where}: column '{excerpt(unknown[0])}' is not known here.", fix=f"{fix}")


def _with_points(rows: list[Row], where: str) -> list[list[str]]:
    """Return the cells with decimal commas turned into points, if that is what they are."""
    examples: dict[str, tuple[int, str]] = {}
    for line, row in rows:
        for cell in row:
            if len(cell) < LONGEST_NUMBER and ("," in cell or "." in cell):
                if _EITHER.fullmatch(cell):
                    examples.setdefault("either", (line, cell))
                elif _WITH_POINT.fullmatch(cell):
                    examples.setdefault("point", (line, cell))
                elif "," in cell and _WITH_COMMA.fullmatch(cell):
                    examples.setdefault("comma", (line, cell))
    if "comma" in examples and "point" in examples:
        (first, comma), (other, point) = examples["comma"], examples["point"]
        raise InputError(
            f"{where}: decimals with a comma ('{comma}', line {first}) and with a point ('{point}', line {other}).",
            fix="write all with a point.",
        )
    if "either" in examples and not {"comma", "point"} & set(examples):
        line, cell = examples["either"]
        raise InputError(
            f"{where}, line {line}: '{cell}' between semicolons may be thousands or decimals.",
            fix="write thousands without a mark, and decimals with a point.",
        )
    return [[_pointed(cell) if "comma" in examples else cell for cell in row] for _, row in rows]


def _pointed(cell: str) -> str:
    match = _WITH_COMMA.fullmatch(cell) if len(cell) < LONGEST_NUMBER and ("," in cell or "." in cell) else None
    return f"{match[1]}{match[2].replace('.', '').replace(',', '.')}{match[3]}" if match else cell


def __dir__() -> list[str]:
    return __all__
