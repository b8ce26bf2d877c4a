"""One scale for the effects of different studies.

Effects are log hazard ratios, where harm is positive and benefit negative, except attainment, which is
a standardised mean difference, where benefit is positive.
"""

import math

from scipy.special import expit, logit

from toolkit.schema import InputError

LOG_RISK_RATIO = "log_risk_ratio"
STANDARDISED = "standardised_mean_difference"
SIGNIFICANT = 1.96  # estimate over standard error, at 5 per cent
LOGISTIC_SD = math.pi / math.sqrt(3)  # a standardised difference times this is a log odds ratio
NATURAL = {"risk_ratio": "log_risk", "odds_ratio": "log_odds", "rate_ratio": "log_rate"}
SCALES = ("log_risk", "log_rate", "log_odds", "hedges_g", "risk_difference", *NATURAL)
LARGEST_RATIO = 5.0  # a larger ratio is more likely a percentage than an effect of help


def scale_of(outcome: str) -> str:
    """Return the common scale of an outcome; the name of a common scale is returned as it is."""
    if outcome in (LOG_RISK_RATIO, STANDARDISED):
        return outcome
    return STANDARDISED if outcome == "gcse_attainment" else LOG_RISK_RATIO


def _checked(estimate: float, se: float, scale: str, row: str) -> tuple[float, float, str]:
    if scale not in SCALES:
        raise InputError(
            f"{row}: unknown scale '{scale}'.",
            fix=f"use one of {', '.join(SCALES)}; a change of -20 per cent is log_risk ln(0.80) = -0.223.",
        )
    if not (math.isfinite(se) and se > 0):
        raise InputError(
            f"{row}: standard error {se} is not positive.", fix="correct it, or leave it blank and give the finding."
        )
    ratio = scale in NATURAL
    if not math.isfinite(estimate) or (ratio and not 1 / LARGEST_RATIO < estimate < LARGEST_RATIO):
        raise InputError(
            f"{row}: {scale} {estimate} looks like a percentage or a logarithm.", fix="give the ratio (0.70)."
        )
    if not ratio and abs(estimate) > math.log(LARGEST_RATIO):
        raise InputError(
            f"{row}: {scale} {estimate} is too large; it may be a ratio or a percentage.",
            fix="give the logarithm of the ratio, or name the scale odds_ratio or risk_ratio.",
        )
    return (math.log(estimate), se, NATURAL[scale]) if ratio else (estimate, se, scale)


def _helped_risk(value: float, kind: str, base: float) -> float:
    if kind == "risk_difference":
        return base + value
    if kind in ("log_risk", "log_rate"):
        return base * math.exp(value)
    return float(expit(logit(base) + value))


def to_hazard_scale(
    estimate: float, se: float, scale: str, outcome: str, control_risk: float, *, row: str = "a study row"
) -> tuple[float, float]:
    """Convert a published estimate to a log hazard ratio, or for attainment to a standardised mean difference.

    The pathway multiplies hazards, so an effect must not depend on how common an outcome was in the trial. A risk or
    odds ratio does: 0.70 as an odds ratio is a risk ratio of 0.81 and a hazard ratio of 0.76 at a control risk of 44.8
    per cent, but a hazard ratio of 0.70 at 2.5 per cent. Both arms' risks over the study's horizon are turned into
    cumulative hazards, -log(1 - risk), whose ratio is the hazard ratio if hazards are proportional [1]_.

    Parameters
    ----------
    estimate
        Effect, on ``scale``; ratios on their own scale or as logarithms.
    se
        Standard error; of a ratio, that of its logarithm. It is carried over by the delta method in both arms' risks,
        as if the arms were of equal size.
    scale
        One of ``SCALES`` or ``log_hazard``; rates of events are read as hazards.
    outcome
        Name of the outcome.
    control_risk
        Risk of the study's own comparison group over its own horizon, 0 to 1; NaN if not published: then a risk ratio
        is read as a hazard ratio, which is its limit at a low risk, and other scales are refused.
    row
        Name of the row for a message.

    Returns
    -------
    tuple of float
        Estimate and standard error.

    Raises
    ------
    InputError
        An unknown scale, a percentage given as a ratio, a standard error that is not positive, an odds ratio or
        difference of risks without a control risk, a rate outside 0 to 1, or a difference of means for an event.

    References
    ----------
    .. [1] Higgins et al. (2023), Cochrane Handbook, version 6.4, section 6.8.2 (hazard ratios and risks).
    """
    if scale == "log_hazard":
        return _checked(estimate, se, "log_rate", row)[:2]
    value, error, kind = _checked(float(estimate), float(se), scale, row)
    attainment = scale_of(outcome) == STANDARDISED
    if kind == "hedges_g":
        if attainment:
            return value, error
        raise InputError(f"{row}: a standardised mean difference of an event.", fix="give a ratio or counts.")
    if not attainment and (kind == "log_rate" or (kind == "log_risk" and math.isnan(control_risk))):
        return value, error
    if not 0 < control_risk < 1:
        raise InputError(f"{row}: control risk {control_risk} is not between 0 and 1.", fix="give a proportion.")
    helped = _helped_risk(value, kind, control_risk)
    if not 0 < helped < 1:
        raise InputError(
            f"{row}: {scale} {estimate} takes a control risk of {control_risk} to {helped:.3g}, which is not a rate.",
            fix="correct the estimate, its scale or the control risk.",
        )
    if attainment:
        change = float(logit(helped) - logit(control_risk))
        return change / LOGISTIC_SD, error * _stretch(kind, "log_odds", control_risk, helped) / LOGISTIC_SD
    hazard, usual = -math.log1p(-helped), -math.log1p(-control_risk)
    return math.log(hazard / usual), error * _stretch(kind, "log_hazard", control_risk, helped)


def _stretch(kind: str, target: str, *risks: float) -> float:
    """Return the standard error on the scale ``target`` of what has one of 1 on ``kind``, from both arms' risks.

    Each arm's risk is in error, by its binomial variance, so that the slope in the helped arm alone would not do.
    """
    before, after = (sum(_slope(scale, risk) ** 2 * risk * (1 - risk) for risk in risks) for scale in (kind, target))
    return math.sqrt(after / before)


def _slope(scale: str, risk: float) -> float:
    """Return the slope in a risk of what a scale compares between arms."""
    if scale == "log_hazard":
        return 1 / ((1 - risk) * -math.log1p(-risk))
    if scale == "log_odds":
        return 1 / (risk * (1 - risk))
    return 1.0 if scale == "risk_difference" else 1 / risk
