"""Lives of an area's children imply its own care starts and children looked after."""

import numpy as np
import xarray as xr

from tests.conftest import LEEDS
from tests.unit.pricing.conftest import RUTLAND, desk_without_a_fit
from toolkit import evidence
from toolkit.pricing.desk import Desk
from toolkit.pricing.own_care import SPENDING, implied


def test_lives_imply_the_areas_starts_and_stock_in_each_draw(desk: Desk) -> None:
    ours = implied(desk, areas=[LEEDS, RUTLAND]).transpose("quantity", "area", "chain", "draw")
    starts = desk.baseline.sel(indicator="care_starts") * desk.here["population_0_17"]
    np.testing.assert_allclose(
        ours.sel(quantity="care_starts"), starts.sel(area=ours["area"]).transpose("area", ...), 0.02
    )
    stock = desk.looked_after.sel(area=ours["area"])
    np.testing.assert_allclose(ours.sel(quantity="looked_after"), stock, rtol=0.03)
    price = ours.sel(quantity=SPENDING) / ours.sel(quantity="looked_after")
    assert bool((price > 60_000).all() and (price < 250_000).all())


def test_unaccompanied_children_are_counted_if_a_scenario_says_so(
    register: evidence.Register, dozen: xr.Dataset, desk: Desk
) -> None:
    every = desk_without_a_fit(register, dozen, unaccompanied=True)
    published = evidence.base_year(dozen)
    for name in ("children_looked_after", "children_in_need", "children_in_need_starts", "care_starts"):
        np.testing.assert_array_equal(every.here[name], published[name])
        assert bool((desk.here[name] <= published[name]).all())
    starts = {counted: at.baseline.sel(indicator="care_starts") for counted, at in ((True, every), (False, desk))}
    assert bool((starts[False] < starts[True]).all())
    others = [name for name in desk.baseline["indicator"].values if name != "care_starts"]
    np.testing.assert_array_equal(every.baseline.sel(indicator=others), desk.baseline.sel(indicator=others))
