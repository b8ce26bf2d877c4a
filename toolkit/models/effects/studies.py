"""The studies of effect that may be pooled, one row per study, on one scale.

A study that reports no number enters as an interval in multiples of its own standard error, so that it
is neither dropped nor counted as zero. Which rows may be used, and which may not be pooled together, is set in tables
of the register, not in code.
"""

import math
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any

import numpy as np
import pandas as pd

from toolkit.models.effects.new_studies import LOG_SCALES, check_cited, check_inside, check_studies
from toolkit.models.effects.scales import LOG_RISK_RATIO, SIGNIFICANT, to_common_scale
from toolkit.schema import InputError
from toolkit.tabular import excerpt

Register = Mapping[str, pd.DataFrame]
Row = Mapping[Any, Any]
ErrorPrior = tuple[dict[str, float], float]  # median by design, log standard deviation

OPEN = 50.0  # where an open interval is cut off, in standard errors
FINDINGS = {  # of a log risk ratio; mirrored for attainment, where benefit is positive
    "not_significant": (-SIGNIFICANT, SIGNIFICANT),
    "benefit": (-OPEN, 0.0),
    "harm": (0.0, OPEN),
    "significant_benefit": (-OPEN, -SIGNIFICANT),
    "significant_harm": (SIGNIFICANT, OPEN),
}
PANEL_ONLY = "spend_elasticity"  # a family of effects of spending, which inform the panel source
COLUMNS = [
    *("outcome", "study", "programme", "programme_family", "design", "scale"),
    *("effect", "se", "se_log_sd", "bias_mean", "bias_sd", "lower", "upper"),
]


def study_table(
    register: Register,
    *,
    mixed: bool = False,
    exclude: Collection[str] = (),
    extra: pd.DataFrame | None = None,
    admit: Collection[str] = (),
    own_rates: bool = False,
) -> pd.DataFrame:
    """Return the studies of every outcome, one row per study, on the common scale.

    Parameters
    ----------
    register
        Tables by name: ``meta_ready``, ``effects``, ``design_bias``, ``null_studies`` and
        ``outcome_scales``.
    mixed
        Admit family group conferencing to the pool for care, as part of a mixed offer instead of broad early help.
    exclude
        Studies to leave out, by id.
    extra
        New studies: rows like those of ``meta_ready``, optionally with ``low``, ``high`` and ``interval_level``.
    admit
        Designs to admit as well as those admitted by default, as in ``("pre_post",)``.
    own_rates
        Convert an odds ratio to a risk ratio at the rate of its own study, if published, instead of the rate of the
        children served. This is a sensitivity analysis: it assumes that risk ratios are the same at any risk.

    Returns
    -------
    pandas.DataFrame
        Columns ``COLUMNS``. Studies of one outcome with the same ``programme`` evaluate one programme; any other study
        has its own. A study without a number has an interval instead of an effect, lower to upper, in
        multiples of its standard error; that error is then log-normal with median ``se`` and log
        standard deviation ``se_log_sd``. ``attrs["left_out"]`` gives the rows left out and the reasons.

    Raises
    ------
    InputError
        As `studies` and `check_studies`; a new study that would be left out; an excluded study that is in no pool.
    """
    outcomes = list(register["outcome_scales"]["outcome"])
    if extra is not None:
        check_studies(extra, register)
    options: dict[str, Any] = {
        "mixed": mixed,
        "exclude": exclude,
        "extra": extra,
        "admit": admit,
        "own_rates": own_rates,
    }
    parts = [studies(register, outcome, **options) for outcome in outcomes]
    left_out = {study: why for part in parts for study, why in part.attrs["left_out"].items()}
    for part in parts:
        part.attrs = {}
    table = pd.concat([part for part in parts if len(part)], ignore_index=True)
    table.attrs["left_out"] = left_out
    for study in () if extra is None else extra["effect_id"]:
        if study in left_out and study not in exclude:
            raise InputError(f"study {study}: would not be used ({left_out[study]}).", fix="change that, or drop it.")
    known = sorted({*table["study"], *left_out})
    for study in set(exclude) - set(known):
        near = get_close_matches(study[:60], known, 1)
        fix = f"did you mean {near[0]}?" if near else "take it off the list."
        raise InputError(f"left out: the study '{excerpt(study)}' is in no pool.", fix=fix)
    return table


