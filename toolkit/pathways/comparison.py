"""The comparators of children known to social care: all children of the same age and area, and those never in need.

Excess = (quantity - the same for the comparator) x the share of the raw gap that would vanish with the outcome. The
annual cross-section, everyone in one year, is here too, because both use the area's own counts.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from toolkit.pathways.cohort import CELLS
from toolkit.pathways.kernel import AGES, EXAM_AGE, JUSTICE_AGE
from toolkit.pathways.layers import everyone_rates, moved
from toolkit.schema import SAMPLE_DIMS, InputError

YEARS = xr.DataArray(np.arange(AGES + 1), dims="year", coords={"year": np.arange(AGES + 1)})
OPEN_YEARS = ("first_need_years", "repeat_need_years", "plan_years")  # together, the years a case is open
IN_NEED = (*OPEN_YEARS, "plan_starts")
CONTACT = (*IN_NEED, "rereferrals", "care_entries", "care_years")  # nothing of it without ever being in need
COMPARATORS = {"all": "excess", "never": "excess_never"}  # who they are, and what the gap from them is called
ADJUSTED = {"first_time_entries": "adjustment_youth_justice", "below_grade_4": "adjustment_gcse"}


def exposure(entry_weight: xr.DataArray, from_age: int, to_age: int, *, by_age: bool = False) -> xr.DataArray:
    """Return the years lived between two ages, per child, by year since entry or by age (year, ...).

    Parameters
    ----------
    entry_weight
        Share of children by age at entry (age, ...), summing to one. They enter evenly over year 0, and so live half
        of it on average.
    from_age, to_age
        First and last age, in completed years at the start of the year.
    """
    since, there = _known(entry_weight, from_age, to_age, by_age)
    lived: xr.DataArray = xr.dot(there * xr.where(since == 0, 0.5, 1.0), entry_weight, dim="age")
    return lived


def turning(entry_weight: xr.DataArray, from_age: int, to_age: int, *, by_age: bool = False) -> xr.DataArray:
    """Return the share of children who are between two ages in each year since entry, or at each age (year, ...)."""
    share: xr.DataArray = xr.dot(_known(entry_weight, from_age, to_age, by_age)[1], entry_weight, dim="age")
    return share


def _known(entry_weight: xr.DataArray, from_age: int, to_age: int, by_age: bool) -> tuple[xr.DataArray, xr.DataArray]:
    """Years since entry, and whether a child has entered and is between two ages (age at entry, year)."""
    entered = entry_weight["age"]
    age, since = (YEARS, YEARS - entered) if by_age else (entered + YEARS, YEARS)
    return since, ((age >= from_age) & (age <= to_age) & (since >= 0)).astype(float)


def comparator(
    quantities: Sequence[str],
    baseline: xr.DataArray,
    statistics: xr.Dataset,
    draws: xr.Dataset,
    usual: xr.DataArray,
    *,
    layers: pd.DataFrame,
    rates: pd.DataFrame,
    levels: xr.Dataset | None = None,
) -> xr.DataArray:
    """Return the rates of all children of the area, with which the entering cohort is compared.

    Parameters
    ----------
    quantities
        Names of quantities of the walk, or of layers.
    baseline
        The area's base-year rates (chain, draw, indicator).
    statistics, draws
        As in :func:`localise`.
    usual
        The area's quantities per child without help (quantity, year, chain, draw): how years in need divide into
        first, repeated and plan years.
    layers, rates, levels
        As in :func:`toolkit.pathways.layers.everyone_rates`.

    Returns
    -------
    DataArray (quantity, chain, draw) a year, or per person; multiply by :func:`lived_years` for the quantity per child.

    Raises
    ------
    InputError
        A quantity for which no rate of all children is known.
    """
    rate = _rates_of_all(baseline, statistics, draws, usual, levels)
    entered = 1.0 - xr.ufuncs.exp(-(AGES - JUSTICE_AGE) * rate["first_time_entries"])
    everyone = everyone_rates(layers, rates, draws, entered, levels)
    known = rate | {str(name): everyone.sel(layer=name, drop=True) for name in everyone["layer"].values}
    if unknown := [name for name in quantities if name not in known]:
        raise InputError(f"{unknown}: no rate of all children is known.", fix="add the layer, or do not price it.")
    parts = [known[name] for name in quantities]
    return xr.concat(parts, xr.Variable("quantity", list(quantities)), coords="minimal", compat="override")


def lived_years(
    quantities: Sequence[str], layers: pd.DataFrame, entry_weight: xr.DataArray, *, by_age: bool = False
) -> xr.DataArray:
    """Return for how many years a rate applies to a child, by quantity and year since entry (quantity, year, ...).

    Parameters
    ----------
    quantities
        Names of quantities of the walk, or of layers.
    layers
        From :func:`toolkit.pathways.layers.chosen`.
    entry_weight
        Share of children by age at entry (age, ...).
    by_age
        Use age for ``year``.
    """
    parts = [_lived(layers, name, entry_weight, by_age) for name in quantities]
    return xr.concat(parts, xr.Variable("quantity", list(quantities)), coords="minimal", compat="override")


def _lived(layers: pd.DataFrame, name: str, entry_weight: xr.DataArray, by_age: bool) -> xr.DataArray:
    first, last, times = _span(layers, name)
    if times is None:
        return exposure(entry_weight, first, last, by_age=by_age)
    return turning(entry_weight, first, last, by_age=by_age) * times


def _span(layers: pd.DataFrame, name: str) -> tuple[int, int, float | None]:
    """Return the first and last age at which a rate applies and, if not for each year, for how many in all."""
    if name == "below_grade_4":
        return EXAM_AGE, EXAM_AGE, 1.0
    if name not in layers.index:
        return JUSTICE_AGE if name == "first_time_entries" else 0, AGES - 1, None
    layer = layers.loc[[name]].iloc[0]
    if layer["stage"] == "adult":
        return AGES, AGES, float(layer["years"])
    return int(layer["from_age"]), int(layer["to_age"]), None


def never_in_need(
    everyone: xr.DataArray, usual: xr.DataArray, ever: xr.DataArray, lived: xr.DataArray, layers: pd.DataFrame
) -> xr.DataArray:
    """Return the rates of children never in need by eighteen, what is left of all children's after those ever in need.

    Parameters
    ----------
    everyone
        Rates of all children, from :func:`comparator` (quantity, chain, draw).
    usual
        Quantities per child ever in need, from its first need on (quantity, year, chain, draw).
    ever
        Share of the area's children who are ever in need by eighteen (chain, draw).
    lived
        From :func:`lived_years`.
    layers
        From :func:`toolkit.pathways.layers.chosen`.

    Returns
    -------
    DataArray (quantity, chain, draw), in the units of ``everyone``

    Notes
    -----
    Until their first need, children ever in need live at the rate r of those never in need. With p of them ever in
    need, Q the quantity per child from then on, A the years lived from then on and T those of a whole life, all
    children's quantity is R T = p (Q + r (T - A)) + (1 - p) r T, which gives r. It is 0 for contact with social care,
    which is need itself, and where children ever in need account for all that there is or more: the ratios that say
    how they differ are England's, and leave nothing in some draws of an area where many children are in need.
    """
    names = everyone["quantity"]
    spans = (_span(layers, str(name)) for name in names.values)
    whole = xr.DataArray([last - first + 1.0 if times is None else times for first, last, times in spans], names.coords)
    theirs = ever * usual.sel(quantity=names).sum("year", skipna=False)
    left, years = everyone * whole - theirs, whole - ever * lived.sum("year", skipna=False)
    some = (left > 0) & (years > 0) & ~names.isin(CONTACT)
    return (left / years.where(some, 1.0)).where(some, 0.0).transpose("quantity", *SAMPLE_DIMS)


def _rates_of_all(
    baseline: xr.DataArray, statistics: xr.Dataset, draws: xr.Dataset, usual: xr.DataArray, levels: xr.Dataset | None
) -> dict[str, xr.DataArray]:
    """Return yearly rates per child of all the area's children (chain, draw); at sixteen, the share of all pupils."""
    population = float(statistics["population_0_17"])
    rate = {str(k): baseline.sel(indicator=k, drop=True) for k in baseline["indicator"].values}
    ones = xr.ones_like(rate["care_starts"])
    return {
        "rereferrals": rate["rereferrals"] * float(statistics["referrals"]) / population,
        **{name: open_ / population for name, open_ in _in_need(statistics, usual).items()},
        "care_entries": rate["care_starts"],
        "care_years": ones * float(statistics["children_looked_after"]) / population,
        "first_time_entries": rate["first_time_entrants"],
        "below_grade_4": 1.0 - ones * moved(draws["gcse_all_pupils"], "gcse_all", levels),
    }


