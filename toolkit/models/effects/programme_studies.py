"""Studies of programmes on one scale: what each says about the programme that it evaluates, and how surely.

A study without a number enters as an interval in multiples of its own standard error; a standard error of which only a
bound is published is unknown below that bound. Neither is dropped, nor counted as zero or as the bound itself.
"""

import math
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd

from toolkit.models.effects.scales import LOG_RISK_RATIO, SIGNIFICANT, STANDARDISED, scale_of, to_hazard_scale
from toolkit.models.prior_rows import shape_of
from toolkit.schema import EFFECT_OUTCOMES, InputError
from toolkit.tabular import excerpt

Register = Mapping[str, pd.DataFrame]
Row = Mapping[Any, Any]

OPEN = 50.0  # where an open interval is cut off, in standard errors
FINDINGS = {  # of an event; mirrored for attainment, where benefit is positive
    "not_significant": (-SIGNIFICANT, SIGNIFICANT),
    "benefit": (-OPEN, 0.0),
    "harm": (0.0, OPEN),
}
PUBLISHED = ("published_ci", "published_se", "derived_counts")  # errors that are estimates, not bounds
RANDOMISED = ("rct", "cluster_rct")
WHOLE = ("school_itt", "area_itt")  # everyone at a school or in an area counts, served or not
UNITED_KINGDOM = ("England", "Wales", "Scotland", "UK")
EXAM_AGE = 16  # an effect on attainment that is measured at this age is applied there and never fades


def programme_studies(
    register: Register, *, exclude: Collection[str] = (), admit: Collection[str] = (), scope: str = "all"
) -> pd.DataFrame:
    """Return the studies that the model of programmes uses, one row each, on the scale of hazards.

    Parameters
    ----------
    register
        Tables by name: ``programmes``, ``programme_effects``, ``design_bias`` and ``priors``.
    exclude
        Studies to leave out, by ``effect_id``.
    admit
        Designs to admit as well as those admitted by default, as in ``("pre_post",)``.
    scope
        "all"; "randomised" trials alone; "served", without those that count everybody at a school or in an area; or the
        name of a type of programme, such as "keyworker".

    Returns
    -------
    DataFrame
        ``study``, ``programme``, ``programme_type``, ``outcome``, ``evaluation``, ``design``; ``effect`` and ``se``,
        log hazard ratio or standardised mean difference, ``effect`` blank for a finding without a number, which then
        lies between ``lower`` and ``upper`` times its standard error; where ``se_log_sd`` is above 0 the error is
        log-normal around ``se``, cut at ``se_most``; ``bias_mean`` and ``bias_sd`` of the design; ``take_up_first`` and
        ``take_up_second``, shapes of the beta distribution of the share served, blank where all are;
        ``follow_up`` years; ``at_16``, ``uk`` and ``independent`` (in the UK, not led by its developer).

    Raises
    ------
    InputError
        An excluded study that is not in use, an unknown scope, a design without a row in ``design_bias``, a take-up of
        0, an error that is neither an estimate nor an upper bound, and all that `to_hazard_scale` refuses.
    """
    table = register["programme_effects"]
    used = table[(table["used"] == 1) & table["outcome"].isin(EFFECT_OUTCOMES)]
    unknown = sorted(set(exclude) - set(used["effect_id"]))
    if unknown:
        raise InputError(f"left out: {unknown[0]} is not a study in use.", fix="take it off the list.")
    bias = register["design_bias"]
    admitted = set(bias.loc[bias["admitted_by_default"] == 1, "design"]) | set(admit)
    used = used[~used["effect_id"].isin(list(exclude)) & used["design"].isin(sorted(admitted))].merge(
        register["programmes"][["programme", "programme_type"]]
    )
    used = used[_in_scope(used, scope)]
    errors = _usual_errors(table)
    unseen = shape_of(register["priors"], "programmes", "take_up_unknown")
    rows = [_study(row, bias, errors, unseen) for row in used.to_dict("records")]
    return pd.DataFrame(rows, columns=list(_COLUMNS)).astype(_COLUMNS)


