"""How the outlook fared on years it had not seen: the committed backtest in words and as a table."""

import pandas as pd

from toolkit.measures.tables import Table, plain
from toolkit.measures.words import inside, label, listed, percent

__all__ = ["table", "words"]

RIVALS = {
    "last_value": "the last value",
    "national_growth": "the area's last value with England's growth",
    "linear_trend": "a straight line through the area's years",
}
AIM = (0.85, 0.95)  # of a year's numbers that should lie within intervals of nine in ten


def words(scores: pd.DataFrame) -> tuple[str, bool]:
    """Return what the committed table ``outlook_backtest`` shows, in a few sentences, and whether any of it fails."""
    whole = scores[scores["part"] == "all"]
    used = whole[whole["used"] == 1]
    off = [
        f"{inside(row.quantity)} from {row.last_year} on ({percent(float(str(row.coverage_90)))})"
        for row in used.itertuples()
        if not AIM[0] <= float(str(row.coverage_90)) <= AIM[1]
    ]
    behind = whole[whole["forecast"].isin(RIVALS) & (whole["model_is"] == "worse")]
    lost = [
        f"{inside(row.quantity)} from {row.last_year} on ({RIVALS[str(row.forecast)]})" for row in behind.itertuples()
    ]
    years = listed(sorted(map(str, set(used["last_year"]))))
    sentence = (
        f"The outlook was fitted to the years to {years}, and set beside what followed to 2025. Its 90% intervals held "
        f"fewer than {percent(AIM[0])} or more than {percent(AIM[1])} of the numbers for "
        f"{listed(off) if off else 'none'}. A rule that needs no model did better for "
        f"{listed(lost) if lost else 'none'}."
    )
    if not whole["converged"].all():
        sentence += " Its fits to fewer years fell short of a check of convergence."
    return sentence, bool(off or lost) or not whole["converged"].all()


def table(scores: pd.DataFrame) -> Table:
    """Return the scores of the forecast in use against each rule that needs no model."""
    whole = scores[scores["part"] == "all"]
    covered = whole[whole["used"] == 1].set_index(["quantity", "last_year"])["coverage_90"]
    rivals = whole[whole["forecast"].isin(RIVALS)]
    keys = pd.MultiIndex.from_frame(rivals[["quantity", "last_year"]])
    values = {
        "Error of the model over that of the rule": (rivals["model_ratio"].to_numpy(), "number"),
        "Standard error": (rivals["model_ratio_se"].to_numpy(), "number"),
        "The model is": (rivals["model_is"].to_numpy(), "text"),
        "Forecast in use: share within its 90% interval": (covered.reindex(keys).to_numpy(), "share"),
    }
    names = [
        f"{label(row.quantity)} from {row.last_year} on, against {RIVALS[str(row.forecast)]}"
        for row in rivals.itertuples()
    ]
    note = (
        "Scored to 2025 by continuous ranked probability score: below 1 the model forecasts better. Where the backtest "
        "says so, prices grow as England's did over five years instead. Made by the command: outcomes evidence outlook."
    )
    return plain("The outlook on years it had not seen", "Number and rule", values, names, note)


def __dir__() -> list[str]:
    return __all__
