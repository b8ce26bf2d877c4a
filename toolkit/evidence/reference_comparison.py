"""Committed tables computed again: compared with the committed ones, which they replace only for a stated reason.

Two Monte Carlo results of one model differ by chance. Each number has its standard error in a column beside it, so a
difference is judged by both; what was computed exactly must agree to the last digit that is written.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from toolkit.evidence.layouts import key
from toolkit.evidence.reference_versions import RECORD, hashes, write_reference
from toolkit.evidence.tables import checksum, load_table, read_unsealed
from toolkit.schema import CANNOT_BE_DETERMINED, MCSE, InputError

VERDICTS = ("verdict", "diagnosis", "model_is", "events_model_is", "children_model_is", "used", "converged")
# How a table was made, and what restates another column: the distance, or a verdict and the share it counts.
NOT_COMPARED = ("seed", "settings", "versions", "p_value")
SURE = 0.99  # that no number of a whole table is called moved where all differ by chance
# Errors from two times eight batches are uncertain themselves: their degrees of freedom.
FREEDOM = dict.fromkeys(("predictive_checks", "power_scaling", "backtest", "outlook_backtest", "pathway_checks"), 14.0)
SHOWN = 10  # differences listed for each table


@dataclass(frozen=True)
class Comparison:
    """What differs between a table computed again and the committed one.

    Attributes
    ----------
    name
        Of the table.
    numbers, verdicts
        How many were compared.
    largest, allowed
        The largest difference in standard errors, and what chance allows among so many numbers.
    moved, flipped, borderline
        In words: numbers beyond that; verdicts that differ now; and those of which one cannot be determined, which
        chance explains.
    other
        In words: rows, columns or texts that differ.
    """

    name: str
    numbers: int
    verdicts: int
    largest: float
    allowed: float
    moved: list[str]
    flipped: list[str]
    borderline: list[str]
    other: list[str]

    @property
    def same(self) -> bool:
        """Whether chance explains every difference."""
        return not (self.moved or self.flipped or self.other)

    def sentences(self) -> list[str]:
        """Return the comparison in plain words."""
        counted = f"{self.numbers:,} numbers" + (f", {self.verdicts} verdicts" if self.verdicts else "")
        if self.same:
            lead = f"{self.name}: the same within Monte Carlo error ({counted}"
        else:
            lead = f"{self.name}: NOT the same ({counted}"
        lead += f"; largest difference {self.largest:.1f} standard errors, {self.allowed:.1f} allowed)."
        lines = [lead]
        for what, rows in (
            ("moved beyond Monte Carlo error", self.moved),
            ("verdicts that flip", self.flipped),
            ("verdicts at a threshold, no flip", self.borderline),
            ("other differences", self.other),
        ):
            if rows:
                more = [f"and {len(rows) - SHOWN} more"] if len(rows) > SHOWN else []
                lines += [f"  {what}: {len(rows)}", *(f"    {row}" for row in [*rows[:SHOWN], *more])]
        return lines


def compare_reference(name: str, again: pd.DataFrame, committed: pd.DataFrame) -> Comparison:
    """Compare a table with the committed one, each number by both Monte Carlo errors.

    Parameters
    ----------
    name
        Of the table, without its folder.
    again, committed
        The same columns. ``*_mcse`` holds the Monte Carlo standard error of the column before it; an error that is
        blank in one is taken to be that of the other.

    Returns
    -------
    Comparison
        A number without an error may differ by one in its last written decimal.
    """
    from scipy import stats  # slow to import, and only needed here

    keys = key(f"reference/{name}")
    new, old = (table.set_index(keys).sort_index() for table in (again, committed))
    sides = {"the new one": new.index.difference(old.index), "the committed one": old.index.difference(new.index)}
    other = [f"row {_at(row)} is only in {where}" for where, rows in sides.items() for row in rows]
    other += [f"column {column} is only in one of them" for column in set(new) ^ set(old)]
    shared = list(new.index.intersection(old.index))
    new, old = new.loc[shared], old.loc[shared]
    columns = [str(column) for column in old if column in new and column not in NOT_COMPARED]
    judged = [column for column in columns if column in VERDICTS]
    numeric = [column for column in columns if pd.api.types.is_numeric_dtype(old[column]) and column not in judged]
    texts = [column for column in columns if column not in (*judged, *numeric)]
    numeric = [column for column in numeric if not column.endswith(MCSE)]
    count = len(numeric) * len(shared)
    allowed = float(stats.t.isf((1 - SURE) / 2 / max(1, count), FREEDOM.get(name, np.inf)))
    moved, flipped, borderline, largest = list[str](), list[str](), list[str](), 0.0
    for column in numeric:
        gaps = _standardised(new, old, column)
        largest = max(largest, *gaps)
        for row, gap, before, now in zip(shared, gaps, old[column], new[column], strict=True):
            if gap > allowed:
                moved.append(f"{_at(row)}: {column} {before:g} is now {now:g}")
    for column in (*judged, *texts):
        for row, before, now in zip(shared, old[column], new[column], strict=True):
            if before != now and column in judged:
                near = CANNOT_BE_DETERMINED in (before, now)
                (borderline if near else flipped).append(f"{_at(row)}: {column} was '{before}', is '{now}'")
            elif before != now:
                other.append(f"{_at(row)}: {column} reads otherwise")
    return Comparison(name, count, len(judged) * len(shared), largest, allowed, moved, flipped, borderline, other)


def _standardised(new: pd.DataFrame, old: pd.DataFrame, column: str) -> list[float]:
    """Return differences in standard errors; infinite where only one is blank or an exact number differs."""
    unknown = pd.Series(np.nan, new.index)
    errors = [table.get(f"{column}{MCSE}", unknown).to_numpy(float) for table in (new, old)]
    now, before = new[column].to_numpy(float), old[column].to_numpy(float)
    decimals = max(_decimals(now), _decimals(before))
    digit = 10.0**-decimals
    # An error that is blank is taken to be that of the other; rounding adds a twelfth of its step's square to each.
    known = [np.where(np.isnan(error), other, error) for error, other in zip(errors, errors[::-1], strict=True)]
    error = np.sqrt(np.nan_to_num(known[0]) ** 2 + np.nan_to_num(known[1]) ** 2)
    gap, exact = np.abs(now - before), error == 0
    standard = gap / np.where(exact, 1.0, np.hypot(error, digit / np.sqrt(6)))
    in_errors = np.where(exact, np.where(gap <= (1.001 * digit if decimals else 0.0), 0.0, np.inf), standard)
    blank = np.isnan(now), np.isnan(before)
    return list(map(float, np.select([blank[0] & blank[1], blank[0] | blank[1]], [0.0, np.inf], in_errors)))


def _decimals(values: np.ndarray) -> int:
    """Return how many decimals numbers are written with at most."""
    texts = (f"{value:.12f}".rstrip("0").partition(".")[2] for value in values[np.isfinite(values)])
    return max((len(text) for text in texts), default=0)


def _at(row: object) -> str:
    return ", ".join(map(str, row)) if isinstance(row, tuple) else str(row)


def put_beside(tables: Mapping[str, pd.DataFrame], beside: Path, folder: Path | None = None) -> list[Comparison]:
    """Write tables into a folder of their own, with hashes of what they are made from, and compare them.

    Parameters
    ----------
    tables
        By name, without "reference/".
    beside
        Where to: never the data folder.
    folder
        Data folder with the committed ones; the shipped one by default.
    """
    beside.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        table.to_csv(beside / f"{name}.csv", index=False)
        (beside / f"{name}.hash").write_text(_note(name, beside, folder), encoding="utf-8")
    pairs = {name: (_read(name, beside, folder), load_table(f"reference/{name}", folder)) for name in tables}
    return [compare_reference(name, *pair) for name, pair in pairs.items()]


def _read(name: str, beside: Path, folder: Path | None) -> pd.DataFrame:
    return read_unsealed(beside / f"{name}.csv", f"reference/{name}", folder)


def _note(name: str, beside: Path, folder: Path | None) -> str:
    """Return the record that shows a table to be as it was written, from the present code and data."""
    return " ".join((*hashes(name, folder), checksum(beside / f"{name}.csv")))


def check_reason(reason: str) -> None:
    """Refuse an empty reason.

    Raises
    ------
    InputError
        It has fewer than two words.
    """
    if len(re.findall(r"\w+", reason)) < 2:
        what = "shorter than two words" if reason.strip() else "blank"
        raise InputError(
            f"accept: the reason is {what}.", fix="say in a few words why the committed table is replaced."
        )


def accept_reference(names: list[str], beside: Path, *, reason: str, folder: Path | None = None) -> list[Path]:
    """Replace committed tables by those computed again, and note why.

    Parameters
    ----------
    names
        Of the tables.
    beside
        As for :func:`put_beside`.
    reason
        Why, in a sentence; it stands in ``made_from``.
    folder
        Data folder; the shipped one by default.

    Raises
    ------
    InputError
        No reason, a table that was not made or breaks its rules, or one that was altered since or made from other
        code or data than are here now.
    """
    check_reason(reason)
    known, tables = set(load_table(RECORD, folder)["made"]), {}
    for name in names:
        file = beside / f"{name}.csv"
        if name not in known or not file.is_file():
            there = sorted(path.stem for path in beside.glob("*.csv"))
            raise InputError(f"accept: no table '{name}' in {beside}.", fix=f"make it first; there are {there}.")
        note = beside / f"{name}.hash"
        if not note.is_file() or note.read_text(encoding="utf-8") != _note(name, beside, folder):
            raise InputError(
                f"{file}: altered, or made from other code or data than are here now.", fix="make it again."
            )
        tables[name] = _read(name, beside, folder)
    return write_reference(tables, folder, reason=reason)
