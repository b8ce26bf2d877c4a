"""The report: one self-contained page that needs no network and can be printed or read by a screen reader."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from toolkit.measures import headline, plan, provenance, reliability, studies
from toolkit.measures import quantities as q
from toolkit.measures import words as w
from toolkit.measures.analysis import Analysis, sentences
from toolkit.measures.budget import BUDGET_YEARS
from toolkit.measures.programme_tables import in_words, league_of
from toolkit.measures.quantities import Run
from toolkit.measures.tables import Table, accounts, shortened
from toolkit.report import figures, lives_figures, pictures, programme_figures, shortfalls
from toolkit.report.drawing import data_uri

WORDS = ("financial_year", "inside", "label", "listed", "money", "number", "pence", "percent")
PICTURES: dict[str, Callable[[Run], Any]] = {
    "lifetime_by_outcome": figures.plot_cost_by_outcome,
    "lifetime_by_payer": figures.plot_cost_by_payer,
    "annual_by_outcome": figures.plot_annual_cost,
    "who_pays": figures.plot_who_pays,
    "payback": figures.plot_payback,
    "council_cash": figures.plot_council_cash,
    "curve_social": figures.plot_spend_cost_curve,
    "switching": figures.plot_break_even,
    "effects": figures.plot_effects,
}


@dataclass(frozen=True)
class Cell:
    """A table cell as text, and whether it is a number (set to the right)."""

    text: str
    numeric: bool = True


@dataclass(frozen=True)
class Shown:
    """A table as text, ready for the page."""

    title: str
    note: str
    headings: list[Cell]
    rows: list[tuple[str, list[Cell]]]

    @property
    def words(self) -> str:
        """The first numbers of up to nine rows as a sentence, for those who cannot see its figure."""
        parts = [(name, *[cell.text for cell in cells[:2]]) for name, cells in self.rows[:9]]
        return "; ".join(f"{name}: {' ('.join(filter(None, cells))}{')' if cells[1] else ''}" for name, *cells in parts)


def shown(table: Table, *, level: float) -> Shown:
    """Return a table as text: money in one scale, each interval in one cell."""
    money = [c for c in table.columns if table.kind(c[0]) == "money" and c[1] in ("expected", "")]
    scale, unit, decimals = w.money_scale(table.frame[money])
    say: dict[str, Callable[[float], str]] = {
        "money": lambda x: w.number(x / scale, decimals),
        "pounds": lambda x: w.number(x, 0),
        "count": lambda x: w.number(x, 0),
        "number": lambda x: w.number(x, 2),
        "tenths": w.number,
        "ratio": w.pence,
        "share": w.percent,
        "rate": lambda x: f"{w.number(100 * x, 1)}%",
        "text": str,
        "change": w.change,
        "figure": w.figure,
    }
    if table.row_kinds:  # rows of several kinds: each sum shows its own unit
        say["money"] = w.money
    units = {"money": f", {unit}", "pounds": ", £"}
    headings, columns = [Cell(table.rows, False)], []
    for heading, part in table.columns:
        kind, cells = table.kind(heading), table.frame[heading, part]
        if part == "upper":  # shown with its lower end
            continue
        if part == "lower":
            headings.append(Cell(f"{level:.0%} interval"))
            ends = zip(table.frame.index, cells, table.frame[heading, "upper"], strict=True)
            columns.append([Cell(_range(low, high, say[table.kind(heading, row)])) for row, low, high in ends])
            continue
        headings.append(Cell(f"{heading}{units.get(kind, '')}", kind != "text"))
        columns.append(
            [
                Cell(_text(cell) if kind == "text" else _cell_text(cell, say[table.kind(heading, row)]), kind != "text")
                for row, cell in cells.items()
            ]
        )
    rows = zip(table.frame.index.astype(str), map(list, zip(*columns, strict=True)), strict=True)
    return Shown(table.title, table.note, headings, list(rows))


def _range(low: Any, high: Any, say: Callable[[float], str]) -> str:
    return "" if pd.isna(low) or pd.isna(high) else w.interval(low, high, say)


def _text(value: Any) -> str:
    return "" if pd.isna(value) else str(value)


def _cell_text(value: Any, say: Callable[[float], str]) -> str:
    return value if isinstance(value, str) else "–" if pd.isna(value) else say(float(value))


def context(run: Run, tables: Mapping[str, Table], analysis: Analysis) -> dict[str, Any]:
    """Return everything the template prints."""
    level, facts = q.level(run), headline.facts(run)
    plots = drawn(run) | pictures.study_pictures(run) | pictures.decision_pictures(run, analysis)
    areas = shortened(tables["areas"], keep=("Excess", "Cost"))
    years = [w.financial_year(run.scenario.first_year, year) for year in (0, BUDGET_YEARS - 1)]
    cash = q.council_cash(run).isel(year=slice(0, BUDGET_YEARS)).sum("year")
    return {
        "run": run,
        "counted": partial(w.counted, horizon=run.scenario.horizon),
        "own": provenance.own(run.scenario) + provenance.changed(run),
        "tables": {name: shown(table, level=level) for name, table in (dict(tables) | {"areas": areas}).items()},
        "pictures": {name: _picture(plot, run) for name, plot in plots.items()},
        "decision": sentences(run, analysis),
        "cautions": analysis.inputs.cautions,
        "sentence": headline.headline_sentence(run),
        "fiscal": headline.changes(run, "fiscal"),
        "facts": facts,
        "cash_sentence": headline.cash_sentence(run, facts),
        "payers": sorted(facts["net_position_by_payer"].items(), key=lambda item: item[1].expected),
        "cut": run.scenario.cut,
        "plan": plan.lines(run),
        "counted_on": plan.counted_on(run),
        "not_counted": plan.not_counted(run),
        "accounts": accounts(q.costs(run)["cost"]),
        "outcomes": [w.inside(outcome) for outcome in run.scenario.outcomes],
        "level": f"{level:.0%}",
        "five_years": f"{years[0]} to {years[1]}",
        "five_year_cash": headline.estimate(run, cash),
        "five_year_chance": float((cash >= 0).mean()),
        "place": headline.place(run),
        "boundaries": headline.boundaries(run),
        "area_count": len(q.area_names(run)),
        "switching": q.switching(run).to_dict("index"),
        "spend_range": q.spend_range(run),
        "assumptions": _assumptions(run, tables["assumptions"]),
        "believed": [*reliability.sentences(), reliability.spending_words()],
        "shortfalls": shortfalls.shortfalls(),
        "checked": shortfalls.checked(run.report_card),
        "study_words": studies.in_words(run),
        "programmes": "" if (league := league_of(run)) is None else in_words(league),
        "licences": provenance.LICENCES,
        "excluded_count": len(run.excluded),
    }


def drawn(run: Run) -> dict[str, Callable[[Run], Any]]:
    """Return the figures of a run but those of its decision pages, by the name of the table with their numbers."""
    return PICTURES | lives_figures.pictures(run) | programme_figures.pictures(run)


def _picture(plot: Callable[[Run], Any], run: Run) -> str:
    return data_uri(plot(run))


def _assumptions(run: Run, table: Table) -> list[dict[str, Any]]:
    """Return the assumptions' rows with what the page needs besides: links, ranges, the user's own figures."""
    rows = []
    for role, row in table.frame.droplevel(1, axis=1).iterrows():
        real, link = row[f"In {run.scenario.price_base} prices, or real"], str(row["Link"])
        extra = {
            "role": role,
            "published": _cell_text(row["Value"], w.figure),
            "range": _range(row["From"], row["To"], w.figure),
            "real": "" if pd.isna(real) or real == row["Value"] else w.figure(float(f"{real:.4g}")),
            "link": link if link.startswith(("https://", "http://")) else "",
        }
        rows.append({str(name): _text(value) for name, value in row.items()} | extra)
    return rows


def templates() -> Environment:
    """Return the page templates: everything from outside is escaped, and a name left undefined is an error."""
    return Environment(
        loader=PackageLoader("toolkit.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: w.tied(str(value)) if type(value) in (str, headline.Estimate) else value,
    )


def render(run: Run, tables: Mapping[str, Table], analysis: Analysis) -> str:
    """Return the report as one HTML page."""
    environment = templates()
    environment.globals |= {name: getattr(w, name) for name in WORDS}
    return environment.get_template("report.html.j2").render(context(run, tables, analysis))
