"""The report: one self-contained page, no network, readable on paper and by a screen reader."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

from toolkit.report import answer, figures, provenance, tables
from toolkit.report import quantities as q
from toolkit.report import words as w
from toolkit.report.quantities import Run
from toolkit.report.tables import Table
from toolkit.schema import ACCOUNTS

WORDS = ("financial_year", "inside", "label", "money", "number", "pence", "percent")


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


def shown(table: Table, *, level: float) -> Shown:
    """Return a table as text: money in one scale, each interval in one cell."""
    scale, unit, decimals = w.money_scale(_money(table))
    say: dict[str, Callable[[float], str]] = {
        "money": lambda x: w.number(x / scale, decimals), "pounds": lambda x: w.number(x, 0), "share": w.percent, "change": w.change,
        "ratio": lambda x: w.number(x, 2), "count": lambda x: w.number(x, 0), "number": lambda x: w.number(x, 2), "figure": w.figure,
    }  # fmt: skip
    if table.row_kinds:  # rows of several kinds: each says its own unit
        say |= {"money": w.money, "ratio": w.pence}
    units = {"money": f", {unit}", "pounds": ", £"}
    groups = list(dict.fromkeys(heading for heading, _ in table.columns))
    headings = [Cell(table.rows, False)]
    for heading in groups:
        kind = table.kind(heading)
        headings.append(Cell(f"{heading}{units.get(kind, '')}", kind != "text"))
        if (heading, "lower") in table.frame:
            headings.append(Cell(f"{level:.0%} interval"))
    rows = []
    for name, row in table.frame.iterrows():
        cells = []
        for heading in groups:
            kind = table.kind(heading, name)
            if kind == "text":
                cells.append(Cell(_text(row[heading, ""]), False))
                continue
            part = "expected" if (heading, "expected") in table.frame else ""
            cells.append(Cell(_said(row[heading, part], say[kind])))
            if (heading, "lower") in table.frame:
                ends = (row[heading, "lower"], row[heading, "upper"])
                cells.append(Cell("" if any(map(_missing, ends)) else w.interval(*ends, say[kind])))
        rows.append((str(name), cells))
    return Shown(table.title, table.note, headings, rows)


def _money(table: Table) -> Any:
    money = [c for c in table.columns if table.kind(c[0]) == "money" and c[1] in ("expected", "")]
    return table.frame[money].to_numpy(float)


def _missing(value: Any) -> bool:
    return value is None or value != value


def _text(value: Any) -> str:
    return "" if _missing(value) else str(value)


def _said(value: Any, say: Callable[[float], str]) -> str:
    return value if isinstance(value, str) else "–" if _missing(value) else say(float(value))


def _picture(figure: Figure, table: Shown, what: str) -> dict[str, Any]:
    """Return a figure as a data address with its words: what it is, and its first rows."""
    image = base64.b64encode(figures.svg(figure).encode()).decode()
    said = "; ".join(
        f"{name}: {cells[0].text}" + (f" ({cells[1].text})" if len(cells) > 1 and cells[1].text else "")
        for name, cells in table.rows[:9]
    )
    return {
        "source": f"data:image/svg+xml;base64,{image}",
        "alt": f"{what}. {said}. The table below the figure holds its numbers.",
    }


def context(run: Run) -> dict[str, Any]:
    """Return everything the template prints."""
    level = q.level(run)
    made = {
        "lifetime_outcome": tables.lifetime_cost(run, "outcome"), "lifetime_payer": tables.lifetime_cost(run, "payer"),
        "child_outcome": tables.lifetime_cost(run, "outcome", each_child=True),
        "child_payer": tables.lifetime_cost(run, "payer", each_child=True),
        "annual": tables.annual_cost(run, "outcome"), "annual_payer": tables.annual_cost(run, "payer"),
        "areas": tables.shortened(tables.areas(run), keep=("Excess", "One year", "Cost")), "avoided": tables.avoided_by_outcome(run),
        "matrix": tables.avoided_by_outcome_and_payer(run), "who": tables.who_pays(run), "payback": tables.payback(run),
        "council": tables.council_cash(run), "cash": tables.cash_by_payer(run), "curve": tables.spend_cost_curve(run),
        "curve_payer": tables.curve_by_payer(run), "marginal": tables.marginal(run), "switching": tables.switching(run),
        "effects": tables.effects(run), "settings": provenance.settings(run), "checks": provenance.checks(run),
        "failures": provenance.failures(run), "timings": provenance.timings(run), "excluded": provenance.excluded(run),
        "record": provenance.record(run), "headline": answer.headline_table(run),
    }  # fmt: skip
    texts = {name: shown(one, level=level) for name, one in made.items()}
    known = answer.facts(run)
    option, first = run.scenario.option, run.scenario.first_year
    return {
        "run": run,
        "tables": texts,
        "pictures": _pictures(run, texts),
        "sentence": answer.headline_sentence(run),
        "fiscal": answer.changes(run, "fiscal"),
        "facts": known,
        "payers": sorted(known["net_position_by_payer"].items(), key=lambda item: item[1].expected),
        "cut": option.cut,
        "option": option,
        "level": f"{level:.0%}",
        "span": f"{w.financial_year(first, 0)} to {w.financial_year(first, option.years - 1)}",
        "place": answer.place(run),
        "area_count": len(q.area_names(run)),
        "five_years": _five_years(run),
        "marginal": _marginal(run),
        "switching": q.switching(run).to_dict("index"),
        "family": float(run.tree["assumptions/draws"].to_dataset()["cost_per_family"].median()),
        "spend_range": q.spend_range(run),
        "assumptions": _assumptions(run),
        "licences": provenance.LICENCES,
        "excluded_count": len(run.excluded),
    }


def _pictures(run: Run, texts: Mapping[str, Shown]) -> dict[str, dict[str, Any]]:
    drawn = {
        "lifetime_outcome": (figures.plot_cost_by_outcome, "Bars: lifetime cost of the entering cohort by outcome, excess and gross"),
        "lifetime_payer": (figures.plot_cost_by_payer, "Bars: lifetime cost of the entering cohort by payer, excess and gross"),
        "annual": (figures.plot_annual_cost, "Bars: cost of one year's outcomes"),
        "who": (figures.plot_who_pays, "Bars left and right of nought: what each payer pays or gains"),
        "payback": (figures.plot_payback, "Lines: chance of having paid back by year, for each account"),
        "council": (figures.plot_council_cash, "Bars: the council's cash position in each of ten years"),
        "curve": (figures.plot_spend_cost_curve, "Lines: spend plus lifetime cost, and its change, against early-help spend"),
        "switching": (figures.plot_break_even, "Lines: expected net present value against replication, for each account"),
        "effects": (figures.plot_effects, "Intervals: effect on each child by outcome and source"),
    }  # fmt: skip
    return {name: _picture(plot(run), texts[name], what) for name, (plot, what) in drawn.items()}


def _assumptions(run: Run) -> dict[str, Any]:
    """Return the assumptions with what the page needs besides the words: links and the user's own figures."""
    table = provenance.assumptions(run)
    rows = []
    for role, (_, row) in zip(table.frame.index, table.frame.droplevel(1, axis=1).iterrows(), strict=True):
        ends = (row["From"], row["To"])
        real = row[f"In {run.scenario.price_base} prices, or real"]
        rows.append(
            {name: _text(value) for name, value in row.items()}
            | {
                "role": role,
                "said": _said(row["Value"], w.figure),
                "range": "" if any(map(_missing, ends)) else w.interval(*ends, w.figure),
                "real": "" if _missing(real) or real == row["Value"] else w.figure(float(f"{real:.4g}")),
                "link": str(row["Link"]) if str(row["Link"]).startswith(("https://", "http://")) else "",
            }
        )
    return {"title": table.title, "note": table.note, "rows": rows}


