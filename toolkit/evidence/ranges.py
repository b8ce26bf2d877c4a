"""What a number in ``data/`` can be: a range for each column, and for a value one for its unit.

Wide enough for whatever could be cited, narrow enough for a lost decimal point or a per cent given as a share.
"""

import re
from pathlib import Path

import pandas as pd

from toolkit.evidence.priors import implied_error
from toolkit.schema import InputError
from toolkit.tabular import LONGEST_NUMBER

Range = tuple[float, float]


def _ranges(text: str) -> dict[str, Range]:
    """Read lines of low, high and the columns that the range is of."""
    rows = [line.split() for line in text.strip().splitlines()]
    return {name: (float(low), float(high)) for low, high, *names in rows for name in names}


RANGES = _ranges(
    """
    0.5   1     interval_level
    0     1     coverage_50 coverage_90 p_value reliability passed converged fitted in_fit in_use
    0     1     distance poolable derived admitted_by_default treated_rate control_rate
    0     1     used control_risk take_up_low take_up_high risk weight
    -1    1     correlation
    -1    2     remaining_share
    0     2     coefficient_of_variation own_bias_sd
    0     0.2   rate
    1     5     quality
    0     5     security
    0     10    children_per_unit
    1     3     se_factor
    1     50    rank
    1990  2040  first_year last_year base_year first_year_april
    0     25    ages_from ages_to measured_at_age
    0     130   from_age full_to_age to_age lag_years spread_from spread_to price_year_older_than
    0     1000  from_year to_year hidden_up_to most_each
    0     1200  from_months horizon_months follow_up_months control_risk_horizon_months
    100   999   dfe_la_number neighbour_dfe_la_number
    -10   10    est log_ratio
    1e-4  100   se
    0     10    error log_ratio_sd noise prior likelihood
    0     100   prior_ratio model_ratio model_ratio_se events_model_ratio events_model_ratio_se
    0     100   children_model_ratio children_model_ratio_se
    0     1e4   crps ratio
    -1e3  1e3   raw_gap adjusted_gap mean sd expected_low expected_high
    -1e4  1e4   arg1 arg2
    0     1e6   n_las n_rows n_values n_suppressed has_numerator has_denominator missing_from price cost_per_case
    0     1e7   replications cells
    0     1e9   n n_treated n_control
    0     1e11  numerator denominator
    0     4294967295 seed
    -1e13 1e13  ours published value low high contribution result result_low result_high
    """
)
UNITS: dict[str, Range] = {  # pattern of a unit, the first that matches: what its values can be
    r"GBP bn.*": (0, 1e4),
    r"GBP (per year|per cohort|total|lifetime|nominal).*": (-1e13, 1e13),
    r"(GBP|USD) per (child|family)": (-1e5, 1e6),  # above usual care, or a saving, it can be below 0
    r"USD.*": (0, 1e9),
    r"GBP.*": (0, 1e9),
    r"(real )?annual rate.*": (-0.5, 0.5),
    r"proportion|percentage points / 100": (-1, 2),
    r"share.*|age .*|at point in time|by end of follow-up|cumulative|lifetime conditional": (0, 1),
    r"per ?cent": (-100, 300),
    r"per 1,000.*": (0, 1e3),
    r"per 10,000.*": (0, 1e4),
    r"per 100,000.*": (0, 1e5),
    r"(odds|risk|rate|hazard) ratio": (0, 100),
    r"ratio": (-100, 100),  # of benefit to cost too
    r"standardised mean difference|elasticity": (-10, 10),
    r"years": (0, 130),
    r"months": (0, 1200),
    r"(1 inadequate|.* per family|cases per).*": (0, 100),
    r"index": (0, 1e4),
    r"(persons|count|children|households|placements|files|local authorities|FTE).*": (0, 1e9),
}
OTHERWISE: Range = (-1e3, 1e3)
MEASURES: dict[str, Range] = {  # pattern of a measure of the panels, whose rows say no unit
    r".*_pct": (0, 100),
    r".*_per_1k": (0, 1e3),
    r".*_per_10k": (0, 1e4),
    r".*_per_100k": (0, 1e5),
}
COUNTED: Range = (0, 1e9)
RATIOS = ("odds ratio", "risk ratio", "rate ratio", "hazard ratio")
TOLERANCE = 0.1  # of a standard error from the one that its interval implies: beyond it is a slip, not rounding
_WRITTEN = re.compile(r"[0-9.eE+\n-]*")  # numbers of ASCII digits, a line each


def plainly_written(column: pd.Series) -> bool:
    """Whether a column of text has only ASCII digits, points, signs and exponents, and no overlong number."""
    cells = column.fillna("").tolist()
    return _WRITTEN.fullmatch("\n".join(cells)) is not None and max(map(len, cells), default=0) < LONGEST_NUMBER


def _by(labels: pd.Series, known: dict[str, Range], otherwise: Range) -> pd.DataFrame:
    """Return the range of each row by the pattern that its label matches."""
    ranges = {
        label: next((span for pattern, span in known.items() if re.fullmatch(pattern, str(label))), otherwise)
        for label in labels.unique()
    }
    return pd.DataFrame(labels.map(ranges).tolist(), index=labels.index, columns=["low", "high"])


def of_unit(table: pd.DataFrame, column: str) -> "pd.Series[bool]":
    """Whether each number of a column is one that its unit, or its measure, can have; blanks are."""
    panel = "unit" not in table
    spans = _by(table["measure"], MEASURES, COUNTED) if panel else _by(table["unit"], UNITS, OTHERWISE)
    values = table[column]
    return values.isna() | values.between(spans["low"], spans["high"])


def check_errors(effects: pd.DataFrame, file: Path) -> None:
    """Refuse a row of ``effects`` whose standard error is not the one that its interval implies, within a tenth.

    Raises
    ------
    InputError
        Names the row and the standard error that the interval implies.
    """
    rows = effects[effects[["se", "low", "high", "interval_level"]].notna().all(axis=1)]
    for index, row in rows.iterrows():
        ratio = row["unit"] in RATIOS
        if row["low"] >= row["high"] or (ratio and row["low"] <= 0):
            continue  # other rules report these
        where = f"{file}, row {int(str(index)) + 2}, column 'se'"
        check_error(
            row["se"], row["low"], row["high"], level=min(row["interval_level"], 0.999), ratio=ratio, name=where
        )


def check_error(se: float, low: float, high: float, *, level: float, ratio: bool, name: str, over: float = 1.0) -> None:
    """Refuse a standard error that differs by more than a tenth from the one that its interval implies.

    Parameters
    ----------
    se
        Standard error; of a ratio, that of its logarithm.
    low, high, level
        The interval and its probability; nothing is checked if an end is missing.
    ratio
        Whether the ends are those of a ratio.
    name
        Name of the study for the message.
    over
        Divisor that brings the implied error to the scale of ``se``.

    Raises
    ------
    InputError
        Names the standard error that the interval implies.
    """
    if pd.isna(low) or pd.isna(high):
        return
    if low >= high or (ratio and low <= 0):
        raise InputError(f"{name}: {low:g} to {high:g} is not an interval.", fix="check both ends and the scale.")
    implied = implied_error(low, high, level=level, ratio=ratio) / over
    if not abs(se - implied) <= TOLERANCE * implied:
        logs = " of the logarithm" if ratio else ""
        raise InputError(
            f"{name}: standard error {se:g} contradicts the interval {low:g} to {high:g}, which at {level:.0%} implies "
            f"{implied:.3g}{logs}.",
            fix="correct the standard error, the interval or interval_level.",
        )
