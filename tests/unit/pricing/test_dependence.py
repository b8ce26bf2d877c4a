"""An input that a number is not computed from cannot be named as moving it, whatever chance makes of the draws."""

import numpy as np
import pytest
import xarray as xr

from tests.conftest import LEEDS
from toolkit import evidence, scenarios, workflow
from toolkit.measures import quantities as q
from toolkit.measures import value_of_information as voi
from toolkit.pricing import dependence
from toolkit.resolved import resolve

DIMS, COORDS = ("chain", "draw"), {"chain": [0, 1], "draw": range(50)}


@pytest.fixture(scope="module")
def design():
    """Two figures, two parameters of the pathway, of which one is a figure elsewhere, an effect and a rate."""
    normal = np.random.default_rng(5).normal(size=(7, 2, 50))
    pathway = xr.DataArray(normal[2:4], dims=("parameter", *DIMS), coords={"parameter": ["need_again", "plan_exit"]})
    figures = {"price": (DIMS, normal[0]), "other": (DIMS, normal[1]), "fixed": (DIMS, np.ones((2, 50)))}
    draws = xr.Dataset({**figures, "pathway": pathway}, COORDS)
    draws["referral_to_need"] = draws["pathway"].sel(parameter="need_again", drop=True)
    effect = xr.DataArray(
        normal[4:6].reshape(1, 2, 2, 50),
        dims=("outcome", "programme", *DIMS),
        coords={"outcome": ["care"], "programme": ["keyworker", "therapy"]},
    )
    effects = xr.Dataset({"effect": effect, "area_sd": abs(effect), "flat": ("programme", [1.0, 2.0])}, COORDS)
    rate = xr.DataArray(
        normal[6:7, None].repeat(2, 1),
        dims=("indicator", "area", *DIMS),
        coords={"indicator": ["care_starts"], "area": ["x", "y"]},
    )
    posterior = xr.Dataset({"baseline_rate": rate, "baseline_national": rate.isel(area=0, drop=True)}, COORDS)
    return dependence.design(draws, effects, posterior)


def test_each_input_is_moved_alone(design):
    answers = {
        "price": design.draws["price"],
        "referral_to_need": design.draws["referral_to_need"],
        "pathway: plan_exit": design.draws["pathway"].sel(parameter="plan_exit"),
        "effect: therapy: care": design.effects["effect"].sel(outcome="care", programme="therapy"),
        "rate: care_starts": design.posterior["baseline_rate"].sel(indicator="care_starts", area="y"),
    }
    for name, answer in answers.items():
        # The figure that a parameter of the pathway also is moves with it.
        also = {"pathway: need_again"} if name == "referral_to_need" else set()
        assert set(design.moved(answer.reset_coords(drop=True))) == {name} | also, name


def test_an_areas_own_deviation_is_no_input_and_what_has_no_draws_is_kept(design):
    assert not design.effects["area_sd"].any()
    assert design.effects["flat"].values.tolist() == [1.0, 2.0]


def test_what_never_varies_or_is_multiplied_by_nil_does_not_act(design):
    assert design.moved(design.draws["fixed"]) == ()
    assert design.moved(design.draws["price"] + 0.0 * design.draws["other"]) == ("price",)
    both = design.draws["price"] * design.draws["other"]
    assert design.moved(both) == ("price", "other")


@pytest.mark.fit
def test_a_run_names_what_its_accounts_are_computed_from(small_run):
    acting = {account: set(q.acting(small_run, account)) for account in ("fiscal", "social")}
    for acts in acting.values():
        assert {
            "cost_supporting_families",
            "effect: supporting_families: care",
            "rate: care_starts",
            "price_care_year",
            "growth_care",
        } <= acts
        # Sizes of studies, conventions, shares of another cohort's cost and rates that price nothing.
        assert not {"study_audit_files", "dist_weight_elasticity", "adjustment_neet", "rate: attainment_8"} & acts
    # Benefits that are not paid are a gain of the public purse and a loss of those who had them.
    assert "price_neet_benefits" in acting["fiscal"] - acting["social"]
    assert "price_victims_harm" in acting["social"] - acting["fiscal"]


@pytest.mark.fit
def test_no_input_that_cannot_act_is_listed_as_a_driver(small_run):
    worked = voi.analyse_inputs(small_run)
    assert set(worked.parameters) <= set(q.acting(small_run, "social"))
    assert set(worked.tornado["parameter"].values) == set(worked.parameters)
    everything = voi.parameters(small_run)
    assert {"price_neet_benefits", "adjustment_neet"} <= set(everything) - set(worked.parameters)


@pytest.mark.fit
@pytest.mark.long
def test_what_acts_follows_the_scenario(fit_cache, dozen, register, small_scenario):
    # If nobody takes it up nothing but the plan's certain cost is left; without an outcome its prices do not act.
    fitted = workflow.fit(dozen, small_scenario, register, cache=fit_cache)

    def acting(**changes):
        scenario = scenarios.change(small_scenario, **changes)
        resolved = resolve(scenario, register, dozen, areas=[LEEDS])
        draws = workflow.draw_figures(scenario, resolved.figures, register, like=fitted["posterior"].to_dataset())
        effects = workflow.draw_effects(resolved, draws)
        how = {"area": LEEDS, "appraise": workflow.appraise}
        acts = dependence.by_account(fitted, dozen, resolved, draws, effects, **how)["acts"]
        return set(acts["input"].values[acts.sel(account="social").values == 1])

    assert acting(effect={"take_up": 0.0}) == set()
    fewer = acting(outcomes=["care", "repeat_referrals", "child_in_need"])
    assert (
        "price_care_year" in fewer
        and not {"price_gcse", "price_victims_harm", "effect: supporting_families: gcse_attainment"} & fewer
    )
    assert evidence.ALSO_FIGURES["referral_to_need"] == "need_again"
