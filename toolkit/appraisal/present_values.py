"""Present values and the measures that decision makers use: payback, benefit-cost ratios, cash prices.

Every function keeps the draws unless its name says otherwise. Flows are real, yearly and signed so
that good is positive; present values state their schedule and timing.
"""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import pandas as pd
import xarray as xr

from toolkit.appraisal.discounting import (
    DEFAULT_SCHEDULE,
    Schedule,
    Timing,
    Years,
    discount_factors,
    factors_by_kind,
    in_year_order,
    years_elapsed,
)
from toolkit.appraisal.draws import sample_dims
from toolkit.schema import InputError, aligned, check

DEFAULT_LEVEL = 0.90
_READINGS = ["benefit per pound spent", "cost caused per pound cut"]


def discounted(
    flows: xr.DataArray,
    *,
    schedule: Schedule = DEFAULT_SCHEDULE,
    timing: Timing = "start_of_year",
    schedules: pd.DataFrame | None = None,
    base_year: int = 0,
) -> xr.DataArray:
    """Return ``flows`` (..., year) with each year's money worth what it is in the base year.

    Components whose coordinate ``discounting`` (component), if there is one, is "health" take the health rates
    (``factors_by_kind``).
    """
    check(flows.rename(flows.name or "flows"), dims=("year",))
    if "year" not in flows.coords:
        raise InputError("flows: years have no labels.", fix=".assign_coords(year=range(...)), 0 the base year.")
    factors_of: Callable[..., xr.DataArray] = discount_factors
    if "discounting" in flows.coords:
        factors_of = partial(factors_by_kind, flows["discounting"])
    factors = factors_of(schedule, flows["year"], schedules=schedules, timing=timing, base_year=base_year)
    return (flows * factors).assign_attrs({**flows.attrs, **factors.attrs, **_units(flows)})


def present_value(
    flows: xr.DataArray,
    *,
    schedule: Schedule = DEFAULT_SCHEDULE,
    timing: Timing = "start_of_year",
    schedules: pd.DataFrame | None = None,
    base_year: int = 0,
) -> xr.DataArray:
    """Return the sum of discounted flows.

    Parameters
    ----------
    flows
        Real money, dims (..., year).
    schedule, timing, schedules, base_year
        As in ``discount_factors``.

    Returns
    -------
    xr.DataArray, dims of ``flows`` without year; the attributes state schedule, timing and price base
    """
    weighted = discounted(flows, schedule=schedule, timing=timing, schedules=schedules, base_year=base_year)
    return weighted.sum("year", keep_attrs=True)


def net_present_social_value(
    benefits: xr.DataArray,
    costs: xr.DataArray,
    *,
    schedule: Schedule = DEFAULT_SCHEDULE,
    timing: Timing = "start_of_year",
    base_year: int = 0,
) -> xr.DataArray:
    """Return discounted ``benefits`` less discounted ``costs``, both (..., year), draw by draw."""
    check(benefits.rename(benefits.name or "benefits"))
    check(costs.rename(costs.name or "costs"))
    aligned(benefits, costs)
    net = (benefits - costs).assign_attrs(benefits.attrs)
    return present_value(net, schedule=schedule, timing=timing, base_year=base_year)


def payback_year(net_by_year: xr.DataArray, *, stays: bool = False) -> xr.DataArray:
    """Return the first year by which the money is paid back, infinite where it never is.

    Parameters
    ----------
    net_by_year
        Net benefit of each year (..., year), in any order; discounted first if the discounted payback is meant.
    stays
        False: the first year in which the running total is 0 or above. True: the first from which it stays so to
        the last year, the safer measure where costs return later or savings come first.

    Returns
    -------
    xr.DataArray, dims of ``net_by_year`` without year, the label of the year or inf
        Years before any money moves do not count; a stream of zeros never pays back.
    """
    check(net_by_year.rename(net_by_year.name or "net_by_year"), dims=("year",))
    streams = in_year_order(net_by_year).transpose(..., "year")
    flows = streams.to_numpy()
    back = running_total_back(streams).to_numpy()
    if stays:
        back = np.logical_and.accumulate(back[..., ::-1], axis=-1)[..., ::-1]
    paid = back & np.logical_or.accumulate(flows != 0, axis=-1)
    first = np.where(paid, streams["year"].to_numpy().astype(float), np.inf).min(axis=-1)
    year = streams.isel(year=0, drop=True).drop_attrs().copy(data=first)
    return year.rename("payback_year").assign_attrs(units="year", stays=int(stays), **_stated(net_by_year))


