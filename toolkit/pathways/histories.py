"""Lives by age and by history: where children are at each age, and the part of those looked after by eighteen.

The walk adds up over everyone. The part of those later looked after can be recovered: nobody returns from care to need,
so that all need comes before care, and the cells at eighteen record who was ever in care.
"""

from dataclasses import replace

import numpy as np
import xarray as xr

from toolkit.pathways.cohort import CELLS, GROUPS, HISTORIES, Hazards
from toolkit.pathways.comparison import IN_NEED
from toolkit.pathways.kernel import AGES
from toolkit.pathways.lives import per_child
from toolkit.schema import SAMPLE_DIMS

NEVER = [cell for cell in CELLS if cell.startswith(HISTORIES[0])]
CARED = [cell for cell in CELLS if cell not in NEVER]
CARE_GROUPS = ("looked_after", "left_care")
NUDGE = 0.1  # change in the logarithm of the hazard of care, up and down
IN_CARE = " in and after care"


def occupancy_rates(rates: xr.DataArray) -> xr.DataArray:
    """Return child layers that count years: those in each group of states, and a layer's own in and after care.

    Parameters
    ----------
    rates
        Child layers (layer, group, chain, draw), from ``child_rates``.

    Returns
    -------
    DataArray (layer, group, chain, draw)
        A layer for each of ``GROUPS``, of rate one in it at all ages, and each layer of ``rates`` again with
        ``IN_CARE`` after its name and rate 0 before care.
    """
    groups = xr.DataArray(list(GROUPS), dims="group", coords={"group": list(GROUPS)})
    named = xr.DataArray(list(GROUPS), dims="layer", coords={"layer": list(GROUPS)})
    ones = (named == groups).astype(float).expand_dims({dim: rates[dim] for dim in SAMPLE_DIMS})
    years = ones.assign_coords(start=("layer", [0] * len(GROUPS)), stop=("layer", [AGES] * len(GROUPS)))
    cared = (rates * groups.isin(CARE_GROUPS)).assign_coords(
        layer=[f"{name}{IN_CARE}" for name in rates["layer"].values]
    )
    return xr.concat([years.transpose(*rates.dims), cared], "layer", coords="minimal", compat="override")


def looked_after_part(
    usual: xr.Dataset, counted: xr.Dataset, hazards: Hazards, *, like: xr.DataArray | xr.Dataset
) -> xr.Dataset:
    """Return the part of a cohort's lives that belongs to its children who are looked after by eighteen.

    Parameters
    ----------
    usual
        Lives without help, from ``per_child``.
    counted
        The same, also with the layers of :func:`occupancy_rates`, by age or by year.
    hazards
        The hazards of these lives.
    like
        Anything with the draws' coordinates.

    Returns
    -------
    Dataset
        As ``usual``, per child of the whole cohort; the rest belongs to those never looked after. Events keep their
        dates in ``usual``: that the two histories differ in the timing of need is ignored.

    Notes
    -----
    With A the hazard of care added up over a child's years in need, the chance of never being looked after is the
    mean of exp(-A). Its slope in the logarithm of a common factor on all hazards of care is therefore minus the mean of
    A over those never looked after; over everyone until care, the mean of A is the share who enter. The ratio is the
    share of need lived by children never looked after, each year weighted by its hazard of care.
    """
    cells = usual["cells"]
    ever = cells.sel(cell=CARED).sum(["cell", "year_of_18"], skipna=False)
    never = [_never_looked_after(hazards, step, like=like) for step in (-NUDGE, NUDGE)]
    spared = ((never[0] - never[1]) / (2 * NUDGE) / ever.where(ever > 0, 1.0)).clip(0.0, 1.0)
    parts = []
    for name in usual["quantity"].values:
        events = usual["events"].sel(quantity=name, drop=True)
        if name in ("care_entries", "care_years"):
            share = xr.ones_like(ever)
        elif name in (*IN_NEED, "rereferrals"):
            share = 1.0 - spared
        elif name in ("first_time_entries", "below_grade_4"):
            share = _among(cells, "|justice|" if name == "first_time_entries" else "below_4")
        else:
            share = _of_layer(counted["events"].sum("year", skipna=False), name, 1.0 - spared)
        parts.append(events * share)
    events = xr.concat(parts, usual["quantity"], coords="minimal", compat="override")
    inside = cells["cell"].isin(CARED)
    return xr.Dataset({"events": events, "cells": cells * inside}, attrs=usual.attrs)


def _never_looked_after(hazards: Hazards, step: float, *, like: xr.DataArray | xr.Dataset) -> xr.DataArray:
    more = np.exp(step)
    moved = replace(hazards, care_entry=hazards.care_entry * more, care_entry_first=hazards.care_entry_first * more)
    return per_child(moved, strength=0.0, like=like)["cells"].sel(cell=NEVER).sum(["cell", "year_of_18"], skipna=False)


def _among(cells: xr.DataArray, what: str) -> xr.DataArray:
    """Return the share of children of some kind at eighteen who were looked after."""
    kind = [cell for cell in CELLS if what in cell]
    whole, cared = (
        cells.sel(cell=names).sum(["cell", "year_of_18"], skipna=False)
        for names in (kind, sorted(set(kind) & set(CARED)))
    )
    return (cared / whole.where(whole > 0, 1.0)).clip(0.0, 1.0)


def _of_layer(counted: xr.DataArray, name: str, need: xr.DataArray) -> xr.DataArray:
    whole, cared = (counted.sel(quantity=layer, drop=True) for layer in (name, f"{name}{IN_CARE}"))
    return (cared + (whole - cared) * need) / whole.where(whole > 0, 1.0)
