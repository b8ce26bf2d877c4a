"""From pounds to families to children reached."""

import numpy as np
import xarray as xr

from toolkit.scenarios import Option
from toolkit.schema import InputError

AT_THE_EDGE = ("care_edge", "pre_proceedings")  # two names of the same children


def families(bought: xr.DataArray, eligible: xr.DataArray) -> xr.DataArray:
    """Return the families reached when ``bought`` families' worth of help meets ``eligible`` families.

    Reached = K (1 - exp(-bought / K)): each further place is more likely to go to a family already
    helped, so that reach never exceeds the number of eligible families. A cut (negative) mirrors this.

    Parameters
    ----------
    bought, eligible
        Families a year, any shared dims.

    Raises
    ------
    InputError
        If there are no eligible families.
    """
    if bool((eligible <= 0).any()):
        raise InputError("no eligible families in some area.", fix="leave that area out, or give its children in need.")
    sign = xr.where(bought < 0, -1.0, 1.0)
    # expm1 keeps the many-families, few-pounds limit exact.
    reached: xr.DataArray = -sign * eligible * np.expm1(-abs(bought) / eligible)
    return reached


def eligible_children(draws: xr.Dataset, statistics: xr.Dataset, group: str) -> xr.DataArray:
    """Return the children of a target group in each area: those whom a programme made for it could serve.

    Parameters
    ----------
    draws
        Sampled figures (chain, draw): ``care_edge_entry``.
    statistics
        Base-year statistics (area): ``children_in_need``, ``children_looked_after``, ``care_starts``.
    group
        "in_need": children in need outside care. "care_edge" or "pre_proceedings": children in pre-proceedings,
        counted as care starts over the share of pre-proceedings children who enter care.

    Returns
    -------
    DataArray (area), at the edge of care (chain, draw, area) children.

    Raises
    ------
    InputError
        A group whose number is not known.
    """
    if group in AT_THE_EDGE:
        children = statistics["care_starts"] / draws["care_edge_entry"]
    elif group == "in_need":
        children = statistics["children_in_need"] - statistics["children_looked_after"]
    else:
        raise InputError(f"group '{group}': how many children belong to it is not known.", fix="give a limit.")
    return children.assign_attrs(units="children")


def children_reached(
    spend: xr.DataArray | float, draws: xr.Dataset, statistics: xr.Dataset, option: Option
) -> xr.DataArray:
    """Return the children reached a year by a yearly spend in each area.

    Parameters
    ----------
    spend
        GBP a year in the price base (area, ...); negative for a cut.
    draws
        Sampled figures (chain, draw): ``cost_per_family``, ``children_per_family``, ``care_edge_entry``.
    statistics
        Base-year statistics (area): ``children_in_need``, ``children_looked_after``, ``care_starts``.
    option
        States who is eligible, as in :func:`eligible_children`.

    Returns
    -------
    DataArray (chain, draw, area, ...) children a year, negative for a cut.
    """
    per_family = draws["children_per_family"]
    eligible = eligible_children(draws, statistics, option.group)
    bought = spend / draws["cost_per_family"]
    return (families(bought, eligible / per_family) * per_family).assign_attrs(units="children a year")
