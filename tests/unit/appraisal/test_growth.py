"""Growth avoided and cash released, against sums worked by hand."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from toolkit.appraisal.growth import growth_and_cash
from toolkit.schema import InputError

YEARS = [2026, 2027, 2028]


def lines(*rows):
    return xr.DataArray([list(row) for row in rows], {"line": list(range(len(rows))), "year": YEARS}, ("line", "year"))


def by_year(*values):
    return xr.DataArray(list(values), {"year": YEARS})


def test_savings_reduce_growth_first_and_only_the_rest_is_cash():
    # Spend is 100 now and would be 110, 104 and 95: there is room for 10, 4 and none.
    split = growth_and_cash(lines([6, 6, 6], [2, 2, -1]), by_year(110, 104, 95), xr.DataArray(100.0), share=0.5, lag=1)
    np.testing.assert_allclose(split["growth_avoided"], [[6, 3, 0], [2, 1, 0]])
    np.testing.assert_allclose(split["below_this_year"], [[0, 3, 6], [0, 1, -1]])
    np.testing.assert_allclose(split["cash_released"], [[0, 0, 1.5], [0, 0, 0.5]])


def test_added_cost_is_added_growth():
    split = growth_and_cash(lines([-5, -5, -5]), by_year(90, 100, 110), xr.DataArray(100.0))
    np.testing.assert_allclose(split["growth_avoided"], [[-5, -5, -5]])
    assert not split["cash_released"].any()


money = st.floats(-1e9, 1e9)


@given(
    st.lists(st.tuples(money, money, money), min_size=1, max_size=4),
    st.tuples(*[st.floats(0, 1e9)] * 3),
    st.floats(0, 1e9),
)
def test_parts_add_up_and_no_line_brings_down_spend_that_is_still_above_this_years(rows, baseline, now):
    avoided, before = lines(*rows), by_year(*baseline)
    split = growth_and_cash(avoided, before, xr.DataArray(now))
    scale = max(1.0, float(abs(avoided).max()), now, float(before.max()))
    np.testing.assert_allclose(
        split["growth_avoided"] + split["below_this_year"], avoided, rtol=1e-9, atol=1e-9 * scale
    )
    below = (now - (before - avoided.sum("line"))).clip(min=0.0)  # what is spent less than this year
    nothing_grew = before <= now
    expected = xr.where(nothing_grew, avoided.sum("line").clip(min=0.0), below)
    np.testing.assert_allclose(split["below_this_year"].sum("line"), expected, rtol=1e-6, atol=1e-6 * scale)


def test_years_that_differ_are_refused():
    with pytest.raises(InputError, match="year"):
        growth_and_cash(lines([1, 1, 1]), by_year(1, 1, 1).assign_coords(year=[1, 2, 3]), xr.DataArray(1.0))
    with pytest.raises(InputError, match="lag: -1"):
        growth_and_cash(lines([1, 1, 1]), by_year(1, 1, 1), xr.DataArray(1.0), lag=-1)
