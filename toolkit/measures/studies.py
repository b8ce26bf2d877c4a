"""The studies of effect in a run: every one and what becomes of it, forest and funnel of those that are pooled."""

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
    """Return every study of the evidence: its estimate where it is pooled, else why it stays out."""
    found = _studies(run)
    said = [_said(row) for _, row in found.iterrows()]
    programmes = np.where(_nested(found), found["programme"].map(label), "")
    becomes = np.where(found["stays_out"] == "", "pooled", "stays out: " + found["stays_out"].astype(str))
    columns = {
        "Outcome": (found["outcome"].map(label).to_numpy(), "text"),
        "Design": (found["design"].map(inside).to_numpy(), "text"),
        "Programme": (programmes, "text"),
        "Estimate": (said, "text"),
        "What becomes of it": (becomes, "text"),
    }
    return plain("Every study of the evidence, and what becomes of it", "Study", columns, found["study"], NOTE)


def idle(run: Run) -> list[str]:
    """Return the studies that were to act and whose outcome no model has, each with its outcome and reason."""
    found = _studies(run)
    held = found[found["stays_out"].str.startswith("no effect on ")]
    return [f"{row['study']} ({inside(row['outcome'])})" for _, row in held.iterrows()]


def outcomes(run: Run) -> list[str]:
    """Return the outcomes with pooled studies, in the order of the effects."""
    held = set(pooled(run)["outcome"])
    return [str(name) for name in run.tree["effects"].to_dataset()["outcome"].values if name in held]


def spoken(run: Run) -> dict[str, str]:
    """Return in words what forest and funnel of each outcome show, for those who cannot see them."""
    rows, effects = pooled(run), grid(run)
    told = {}
    for outcome in outcomes(run):
        held = effects.sel(outcome=outcome)
        mean, site = float(held["mean_effect_mean"]), float(held["new_site_sd"])
        ends = [_natural(outcome, mean + side * SIGNIFICANT * site) for side in (-1, 1)]
        listed = [f"{row['study']}: {_said(row)}" for _, row in rows[rows["outcome"] == outcome].iterrows()]
        told[outcome] = (
            f"{'; '.join(listed)}. Pooled mean: {_natural(outcome, mean)}. A new site: {ends[0]} to {ends[1]}."
        )
    return told


def _studies(run: Run) -> pd.DataFrame:
    return run.tree["studies"].to_dataset().to_dataframe()


def pooled(run: Run) -> pd.DataFrame:
    """Return the studies that are pooled."""
    found = _studies(run)
    return found[found["stays_out"] == ""]


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


def _nested(found: pd.DataFrame) -> pd.Series:
    return (found["stays_out"] == "") & found.duplicated(["outcome", "programme", "stays_out"], keep=False)


def _natural(outcome: str, effect: float) -> str:
    return number(effect, 2) if outcome == STANDARDISED else change(float(np.expm1(effect)))


def _said(row: pd.Series) -> str:
    """Say an estimate with its 95 per cent interval, or what a finding without a number allows."""
    if row["stays_out"]:
        return ""
    if np.isfinite(row["effect"]):
        ends = [_natural(row["outcome"], row["effect"] + side * SIGNIFICANT * row["se"]) for side in (-1, 1)]
        return f"{_natural(row['outcome'], row['effect'])} ({ends[0]} to {ends[1]})"
    if row["lower"] == -row["upper"]:
        return "no number: not significant"
    good = (row["lower"] >= 0) if row["outcome"] == STANDARDISED else (row["upper"] <= 0)
    return f"no number: {'benefit' if good else 'harm'}"
