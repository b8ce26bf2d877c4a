import numpy as np
import pandas as pd
import pytest
import xarray as xr

from toolkit import evidence
from toolkit.schema import InputError

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


def shrunk_log_ratio(statistics: xr.Dataset) -> tuple[xr.DataArray, xr.DataArray]:
    """Cross-check: the latest three years' log ratio, shrunk by its own noise (normal and normal, closed form)."""
    price, children = statistics["care_week_price"], statistics["children_looked_after"]
    england = (price * children).sum("area") / children.where(price.notnull()).sum("area")
    log_ratio = np.log(price / england).isel(data_year=slice(-3, None))
    mean = log_ratio.mean("data_year")
    noise = float(log_ratio.var("data_year", ddof=1).mean()) / 3
    between = float(mean.var(ddof=1)) - noise
    return mean * between / (between + noise), mean


def test_local_prices_agree_with_three_years_shrunk(statistics: xr.Dataset) -> None:
    drawn = np.log(evidence.local_price_ratio(statistics, like=LIKE, seed=1)["care"]).mean(("chain", "draw"))
    shrunk, raw = shrunk_log_ratio(statistics)
    usual = raw.notnull() & statistics["fitted"]
    # The three-year mean lags behind an authority whose price moves, so the two agree closely, not exactly.
    assert float(xr.corr(drawn.where(usual), shrunk.where(usual))) > 0.93
    assert float(abs(drawn - shrunk).where(usual).median()) < 0.06
    latest = np.log(statistics["care_week_price"].isel(data_year=-1))
    latest = latest - latest.where(usual).mean()
    assert float(xr.corr(drawn.where(usual), latest.where(usual))) > float(
        xr.corr(raw.where(usual), latest.where(usual))
    )


def test_an_area_without_prices_is_drawn_from_the_spread_between_areas(statistics: xr.Dataset) -> None:
    drawn = evidence.local_price_ratio(statistics, like=LIKE, seed=1)
    missing = statistics["area"].values[statistics["care_week_price"].isnull().all("data_year").values]
    assert list(missing) == ["E06000053"]  # Isles of Scilly
    spread = np.log(drawn).std(("chain", "draw"))
    for placement in ("care", "residential", "fostering"):
        assert float(spread[placement].sel(area="E06000053")) > 3 * float(spread[placement].sel(area="E08000035"))


def test_draws_carry_labels_and_repeat_with_their_seed(statistics: xr.Dataset) -> None:
    like = xr.Dataset(coords={"chain": [3, 5], "draw": [10, 11, 12]})
    few = statistics.sel(area=["E08000035", "E06000017"])
    first, again, other = (evidence.local_price_ratio(few, like=like, seed=seed) for seed in (1, 1, 2))
    xr.testing.assert_identical(first, again)
    assert not first["care"].equals(other["care"])
    assert first["care"].dims == ("area", "chain", "draw")
    assert list(first["chain"].values) == [3, 5]


def test_an_area_that_the_table_lacks_is_named(statistics: xr.Dataset) -> None:
    new = statistics.isel(area=[0]).assign_coords(area=["E99999999"])
    with pytest.raises(InputError, match=r"placement_prices\.csv: no .* price for E99999999.*Fix"):
        evidence.local_price_ratio(new, like=LIKE, seed=1)


def test_levels_are_the_areas_own_or_their_regions_and_say_which() -> None:
    levels = evidence.local_levels()
    assert bool(((levels["level"] > 0) & (levels["level"] < 1)).all())
    leeds = levels.sel(name="gcse_all", area="E08000035")
    panel = evidence.load_table("statistics/panel_education").query("measure == 'eng_maths_grade4_all_pct'")
    latest = panel[(panel["la_code"] == "E08000035") & (panel["year"] == panel["year"].max())]["value"]
    assert float(leeds["level"]) == pytest.approx(float(latest.iloc[0]) / 100)
    assert str(leeds["taken_from"].values) == "area"
    # Rutland's care leavers are too few to be published: its region's published value stands in, and says so.
    rutland = levels.sel(name="neet_care_leavers", area="E06000017")
    national = evidence.load_table("statistics/national").query("measure == 'care_leavers_19_21_neet_pct'")
    region = national[(national["area"] == "East Midlands") & (national["year"] == national["year"].max())]["value"]
    assert str(rutland["taken_from"].values) == "region"
    assert float(rutland["level"]) == pytest.approx(float(region.iloc[0]) / 100)
    own = (levels["taken_from"] == "area").sum("area").to_series()
    assert (own.drop("exclusion_in_need") >= 148).all() and own["exclusion_in_need"] > 100


def test_a_merged_area_is_the_mean_of_its_members_by_children() -> None:
    level = float(evidence.local_levels()["level"].sel(name="neet_16_17", area="stable:Cumbria area"))
    panel = evidence.load_table("statistics/panel_education").query("measure == 'neet_16_17_pct' and year == 2025")
    members = evidence.reference_areas().query("area == 'stable:Cumbria area' and status == 'current'")["la_code"]
    values = panel[panel["la_code"].isin(members)]["value"] / 100
    assert len(values) == 2
    assert values.min() <= level <= values.max()


