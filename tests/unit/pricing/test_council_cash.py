"""The council's cash of one child's changed life, against prices worked by hand from the tables' own draws."""

import numpy as np
import xarray as xr

from tests.conftest import LEEDS
from toolkit.pricing.council_cash import CASH_YEARS, council_cash
from toolkit.pricing.desk import Desk
from toolkit.pricing.place import Place
from toolkit.schema import SAMPLE_DIMS


def change(place: Place, quantity: str, *, year: int, size: float) -> xr.DataArray:
    """A life in which only one quantity of one year differs."""
    life = place.lived(place.usual) * 0.0
    life.loc[{"quantity": quantity, "year": year}] = size
    return life


def by_hand(place: Place, quantity: str, *, year: int) -> xr.DataArray:
    """One unit of a quantity that is paid in its own year: price, growth to that year and the share that is cash."""
    total = 0.0 * place.draws["cashable_share_partly"]
    for name, row in place.desk.rows.iterrows():
        if row["quantity"] != quantity or row["payer"] != "local_authority":
            continue
        weights = place.desk.spread.sel(component=name, event_year=year)
        paid = [y for y in range(CASH_YEARS) if float(weights.sel(year=y))]
        share = {"cashable": 1.0, "non_cashable": 0.0}.get(row["cashability"], place.draws["cashable_share_partly"])
        for y in paid:
            if y + row["lag_years"] < CASH_YEARS:
                growth = place.desk.growth.sel(component=name, year=y, drop=True)
                total = total + place.prices.sel(component=name, drop=True) * growth * weights.sel(year=y) * share
    return total.transpose(*SAMPLE_DIMS)


def test_a_care_year_less_is_its_price_by_what_of_it_is_cash(desk: Desk) -> None:
    place = Place(desk, LEEDS)
    for year in (0, 2):
        expected = by_hand(place, "care_years", year=year)
        assert float(expected.min()) > 1_000
        np.testing.assert_allclose(
            council_cash(place, change(place, "care_years", year=year, size=-1.0)), expected, 1e-5
        )


def test_more_care_takes_cash_away(desk: Desk) -> None:
    place = Place(desk, LEEDS)
    less, more = (council_cash(place, change(place, "care_years", year=1, size=size)) for size in (-1.0, 1.0))
    np.testing.assert_allclose(more, -less, rtol=1e-9)


def test_what_happens_after_the_years_does_not_count(desk: Desk) -> None:
    place = Place(desk, LEEDS)
    assert not council_cash(place, change(place, "care_years", year=CASH_YEARS, size=-1.0)).any()
    last = change(place, "care_years", year=CASH_YEARS - 1, size=-1.0)
    fewer = council_cash(place, last, years=CASH_YEARS - 1)
    assert not fewer.any()
    np.testing.assert_allclose(council_cash(place, last), by_hand(place, "care_years", year=CASH_YEARS - 1), 1e-5)


def test_cash_of_other_payers_is_not_the_councils(desk: Desk) -> None:
    place = Place(desk, LEEDS)
    ours = set(desk.rows.loc[desk.rows["payer"] == "local_authority", "quantity"])
    others = sorted(set(desk.rows["quantity"]) - ours)
    assert others
    for name in others:
        assert not council_cash(place, change(place, name, year=0, size=-1.0)).any(), name
