"""Discounting by named, dated schedules: factors, equivalent annual value and internal rate of return.

A schedule is data: rows of ``from_year, to_year, rate``. The rate of a row applies to the step
that ends in each of its years, so a factor is the product of all steps up to its year, and year 0
has factor 1. The Green Books of 2022 and February 2026 agree in the standard and health rates;
the 2026 edition adds a lower rate for sensitivity analysis, required where effects last beyond 50 years.
"""

from collections.abc import Sequence
from functools import cache
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr

from toolkit.schema import InputError, check, data_folder

type Schedule = str | float | pd.DataFrame
type Timing = Literal["start_of_year", "mid_year"]
type Years = Sequence[int] | np.ndarray | xr.DataArray
DEFAULT_SCHEDULE = "green_book_2026_standard"
KINDS = ("standard", "health")  # of what is discounted
_SOURCE = "data/evidence/discount_schedules.csv"


def discount_factors(
    schedule: Schedule,
    years: Years,
    *,
    schedules: pd.DataFrame | None = None,
    timing: Timing = "start_of_year",
    base_year: int = 0,
) -> xr.DataArray:
    """Return what one real pound of each year is worth in the base year.

    Parameters
    ----------
    schedule
        A name in ``schedules``, a constant annual rate (0.035, not 3.5), or a table of
        from_year, to_year (blank for onwards) and rate.
    years
        Whole years from the base year (0 is the base year), or calendar years with ``base_year``.
    schedules
        Rows of schedule, from_year, to_year, rate that a name is looked up in; the shipped table by default.
    timing
        "start_of_year": money of year n moves n years from now, the Green Book's own tables;
        "mid_year": half a year later, at the rate of the step it falls in.
    base_year
        The year that counts as year 0.

    Returns
    -------
    xr.DataArray, dims (year), units "1"
        The attributes state the schedule and the timing.

    Raises
    ------
    InputError
        For an unknown schedule, a rate in per cent, a gap between steps, or a year outside the schedule.

    References
    ----------
    HM Treasury, The Green Book, annex A6 (2022) and its February 2026 edition: declining long-term rates.
    """
    labels = np.atleast_1d(np.asarray(years))
    elapsed = years_elapsed(labels, base_year)
    name, rows = _rows(schedule, schedules)
    rates = _annual_rates(rows, int(elapsed.max()) + 1, name)
    growth = np.concatenate([[1.0], np.cumprod(1 + rates)])
    factors = 1 / growth[elapsed]
    if timing == "mid_year":
        factors = factors / np.sqrt(1 + rates[elapsed])
    elif timing != "start_of_year":
        raise InputError(f"timing is {timing!r}.", fix="write 'start_of_year' or 'mid_year'.")
    attrs = {"units": "1", "schedule": name, "timing": timing, "base_year": base_year}
    return xr.DataArray(factors, coords={"year": labels}, dims="year", name="discount_factor", attrs=attrs)


def factors_by_kind(
    kinds: xr.DataArray,
    schedule: Schedule,
    years: Years,
    *,
    schedules: pd.DataFrame | None = None,
    timing: Timing = "start_of_year",
    base_year: int = 0,
) -> xr.DataArray:
    """Return discount factors where some of what is discounted is health, which the Green Book treats separately.

    Parameters
    ----------
    kinds
        "standard" or "health", dims (component).
    schedule, years, schedules, timing, base_year
        As in ``discount_factors``. Health takes the health rates published beside a schedule named
        "..._standard"; any other schedule, a sensitivity or one of the user's own, applies to everything.

    Returns
    -------
    xr.DataArray, dims (component, year), units "1"
        The attributes state both schedules.

    Raises
    ------
    InputError
        As ``discount_factors``, and for an unknown kind.

    References
    ----------
    HM Treasury, The Green Book, annex A6: health effects carry no wealth effect, hence lower rates.
    """
    unknown = sorted(set(map(str, kinds.values.tolist())) - set(KINDS))
    if unknown:
        raise InputError(f"discounting: {unknown} is not one of {KINDS}.", fix="name one of these.")
    convention = {"schedules": schedules, "timing": timing, "base_year": base_year}
    beside = schedule.replace("_standard", "_health") if isinstance(schedule, str) else schedule
    known = isinstance(beside, str) and beside in schedule_names(schedules)
    plain = discount_factors(schedule, years, **convention)  # type: ignore[arg-type]
    health = discount_factors(beside, years, **convention) if known else plain  # type: ignore[arg-type]
    is_health = (kinds == "health").reset_coords(drop=True)
    factors: xr.DataArray = xr.where(is_health, health, plain)
    return factors.assign_attrs({**plain.attrs, "health_schedule": health.attrs["schedule"]})


