"""Where the answer comes from: the option's settings, the figures used, the checks, and the record of the run."""

import json
from typing import Any

import numpy as np
import pandas as pd

from toolkit.report.quantities import Run
from toolkit.report.tables import Table, single
from toolkit.report.words import financial_year, label, listed, percent, schedule_name

LICENCES = (
    "Contains public sector information licensed under the Open Government Licence v3.0. Unit costs from the Unit Cost "
    "Database, New Economy / Greater Manchester Combined Authority, licensed under CC BY 4.0, rebased and graded here."
)


def settings(run: Run) -> Table:
    """The option and the conventions of the appraisal, in words."""
    scenario = run.scenario
    option, effect, adjustments = scenario.option, scenario.effect, scenario.adjustments
    last = financial_year(scenario.first_year, option.years - 1)
    rows = {
        "Sum": f"{'minus ' if option.cut else ''}£{option.spend_per_child:g} per child aged 0 to 17 a year",
        "Years": f"{financial_year(scenario.first_year, 0)} to {last}",
        "For whom": {"in_need": "children newly in need", "care_edge": "families in pre-proceedings"}[option.group],
        "Cost per family": f"figure {option.cost_per_family}",
        "Outcomes": listed([label(outcome) for outcome in scenario.outcomes]),
        "Effect source": label(effect.source),
        "Replication factor": f"{effect.replication:g}",
        "Take-up": percent(effect.take_up) if effect.take_up < 1 else "all",
        "Ramp": ", ".join(f"{share:.0%}" for share in effect.ramp[: option.years]),
        "Fade-out": "by half-life" if effect.fades else "none: the effect lasts (an upper case)",
        "Detection": "contact rises first" if effect.detection else "no",
        "Family group conferencing": "in the effect" if effect.family_group_conferencing else "left out of the effect",
        "Discounting": schedule_name(scenario.discount_schedule),
        "Price base": scenario.price_base,
        "Horizon": f"{scenario.horizon} years",
    }
    rows |= {label(name): f"{share:.0%}" for name, share in adjustments.model_dump().items()}
    frame = single({"Setting": list(rows.values())}, list(rows))
    return Table("The option and the conventions", "", frame, {"Setting": "text"})


def checks(run: Run) -> Table:
    """Every check of the fitted models, failures first."""
    card = run.report_card.assign(passed=run.report_card["passed"].astype(bool)).sort_values("passed", kind="stable")
    names = {"value": "Value", "threshold": "Threshold", "where": "Where", "cure": "If it fails"}
    columns: dict[str, Any] = {new: card[old].to_numpy() for old, new in names.items() if old in card}
    frame = single({"Result": np.where(card["passed"], "passed", "FAILED"), **columns}, list(card["check"]))
    kinds = {"Result": "text", "Value": "figure", "Threshold": "figure", "Where": "text", "If it fails": "text"}
    return Table("Checks of the fitted models", "Check", frame, kinds)


def failures(run: Run) -> Table:
    """Only the checks that failed."""
    table = checks(run)
    return Table("Checks that failed", table.rows, table.frame[table.frame["Result", ""] == "FAILED"], table.kinds)


def timings(run: Run) -> Table:
    """Wall and CPU seconds by stage."""
    rows = {"Wall seconds": [t[0] for t in run.timings.values()], "CPU seconds": [t[1] for t in run.timings.values()]}
    return Table("Time taken", "Stage", single(rows, list(run.timings)), dict.fromkeys(rows, "number"))


def excluded(run: Run) -> Table:
    """Figures in the evidence that no run may use, counted by reason."""
    reasons = run.excluded["reason"].astype(str).value_counts()
    frame = single({"Figures": reasons.to_numpy()}, list(reasons.index))
    return Table("Figures left out of the evidence, and why", "Reason", frame, {"Figures": "count"})


def record(run: Run) -> Table:
    """What identifies the run: scenario hash, seed, versions and data checksums."""
    attrs = run.tree.attrs
    rows = {"Scenario": run.scenario.name, "Scenario hash": attrs["scenario_hash"], "Seed": attrs["seed"]}
    rows |= {f"Version of {name}": version for name, version in json.loads(attrs["versions"]).items()}
    rows |= {f"Checksum of {path}": value for path, value in json.loads(attrs["data_checksums"]).items()}
    frame = single({"Value": [str(value) for value in rows.values()]}, list(rows))
    return Table("Record of the run", "", frame, {"Value": "text"})


def how_sure(row: pd.Series) -> str:
    """Say how a figure's spread is known: its interval's level, its grade, or that it is fixed."""
    if row["distribution"] == "fixed":
        return "fixed"
    if row["graded"]:
        return f"graded ±{row['coefficient_of_variation']:.0%}"
    kind = {"confidence": "confidence interval", "range": "range"}.get(str(row["interval_kind"]), "interval")
    return f"{float(row['interval_level']):.0%} {kind}"


def assumptions(run: Run) -> Table:
    """Every figure the run uses, with its value, spread, source and reason."""
    table = run.assumptions
    base = run.scenario.price_base
    graded = table["graded"].to_numpy(bool)
    columns = {
        "What it is": table["description"],
        "Value": table["value"],
        "From": table["low"].where(~graded),
        "To": table["high"].where(~graded),
        "How sure": [how_sure(row) for _, row in table.iterrows()],
        "Unit": table["unit"],
        "Price year": table["price_year"],
        f"In {base} prices, or real": table["real_value"],
        "Distribution": table["distribution"].str.replace("_", " "),
        "Grade": table["confidence"],
        "Source": table["source"],
        "Where in it": table["locator"],
        "Link": table["url"],
        "Why this one": table["reason"],
        "Yours": np.where(table["overridden"], "your own figure", ""),
        "Evidence key": table["id"],
    }
    figures = ("Value", "From", "To", f"In {base} prices, or real")
    kinds = {name: "figure" if name in figures else "text" for name in columns}
    frame = single({name: np.asarray(values) for name, values in columns.items()}, [label(role) for role in table.index])
    return Table(
        "Every figure this run uses",
        "Role",
        frame,
        kinds,
        note="A figure published without an interval takes a graded one: one standard deviation of that share of its value. "
        "Grade A: seen in the source itself; B: quoted or derived; J: our own judgement. Money is rebased by HM Treasury's "
        "GDP deflator; nominal growth rates are made real.",
    )
