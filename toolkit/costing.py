"""Quantities to pounds: each component priced once, with its payer, account, timing and cashability.

A cost component is a row of ``data/evidence/cost_components.csv``: which quantity, at which cited price, borne by
whom, in which account it first counts, and what it already contains. Each tag of what is contained has its rule in
``overlaps.csv``, and nothing is priced outside the components, so nothing can be counted twice.
"""

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import DTypeLike

from toolkit.prices import real_growth
from toolkit.schema import ACCOUNTS, INVESTMENT, OUTCOMES, PAYERS, SAMPLE_DIMS, InputError, aligned

__all__ = [
    "COORDINATES",
    "components",
    "cost",
    "event_values",
    "growth_factors",
    "labels",
    "lifetime_cost",
    "lifetime_weights",
    "over_years",
    "spread_matrix",
    "unit_prices",
    "with_programme",
]

COORDINATES = ("outcome", "payer", "account", "cashability", "lag_years", "discounting")
TRANSFERS = ("dwp",)  # what these pay, someone receives
RECEIVED = "_received"
OF_A_PLAN: dict[str, Any] = {  # labels of what a plan itself costs
    **{"outcome": "programme", "account": "fiscal", "cashability": "cashable"},
    **{"lag_years": 0, "discounting": "standard"},
}


def components(
    table: pd.DataFrame, overlaps: pd.DataFrame, *, given: Mapping[str, str], outcomes: tuple[str, ...] = OUTCOMES
) -> pd.DataFrame:
    """Return the component rows of the chosen outcomes, checked, indexed by component.

    A transfer has a second row: what its receiver gains, in the economic account, so that there it nets to zero.

    Parameters
    ----------
    table
        ``cost_components`` as read.
    overlaps
        ``overlaps`` as read: the rule of every tag.
    given
        What a quantity is net of, by its name ("grade" or "justice"); quantities net of nothing may be missing.
    outcomes
        Outcomes to price.

    Raises
    ------
    InputError
        Unknown payer, account or outcome; a benefit without its receiver; a tag without a rule; or components that
        break a tag's rule, which would count something twice.
    """
    rows = table.set_index("component")
    for column, known in (("payer", PAYERS), ("account", ACCOUNTS), ("outcome", OUTCOMES), ("transfer_to", PAYERS)):
        wrong = rows.index[~rows[column].isin([*known, ""] if column == "transfer_to" else known)]
        if len(wrong):
            raise InputError(
                f"cost_components.csv, {wrong[0]}: unknown {column} '{rows.loc[wrong[0], column]}'.",
                fix=f"use one of {list(known)}.",
            )
    unmet = rows[rows["payer"].isin(TRANSFERS) & (rows["transfer_to"] == "")]
    if len(unmet):
        raise InputError(
            f"cost_components.csv, {unmet.index[0]}: a transfer.", fix="say in transfer_to who receives it."
        )
    priced = rows[["quantity", "price_role", "share_role", "share_complement", "local_share"]]
    twice = rows.index[priced.duplicated() | (rows["contains"] == "")]
    if len(twice):
        raise InputError(
            f"cost_components.csv, {twice[0]}: does not state what it contains, or prices the same as an earlier row.",
            fix="give its tags, or drop it.",
        )
    _check_overlaps(rows, overlaps, given)
    paid = rows.assign(sign=1.0)
    received = paid[paid["transfer_to"] != ""]
    received = received.assign(
        payer=received["transfer_to"], account="economic", cashability="non_cashable", sign=-1.0
    ).rename(index=lambda name: str(name) + RECEIVED)
    whole = pd.concat([paid, received])
    return whole[whole["outcome"].isin(outcomes)]


def _check_overlaps(rows: pd.DataFrame, overlaps: pd.DataFrame, given: Mapping[str, str]) -> None:
    """Check every tag against its rule."""
    by_tag: dict[str, list[str]] = {}
    for name, tags in rows["contains"].items():
        for tag in {tag.strip() for tag in str(tags).split(";")}:
            by_tag.setdefault(tag, []).append(str(name))
    rules = overlaps.set_index("tag")
    unruled = sorted(set(by_tag) - set(rules.index))
    if unruled:
        raise InputError(f"cost_components.csv: tag '{unruled[0]}' has no rule.", fix="add it to overlaps.csv.")
    for tag, names in by_tag.items():
        rule, reason = str(rules.loc[tag, "rule"]), str(rules.loc[tag, "reason"])
        if not _apart(rule, [str(rows.loc[name, "quantity"]) for name in names], given):
            raise InputError(
                f"cost_components.csv: {names} share '{tag}', against its rule '{rule}' ({reason}).",
                fix="take the tag out of one row, drop the row that is part of another, or choose other cost_options.",
            )


