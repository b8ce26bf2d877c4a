"""From the costs of two options to an appraisal: who pays, who gains, when it pays back.

Costs carry one `component` each time money is counted: its outcome, payer, account and, where
stated, cashability. An account is the narrowest in which a component counts, and accounts are
cumulative: the economic account includes the fiscal one, the social account includes both.
"""

from collections.abc import Mapping
from functools import partial

import numpy as np
import pandas as pd
import xarray as xr

from toolkit.appraisal.discounting import DEFAULT_SCHEDULE, Schedule, Timing, in_year_order
from toolkit.appraisal.draws import sample_dims
from toolkit.appraisal.present_values import (
    DEFAULT_LEVEL,
    benefit_cost_ratio,
    discounted,
    payback_year,
    probability_paid_back,
    running_total_back,
)
from toolkit.schema import ACCOUNTS, BUSINESS_AS_USUAL, INVESTMENT, InputError, aligned, check

type Share = float | xr.DataArray

PROGRAMME = "programme"
COUNCIL = "local_authority"
CASHABLE_SHARES = {"cashable": 1.0, "non_cashable": 0.0}


def account_total(costs: xr.DataArray, account: str) -> xr.DataArray:
    """Return the sum of the components that count in ``account``.

    Parameters
    ----------
    costs
        Money, dims (..., component), with coordinate account(component).
    account
        "fiscal", "economic" (fiscal and economic components) or "social" (all of them).

    Raises
    ------
    InputError
        If the account, or a component's account, is not one of the three.
    """
    return _summed(costs, _account_members(costs, (account,))).isel(account=0)


def appraise(
    costs: xr.DataArray,
    *,
    schedule: Schedule = DEFAULT_SCHEDULE,
    timing: Timing = "start_of_year",
    level: float = DEFAULT_LEVEL,
    horizon: int | None = None,
    option: str = INVESTMENT,
    cashable_shares: Mapping[str, Share] | None = None,
    cash_step: float = 0.0,
    schedules: pd.DataFrame | None = None,
    base_year: int = 0,
) -> xr.Dataset:
    """Return the appraisal of ``option`` against business as usual, draw by draw.

    Parameters
    ----------
    costs
        Real GBP, dims (draws, option, year, component); coordinates outcome, payer, account and, if
        cashable savings are to be counted, cashability (and lag_years) on component; discounting, if some of it is
        "health" (``factors_by_kind``). Programme spending is the components with outcome "programme". Further
        dims, such as area, are kept.
    schedule, timing, schedules, base_year
        As in ``discount_factors``.
    level
        Of the interval of the benefit-cost ratios.
    horizon
        Number of years counted from the base year (10: years 0 to 9); all by default.
    option
        The option appraised.
    cashable_shares
        Share of a saving that can be released as cash, by cashability, a number or its draws; needed for
        "partly_cashable".
    cash_step
        GBP a year of the steps in which partly cashable costs move in place of that share: see ``cashable_savings``.

    Returns
    -------
    xr.Dataset
        Present values ``npsv`` (account), ``programme_cost``, ``benefit`` (outcome, payer, account);
        ``bcr``, ``bcr_lower``, ``bcr_upper``, ``bcr_probability_above_one`` (account);
        ``payback_year`` and ``payback_year_stays`` (account), ``probability_paid_back`` and ``probability_ahead``
        (account, year), the latter that the running total is 0 or above in that year, which is the measure for
        a cut;
        ``net_position`` and ``net_position_discounted`` (payer, year) over all accounts;
        ``cashable_net_position`` (payer, year), real and undiscounted; ``council_payback_year`` and
        ``council_probability_paid_back`` (year), from the council's discounted cashable position.
        Benefits are costs avoided; accounts are cumulative, so they are not to be summed.

    Raises
    ------
    InputError
        If the array breaks the rules above.
    """
    costs = _checked(costs)
    if horizon is not None:
        costs = costs.isel(year=np.flatnonzero(costs["year"] < base_year + horizon))
    avoided = costs.sel(option=BUSINESS_AS_USUAL, drop=True) - costs.sel(option=option, drop=True)
    avoided = avoided.assign_attrs(costs.attrs)
    discount = partial(discounted, schedule=schedule, timing=timing, schedules=schedules, base_year=base_year)
    worth = discount(avoided)
    payer = _members(avoided, "payer")
    cashable = cashable_savings(costs, option=option, cashable_shares=cashable_shares, cash_step=cash_step)
    cashable = _summed(cashable, payer)
    council = discount(_payer(cashable))
    net = _summed(worth, _account_members(worth))
    benefit, cost = _benefit_and_cost(worth)
    result = xr.Dataset(
        value_and_payback(benefit.sum(["outcome", "payer"], skipna=False), cost, net, council, level=level)
        | {
            "benefit": benefit,
            "payback_year_stays": payback_year(net, stays=True),
            "probability_ahead": running_total_back(net).mean(sample_dims(net)),
            "net_position": _summed(avoided, payer),
            "net_position_discounted": _summed(worth, payer),
            "cashable_net_position": cashable,
        }
    )
    return _labelled(result, costs, worth, level=level, horizon=horizon, option=option)