def study_list(register: Register, **choice: Any) -> pd.DataFrame:
    """Return every study of a programme, and whether it is used.

    Parameters
    ----------
    register
        As for `programme_studies`.
    **choice
        Its other arguments.

    Returns
    -------
    DataFrame
        The studies in use as in `programme_studies`, then the others with study, programme, outcome and design;
        ``stays_out`` is why a study is not used, blank where it is.
    """
    used = programme_studies(register, **choice)
    table = register["programme_effects"]
    rest = table[~table["effect_id"].isin(used["study"])].rename(columns={"effect_id": "study"})
    why = rest["why_not"].mask(rest["why_not"] == "", "left out, or its design is not admitted by default")
    others = rest[["study", "programme", "outcome", "design"]].assign(stays_out=why)
    return pd.concat([used.assign(stays_out=""), others], ignore_index=True)


_COLUMNS = dict.fromkeys(("study", "programme", "programme_type", "outcome", "evaluation", "design"), object) | (
    dict.fromkeys(("effect", "se", "se_log_sd", "se_most", "lower", "upper", "bias_mean", "bias_sd"), float)
    | dict.fromkeys(("take_up_first", "take_up_second", "follow_up"), float)
    | {"at_16": bool, "uk": bool, "independent": bool}
)


def _in_scope(used: pd.DataFrame, scope: str) -> pd.Series:
    """Return which rows are in the scope of the evidence; the usual errors of studies still come from all."""
    scopes: dict[str, pd.Series] = {
        "all": pd.Series(True, used.index),
        "randomised": used["design"].isin(RANDOMISED),
        "served": ~used["estimand"].isin(WHOLE) | (used["take_up_low"] == 1),
    }
    scopes |= {str(kind): used["programme_type"] == kind for kind in sorted(set(used["programme_type"]))}
    if scope not in scopes:
        raise InputError(f"scope '{excerpt(scope)}': no such studies.", fix=f"use one of {', '.join(scopes)}.")
    return scopes[scope]


def _study(row: Row, bias: pd.DataFrame, errors: pd.DataFrame, unseen: tuple[float, float]) -> dict[str, Any]:
    name, scale = f"programme_effects {row['effect_id']}", scale_of(row["outcome"])
    designs = bias[(bias["design"] == row["design"]) & (bias["scale"] == scale)]
    if len(designs) != 1:
        raise InputError(f"{name}: no bias is stated for the design {row['design']}.", fix="add a row to design_bias.")
    numbers: dict[str, float]  # a direction may come with a number, but without its error
    numbers = (_unmeasured if pd.isna(row["se"]) else _measured)(row, scale, errors, name)
    first, second = _take_up(row, unseen, name)
    here = str(row["country"]).startswith(UNITED_KINGDOM)
    return {
        "study": row["effect_id"],
        **{key: row[key] for key in ("programme", "programme_type", "outcome", "evaluation", "design")},
        **numbers,
        "bias_mean": float(designs["mean"].iloc[0]),
        "bias_sd": float(np.fmax(designs["sd"].iloc[0], row["own_bias_sd"])),
        "take_up_first": first,
        "take_up_second": second,
        "follow_up": row["follow_up_months"] / 12,
        "at_16": row["measured_at_age"] == EXAM_AGE,
        "uk": here,
        "independent": row["developer_led"] == "no" and here,
    }


def _converted(row: Row, outcome: str, name: str) -> tuple[float, float]:
    """Return estimate and widened standard error on the scale of hazards, or that of attainment."""
    scale = "hedges_g" if row["scale"] == "smd" else str(row["scale"])
    return to_hazard_scale(row["est"], row["se"] * row["se_factor"], scale, outcome, row["control_risk"], row=name)


def _measured(row: Row, scale: str, errors: pd.DataFrame, name: str) -> dict[str, float]:
    effect, se = _converted(row, row["outcome"], name)
    known = {"effect": effect, "se": se, "se_log_sd": 0.0, "se_most": math.inf, "lower": math.nan, "upper": math.nan}
    if row["se_basis"] in PUBLISHED:
        return known
    if row["se_basis"] != "bound_significant":
        raise InputError(
            f"{name}: a standard error whose se_basis is {row['se_basis']} is no upper bound.",
            fix="leave estimate and error blank and give the finding.",
        )
    # Significance only bounds the error from above: take that of like studies, cut at the bound.
    median, spread = _usual(errors, scale, row["design"])
    return known | {"se": median, "se_log_sd": spread, "se_most": se}