def study_list(register: Register, **pooling: Any) -> pd.DataFrame:
    """Return every study of the evidence, and whether it is used.

    Parameters
    ----------
    register
        As for `study_table`.
    **pooling
        Arguments of `study_table`.

    Returns
    -------
    pandas.DataFrame
        The pooled studies as in `study_table`, then the others with outcome, study and design. ``stays_out`` is the
        reason why a study is left out, empty if it is used. A study of an outcome without a row in
        ``outcome_scales`` is left out too.
    """
    pooled = study_table(register, **pooling)
    pairs = set(zip(pooled["outcome"], pooled["study"], strict=True))
    modelled, known = set(register["outcome_scales"]["outcome"]), pooled.attrs["left_out"]
    rest = []
    for table, reason in (("meta_ready", "note"), ("null_studies", "reason")):
        for row in register[table].to_dict("records"):
            study, outcome = row["effect_id"], row["outcome"]
            if (outcome, study) in pairs:
                continue
            why = row[reason] if isinstance(row[reason], str) else ""
            if row["include"] == 1 and outcome not in modelled:
                why = f"no effect on {outcome} is modelled" + (f"; {why}" if why else "")
            elif row["include"] == 1:
                why = known[study]
            rest.append({"outcome": outcome, "study": study, "design": row["design"], "stays_out": why})
    pooled.attrs = {}
    listed = pd.concat([pooled.assign(stays_out=""), pd.DataFrame(rest)], ignore_index=True)
    text = listed.columns.difference(["effect", "se", "se_log_sd", "bias_mean", "bias_sd", "lower", "upper"])
    return listed.fillna(dict.fromkeys(text, ""))


def studies(
    register: Register,
    outcome: str,
    *,
    mixed: bool = False,
    exclude: Collection[str] = (),
    extra: pd.DataFrame | None = None,
    admit: Collection[str] = (),
    own_rates: bool = False,
) -> pd.DataFrame:
    """Return the studies of one outcome on the common scale; the arguments are those of `study_table`.

    Raises
    ------
    InputError
        Two rows that must not be pooled together, a row that must never be pooled, a superseded row, an
        unknown design, an estimate outside its interval, and all that `to_common_scale` refuses.
    """
    target = _outcome_row(register["outcome_scales"], outcome)
    numbers = _included(register["meta_ready"], outcome)
    if extra is not None:
        numbers = pd.concat([numbers, _included(extra, outcome)], ignore_index=True)
    nulls = _included(register["null_studies"], outcome)
    effects = register["effects"].set_index("id")
    nulls = nulls.assign(programme_family=nulls["effect_id"].map(effects["programme_family"]))
    barred = set(exclude), _barred_designs(register["design_bias"]) - set(admit)
    targeted = None if mixed else target["broad_offer_excludes"]
    left_out = _left_out(pd.concat([numbers, nulls]), *barred, targeted)
    numbers, nulls = (rows[~rows["effect_id"].isin(list(left_out))] for rows in (numbers, nulls))
    _refuse(pd.concat([numbers, nulls]), effects)
    prior = _error_prior(register["meta_ready"], target["scale"])
    rows = [_measured(row, _at_rate(row, target, effects, own_rates), effects) for row in numbers.to_dict("records")]
    rows += [
        _unmeasured(row, _at_rate(row, target, effects, own_rates), effects, prior) for row in nulls.to_dict("records")
    ]
    table = pd.DataFrame([_biased(row, register["design_bias"]) for row in rows], columns=COLUMNS)
    table.attrs["left_out"] = left_out
    return table


