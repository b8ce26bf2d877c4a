"""Reads draws from CSV files with a row for each draw and a column for each option or parameter.

A column named ``draw``, if there is one, numbers the rows, which are paired by it. Columns that number draws under
another name (chain, iteration, simulation, id and the like) do the same, but are set aside with a warning, as are
columns that a sampler adds (``lp__``). Everything else must be a number.
"""

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from toolkit import tabular
from toolkit.schema import InputError
from toolkit.tabular import excerpt

__all__ = [
    "groups_named",
    "read_options",
    "read_parameters",
]

LONGEST_NAME = 80  # characters that the figures have room for
DRAW = "draw"  # set aside without a warning, as it is the name that we ask for
# Names of columns that number draws, without signs and in small letters, such as ".draw", "Sim No" or "chain_id".
LABEL = re.compile(
    "(?:psa|mcmc)?(chain|draw|sample|iter|iteration|sim|simulation|rep|replicate|replication|run|id|index|row|obs)"
    "(?:s|id|no|num|number|index|names?)?"
)
ONE_NAME = {"sample": "draw", "iter": "iteration", "simulation": "sim", "replicate": "rep", "replication": "rep"}
SAMPLER = ("lp", "logp", "logposterior")  # besides every name that ends in two underscores


@dataclass(frozen=True)
class _Draws:
    """A file's draws: numbers and labels, by the line of each."""

    file: str
    values: pd.DataFrame
    labels: pd.DataFrame
    set_aside: tuple[str, ...] = ()


def read_options(costs: Path, effects: Path) -> tuple[xr.DataArray, xr.DataArray]:
    """Read the costs and effects of the options.

    Parameters
    ----------
    costs
        CSV in GBP; the usual course first, with which the others are compared.
    effects
        CSV in units of effect with the same options (in any order) and draws.

    Returns
    -------
    cost, effect : xr.DataArray, dims (sample, option)
        Draws in the order of the costs; ``cost`` has a coordinate for each column that numbers them.

    Raises
    ------
    InputError
        Names the file, and the column and line, that cannot be used, and how to put it right.

    Warns
    -----
    UserWarning
        Of columns that were set aside, and of rows that could only be paired by position.
    """
    money, gain = _read(costs), _read(effects)
    missing, extra = (
        [excerpt(name) for name in first.values if name not in second.values][:5]
        for first, second in ((money, gain), (gain, money))
    )
    if missing or extra:
        where = f"{money.file} has {missing}, {gain.file} has {extra}" if missing and extra else ""
        where = where or (f"only {money.file} has {missing}" if missing else f"only {gain.file} has {extra}")
        raise InputError(f"options do not match: {where}.", fix="give both files the same column names.")
    if money.values.shape[1] < 2:
        raise InputError(
            f"{money.file}: a single option cannot be compared.", fix="add a column for what it is set against."
        )
    _warn_of(money, gain)
    places = _paired(money, gain)
    attrs = {"units": "GBP", "price_base": "as given"}
    dims, coords = ("sample", "option"), {"option": money.values.columns.to_numpy(dtype=object)}
    cost = xr.DataArray(money.values.to_numpy(), dims=dims, coords=coords, attrs=attrs, name="cost")
    cost = cost.assign_coords({name: ("sample", money.labels[name].to_numpy(object)) for name in money.labels})
    gains = gain.values[money.values.columns].to_numpy()[places]
    return cost, xr.DataArray(gains, dims=dims, coords=coords, name="effect")


def read_parameters(parameters: Path, *, like: xr.DataArray, beside: Path) -> xr.Dataset:
    """Read the parameters behind the draws, in the order of the costs.

    Parameters
    ----------
    parameters
        CSV with a column for each.
    like
        The costs, whose draws they must share.
    beside
        The file these came from, for the message.

    Raises
    ------
    InputError
        As ``read_options``; also for more parameters than draws.

    Warns
    -----
    UserWarning
        As ``read_options``.
    """
    draws = _read(parameters)
    table, lines = draws.values, pd.RangeIndex(2, like.sizes["sample"] + 2)
    labels = {str(name): like[name].values for name in like.coords if like[name].dims == ("sample",)}
    _warn_of(draws)
    places = _paired(_Draws(tabular.path_shown(beside), pd.DataFrame(), pd.DataFrame(labels, index=lines)), draws)
    if table.shape[1] >= len(table):
        raise InputError(
            f"{draws.file}: {table.shape[1]} parameters but only {len(table)} draws.",
            fix="take more draws, or keep fewer parameters.",
        )
    return xr.Dataset({name: ("sample", table[name].to_numpy()[places]) for name in table.columns})


def groups_named(texts: list[str], parameters: xr.Dataset | None) -> Mapping[str, tuple[str, ...]]:
    """Return groups written as "unit costs=price_a,price_b" by name.

    Raises
    ------
    InputError
        If a group is not written so, or names a parameter that is not there.
    """
    groups: dict[str, tuple[str, ...]] = {}
    names_of_parameters = [] if parameters is None else [str(name) for name in parameters.data_vars]
    for text in texts:
        name, equals, members = text.partition("=")
        names = tuple(part.strip() for part in members.split(",") if part.strip())
        unknown = [part for part in names if part not in names_of_parameters]
        if not equals or not name.strip() or not names or unknown:
            fault = f"{unknown} is not among {names_of_parameters}" if unknown else "is not name=parameter,parameter"
            raise InputError(f"group {text!r}: {fault}.", fix='write it as "unit costs=price_a,price_b".')
        groups[name.strip()] = names
    return groups