def cashable_savings(
    costs: xr.DataArray,
    *,
    option: str = INVESTMENT,
    cashable_shares: Mapping[str, Share] | None = None,
    cash_step: float = 0.0,
) -> xr.DataArray:
    """Return the cash that ``option`` leaves in each payer's budget, in the year in which it does.

    Parameters
    ----------
    costs, option, cashable_shares
        As in ``appraise``.
    cash_step
        Real GBP a year of one post, team or home. If given, the partly cashable costs of a payer move in whole steps
        of it and not by a share: of a year's saving, draw by draw, as many steps leave the budget as fit in it, and
        for added cost as many are added as it needs. Over several areas the steps are those of all together;
        savings in one component are first offset against added cost in another.

    Returns
    -------
    xr.DataArray, dims (draws, year, component), real GBP, undiscounted
        The cashable part of the cost avoided, moved by lag_years(component); programme spending is all cash. By a
        share, the cash of a component has the sign of the cost that it avoids and is no larger. The sum over
        components can be larger than the sum avoided, or of the other sign, where some components avoid cost and
        others add to it: added cost that is not cash is met by existing staff and places, so it takes no cash
        away. So cash is a share of the cost avoided component by component, and of a sum only where its parts have one
        sign. In whole steps no component's cash is above the cost that it avoids.

    Raises
    ------
    InputError
        If the array breaks the rules above, a share is missing, or the step is negative or not a number.
    """
    costs = _checked(costs)
    if not 0 <= cash_step < np.inf:
        raise InputError(
            f"cash_step: {cash_step!r} is not a sum of money.", fix="give pounds a year, or 0 for the share."
        )
    avoided = costs.sel(option=BUSINESS_AS_USUAL, drop=True) - costs.sel(option=option, drop=True)
    share = _cashable_share(avoided, {**(cashable_shares or {}), **({"partly_cashable": 1.0} if cash_step else {})})
    aligned(avoided, share)
    cash = avoided * share
    return _lagged(_in_steps(cash, cash_step) if cash_step else cash).assign_attrs(costs.attrs)


def _in_steps(cash: xr.DataArray, step: float) -> xr.DataArray:
    """Round the partly cashable cash of each payer and year down to whole steps.

    What the rounding takes away is shared over the components by their absolute size: in proportion where all save or
    all cost, and never more than a step where some cost and others save, however little is left of both.
    """
    if "cashability" not in cash.coords:
        raise InputError("costs: lacks the coordinate cashability(component), which cash in steps needs.")
    stepped = (cash["cashability"].values == "partly_cashable") & (cash["outcome"].values != PROGRAMME)
    moved = cash * xr.DataArray(stepped.astype(float), dims="component")
    payer = _members(cash, "payer")
    total, size = _summed(moved, payer), _summed(abs(moved), payer)
    # Slightly above each total, for those that are whole steps except for rounding.
    whole = step * xr.ufuncs.floor(total / step + 1e-9)
    taken = ((whole - total) / size.where(size != 0, 1.0)).sel(
        payer=xr.DataArray(cash["payer"].values, dims="component")
    )
    rounded: xr.DataArray = (cash + abs(moved) * taken.drop_vars("payer")).transpose(*cash.dims)
    return rounded


