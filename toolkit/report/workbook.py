"""The workbook: the report's tables as formatted sheets, numbers as numbers and all text inert."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from toolkit.report import answer, provenance
from toolkit.report import quantities as q
from toolkit.report.quantities import Run
from toolkit.report.tables import Table

POUNDS = '"£"#,##0;[Red]"\N{MINUS SIGN}£"#,##0;"£"0'
# fmt: off
NUMBER_FORMATS = {
    "money": POUNDS, "pounds": POUNDS, "share": "0.0%", "change": "+0.0%;\N{MINUS SIGN}0.0%;0.0%", "ratio": "0.00",
    "count": "#,##0", "number": "#,##0.00", "figure": "General", "text": "@",
}
LINE = {"bottom": 1, "bottom_color": "#b1b4b6", "valign": "top"}
HEAD = {"bold": True, "bottom": 2, "text_wrap": True, "valign": "bottom", "bg_color": "#e8edf2"}
STYLES = {
    "title": {"bold": True, "font_size": 16}, "caption": {"bold": True, "font_size": 12}, "plain": {},
    "note": {"italic": True, "font_color": "#505a5f"}, "head": HEAD, "head_number": HEAD | {"align": "right"},
    "failed": {"bold": True, "font_color": "#ffffff", "bg_color": "#d4351c", "font_size": 12},
    "label": LINE | {"bold": True, "text_wrap": True},
} | {kind: LINE | {"num_format": code, "text_wrap": kind == "text"} for kind, code in NUMBER_FORMATS.items()}
SHEETS = {
    "Summary": ["answer", "settings"],
    "Cost by outcome": [
        "lifetime_by_outcome", "each_child_by_outcome", "avoided", "avoided_by_payer", "annual_by_outcome",
    ],
    "Cost by payer": ["lifetime_by_payer", "each_child_by_payer", "who_pays", "annual_by_payer"],
    "Yearly": ["yearly", "council_cash", "cash_by_payer", "payback_every_year"],
    "Areas": ["areas"],
    "Spend-cost curve": [
        "curve_social", "curve_economic", "curve_fiscal", "curve_by_payer", "marginal", "switching",
    ],
    "Effects": ["effects"], "Assumptions": ["assumptions"], "Checks": ["checks"],
    "About": ["record", "excluded", "timings"],
}
# fmt: on
DANGEROUS = ("=", "+", "-", "@", "\t", "\r")
PART_NAMES = {"expected": ", expected", "lower": ", {level:.0%} interval from", "upper": ", {level:.0%} interval to"}
FAILED = "THIS RUN FAILED ITS CHECKS: do not use its figures. See the sheet Checks."
WIDEST, NARROWEST = 48, 15

Styles = Mapping[str, Format]


def inert(text: str) -> str:
    """Return text that no spreadsheet takes for a formula, even when saved as CSV and opened again."""
    return f"'{text}" if text.startswith(DANGEROUS) else text


def write_workbook(run: Run, made: Mapping[str, Table], path: Path) -> None:
    """Write the workbook to ``path``; see ``write_all`` for writing it whole or not at all."""
    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(str(path), options) as book:
        styles = {name: book.add_format(style) for name, style in STYLES.items()}
        for name, keys in SHEETS.items():
            sheet = book.add_worksheet(name)
            row = _banner(sheet, run, styles)
            sheet.freeze_panes(row + 3 if len(keys) == 1 else 0, 1)
            for table in map(made.__getitem__, keys):
                row = _write(sheet, table, row, styles, q.level(run))
            if name == "About":
                sheet.write_string(row, 0, provenance.LICENCES, styles["note"])
            _page(sheet, [made[key] for key in keys])


def _banner(sheet: Worksheet, run: Run, styles: Styles) -> int:
    """Write first of all that the checks failed if they did, then the title; return the next free row."""
    lines = [] if run.passed else [(FAILED, "failed")]
    if sheet.get_name() == "Summary":
        lines += [(run.scenario.title, "title"), (answer.headline_sentence(run), "plain")]
    for row, (text, style) in enumerate(lines):
        sheet.write_string(row, 0, inert(text), styles[style])
    return len(lines) + bool(lines)


def _write(sheet: Worksheet, table: Table, row: int, styles: Styles, level: float) -> int:
    """Write one table from ``row`` and return the row after the blank line that follows it."""
    sheet.write_string(row, 0, inert(table.title), styles["caption"])
    sheet.write_string(row + 1, 0, inert(table.note), styles["note"])
    top = row + 2
    sheet.write_string(top, 0, inert(table.rows), styles["head"])
    for column, (heading, part) in enumerate(table.columns, start=1):
        name = heading + PART_NAMES.get(part, "").format(level=level)
        style = styles["head" if table.kind(heading) == "text" else "head_number"]
        sheet.write_string(top, column, inert(name), style)
    for below, (row_name, cells) in enumerate(table.frame.iterrows(), start=1):
        sheet.write_string(top + below, 0, inert(str(row_name)), styles["label"])
        for column, (cell, (heading, _)) in enumerate(zip(cells, table.columns, strict=True), start=1):
            _cell(sheet, top + below, column, cell, styles[table.kind(heading, row_name)])
    return top + len(table.frame) + 3


def _cell(sheet: Worksheet, row: int, column: int, value: object, style: Format) -> None:
    if isinstance(value, str):
        sheet.write_string(row, column, inert(value), style)
    elif math.isfinite(number := float(value)):  # type: ignore[arg-type]
        sheet.write_number(row, column, number, style)
    else:
        sheet.write_blank(row, column, None, style)


def _page(sheet: Worksheet, made: Sequence[Table]) -> None:
    """Set column widths from what is in them, and print landscape, one page wide."""
    texts: dict[int, list[str]] = {0: [str(name) for table in made for name in table.frame.index]}
    for table in made:
        for column in range(table.frame.shape[1]):
            cells = table.frame.iloc[:, column]
            texts.setdefault(column + 1, []).extend(cell for cell in cells if isinstance(cell, str))
    for column, found in texts.items():
        sheet.set_column(column, column, min(WIDEST, max([NARROWEST, *map(len, found)]) + 2))
    sheet.hide_gridlines(2)
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
