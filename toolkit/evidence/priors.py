"""Priors and studies that a scenario changes: a prior gets other numbers, never another distribution."""

import math
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from statistics import NormalDist
from typing import Annotated

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from toolkit.schema import InputError
from toolkit.tabular import excerpt

LOCATED = ("normal", "log_normal")  # location and scale
SCALED = ("half_normal", "halfnormal")  # one scale
SHAPED = ("gamma", "beta")  # two shapes, or shape and rate
MODELS = ("outcomes", "programmes")
MOST = 1000.0  # of an argument
LEAST_ERROR = 0.001  # a sixth of the least that is cited


class Prior(BaseModel):
    """Other numbers for the distribution of a row of ``priors.csv``, which is named "model.parameter"."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)
    first: Annotated[float, Field(strict=True)]
    """First argument of the distribution, as arg1 of priors.csv."""
    second: Annotated[float, Field(strict=True)] | None = None
    """Second argument, as arg2."""
    reason: Annotated[str, Field(min_length=5)]
    """Why, in words that the report prints beside it."""


class Study(BaseModel):
    """A study of a programme's effect besides those of the evidence, as a row of ``programme_effects.csv``."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)
    programme: Annotated[str, Field(max_length=60)]
    """Programme that it evaluates, as in programmes.csv."""
    outcome: str
    """Outcome that it measures: repeat_referrals, youth_justice, gcse_attainment or care."""
    design: str
    """Design of the study, such as rct."""
    scale: str
    """Scale of the estimate, such as log_odds or log_hazard; smd for attainment."""
    estimate: Annotated[float, Field(strict=True, ge=-10, le=10)]
    """Estimated effect on that scale for those served; below 0 where an event becomes rarer."""
    standard_error: Annotated[float, Field(strict=True, ge=LEAST_ERROR, le=10)]
    """Its standard error on that scale."""
    control_risk: Annotated[float, Field(strict=True, gt=0, lt=1)] | None = None
    """Share with the event among those without help; needed for odds ratios and risk differences."""
    follow_up_months: Annotated[float, Field(strict=True, gt=0, le=240)]
    """How long after contact it was measured: the effect is whole for so long."""
    evaluation: Annotated[str, Field(max_length=60)] = ""
    """Evaluation that it belongs to, if another row is of the same: they share its bias. Its own if left out."""
    country: Annotated[str, Field(max_length=60)] = "England"
    """Where it was made; evaluations in the UK that the developer did not lead survive scale-up better."""
    developer_led: Annotated[bool, Field(strict=True)] = False
    """Whether the programme's developer led it."""
    reason: Annotated[str, Field(min_length=5)]
    """Why it counts, in words that the report prints beside it."""


def implied_error(low: float, high: float, *, level: float, ratio: bool) -> float:
    """Return the standard error that an interval implies: half its width over the normal quantile of its level.

    Of a ratio, whose interval is even about its logarithm, that of the logarithm.

    References
    ----------
    Cochrane Handbook for Systematic Reviews of Interventions (version 6), sections 6.3.1 and 6.3.2.
    """
    width = math.log(high / low) if ratio else high - low
    return width / (2.0 * NormalDist().inv_cdf((1.0 + level) / 2.0))


def changeable_priors(priors: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that a scenario may change, by "model.parameter": those in use whose arguments are numbers."""
    parameter = priors["parameter"].astype(str)
    used = priors["model"] == "programmes"
    used |= (priors["model"] == "outcomes") & ~parameter.str.startswith("covariate_")
    changeable = priors[used & priors["distribution"].isin([*LOCATED, *SCALED, *SHAPED])]
    return changeable.set_index(changeable["model"] + "." + changeable["parameter"])


def with_priors(priors: pd.DataFrame, changed: Mapping[str, Prior], models: Collection[str] = MODELS) -> pd.DataFrame:
    """Return a table of priors with changed arguments.

    Parameters
    ----------
    priors
        The table ``priors`` of the register.
    changed
        A scenario's ``priors``, by "model.parameter".
    models
        Only the rows of these; the others are checked and left.

    Raises
    ------
    InputError
        An unknown prior (the nearest are suggested), or arguments that its distribution cannot have.
    """
    if not changed:
        return priors
    known, priors = changeable_priors(priors), priors.copy()
    for key, row in changed.items():
        if key not in known.index:
            close = get_close_matches(key[:60], list(known.index), n=3) or list(known.index)[:3]
            raise InputError(
                f"priors.{excerpt(key)}: no prior that can be changed.", fix=f"name one, as {', '.join(close)}."
            )
        check_prior(key, str(known.loc[key, "distribution"]), row.first, row.second)
        if known.loc[key, "model"] in models:
            at = (priors["model"] + "." + priors["parameter"]) == key
            priors.loc[at, ["arg1", "arg2"]] = [row.first, float("nan") if row.second is None else row.second]
            priors.loc[at, "reason"] = row.reason
    return priors


def check_prior(key: str, kind: str, first: float, second: float | None) -> None:
    """Refuse arguments that a distribution cannot have.

    Raises
    ------
    InputError
        Names the prior, "model.parameter", and what its distribution takes.
    """
    if kind not in (*LOCATED, *SCALED, *SHAPED):
        raise InputError(f"priors.{key}: a {kind} has no numbers to change.", fix="leave it out.")
    if (kind in SCALED) != (second is None):
        given = "one number, its scale" if kind in SCALED else "two numbers, first and second"
        raise InputError(f"priors.{key}: a {kind.replace('_', ' ')} takes {given}.", fix="give that.")
    spreads = {"second": second} if kind in LOCATED else {"first": first, "second": second}
    if not abs(first) <= MOST or not all(0 < value <= MOST for value in spreads.values() if value is not None):
        raise InputError(
            f"priors.{key}: {' and '.join(spreads)} must be above 0, and no number beyond {MOST:g}.", fix="change it."
        )
