"""What a changed life leaves in a council's budget within a few years: cash only, in the year in which it can leave."""

import numpy as np
import xarray as xr

from toolkit import appraisal, costing
from toolkit.appraisal.accounts import COUNCIL
from toolkit.pricing.place import Place
from toolkit.schema import BUSINESS_AS_USUAL, INVESTMENT, SAMPLE_DIMS

__all__ = ["CASH_YEARS", "council_cash"]

CASH_YEARS = 5


def council_cash(place: Place, change: xr.DataArray, *, years: int = CASH_YEARS) -> xr.DataArray:
    """Return the cash that a change in one child's life releases for the council in the first years since contact.

    Parameters
    ----------
    place
        The area, with its prices.
    change
        What help adds to the quantities of the child's life (quantity, year since contact, chain, draw).
    years
        Years that count, the year of contact first.

    Returns
    -------
    DataArray (chain, draw), GBP in the price base, real and undiscounted, without what the help costs. Of partly
    cashable costs the cited share is cash, by `toolkit.appraisal.cashable_savings`; whole steps of posts or homes have
    no meaning for one child.
    """
    desk = place.desk
    ours = desk.rows[desk.rows["payer"] == COUNCIL]
    names, first = list(ours.index), slice(0, min(years, desk.scenario.horizon))
    prices = place.prices.sel(component=names).assign_coords(costing.labels(ours))
    events = costing.event_values(change.isel(year=first), ours, prices)
    paid = costing.over_years(
        events,
        desk.growth.sel(component=names).isel(year=first),
        desk.spread.sel(component=names).isel(year=first, event_year=first),
    )
    options = xr.Variable("option", [BUSINESS_AS_USUAL, INVESTMENT])
    both = xr.concat([0.0 * paid, paid], options).assign_attrs(paid.attrs)
    free = xr.DataArray(np.zeros(paid.sizes["year"]), {"year": paid["year"].values})
    shares = {"partly_cashable": place.draws["cashable_share_partly"]}
    cash = appraisal.cashable_savings(costing.with_programme(both, {COUNCIL: free}), cashable_shares=shares)
    return cash.sum(["component", "year"]).transpose(*SAMPLE_DIMS).reset_coords(drop=True)
