"""How far the models can be trusted: the committed checks, as tables of the report and the workbook.

The checks take minutes to hours, so they are not part of a run: ``outcomes check`` and ``outcomes evidence
calibrate`` write their results, failures included, into ``data/reference``.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import stats

from toolkit.evidence import load_table, outdated
from toolkit.measures import outlook_check, own_care
from toolkit.measures.tables import Table, plain
from toolkit.measures.words import inside, label, listed, number, percent
from toolkit.schema import CANNOT_BE_DETERMINED

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


CALIBRATED = {
    "reference/calibration_small_models": "pooled prices",
    "reference/calibration_programmes": "effects by programme",
    "reference/calibration_outcomes": "the outcome model",
    "reference/calibration_spend_error": "the outcome model with error in spending",
    "reference/calibration_placement_prices": "placement prices",
    "reference/calibration_pathway": "the pathway through social care",
}
SCALED = ("spend_within", "spend_between", "persistence", "dispersion")  # rows of the table; the words count all
PUBLISHED_NOTE = (
    "England, default scenario; from and to: 90% interval. Same scope: full, or in part. Made by the command: outcomes "
    "evidence reconcile."
)
UNKNOWN = "not recorded"
MEASURED = {"own_care": ("reference/own_care", own_care), "outlook": ("reference/outlook_backtest", outlook_check)}
DATA_ALONE = "rests on the data"
# Uncertain: areas differ too much. Cannot be determined: more draws could change the verdict.
VERDICTS = {
    "worse": "worse",
    "uncertain": "no better as far as can be determined",
    CANNOT_BE_DETERMINED: "on the edge of what can be determined",
    "better": "better",
}
RANGE = {"From": "expected_low number", "To": "expected_high number"}
MONEY = {"Published": "published", "Ours": "ours", "From": "low", "To": "high"}
UNDETERMINED = "cannot be determined"
PASSED = {"passed": "passed", "failed": "FAILED", CANNOT_BE_DETERMINED: UNDETERMINED}
EDGE = "Cannot be determined: within two Monte Carlo errors of an end."
SURE = 0.99  # of the range in which the share of counts within their intervals is taken for chance


def predictive_checks() -> pd.DataFrame:
    """Return the outcome model's checks beside its own data, those of all areas together."""
    table = load_table("reference/predictive_checks")
    return table[(table["size"] == "all") & table["check"].isin(CHECKS)]


def reliability() -> dict[str, Table]:
    """Return the tables of the committed checks, by name.

    Raises
    ------
    InputError
        If a table of ``data/reference`` is missing or altered.
    """
    builders = {"backtest": _backtest, "predictive": _predictive, "calibration": _calibration}
    builders |= {"scaling": _scaling, "pathway": _pathway, "published": _published}
    measured = {name: measure.table(load_table(path)) for name, (path, measure) in MEASURED.items()}
    return {name: build() for name, build in builders.items()} | measured


def sentences() -> list[str]:
    """Return the results of the committed checks in words, failures first."""
    failures = {"forecast": _forecast_words(), "coverage": _coverage_words(), "fit": _fit_words()}
    failures |= {"pathway": _pathway_words()}
    failures |= {name: measure.words(load_table(path)) for name, (path, measure) in MEASURED.items()}
    failures |= {"calibration": _calibration_words()}
    rest = [_version_words(), _scaling_words(), _published_words()]
    failing = [words for words, failing in failures.values() if failing]
    sound = [words for words, failing in failures.values() if not failing]
    lead = "Not everywhere; the failures come first." if failing else "As far as these checks go, yes."
    return [lead, *failing, *sound, *rest]


def _version_words() -> str:
    """Return which committed checks and fits are from an earlier version of code or data, and how to run them again."""
    sentences = []
    for differs, rows in outdated().groupby("differs"):
        by = [
            f"{listed([inside(name) for name in part['made']])} (run: {command})"
            for command, part in rows.groupby("command")
        ]
        lead = (
            "The version of these was not recorded"
            if differs == UNKNOWN
            else f"Made on an earlier version of {differs}"
        )
        sentences.append(f"{lead}: {'; '.join(by)}.")
    return " ".join(sentences) or "All of them were made with the code and on the data of this run."


