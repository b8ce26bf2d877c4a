"""A user's own studies and priors, read from a file and checked for slips."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from toolkit.evidence import check_prior
from toolkit.evidence.priors import LEAST_ERROR
from toolkit.evidence.ranges import check_error
from toolkit.models.effects.scales import LOGISTIC_SD, NATURAL
from toolkit.schema import InputError
from toolkit.tabular import excerpt, number, numbers, table

NEEDED = {"outcome", "effect_id", "programme_family", "design", "scale", "est", "se"}  # columns of a new study
RANGES = {  # of the numbers of a new study; a blank is allowed in those that are not needed
    "est": (-100.0, 100.0),
    "se": (LEAST_ERROR, 10.0),
    "low": (-100.0, 100.0),
    "high": (-100.0, 100.0),
    "interval_level": (0.5, 0.999),
    "design_bias_sd": (0.0, 10.0),
    "include": (0.0, 1.0),
}
USUAL_LEVEL = 0.95  # of a published interval without a stated level
LOG_SCALES = ("log_risk", "log_rate", "log_odds")
RATIO_UNITS = ("odds ratio", "risk ratio", "rate ratio", "hazard ratio")


def check_studies(extra: pd.DataFrame, register: Mapping[str, pd.DataFrame]) -> None:
    """Refuse new studies with impossible values, or that would not be used as they are.

    Parameters
    ----------
    extra
        Rows like those of ``meta_ready``, optionally with ``low``, ``high`` and ``interval_level``.
    register
        Tables by name: ``meta_ready``, ``effects``, ``null_studies`` and ``outcome_scales``.

    Raises
    ------
    InputError
        Names the study: a missing column, an unknown outcome, an id that is blank, repeated or already in the evidence,
        ``include`` that is neither 0 nor 1, a number outside ``RANGES``, or a standard error that its interval
        contradicts.
    """
    outcomes = list(register["outcome_scales"]["outcome"])
    lacking = NEEDED - set(extra.columns)
    unknown = sorted(set(extra.get("outcome", [])) - set(outcomes))
    if lacking or unknown:
        what = f"lacks columns {sorted(lacking)}" if lacking else f"outcomes {unknown} are not among {outcomes}"
        raise InputError(f"extra studies: {what}.", fix="follow the columns of meta_ready.")
    taken = {study for name in ("meta_ready", "null_studies") for study in register[name]["effect_id"]}
    taken |= set(register["effects"]["id"])
    if "include" in extra and not (extra["include"] == 1).any():
        raise InputError("extra studies: none is included.", fix="set include to 1 for the studies to use.")
    for place, row in enumerate(extra.to_dict("records")):
        study = str(row["effect_id"]).strip()
        name = f"study {study[:40]}" if study else f"study in row {place + 1}"
        if not study or not study.isprintable():
            raise InputError(f"{name}: effect_id is blank or not printable.", fix="give the study a unique name.")
        if study in taken:
            raise InputError(
                f"{name}: the evidence already has a study with this id.", fix="give the new one another id."
            )
        check_numbers(row, name)
    if extra.duplicated(["outcome", "effect_id"]).any():
        study = extra.loc[extra.duplicated(["outcome", "effect_id"]), "effect_id"].iloc[0]
        raise InputError(f"study {study}: two rows for one outcome.", fix="keep one, or give each its own id.")


def check_numbers(row: Mapping[Any, Any], name: str) -> None:
    """Refuse numbers of a new study that are out of range or contradict each other; ``name`` names the study."""
    for column, (least, most) in RANGES.items():
        value = row.get(column)
        if column not in NEEDED and column != "include" and (value is None or pd.isna(value)):
            continue
        if column in row and not least <= float(value) <= most:  # type: ignore[arg-type]
            raise InputError(f"{name}: {column} {value} is not from {least:g} to {most:g}.", fix="correct the number.")
    if "include" in row and row["include"] not in (0, 1):
        raise InputError(f"{name}: include is neither 1 nor 0.", fix="write 1 to use the study, 0 to keep it out.")
    low, high = (row.get(end, math.nan) for end in ("low", "high"))
    if pd.isna(low) != pd.isna(high):
        raise InputError(f"{name}: the interval has only one end.", fix="give low and high, or neither.")
    check_inside(row["est"], low, high, name)
    level = row.get("interval_level", math.nan)
    level = USUAL_LEVEL if pd.isna(level) else float(level)
    check_error(row["se"], low, high, level=level, ratio=str(row["scale"]) in NATURAL, name=name)


def check_inside(estimate: float, low: float, high: float, name: str) -> None:
    """Refuse an estimate outside its interval."""
    if low > estimate or estimate > high:
        raise InputError(
            f"{name}: estimate {estimate} lies outside its interval {low} to {high}.", fix="see the source."
        )


def check_cited(row: Mapping[Any, Any], cited: Mapping[Any, Any], name: str) -> None:
    """Refuse a standard error of ``meta_ready`` that the interval of its row of ``effects`` contradicts."""
    unit, scale = str(cited["unit"]), str(row["scale"])
    ratio = unit in RATIO_UNITS
    over = LOGISTIC_SD if unit == "odds ratio" and scale == "hedges_g" else 1.0
    alike = scale in (*LOG_SCALES, *NATURAL) if ratio else (unit, scale) == ("standardised mean difference", "hedges_g")
    if alike or over != 1.0:
        ends = cited["low"], cited["high"]
        check_error(row["se"], *ends, level=cited["interval_level"], ratio=ratio, name=name, over=over)


def read_studies(file: str | Path) -> pd.DataFrame:
    """Read new studies, rows like those of ``meta_ready``, from a CSV file.

    Parameters
    ----------
    file
        Columns outcome, effect_id, programme_family, design, scale, est and se are needed; low, high and
        interval_level (of ``est``; 0.95 by default), shared_programme, design_bias_sd, include, do_not_pool and
        note are optional, and other columns are ignored.

    Raises
    ------
    InputError
        An unreadable file, a missing column, or a cell that is not a number, is out of range or contradicts another.
    """
    studies, where = table(Path(file), needs=sorted(NEEDED), gaps=True), excerpt(file, 120)
    for column, (low, high) in RANGES.items():
        if column not in studies:
            continue
        optional = (studies[column] == "") & (column not in {*NEEDED, "include"})
        cells = studies[column][~optional]
        studies[column] = pd.Series(numbers(cells, where, low=low, high=high), cells.index).reindex(studies.index)
    for line, row in studies.iterrows():
        check_numbers(row.to_dict(), f"{where}, line {line}")
    return studies.reset_index(drop=True)


def changed_priors(priors: pd.DataFrame, file: str | Path) -> pd.DataFrame:
    """Return the table of priors with rows replaced by those of a CSV file with the same columns.

    Raises
    ------
    InputError
        An unreadable file, a missing column, a row without a match, another distribution, or impossible numbers.
    """
    needs = ["model", "parameter", "distribution", "arg1", "arg2"]
    changes, where = table(Path(file), needs=needs, gaps=True), excerpt(file, 120)
    keys = ["model", "parameter"]
    shipped, named = priors.set_index(keys), pd.MultiIndex.from_frame(changes[keys])
    if not (named.isin(shipped.index).all() and named.is_unique):
        raise InputError(
            f"{where}: a row matches no prior, or repeats one.", fix="copy model and parameter from priors.csv."
        )
    for line, row in changes.iterrows():
        key, here = (row["model"], row["parameter"]), f"{where}, line {line}"
        if row["distribution"] != (distribution := shipped.loc[key, "distribution"]):
            other = excerpt(row["distribution"])
            raise InputError(f"{here}: {other} instead of {distribution}.", fix="change the numbers only.")
        first = number(row["arg1"], f"{here}, column 'arg1'")
        second = number(row["arg2"], f"{here}, column 'arg2'") if row["arg2"] else None
        check_prior(".".join(key), distribution, first, second)
        shipped.loc[key, ["arg1", "arg2"]] = first, math.nan if second is None else second
    return shipped.reset_index()[priors.columns]
