"""Tables of the spend-cost curve, of what would have to be true, and of the effects used."""

from typing import Any

import pandas as pd

from toolkit.report import quantities as q
from toolkit.report.quantities import Run
from toolkit.report.tables import Table, basis, headed, interval_columns, named
from toolkit.report.words import inside, label
from toolkit.schema import ACCOUNTS, SAMPLE_DIMS

def spend_cost_curve(run: Run, account: str = "social") -> Table:
    """The spend-cost curve of one account: level and change for the scenario's source, change for the others."""
    found = q.curve(run).sel(account=account)
    own = run.scenario.effect.source
    others = [str(s) for s in found["source"].values if s not in (own, "judgement")]
    arrays = {"Spend and cost": found["net"].sel(source=own), f"Change: {inside(own)}": found["change"].sel(source=own)}
    arrays |= {f"Change: {inside(source)}": found["change"].sel(source=source) for source in others}
    frame = interval_columns(run, arrays, "multiple")
    frame.insert(0, ("Spend a year", ""), found["spend"].to_series())
    frame[("Seen within areas", "")] = ["yes" if seen else "extrapolation" for seen in seen_multiples(run)]
    frame.index = pd.Index([f"{multiple:.4g} × today" for multiple in frame.index])
    return Table(
        f"Spend-cost curve, {account} account",
        "Early-help spend",
        headed(frame),
        {"Spend a year": "money", "Seen within areas": "text"} | dict.fromkeys(arrays, "money"),
        note=f"One year's early-help spend plus the excess lifetime cost of the entering cohort that is left, {basis(run)}. "
        "Change is against today's spend; below nought is better.",
    )


def seen_multiples(run: Run) -> list[bool]:
    """Whether each multiple of today's spend lies within what areas have seen in their own history."""
    bounds = q.spend_range(run)
    multiples = run.tree["costs"]["multiple"].values
    return [bounds is not None and bounds[0] <= m <= bounds[1] for m in multiples]


def curve_by_payer(run: Run) -> Table:
    """Each payer's part of the spend-cost curve, expected."""
    frame = q.curve_by_payer(run).mean(SAMPLE_DIMS).to_pandas().T
    frame = frame.assign(all=frame.sum(axis=1)).rename(columns=label)
    frame.index = pd.Index([f"{multiple:.4g} × today" for multiple in frame.index])
    return Table(
        "Spend-cost curve by payer, expected",
        "Early-help spend",
        headed(frame),
        dict.fromkeys(map(str, frame.columns), "money"),
        note=f"Excess lifetime cost left, {run.scenario.price_base} prices; the local authority's part holds the spend.",
    )


def marginal(run: Run) -> Table:
    """What the next pound avoids between successive spends, by account."""
    found = q.marginal(run)
    ends = zip(found["from_multiple"].values, found["to_multiple"].values, strict=True)
    columns: dict[tuple[str, str], Any] = {}
    for account in ACCOUNTS:
        columns[f"{label(account)}: avoided by a pound", ""] = found["avoided"].sel(account=account).values
        columns[f"{label(account)}: chance above a pound", ""] = found["chance"].sel(account=account).values
    frame = pd.DataFrame(columns, index=pd.Index([f"{low:.4g} to {high:.4g} × today" for low, high in ends]))
    kinds = {heading: "share" if "chance" in heading else "ratio" for heading, _ in columns}
    return Table(
        "What the next pound avoids",
        "Early-help spend",
        headed(frame),
        kinds,
        note="Expected pounds of lifetime cost avoided by one more pound a year, with the scenario's effect; accounts are cumulative.",
    )


def switching(run: Run) -> Table:
    """What would have to be true for each account to break even."""
    found = q.switching(run)
    columns = {
        "NPSV if nothing replicates (0)": found["npsv_0"],
        f"NPSV as assumed ({run.scenario.effect.replication:g})": found["npsv"],
        "NPSV if all replicates (1)": found["npsv_1"],
        "Effect needed, times the assumed": found["multiple"],
        "Replication needed": found["replication"],
        "Cost per family needed": found["cost_per_family"],
    }
    kinds = dict.fromkeys(columns, "money") | {
        "Effect needed, times the assumed": "ratio", "Replication needed": "ratio", "Cost per family needed": "pounds",
    }  # fmt: skip
    frame = headed(pd.DataFrame(columns)).rename(index=lambda account: f"{label(account)} account")
    return Table(
        "What would have to be true to break even",
        "Account",
        frame,
        kinds,
        note=f"Expected net present values, {run.scenario.price_base} prices. Avoided cost is taken as proportional to the "
        "effect, and inversely proportional to the cost of helping a family: fair while effects are modest and most "
        "eligible families are not reached. A replication above 1 is more than the studies found.",
    )


def effects(run: Run) -> Table:
    """Effects by outcome and source: pooled mean and what a new site can expect."""
    found = q.effects(run)
    parts, rows, row_kinds = [], [], {}
    for outcome in found["outcome"].values:
        for source in found["source"].values:
            chosen = found.sel(outcome=outcome, source=source, drop=True)
            arrays = {"Pooled mean": chosen["mean_effect"], "New site": chosen["new_site_effect"]}
            frame = interval_columns(run, {k: v.expand_dims(row=[0]) for k, v in arrays.items()}, "row")
            frame[("Chance of harm", "")] = float(chosen["harmful"].mean())
            used = ", used" if source == run.scenario.effect.source else ""
            rows.append(f"{label(outcome)}: {inside(source)}{used}")
            row_kinds[rows[-1]] = "number" if outcome == "gcse_attainment" else "change"
            parts.append(headed(frame))
    table = pd.concat(parts).set_axis(rows)
    return Table(
        "Effect of help on each child reached",
        "Outcome and source",
        table,
        {"Pooled mean": "by row", "New site": "by row", "Chance of harm": "share"},
        row_kinds,
        note=f"{q.level(run):.0%} intervals, in full: before the replication factor, ramp and fade-out. Relative change in "
        "risk; for GCSE attainment the shift in standard deviations, where positive is better.",
    )
