"""How far the models can be trusted: the committed checks, as tables of the report and the workbook.

The checks take minutes to hours, so a run does not make them; ``outcomes check`` and ``outcomes evidence
calibrate`` do, and write what they find into ``data/reference``, failures and all.
"""

import pandas as pd

from toolkit.evidence import load_table
from toolkit.report.tables import Table, headed
from toolkit.report.words import label

FORECASTS = {
    "last_value": "the last value",
    "area_mean": "the area's mean",
    "national_trend": "the national trend and the area's offset",
}
CHECKS = {
    "coverage_50": "half of the counts lie within the middle half",
    "coverage_90": "nine in ten lie within the middle nine tenths",
    "pit_mean": "counts are neither high nor low on the whole",
    "pit_distance": "counts are spread as they should be",
    "lag_one_correlation": "an area's error this year says nothing of the next",
    "largest_residual": "the farthest count is no farther than chance allows",
    "hidden_cells": "as many counts are small enough to hide",
    "unreliable_weights": "leaving a count out can be trusted",
}


def reliability() -> dict[str, Table]:
    """Return the tables of the committed checks: ``backtest``, ``predictive`` and ``calibration``.

    Raises
    ------
    InputError
        If a table of ``data/reference`` is missing or altered.
    """
    return {"backtest": _backtest(), "predictive": _predictive(), "calibration": _calibration()}


def _backtest() -> Table:
    found = load_table("reference/backtest")
    found = found[(found["part"] == "all")]
    years = f"{int(found['last_year'].iloc[0]) + 1} on"
    model = found[found["forecast"] == "model"].set_index("indicator")
    rows = [(indicator, name) for indicator in model.index for name in FORECASTS]
    found = found.set_index(["indicator", "forecast"])
    rows = [row for row in rows if row in found.index]
    held = found.loc[rows]
    frame = pd.DataFrame(
        {
            "Error of the model over that of the rival": held["model_ratio"],
            "Standard error": held["model_ratio_se"],
            "The model is": held["model_is"],
            "Model: share within its 90% interval": model.loc[[row[0] for row in rows], "coverage_90"].to_numpy(),
        }
    )
    frame.index = pd.Index([f"{label(indicator)}, against {FORECASTS[name]}" for indicator, name in rows])
    kinds = {"Error of the model over that of the rival": "number", "Standard error": "number", "The model is": "text"}
    return Table(
        "Forecasts of years the outcome model had not seen",
        "Indicator and rival forecast",
        headed(frame),
        kinds | {"Model: share within its 90% interval": "share"},
        note=f"Fitted to the years to {int(model['last_year'].iloc[0])}, scored on {years} by continuous ranked "
        "probability score: below 1 the model forecasts better than the rival, above 1 worse.",
    )


def _predictive() -> Table:
    found = load_table("reference/predictive_checks")
    found = found[(found["size"] == "all") & found["check"].isin(CHECKS)]
    frame = pd.DataFrame(
        {
            "Found": found["value"],
            "From": found["expected_low"],
            "To": found["expected_high"],
            "Result": found["passed"].map({1: "passed", 0: "FAILED"}),
        }
    ).set_index(pd.Index([f"{label(row.indicator)}: {CHECKS[str(row.check)]}" for row in found.itertuples()]))
    return Table(
        "Counts against what the fitted model would have said of each without it",
        "Check",
        headed(frame),
        {"Found": "number", "From": "number", "To": "number", "Result": "text"},
        note="From and to: where a right model's value lies in 99 of 100 cases if counts are independent.",
    )


def _calibration() -> Table:
    found = load_table("reference/calibration_small_models")
    grouped = found.groupby("model", sort=False)
    frame = pd.DataFrame(
        {
            "Parameters checked": grouped["passed"].size(),
            "Passed": grouped["passed"].sum(),
            "Replications each": grouped["replications"].min(),
            "Share within 50% intervals": grouped["coverage_50"].mean(),
            "Share within 90% intervals": grouped["coverage_90"].mean(),
        }
    ).rename(index=label)
    counts = dict.fromkeys(["Parameters checked", "Passed", "Replications each"], "count")
    return Table(
        "Calibration by simulation: does a model find what it was made from as often as it says?",
        "Model",
        headed(frame),
        counts | dict.fromkeys(["Share within 50% intervals", "Share within 90% intervals"], "share"),
    )
