"""The studies of effect in a run: how each is used, and forest and funnel of those that are pooled."""

import numpy as np
import pandas as pd
import xarray as xr

from toolkit.measures.quantities import Run
from toolkit.measures.reliability import STANDARDISED
from toolkit.measures.tables import Table, plain
from toolkit.measures.words import change, inside, label, number
from toolkit.schema import SAMPLE_DIMS

SIGNIFICANT = 1.96  # estimate over standard error, at 5 per cent
NOTE = (
    "Estimates as pooled: relative change in risk, or standard deviations for GCSE attainment. A finding without a "
    "number enters as the range that it allows. Evaluations of one programme share a part of their effect."
)


def studies(run: Run) -> Table:
    """Return every study of the evidence: its estimate if it is pooled, otherwise why it is left out."""
    table = _studies(run)
    estimates = [_estimate_words(row) for _, row in table.iterrows()]
    programmes = np.where(_nested(table), table["programme"].map(label), "")
    uses = np.where(table["stays_out"] == "", "pooled", "left out: " + table["stays_out"].astype(str))
    columns = {
        "Outcome": (table["outcome"].map(label).to_numpy(), "text"),
        "Design": (table["design"].map(inside).to_numpy(), "text"),
        "Programme": (programmes, "text"),
        "Estimate": (estimates, "text"),
        "How it is used": (uses, "text"),
    }
    return plain("Every study of the evidence, and how it is used", "Study", columns, table["study"], NOTE)


def idle(run: Run) -> list[str]:
    """Return the admitted studies whose outcome no model has, each with that outcome."""
    table = _studies(run)
    unused = table[table["stays_out"].str.startswith("no effect on ")]
    return [f"{row['study']} ({inside(row['outcome'])})" for _, row in unused.iterrows()]


def outcomes(run: Run) -> list[str]:
    """Return the outcomes with pooled studies, in the order of the effects."""
    with_studies = set(pooled(run)["outcome"])
    return [str(name) for name in run.tree["effects"].to_dataset()["outcome"].values if name in with_studies]


def in_words(run: Run) -> dict[str, str]:
    """Return the forest and funnel of each outcome in words, for readers who cannot see them."""
    rows, effects = pooled(run), grid(run)
    words = {}
    for outcome in outcomes(run):
        effect = effects.sel(outcome=outcome)
        mean, site = float(effect["mean_effect_mean"]), float(effect["new_site_sd"])
        ends = [_natural(outcome, mean + side * SIGNIFICANT * site) for side in (-1, 1)]
        estimates = [
            f"{row['study']}: {_estimate_words(row)}" for _, row in rows[rows["outcome"] == outcome].iterrows()
        ]
        words[outcome] = (
            f"{'; '.join(estimates)}. Pooled mean: {_natural(outcome, mean)}. A new site: {ends[0]} to {ends[1]}."
        )
    return words


def _studies(run: Run) -> pd.DataFrame:
    return run.tree["studies"].to_dataset().to_dataframe()


def pooled(run: Run) -> pd.DataFrame:
    """Return the studies that are pooled."""
    table = _studies(run)
    return table[table["stays_out"] == ""]


def grid(run: Run) -> xr.Dataset:
    """Return mean and spread of the trials' effects, as the exact grid gives them, from the run's draws."""
    drawn = run.tree["effects"].to_dataset().sel(source="trials")
    return xr.Dataset(
        {
            "mean_effect_mean": drawn["mean_effect"].mean(SAMPLE_DIMS),
            "mean_effect_sd": drawn["mean_effect"].std(SAMPLE_DIMS),
            "between_sites_mean": drawn["between_sites"].mean(SAMPLE_DIMS),
            "new_site_sd": drawn["new_site_effect"].std(SAMPLE_DIMS),
        }
    )


def _nested(studies: pd.DataFrame) -> pd.Series:
    return (studies["stays_out"] == "") & studies.duplicated(["outcome", "programme", "stays_out"], keep=False)


def _natural(outcome: str, effect: float) -> str:
    return number(effect, 2) if outcome == STANDARDISED else change(float(np.expm1(effect)))


def _estimate_words(row: pd.Series) -> str:
    """Return an estimate with its 95 per cent interval, or the direction of a finding without a number."""
    if row["stays_out"]:
        return ""
    if np.isfinite(row["effect"]):
        ends = [_natural(row["outcome"], row["effect"] + side * SIGNIFICANT * row["se"]) for side in (-1, 1)]
        return f"{_natural(row['outcome'], row['effect'])} ({ends[0]} to {ends[1]})"
    if row["lower"] == -row["upper"]:
        return "no number: not significant"
    good = (row["lower"] >= 0) if row["outcome"] == STANDARDISED else (row["upper"] <= 0)
    return f"no number: {'benefit' if good else 'harm'}"