def _forecast_words() -> tuple[str, bool]:
    scores = load_table("reference/backtest").query("part == 'all' and forecast != 'model'")
    sentences = [
        f"For the years after {int(scores['last_year'].iloc[0])}, which it had not seen, the outcome model's "
        "forecasts compare as follows with rules that need no model."
    ]
    for rival, rows in scores.groupby("forecast", sort=False):
        by = {verdict: [inside(name) for name in part["indicator"]] for verdict, part in rows.groupby("model_is")}
        verdicts = [f"{VERDICTS[verdict]} for {listed(by[verdict])}" for verdict in VERDICTS if verdict in by]
        sentences.append(f"Against {FORECASTS[str(rival)]}: {'; '.join(verdicts)}.")
    return " ".join(sentences), bool((scores["model_is"] != "better").any())


def _coverage_words() -> tuple[str, bool]:
    scores = load_table("reference/backtest").query("part == 'all' and forecast == 'model'")
    tail = (1 - SURE) / 2
    low, high = (stats.binom.ppf(end, scores["cells"], 0.9) / scores["cells"] for end in (tail, 1 - tail))
    covered = [f"{inside(row.indicator)} {percent(float(str(row.coverage_90)))}" for row in scores.itertuples()]
    margin = np.minimum(scores["coverage_90"] - low, high - scores["coverage_90"])
    near = margin.abs() <= 2 * scores["coverage_90_mcse"]  # two Monte Carlo errors: more draws could tip it
    off, edge = (
        [text for text, is_chosen in zip(covered, chosen, strict=True) if is_chosen]
        for chosen in ((margin < 0) & ~near, near)
    )
    lead = f"Of those years' counts nine in ten should lie within its 90% intervals. Held: {listed(covered)}"
    unsure = f" On the edge of that: {listed(edge)}." if edge else ""
    return f"{lead}. Further off than chance allows: {listed(off) if off else 'none'}.{unsure}", bool(off)


def _fit_words() -> tuple[str, bool]:
    checks = predictive_checks()
    failed, near = (checks[checks["verdict"] == verdict] for verdict in ("failed", CANNOT_BE_DETERMINED))
    lead = f"Beside its own data the model passes {int((checks['verdict'] == 'passed').sum())} of {len(checks)} checks."
    missed, unsure = (
        [
            f"{CHECKS[str(name)]} ({listed([inside(indicator) for indicator in rows['indicator']])})"
            for name, rows in part.groupby("check", sort=False)
        ]
        for part in (failed, near)
    )
    high = failed[failed["value"] > failed["expected_high"]]
    half, most = (set(high.loc[high["check"] == name, "indicator"]) for name in ("coverage_50", "coverage_90"))
    if jumps := [inside(name) for name in sorted(half - most)]:
        missed[-1] += (
            f". Of {listed(jumps)} too many counts lie near the middle while no fewer lie far out: changes are small "
            "in most areas and years and large in a few, as when recording changes, and one normal spread for all "
            "makes most intervals too wide rather than too narrow"
        )
    sentence = f" Failed: {'; '.join(missed)}." if missed else ""
    sentence += f" Too near the threshold to be determined: {'; '.join(unsure)}." if unsure else ""
    return lead + sentence, bool(missed)


def _scaling_words() -> str:
    scaled = load_table("reference/power_scaling")
    still, near = (int((scaled["diagnosis"] == diagnosis).sum()) for diagnosis in (DATA_ALONE, CANNOT_BE_DETERMINED))
    moved = scaled[~scaled["diagnosis"].isin((DATA_ALONE, CANNOT_BE_DETERMINED))]
    named = [f"{inside(name)} ({len(rows)})" for name, rows in moved.groupby("parameter", sort=False)]
    spend = scaled[scaled["parameter"].isin(("spend_within", "spend_between"))]
    return (
        f"Were its priors a little stronger or weaker, {still} of {len(scaled)} quantities of the outcome model would "
        f"hardly move{f'; for {near} it cannot be determined' if near else ''}; the others, with how many indicators: "
        f"{listed(named) if named else 'none'}. "
        f"Associations with spending rest on the data in {int((spend['diagnosis'] == DATA_ALONE).sum())} of "
        f"{len(spend)} cases."
    )