def _read(path: Path) -> _Draws:
    file, table = tabular.path_shown(path), tabular.table(path)
    kinds = {str(name): _kind(str(name)) for name in table}
    numeric = next((name for name in kinds if tabular.is_number(name)), None)
    if numeric is not None:
        raise InputError(
            f"{file}: a number ('{numeric}') where a column's name should be.",
            fix="name every column in the first line.",
        )
    numbered = [kind for kind in kinds.values() if kind]
    twice = next((name for name, kind in kinds.items() if kind and numbered.count(kind) > 1), None)
    if twice is not None:
        raise InputError(f"{file}: two columns number the draws as '{excerpt(twice)}' does.", fix="keep one of them.")
    labels = {kind: _labels(table[name], file) for name, kind in kinds.items() if kind}
    values = {name: tabular.numbers(table[name], file) for name, kind in kinds.items() if kind is None}
    if not values:
        raise InputError(f"{file}: only columns that number the draws.", fix="add a column for each option.")
    for name, column in values.items():
        if len(name) > LONGEST_NAME:
            raise InputError(
                f"{file}: column '{excerpt(name)}' is too long a name.", fix=f"use up to {LONGEST_NAME} characters."
            )
        if _counts(column):
            raise InputError(
                f"{file}: column '{excerpt(name)}' only counts the rows.", fix="take it out, or call it draw."
            )
    aside = tuple(name for name, kind in kinds.items() if kind is not None and name != DRAW)
    return _Draws(file, pd.DataFrame(values, index=table.index), pd.DataFrame(labels, index=table.index), aside)


def _kind(name: str) -> str | None:
    """Return what a column numbers, "" for a note of the sampler, or None for an option or a parameter."""
    plain = re.sub(r"[^a-z0-9]", "", name.casefold())
    if name.endswith("__") or plain in SAMPLER:
        return ""
    match = LABEL.fullmatch(plain)
    return ONE_NAME.get(match[1], match[1]) if match else None


def _labels(column: pd.Series, file: str) -> pd.Series:
    """Return labels as text, so that 1, 01 and 1.0 are one."""
    blank = column.index[column == ""]
    if len(blank):
        raise InputError(f"{file}, line {blank[0]}, column '{excerpt(column.name)}': blank.", fix="number every draw.")
    plain = [f"{float(cell):.15g}" if tabular.is_number(cell) and "," not in cell else cell for cell in column]
    return pd.Series(plain, column.index, dtype=object)


def _counts(column: np.ndarray) -> bool:
    """Return whether a column is 0, 1, 2, ... or 1, 2, 3, ..., perhaps again for each chain."""
    if len(column) < 3 or column[0] not in (0, 1) or column[1] != column[0] + 1:
        return False
    again = column == column[0]
    return bool(((np.diff(column) == 1) | again[1:]).all())


def _warn_of(*files: _Draws) -> None:
    aside = list(dict.fromkeys(name for draws in files for name in draws.set_aside))
    if aside:
        listed = ", ".join(excerpt(name) for name in aside[:8])
        warnings.warn(
            f"{' and '.join(draws.file for draws in files)}: {listed} set aside, as columns that number "
            "the draws or that a sampler adds; they are not options or parameters.",
            stacklevel=3,
        )


def _paired(first: _Draws, second: _Draws) -> np.ndarray:
    """Return the rows of the second file in the order of the draws of the first."""
    shared = [str(name) for name in first.labels if name in second.labels]
    if not shared and len(first.labels.columns) and len(second.labels.columns):
        raise InputError(
            f"{first.file} numbers its draws by {first.labels.columns[0]}, "
            f"{second.file} by {second.labels.columns[0]}.",
            fix="give that column the same name in both.",
        )
    if shared:
        first_labels, second_labels = (pd.MultiIndex.from_frame(file.labels[shared]) for file in (first, second))
        if first_labels.is_unique and second_labels.is_unique:
            _same(first, first_labels, second, second_labels)
            _same(second, second_labels, first, first_labels)
            return second_labels.get_indexer(first_labels)
    if len(first.labels) != len(second.labels):
        raise InputError(
            f"{first.file} has {len(first.labels)} draws and {second.file} has {len(second.labels)}.",
            fix="every file needs the same draws, one a line, in the same order.",
        )
    if shared and len(apart := np.flatnonzero(first_labels != second_labels)):
        (line, other), columns = (file.labels.index[apart[0]] for file in (first, second)), ", ".join(shared)
        raise InputError(
            f"{first.file}, line {line}, and {second.file}, line {other}: out of step, as {columns} differs.",
            fix="put the draws of both in the same order.",
        )
    if not shared and len(first.labels.columns) + len(second.labels.columns):
        bare = first.file if second.labels.columns.size else second.file
        warnings.warn(f"{bare}: no column numbers its draws, so they were paired in their order.", stacklevel=3)
    return np.arange(len(first.labels))


def _same(first: _Draws, first_labels: pd.MultiIndex, second: _Draws, second_labels: pd.MultiIndex) -> None:
    lost = np.flatnonzero(~first_labels.isin(second_labels))
    if len(lost):
        key = ", ".join(
            f"{name} {excerpt(label, 20)}"
            for name, label in zip(first_labels.names, first_labels[lost[0]], strict=True)
        )
        raise InputError(
            f"{first.file}, line {first.labels.index[lost[0]]}: {key} is not in {second.file}.",
            fix="give every file the same draws.",
        )


def __dir__() -> list[str]:
    return __all__