def schedule_names(schedules: pd.DataFrame | None = None) -> list[str]:
    """Return the names that ``discount_factors`` knows."""
    return sorted(set((_shipped() if schedules is None else schedules)["schedule"]))


def equivalent_annual_value(
    present_value: xr.DataArray,
    *,
    schedule: Schedule = DEFAULT_SCHEDULE,
    years: Years,
    schedules: pd.DataFrame | None = None,
    timing: Timing = "start_of_year",
    base_year: int = 0,
) -> xr.DataArray:
    """Return the constant yearly amount over ``years`` that has this present value.

    Parameters
    ----------
    present_value
        Money, any dims.
    schedule, years, schedules, timing, base_year
        As in ``discount_factors``, and the same as for the present value.

    Returns
    -------
    xr.DataArray, dims of ``present_value``, money per year
    """
    factors = discount_factors(schedule, years, schedules=schedules, timing=timing, base_year=base_year)
    value = present_value / float(factors.sum())
    units = {"units": f"{present_value.attrs['units']} per year"} if "units" in present_value.attrs else {}
    return value.assign_attrs({**present_value.attrs, **factors.attrs, **units})


def in_year_order(flows: xr.DataArray) -> xr.DataArray:
    """Return ``flows`` (..., year) with years rising, for running totals.

    Raises
    ------
    InputError
        If a year occurs twice.
    """
    years = flows.get_index("year")
    if years.has_duplicates:
        raise InputError(f"{flows.name or 'flows'}: a year occurs twice.", fix="add them up, .groupby('year').sum().")
    return flows if years.is_monotonic_increasing else flows.isel(year=years.argsort())


def internal_rate_of_return(net: xr.DataArray) -> xr.Dataset:
    """Return the constant rate at which each stream's present value is 0.

    Parameters
    ----------
    net
        Real net flows, dims (..., year), years one apart in any order.

    Returns
    -------
    xr.Dataset, dims of ``net`` without year
        ``rate``; where there is none it is missing and ``reason`` says why: "" (there is one), "no change of
        sign" (never both pays and gains), "several changes of sign" (more than one rate would do, or none).

    References
    ----------
    Norstrom, C. J. (1972). A sufficient condition for a unique nonnegative internal rate of return.
    J. Financial and Quantitative Analysis 7(3), 1835-1839. doi:10.2307/2329806
    """
    check(net.rename(net.name or "net"), dims=("year",))
    net = in_year_order(net)
    if not bool((np.diff(net["year"].to_numpy().astype(float)) == 1).all()):
        raise InputError("net: years must rise one by one.", fix="fill missing years with 0.")
    streams = net.transpose(..., "year")
    rates, reasons = _rates_of_return(streams.to_numpy().astype(float).reshape(-1, net.sizes["year"]))
    template = streams.isel(year=0, drop=True).drop_attrs()
    rate = template.copy(data=rates.reshape(template.shape)).assign_attrs(units="real annual rate")
    return xr.Dataset({"rate": rate, "reason": template.copy(data=reasons.reshape(template.shape))})