def spending_words() -> str:
    """Return how much the error in returned spending matters for the association within areas."""
    fits = load_table("reference/spend_error")
    mean, spread = (fits.pivot(index="indicator", columns="spending", values=name) for name in ("mean", "sd"))
    shifts = mean.drop(columns="returned").sub(mean["returned"], axis=0).div(spread["returned"], axis=0).abs().stack()
    at, worst = shifts.index[int(np.argmax(shifts.to_numpy()))]
    ends = [number(mean[name].to_dict()[at], 3) for name in ("returned", worst)]
    short = "" if fits["converged"].all() else " The fits compared fell short of a check of convergence."
    return (
        f"Of the movements of returned spending within an area {percent(1 - float(fits['reliability'].iloc[0]))} are "
        f"taken for error that passes. Allowing for it moves the association with outcomes by "
        f"{number(shifts.to_numpy().max(), 2)} of its standard deviation at most ({inside(at)}: an elasticity of "
        f"{ends[1]} instead of {ends[0]}). Error that lasts cannot be seen in these data.{short}"
    )


def _pathway_words() -> tuple[str, bool]:
    figures = load_table("reference/pathway_checks")
    passed = [
        f"{int((rows['verdict'] == 'passed').sum())} of {len(rows)}"
        + (f" ({near} cannot be determined)" if (near := int((rows["verdict"] == CANNOT_BE_DETERMINED).sum())) else "")
        for rows in (figures.query("fitted == 1"), figures.query("fitted == 0"))
    ]
    return (
        f"The pathway through social care, from birth to eighteen, meets {passed[0]} published figures that it is "
        f"fitted to, and {passed[1]} that were held out."
    ), bool((figures["verdict"] == "failed").any())


def _calibration_words() -> tuple[str, bool]:
    sentences, failed = [], False
    for name, which in CALIBRATED.items():
        parameters = load_table(name)
        times = int(parameters["replications"].min())
        missed, unsure = (
            [
                f"{inside(row.parameter)} of {inside(row.pool)}"
                for row in parameters[parameters["verdict"] == verdict].itertuples()
            ]
            for verdict in ("failed", CANNOT_BE_DETERMINED)
        )
        failed |= bool(missed)
        more = f"; not: {listed(missed)}" if missed else ""
        more += f"; cannot be determined: {listed(unsure)}" if unsure else ""
        passed = len(parameters) - len(missed) - len(unsure)
        sentences.append(f"{passed} of {len(parameters)} for {which} ({times:,} simulations each{more})")
    lead = (
        "Fitted to data simulated from itself, a model should cover the truth as often as its intervals claim. Passed"
    )
    return f"{lead}: {listed(sentences)}.", failed


def _published_words() -> str:
    totals = load_table("reference/reconciliation").dropna(subset=["ratio"])
    whole = totals[totals["alike"] == "full"]
    ends = f"{number(whole['ratio'].min(), 2)} to {number(whole['ratio'].max(), 2)}"
    return (
        f"{len(totals)} published totals can be set beside ours, {len(whole)} of them of the same scope, to which ours "
        f"stand as {ends} to 1. Why they differ is in the table."
    )


def _table(
    title: str, rows: str, source: pd.DataFrame, columns: Mapping[str, str], names: list[str], note: str
) -> Table:
    """Return columns of a committed table, each given as "<column> <kind>" under its heading."""
    parts = {heading: how.split() for heading, how in columns.items()}
    values = {heading: (source[name].to_numpy(), kind) for heading, (name, kind) in parts.items()}
    return plain(title, rows, values, names, note)


def _backtest() -> Table:
    scores = load_table("reference/backtest").query("part == 'all'")
    covered = scores[scores["forecast"] == "model"].set_index("indicator")["coverage_90"]
    rivals = scores[scores["forecast"].isin(FORECASTS)]
    columns = {
        "Error of the model over that of the rival": "model_ratio number",
        "Standard error": "model_ratio_se number",
        "The model is": "model_is text",
        "Model: share within its 90% interval": "covered share",
    }
    names = [f"{label(row.indicator)}, against {FORECASTS[str(row.forecast)]}" for row in rivals.itertuples()]
    rivals = rivals.assign(covered=rivals["indicator"].map(covered))
    title, last = "Forecasts of years the outcome model had not seen", int(scores["last_year"].iloc[0])
    note = (
        f"Fitted to the years to {last}, scored on {last + 1} on by continuous ranked probability score: below 1 the "
        "model forecasts better than the rival, above 1 worse."
    )
    return _table(title, "Indicator and rival forecast", rivals, columns, names, note)


