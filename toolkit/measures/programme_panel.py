"""One programme, looked into: its studies, what must be believed for it to pay, and from published to used."""

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy.interpolate import PchipInterpolator
from scipy.optimize import brentq
from scipy.stats import norm

from toolkit.measures import words as w
from toolkit.measures.programmes import LEVEL
from toolkit.schema import ACCOUNTS, SAMPLE_DIMS

__all__ = ["ATTAINMENT", "DESIGNS", "STEP_WORDS", "believed", "effect_words", "forest", "from_published", "ratio_of"]

ATTAINMENT = "gcse_attainment"
STEP_WORDS = {
    "published": (
        "As its own studies publish it",
        "Their estimates as they stand, weighted by precision, from the first day and without end, on the average "
        "child in need. Findings without a number are not in it.",
    ),
    "own_studies": (
        "After bias of design and prior",
        "Its own studies alone, each widened by the bias of its design, findings without a number among them.",
    ),
    "pooled": (
        "Pooled with its type and all programmes",
        "What programmes like it, and all others, say beside its own studies, averaged over whose studies may count.",
    ),
    "scaled_up": ("After scale-up", "The share of the mean effect that survives delivery by others at other sites."),
    "timed": ("From when, and how long", "Nothing before the onset; whole while studies followed it; then it fades."),
    "risk_of_served": (
        "Risk of those it serves",
        "The published risk of its children, where it is known, as often as that counts rather than the average "
        "child’s.",
    ),
}
DESIGNS = {
    "rct": "randomised trial",
    "cluster_rct": "randomised trial of places",
    "did": "difference in differences",
    "panel_fe": "panel of areas",
    "qed_psm": "matched comparison",
    "pre_post": "before and after",
    "other": "review of mixed designs",
}
SCALES = {"log_risk": "risk ratio", "log_rate": "rate ratio", "log_odds": "odds ratio", "log_hazard": "hazard ratio"}
FOUND = {"not_significant": "no significant effect", "benefit": "benefit, no number", "harm": "harm, no number"}


# What must be believed ---------------------------------------------------------------------------


def believed(examined: xr.Dataset) -> pd.DataFrame:
    """Return how large the effect on the main outcome must be for a programme to pay.

    Parameters
    ----------
    examined
        From `toolkit.programmes.examine`, with ``response``.

    Returns
    -------
    DataFrame
        Index account. ``effect``, log hazard ratio, for attainment a standardised mean difference, at which expected
        benefit equals expected cost, by monotone interpolation between the sizes that were priced and no effect; NaN
        where not even the largest pays, or no price is known. ``reach``, the largest size priced.

    References
    ----------
    Fritsch, F. N. and Carlson, R. E. (1980). Monotone piecewise cubic interpolation. SIAM J. Numer. Anal. 17, 238-246.
    """
    cost = float(examined["cost"].mean())
    sizes = examined["size"].to_numpy().astype(float)
    rows = {}
    for account in ACCOUNTS:
        worth = examined["response"].sel(account=account).mean(SAMPLE_DIMS).to_numpy()
        rows[account] = {"effect": _where_it_pays(sizes, worth, cost), "reach": sizes[-1]}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("account")


def _where_it_pays(sizes: np.ndarray, worth: np.ndarray, cost: float) -> float:
    """Return the smallest size whose worth is the cost, NaN if there is none."""
    above = np.flatnonzero(worth >= cost)
    if not np.isfinite(cost) or not above.size:
        return float("nan")
    apart = abs(sizes)
    curve = PchipInterpolator(np.append(0.0, apart), np.append(0.0, worth))
    start = apart[above[0] - 1] if above[0] else 0.0
    root = brentq(lambda size: float(curve(size)) - cost, start, apart[above[0]])
    return float(np.sign(sizes[0]) * root)


def ratio_of(effect: float, outcome: str) -> float:
    """Return an effect as it reads: a hazard ratio, for attainment the standardised mean difference itself."""
    return effect if outcome == ATTAINMENT else float(np.exp(effect))


def effect_words(effect: float, outcome: str) -> str:
    """Return an effect in words: "0.76", for attainment "0.13 sd"; "" where it is not known."""
    if np.isnan(effect):
        return ""
    text = w.number(ratio_of(effect, outcome), 2)
    return f"{text} sd" if outcome == ATTAINMENT else text


# From published to used --------------------------------------------------------------------------


