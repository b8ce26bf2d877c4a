"""What other prices for the same things would make of the cost of a life: each of them beside the usual ones."""

from copy import copy

import xarray as xr

from toolkit.pricing.place import Place

UNDETECTED = ("undetected_share_low", "undetected_share_high")  # roles: both ends of the judgement


def differences(place: Place) -> xr.DataArray:
    """Return what each choice would add to the excess cost of a life (choice, chain, draw), GBP, social account.

    The choices are the options of ``cost_options`` that the scenario leaves, and both ends of ``undetected_share``.
    """
    desk, draws = place.desk, place.draws
    now, added = place.lifetime.sel(reading="excess", drop=True), _added(place)

    def of(cost: xr.DataArray, components: set[str]) -> xr.DataArray:
        return cost.sel(component=sorted(components & set(cost["component"].values))).sum("component")

    parts = {}
    for option, rows in desk.tables["cost_options"].groupby("option"):
        if option not in desk.scenario.cost_options:
            on, off = (set(rows.loc[rows["use"] == use, "component"]) for use in ("on", "off"))
            parts[str(option)] = of(added, on) - of(now, off)
    crime = of(now, set(desk.rows.index[desk.rows["share_role"] == "undetected_share"]))
    for end in UNDETECTED:
        parts[end] = crime * (draws[end] / draws["undetected_share"] - 1.0)
    return xr.concat(parts.values(), xr.Variable("choice", list(parts)), coords="minimal", compat="override")


def _added(place: Place) -> xr.DataArray:
    """Return the excess cost of the same lives at the components of all options (component, chain, draw)."""
    desk = place.desk.beside
    if desk.rows.empty:
        return place.lifetime.isel(reading=0, component=slice(0), drop=True)
    other = copy(place)
    for kept in ("lifetime", "comparators"):  # of the components in use
        other.__dict__.pop(kept, None)
    other.desk = desk
    other.prices = other.component_prices()
    return other.lifetime.sel(reading="excess", drop=True)
