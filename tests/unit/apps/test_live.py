"""The live answer is the command's own, at every setting that only scales and every one that does not."""

import numpy as np
import pytest
import xarray as xr

from tests.conftest import LEEDS
from toolkit import report, scenarios, workflow
from toolkit.report import tables
from toolkit.schema import InputError

pytestmark = pytest.mark.fit
CHANGES = {
    "evidence": {},
    "sum": {"option": {"spend_per_child": 55.0}},
    "cut": {"option": {"cut": True, "spend_per_child": 9.0}},
    "adjustments": {"adjustments": {"optimism_bias": 0.41, "deadweight": 0.2, "attribution": 0.9, "drop_off": 0.1}},
    "effect": {"effect": {"replication": 1.0, "source": "trials", "take_up": 0.6, "fades": False}},
    "appraisal": {"horizon": 30, "discount_schedule": "green_book_2022_standard", "option": {"years": 2}},
    "group": {"option": {"group": "care_edge"}, "effect": {"family_group_conferencing": True}},
    "figure": {"overrides": {"children_per_family": {"value": 2.0, "reason": "our own families"}}},
}


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
def test_live_numbers_are_those_of_the_command(changes, live, small_scenario, dozen, fit_cache):
    scenario = scenarios.change(small_scenario, **changes)
    expected = workflow.run(scenario, areas=[LEEDS], cache=fit_cache, statistics=dozen)
    found = live.run(scenario, (LEEDS,))
    ours, theirs = (run.tree["appraisal"].to_dataset() for run in (found, expected))
    for name in set(ours) & set(theirs):
        if theirs[name].dtype.kind != "f":
            continue
        a, b = xr.broadcast(ours[name], theirs[name])
        scale = float(np.abs(b.where(np.isfinite(b), 0)).max())
        np.testing.assert_allclose(a.values, b.values, rtol=1e-4, atol=1e-5 * scale, err_msg=name)
    assert report.headline_sentence(found) == report.headline_sentence(expected)


def test_areas_together_are_those_of_the_command(live, small_run, small_scenario):
    areas = (LEEDS, "E06000017")
    found = live.run(small_scenario, areas)
    a, b = (tables.who_pays(run).frame.to_numpy(float) for run in (found, small_run))
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1.0)


def test_tables_of_the_report_read_a_live_run(live, small_scenario):
    run = live.run(small_scenario, (LEEDS,))
    made = [
        tables.payback,
        tables.council_cash,
        tables.spend_cost_curve,
        tables.marginal,
        tables.switching,
        tables.effects,
    ]
    assert all(len(make(run).frame) for make in made)


def test_a_scenario_that_another_fit_would_need_is_refused(live, small_scenario):
    with pytest.raises(InputError, match="seed"):
        live.check(scenarios.change(small_scenario, seed=1))


def test_a_sum_alone_needs_no_new_walk(live, small_scenario, monkeypatch):
    live.run(small_scenario, (LEEDS,))
    monkeypatch.setattr("toolkit.apps.live.price", None)
    live.run(scenarios.change(small_scenario, option={"spend_per_child": 31.5}), (LEEDS,))


def test_costs_in_whole_steps_are_left_to_the_command(live):
    with pytest.raises(InputError, match="cash_step"):
        live.check(scenarios.change(live.base, cash_step=50_000.0))
