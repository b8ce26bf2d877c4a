"""Expected values come from HM Treasury's published series or from arithmetic stated beside them."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from toolkit import evidence, prices
from toolkit.schema import InputError


@pytest.fixture(scope="module")
def deflators() -> pd.Series:
    return prices.deflators(evidence.load_table("economic_parameters"))


def test_published_spot_checks(deflators):
    # HM Treasury GDP deflators, March 2026: 2020-21 = 85.10 (2024-25 = 100); 2013-14 to 2024-25 = x1.3693.
    assert deflators["2020/21"] == pytest.approx(85.10, abs=0.005)
    assert prices.rebase(1.0, "2013/14", to="2024/25", deflators=deflators) == pytest.approx(1.3693, abs=1e-4)


def test_calendar_years_are_linked_to_financial_years(deflators):
    # At the base year of the calendar series: a quarter of 2023/24 and three quarters of 2024/25.
    assert deflators["2024"] == pytest.approx(0.25 * deflators["2023/24"] + 0.75 * deflators["2024/25"])
    # Elsewhere the calendar series stands by itself, so the mixture checks the link, within a per cent.
    for year in range(1991, 2024):
        ends, starts = f"{year - 1}/{year % 100:02d}", f"{year}/{(year + 1) % 100:02d}"
        mixed = 0.25 * deflators[ends] + 0.75 * deflators[starts]
        assert deflators[str(year)] == pytest.approx(mixed, rel=0.01)
    # Within the calendar series its own ratios stand: 75.1536 in 2015 to 96.2507 in 2023.
    assert prices.rebase(1.0, "2015", to="2023", deflators=deflators) == pytest.approx(96.2507 / 75.1536)


def test_qaly_agrees_with_an_independent_rebasing(deflators):
    # Evidence row qaly_2025_26_deflated: 70,000 in 2020/21 prices is 84,900 in 2025/26 prices.
    assert prices.rebase(70_000.0, "2020/21", deflators=deflators) == pytest.approx(84_900, abs=50)


def test_unknown_year_names_the_known_span(deflators):
    with pytest.raises(InputError, match=r"'2050/51'.*1955/56 to 2030/31 or 1956 to 2030"):
        prices.rebase(1.0, "2050/51", deflators=deflators)
    with pytest.raises(InputError, match="''"):
        prices.rebase(1.0, "", deflators=deflators)


def test_rebasing_keeps_labels(deflators):
    money = xr.DataArray([1.0, 2.0], dims="draw", coords={"draw": [7, 8]})
    moved = prices.rebase(money, "2013/14", to="2024/25", deflators=deflators)
    assert moved["draw"].values.tolist() == [7, 8]


def test_real_rate_takes_inflation_out(deflators):
    # Evidence note: a child looked after cost 1,095 a week in 2016-17 and 2,100 in 2024-25, 8.48% a year.
    # In prices of 2024/25 the first is dearer, and growth from there must be the real rate.
    start = prices.rebase(1_095.0, "2016/17", to="2024/25", deflators=deflators)
    real = prices.real_rate(0.0848, "2016-17", "2024-25", deflators=deflators)
    assert start * (1 + real) ** 8 == pytest.approx(2_100, rel=0.001)
    with pytest.raises(InputError, match="earlier year first"):
        prices.real_rate(0.05, "2024-25", "2016-17", deflators=deflators)


def test_real_growth_fades_in_a_straight_line():
    factors = prices.real_growth(0.10, years=7, fade_years=4)
    # Growth of 10%, 7.5%, 5%, 2.5%, then none.
    expected = np.cumprod([1, 1.10, 1.075, 1.05, 1.025, 1, 1])
    np.testing.assert_allclose(factors, expected)
    assert factors["year"].values.tolist() == list(range(7))


def test_real_growth_of_draws_keeps_their_dims():
    draws = xr.DataArray([[0.0, 0.02]], dims=("chain", "draw"))
    factors = prices.real_growth(draws, years=3, fade_years=10)
    assert set(factors.dims) == {"year", "chain", "draw"}
    assert (factors.sel(draw=0) == 1).all()
    with pytest.raises(InputError, match="above zero"):
        prices.real_growth(draws, years=3, fade_years=0)


def test_a_missing_series_is_named():
    with pytest.raises(InputError, match="gdp_deflator_fy"):
        prices.deflators(pd.DataFrame({"parameter": ["x"], "period_from": ["2013-14"], "value": [1.0]}))


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("2024/25", "2024/25"),
        ("202425", "2024/25"),
        (" 2024-25 ", "2024/25"),
        ("2024/2025", "2024/25"),
        ("1999/00", "1999/00"),
        ("2015", "2015"),
        ("202426", "202426"),
        ("20", "20"),
    ],
)
def test_a_price_year_is_read_as_it_is_written(text, label):
    assert prices.price_year_label(text) == label
