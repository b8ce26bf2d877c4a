"""Discount factors against the Green Book's published tables and closed forms."""

import math

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from toolkit import appraisal
from toolkit.appraisal.discounting import discount_factors, equivalent_annual_value, internal_rate_of_return
from toolkit.schema import InputError

STEPS = (30, 45, 50, 75, 100)  # years at each Green Book rate before the last
RATES = {
    "green_book_2026_standard": (0.035, 0.03, 0.025, 0.02, 0.015, 0.01),
    "green_book_2026_health": (0.015, 0.0129, 0.0107, 0.0086, 0.0064, 0.0043),
    "green_book_2026_sensitivity": (0.03, 0.0257, 0.0214, 0.0171, 0.0129, 0.0086),
}


@pytest.mark.parametrize(
    ("year", "published"),
    # Green Book (2022) annex A6, table of standard discount factors, four places.
    [
        (0, 1.0),
        (1, 0.9662),
        (5, 0.8420),
        (10, 0.7089),
        (20, 0.5026),
        (30, 0.3563),
        (31, 0.3459),
        (75, 0.0942),
    ],
)
def test_standard_factors_are_the_published_ones(year, published):
    factor = discount_factors("green_book_2022_standard", [year])
    assert round(float(factor[0]), 4) == published


@pytest.mark.parametrize("name", RATES)
def test_every_step_compounds_on_the_ones_before(name):
    last = sum(STEPS)
    expected = math.prod((1 + r) ** -n for r, n in zip(RATES[name], STEPS, strict=False))
    factors = discount_factors(name, [last, last + 1])
    assert float(factors[0]) == pytest.approx(expected, rel=1e-12)
    assert float(factors[1]) == pytest.approx(expected / (1 + RATES[name][-1]), rel=1e-12)


@pytest.mark.parametrize("kind", ["standard", "health"])
def test_the_2022_and_2026_editions_agree(kind):
    old, new = (discount_factors(f"green_book_{edition}_{kind}", range(400)) for edition in (2022, 2026))
    xr.testing.assert_equal(old, new)


def test_discounting_is_division_by_growth_not_multiplication_by_its_complement():
    # The slip 1 - r for 1 / (1 + r) gives 0.737 at year 10 and 3 per cent; the right factor is 0.744.
    assert float(discount_factors(0.03, [10])[0]) == pytest.approx(0.744, abs=5e-4)


def test_mid_year_is_half_a_step_later_at_the_rate_of_the_step_it_falls_in():
    factors = discount_factors("green_book_2026_standard", [0, 29, 30], timing="mid_year")
    expected = [1.035**-0.5, 1.035**-29.5, 1.035**-30 * 1.03**-0.5]
    np.testing.assert_allclose(factors, expected, rtol=1e-12)
    assert factors.attrs["timing"] == "mid_year"


def test_calendar_years_count_from_the_base_year():
    factors = discount_factors(0.035, [2025, 2026, 2035], base_year=2025)
    np.testing.assert_allclose(factors, [1, 1 / 1.035, 1.035**-10])
    assert factors["year"].values.tolist() == [2025, 2026, 2035]


@pytest.mark.parametrize("kind", ["uint8", "uint16", "uint64", "int8"])
def test_small_and_unsigned_years_do_not_wrap_round(kind):
    years = np.array([0, 1, 2], kind)
    np.testing.assert_allclose(
        appraisal.discount_factors(0.1, years, base_year=-100), 1.1 ** -np.array([100, 101, 102])
    )
    with pytest.raises(InputError, match="0 comes before the base year 1"):
        appraisal.discount_factors(0.1, years, base_year=1)


def test_a_users_table_is_a_schedule():
    table = pd.DataFrame({"from_year": [0, 3], "to_year": [2, None], "rate": [0.10, 0.0]})
    np.testing.assert_allclose(discount_factors(table, range(5)), [1, 1 / 1.1, 1.1**-2, 1.1**-2, 1.1**-2])
    named = table.assign(schedule="house")
    assert appraisal.schedule_names(named) == ["house"]
    xr.testing.assert_equal(discount_factors("house", range(5), schedules=named), discount_factors(table, range(5)))