def value_and_payback(
    benefit: xr.DataArray, cost: xr.DataArray, net: xr.DataArray, council: xr.DataArray, *, level: float = DEFAULT_LEVEL
) -> dict[str, xr.DataArray]:
    """Return the part of ``appraise`` that follows from flows already grouped by account.

    Parameters
    ----------
    benefit, cost
        Present values of the benefit (account, draws) and of the programme (draws).
    net
        Discounted net benefit (account, year, draws).
    council
        Discounted cashable position of the council (year, draws).
    level
        Of the interval of the benefit-cost ratios.
    """
    ratio = benefit_cost_ratio(benefit, cost, level=level)
    back, council_back = payback_year(net), payback_year(council)
    return {
        "npsv": benefit - cost,
        "programme_cost": cost,
        "bcr": ratio["ratio"],
        "bcr_lower": ratio["lower"],
        "bcr_upper": ratio["upper"],
        "bcr_probability_above_one": ratio["probability_above_one"],
        "bcr_reading": ratio["reading"],
        "payback_year": back,
        "probability_paid_back": probability_paid_back(back, net["year"]),
        "council_payback_year": council_back,
        "council_probability_paid_back": probability_paid_back(council_back, council["year"]),
    }


def _benefit_and_cost(worth: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    """Return the present value of what is avoided, by account, outcome and payer, and of the programme's spending."""
    present = worth.sum("year", skipna=False)
    spending = present["outcome"] == PROGRAMME
    cost = -present.isel(component=np.flatnonzero(spending)).sum("component", skipna=False)
    other = np.flatnonzero(~spending)
    avoided, payer = present.isel(component=other), _members(present, "payer").isel(component=other)  # the funder's too
    return _summed(avoided, _account_members(avoided), _members(avoided, "outcome"), payer), cost


def _summed(costs: xr.DataArray, *groups: xr.DataArray) -> xr.DataArray:
    """Sum components into groups, whose members are 1 and others 0 over (component, group)."""
    names = {name for name, labels in costs.coords.items() if labels.dims == ("component",)}
    total: xr.DataArray = xr.dot(costs.drop_vars(names), *groups, dim="component")
    return total.assign_attrs(costs.attrs)


def _members(costs: xr.DataArray, name: str) -> xr.DataArray:
    """Return 1 where a component belongs to each outcome or payer, in order of appearance."""
    labels = list(dict.fromkeys(costs[name].values.tolist()))
    members = np.equal.outer(costs[name].values.astype(object), np.array(labels, object)).astype(float)
    return xr.DataArray(members, dims=("component", name), coords={name: np.array(labels)})


def _account_members(costs: xr.DataArray, accounts: tuple[str, ...] = ACCOUNTS) -> xr.DataArray:
    """Return 1 where a component counts in each account, which includes those before it."""
    unknown = (set(costs["account"].values.tolist()) | set(accounts)) - set(ACCOUNTS)
    if unknown:
        raise InputError(f"account: {sorted(unknown)} is not one of {ACCOUNTS}.", fix="name one of these.")
    narrowest = np.array([ACCOUNTS.index(account) for account in costs["account"].values.tolist()], int)
    widest = np.array([ACCOUNTS.index(account) for account in accounts])
    members = (narrowest[:, None] <= widest).astype(float)
    return xr.DataArray(members, dims=("component", "account"), coords={"account": np.array(accounts)})


def _payer(position: xr.DataArray, payer: str = COUNCIL) -> xr.DataArray:
    """Return one payer's position, 0 if none of the components is theirs."""
    return position.where(position["payer"] == payer, 0.0).sum("payer", keep_attrs=True, skipna=False)


def _cashable_share(costs: xr.DataArray, shares: Mapping[str, Share]) -> xr.DataArray:
    """Return what share of each component is cash to its payer; the programme's spending is all cash."""
    whole = xr.ones_like(costs["component"], dtype=float).reset_coords(drop=True)
    if "cashability" not in costs.coords:
        return whole
    known = {**CASHABLE_SHARES, **shares}
    spending = (costs["outcome"] == PROGRAMME).values
    grades = np.where(spending, "cashable", costs["cashability"].values.astype(object))
    missing = set(grades.tolist()) - set(known)
    if missing or not all(np.all((np.asarray(share) >= 0) & (np.asarray(share) <= 1)) for share in known.values()):
        raise InputError(
            f"cashability: no share between 0 and 1 for {sorted(missing) or sorted(known)}.",
            fix="pass cashable_shares, for example {'partly_cashable': 0.5}.",
        )
    total = 0.0 * whole
    for grade in dict.fromkeys(grades.tolist()):
        share = known[grade]
        part = share.drop_attrs().reset_coords(drop=True) if isinstance(share, xr.DataArray) else share
        total = total + whole.copy(data=(grades == grade).astype(float)) * part
    return total


def _lagged(cashable: xr.DataArray) -> xr.DataArray:
    """Move each saving to the year in which it leaves the budget, if lag_years(component) is stated."""
    if "lag_years" not in cashable.coords:
        return cashable
    lags, years = cashable["lag_years"].values.astype(float), cashable["year"].to_numpy().astype(float)
    if (lags != np.maximum(np.round(lags), 0)).any() or (lags.any() and (np.diff(years) != 1).any()):
        raise InputError(
            "lag_years: savings can move by whole years from 0 upwards, between years one apart.",
            fix="round the lags, and fill missing years of the costs with 0.",
        )
    parts = [cashable.isel(component=[k]).shift(year=int(lag), fill_value=0.0) for k, lag in enumerate(lags)]
    return xr.concat(parts, "component").transpose(*cashable.dims)


def _checked(costs: xr.DataArray) -> xr.DataArray:
    """Return costs that keep the rules of an appraisal, with years rising, or raise."""
    check(costs.rename(costs.name or "costs"), dims=("option", "year", "component"), units="GBP")
    sample_dims(costs)
    for coordinate in ("outcome", "payer", "account"):
        if coordinate not in costs.coords or costs[coordinate].dims != ("component",):
            raise InputError(f"costs: lacks the coordinate {coordinate}(component).", fix="assign it.")
    if BUSINESS_AS_USUAL not in costs["option"] or not bool((costs["outcome"] == PROGRAMME).any()):
        raise InputError(f"costs: needs the option '{BUSINESS_AS_USUAL}' and a component with outcome '{PROGRAMME}'.")
    return in_year_order(costs)


def _labelled(
    result: xr.Dataset,
    costs: xr.DataArray,
    worth: xr.DataArray,
    *,
    level: float,
    horizon: int | None,
    option: str,
) -> xr.Dataset:
    convention = ("schedule", "health_schedule", "timing", "base_year")
    stated = {key: worth.attrs[key] for key in convention if key in worth.attrs}
    money = {"units": "GBP", "price_base": costs.attrs["price_base"]}
    for name in ("npsv", "programme_cost", "benefit"):
        result[name].attrs = {**money, **stated, "cell_methods": "year: sum (present value)"}
    for name in ("net_position", "cashable_net_position"):
        result[name].attrs = {**money, "cell_methods": "real, undiscounted, per year"}
    result["net_position_discounted"].attrs = {**money, **stated, "cell_methods": "per year"}
    whole = "cashability" not in costs.coords
    result["cashable_net_position"].attrs["note"] = "cashability not stated: all counted" if whole else "cashable only"
    return result.assign_attrs(
        **stated,
        level=level,
        option=option,
        against=BUSINESS_AS_USUAL,
        horizon=horizon or result.sizes["year"],
        price_base=costs.attrs["price_base"],
    )
