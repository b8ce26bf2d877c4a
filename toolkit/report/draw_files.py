"""Anyone's draws from CSV files: a row a draw, a column an option or a parameter.

A column named ``draw``, if there is one, labels the rows and must agree between the files. Everything else
must be a finite number.
"""

import re
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from toolkit.schema import InputError

__all__ = [
    "groups_named",
    "read_options",
    "read_parameters",
]

DRAW = "draw"


def read_options(costs: Path, effects: Path) -> tuple[xr.DataArray, xr.DataArray]:
    """Read the costs and effects of the options.

    Parameters
    ----------
    costs
        CSV in GBP; the options in the order in which ties are broken, the usual course first.
    effects
        CSV in units of effect with the same options (in any order) and draws.

    Returns
    -------
    cost, effect : xr.DataArray, dims (sample, option)

    Raises
    ------
    InputError
        Names the file, and the column and row, that cannot be used, and how to mend it.
    """
    money, gain = _read(costs), _read(effects)
    missing, extra = ([*first.columns.difference(second.columns)] for first, second in ((money, gain), (gain, money)))
    if missing or extra:
        where = f"{costs} has {missing}, {effects} has {extra}" if missing and extra else ""
        where = where or (f"only {costs} has {missing}" if missing else f"only {effects} has {extra}")
        raise InputError(f"options do not match: {where}. Mend: give both files the same column names.")
    if money.shape[1] < 2:
        raise InputError(f"{costs}: a single option cannot be compared. Mend: add a column for what it is set against.")
    _same_draws(costs, money, effects, gain)
    attrs = {"units": "GBP", "price_base": "as given"}
    dims, coords = ("sample", "option"), {"option": money.columns.to_numpy(dtype=object)}
    cost = xr.DataArray(money.to_numpy(), dims=dims, coords=coords, attrs=attrs, name="cost")
    if money.index.name == DRAW:
        cost = cost.assign_coords({DRAW: ("sample", money.index.to_numpy(dtype=object))})
    return cost, xr.DataArray(gain[money.columns].to_numpy(), dims=dims, coords=coords, name="effect")


def read_parameters(parameters: Path, *, like: xr.DataArray, beside: Path) -> xr.Dataset:
    """Read the parameters behind the draws.

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
        As ``read_options``; also for a parameter that never varies, or more parameters than draws.
    """
    table = _read(parameters)
    labels = pd.Index(like[DRAW].values, name=DRAW) if DRAW in like.coords else pd.RangeIndex(like.sizes["sample"])
    _same_draws(beside, pd.DataFrame(index=labels), parameters, table)
    if table.shape[1] >= len(table):
        raise InputError(
            f"{parameters}: {table.shape[1]} parameters but only {len(table)} draws. "
            "Mend: take more draws, or keep fewer parameters."
        )
    still = [name for name in table.columns if table[name].nunique() == 1]
    if still:
        raise InputError(
            f"{parameters}: {still} never {'varies' if len(still) == 1 else 'vary'}, so nothing can be learnt of it. "
            "Mend: leave the column out."
        )
    return xr.Dataset({name: ("sample", table[name].to_numpy()) for name in table.columns})


def groups_named(given: list[str], parameters: xr.Dataset | None) -> Mapping[str, tuple[str, ...]]:
    """Return groups written as "unit costs=price_a,price_b" by name.

    Raises
    ------
    InputError
        If a group is not written so, or names a parameter that is not there.
    """
    found: dict[str, tuple[str, ...]] = {}
    known = [] if parameters is None else [str(name) for name in parameters.data_vars]
    for text in given:
        name, equals, members = text.partition("=")
        names = tuple(part.strip() for part in members.split(",") if part.strip())
        unknown = [part for part in names if part not in known]
        if not equals or not name.strip() or not names or unknown:
            fault = f"{unknown} is not among {known}" if unknown else "is not name=parameter,parameter"
            raise InputError(f'group {text!r}: {fault}. Mend: write it as "unit costs=price_a,price_b".')
        found[name.strip()] = names
    return found


def _read(path: Path) -> pd.DataFrame:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # cells beyond the names would be dropped
            table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", index_col=False)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file. Mend: check the name and the folder.") from None
    except (
        OSError,
        UnicodeDecodeError,
        pd.errors.ParserError,
        pd.errors.EmptyDataError,
        pd.errors.ParserWarning,
    ) as fault:
        raise InputError(
            f"{path}: not readable as a CSV file ({str(fault).strip()}). "
            "Mend: save it as CSV in UTF-8, with a name for every column and as many cells in every line."
        ) from None
    if table.shape[1] == 1 and re.search(r"[;\t]", str(table.columns[0])):
        raise InputError(f"{path}: cells are parted by semicolons or tabs. Mend: save it with commas.")
    table.columns = table.columns.str.strip()
    nameless = [str(name) for name in table.columns if not name or str(name).startswith("Unnamed: ")]
    if nameless:
        raise InputError(
            f"{path}: a column has no name. Mend: name every column in the first line; call row numbers '{DRAW}'."
        )
    header = pd.read_csv(path, header=None, nrows=1, dtype=str, encoding="utf-8-sig").iloc[0].str.strip()
    if header.duplicated().any():
        raise InputError(f"{path}: column {header[header.duplicated()].iloc[0]!r} stands twice. Mend: rename one.")
    if DRAW in table.columns:
        table = table.set_index(DRAW)
    if table.empty:
        raise InputError(f"{path}: holds no draws. Mend: give a line of names, then a line for each draw.")
    return _numbers(path, table)


def _numbers(path: Path, table: pd.DataFrame) -> pd.DataFrame:
    numbers: pd.DataFrame = table.apply(pd.to_numeric, errors="coerce").astype(float)
    wrong = np.argwhere(~np.isfinite(numbers.to_numpy()))
    if len(wrong):
        row, column = wrong[0]
        more = f" ({len(wrong)} such cells)" if len(wrong) > 1 else ""
        raise InputError(
            f"{path}: line {row + 2}, column {table.columns[column]!r} holds {table.iat[row, column]!r}, not a finite "
            f"number{more}. Mend: fill it, or leave that draw out of every file; write 1234.5, without £ or commas."
        )
    return numbers


def _same_draws(one: Path, first: pd.DataFrame, two: Path, second: pd.DataFrame, *, labels: bool = True) -> None:
    if len(first) != len(second):
        raise InputError(
            f"{one} has {len(first)} draws and {two} has {len(second)}. "
            "Mend: every file needs the same draws, one a line, in the same order."
        )
    if first.index.name == second.index.name == DRAW and not first.index.equals(second.index):
        raise InputError(f"{one} and {two}: the column '{DRAW}' differs. Mend: put both in the same order.")


def __dir__() -> list[str]:
    return __all__
