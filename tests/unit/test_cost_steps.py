"""The cost of a child, one named change at a time, on the same draws."""

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tests.conftest import LEEDS
from tests.unit.pricing.conftest import PLAN, RUTLAND, rates_without_a_fit
from toolkit import cost_steps, evidence, scenarios
from toolkit.evidence import Register
from toolkit.measures import cost_steps as measures
from toolkit.prices import rebase
from toolkit.schema import SAMPLE_DIMS, InputError

COLUMNS = ["step", "acts", "changes", "row", "column", "becomes"]


def changes(*rows: str) -> pd.DataFrame:
    return pd.DataFrame([row.split(",") for row in rows], columns=COLUMNS).assign(walk="walk", reason="why")


@pytest.fixture(scope="module")
def scenario() -> scenarios.Scenario:
    return scenarios.change(scenarios.load("families_first"), plan=PLAN, first_year=2025)


def walked(scenario: scenarios.Scenario, dozen: xr.Dataset, *rows: str) -> xr.Dataset:
    fitted = rates_without_a_fit()
    return cost_steps.cost_steps(changes(*rows), scenario, dozen, fitted, areas=[LEEDS, RUTLAND])


def test_steps_add_up_in_every_draw_and_a_component_left_out_costs_what_it_costs(
    scenario: scenarios.Scenario, dozen: xr.Dataset
) -> None:
    """A component put back and the comparator changed; then the same component left out after the other change."""
    out, comparator = "custody,before,cost_components,adult_custody,,", "others,after,reading,excess_never,,"
    bridged = walked(scenario, dozen, out, comparator)
    assert bridged["step"].values.tolist() == ["at_first", "custody", "others", "in_the_end"]
    first, *steps, last = (bridged["contribution"].isel(step=step) for step in range(4))
    np.testing.assert_allclose(first + sum(steps), last, rtol=1e-6)
    assert bool((steps[0] > 0).any()) and bool((steps[1] > 0).all())
    late = walked(scenario, dozen, comparator, out.replace("before", "after"))
    # Both end with the same figures on the same draws, so that the middles agree: with custody or without.
    np.testing.assert_allclose(bridged["result"].sel(step="others"), late["result"].sel(step="others"), rtol=1e-6)
    assert bool((late["contribution"].sel(step="custody") < steps[0]).any())


def test_a_figure_replaced_and_one_superseded_can_be_put_back(scenario: scenarios.Scenario, dozen: xr.Dataset) -> None:
    """The step has the sign of the difference between the two prices; one of them may be superseded by the other."""
    bridged = walked(scenario, dozen, "price,before,roles,price_care_year,id,cla_year_s251_2024_25")
    register = evidence.load_register()
    figures = register.figures
    before, now = (
        figures.loc[key, "value"] for key in ("cla_year_s251_2024_25", "cla_year_without_leaving_care_2024_25")
    )
    change = bridged["contribution"].sel(step="price").mean(SAMPLE_DIMS)
    assert (float(change) > 0) == (now > before)


def test_settings_draws_and_published_totals_take_their_place(
    scenario: scenarios.Scenario, dozen: xr.Dataset, register: Register
) -> None:
    bridged = walked(
        scenario,
        dozen,
        "whole_gap,after,draws,adjustment_gcse,,1",
        f"undiscounted,after,setting,discount_schedule,,{json.dumps(0.0)}",
        "rest,after,total,alma_lifetime_swchild,,",
    )
    assert bool((bridged["contribution"].isel(step=slice(1, 3)) > 0).all())
    published = float(rebase(720_000.0, "2019/20", to=scenario.price_base, deflators=register.deflators))
    np.testing.assert_allclose(bridged["result"].sel(step="rest"), published)
    assert bridged["result"].attrs["price_base"] == scenario.price_base


def test_a_change_of_a_row_that_is_not_there_is_refused(scenario: scenarios.Scenario, dozen: xr.Dataset) -> None:
    with pytest.raises(InputError, match=r"cost_changes\.csv, gone: cost_components has no row 'prisons'"):
        walked(scenario, dozen, "gone,before,cost_components,prisons,,")


def test_what_is_committed_adds_up_and_every_walk_has_a_title(register: Register) -> None:
    assert set(cost_steps.walks(register)) == set(measures.TITLES) == set(measures.steps_tables())
    for walk in measures.TITLES:
        bridged = measures.expected(walk).isel(chain=0, draw=0)
        inner = bridged["contribution"].isel(step=slice(0, -1)).sum()
        np.testing.assert_allclose(inner, bridged["result"].isel(step=-1), rtol=1e-3)


def test_a_summary_has_the_mean_and_interval_of_each_step(scenario: scenarios.Scenario, dozen: xr.Dataset) -> None:
    rows = changes("others,after,reading,excess_never,,")
    bridged = walked(scenario, dozen, "others,after,reading,excess_never,,")
    table = measures.summarised({"walk": bridged}, {"walk": rows}).set_index("step")
    step = bridged["contribution"].sel(step="others")
    found = table.loc["others", ["contribution", "low", "high"]].astype(float)
    ends = [float(step.mean()), *np.quantile(step.values, [0.05, 0.95])]
    np.testing.assert_allclose(found, ends, rtol=1e-4)
    assert table.loc["others", "reason"] == "why"