def from_published(examined: xr.Dataset, account: str = "fiscal", *, level: float = LEVEL) -> pd.DataFrame:
    """Return what a pound avoids after each step from the published effect to the one used, on the same draws.

    Parameters
    ----------
    examined
        From `toolkit.programmes.examine`.
    account
        "fiscal", "economic" or "social".
    level
        Of the intervals.

    Returns
    -------
    DataFrame
        Index step, in order. ``label`` and ``meaning``; ``ratio``, expected benefit over expected cost after the step,
        with ``low`` and ``high`` (of the benefit); ``contribution``, by how much the step moves the ratio, so that
        contributions add up to the last ratio, and ``mcse``, its Monte Carlo standard error. No rows where nothing is
        counted or no price is known.
    """
    columns = ["label", "meaning", "ratio", "low", "high", "contribution", "mcse"]
    cost = float(examined["cost"].mean())
    if "steps" not in examined or not np.isfinite(cost):
        return pd.DataFrame(columns=columns, index=pd.Index([], name="step"))
    worth = examined["steps"].sel(account=account) / cost
    change = worth - worth.shift(step=1, fill_value=0.0)
    ends = worth.quantile([(1 - level) / 2, (1 + level) / 2], SAMPLE_DIMS)
    names = [str(name) for name in worth["step"].values]
    return pd.DataFrame(
        {
            "label": [STEP_WORDS[name][0] for name in names],
            "meaning": [STEP_WORDS[name][1] for name in names],
            "ratio": worth.mean(SAMPLE_DIMS).to_numpy(),
            "low": ends.isel(quantile=0).to_numpy(),
            "high": ends.isel(quantile=1).to_numpy(),
            "contribution": change.mean(SAMPLE_DIMS).to_numpy(),
            "mcse": (change.std(SAMPLE_DIMS) / np.sqrt(worth.isel(step=0).size)).to_numpy(),
        },
        index=pd.Index(names, name="step"),
    )[columns]


# Studies of its type -----------------------------------------------------------------------------


def forest(
    studies: pd.DataFrame,
    effects: pd.DataFrame,
    programmes: pd.DataFrame,
    shrunk: xr.DataArray,
    programme: str,
    *,
    level: float = LEVEL,
) -> pd.DataFrame:
    """Return the studies of a programme's type, its own first: as published, as converted and as shrunk.

    Parameters
    ----------
    studies
        From `programme_studies`.
    effects, programmes
        The tables ``programme_effects`` and ``programmes``.
    shrunk
        ``before_scale_up`` of `used_effects`: effect where it was evaluated (chain, draw, programme, outcome).
    programme
        Its name.
    level
        Of the intervals.

    Returns
    -------
    DataFrame
        Index study. ``programme`` (label), ``own``, ``outcome``; ``published``, in words; ``effect`` with ``low`` and
        ``high``, log hazard ratio, for attainment a standardised mean difference, for one of those counted, NaN for a
        finding without a number; ``shrunk`` with ``shrunk_low`` and ``shrunk_high``, what the model makes of the effect
        of the study's programme on the outcome; ``design``, ``follow_up`` (years); ``title``, ``publisher``, ``year``,
        ``url``, ``grade``.
    """
    table = programmes.set_index("programme")
    alike = studies[studies["programme_type"] == table.loc[programme, "programme_type"]]
    published = effects.set_index("effect_id")
    width = float(norm.ppf((1 + level) / 2))
    rows: dict[str, dict[str, Any]] = {}
    for study in alike.to_dict("records"):
        row = published.loc[study["study"]]
        error = min(study["se"], study["se_most"])
        one = shrunk.sel(programme=study["programme"], outcome=study["outcome"])
        ends = one.quantile([(1 - level) / 2, (1 + level) / 2]).values
        rows[study["study"]] = {
            "programme": table.loc[study["programme"], "label"],
            "own": study["programme"] == programme,
            "outcome": study["outcome"],
            "published": _published(row),
            "effect": study["effect"],
            "low": study["effect"] - width * error,
            "high": study["effect"] + width * error,
            "shrunk": float(one.mean()),
            "shrunk_low": float(ends[0]),
            "shrunk_high": float(ends[1]),
            "design": DESIGNS[study["design"]],
            "follow_up": study["follow_up"],
            "title": row["source_title"],
            "publisher": row["source_publisher"],
            "year": row["source_year"],
            "url": row["source_url"],
            "grade": row["confidence"],
        }
    if not rows:
        return pd.DataFrame(columns=["own", "outcome"], index=pd.Index([], name="study"))
    frame = pd.DataFrame.from_dict(rows, orient="index").rename_axis("study")
    return frame.sort_values(["own", "outcome", "programme"], ascending=[False, True, True], kind="stable")


def _published(row: pd.Series) -> str:
    """Return a study's result as it is published, in words."""
    if pd.isna(row["est"]):
        return FOUND[row["finding"]]
    ends = [row["low"], row["high"]]
    if row["scale"] == "smd":
        text, values = f"{w.number(row['est'], 2)} sd", ends
    else:
        text = f"{SCALES[row['scale']]} {w.number(np.exp(row['est']), 2)}"
        values = [np.exp(end) for end in ends]
    if pd.isna(ends).any():
        return text
    return f"{text} ({row['interval_level']:.0%} {w.number(values[0], 2)} to {w.number(values[1], 2)})"
