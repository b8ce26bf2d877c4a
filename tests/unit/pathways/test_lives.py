from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from toolkit import evidence, pathways, scenarios
from toolkit.pathways.lives import sound
from toolkit.schema import InputError


@pytest.fixture(scope="module")
def draws(register: evidence.Register) -> xr.Dataset:
    scenario = scenarios.load("families_first")
    like = xr.Dataset(coords={"chain": range(2), "draw": range(250)})
    assumptions = scenarios.resolve(scenario, register)
    figures = evidence.sample(assumptions, like=like, seed=1, price_base=scenario.price_base)
    return evidence.with_pathway(figures, register, seed=1)


def national(statistics: xr.Dataset, draws: xr.Dataset) -> xr.DataArray:
    """England's latest published rates, without uncertainty."""
    rates = []
    for indicator in statistics["indicator"].values:
        cells = statistics.sel(indicator=indicator).where(statistics["observed"].sel(indicator=indicator))
        year = cells["exposure"].dropna("data_year", how="all")["data_year"][-1]
        latest = cells.sel(data_year=year)
        rates.append(float(latest["events_upper"].sum() / latest["exposure"].sum()))
    flat = xr.ones_like(draws["children_per_family"]).drop_attrs()
    return flat * xr.DataArray(rates, coords={"indicator": statistics["indicator"].values}, dims="indicator")


@pytest.fixture(scope="module")
def england(statistics: xr.Dataset) -> xr.Dataset:
    base = evidence.base_year(statistics)
    whole = base.where(base["fitted"], drop=True).drop_vars(["fitted", "area_name", "region"]).sum("area")
    return whole.assign_coords(area="England")


@pytest.fixture(scope="module")
def hazards(statistics: xr.Dataset, england: xr.Dataset, draws: xr.Dataset) -> pathways.Hazards:
    rates = national(statistics, draws)
    return pathways.localise(rates, rates, england, draws, scenarios.load("families_first"))


def test_the_entering_cohort_in_a_steady_state_reproduces_the_national_flows(
    statistics: xr.Dataset, england: xr.Dataset, draws: xr.Dataset, hazards: pathways.Hazards
) -> None:
    """A year's children first in need, each with a life's events, are a year's events if years are alike.

    England: care starts and children looked after that come through need, plan starts and children on plans; the
    stocks of care and plans were not fitted. Justice entrants known to social care cannot pass all children's.
    """
    lives = pathways.per_child(hazards, strength=0.0, like=draws)["events"].sum("year")
    entering = draws["share_ever_in_need"] * float(england["population_0_17"]) / pathways.CHILDHOOD_YEARS
    yearly = (lives * entering).mean(("chain", "draw"))
    through_need = float(draws["care_from_need_share"].mean())
    published = {
        "care_entries": through_need * float(england["care_starts"]),
        "care_years": through_need * float(england["children_looked_after"]),
        "plan_starts": 61_840,
        "plan_years": 49_420,
    }
    for name, value in published.items():
        assert float(yearly.sel(quantity=name)) == pytest.approx(value, rel=0.15), name
    entrants = float(national(statistics, draws).sel(indicator="first_time_entrants").mean())
    assert float(yearly.sel(quantity="first_time_entries")) < entrants * float(england["population_10_17"])


def test_care_starts_scale_with_the_area_and_plans_where_they_are_modelled(
    statistics: xr.Dataset, england: xr.Dataset, draws: xr.Dataset, hazards: pathways.Hazards
) -> None:
    """Twice the care starts are twice the hazard; more plans lead to more care, so other entries make room."""
    rates, scenario = national(statistics, draws), scenarios.load("families_first")
    double = rates * xr.where(rates["indicator"] == "care_starts", 2.0, 1.0)
    twice = pathways.localise(double, rates, england, draws, scenario)
    np.testing.assert_allclose(twice.care_entry, 2 * hazards.care_entry)
    more = rates.where(rates["indicator"] != "protection_plan_starts", 0.01)
    planned = pathways.localise(more, rates, england, draws, scenario)
    assert (planned.plan_start > 1.3 * hazards.plan_start).all() and (planned.care_entry < hazards.care_entry).all()
    starts = [
        float(pathways.per_child(h, strength=0.0, like=draws)["events"].sel(quantity="care_entries").sum("year").mean())
        for h in (hazards, planned)
    ]
    assert starts[1] == pytest.approx(starts[0], rel=0.06)


