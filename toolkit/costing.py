"""Quantities to pounds: each component priced once, with its payer, account, timing and cashability.

A cost component is a row of ``data/evidence/cost_components.csv``: which quantity, at which cited price,
borne by whom, in which account it first counts, and what it already contains. An outcome's cost is the
sum of its components and nothing is priced outside them, so nothing can be counted twice.
"""

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pandas as pd
import xarray as xr

from toolkit.prices import real_growth
from toolkit.schema import ACCOUNTS, OUTCOMES, PAYERS, SAMPLE_DIMS, InputError, aligned

COORDINATES = ("outcome", "payer", "account", "cashability", "lag_years", "discounting")


def components(table: pd.DataFrame, *, outcomes: tuple[str, ...] = OUTCOMES) -> pd.DataFrame:
    """Return the component rows of the chosen outcomes, checked, indexed by component.

    Parameters
    ----------
    table
        ``cost_components`` as read.
    outcomes
        Outcomes to price.

    Raises
    ------
    InputError
        Unknown payer, account or outcome, or two rows on one quantity and account whose ``contains``
        tags overlap, which would count a component twice.
    """
    rows = table.set_index("component")
    for column, known in (("payer", PAYERS), ("account", ACCOUNTS), ("outcome", OUTCOMES)):
        wrong = rows.index[~rows[column].isin(known)]
        if len(wrong):
            raise InputError(
                f"cost_components.csv, {wrong[0]}: unknown {column} '{rows.loc[wrong[0], column]}'. "
                f"Mend: use one of {list(known)}."
            )
    for first, second in combinations(rows.index, 2):
        shared = _tags(rows, first) & _tags(rows, second)
        if shared:
            raise InputError(
                f"cost_components.csv: '{first}' and '{second}' both contain {sorted(shared)}. "
                "Mend: take the tag out of one row, or drop the row that is part of the other."
            )
    return rows[rows["outcome"].isin(outcomes)]


def _tags(rows: pd.DataFrame, component: str) -> set[str]:
    return {tag.strip() for tag in str(rows.loc[component, "contains"]).split(";") if tag.strip()}


def unit_prices(rows: pd.DataFrame, draws: xr.Dataset, *, local_price: xr.Dataset | None = None) -> xr.DataArray:
    """Price of one unit of each component (chain, draw, component), GBP in the price base.

    Parameters
    ----------
    rows
        From :func:`components`.
    draws
        Sampled figures.
    local_price
        The area's price over England's by ``local_price`` name (chain, draw); absent means England's.
    """
    parts = []
    for row in rows.itertuples():
        price = draws[row.price_role]
        if row.share_role:
            share = draws[row.share_role]
            price = price * (1.0 - share if row.share_complement == "yes" else share)
        if row.local_price and local_price is not None:
            price = price * local_price[row.local_price]
        parts.append(price.drop_attrs())
    prices = xr.concat(parts, xr.Variable("component", list(rows.index)), coords="minimal", compat="override")
    coords = {name: ("component", rows[name].to_numpy(dtype=object)) for name in COORDINATES}
    return prices.assign_coords(coords).assign_attrs(units="GBP", price_base=draws.attrs["price_base"])


def spread_matrix(rows: pd.DataFrame, years: int, published: Mapping[str, xr.DataArray]) -> xr.DataArray:
    """Weights (component, year, event_year) that place an event's cost on the years that bear it.

    ``sum`` spreads the price evenly over the offsets; ``present_value`` makes a level flow whose
    present value at the event equals the price, as the source discounted it.

    Parameters
    ----------
    rows
        From :func:`components`.
    years
        Years of the appraisal; cost that falls later is left out, as the horizon says.
    published
        Discount factors (year) by name of the schedule that a present value was published under
        (``spread_schedule``); the scenario's own schedule then discounts the flow.
    """
    weights = np.zeros((len(rows), years, years))
    for index, row in enumerate(rows.itertuples()):
        offsets = np.arange(int(str(row.spread_from)), int(str(row.spread_to)) + 1)
        whole = float(offsets.size)
        if row.spread_basis == "present_value":
            whole = float(published[str(row.spread_schedule)].sel(year=offsets).sum())
        level = 1.0 / whole
        for offset in offsets[offsets < years]:
            event = np.arange(years - offset)
            weights[index, event + offset, event] = level
    year = np.arange(years)
    return xr.DataArray(
        weights, dims=("component", "year", "event_year"),
        coords={"component": list(rows.index), "year": year, "event_year": year},
    )  # fmt: skip