def _outcome_row(scales: pd.DataFrame, outcome: str) -> Row:
    for row in scales.to_dict("records"):
        if row["outcome"] == outcome:
            return row
    raise InputError(
        f"outcome_scales: no row for the outcome '{outcome}'.", fix=f"add one to {list(scales['outcome'])}."
    )


def _included(table: pd.DataFrame, outcome: str) -> pd.DataFrame:
    included = table["include"] if "include" in table else pd.Series(1, table.index)
    return table[(table["outcome"] == outcome) & (included == 1)]


def _barred_designs(bias: pd.DataFrame) -> set[str]:
    admitted = bias["admitted_by_default"].astype(str).str.lower().isin(["true", "1", "1.0", "yes"])
    return set(bias.loc[~admitted, "design"])


def _left_out(rows: pd.DataFrame, exclude: set[str], designs: set[str], family: str | None) -> dict[str, str]:
    """Return the reason for each study that is left out."""
    why = {}
    for row in rows.to_dict("records"):
        if row["effect_id"] in exclude:
            why[row["effect_id"]] = "excluded by the scenario"
        elif family == row["programme_family"]:
            why[row["effect_id"]] = "only in the pool of a mixed offer"
        elif row["design"] in designs:
            why[row["effect_id"]] = f"design {row['design']} is not admitted by default"
    return why


def _refuse(rows: pd.DataFrame, effects: pd.DataFrame) -> None:
    """Refuse rows that may not be pooled at all, or not together with another of these."""
    groups: dict[str, str] = {}
    for row in rows.to_dict("records"):
        study = row["effect_id"]
        cited = effects.loc[study].to_dict() if study in effects.index else {}
        if study.startswith("DER_") or cited.get("poolable", 1) == 0 or row["programme_family"] == PANEL_ONLY:
            raise InputError(f"study {study}: must never be pooled with programmes.", fix="set include to 0.")
        for newer in (row.get("superseded_by"), cited.get("superseded_by")):
            if isinstance(newer, str) and newer:
                raise InputError(f"study {study}: superseded by {newer}.", fix="pool that row instead.")
        pooled_apart = (row.get("do_not_pool"), cited.get("do_not_pool"))
        for group in {study, *(name for name in pooled_apart if isinstance(name, str) and name)}:
            if group in groups:
                raise InputError(
                    f"studies {groups[group]} and {study}: must not be pooled together ({group}).",
                    fix="set include to 0 for one of them, or exclude it in the scenario.",
                )
            groups[group] = study


def _at_rate(row: Row, target: Row, effects: pd.DataFrame, own: bool) -> Row:
    """Return the row of the outcome with the rate at which this study's odds ratio is converted."""
    published = effects["control_rate"].get(row["effect_id"], math.nan)
    rate = next((rate for rate in (row.get("base_rate"), published) if rate is not None and not pd.isna(rate)), None)
    log_ratio = target["scale"] == LOG_RISK_RATIO
    return {**target, "base_rate": rate} if own and log_ratio and rate is not None and 0 < rate < 1 else target


def _measured(row: Row, target: Row, effects: pd.DataFrame) -> dict[str, Any]:
    study = row["effect_id"]
    if study in effects.index:
        cited = effects.loc[study].to_dict()
        check_inside(cited["value"], cited["low"], cited["high"], f"effects {study}")
        check_cited(row, cited, f"study {study}")
    effect, se = to_common_scale(
        row["est"], row["se"], str(row["scale"]), target["scale"], target["base_rate"], row=f"study {study}"
    )
    numbers = {"effect": effect, "se": se, "se_log_sd": 0.0, "lower": np.nan, "upper": np.nan}
    return {**_common(row, target), **numbers}