def _apart(rule: str, quantities: list[str], given: Mapping[str, str]) -> bool:
    """Return whether components on these quantities, which share one tag, keep its rule.

    Only one may have the tag, apart from those net of the rule's condition; ``once`` has no condition.
    """
    if rule == "never":
        return not quantities
    if rule == "apart":
        return len(set(quantities)) == len(quantities)
    return sum(given.get(name, "") != rule.removeprefix("given_") for name in quantities) <= 1


def unit_prices(rows: pd.DataFrame, draws: xr.Dataset, *, local_price: xr.Dataset, shares: xr.Dataset) -> xr.DataArray:
    """Return the price of one unit of each component (component, chain, draw), GBP in the price base.

    Parameters
    ----------
    rows
        From :func:`components`.
    draws
        Sampled figures.
    local_price
        The area's price relative to England's by ``local_price`` name (chain, draw).
    shares
        A component's share of a price, by ``local_share`` name (scalars), from ``evidence.placement_shares``.
    """

    def figure(name: str, among: xr.Dataset = draws) -> np.ndarray:
        return np.asarray(among[name].transpose(*SAMPLE_DIMS).values)

    parts = []
    for row in rows.to_dict("records"):
        price = row["sign"] * figure(row["price_role"])
        if row["share_role"]:
            share = figure(row["share_role"])
            price = price * (1.0 - share if row["share_complement"] == "yes" else share)
        if row["times_role"]:
            price = price * figure(row["times_role"])
        if row["local_price"]:
            price = price * figure(row["local_price"], local_price)
        if row["local_share"]:
            price = price * float(shares[row["local_share"]])
        parts.append(price)
    coords = {"component": list(rows.index), **{dim: draws[dim].values for dim in SAMPLE_DIMS}}
    prices = xr.DataArray(np.array(parts), coords, ("component", *SAMPLE_DIMS))
    return prices.assign_coords(labels(rows)).assign_attrs(units="GBP", price_base=draws.attrs["price_base"])


def labels(rows: pd.DataFrame) -> dict[str, tuple[str, np.ndarray]]:
    """Return the labels of components, as coordinates."""
    return {name: ("component", rows[name].to_numpy(dtype=object)) for name in COORDINATES}


def spread_matrix(
    rows: pd.DataFrame, years: int, published: Mapping[str, xr.DataArray], ages: Mapping[str, np.ndarray]
) -> xr.DataArray:
    """Return weights (component, year, event_year) that spread an event's cost over the years in which it is paid.

    ``sum`` spreads the price evenly over the offsets; ``present_value`` makes a level flow whose present value at
    the event equals the price, as the source discounted it; ``ages`` follows the layer's ages.

    Parameters
    ----------
    rows
        From :func:`components`.
    years
        Years of the appraisal; cost beyond this horizon is left out.
    published
        Discount factors (year) by name of the schedule that a present value was published under
        (``spread_schedule``); the scenario's own schedule then discounts the flow.
    ages
        Share of an adult layer's quantity in each year from its date on, by quantity (``pathways.age_spread``).
    """
    weights = np.zeros((len(rows), years, years))
    for index, row in enumerate(rows.itertuples()):
        for offset, level in enumerate(_levels(row, published, ages)[:years]):
            event = np.arange(years - offset)
            weights[index, event + offset, event] = level
    year = np.arange(years)
    return xr.DataArray(
        weights,
        dims=("component", "year", "event_year"),
        coords={"component": list(rows.index), "year": year, "event_year": year},
    )