@pytest.mark.parametrize(
    ("schedule", "years", "options", "message"),
    [
        ("green_book_2019", [0], {}, "not in data/evidence/discount_schedules.csv"),
        (3.5, [0], {}, "write 3.5 per cent as 0.035"),
        (0.035, [2025], {}, "give base_year="),
        (0.035, [2024], {"base_year": 2025}, "before the base year"),
        (0.035, [], {}, "at least one"),
        (0.035, [0.5], {}, "whole numbers"),
        (0.035, [0], {"timing": "end"}, "start_of_year"),
        (pd.DataFrame({"from_year": [0, 5], "to_year": [3, 9], "rate": [0.1, 0.1]}), [0], {}, "leave a gap"),
        (pd.DataFrame({"from_year": [0], "to_year": [3], "rate": [0.1]}), [4], {}, "ends with year 3"),
        (pd.DataFrame({"rate": [0.1]}), [4], {}, "from_year"),
    ],
)
def test_bad_schedules_and_years_are_refused(schedule, years, options, message):
    with pytest.raises(InputError, match=message):
        discount_factors(schedule, years, **options)


def test_equivalent_annual_value_is_the_annuity():
    # Closed form: an annuity-due of ten payments at 3.5 per cent is worth (1 - v^10) / (1 - v).
    v = 1 / 1.035
    present = xr.DataArray(1000.0, attrs={"units": "GBP", "price_base": "2025/26"})
    value = equivalent_annual_value(present, schedule=0.035, years=range(10))
    assert float(value) == pytest.approx(1000 * (1 - v) / (1 - v**10))
    assert value.attrs["units"] == "GBP per year"


def flows(*rows):
    return xr.DataArray(np.array(rows, float), dims=("sample", "year"), coords={"year": range(len(rows[0]))})


def test_internal_rate_of_return_against_closed_forms():
    found = internal_rate_of_return(flows([-100, 0, 121], [-100, 50, 0], [100, -110, 0], [-100, 60, 60]))
    # 1.1^2 = 1.21; half the money is lost in a year; borrowing at 10 per cent; root of 100x^2 - 60x - 60.
    expected = [0.10, -0.5, 0.10, (60 + math.sqrt(60**2 + 4 * 100 * 60)) / 200 - 1]
    np.testing.assert_allclose(found["rate"], expected, atol=1e-9)
    assert set(found["reason"].values) == {""}


def test_missing_rates_of_return_say_why():
    found = internal_rate_of_return(flows([100, 0, 10], [-100, 230, -132], [-100, 0, 0]))
    assert found["rate"].isnull().all()
    # The second stream has two rates, 10 and 20 per cent: -100 + 230 / 1.1 - 132 / 1.21 = 0.
    assert found["reason"].values.tolist() == [
        "no change of sign",
        "several changes of sign",
        "no change of sign",
    ]


def test_a_late_cost_does_not_hide_the_only_positive_rate():
    # Running total -100, 150, 140 changes sign once, so Norstrom's condition gives one rate above nil.
    found = internal_rate_of_return(flows([-100, 250, -10]))
    rate = float(found["rate"][0])
    assert rate > 1
    assert -100 + 250 / (1 + rate) - 10 / (1 + rate) ** 2 == pytest.approx(0, abs=1e-6)


def test_years_with_gaps_have_no_rate_of_return():
    with pytest.raises(InputError, match="one by one"):
        internal_rate_of_return(flows([-1, 1, 1]).assign_coords(year=[0, 1, 5]))


def test_the_rate_of_return_does_not_depend_on_the_order_of_years():
    flows = xr.DataArray([60.0, -100.0, 60.0], dims="year", coords={"year": np.array([2, 0, 1], "uint8")})
    found = appraisal.internal_rate_of_return(flows)["rate"]
    assert float(found) == pytest.approx(float(appraisal.internal_rate_of_return(flows.sortby("year"))["rate"]))
    assert float((flows / (1 + found) ** flows["year"]).sum()) == pytest.approx(0, abs=1e-6)
