"""The studies of effect in a run: what each found, how it is used, and those that the plan's effects rest on."""

import numpy as np
import pandas as pd

from toolkit.evidence import load_table
from toolkit.measures.quantities import Run, effects, interval, programme_names
from toolkit.measures.tables import STANDARDISED, Table, plain
from toolkit.measures.words import change, inside, label, number

SIGNIFICANT = 1.96  # estimate over standard error, at 5 per cent
OPEN = 10.0  # standard errors from which an end of an interval is none
NOTE = (
    "Estimates on the scale of hazards, before the bias of the design is taken off: relative change in the rate, with "
    "95% intervals, or standard deviations for GCSE attainment. A finding without a number enters as the range that it "
    "allows, at the error that studies usually have. A study informs the effect of its own programme most, that of "
    "others of its type less, and that of all others a little."
)


def studies(run: Run) -> Table:
    """Return every study of the evidence in use, those of the plan's programmes first."""
    table, names = _studies(run), _names(run)
    part = table["programme"].map(_whose(run))
    table = table.assign(part=part).sort_values("part", kind="stable", key=lambda whose: whose.map(ORDER))
    columns = {
        "Programme": ([_named(name, names) for name in table["programme"]], "text"),
        "Outcome": (table["outcome"].map(label).to_numpy(), "text"),
        "Design": (table["design"].map(inside).to_numpy(), "text"),
        "Estimate": ([_estimate_words(row) for _, row in table.iterrows()], "text"),
        "Followed for": ([_years(years) for years in table["follow_up"]], "text"),
        "How it is used": (table["part"].to_numpy(), "text"),
    }
    return plain("Every study in use, and what for", "Study", columns, table["study"], NOTE)


OWN, TYPE, OTHER = "of a programme of the plan", "of another programme of its type", "of another type"
ORDER = {OWN: 0, TYPE: 1, OTHER: 2}


def _whose(run: Run) -> dict[str, str]:
    """Return for each programme with studies what it is to the plan."""
    table, bought = _studies(run), set(programme_names(run))
    types = set(table.loc[table["programme"].isin(bought), "programme_type"])
    pairs = table[["programme", "programme_type"]].drop_duplicates().to_numpy()
    return {name: OWN if name in bought else TYPE if kind in types else OTHER for name, kind in pairs}


def outcomes(run: Run) -> list[str]:
    """Return the outcomes on which an effect counts and of which the plan's programmes or their types have studies."""
    used, rows = effects(run), shown(run)
    counts = (used["not_counted"] == "").any("programme")
    return [str(name) for name in used["outcome"].values[counts.values] if (rows["outcome"] == name).any()]


def shown(run: Run) -> pd.DataFrame:
    """Return the studies of the plan's programmes and of others of their types, with what each programme is called."""
    table, names = _studies(run), _names(run)
    table = table.assign(whose=table["programme"].map(_whose(run)))
    table = table[table["whose"] != OTHER]
    return table.assign(label=[_named(name, names) for name in table["programme"]])


def used(run: Run, outcome: str) -> pd.DataFrame:
    """Return the effects on an outcome that count: ``mean``, ``lower``, ``upper`` on the scale of studies, by label."""
    drawn = run.tree["effects"].to_dataset()
    counts = drawn["not_counted"].sel(outcome=outcome) == ""
    chosen = drawn["effect"].sel(outcome=outcome, drop=True).isel(programme=np.flatnonzero(counts.values))
    ends = interval(run, chosen.assign_attrs(drawn.attrs))
    names = [programme_names(run)[name] for name in chosen["programme"].values]
    return pd.DataFrame({part: ends[part].values for part in ("mean", "lower", "upper")}, index=names)


def in_words(run: Run) -> dict[str, str]:
    """Return the forest of each outcome in words, for readers who cannot see it."""
    rows, words = shown(run), {}
    for outcome in outcomes(run):
        estimates = [
            f"{row['study']}: {_estimate_words(row)}" for _, row in rows[rows["outcome"] == outcome].iterrows()
        ]
        as_used = [
            f"{name}, as used: {_natural(outcome, row['mean'])} ({_natural(outcome, row['lower'])} to "
            f"{_natural(outcome, row['upper'])})"
            for name, row in used(run, outcome).iterrows()
        ]
        words[outcome] = f"{'; '.join([*estimates, *as_used])}."
    return words


def _studies(run: Run) -> pd.DataFrame:
    table = run.tree["studies"].to_dataset().to_dataframe()
    numbers = ["effect", "se", "lower", "upper", "follow_up"]  # kept as objects, some of them blank
    return table.astype(dict.fromkeys(numbers, float))


def _names(run: Run) -> dict[str, str]:
    """Return what programmes are called, those outside the plan as in the shipped evidence."""
    shipped = load_table("programmes")
    own = {name: one.label for name, one in run.scenario.own_programmes.items()}
    return dict(zip(shipped["programme"], shipped["label"], strict=True)) | own | programme_names(run)


def _named(programme: str, names: dict[str, str]) -> str:
    return names.get(programme, label(programme))


def _natural(outcome: str, effect: float) -> str:
    return number(effect, 2) if outcome == STANDARDISED else change(float(np.expm1(effect)))


def _years(years: float) -> str:
    months = round(12 * years)
    whole = f"{months // 12} year{'s' * (months > 12)}"
    return f"{months} months" if months % 12 else whole


def _estimate_words(row: pd.Series) -> str:
    """Return an estimate with its 95 per cent interval, or the direction of a finding without a number."""
    if np.isfinite(row["effect"]):
        ends = [_natural(row["outcome"], row["effect"] + side * SIGNIFICANT * row["se"]) for side in (-1, 1)]
        return f"{_natural(row['outcome'], row['effect'])} ({ends[0]} to {ends[1]})"
    if row["lower"] == -row["upper"]:
        return "no number: not significant"
    good = (row["lower"] >= 0) if row["outcome"] == STANDARDISED else (row["upper"] <= 0)
    return f"no number: {'benefit' if good else 'harm'}"
