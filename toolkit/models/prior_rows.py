"""Rows of the table of priors, for the models that take them as numbers."""

import pandas as pd

from toolkit.schema import InputError


def prior_of(priors: pd.DataFrame, model: str, *parameters: str) -> tuple[float, float]:
    """Return mean (0 for a half-normal) and standard deviation of the first of these priors in the table.

    Raises
    ------
    InputError
        If the table has none of them, or the prior is neither normal nor half-normal.
    """
    rows = priors[priors["model"] == model].set_index("parameter")
    for name in parameters:
        if name not in rows.index:
            continue
        kind, first, second = (rows[column][name] for column in ("distribution", "arg1", "arg2"))
        if kind == "normal":
            return float(first), float(second)
        if kind in ("halfnormal", "half_normal"):
            return 0.0, float(first)
        raise InputError(
            f"priors {model}, {name}: distribution '{kind}' cannot be used.", fix="use normal or halfnormal."
        )
    raise InputError(f"priors: model '{model}' has no row for {' or '.join(parameters)}.", fix="add one.")


def shape_of(priors: pd.DataFrame, model: str, parameter: str) -> tuple[float, float]:
    """Return the two arguments of a beta or gamma prior.

    Raises
    ------
    InputError
        If the table of priors has no such row.
    """
    rows = priors[(priors["model"] == model) & (priors["parameter"] == parameter)]
    if len(rows) != 1 or rows["distribution"].iloc[0] not in ("beta", "gamma"):
        raise InputError(f"priors: model '{model}' has no beta or gamma row for {parameter}.", fix="add one.")
    return float(rows["arg1"].iloc[0]), float(rows["arg2"].iloc[0])