def _rates_of_return(streams: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bisect all streams at once on log(1 + rate), from -99 to 999,900 per cent."""
    flips, total_flips = _sign_changes(streams), _sign_changes(np.cumsum(streams, axis=1))
    # One change of sign gives one rate (Descartes); one in the running total, one above 0 (Norstrom).
    low = np.where(flips == 1, np.log(0.01), 0.0)
    high = np.full(len(streams), np.log(1e4))
    start = np.sign(_value(streams, low))
    bracketed = start * np.sign(_value(streams, high)) < 0
    for _ in range(60):
        middle = (low + high) / 2
        same = np.sign(_value(streams, middle)) == start
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    reasons = np.select(
        [flips == 0, (flips > 1) & (total_flips != 1), ~bracketed],
        ["no change of sign", "several changes of sign", "outside -99 to 999,900 per cent"],
        "",
    )
    return np.where(reasons == "", np.expm1((low + high) / 2), np.nan), reasons.astype(object)


def _value(streams: np.ndarray, log_growth: np.ndarray) -> np.ndarray:
    weights = np.exp(-np.outer(log_growth, np.arange(streams.shape[1])))
    return np.asarray((streams * weights).sum(axis=1))


def _sign_changes(streams: np.ndarray) -> np.ndarray:
    """Count changes of sign along the last axis, passing over zeros."""
    signs = np.sign(streams)
    latest = np.maximum.accumulate(np.where(signs != 0, np.arange(signs.shape[1]), 0), axis=1)
    carried = np.take_along_axis(signs, latest, axis=1)
    return np.asarray((carried[:, 1:] * carried[:, :-1] < 0).sum(axis=1))


@cache
def _shipped() -> pd.DataFrame:
    return pd.read_csv(data_folder() / "evidence" / "discount_schedules.csv")


def _rows(schedule: Schedule, schedules: pd.DataFrame | None) -> tuple[str, pd.DataFrame]:
    if isinstance(schedule, pd.DataFrame):
        return "user schedule", schedule
    if isinstance(schedule, (int, float, np.floating)):
        constant = pd.DataFrame({"from_year": [0], "to_year": [np.nan], "rate": [float(schedule)]})
        return f"constant {float(schedule):g}", constant
    table = _shipped() if schedules is None else schedules
    rows = table[table["schedule"] == schedule]
    if rows.empty:
        raise InputError(
            f"schedule {schedule!r} is not in {_SOURCE if schedules is None else 'schedules'}; it has "
            f"{schedule_names(table)}.",
            fix="use one of these, a constant rate, or a table of your own.",
        )
    return str(schedule), rows


def _annual_rates(rows: pd.DataFrame, length: int, name: str) -> np.ndarray:
    """Return the rate of the step into each of the years 1 to ``length``."""
    missing = {"from_year", "to_year", "rate"} - set(rows.columns)
    if missing or rows.empty:
        raise InputError(f"schedule {name}: lacks {sorted(missing) or 'rows'}.", fix="add from_year, to_year, rate.")
    rows = rows.sort_values("from_year")
    starts, ends = rows["from_year"].to_numpy(float), rows["to_year"].fillna(np.inf).to_numpy(float)
    rates = rows["rate"].to_numpy(float)
    if starts[0] not in (0, 1) or not np.array_equal(starts[1:], ends[:-1] + 1):
        raise InputError(
            f"schedule {name}: steps overlap or leave a gap.",
            fix="start at year 0, and each from_year one after the last to_year.",
        )
    if not (np.isfinite(rates) & (rates > -0.5) & (rates < 0.5)).all():
        raise InputError(
            f"schedule {name}: rates {rates.tolist()} are not annual proportions.", fix="write 3.5 per cent as 0.035."
        )
    if length - 1 > ends[-1]:
        raise InputError(
            f"schedule {name}: ends with year {ends[-1]:g} but year {length - 1} is needed.",
            fix="add a row, or leave the last to_year blank.",
        )
    steps = np.searchsorted(starts, np.arange(1, length + 1), side="right") - 1
    return np.asarray(rates[steps])


def years_elapsed(labels: np.ndarray, base_year: int) -> np.ndarray:
    """Return how many years after ``base_year`` each year is, as signed integers; raise if one is earlier."""
    if labels.size == 0 or labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise InputError("years: must be whole numbers in one dimension, and at least one.")
    elapsed = labels.astype(np.int64) - base_year  # unsigned years would wrap round instead of becoming negative
    if elapsed.min() < 0:
        raise InputError(
            f"years: {labels.min()} comes before the base year {base_year}.", fix="set base_year to the first year."
        )
    if elapsed.max() > 1000:
        raise InputError(
            f"years: {labels.max()} is {elapsed.max()} years from year {base_year}.",
            fix="for calendar years give base_year=.",
        )
    return elapsed
