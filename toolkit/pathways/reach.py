"""How many children there are for a programme: those of the group that it serves."""

import xarray as xr

__all__ = ["AT_THE_EDGE", "eligible_children"]

AT_THE_EDGE = ("care_edge", "pre_proceedings")  # two names of the same children


def eligible_children(group: str, statistics: xr.Dataset, draws: xr.Dataset) -> xr.DataArray | None:
    """Return the children whom a programme for a group could serve in a year, or None where that is not known.

    Parameters
    ----------
    group
        ``target_group`` of the programme.
    statistics
        Base-year statistics of areas, or of one: ``children_in_need``, ``children_in_need_starts``,
        ``children_looked_after``, ``care_starts``.
    draws
        Sampled figures (chain, draw): the mean of ``care_edge_entry`` is used.

    Returns
    -------
    DataArray (area), or a scalar: children in need outside care at some time of the year, who are those open on a day
    and those who start within it; at the edge of care and in pre-proceedings, care starts over the share of children
    in pre-proceedings who enter care.
    """
    if group == "in_need":
        open_now = statistics["children_in_need"] - statistics["children_looked_after"]
        return open_now + statistics["children_in_need_starts"]
    if group in AT_THE_EDGE:
        return statistics["care_starts"] / float(draws["care_edge_entry"].mean())
    return None