def _five_years(run: Run) -> dict[str, Any]:
    """What the council's own budget sees in the first five years."""
    cash = (
        q.result(run)["cashable_net_position"]
        .sel(payer=q.COUNCIL, drop=True)
        .isel(year=slice(0, 5))
        .sum("year")
    )
    span = f"{w.financial_year(run.scenario.first_year, 0)} to {w.financial_year(run.scenario.first_year, 4)}"
    return {"span": span, "cash": answer.estimate(run, cash), "chance": float((cash >= 0).mean())}


def _marginal(run: Run) -> dict[str, dict[str, float | None]]:
    """Where, going up from today's spend, a pound stops avoiding a pound, by account; None if nowhere."""
    found, spend = q.marginal(run), q.costs(run)["curve_spend"]
    above = found.isel(step=found["from_multiple"].values >= 1)
    stops: dict[str, dict[str, float | None]] = {}
    for account in ACCOUNTS:
        avoided = above["avoided"].sel(account=account).values
        short = np.flatnonzero(avoided < 1)
        at = float(above["from_multiple"].values[short[0]]) if short.size else None
        pounds = float(spend.sel(multiple=at)) if at else None
        stops[account] = {
            "multiple": at,
            "spend": pounds,
            "avoided": float(avoided[short[0]]) if short.size else None,
        }
    return stops


def render(run: Run) -> str:
    """Return the report as one HTML page."""
    environment = Environment(
        loader=PackageLoader("toolkit.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: w.tied(str(value)) if type(value) in (str, answer.Estimate) else value,
    )
    environment.globals |= {name: getattr(w, name) for name in WORDS}
    return environment.get_template("report.html.j2").render(context(run))


def write_html(run: Run, path: Path) -> None:
    """Write the report to ``path``; see ``write_all`` for writing it whole or not at all."""
    path.write_text(render(run), encoding="utf-8")