def test_the_reached_cohort_has_the_lives_of_its_children_under_both_options(
    draws: xr.Dataset, hazards: pathways.Hazards
) -> None:
    scenario = scenarios.load("families_first")
    outcomes = ["repeat_referrals", "care", "youth_justice", "gcse_attainment"]
    effect = xr.DataArray([-0.1, -0.2, -0.1, 0.05], {"outcome": outcomes}, "outcome") * xr.ones_like(
        draws["children_per_family"].drop_attrs()
    )
    helped = pathways.with_effects(hazards, effect)
    reached = xr.full_like(draws["children_per_family"].drop_attrs(), 10.0)
    rates = xr.DataArray(
        np.full((1, 4, 2, 250), 0.01),
        {"layer": ["exclusions"], "group": list(pathways.GROUPS), "start": ("layer", [5]), "stop": ("layer", [16])},
        ("layer", "group", "chain", "draw"),
    )
    usual = pathways.per_child(hazards, strength=0.0, rates=rates, like=draws)
    change = pathways.per_child(helped, strength=0.5, rates=rates, like=draws) - usual
    part = pathways.additional_part(change, scenario.adjustments)["events"]
    life, years = usual["events"], 3

    def cohorts(sign: float, gaining: float = 1.0) -> list[pathways.Cohort]:
        return [pathways.Cohort(life, part, sign * reached, start, sign * gaining * reached) for start in range(years)]

    lives = pathways.project(cohorts(1.0), horizon=scenario.horizon)
    assert list(lives["quantity"].values) == [*pathways.QUANTITIES, "exclusions"]
    everything = lives.sel(option="business_as_usual", drop=True).sum("year")
    np.testing.assert_allclose(everything, life.astype(float).sum("year") * 10.0 * years)
    changed = lives.sel(option="investment") - lives.sel(option="business_as_usual")
    assert (changed.sum("year").sel(quantity=["rereferrals", "care_years", "first_time_entries"]) < 0).all()
    # The second year's children start a year later; those past the horizon are left out.
    np.testing.assert_allclose(changed.isel(year=0), 10.0 * part.isel(year=0))
    brief = pathways.project(cohorts(1.0), horizon=5)
    xr.testing.assert_equal(brief, lives.isel(year=slice(0, 5)))
    cut = pathways.project(cohorts(-1.0), horizon=scenario.horizon)
    loss = cut.sel(option="investment") - cut.sel(option="business_as_usual")
    np.testing.assert_allclose(loss, -changed, atol=1e-12)
    half = pathways.project(cohorts(1.0, 0.5), horizon=scenario.horizon)  # where others are helped already
    xr.testing.assert_equal(half.sel(option="business_as_usual"), lives.sel(option="business_as_usual"))
    gained = half.sel(option="investment") - half.sel(option="business_as_usual")
    np.testing.assert_allclose(gained, changed / 2, atol=1e-12)


def test_drop_off_and_deadweight_take_their_part_of_a_change(draws: xr.Dataset, hazards: pathways.Hazards) -> None:
    lives = pathways.per_child(hazards, strength=0.0, like=draws)
    own = scenarios.Adjustments(deadweight=0.2, drop_off=0.1)
    part = pathways.additional_part(lives, own)
    np.testing.assert_allclose(part["events"].isel(year=3), 0.8 * 0.9**3 * lives["events"].isel(year=3))
    np.testing.assert_allclose(part["cells"].isel(year_of_18=4), 0.8 * 0.9**3 * lives["cells"].isel(year_of_18=4))


def test_layers_that_do_not_fit_are_refused(draws: xr.Dataset, hazards: pathways.Hazards) -> None:
    rates = xr.DataArray(
        np.zeros((1, 4, 2, 250)),
        {"layer": ["care_years"], "group": list(pathways.GROUPS), "start": ("layer", [0]), "stop": ("layer", [18])},
        ("layer", "group", "chain", "draw"),
    )
    with pytest.raises(InputError, match="names must differ from the quantities'"):
        pathways.per_child(hazards, strength=0.0, rates=rates, like=draws)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("plan_start", -0.1, "'plan_start' is negative"),
        ("care_entry", np.nan, "'care_entry' is negative or not finite"),
        ("short_share", 1.2, "'short_share' is outside 0-1"),
        ("entry_weight", 0.5, "'entry_weight' does not sum to one"),
        ("log_ratio_care", -np.inf, "'log_ratio_care' is not finite"),
    ],
)
def test_hazards_that_are_none_are_refused_by_name(
    hazards: pathways.Hazards, name: str, value: float, message: str
) -> None:
    with pytest.raises(InputError, match=f"Leeds: {message}"):
        sound(replace(hazards, **{name: np.full_like(getattr(hazards, name), value)}), "Leeds")


def test_an_effect_that_would_turn_a_hazard_negative_is_refused(draws: xr.Dataset, hazards: pathways.Hazards) -> None:
    """A ratio below 0 has no logarithm."""
    outcomes = ["repeat_referrals", "care", "youth_justice", "gcse_attainment"]
    ones = xr.ones_like(draws["children_per_family"].drop_attrs())
    with np.errstate(invalid="ignore"):
        effect = xr.DataArray([0.0, np.log(-0.2), 0.0, 0.0], {"outcome": outcomes}, "outcome") * ones
    with pytest.raises(InputError, match=r"effect on 'care'.*would be negative"):
        pathways.with_effects(hazards, effect)


def test_deadweight_and_drop_off_take_their_shares() -> None:
    adjustments = scenarios.Adjustments(deadweight=0.2, attribution=0.5, drop_off=0.1)
    shares = pathways.additional(adjustments)
    assert shares.values[:3] == pytest.approx([0.4, 0.36, 0.324])
