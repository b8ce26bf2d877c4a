"""A run repriced under other adjustments on its own draws: what each must do to the result."""

from functools import partial

import numpy as np
import pytest
import xarray as xr

from tests.conftest import LEEDS
from toolkit import appraisal, evidence, scenarios, workflow
from toolkit.measures import quantities as q
from toolkit.schema import InputError

pytestmark = pytest.mark.fit


@pytest.fixture(scope="module")
def price(small_run: workflow.Run, dozen: xr.Dataset, register: evidence.Register):
    return partial(workflow.reprice, small_run, statistics=dozen, register=register)


def test_no_change_reproduces_the_run(small_run: workflow.Run, price) -> None:
    npsv = small_run.tree["appraisal"]["npsv"]
    np.testing.assert_allclose(price({}).transpose(*npsv.dims), npsv, rtol=1e-5, atol=1.0)


@pytest.mark.long
def test_what_adjusts_cost_leaves_the_benefit_alone(small_run: workflow.Run, price) -> None:
    cost = small_run.tree["appraisal"]["programme_cost"]
    for setting in ({"optimism_bias": 0.41}, {"confidence_cost": 0.41}):
        np.testing.assert_allclose((price({}) - price(setting)).sel(account="social"), 0.41 * cost, rtol=1e-3)


@pytest.mark.long
def test_without_effect_only_the_cost_is_left(small_run: workflow.Run, price) -> None:
    cost = small_run.tree["appraisal"]["programme_cost"]
    for setting in ({"take_up": 0.0}, {"deadweight": 1.0}, {"attribution": 0.0}, {"confidence_benefit": -1.0}):
        np.testing.assert_allclose(price(setting).sel(account="fiscal"), -cost, rtol=1e-3)


@pytest.mark.long
def test_shares_of_the_effect_scale_the_benefit(small_run: workflow.Run, price) -> None:
    cost = small_run.tree["appraisal"]["programme_cost"]
    whole = price({}) + cost
    for setting in ({"deadweight": 0.25}, {"displacement": 0.25}, {"attribution": 0.75}):
        np.testing.assert_allclose(price(setting) + cost, 0.75 * whole, rtol=1e-3, atol=50.0)


@pytest.mark.long
def test_the_bridge_of_a_run_adds_up(small_run: workflow.Run, price) -> None:
    found = appraisal.bridge(price, {"take_up": 0.5, "drop_off": 0.1, "optimism_bias": 0.41})
    parts = found["contribution"].isel(step=slice(0, -1)).sum("step")
    np.testing.assert_allclose(parts, found["contribution"].sel(step="adjusted"), rtol=1e-9)
    assert (found["contribution"].sel(step="optimism_bias") < 0).all()


@pytest.mark.long
def test_the_reports_bridge_is_the_one_that_pricing_again_gives(
    small_run: workflow.Run, fit_cache, dozen: xr.Dataset, register: evidence.Register
) -> None:
    """Every adjustment at work, and what the run kept of itself against pricing each step again."""
    values = {"take_up": 0.9, "drop_off": 0.1, "attribution": 0.9, "deadweight": 0.2, "displacement": 0.1}
    effect = {"take_up": values.pop("take_up")}
    scenario = scenarios.change(
        small_run.scenario, effect=effect, adjustments={**values, "optimism_bias": 0.41}, horizon=40
    )
    adjusted = workflow.run(scenario, areas=["E06000017"], cache=fit_cache, statistics=dozen)
    ours = q.bridge(adjusted)
    order = {str(n): float(v) for n, v in zip(ours["step"].values[1:-1], ours["value"].values[1:-1], strict=True)}
    assert list(order) == [
        "take_up",
        "drop_off",
        "attribution",
        "deadweight",
        "displacement",
        "optimism_bias",
    ]
    price = partial(workflow.reprice, adjusted, statistics=dozen, register=register)
    theirs = appraisal.bridge(price, order)
    one = ours["contribution"].transpose(*theirs["contribution"].dims)
    np.testing.assert_allclose(one, theirs["contribution"], rtol=2e-3, atol=20.0)


@pytest.mark.long
def test_a_bridge_where_nothing_is_due_to_the_programme(small_run: workflow.Run, fit_cache, dozen: xr.Dataset) -> None:
    scenario = scenarios.change(small_run.scenario, adjustments={"attribution": 0.0})
    none = q.bridge(workflow.run(scenario, areas=[LEEDS, "E06000017"], cache=fit_cache, statistics=dozen))
    before, npsv = none["result"].sel(step="drop_off"), small_run.tree["appraisal"]["npsv"]
    np.testing.assert_allclose(before, npsv.transpose(*before.dims), rtol=1e-3, atol=50.0)
    np.testing.assert_allclose(none["result"].sel(step="adjusted"), none["result"].sel(step="attribution"), rtol=1e-6)


def test_an_impossible_adjustment_is_refused(price) -> None:
    with pytest.raises(InputError, match="deadweight"):
        price({"deadweight": 2.0})