def _levels(row: Any, published: Mapping[str, xr.DataArray], ages: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the share of a price in each year from the event on."""
    if row.spread_basis == "ages":
        return ages[str(row.quantity)]
    offsets = np.arange(int(row.spread_from), int(row.spread_to) + 1)
    level = np.zeros(offsets[-1] + 1)
    parts = float(offsets.size)
    if row.spread_basis == "present_value":
        parts = float(published[str(row.spread_schedule)].sel(year=offsets).sum())
    level[offsets] = 1.0 / parts
    return level


def growth_factors(rows: pd.DataFrame, draws: xr.Dataset, years: int) -> xr.DataArray:
    """Return real price growth (component, year, chain, draw) relative to the price base, which fades out."""
    fade = float(draws["growth_fade_years"].mean())
    flat = xr.DataArray(np.ones(years), dims="year", coords={"year": np.arange(years)})
    grown = {role: real_growth(draws[role], years=years, fade_years=fade) for role in set(rows["growth_role"]) if role}
    ones = flat * xr.ones_like(draws["growth_fade_years"])
    parts = [grown.get(role, ones).drop_attrs() for role in rows["growth_role"]]
    factors = xr.concat(parts, xr.Variable("component", list(rows.index)), coords="minimal", compat="override")
    return factors.transpose("component", "year", *SAMPLE_DIMS)


def cost(
    lives: xr.DataArray, rows: pd.DataFrame, prices: xr.DataArray, growth: xr.DataArray, spread: xr.DataArray
) -> xr.DataArray:
    """Price quantities: cost = spread(quantity x unit price) x real growth, by component.

    Parameters
    ----------
    lives
        Quantities (quantity, year, ..., chain, draw), year of the event.
    rows, prices, growth, spread
        From the functions above, over the same components and draws.

    Returns
    -------
    DataArray (component, year, ..., chain, draw), GBP a year in the price base, with the labels of the components.

    Raises
    ------
    InputError
        A component prices a quantity that ``lives`` lacks.
    """
    return over_years(event_values(lives, rows, prices), growth, spread)


def event_values(
    lives: xr.DataArray, rows: pd.DataFrame, prices: xr.DataArray, *, dtype: DTypeLike = np.float64
) -> xr.DataArray:
    """Return what the events of each year cost at today's prices, whenever it is paid.

    Parameters
    ----------
    lives, rows, prices
        As in :func:`cost`.
    dtype
        Precision in which the products are stored.

    Returns
    -------
    DataArray (component, event_year, ..., chain, draw), GBP. It can be summed over areas before
    :func:`over_years`, because areas differ in prices and not in timing.
    """
    aligned(lives, prices)
    middle = [dim for dim in lives.dims if dim not in ("quantity", "year", *SAMPLE_DIMS)]
    quantities = lives.transpose("quantity", "year", *middle, *SAMPLE_DIMS)
    unit = prices.transpose("component", *SAMPLE_DIMS).values
    worth = np.empty((len(rows), *quantities.shape[1:]), dtype)
    for position, index in enumerate(_places(quantities, rows)):
        np.multiply(quantities.values[index], unit[position], out=worth[position], casting="same_kind")
    axes = {"event_year" if dim == "year" else dim: quantities[dim].values for dim in quantities.dims[1:]}
    return _labelled(worth, axes, prices)


def over_years(values: xr.DataArray, growth: xr.DataArray, spread: xr.DataArray) -> xr.DataArray:
    """Spread what events cost over the years in which it is paid, at the prices of those years.

    Parameters
    ----------
    values
        From :func:`event_values`.
    growth, spread
        From :func:`growth_factors` and :func:`spread_matrix`.

    Returns
    -------
    DataArray (component, year, ..., chain, draw), GBP a year in the price base.
    """
    aligned(values.isel(event_year=0), growth.isel(year=0))
    matrices = spread.sel(event_year=values["event_year"].values)
    paid = np.empty((values.sizes["component"], spread.sizes["year"], *values.shape[2:]))
    for index, matrix in enumerate(matrices.transpose("component", "year", "event_year").values):
        events = values.values[index]
        np.matmul(matrix, events.reshape(events.shape[0], -1), out=paid[index].reshape(matrix.shape[0], -1))
    rise = growth.transpose("component", "year", *SAMPLE_DIMS).values
    paid *= rise.reshape(*rise.shape[:2], *(1 for _ in values.dims[2:-2]), *rise.shape[2:])
    axes = {"year": spread["year"].values, **{dim: values[dim].values for dim in values.dims[2:]}}
    return _labelled(paid, axes, values)


def _places(lives: xr.DataArray, rows: pd.DataFrame) -> np.ndarray:
    """Return the position of each component's quantity."""
    known = lives.get_index("quantity")
    missing = sorted(set(rows["quantity"]) - set(known))
    if missing:
        raise InputError(f"cost_components.csv: no such quantity as {missing}.", fix=f"use one of {known.tolist()}.")
    return known.get_indexer(pd.Index(rows["quantity"]))


def _labelled(values: np.ndarray, axes: Mapping[Hashable, np.ndarray], priced: xr.DataArray) -> xr.DataArray:
    names = {name: ("component", priced[name].values) for name in COORDINATES if name in priced.coords}
    return xr.DataArray(
        values,
        dims=("component", *axes),
        coords={"component": priced["component"].values, **axes, **names},
        name="cost",
        attrs={"units": "GBP", "price_base": priced.attrs["price_base"], "cell_methods": "year: sum"},
    )


def with_programme(costs: xr.DataArray, pounds: Mapping[str, xr.DataArray]) -> xr.DataArray:
    """Add what a plan itself costs, one component for each whose money it is: "programme_<payer>".

    Parameters
    ----------
    costs
        From :func:`cost`, with an ``option`` dim.
    pounds
        By payer, what the investment spends, GBP a year in the price base (year), with draws or without; negative for
        a cut. Business as usual spends nothing more.
    """
    parts, invested = [costs], (costs["option"] == INVESTMENT).astype(float)
    for payer, spend in pounds.items():
        extra = invested * spend * xr.ones_like(costs.isel(component=0, drop=True))
        extra = extra.expand_dims(component=[f"programme_{payer}"]).transpose(*costs.dims)
        labels = OF_A_PLAN | {"payer": payer}
        parts.append(extra.assign_coords({name: ("component", [value]) for name, value in labels.items()}))
    return xr.concat(parts, "component").assign_attrs(costs.attrs).rename("cost")


def lifetime_weights(growth: xr.DataArray, spread: xr.DataArray, factors: xr.DataArray) -> xr.DataArray:
    """Return the present value, at the start, of one pound's worth of quantity in each event year.

    Parameters
    ----------
    growth, spread
        From :func:`growth_factors` and :func:`spread_matrix`.
    factors
        Discount factors (year), or (component, year), of the appraisal.

    Returns
    -------
    DataArray (component, event_year, chain, draw), so that a lifetime cost needs no yearly array:
    present value = sum over event years of quantity x weight x unit price.
    """
    aligned(spread.isel(event_year=0), growth)
    worth = (growth * factors).transpose("component", "year", *SAMPLE_DIMS)
    matrices = spread.transpose("component", "event_year", "year")
    # Matrix products, component by component: xarray's sum over labels takes twenty times as long.
    weights = np.matmul(matrices.values, worth.values.reshape(*worth.shape[:2], -1))
    axes = {"component": worth["component"].values, "event_year": matrices["event_year"].values}
    coords = axes | {dim: worth[dim].values for dim in SAMPLE_DIMS}
    return xr.DataArray(weights.reshape(*weights.shape[:2], *worth.shape[2:]), coords, tuple(coords))


def lifetime_cost(
    profile: xr.DataArray, rows: pd.DataFrame, prices: xr.DataArray, weights: xr.DataArray
) -> xr.DataArray:
    """Return the present value of a profile of quantities by component (component, ..., chain, draw).

    Parameters
    ----------
    profile
        Quantities (quantity, year, ..., chain, draw) by year since the start.
    rows, prices, weights
        From :func:`components`, :func:`unit_prices` and :func:`lifetime_weights`.
    """
    middle = [dim for dim in profile.dims if dim not in ("quantity", "year", *SAMPLE_DIMS)]
    first, horizon = int(profile["year"][0]), weights.sizes["event_year"]
    events = profile.isel(year=slice(0, horizon - first)).transpose("quantity", *middle, "year", *SAMPLE_DIMS)
    within = slice(first, first + events.sizes["year"])  # years are consecutive, so nothing needs copying
    spans = weights.isel(event_year=within).transpose("component", "event_year", *SAMPLE_DIMS).values
    unit = prices.transpose("component", *SAMPLE_DIMS).values
    value = np.empty((len(rows), *(events.sizes[dim] for dim in (*middle, *SAMPLE_DIMS))), events.dtype)
    for position, index in enumerate(_places(events, rows)):
        np.einsum("...ycd,ycd->...cd", events.values[index], spans[position], out=value[position])
        value[position] *= unit[position]
    axes = {dim: events[dim].values for dim in (*middle, *SAMPLE_DIMS)}
    return _labelled(value, axes, prices)


def __dir__() -> list[str]:
    return __all__
