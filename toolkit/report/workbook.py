"""The workbook: the report's tables as formatted sheets, numbers as numbers and all text inert."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from toolkit.report import curves, headline, provenance, tables
from toolkit.report import quantities as q
from toolkit.report.quantities import Run
from toolkit.report.tables import Table
from toolkit.schema import ACCOUNTS

POUNDS = '"£"#,##0;[Red]"\N{MINUS SIGN}£"#,##0;"£"0'
NUMBER_FORMATS = {
    "money": POUNDS, "pounds": POUNDS, "share": "0.0%", "change": "+0.0%;\N{MINUS SIGN}0.0%;0.0%", "ratio": "0.00",
    "count": "#,##0", "number": "#,##0.00", "figure": "General", "text": "@",
}  # fmt: skip
DANGEROUS = ("=", "+", "-", "@", "\t", "\r")
WIDEST, NARROWEST = 48, 11
PART_NAMES = {"expected": "expected", "lower": "interval from", "upper": "interval to"}


def inert(text: str) -> str:
    """Return text that no spreadsheet takes for a formula, even when saved as CSV and opened again."""
    return f"'{text}" if text.startswith(DANGEROUS) else text


def sheets(run: Run) -> dict[str, list[Callable[[Run], Table]]]:
    """Return what stands on each sheet, in order."""
    curve = [lambda run, account=account: curves.spend_cost_curve(run, account) for account in reversed(ACCOUNTS)]
    return {
        "Summary": [headline.headline_table, provenance.settings],
        "Cost by outcome": [
            lambda run: tables.lifetime_cost(run, "outcome"),
            tables.avoided_by_outcome,
            tables.avoided_by_outcome_and_payer,
            lambda run: tables.annual_cost(run, "outcome"),
        ],
        "Cost by payer": [
            lambda run: tables.lifetime_cost(run, "payer"),
            tables.who_pays,
            lambda run: tables.annual_cost(run, "payer"),
        ],
        "Yearly": [tables.yearly, tables.council_cash, tables.cash_by_payer, tables.payback_every_year],
        "Areas": [tables.areas],
        "Spend-cost curve": [*curve, curves.curve_by_payer, curves.marginal, curves.switching],
        "Effects": [curves.effects],
        "Assumptions": [provenance.assumptions],
        "Checks": [provenance.checks],
        "About": [provenance.record, provenance.excluded, provenance.timings],
    }


def write_workbook(run: Run, path: Path) -> None:
    """Write the workbook.

    Parameters
    ----------
    run
        A finished run.
    path
        File to write; see ``write_all`` for writing it whole or not at all.
    """
    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(str(path), options) as book:
        styles = _Styles(book)
        for name, makers in sheets(run).items():
            sheet = book.add_worksheet(name)
            made = [make(run) for make in makers]
            row = _banner(sheet, run, styles) if name == "Summary" or not run.passed else 0
            if len(made) == 1:
                sheet.freeze_panes(row + 3, 1)
            else:
                sheet.freeze_panes(0, 1)
            for table in made:
                row = _write(sheet, table, row, styles, f"{q.level(run):.0%}")
            _page(sheet, made)


def _banner(sheet: Worksheet, run: Run, styles: "_Styles") -> int:
    """Write the title, and first of all that the checks failed if they did; return the next free row."""
    row = 0
    if not run.passed:
        sheet.write_string(0, 0, "THIS RUN FAILED ITS CHECKS: do not use its figures. See the sheet Checks.", styles.failed)
        row = 2
    if sheet.get_name() == "Summary":
        sheet.write_string(row, 0, inert(run.scenario.title), styles.title)
        sheet.write_string(row + 1, 0, inert(headline.headline_sentence(run)), styles.plain)
        row += 3
    return row


class _Styles:
    """The workbook's formats, made once each."""

    def __init__(self, book: xlsxwriter.Workbook) -> None:
        self.title = book.add_format({"bold": True, "font_size": 16})
        self.caption = book.add_format({"bold": True, "font_size": 12})
        self.plain = book.add_format({})
        self.note = book.add_format({"italic": True, "font_color": "#505a5f"})
        self.failed = book.add_format({"bold": True, "font_color": "#ffffff", "bg_color": "#d4351c", "font_size": 12})
        edge = {"bold": True, "bottom": 2, "text_wrap": True, "valign": "bottom", "bg_color": "#e8edf2"}
        self.head, self.head_number = book.add_format(edge), book.add_format(edge | {"align": "right"})
        line = {"bottom": 1, "bottom_color": "#b1b4b6", "valign": "top"}
        self.label = book.add_format(line | {"bold": True, "text_wrap": True})
        self.kinds: dict[str, Format] = {
            kind: book.add_format(line | {"num_format": code, "text_wrap": kind == "text"}) for kind, code in NUMBER_FORMATS.items()
        }


def _write(sheet: Worksheet, table: Table, row: int, styles: _Styles, level: str) -> int:
    """Write one table from ``row`` and return the row after the blank line that follows it."""
    sheet.write_string(row, 0, inert(table.title), styles.caption)
    sheet.write_string(row + 1, 0, inert(table.note), styles.note)
    top = row + 2
    sheet.write_string(top, 0, inert(table.rows), styles.head)
    for column, (heading, part) in enumerate(table.frame.columns, start=1):
        interval = f", {level} {PART_NAMES[part]}" if part in ("lower", "upper") else f", {PART_NAMES[part]}" if part else ""
        text = table.kinds[heading] == "text"
        sheet.write_string(top, column, inert(f"{heading}{interval}"), styles.head if text else styles.head_number)
    for below, (name, cells) in enumerate(zip(table.frame.index, table.frame.itertuples(index=False), strict=True), start=1):
        sheet.write_string(top + below, 0, inert(str(name)), styles.label)
        for column, (cell, (heading, _)) in enumerate(zip(cells, table.frame.columns, strict=True), start=1):
            _cell(sheet, top + below, column, cell, styles.kinds[table.kind(name, heading)])
    return top + len(table.frame) + 3


def _cell(sheet: Worksheet, row: int, column: int, value: object, style: Format) -> None:
    if isinstance(value, str):
        sheet.write_string(row, column, inert(value), style)
        return
    number = float(value)  # type: ignore[arg-type]
    if math.isfinite(number):
        sheet.write_number(row, column, number, style)
    else:
        sheet.write_blank(row, column, None, style)


def _page(sheet: Worksheet, made: Sequence[Table]) -> None:
    """Set column widths from what is in them, and print landscape, one page wide."""
    labels = [str(name) for table in made for name in table.frame.index]
    sheet.set_column(0, 0, min(WIDEST, max([24, *map(len, labels)]) + 2))
    for column in range(max(table.frame.shape[1] for table in made)):
        texts = [str(cell) for t in made if column < t.frame.shape[1] for cell in t.frame.iloc[:, column] if isinstance(cell, str)]
        sheet.set_column(column + 1, column + 1, min(WIDEST, max([NARROWEST + 4, *map(len, texts)])))
    sheet.hide_gridlines(2)
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