def growth_factors(rows: pd.DataFrame, draws: xr.Dataset, years: int) -> xr.DataArray:
    """Real price growth (component, year, chain, draw) relative to the price base, fading to none."""
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
    """Price quantities: cost = spread(quantity) x unit price x real growth, by component.

    Parameters
    ----------
    lives
        Quantities (quantity, year, ..., chain, draw), year of the event.
    rows, prices, growth, spread
        From the functions above, over the same components, years and draws.

    Returns
    -------
    DataArray (component, year, ..., chain, draw), GBP a year in the price base, with coordinates
    ``outcome``, ``payer``, ``account`` and ``cashability`` on component.

    Raises
    ------
    InputError
        A component prices a quantity that lives do not hold.
    """
    aligned(prices, growth)
    aligned(lives, growth)
    missing = sorted(set(rows["quantity"]) - set(lives["quantity"].values))
    if missing:
        known = lives["quantity"].values.tolist()
        raise InputError(f"cost_components.csv: no such quantity as {missing}. Mend: use one of {known}.")
    middle = [dim for dim in lives.dims if dim not in ("quantity", "year", *SAMPLE_DIMS)]
    quantities = lives.transpose("quantity", "year", *middle, *SAMPLE_DIMS)
    priced_unit = (growth * prices.reset_coords(drop=True)).transpose("component", "year", *SAMPLE_DIMS)
    unit = priced_unit.values.reshape(*priced_unit.shape[:2], *(1 for _ in middle), *priced_unit.shape[2:])
    priced = np.empty((len(rows), *quantities.shape[1:]))
    for index, row in enumerate(rows.itertuples()):
        events = quantities.sel(quantity=row.quantity).values
        matrix = spread.sel(component=row.Index).values
        if matrix[0, 0] != 1.0:  # spread over later years
            events = (matrix @ events.reshape(matrix.shape[1], -1)).reshape(events.shape)
        np.multiply(events, unit[index], out=priced[index])
    labels = {name: ("component", prices[name].values) for name in COORDINATES}
    coords = {dim: quantities[dim] for dim in quantities.dims[1:]} | {"component": list(rows.index)} | labels
    return xr.DataArray(
        priced, dims=("component", *quantities.dims[1:]), coords=coords, name="cost",
        attrs={"units": "GBP", "price_base": prices.attrs["price_base"], "cell_methods": "year: sum"},
    )  # fmt: skip


def with_programme(costs: xr.DataArray, spend: xr.DataArray, *, cashability: str = "cashable") -> xr.DataArray:
    """Add what the programme itself costs as one more component, paid by the local authority.

    Parameters
    ----------
    costs
        From :func:`cost`, with an ``option`` dim.
    spend
        GBP a year in the price base (option, year); negative where money is taken away.
    """
    extra = (spend * xr.ones_like(costs.isel(component=0, drop=True))).expand_dims(component=["programme"])
    labels = {
        "outcome": "programme",
        "payer": "local_authority",
        "account": "fiscal",
        "cashability": cashability,
        "lag_years": 0,
        "discounting": "standard",
    }
    extra = extra.assign_coords({name: ("component", [value]) for name, value in labels.items()})
    joined = xr.concat([costs, extra.transpose(*costs.dims)], "component")
    return joined.assign_attrs(costs.attrs).rename("cost")


def lifetime_weights(growth: xr.DataArray, spread: xr.DataArray, factors: xr.DataArray) -> xr.DataArray:
    """Present value, at the start, of one pound's worth of quantity in each event year.

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
    weights: xr.DataArray = xr.dot(spread, growth * factors, dim="year")
    return weights


def lifetime_cost(
    profile: xr.DataArray, rows: pd.DataFrame, prices: xr.DataArray, weights: xr.DataArray
) -> xr.DataArray:
    """Present value of a profile of quantities by component (component, ..., chain, draw).

    Parameters
    ----------
    profile
        Quantities (quantity, year, ..., chain, draw) by year since the start.
    rows, prices, weights
        From :func:`components`, :func:`unit_prices` and :func:`lifetime_weights`.
    """
    middle = [dim for dim in profile.dims if dim not in ("quantity", "year", *SAMPLE_DIMS)]
    within = profile.sel(year=profile["year"].values[profile["year"].values <= int(weights["event_year"].max())])
    events = within.transpose("quantity", *middle, "year", *SAMPLE_DIMS)
    spans = weights.sel(event_year=events["year"].values).transpose("component", "event_year", *SAMPLE_DIMS)
    unit = prices.transpose("component", *SAMPLE_DIMS).values
    value = np.stack(
        [
            np.einsum("...ycd,ycd,cd->...cd", events.sel(quantity=name).values, spans.values[index], unit[index])
            for index, name in enumerate(rows["quantity"])
        ]
    )
    labels = {name: ("component", prices[name].values) for name in COORDINATES}
    coords = {dim: events[dim] for dim in (*middle, *SAMPLE_DIMS)} | {"component": list(rows.index)} | labels
    attrs = {"units": "GBP", "price_base": prices.attrs["price_base"]}
    return xr.DataArray(value, dims=("component", *middle, *SAMPLE_DIMS), coords=coords, attrs=attrs)
