import numpy as np
import pytest
import xarray as xr

from toolkit import evidence

LIKE = xr.Dataset(coords={"chain": range(2), "draw": range(2000)})


@pytest.fixture(scope="module")
def statistics() -> xr.Dataset:
    return evidence.load_statistics()


def test_base_year_takes_the_latest_value_and_says_which_year(statistics: xr.Dataset) -> None:
    base = evidence.base_year(statistics)
    middlesbrough = base.sel(area="E06000002")  # its 2025 spending return was withdrawn
    assert float(middlesbrough["early_help_spend_year"]) == 2024
    expected = statistics["early_help_spend"].sel(area="E06000002", data_year=2024)
    assert float(middlesbrough["early_help_spend"]) == float(expected)
    assert float(base["children_looked_after_year"].where(base["fitted"]).min()) == 2025


def test_local_prices_are_shrunk_towards_england(statistics: xr.Dataset) -> None:
    drawn = evidence.local_price_ratio(statistics, like=LIKE, seed=1)["care"]
    price, children = statistics["care_week_price"], statistics["children_looked_after"]
    england = (price * children).sum("area") / children.where(price.notnull()).sum("area")
    raw = np.log(price / england).isel(data_year=slice(-3, None)).mean("data_year")
    pooled = np.log(drawn).mean(("chain", "draw"))
    assert bool((abs(pooled) <= abs(raw.fillna(np.inf)) + 0.02).all())
    assert float(xr.corr(pooled, raw)) > 0.98


def test_an_area_without_prices_is_drawn_from_the_spread_between_areas(statistics: xr.Dataset) -> None:
    drawn = np.log(evidence.local_price_ratio(statistics, like=LIKE, seed=1)["care"])
    missing = statistics["area"].values[statistics["care_week_price"].isnull().all("data_year").values]
    assert list(missing) == ["E06000053"]  # Isles of Scilly
    spread = drawn.std(("chain", "draw"))
    assert float(spread.sel(area="E06000053")) > 3 * float(spread.sel(area="E08000035"))
