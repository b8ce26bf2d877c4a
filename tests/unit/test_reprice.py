"""A run repriced under other adjustments on its own draws: what each must do to the result."""

from functools import partial

import numpy as np
import pytest
import xarray as xr

from toolkit import appraisal, evidence, workflow
from toolkit.schema import InputError

pytestmark = pytest.mark.fit


@pytest.fixture(scope="module")
def price(small_run: workflow.Run, dozen: xr.Dataset, register: evidence.Register):
    return partial(workflow.reprice, small_run, statistics=dozen, register=register)


def test_no_change_reproduces_the_run(small_run: workflow.Run, price) -> None:
    npsv = small_run.tree["appraisal"]["npsv"]
    np.testing.assert_allclose(price({}).transpose(*npsv.dims), npsv, rtol=1e-5, atol=1.0)


def test_what_adjusts_cost_leaves_the_benefit_alone(small_run: workflow.Run, price) -> None:
    cost = small_run.tree["appraisal"]["programme_cost"]
    for setting in ({"optimism_bias": 0.41}, {"confidence_cost": 0.41}):
        np.testing.assert_allclose((price({}) - price(setting)).sel(account="social"), 0.41 * cost, rtol=1e-3)


def test_without_effect_only_the_cost_is_left(small_run: workflow.Run, price) -> None:
    cost = small_run.tree["appraisal"]["programme_cost"]
    for setting in ({"replication": 0.0}, {"deadweight": 1.0}, {"attribution": 0.0}, {"confidence_benefit": -1.0}):
        np.testing.assert_allclose(price(setting).sel(account="fiscal"), -cost, rtol=1e-3)


def test_shares_of_the_effect_scale_the_benefit(small_run: workflow.Run, price) -> None:
    cost = small_run.tree["appraisal"]["programme_cost"]
    whole = price({}) + cost
    for setting in ({"deadweight": 0.25}, {"displacement": 0.25}, {"attribution": 0.75}):
        np.testing.assert_allclose(price(setting) + cost, 0.75 * whole, rtol=1e-3, atol=50.0)


def test_the_bridge_of_a_run_adds_up(small_run: workflow.Run, price) -> None:
    found = appraisal.bridge(price, {"replication": 0.5, "drop_off": 0.1, "optimism_bias": 0.41})
    parts = found["contribution"].isel(step=slice(0, -1)).sum("step")
    np.testing.assert_allclose(parts, found["contribution"].sel(step="adjusted"), rtol=1e-9)
    assert (found["contribution"].sel(step="optimism_bias") < 0).all()


def test_an_impossible_adjustment_is_refused(price) -> None:
    with pytest.raises(InputError, match="deadweight"):
        price({"deadweight": 2.0})
