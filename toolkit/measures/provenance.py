"""Where the answer comes from: the settings, the figures used, the checks, the record of the run."""

import json
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from toolkit.evidence import OWN
from toolkit.measures.quantities import Run
from toolkit.measures.tables import Table, single
from toolkit.measures.words import figure, inside, label, listed, luck, schedule_name
from toolkit.scenarios import Effect, Scenario

LICENCES = (
    "Contains public sector information licensed under the Open Government Licence v3.0. Unit costs from the Unit "
    "Cost Database, New Economy / Greater Manchester Combined Authority, licensed under CC BY 4.0, rebased here."
)
FIGURES_NOTE = (
    "A figure published without an interval takes a graded one: one standard deviation of that share of its value. "
    "Grade A: seen in the source itself; B: quoted or derived; J: our own judgement. Money is rebased by HM "
    "Treasury's GDP deflator; nominal growth rates are made real. "
    "What is old has a price year more than ten years back."
)
OLD = "; old, no better one seen"
OVERLAPS = {
    "": "none: no two parts are for the same children at once",
    "apart": "parts for the same children serve different ones",
    "nested": "children of the smaller part are among the larger's, and gain from the part listed first alone",
}
RECORDED = {
    "Run at": "run_at",
    "Run by": "run_by",
    "Run hash": "run_hash",
    "Commit of the code": "commit",
    "Hash of the code": "code_hash",
    "Hash of the register used": "register_hash",
    "Hash of the figures used": "figures_hash",
    "Hash of the statistics used": "statistics_hash",
    "Hash of the fit used": "fit_hash",
}
UNEVIDENCED = {"none": "not counted", "borrow": "that of all programmes together"}


def own(scenario: Scenario) -> list[str]:
    """Return a line for each piece of evidence that a scenario has changed, to be shown wherever it is used."""
    lines = [f"{label(key)}: {figure(row.value)}. Reason: {row.reason}" for key, row in scenario.overrides.items()]
    for key, mine in scenario.own_figures.items():
        unit = OWN[key][1] + (f", {mine.price_year} prices" if mine.price_year else "")
        lines.append(f"{OWN[key][0]}: {figure(mine.value)} {unit}, the council’s own. Reason: {mine.reason}")
    lines += [
        f"Programme {one.label} added, like {inside(one.like)}: {figure(one.cost)} {one.unit}, {one.price_year} "
        f"prices. Source: {one.source}"
        for one in scenario.own_programmes.values()
    ]
    for key, prior in scenario.priors.items():
        numbers = " and ".join(f"{number:g}" for number in (prior.first, prior.second) if number is not None)
        lines.append(f"Prior {key}: {numbers}. Reason: {prior.reason}")
    for key, study in scenario.studies.items():
        lines.append(
            f"Study {key} added, of {label(study.programme)} on {inside(study.outcome)}. Reason: {study.reason}"
        )
    return lines + [f"Study {key} left out" for key in scenario.left_out]


def changed(run: Run) -> list[str]:
    """Return a line for each shipped figure or file that a run replaced, other than by its scenario."""
    table = run.assumptions.assign(shipped=_shipped(run.assumptions))
    lines = [
        f"{label(role)}: {figure(row['value'])}, changed in the register given to this run ({row['shipped']})"
        for role, row in table[table["shipped"] != ""].iterrows()
    ]
    files = json.loads(run.tree.attrs.get("changed_data", "[]"))
    return lines + ([f"Data that are not the shipped ones: {listed(files)}"] if files else [])


def _shipped(assumptions: pd.DataFrame) -> "pd.Series[str]":
    """Return what each figure was before the register was changed; blank for all others, and without a register."""
    return assumptions.get("shipped", pd.Series("", assumptions.index)).fillna("")


