"""The workbook: the report's tables as formatted sheets, numbers as numbers and all text inert."""

from collections.abc import Mapping
from pathlib import Path

from xlsxwriter.worksheet import Worksheet

from toolkit.measures import headline, provenance
from toolkit.measures import quantities as q
from toolkit.measures.quantities import Run
from toolkit.measures.tables import Table
from toolkit.report.sheets import Styles, opened, page, prose, write_table
from toolkit.report.shortfalls import shortfalls

SHEETS = {
    "Summary": ["answer", "plan", "settings"],
    "Cost by outcome": [
        "lifetime_by_outcome",
        "each_child_by_outcome",
        "avoided",
        "avoided_by_payer",
        "annual_by_outcome",
    ],
    "Cost by payer": ["lifetime_by_payer", "each_child_by_payer", "who_pays", "annual_by_payer"],
    "Lives": ["by_history", "waterfall", "choices", "steps_before_0_3", "steps_to_alma", "occupancy", "neighbours"],
    "Cost by age": ["cost_by_age"],
    "Yearly": ["yearly", "council_cash", "cash_by_payer", "payback_every_year"],
    "Medium term": ["medium_term", "by_year"],
    "Decision": ["choice", "along", "measures", "structures"],
    "Adjustments": ["bridge", "otherwise"],
    "Sensitivity analysis": ["moves", "sobol"],
    "Value of information": ["information", "studies"],
    "Areas": ["areas"],
    "Rates": ["rates"],
    "Spend-cost curve": [
        "curve_social",
        "curve_economic",
        "curve_fiscal",
        "curve_by_payer",
        "marginal",
        "switching",
    ],
    "Effects": ["effects", "pooled"],
    "Programmes": ["programmes", "programmes_left_out", "programmes_panel"],
    "Assumptions": ["assumptions"],
    "Checks": ["checks"],
    "Believing the models": [
        "backtest",
        "predictive",
        "calibration",
        "scaling",
        "pathway",
        "published",
        "own_care",
        "outlook",
    ],
    "About": ["record", "excluded", "timings"],
}
OPTIONAL = ("Programmes",)  # left out where a run has none of its tables
FAILED = "THIS RUN FAILED ITS CHECKS: do not use its figures. See the sheet Checks."


def write_workbook(run: Run, tables: Mapping[str, Table], path: Path) -> None:
    """Write the workbook to ``path``; see ``write_all`` for writing it whole or not at all."""
    with opened(path) as (book, styles):
        for name, keys in SHEETS.items():
            if name in OPTIONAL and not tables.keys() & set(keys):
                continue
            sheet = book.add_worksheet(name)
            row = _banner(sheet, run, styles)
            sheet.freeze_panes(row + 3 if len(keys) == 1 else 0, 1)
            shown = [
                tables[key] for key in keys if key in tables
            ]  # a result that never varies has no table of its parts
            for table in shown:
                row = write_table(sheet, table, row, styles, q.level(run))
            if name == "About":
                prose(sheet, row, provenance.LICENCES, styles["note"], 2)
            page(sheet, shown)


def _banner(sheet: Worksheet, run: Run, styles: Styles) -> int:
    """Write a warning if the checks failed, then the title; return the next free row."""
    lines = [] if run.passed else [(FAILED, "failed")]
    if sheet.get_name() == "Summary":
        lines += [(run.scenario.title, "title"), (headline.headline_sentence(run), "plain")]
        lines += [(line, "plain") for line in headline.boundaries(run)]
        own = provenance.own(run.scenario) + provenance.changed(run)
        lines += [(f"Evidence of your own: {line}", "caption") for line in own]
        lines += [(failing, "caption")] if (failing := shortfalls()) else []
    for row, (text, style) in enumerate(lines):
        prose(sheet, row, text, styles[style], 4)
    return len(lines) + bool(lines)