def test_placement_shares_divide_the_average_and_meet_national_spending_on_homes() -> None:
    """NAO: 3.1 billion on residential care in 2023-24; here the stock and prices of the year after."""
    shares = evidence.placement_shares()
    parts = shares[["residential_share", "fostering_share", "other_share"]].to_dataframe()
    np.testing.assert_allclose(parts.sum(axis=1), 1.0)
    assert (parts > 0).all(axis=None)
    assert (shares["taken_from"] == "area").sum() >= 145
    stock = evidence.base_year(evidence.load_statistics())["children_looked_after"]
    spent = (stock * shares["residential_share"].sel(area=stock["area"])).sum() / stock.sum()
    assert float(spent) == pytest.approx(3.69 / (8.95 - 0.82 - 0.34), abs=0.03)  # without leaving care and asylum


def published() -> pd.Series:
    national = evidence.load_table("statistics/national").query("geography == 'national' and year == 2025")
    return national.set_index("measure")["value"]


@pytest.mark.parametrize("unaccompanied", [False, True])
def test_england_s_care_adds_up_to_section_251(statistics: xr.Dataset, unaccompanied: bool) -> None:
    """8,955 million in 2024-25: years in care, leaving care and, where they are left out, unaccompanied children.

    The asylum line is 342 million (2023-24, note of the price), and 15,630 left care at 16 or over.
    """
    england, price = published(), evidence.load_table("evidence/unit_costs").set_index("id")["value"]
    shares, base = evidence.placement_shares(unaccompanied=unaccompanied), evidence.base_year(statistics)
    leavers = evidence.load_table("evidence/economic_parameters").set_index("id")["value"]["CLA_LEFT16_25"]
    leaving = price["leaving_care_per_leaver_2024_25"] * leavers
    years = base["children_looked_after"]
    if not unaccompanied:
        panel = evidence.load_table("statistics/panel_looked_after").query("measure == 'uasc_at_31_march'")
        alone = panel[panel["year"] == 2025].set_index("la_code")["value"]
        whole = evidence.reference_areas().set_index("la_code")["area"]
        years = years - alone.groupby(whole).sum().to_xarray().reindex(area=years["area"].values, fill_value=0.0)
    children = england["cla_at_31_march"] - (0 if unaccompanied else england["uasc_at_31_march"])
    assert float(years.sum()) == pytest.approx(children, rel=0.001)
    own = base["care_week_price"] / (base["care_week_price"] * base["children_looked_after"]).sum()
    local = own * base["children_looked_after"].sum() * shares["care_ratio"].sel(area=years["area"].values)
    care = float((years * price["cla_year_without_leaving_care_2024_25"] * local).sum())
    total = care + leaving + (0 if unaccompanied else 342e6)
    assert total == pytest.approx(england["s251_looked_after_gross"], rel=0.02)
    assert leaving == pytest.approx(england["s251_leaving_care_gross"], rel=0.001)
    if not unaccompanied:  # the price itself, without any area's
        assert children * price["cla_year_without_leaving_care_2024_25"] + leaving + 342e6 == pytest.approx(
            england["s251_looked_after_gross"], rel=0.002
        )


class TestPartsOfAMergedArea:
    """Dorset and its pair: their own returns of 2023 to 2025 beside those of the two together."""

    def test_prices_are_the_merged_area_s_times_their_own_returns_over_it(self, statistics: xr.Dataset) -> None:
        parts = ["E06000058", "E06000059", "E06000063"]
        both = evidence.with_parts(statistics, parts)
        drawn = evidence.local_price_ratio(both, like=LIKE, seed=1)
        assert drawn.sel(area=statistics["area"].values).identical(
            evidence.local_price_ratio(statistics, like=LIKE, seed=1)
        )
        weekly, children = both["care_week_price"], both["children_looked_after"]
        for area, whole in (("E06000058", "stable:BCP+Dorset"), ("E06000063", "stable:Cumbria area")):
            gap = np.log(weekly.sel(area=area) / weekly.sel(area=whole)).isel(data_year=slice(-3, None)).mean()
            found = np.log(drawn["care"].sel(area=area) / drawn["care"].sel(area=whole))
            assert float(found.mean()) == pytest.approx(float(gap), abs=0.003)  # four thousand draws
        # Cumberland's single return is known less well than the means of three years.
        spread = np.log(drawn["care"]).std(("chain", "draw"))
        assert float(spread.sel(area="E06000063")) > float(spread.sel(area="E06000058"))
        assert float(children.sel(area=parts[:2], data_year=2025).sum()) == 997  # looked after in both

    def test_shares_and_levels_are_their_own(self) -> None:
        shares = evidence.and_parts(evidence.placement_shares, ["E06000059"]).sel(area="E06000059")
        assert shares["taken_from"].item() == "area"
        assert float(shares[["residential_share", "fostering_share", "other_share"]].to_array().sum()) == pytest.approx(
            1
        )
        levels = evidence.and_parts(evidence.local_levels, ["E06000064"])
        panel = evidence.load_table("statistics/panel_education").query("measure == 'neet_16_17_pct' and year == 2025")
        own = panel.set_index("la_code")["value"]["E06000064"] / 100
        assert float(levels["level"].sel(name="neet_16_17", area="E06000064")) == pytest.approx(own)
        assert levels["england"].dims == ("name",)