def settings(run: Run) -> Table:
    """Return the conventions of the appraisal, in words."""
    scenario, effect = run.scenario, run.scenario.effect
    rows = {
        "Overlap of parts": OVERLAPS[scenario.overlap],
        "Outcomes": listed([label(outcome) for outcome in scenario.outcomes]),
        "Survives scale-up": "drawn from its prior" if effect.scale_up is None else f"{effect.scale_up:.0%}",
        "Effect on outcomes without a study": UNEVIDENCED[effect.unevidenced],
        "Findings without a benefit": "as likely to be published as others"
        if effect.selection == 1
        else f"published {effect.selection:.0%} as often as others",
        "Take-up": f"{effect.take_up:.0%}",
        "Ramp": ", ".join(f"{share:.0%}" for share in effect.ramp),
        "Structure of the model": _structure(effect) or "as structure_weights.csv has it",
        "Detection": "contact rises first" if effect.detection else "no",
        "Luck of the sites": luck(effect.shared_luck),
        "Unaccompanied children": "counted like others" if scenario.unaccompanied else "counted apart",
        "Discounting": schedule_name(scenario.discount_schedule),
        "Price base": scenario.price_base,
        "Horizon": f"{scenario.horizon} years",
        "Partly cashable costs": f"whole steps of £{scenario.cash_step:,.0f} a year, over all areas together"
        if scenario.cash_step
        else "by the cited share",
    }
    for key, row in scenario.priors.items():
        numbers = listed([f"{number:g}" for number in (row.first, row.second) if number is not None])
        rows[f"Prior {key}"] = f"your own: {numbers}. {row.reason}"
    for key, study in scenario.studies.items():
        rows[f"Study {key}"] = (
            f"your own, of {label(study.programme)} on {inside(study.outcome)}: {study.estimate:g} ({study.scale}). "
            f"{study.reason}"
        )
    rows |= {f"Study {key}": "left out by you" for key in scenario.left_out}
    rows |= {"Covariates of the outcome model": listed([inside(name) for name in scenario.covariates]) or "none"}
    rows |= {label(name): f"{share:.0%}" for name, share in scenario.adjustments.model_dump().items()}
    return Table("The conventions of the appraisal", "", single({"Setting": list(rows.values())}, list(rows)), "text")


def _structure(effect: Effect) -> str:
    """Return the weights of rival structures that a scenario changes."""
    return "; ".join(
        f"{inside(kind)}: {listed([f'{inside(name)} {share:.0%}' for name, share in weights.items()])}"
        for kind, weights in effect.structure.items()
    )


def checks(run: Run) -> Table:
    """Return every check of the fitted models, failures first."""
    card = run.report_card
    card = card.assign(passed=card["passed"].astype(bool), quantity=card["quantity"].astype(str).map(_quantity))
    card = card.sort_values("passed", kind="stable")
    names = {"quantity": "Worst at", "value": "Value", "threshold": "Threshold", "cure": "If it fails"}
    columns: dict[str, Any] = {"Result": np.where(card["passed"], "passed", "FAILED")}
    columns |= {new: card[old].to_numpy() for old, new in names.items()}
    kinds = {name: "figure" if name in ("Value", "Threshold") else "text" for name in columns}
    frame = single(columns, list(map(label, card["check"])))
    return Table("Checks of the fitted models", "Check", frame, kinds, note=predicted(run))


def _quantity(name: str) -> str:
    """Put a quantity of a model into words: "area_effect['care_starts']" is "Area effect: care starts"."""
    kind, _, at = name.partition("[")
    parts = re.findall(r"\w[^',()\[\]]*", re.sub(r"\bnp\.\w+", "", at))
    return label(kind) + ": " * bool(parts) + ", ".join(inside(part) if part.islower() else part for part in parts)


