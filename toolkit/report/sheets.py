"""Writes tables to a workbook: formatted numbers, inert text, pages ready to print."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from toolkit.measures.tables import Table

POUNDS = '"£"#,##0;[Red]"\N{MINUS SIGN}£"#,##0;"£"0'
NUMBER_FORMATS = {
    "money": POUNDS,
    "pounds": POUNDS,
    "share": "0.0%",
    "rate": "0.0%",
    "change": "+0.0%;\N{MINUS SIGN}0.0%;0.0%",
    "ratio": "0.00",
    "count": "#,##0",
    "number": "#,##0.00",
    "tenths": "#,##0.0",
    "figure": "General",
    "text": "@",
}
LINE = {"bottom": 1, "bottom_color": "#b1b4b6", "valign": "top"}
HEAD = {"bold": True, "bottom": 2, "text_wrap": True, "valign": "bottom", "bg_color": "#e8edf2"}
PROSE = {"text_wrap": True, "valign": "top"}
STYLES = {
    "title": {"bold": True, "font_size": 16},
    "caption": {"bold": True, "font_size": 12},
    "plain": PROSE,
    "note": PROSE | {"italic": True, "font_color": "#505a5f"},
    "head": HEAD,
    "head_number": HEAD | {"align": "right"},
    "failed": {"bold": True, "font_color": "#ffffff", "bg_color": "#d4351c", "font_size": 12},
    "label": LINE | {"bold": True, "text_wrap": True},
} | {kind: LINE | {"num_format": code, "text_wrap": kind == "text"} for kind, code in NUMBER_FORMATS.items()}
DANGEROUS = ("=", "+", "-", "@", "\t", "\r")
PART_NAMES = {"expected": ", expected", "lower": ", {level:.0%} interval from", "upper": ", {level:.0%} interval to"}
LABEL_WIDEST, WIDEST, NARROWEST, LINE_HEIGHT = 66, 48, 15, 15

Styles = Mapping[str, Format]


def inert(text: str) -> str:
    """Return text that no spreadsheet takes for a formula, even when saved as CSV and opened again."""
    return f"'{text}" if text.startswith(DANGEROUS) else text


@contextmanager
def opened(path: Path) -> Iterator[tuple[xlsxwriter.Workbook, Styles]]:
    """Open a workbook at ``path`` in which no text becomes a formula, link or number; it is written at the end."""
    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(str(path), options) as book:
        yield book, {name: book.add_format(style) for name, style in STYLES.items()}


def prose(sheet: Worksheet, row: int, text: str, style: Format, columns: int) -> None:
    """Write a sentence across ``columns`` columns besides the first, the row high enough for it."""
    across = min(6, columns)
    sheet.merge_range(row, 0, row, across, inert(text), style)
    sheet.set_row(row, LINE_HEIGHT * math.ceil((1 + len(text)) / (30 + 15 * across)) + 3)


def write_table(sheet: Worksheet, table: Table, row: int, styles: Styles, level: float) -> int:
    """Write one table from ``row`` and return the row after the blank line that follows it."""
    sheet.write_string(row, 0, inert(table.title), styles["caption"])
    prose(sheet, row + 1, table.note, styles["note"], len(table.columns))
    top, names = row + 2, []
    sheet.write_string(top, 0, inert(table.rows), styles["head"])
    for column, (heading, part) in enumerate(table.columns, start=1):
        name = heading + PART_NAMES.get(part, "").format(level=level)
        style = styles["head" if table.kind(heading) == "text" else "head_number"]
        sheet.write_string(top, column, inert(name), style)
        names.append(name)
    sheet.set_row(top, LINE_HEIGHT * max(math.ceil(len(name) / NARROWEST) for name in names))
    for below, (row_name, cells) in enumerate(table.frame.iterrows(), start=1):
        sheet.write_string(top + below, 0, inert(str(row_name)), styles["label"])
        for column, (cell, (heading, _)) in enumerate(zip(cells, table.columns, strict=True), start=1):
            _cell(sheet, top + below, column, cell, styles[table.kind(heading, row_name)])
    return top + len(table.frame) + 2


def _cell(sheet: Worksheet, row: int, column: int, value: object, style: Format) -> None:
    if isinstance(value, str):
        sheet.write_string(row, column, inert(value), style)
    elif math.isfinite(number := float(value)):  # type: ignore[arg-type]
        sheet.write_number(row, column, number, style)
    else:
        sheet.write_blank(row, column, None, style)


def page(sheet: Worksheet, tables: Sequence[Table]) -> None:
    """Set column widths from what is in them, and print landscape, one page wide."""
    texts: dict[int, list[str]] = {0: [str(name) for table in tables for name in table.frame.index]}
    for table in tables:
        for column in range(table.frame.shape[1]):
            cells = table.frame.iloc[:, column]
            texts.setdefault(column + 1, []).extend(cell for cell in cells if isinstance(cell, str))
    for column, cell_texts in texts.items():
        widest = WIDEST if column else LABEL_WIDEST
        sheet.set_column(column, column, min(widest, max([NARROWEST, *map(len, cell_texts)]) + 2))
    sheet.hide_gridlines(2)
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
