import numpy as np
import pytest
import xarray as xr

from toolkit import evidence, pathways, scenarios
from toolkit.pathways.lives import _entry_hazard


@pytest.fixture(scope="module")
def draws(register: evidence.Register) -> xr.Dataset:
    scenario = scenarios.load("family_help")
    like = xr.Dataset(coords={"chain": range(2), "draw": range(250)})
    assumptions = scenarios.resolve(scenario, register)
    return evidence.sample(assumptions, like=like, seed=1, price_base=scenario.price_base)


def national(statistics: xr.Dataset, draws: xr.Dataset) -> xr.DataArray:
    """England's latest published rates, without uncertainty."""
    rates = []
    for indicator in statistics["indicator"].values:
        cells = statistics.sel(indicator=indicator).where(statistics["observed"].sel(indicator=indicator))
        year = cells["exposure"].dropna("data_year", how="all")["data_year"][-1]
        latest = cells.sel(data_year=year)
        rates.append(float(latest["events_upper"].sum() / latest["exposure"].sum()))
    flat = xr.ones_like(draws["care_exit_rate"]).drop_attrs()
    return flat * xr.DataArray(rates, coords={"indicator": statistics["indicator"].values}, dims="indicator")


def test_the_entering_cohort_in_a_steady_state_reproduces_the_national_flows(
    statistics: xr.Dataset, draws: xr.Dataset
) -> None:
    """A year's first-time entrants to need, each with a life's events, are a year's events if years are alike.

    England: looked-after starts and stock, within a third; the chain was fitted to neither. Justice entrants
    known to social care cannot pass all children's.
    """
    base = evidence.base_year(statistics)
    england = base.where(base["fitted"], drop=True).drop_vars(["fitted", "area_name", "region"]).sum("area")
    england = england.assign_coords(area="England")
    rates = national(statistics, draws)
    scenario = scenarios.load("family_help")
    hazards = pathways.localise(rates, rates, england, draws, scenario)
    lives = pathways.per_child(hazards, strength=0.0, like=draws).sum("year")
    entering = draws["share_ever_in_need"] * float(england["population_0_17"]) / pathways.CHILDHOOD_YEARS
    yearly = (lives * entering).mean(("chain", "draw"))
    through_need = float(england["care_starts"]) * float(draws["care_from_need_share"].mean())
    assert float(yearly.sel(quantity="care_entries")) == pytest.approx(through_need, rel=1 / 3)
    assert float(yearly.sel(quantity="care_years")) == pytest.approx(float(england["children_looked_after"]), rel=1 / 3)
    entrants = float(rates.sel(indicator="first_time_entrants").mean()) * float(england["population_10_17"])
    assert float(yearly.sel(quantity="first_time_entries")) < entrants


def test_the_hazard_at_the_edge_of_care_gives_the_published_chance_beside_closure() -> None:
    chance, closing = np.array([0.1, 0.448, 0.9]), np.array([0.9, 0.88, 0.5])
    hazard = _entry_hazard(chance, closing)
    leaving = hazard + closing
    np.testing.assert_allclose((1 - np.exp(-leaving)) * hazard / leaving, chance, rtol=1e-10)


def test_deadweight_and_drop_off_take_their_shares() -> None:
    adjustments = scenarios.Adjustments(deadweight=0.2, attribution=0.5, drop_off=0.1)
    shares = pathways.additional(adjustments)
    assert shares.values[:3] == pytest.approx([0.4, 0.36, 0.324])


def test_strengths_multiply_and_detection_leaves_replication_out() -> None:
    effect = scenarios.Effect(replication=0.5, take_up=0.8, ramp=(0.5, 1.0))
    np.testing.assert_allclose(pathways.strengths(effect, 2), [(0.2, 0.4), (0.4, 0.8)])
