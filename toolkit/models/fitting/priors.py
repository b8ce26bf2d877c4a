"""Priors read from one table, so that their numbers are not written in code."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pandas as pd
import pymc as pm

from toolkit.schema import InputError, data_folder

DISTRIBUTIONS = {
    "normal": (pm.Normal, ("mu", "sigma")),
    "half_normal": (pm.HalfNormal, ("sigma",)),
    "gamma": (pm.Gamma, ("alpha", "beta")),
    "log_normal": (pm.LogNormal, ("mu", "sigma")),
    "beta": (pm.Beta, ("alpha", "beta")),
}
TABLE = "data/evidence/priors.csv"


def load_priors(model: str, priors: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return one model's rows of a table of priors (by default the shipped one), indexed by parameter.

    Raises
    ------
    InputError
        If the table is missing, has no row of the model, or has two for one parameter.
    """
    if priors is None:
        path = data_folder() / "evidence" / "priors.csv"
        if not path.is_file():
            raise InputError(f"{path}: the table of priors is missing.", fix="restore it from the repository.")
        priors = pd.read_csv(path)
    rows = priors[priors["model"] == model].set_index("parameter")
    if rows.empty:
        raise InputError(f"{TABLE}: no row with model {model!r}.", fix="add one row per parameter.")
    if not rows.index.is_unique:
        twice = sorted(set(rows.index[rows.index.duplicated()]))
        raise InputError(f"{TABLE}: model {model!r} has two rows for {twice}.", fix="keep one of them.")
    return rows


def row_of(parameter: str, table: pd.DataFrame, indicator: str | None = None) -> "pd.Series[Any] | None":
    """Return the row ``parameter[indicator]`` if there is one, else ``parameter``, else None."""
    for key in (f"{parameter}[{indicator}]", parameter):
        if key in table.index:
            return cast("pd.Series[Any]", table.loc[key])
    return None


def setting(parameter: str, table: pd.DataFrame, kind: str, *, indicator: str | None = None) -> Any:
    """Return the one or two arguments of a row that holds a setting instead of a distribution.

    With an indicator the row may be missing, which returns None; otherwise a missing row is an error.
    """
    row = row_of(parameter, table, indicator)
    if row is None and indicator is not None:
        return None
    if row is None or row["distribution"] != kind:
        raise InputError(f"{TABLE}: parameter {parameter!r} needs a row with distribution {kind!r}.", fix="add it.")
    first, second = float(row["arg1"]), float(row["arg2"])
    return first if np.isnan(second) else (first, second)


def prior(parameter: str, table: pd.DataFrame, indicators: Sequence[str], *, name: str | None = None) -> Any:
    """Add a parameter with one element per indicator to the model in context, under its own or another name.

    Raises
    ------
    InputError
        If an indicator has no row, or the rows name an unknown distribution, different ones, or lack an argument.
    """
    distribution, arguments = _chosen(parameter, table, indicators)
    return distribution(name or parameter, **arguments, dims="indicator")


def unnamed_prior(parameter: str, table: pd.DataFrame, indicators: Sequence[str]) -> Any:
    """Return the distribution that :func:`prior` would add, for use inside another."""
    distribution, arguments = _chosen(parameter, table, indicators)
    return distribution.dist(**arguments, shape=len(indicators))


def log_prior(parameter: str, table: pd.DataFrame, indicators: Sequence[str], values: Any) -> Any:
    """Return the log-density of values (..., indicator) under the distribution that :func:`prior` would add."""
    return pm.logp(unnamed_prior(parameter, table, indicators), values).eval()


def _chosen(parameter: str, table: pd.DataFrame, indicators: Sequence[str]) -> tuple[Any, dict[str, Any]]:
    by_indicator = {name: row_of(parameter, table, name) for name in indicators}
    rows = [row for row in by_indicator.values() if row is not None]
    if len(rows) < len(by_indicator):
        lacking = [name for name, row in by_indicator.items() if row is None]
        raise InputError(f"{TABLE}: no prior of {parameter!r} for {lacking}.", fix=f"add a row '{parameter}'.")
    kinds = {str(row["distribution"]) for row in rows}
    if len(kinds) > 1 or not kinds <= set(DISTRIBUTIONS):
        raise InputError(
            f"{TABLE}: the rows of {parameter!r} have distributions {sorted(kinds)}.",
            fix=f"give all indicators the same one of {sorted(DISTRIBUTIONS)}.",
        )
    distribution, names = DISTRIBUTIONS[kinds.pop()]
    arguments = {name: np.array([float(row[f"arg{i}"]) for row in rows]) for i, name in enumerate(names, 1)}
    if np.isnan([*arguments.values()]).any():
        raise InputError(f"{TABLE}: a row of {parameter!r} lacks an argument.", fix=f"give {' and '.join(names)}.")
    return distribution, arguments
