"""The bridge against hand arithmetic: benefit 100 x take-up x (1 - deadweight), cost 40 x (1 + bias)."""

import numpy as np
import pytest
import xarray as xr

from toolkit import appraisal
from toolkit.appraisal.bridge import NEUTRAL, steps
from toolkit.schema import InputError

MONEY = {"units": "GBP", "price_base": "2025/26"}
SPREAD = xr.DataArray([0.5, 1.0, 1.5], dims="sample")


def price(setting):
    benefit = 100 * SPREAD * setting["take_up"] * (1 - setting["deadweight"])
    return (benefit - 40 * (1 + setting["optimism_bias"])).assign_attrs(MONEY)


TRIED = {"take_up": 0.5, "deadweight": 0.2, "displacement": 0.0, "optimism_bias": 0.41}


def test_each_step_by_hand():
    found = appraisal.bridge(price, TRIED)
    expected = {"unadjusted": 60, "take_up": -50, "deadweight": -10, "displacement": 0, "optimism_bias": -16.4}
    for step, value in (expected | {"adjusted": -16.4}).items():
        assert float(found["contribution"].sel(step=step).mean()) == pytest.approx(value), step
    assert found["contribution"].attrs == MONEY
    assert found["value"].values[1:-1].tolist() == list(TRIED.values())


def test_contributions_add_up_in_every_draw():
    found = appraisal.bridge(price, TRIED)
    parts = found["contribution"].isel(step=slice(0, -1)).sum("step")
    np.testing.assert_allclose(parts, found["contribution"].sel(step="adjusted"), rtol=0, atol=1e-12)
    np.testing.assert_array_equal(found["result"].sel(step="adjusted"), price(NEUTRAL | TRIED))


def test_the_order_moves_contributions_and_not_the_result():
    one, other = appraisal.bridge(price, TRIED), appraisal.bridge(price, dict(reversed(TRIED.items())))
    np.testing.assert_allclose(one["result"].sel(step="adjusted"), other["result"].sel(step="adjusted"))
    deadweight = [float(found["contribution"].sel(step="deadweight").mean()) for found in (one, other)]
    assert deadweight == pytest.approx([-10, -20])  # after and before half the effect is lost
    assert one.attrs["order"].startswith("take_up") and other.attrs["order"].startswith("optimism_bias")


def test_a_neutral_step_is_not_priced():
    asked = []

    def counting(setting):
        asked.append(setting)
        return price(setting)

    appraisal.bridge(counting, {"take_up": 1.0, "deadweight": 0.1, "drop_off": 0.0})
    assert [setting["deadweight"] for setting in asked] == [0.0, 0.1]


def test_confidence_corrections_are_off_unless_given():
    assert NEUTRAL["confidence_benefit"] == NEUTRAL["confidence_cost"] == 0.0


def test_unknown_adjustments_are_refused():
    with pytest.raises(InputError, match="'optimism'"):
        appraisal.bridge(price, {"optimism": 0.4})
    with pytest.raises(InputError, match="none"):
        appraisal.bridge(price, {})


def test_results_at_hand_need_two_and_the_same_draws():
    with pytest.raises(InputError, match="at least one step"):
        steps({"unadjusted": SPREAD})
    labelled = SPREAD.assign_coords(sample=[0, 1, 2])
    with pytest.raises(InputError, match="sample"):
        steps({"unadjusted": labelled, "optimism_bias": labelled.assign_coords(sample=[0, 1, 3])})
    with pytest.raises(InputError, match="NaN"):
        steps({"unadjusted": SPREAD, "optimism_bias": SPREAD * np.nan})