def _in_need(statistics: xr.Dataset, usual: xr.DataArray) -> dict[str, xr.DataArray]:
    """Divide the children in need outside care at 31 March in the proportions of the cohort's years in need."""
    years = usual.sel(quantity=list(IN_NEED)).sum("year", skipna=False)
    stock = float(statistics["children_in_need"] - statistics["children_looked_after"])
    parts = stock * years / years.sel(quantity=list(OPEN_YEARS)).sum("quantity", skipna=False)
    return {name: parts.sel(quantity=name, drop=True) for name in IN_NEED}


def adjustment_shares(quantities: Sequence[str], layers: pd.DataFrame, draws: xr.Dataset) -> xr.DataArray:
    """Return the share of each raw gap that would vanish with the outcome (quantity, chain, draw).

    Need and care are contact with social care themselves, so their whole gap counts, as does that of a layer whose
    rates are adjusted already; the others are multiplied by the cited adjustment shares.
    """
    whole = xr.ones_like(draws["adjustment_gcse"])
    roles = ADJUSTED | {str(name): str(role) for name, role in layers["share_role"].items() if role}
    parts = [draws[roles[name]] if name in roles else whole for name in quantities]
    return xr.concat(parts, xr.Variable("quantity", list(quantities)), coords="minimal", compat="override")


