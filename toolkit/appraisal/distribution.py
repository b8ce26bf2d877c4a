"""Who gains and pays: distributional weights, figures for each child and family, and the council's own budget view."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from toolkit.appraisal.accounts import COUNCIL, PROGRAMME, Share, cashable_savings
from toolkit.appraisal.draws import sample_dims
from toolkit.prices import rebase
from toolkit.schema import INVESTMENT, PAYERS, InputError, aligned, check

NET, CUMULATIVE = "net", "cumulative"


def distributional_weights(relative_income: Mapping[str, float], *, elasticity: float) -> xr.DataArray:
    """Return the weight of a pound to each payer: (median income / the group's income) ^ elasticity.

    Parameters
    ----------
    relative_income
        Income of each payer's people over the median, equivalised: 0.6 for the poverty line. Payers not named
        weigh 1, as public budgets do.
    elasticity
        Of the marginal utility of income; the Green Book's is the row ``dist_weight_elasticity``, 1.3.

    Returns
    -------
    xr.DataArray, dims (payer)

    Raises
    ------
    InputError
        If an income is not above 0, or the elasticity is negative.

    References
    ----------
    HM Treasury (2026), The Green Book, annex 3 on distributional appraisal.
    """
    wrong = {name: income for name, income in relative_income.items() if not 0 < income < np.inf}
    if wrong or not relative_income or not 0 <= elasticity < np.inf:
        raise InputError(
            f"relative_income {wrong or dict(relative_income)}, elasticity {elasticity}: incomes must be above 0 "
            "and the elasticity 0 or more.",
            fix="give income over the median by payer, such as {'individuals': 0.6}.",
        )
    weights = np.array(list(relative_income.values()), dtype=float) ** -float(elasticity)
    attrs = {"units": "1", "elasticity": elasticity}
    return xr.DataArray(weights, dims="payer", coords={"payer": list(relative_income)}, attrs=attrs)


def weighted(net_position: xr.DataArray, weights: xr.DataArray) -> xr.Dataset:
    """Return the net present social value with each payer's pounds weighted, beside the unweighted one.

    Parameters
    ----------
    net_position
        Present value by payer over all accounts (payer, draws).
    weights
        From ``distributional_weights``; payers without one weigh 1.

    Returns
    -------
    xr.Dataset
        ``weighted``, ``unweighted`` and ``difference`` (draws), and ``weight`` (payer).

    Raises
    ------
    InputError
        If a weight names a payer without a position.
    """
    check(net_position.rename(net_position.name or "net_position"), dims=("payer",))
    unknown = sorted(set(weights["payer"].values) - set(net_position["payer"].values))
    if unknown:
        raise InputError(
            f"payers {unknown}: are not in the result.",
            fix=f"weight some of {net_position['payer'].values.tolist()}.",
        )
    weight = weights.reindex(payer=net_position["payer"].values, fill_value=1.0)
    both = {"weighted": (net_position * weight).sum("payer"), "unweighted": net_position.sum("payer")}
    both["difference"] = both["weighted"] - both["unweighted"]
    attrs = {key: net_position.attrs[key] for key in ("units", "price_base") if key in net_position.attrs}
    table = xr.Dataset({name: value.drop_attrs().assign_attrs(attrs) for name, value in both.items()})
    return table.assign(weight=weight.assign_attrs(weights.attrs))


def per_child_and_family(
    value: xr.DataArray, *, children: xr.DataArray, children_per_family: xr.DataArray | float
) -> xr.Dataset:
    """Return ``value`` for each child and each family, draw by draw.

    Parameters
    ----------
    value
        Money, dims (draws, ...).
    children
        Number of children it is for, same draws.
    children_per_family
        One number, or its draws.

    Raises
    ------
    InputError
        If a draw has no children, or a family none.
    """
    families = children / children_per_family
    aligned(value, children)
    if not bool((children > 0).all()) or not bool(np.isfinite(families).all()) or not bool((families > 0).all()):
        raise InputError("children: must be above 0 in every draw.", fix="take the absolute number for a cut.")
    units = str(value.attrs.get("units", "GBP"))
    return xr.Dataset(
        {
            "per_child": (value / children).assign_attrs({**value.attrs, "units": f"{units} per child"}),
            "per_family": (value / families).assign_attrs({**value.attrs, "units": f"{units} per family"}),
        }
    )


def medium_term_view(
    costs: xr.DataArray,
    *,
    deflators: pd.Series,
    first_year: int,
    years: int = 5,
    payer: str = COUNCIL,
    option: str = INVESTMENT,
    cashable_shares: Mapping[str, Share] | None = None,
    cash_step: float = 0.0,
) -> xr.DataArray:
    """Return one payer's budget lines in the cash of each of the first years, as budget papers show them.

    Parameters
    ----------
    costs
        Real GBP, dims (draws, option, year, component), as for ``appraise``.
    deflators
        GDP deflator by financial year, forecasts included, from ``prices.deflators``.
    first_year
        Financial year of year 0: 2025 for 2025/26.
    years
        How many years are shown.
    payer
        Whose budget.
    option, cashable_shares, cash_step
        As in ``appraise``.

    Returns
    -------
    xr.DataArray, dims (line, year, draws)
        Cash: programme spending (negative), the cashable saving of each component, their ``net`` and its running
        total ``cumulative``; coordinate financial_year (year). Only what leaves the budget counts, in the year it
        does; ``costs`` include real growth of prices, and general inflation is added here.

    Raises
    ------
    InputError
        If the deflators do not reach the last year shown, or the payer is unknown.
    """
    savings = cashable_savings(costs, option=option, cashable_shares=cashable_shares, cash_step=cash_step)
    mine = savings.isel(
        component=np.flatnonzero(savings["payer"] == payer), year=np.flatnonzero(savings["year"] < years)
    )
    # A component without any cash is not a line of a budget.
    mine = mine.isel(component=np.flatnonzero((mine != 0).any([dim for dim in mine.dims if dim != "component"])))
    if payer not in {*PAYERS, *costs["payer"].values}:
        raise InputError(f"payer {payer!r}: unknown.", fix=f"use one of {sorted(set(costs['payer'].values))}.")
    labels = [f"{first_year + int(t)}/{(first_year + int(t) + 1) % 100:02d}" for t in mine["year"].values]
    factors = [rebase(1.0, str(costs.attrs["price_base"]), to=label, deflators=deflators) for label in labels]
    spending = mine["outcome"].values == PROGRAMME
    mine = mine.isel(component=np.argsort(~spending, kind="stable"))
    names = mine["component"].values.tolist()
    cash = mine.reset_coords(drop=True).rename(component="line").assign_coords(line=names)
    cash = cash * xr.DataArray(factors, dims="year", coords={"year": mine["year"]})
    net = cash.sum("line")
    whole = xr.concat(
        [
            cash,
            net.expand_dims(line=[NET]),
            net.cumsum("year").assign_coords(year=net["year"]).expand_dims(line=[CUMULATIVE]),
        ],
        "line",
    )
    whole = whole.assign_coords(financial_year=("year", labels)).rename("medium_term_view")
    return whole.transpose("line", "year", ..., *sample_dims(whole)).assign_attrs(
        units="GBP", price_base="nominal: cash of each year", payer=payer
    )
