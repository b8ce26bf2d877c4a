"""Whom the cost of poor outcomes is compared with, on real evidence: all children, and those never in need."""

import numpy as np
import xarray as xr

from tests.conftest import LEEDS
from toolkit import pathways
from toolkit.pathways.comparison import CONTACT
from toolkit.pricing.desk import Desk
from toolkit.pricing.place import Place


def test_all_children_are_those_ever_in_need_and_those_never(desk: Desk) -> None:
    """Over whole lives: all = p x (from the first need on + before it, as those never) + (1 - p) x never."""
    place = Place(desk, LEEDS)
    everyone, never = (place.comparators.sel(reading=reading) for reading in ("excess", "excess_never"))
    ever = (place.entering * 18 / float(place.stats["population_0_17"])).astype(np.float64)
    none = [name for name in desk.quantities if name in (*CONTACT, "care_experienced_adults", "people_leaving_care")]
    assert float(abs(never.sel(quantity=none)).max()) == 0.0  # nothing of it without having been looked after
    others = [name for name in desk.quantities if name not in none]
    checked = 0
    for name in others:
        if name in desk.layers.index:
            row = desk.layers.loc[name]
            years = row["years"] if row["stage"] == "adult" else row["to_age"] + 1 - row["from_age"]
        else:
            years = {"first_time_entries": 8, "below_grade_4": 1}[name]
        rate, of_never = everyone.sel(quantity=name), never.sel(quantity=name)
        known = desk.lived[False].sel(quantity=name).sum("year")
        life = place.all_lives.sel(quantity=name).sum("year") + of_never * (years - known)
        together = ever * life + (1 - ever) * of_never * years
        left = of_never > 0  # otherwise children ever in need account for more than all that there is
        checked += int(left.sum())
        np.testing.assert_allclose(together.where(left, rate * years), rate * years, rtol=2e-4)
        assert bool((together.where(~left, np.inf) >= rate * years * (1 - 2e-4)).all())
    assert checked > 0.8 * len(others) * ever.size


def test_children_never_in_need_have_no_contact_so_all_of_it_is_excess(desk: Desk) -> None:
    place = Place(desk, LEEDS)
    contact = [name for name in desk.quantities if name in CONTACT]
    assert {"care_years", "first_need_years", "plan_years"} <= set(contact)
    assert float(abs(place.comparators.sel(reading="excess_never", quantity=contact)).max()) == 0.0
    cost = place.lifetime
    care = cost.sel(component=["care_fostering", "first_need", "plan_work"])
    xr.testing.assert_allclose(
        care.sel(reading="excess_never", drop=True), care.sel(reading="gross", drop=True), rtol=1e-6
    )


def test_excess_over_never_in_need_is_larger_and_stays_within_gross(desk: Desk) -> None:
    total = Place(desk, LEEDS).lifetime.sum("component")
    over = total.sel(reading="excess_never")
    assert bool((over > total.sel(reading="excess")).all())
    assert bool((over < total.sel(reading="gross")).all())
    assert pathways.COMPARATORS == {"all": "excess", "never": "excess_never"}