def running_total_back(net_by_year: xr.DataArray) -> xr.DataArray:
    """Return whether the running total of (..., year) is 0 or above; rounding does not turn exactly 0 into a debt."""
    least = max(1e-9, 4 * float(np.finfo(np.result_type(net_by_year.dtype, np.float16)).eps))  # live answers: float32
    flows = net_by_year.astype(float)
    size = abs(flows).sum("year")
    back: xr.DataArray = flows.cumsum("year").assign_coords(year=net_by_year["year"]) >= -least * size
    return back.transpose(*net_by_year.dims)


def probability_paid_back(payback: xr.DataArray, years: Years) -> xr.DataArray:
    """Return the share of draws paid back in or before each of ``years``; a draw that never is counts among all."""
    by = xr.DataArray(np.asarray(years), dims="year", coords={"year": np.asarray(years)})
    share = (payback <= by).mean(sample_dims(payback))
    return share.assign_attrs(units="probability", stays=payback.attrs.get("stays", 0))


def benefit_cost_ratio(benefits: xr.DataArray, costs: xr.DataArray, *, level: float = DEFAULT_LEVEL) -> xr.Dataset:
    """Return the ratio of expectations E[B] / E[C] with an interval from the benefits alone.

    A mean of ratios is dominated by the draws with the smallest cost, and the Green Book's ratio is of
    expected values; the interval is the benefits' own over the expected cost, so it does not widen
    with the cost's uncertainty.

    Parameters
    ----------
    benefits, costs
        Present values with the same draws.
    level
        Probability that the interval covers.

    Returns
    -------
    xr.Dataset
        ``ratio``, ``lower``, ``upper``, ``probability_above_one`` (share of draws with benefits above
        costs) and ``reading``. With a spending cut both expectations may be negative: the ratio then
        reads as cost caused per pound cut. Missing where the expected cost is 0.
    """
    aligned(benefits, costs)
    dims, tail = sample_dims(benefits), _tail(level)
    expected = costs.mean(dims)
    expected = expected.where(expected != 0)
    bounds = benefits.quantile([tail, 1 - tail], dims) / expected
    result = xr.Dataset(
        {
            "ratio": benefits.mean(dims) / expected,
            "lower": bounds.min("quantile"),
            "upper": bounds.max("quantile"),
            "probability_above_one": (benefits > costs).mean(dims),
            "reading": expected.copy(
                data=np.select([expected > 0, expected < 0], _READINGS, "no expected cost, so no ratio")
            ).drop_attrs(),
        }
    )
    for name in ("ratio", "lower", "upper"):
        result[name].attrs = {"units": "GBP per GBP", "level": level}
    return result.assign_attrs(level=level, interval="quantiles of the benefits over the expected cost")


def summarise(array: xr.DataArray, *, level: float = DEFAULT_LEVEL) -> xr.Dataset:
    """Return mean, median, lower and upper (equal tails) of ``array`` over its draws."""
    dims, tail = sample_dims(array), _tail(level)
    quantiles = array.quantile([tail, 0.5, 1 - tail], dims)
    parts = {"mean": array.mean(dims)} | {
        name: quantiles.isel(quantile=position, drop=True) for position, name in enumerate(("lower", "median", "upper"))
    }
    summary = xr.Dataset({name: parts[name] for name in ("mean", "median", "lower", "upper")})
    for part in summary.values():
        part.attrs = dict(array.attrs)
    return summary.assign_attrs({**array.attrs, "level": level})