def _unmeasured(row: Row, target: Row, effects: pd.DataFrame, prior: ErrorPrior) -> dict[str, Any]:
    study, name = row["effect_id"], f"null_studies {row['effect_id']}"
    if row["finding"] not in FINDINGS:
        raise InputError(f"{name}: unknown finding {row['finding']!r}.", fix=f"use one of {list(FINDINGS)}.")
    if study not in effects.index:
        raise InputError(f"{name}: no such row in effects.", fix="add the study there first.")
    if pd.notna(effects.loc[study, "value"]):
        raise InputError(f"{name}: effects holds a number for it.", fix="enter it in meta_ready instead.")
    lower, upper = FINDINGS[row["finding"]]
    if target["scale"] != LOG_RISK_RATIO:
        lower, upper = -upper, -lower
    se, spread = _null_error(row, target, prior, name)
    numbers = {"effect": np.nan, "se": se, "se_log_sd": spread, "lower": lower, "upper": upper}
    return {**_common(row, target), **numbers}


def _null_error(row: Row, target: Row, prior: ErrorPrior, name: str) -> tuple[float, float]:
    """Return the standard error of a study without a number, from its arms or else from its design.

    From the arms it is that of a log odds ratio at the study's rate, converted as other odds ratios are.
    """
    arms = [row["n_treated"], row["n_control"]]
    if pd.isna(arms).any():
        centre, spread = prior
        return centre.get(row["design"], centre["all"]), spread
    if target["scale"] != LOG_RISK_RATIO:
        return math.sqrt(sum(1 / size for size in arms)), 0.0
    rate = row["base_rate"]
    if not 0 < rate < 1:
        raise InputError(f"{name}: base rate {rate} is not between 0 and 1.", fix="give a proportion.")
    odds = math.sqrt(sum(1 / (rate * (1 - rate) * size) for size in arms))
    return to_common_scale(0.0, odds, "log_odds", target["scale"], target["base_rate"], row=name)[1], 0.0


def _error_prior(meta_ready: pd.DataFrame, scale: str) -> ErrorPrior:
    """Return the log-normal prior of a standard error: its median by design, its log spread over all designs.

    One design has too few studies to estimate its own spread; a design without any takes the median of all.
    """
    kinds = LOG_SCALES if scale == LOG_RISK_RATIO else ("hedges_g",)
    programmes = meta_ready["programme_family"] != PANEL_ONLY
    rows = meta_ready[meta_ready["scale"].isin(kinds) & (meta_ready["se"] > 0) & programmes]
    logs = np.log(rows.drop_duplicates("effect_id").set_index("design")["se"])
    centre = np.exp(logs.groupby(level=0).mean()).to_dict()
    return {**centre, "all": math.exp(logs.mean())}, float(logs.std())


def _common(row: Row, target: Row) -> dict[str, Any]:
    own = row.get("design_bias_sd", 0.0)
    labels = {key: row.get(key, "") for key in ("programme_family", "design")}
    shared = row.get("shared_programme", "")
    programme = shared if isinstance(shared, str) and shared else row["effect_id"]
    identity = {
        "outcome": target["outcome"],
        "study": row["effect_id"],
        "programme": programme,
        "scale": target["scale"],
    }
    return {**identity, **labels, "bias_sd": own}


def _biased(row: dict[str, Any], bias: pd.DataFrame) -> dict[str, Any]:
    """Add the bias of the design; a row with a wider bias of its own (a proxy measure) keeps it."""
    biases = bias[(bias["design"] == row["design"]) & (bias["scale"] == row["scale"])]
    if biases.empty:
        raise InputError(
            f"design_bias: no design '{row['design']}' on {row['scale']}, for {row['study']}.", fix="add it."
        )
    own = 0.0 if pd.isna(row["bias_sd"]) else float(row["bias_sd"])
    return {**row, "bias_mean": float(biases["mean"].iloc[0]), "bias_sd": max(float(biases["sd"].iloc[0]), own)}
