"""Where the models fall short, in words for the first page, so that failures are not left to the last."""

import numpy as np
import pandas as pd

from toolkit.evidence import load_table
from toolkit.measures.reliability import CALIBRATED, predictive_checks
from toolkit.measures.words import figure, inside, listed, percent

FURTHEST = 4  # figures that are missed, named on a first page
PATHWAY = {  # outputs of the pathway in words
    "care_under_1_year": "care that ends within a year",
    "reentry_1": "returns to care within a year",
    "reentry_5": "returns to care within five years",
    "plan_lasts[a]": "plans that last three months or less",
    "plan_lasts[b]": "plans that last three to six months",
    "plan_lasts[c]": "plans that last six to twelve months",
    "plan_lasts[d]": "plans that last one to two years",
    "plan_lasts[e]": "plans that last two years or more",
    "need_exit": "cases of need closed a year, for each open",
}


def shortfalls() -> str:
    """Return in a few sentences where the committed checks fail; "" if nowhere."""
    fit = predictive_checks()["verdict"] == "failed"
    sentences = [_pathway()]
    if fit.any():
        sentences.append(f"The outcome model fails {fit.sum()} of {len(fit)} checks beside its own data.")
    return " ".join(filter(None, sentences))


def checked(card: pd.DataFrame) -> str:
    """Return how many checks of a run's fit passed, and that these do not test the models themselves.

    Parameters
    ----------
    card
        The report card of the fit.
    """
    failed, every = int((~card["passed"].astype(bool)).sum()), len(card)
    if failed:
        return f"{failed} of {every} checks of this fit failed: its numbers cannot be trusted."
    committed = [predictive_checks(), *(load_table(name) for name in ("reference/pathway_checks", *CALIBRATED))]
    verdicts = pd.concat([table["verdict"] for table in committed])
    return (
        f"All {every} checks of this fit passed: the sampler did its work. Whether the models are right is another "
        f"question: of {len(verdicts):,} checks kept with the data, {(verdicts == 'failed').sum()} failed."
    )


def _pathway() -> str:
    """Return how many published figures the pathway misses, and which it misses by the largest factor."""
    table = load_table("reference/pathway_checks").set_index("output")
    failed = table["verdict"] == "failed"
    if not failed.any():
        return ""
    table["factor"] = (table["mean"] / table["published"]).apply(np.log).abs()
    missed = table[failed].sort_values("factor", ascending=False).head(FURTHEST)
    furthest = [
        f"{PATHWAY.get(str(output), inside(output))} ({_beside(float(row['mean']), float(row['published']))})"
        for output, row in missed.iterrows()
    ]
    of = [f"{(rows['verdict'] == 'failed').sum()} of {len(rows)}" for _, rows in table.groupby("fitted")]
    return (
        f"The pathway through social care misses {of[1]} published figures that it is fitted to and {of[0]} that were "
        f"held out; furthest off: {listed(furthest)}."
    )


def _beside(mean: float, published: float) -> str:
    say = percent if max(mean, published) <= 1 else figure
    return f"{say(mean)} in the model, {say(published)} published"