def marginal_value_of_public_funds(willingness_to_pay: xr.DataArray, net_government_cost: xr.DataArray) -> xr.DataArray:
    """Return what those affected gain per pound the government ends up paying.

    Parameters
    ----------
    willingness_to_pay
        Present value of the gains to individuals, victims and wider society, GBP; draws or their means.
    net_government_cost
        Present value of programme cost less all savings and tax to government, same dims.

    Returns
    -------
    xr.DataArray
        The ratio; inf where the policy pays for itself (cost <= 0) and those affected do not lose;
        -inf where it saves nothing and they do. Where both are negative, a cut, it reads as what they
        lose per pound saved, so a negative ratio only ever means harm that costs money.

    References
    ----------
    Hendren, N. and Sprung-Keyser, B. (2020). A unified welfare analysis of government policies.
    Quarterly J. Economics 135(3), 1209-1318. doi:10.1093/qje/qjaa006
    """
    aligned(willingness_to_pay, net_government_cost)
    ratio = willingness_to_pay / net_government_cost.where(net_government_cost != 0)
    ratio = ratio.where(~((net_government_cost <= 0) & (willingness_to_pay >= 0)), np.inf)
    ratio = ratio.where(~((net_government_cost == 0) & (willingness_to_pay < 0)), -np.inf)
    return ratio.drop_attrs().assign_attrs(units="GBP per GBP of net government cost")


def cash_prices(
    real: xr.DataArray, *, inflation: float | Mapping[int, float] | xr.DataArray, base_year: int = 0
) -> xr.DataArray:
    """Return the money of each year in that year's own prices, as a budget paper shows it.

    Parameters
    ----------
    real
        Real money, dims (..., year), in the prices of ``base_year``.
    inflation
        Rise in prices from the year before, as a proportion: one rate, or one per year after the base.
    base_year
        The year whose prices ``real`` is in.

    Raises
    ------
    InputError
        If a year's inflation is missing or looks like per cent, or a year lies before the base year.
    """
    check(real.rename(real.name or "real"), dims=("year",))
    labels = real["year"].to_numpy()
    elapsed = years_elapsed(labels, base_year)
    span = range(base_year + 1, int(labels.max()) + 1)
    rates = np.array([_inflation(inflation, year) for year in span])
    levels = np.concatenate([[1.0], np.cumprod(1 + rates)])
    if (abs(rates) > 0.5).any():
        raise InputError("inflation: a rate is not a proportion.", fix="write 2 per cent as 0.02.")
    factors = xr.DataArray(levels[elapsed], dims="year", coords={"year": labels})
    return (real * factors).assign_attrs({**real.attrs, "price_base": "nominal: cash of each year"})


def _inflation(inflation: float | Mapping[int, float] | xr.DataArray, year: int) -> float:
    if isinstance(inflation, (int, float)):
        return float(inflation)
    series = inflation.to_series() if isinstance(inflation, xr.DataArray) else inflation
    if year not in series:
        raise InputError(f"inflation: year {year} is missing.", fix="add it, or give one rate for all years.")
    return float(series[year])


def _tail(level: float) -> float:
    if not 0 < level < 1:
        raise InputError(f"level {level} is not between 0 and 1.", fix="write 90 per cent as 0.90.")
    return (1 - level) / 2


def _units(flows: xr.DataArray) -> dict[str, str]:
    units = str(flows.attrs.get("units", ""))
    return {"units": units.removesuffix(" per year")} if units else {}


def _stated(flows: xr.DataArray) -> dict[str, str]:
    return {key: str(flows.attrs[key]) for key in ("schedule", "timing") if key in flows.attrs}