def predicted(run: Run) -> str:
    """Return which areas' rates are predicted because they have no counts, and which covariates have gaps."""
    indicators = json.loads(run.tree.attrs.get("predicted", "{}"))  # absent from the files of older runs
    named = [f"{area} ({listed([inside(name) for name in names])})" for area, names in indicators.items()]
    sentences = [
        f"Without counts of their own, so predicted from region, deprivation and spending: {'; '.join(named)}."
    ]
    for name, areas in json.loads(run.tree.attrs.get("without_covariate", "{}")).items():
        gaps = f"no figure of {listed(areas)}, for which the mean of the others stands" if areas else "of every area"
        sentences.append(
            f"Conditioned on {inside(name)} too: {gaps}; the nearest year stands for one without a figure."
        )
    return " ".join(sentences[0 if named else 1 :])


def failures(run: Run) -> Table:
    """Return only the checks that failed."""
    table = checks(run)
    return replace(table, title="Checks that failed", frame=table.frame[table.frame["Result", ""] == "FAILED"])


def timings(run: Run) -> Table:
    """Return wall and CPU seconds by stage."""
    wall, cpu = zip(*run.timings.values(), strict=True) if run.timings else ((), ())
    frame = single({"Wall seconds": wall, "CPU seconds": cpu}, list(run.timings))
    return Table("Time taken", "Stage", frame, "number")


def excluded(run: Run) -> Table:
    """Return how many figures of the evidence no run may use, by reason."""
    reasons = run.excluded["reason"].astype(str).str.replace(r"superseded by \S+", "superseded", regex=True)
    counts = reasons.value_counts()
    frame = single({"Figures": counts.to_numpy()}, list(counts.index))
    return Table("Figures left out of use, and why", "Reason", frame, "count")


def record(run: Run) -> Table:
    """Return what identifies the run: time and author, hashes of its inputs, seed, versions, data checksums."""
    attrs = run.tree.attrs
    rows = {"Scenario": run.scenario.name, "Scenario hash": attrs["scenario_hash"], "Seed": attrs["seed"]}
    rows |= {name: attrs.get(key) or "not known" for name, key in RECORDED.items()}
    rows |= {f"Version of {name}": version for name, version in json.loads(attrs["versions"]).items()}
    rows |= {f"Checksum of {path}": value for path, value in json.loads(attrs["data_checksums"]).items()}
    frame = single({"Value": [str(value) for value in rows.values()]}, list(rows))
    return Table("Record of the run", "", frame, "text")


def how_sure(row: pd.Series) -> str:
    """Return how a figure's spread is known: its interval's level, its grade, or that it is fixed; and if it is old."""
    kind = {"confidence": "confidence interval"}.get(str(row["interval_kind"]), str(row["interval_kind"]))
    if row["distribution"] == "fixed":
        known = "fixed"
    elif row["graded"]:
        known = f"graded ±{row['coefficient_of_variation']:.0%}"
    else:
        known = f"{float(row['interval_level']):.0%} {kind}"
    return known + OLD * bool(row["old"] and not row["overridden"])


def assumptions(run: Run) -> Table:
    """Return every figure the run uses, with its value, spread, source and reason."""
    table, real = run.assumptions, f"In {run.scenario.price_base} prices, or real"
    of_register = _shipped(table) != ""
    columns = {
        "What it is": table["description"],
        "Value": table["value"],
        "From": table["low"].where(~table["graded"]),
        "To": table["high"].where(~table["graded"]),
        "How sure": [how_sure(row) for _, row in table.iterrows()],
        "Unit": table["unit"],
        "Price year": table["price_year"],
        real: table["real_value"],
        "Distribution": table["distribution"].str.replace("_", " "),
        "Grade": table["confidence"],
        "Source": table["source"],
        "Where in it": table["locator"],
        "Link": table["url"],
        "Why this one": table["reason"],
        "Yours": np.select([of_register, table["overridden"]], ["changed in the register", "your own figure"], ""),
        "Evidence key": table["id"],
    }
    kinds = {name: "figure" if name in ("Value", "From", "To", real) else "text" for name in columns}
    frame = single({name: np.asarray(values) for name, values in columns.items()}, list(map(label, table.index)))
    return Table("Every figure this run uses", "Role", frame, kinds, note=FIGURES_NOTE)