def _unmeasured(row: Row, scale: str, errors: pd.DataFrame, name: str) -> dict[str, float]:
    lower, upper = FINDINGS[row["finding"]]
    if scale == STANDARDISED:
        lower, upper = -upper, -lower
    se, spread = _error_of_arms(row, scale) * row["se_factor"], 0.0
    if math.isnan(se):
        se, spread = _usual(errors, scale, row["design"])
    return {"effect": math.nan, "se": se, "se_log_sd": spread, "se_most": math.inf, "lower": lower, "upper": upper}


def _error_of_arms(row: Row, scale: str) -> float:
    """Return the standard error of a study under no effect from its arms and control risk, NaN if unpublished."""
    size = 1 / row["n_treated"] + 1 / row["n_control"]
    if scale == STANDARDISED:
        return math.sqrt(size)
    risk = row["control_risk"]
    # The delta method on log(-log(1 - risk)), whose variance in one arm is risk / ((1 - risk) n log(1 - risk)^2).
    return math.sqrt(size * risk / (1 - risk)) / -math.log1p(-risk) if 0 < risk < 1 else math.nan


def _take_up(row: Row, unseen: tuple[float, float], name: str) -> tuple[float, float]:
    """Return the shapes of the beta distribution of the share served; NaN where all are."""
    low, high = row["take_up_low"], row["take_up_high"]
    if row["estimand"] not in WHOLE or low == 1:
        return math.nan, math.nan
    if pd.isna(low):
        return unseen
    mean = (low + high) / 2
    spread = max((high - low) / (2 * SIGNIFICANT), 0.02)  # a survey's rounding, if it states no more
    strength = mean * (1 - mean) / spread**2 - 1
    if not strength > 0:
        raise InputError(
            f"{name}: a take-up of {low:g} to {high:g} is no share between 0 and 1.",
            fix="give both ends, or 1 and 1 if everyone takes part.",
        )
    return mean * strength, (1 - mean) * strength


def _usual_errors(table: pd.DataFrame) -> pd.DataFrame:
    """Return the logarithms of all estimated standard errors, on the scale of hazards: scale, design, log.

    Odds ratios without a control risk, which have no place on that scale, and slopes of spending are left out. An
    evaluation that gives an outcome on several scales, or at several times, counts once: the row in use, otherwise that
    of the longest follow-up.
    """
    rows = table[table["se_basis"].isin(PUBLISHED) & (table["se"] > 0) & (table["confidence"] != "C")]
    placed = rows["scale"].isin(["log_risk", "log_rate", "log_hazard"])
    placed |= (rows["scale"] == "log_odds") & rows["control_risk"].notna()
    rows = rows[(placed | (rows["scale"] == "smd")) & (rows["estimand"] != "per_spend")]
    rows = rows.sort_values(["used", "follow_up_months", "effect_id"], ascending=[False, False, True])
    rows = rows.drop_duplicates(["evaluation", "outcome"])
    scales = [STANDARDISED if scale == "smd" else LOG_RISK_RATIO for scale in rows["scale"]]
    errors = [
        _converted(row, scale, f"programme_effects {row['effect_id']}")[1]
        for row, scale in zip(rows.to_dict("records"), scales, strict=True)
    ]
    return pd.DataFrame({"scale": scales, "design": rows["design"], "log": np.log(errors)})


def _usual(errors: pd.DataFrame, scale: str, design: str) -> tuple[float, float]:
    """Return median and log spread of the standard errors of a design, of all designs if it has fewer than two.

    One design has too few studies to estimate its own spread, so that is the spread of all.
    """
    logs = errors.loc[errors["scale"] == scale, ["design", "log"]]
    own = logs.loc[logs["design"] == design, "log"]
    centre = own if len(own) > 1 else logs["log"]
    return math.exp(centre.mean()), float(logs["log"].std())