def _predictive() -> Table:
    checks = predictive_checks()
    checks = checks.assign(verdict=checks["verdict"].map(PASSED))
    names = [f"{label(row.indicator)}: {CHECKS[str(row.check)]}" for row in checks.itertuples()]
    columns = {"Value": "value number", **RANGE, "Result": "verdict text"}
    title = "Counts against the fitted model's prediction of each without it"
    note = "From and to: where the value of a correct model lies in 99 of 100 cases if counts are independent."
    return _table(title, "Check", checks, columns, names, f"{note} {EDGE}")


def _calibration() -> Table:
    parameters = pd.concat([load_table(name) for name in CALIBRATED]).assign(checked=1)
    parameters = parameters.assign(
        passed=parameters["verdict"] == "passed", near=parameters["verdict"] == CANNOT_BE_DETERMINED
    )
    how = {"checked": "sum", "passed": "sum", "near": "sum", "replications": "min"}
    how |= {"coverage_50": "mean", "coverage_90": "mean"}
    grouped = parameters.groupby("model", sort=False).agg(how)
    columns = {
        "Parameters checked": "checked count",
        "Passed": "passed count",
        "Cannot be determined": "near count",
        "Replications each": "replications count",
        "Share within 50% intervals": "coverage_50 share",
        "Share within 90% intervals": "coverage_90 share",
    }
    title = "Calibration by simulation: do intervals cover the simulated truth as often as they claim?"
    notes = [f"{label(model)}: {rows['settings'].iloc[0]}." for model, rows in parameters.groupby("model", sort=False)]
    return _table(title, "Model", grouped, columns, [label(name) for name in grouped.index], " ".join(notes))


def _scaling() -> Table:
    scaled = load_table("reference/power_scaling")
    scaled = scaled[scaled["parameter"].isin(SCALED)]
    names = [f"{label(row.indicator)}: {inside(row.parameter)}" for row in scaled.itertuples()]
    columns = {"Prior": "prior number", "Data": "likelihood number", "Noise": "noise number"}
    columns |= {"Spread over the prior's": "prior_ratio number", "So it": "diagnosis text"}
    note = "How far the quantity moves as its indicator's priors, or data, are given more weight; above 0.05 counts."
    return _table("How far the outcome model rests on its priors", "Quantity", scaled, columns, names, note)


def _pathway() -> Table:
    figures = load_table("reference/pathway_checks")
    figures = figures.assign(
        fitted=figures["fitted"].map({1: "yes", 0: "held out"}), verdict=figures["verdict"].map(PASSED)
    )
    columns = {"Published": "published figure", "Model": "mean figure", "From": "expected_low figure"}
    columns |= {"To": "expected_high figure", "Fitted to": "fitted text", "Result": "verdict text"}
    names = [f"{label(row.output)} ({row.figure})" for row in figures.itertuples()]
    title = "The pathway through social care beside published figures"
    note = "From and to: where the model, with its error, puts nine in ten of such figures."
    return _table(title, "Figure", figures, columns, names, f"{note} {EDGE}")


def _published() -> Table:
    totals = load_table("reference/reconciliation").dropna(subset=["ratio"])
    names = [f"{row.metric} ({row.id})" for row in totals.itertuples()]
    columns = {heading: f"{name} money" for heading, name in MONEY.items()} | {"Ours over it": "ratio number"}
    columns |= {"Prices of": "price_year text", "Same scope": "alike text", "Why they differ": "reason text"}
    table = _table("Our figures beside published totals", "Total", totals, columns, names, PUBLISHED_NOTE)
    kinds = ["money" if unit.startswith("GBP") else "number" for unit in totals["unit"]]
    by_row = {heading: "by row" if heading in MONEY else columns[heading].split()[1] for heading in columns}
    return replace(table, kinds=by_row, row_kinds=dict(zip(names, kinds, strict=True)))
