"""The collective cost along the life course: where children are at each age, who pays, by history, beside neighbours.

It is priced apart from ``pricing.areas``, which every change on the dashboard goes through, because nothing here
depends on what an option spends.
"""

import numpy as np
import xarray as xr

from toolkit import costing, evidence, pathways
from toolkit.pricing.areas import Progress, in_parallel, silent
from toolkit.pricing.cost_options import differences
from toolkit.pricing.desk import Desk
from toolkit.pricing.place import Place
from toolkit.schema import SAMPLE_DIMS

LAST_AGE = 67  # to which adult layers and lost earnings run
HISTORIES = ("never looked after", "looked after by 18")
NEIGHBOURS = 10


def groups(desk: Desk, summed: xr.Dataset, *, areas: list[str], progress: Progress = silent) -> dict[str, xr.Dataset]:
    """Return the entering cohort's lives and cost by age and by history, and a single area's neighbours.

    Parameters
    ----------
    desk
        What the pricing of every area shares.
    summed
        What :func:`lives` returns, summed over the areas.
    areas, progress
        As for :func:`toolkit.pricing.areas.price`.

    Returns
    -------
    dict of Dataset
        ``life_course``, summed over the areas: ``occupancy`` (state, child_age, chain, draw), years that the cohort
        lives at each age in each group of states; ``by_age`` (reading, payer, age, chain, draw), GBP a year of age at
        today's prices, neither discounted nor with real growth; ``by_history`` (reading, history, component, chain,
        draw), a present value that adds up to the cohort's lifetime cost; ``children`` (history, chain, draw);
        ``choices`` (choice, chain, draw), what other prices would add to its excess cost
        (:func:`toolkit.pricing.cost_options.differences`);
        ``peers_gap`` (chain, draw), care leavers without grade 4 beyond those at the rate of in-need pupils. For one
        area also ``neighbours``: ``cost`` (period, reading, area, chain, draw), the lifetime cost of the entering
        cohort and the year's, ``children`` (period, area, chain, draw) entering and of 0 to 17, the area first, then
        its nearest statistical neighbours, each priced on its own posterior draws; without the effects of help, at a
        fifth of the work.
    """
    tables = {"life_course": _paid_by_age(desk, summed)}
    if len(areas) == 1:
        near = evidence.neighbours(None, areas[0])
        known = [area for area in near["area"] if area in desk.statistics["area"].values][:NEIGHBOURS]
        beside = [*areas, *known]
        parts = list(in_parallel(lambda area: _beside(Place(desk, area)), beside, "price neighbours", progress))
        names = desk.statistics["area_name"].sel(area=beside).values.astype(str)
        joined = xr.concat(parts, xr.Variable("area", beside)).assign_coords(area_name=("area", names))
        tables["neighbours"] = joined.assign_attrs(price_base=desk.scenario.price_base)
    return tables


def lives(place: Place) -> xr.Dataset:
    """Return one area's lives and what their events are worth, as sums over its entering cohort (:func:`groups`)."""
    desk, entering, usual = place.desk, place.entering, place.usual
    extra = pathways.occupancy_rates(place.child_rates)
    rates = xr.concat([place.child_rates, extra], "layer", coords="minimal", compat="override")
    counted = pathways.per_child(place.hazards, strength=0.0, rates=rates, by_age=True, like=place.draws)
    aged = place.lived(counted.sel(quantity=usual["quantity"]))
    worth = costing.event_values(
        place.readings(aged, place.others(by_age=True)), desk.rows, place.prices, dtype=np.float32
    )
    cared = pathways.looked_after_part(usual, counted, place.hazards, like=place.draws)
    share = cared["cells"].sum(["cell", "year_of_18"], skipna=False)
    inside = place.worth(place.readings(place.lived(cared), place.others() * share))
    history = xr.Variable("history", list(HISTORIES))
    years = counted["events"].sel(quantity=list(pathways.GROUPS)).rename(quantity="state", year="child_age")
    parts = {
        "occupancy": years,
        "worth": worth,
        "by_history": xr.concat([place.lifetime - inside, inside], history),
        "children": xr.concat([1.0 - share, share], history),
        "choices": differences(place),
        "peers_gap": pathways.in_need_peers(usual["cells"], place.baseline),
    }
    return (xr.Dataset(parts) * entering).astype(np.float32)


def _paid_by_age(desk: Desk, summed: xr.Dataset) -> xr.Dataset:
    """Spread what events cost over the ages at which it is paid, by payer."""
    spread = costing.spread_matrix(desk.rows, LAST_AGE + 1, desk.published, desk.ages)
    worth = desk.labelled(summed["worth"])
    flat = xr.ones_like(worth.isel(event_year=0, reading=0, drop=True)).expand_dims(year=spread["year"])
    paid = costing.over_years(worth.transpose("component", "event_year", "reading", *SAMPLE_DIMS), flat, spread)
    payers = (
        paid.groupby("payer").sum(skipna=False).rename(year="age").transpose("reading", "payer", "age", *SAMPLE_DIMS)
    )
    money = {"units": "GBP", "price_base": desk.draws.attrs["price_base"]}
    table = summed.drop_vars(["worth", "event_year"]).assign(by_age=payers.astype(np.float32).assign_attrs(money))
    table["by_history"] = desk.labelled(table["by_history"]).assign_attrs(money)
    return table.assign_attrs(price_base=money["price_base"])


def _beside(place: Place) -> xr.Dataset:
    """Return one area's total collective cost, of a cohort and of a year, and the number of children."""
    collective, period = place.collective(), xr.Variable("period", ["lifetime", "annual"])
    cost = xr.concat([collective[name].sum("component") for name in period.values], period)
    entering = collective["children_entering"]
    children = [entering, xr.full_like(entering, float(place.stats["population_0_17"]))]
    both = xr.Dataset({"cost": cost, "children": xr.concat(children, period)})
    return both.reset_coords(drop=True).assign_coords(period=period.values).astype(np.float32)