def excess(quantity: xr.DataArray, others: xr.DataArray, shares: xr.DataArray) -> xr.DataArray:
    """Return the part of each quantity that goes beyond the comparator and would vanish with the outcome.

    Parameters
    ----------
    quantity, others
        Of children known to social care, and as it would be at the rates of the comparator (quantity, ...).
    shares
        From :func:`adjustment_shares`.
    """
    return (quantity - others) * shares


def cross_section(
    quantities: Sequence[str],
    baseline: xr.DataArray,
    statistics: xr.Dataset,
    draws: xr.Dataset,
    usual: xr.DataArray,
    entering: xr.DataArray,
) -> xr.DataArray:
    """Return one year's quantities in an area among people once known to social care (quantity, chain, draw).

    Referrals and children in need and looked after are this year's counts; first-time entrants known to social care
    are the area's entrants times the share that children ever in need make up. Grades and layers are not published by
    earlier contact: theirs are a year's quantities if every earlier cohort lived as today's does. At the comparator's
    rates the same people have in a year what an entering cohort has over its lives.

    Parameters
    ----------
    quantities
        Names of quantities, as in :func:`comparator`.
    baseline, statistics, draws, usual
        As in :func:`comparator`.
    entering
        Children in need for the first time in the base year (chain, draw).
    """
    rate = {str(k): baseline.sel(indicator=k, drop=True) for k in baseline["indicator"].values}
    ever, ratio = draws["share_ever_in_need"], draws["justice_ratio_in_need"]
    known = ever * ratio / (1.0 + ever * (ratio - 1.0))
    counted = {
        "rereferrals": rate["rereferrals"] * float(statistics["referrals"]),
        **_in_need(statistics, usual),
        "care_entries": rate["care_starts"] * float(statistics["population_0_17"]),
        "care_years": xr.ones_like(known) * float(statistics["children_looked_after"]),
        "first_time_entries": rate["first_time_entrants"] * float(statistics["population_10_17"]) * known,
    }
    steady = usual.sum("year", skipna=False) * entering
    parts = [counted[name] if name in counted else steady.sel(quantity=name, drop=True) for name in quantities]
    stacked = xr.concat(parts, xr.Variable("quantity", list(quantities)), coords="minimal", compat="override")
    return stacked.transpose("quantity", *SAMPLE_DIMS)


def in_need_peers(cells: xr.DataArray, baseline: xr.DataArray) -> xr.DataArray:
    """Return how many more care leavers miss grade 4 than at the rate of the area's in-need pupils.

    The second comparator of GCSEs: against children in need, long-term care adds about nothing to the gap.

    Parameters
    ----------
    cells
        Children by cell at eighteen (cell, year_of_18, chain, draw).
    baseline
        The area's base-year rates (chain, draw, indicator).

    Returns
    -------
    DataArray (chain, draw), pupils per child of the cohort; negative where care leavers do better.
    """
    leavers = [cell for cell in CELLS if cell.startswith("care_leaver")]
    missing = [cell for cell in leavers if cell.endswith("below_4")]
    all_leavers, below = (
        cells.sel(cell=names).sum(["cell", "year_of_18"], skipna=False) for names in (leavers, missing)
    )
    return below - all_leavers * (1.0 - baseline.sel(indicator="gcse_grade_4", drop=True))
