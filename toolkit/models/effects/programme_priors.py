"""Priors of the model of programmes."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from toolkit.models.effects.scales import STANDARDISED, scale_of
from toolkit.models.prior_rows import prior_of
from toolkit.schema import EFFECT_OUTCOMES, InputError

Array = NDArray[Any]
LEVELS = ("type", "programme", "study")


class Priors(NamedTuple):
    """Prior numbers of the model of programmes, by outcome where they differ by scale."""

    mean: Array
    mean_sd: Array
    spread: dict[str, Array]
    outcome_correlation: float
    bias_correlation: float
    orientation: Array  # 1 for events, where harm is positive; -1 for attainment


def priors_of(priors: pd.DataFrame) -> Priors:
    """Return the priors of the model ``programmes`` from the table of priors.

    Raises
    ------
    InputError
        A row is missing, or has another distribution than the model needs.
    """
    kinds = ["attainment" if scale_of(name) == STANDARDISED else "event" for name in EFFECT_OUTCOMES]
    means = np.array([prior_of(priors, "programmes", f"mu_{kind}") for kind in kinds])
    spread = {
        level: np.array([prior_of(priors, "programmes", f"tau_{level}_{kind}")[1] for kind in kinds])
        for level in LEVELS
    }
    orientation = np.array([-1.0 if kind == "attainment" else 1.0 for kind in kinds])
    correlations = [_single(priors, *row) for row in (("outcome_correlation", "lkj"), ("bias_correlation", "fixed"))]
    return Priors(means[:, 0], means[:, 1], spread, correlations[0], correlations[1], orientation)


def fixed_of(priors: pd.DataFrame, parameter: str) -> float:
    """Return a fixed number of the model ``programmes``.

    Raises
    ------
    InputError
        The table of priors has no such row.
    """
    return _single(priors, parameter, "fixed")


def _single(priors: pd.DataFrame, parameter: str, distribution: str) -> float:
    row = priors[(priors["model"] == "programmes") & (priors["parameter"] == parameter)]
    if list(row["distribution"]) != [distribution]:
        raise InputError(f"priors: 'programmes' has no {distribution} row for {parameter}.", fix="add one.")
    return float(row["arg1"].iloc[0])
