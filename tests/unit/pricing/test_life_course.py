"""The collective cost along the life course, on real data: it adds up to the run's own, by age, history and area."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tests.conftest import LEEDS
from toolkit import evidence, workflow
from toolkit.pricing.life_course import HISTORIES
from toolkit.schema import SAMPLE_DIMS

pytestmark = pytest.mark.fit


@pytest.mark.long
def test_histories_add_up_to_the_cohorts_lifetime_cost_and_children(small_run: workflow.Run) -> None:
    told, costs = small_run.tree["life_course"].to_dataset(), small_run.tree["costs"].to_dataset()
    whole = costs["lifetime"].sum("area").sel(component=told["component"])
    np.testing.assert_allclose(
        told["by_history"].sum("history").transpose(*whole.dims), whole, rtol=1e-4, atol=1e-5 * float(abs(whole).max())
    )
    entering = small_run.tree["lives"]["children_entering"].sum("area")
    np.testing.assert_allclose(told["children"].sum("history"), entering, rtol=1e-4)


def test_all_care_falls_to_children_looked_after_who_cost_more(small_run: workflow.Run) -> None:
    told = small_run.tree["life_course"].to_dataset()
    never = told["by_history"].sel(history=HISTORIES[0], reading="gross")
    care = [name for name in never["component"].values if name.startswith(("care_", "proceedings"))]
    assert care
    assert float(abs(never.sel(component=care)).max()) < 1e-3 * float(told["by_history"].max())
    each = (told["by_history"].sum("component") / told["children"]).mean(SAMPLE_DIMS)
    assert bool((each.sel(history=HISTORIES[1]) > 3 * each.sel(history=HISTORIES[0])).all())
    share = told["children"].sel(history=HISTORIES[1]) / told["children"].sum("history")
    assert 0.08 < float(share.mean()) < 0.25  # as published: see test_workflow


def test_occupancy_counts_every_child_that_has_come_by_each_age(small_run: workflow.Run) -> None:
    told = small_run.tree["life_course"].to_dataset()
    known = (told["occupancy"].sum("state") / told["children"].sum("history")).mean(SAMPLE_DIMS)
    assert bool((known.diff("child_age") > 0).all())
    assert 0.95 < float(known[-1]) < 1.0  # who comes at seventeen lives half of that year


def test_what_is_paid_by_age_is_the_undiscounted_cost_of_the_same_lives(small_run: workflow.Run) -> None:
    """Councils' cost falls in childhood, but for leaving care to 24; lost earnings from eighteen on."""
    told = small_run.tree["life_course"].to_dataset()
    paid = told["by_age"].mean(SAMPLE_DIMS).sel(reading="gross")
    assert paid.sizes["age"] == 68
    council = paid.sel(payer="local_authority")
    assert 0.9 < float(council.sel(age=slice(0, 17)).sum() / council.sum()) < 0.97
    assert float(council.sel(age=slice(18, 24)).sum() / council.sum()) > 0.03
    assert float(abs(council.sel(age=slice(25, None))).sum() / council.sum()) < 0.02  # homelessness
    assert float(abs(paid.sel(payer="hmrc", age=slice(0, 17))).sum()) == 0.0
    worth = told["by_history"].sum(["history", "component"]).mean(SAMPLE_DIMS)
    for reading in ("gross", "excess"):
        assert float(told["by_age"].sel(reading=reading).mean(SAMPLE_DIMS).sum()) > float(worth.sel(reading=reading))


@pytest.mark.long
def test_one_area_stands_beside_its_neighbours_at_the_same_price_as_its_own_run(
    small_run: workflow.Run, fit_cache: Path, dozen: xr.Dataset
) -> None:
    assert "neighbours" not in small_run.tree.children  # of two areas: the table by area holds them
    own = workflow.run(small_run.scenario, areas=[LEEDS], cache=fit_cache, statistics=dozen)
    beside = own.tree["neighbours"].to_dataset()
    near = [area for area in evidence.neighbours(None, LEEDS)["area"] if area in dozen["area"].values]
    assert near and beside["area"].values.tolist() == [LEEDS, *near][:11]
    for period in ("lifetime", "annual"):
        cost = own.tree["costs"][period].sum("component").isel(area=0)
        held = beside["cost"].sel(period=period, area=LEEDS).transpose(*cost.dims)
        np.testing.assert_allclose(held, cost, rtol=1e-3)
