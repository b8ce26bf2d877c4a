"""The live answer is the command's own, at every setting that only scales and every one that does not."""

import shutil

import numpy as np
import pytest
import xarray as xr

from tests.conftest import LEEDS
from toolkit import evidence, pathways, report, scenarios, workflow
from toolkit.apps.engine import live as live_module
from toolkit.apps.engine import page_values
from toolkit.apps.engine.live import Live
from toolkit.measures import quantities as q
from toolkit.measures import tables
from toolkit.pricing import representative_areas
from toolkit.schema import PAYERS, SAMPLE_DIMS, InputError

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


def like(ours, theirs, name="", *, rtol=1e-4, of=1e-5):
    scale = float(np.abs(np.where(np.isfinite(theirs), theirs, 0.0)).max())
    np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=of * scale, err_msg=name)


def same_arrays(found, expected):
    """Every array that both trees hold, and what the main page makes of them."""
    for group in ("appraisal", "costs", "lives"):
        ours, theirs = (run.tree[group].to_dataset() for run in (found, expected))
        for name in set(ours) & set(theirs):
            if theirs[name].dtype.kind == "f":
                known = (
                    [name for name in ours[name].get_index("component") if name != "programme"]
                    if "component" in ours[name].dims
                    else None
                )
                there = theirs[name] if known is None else theirs[name].sel(component=known)
                a, b = xr.broadcast(ours[name], there)
                like(a.values, b.values, name)
    assert report.headline_sentence(found) == report.headline_sentence(expected)


def same_page(found, expected):
    """What the main page shows, against the same made of the command's own run."""
    numbers, flat = (
        found.numbers,
        lambda array: array.transpose(..., *SAMPLE_DIMS).values.reshape(*array.shape[:-2], -1),
    )
    result, spent = q.result(expected), found.tree["appraisal"]["programme_by_year"]
    like(numbers.avoided, flat(q.avoided(expected).transpose("account", *SAMPLE_DIMS)), "avoided")
    like(numbers.net_payers, flat(q.position(expected)["net"].transpose("payer", *SAMPLE_DIMS)), "payers")
    cash = q.council_cash(expected).transpose("year", *SAMPLE_DIMS).isel(year=slice(0, 5))
    like(numbers.cash, flat(cash), "cash")
    yearly = (result["net_position"].sum("payer") + spent).transpose("year", *SAMPLE_DIMS).isel(year=slice(0, 31))
    like(numbers.lines.by_year, flat(yearly), "by year")
    like(numbers.back, q.paid_back(expected).transpose("account", "year").values, "payback")
    like(numbers.reached, q.children(expected)["reached"].values.ravel(), "reached")
    source = expected.scenario.effect.source
    curve = q.curve(expected)["net"].sel(account="social", source=source).transpose("multiple", *SAMPLE_DIMS)
    like(numbers.curve, flat(curve), "curve")
    assert page_values.read(found).sentence == report.headline_sentence(expected)
    assert found.unit.payers == [p for p in PAYERS if p in result["payer"].values]


@pytest.mark.long
@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
def test_live_numbers_are_those_of_the_command(changes, live, small_scenario, dozen, fit_cache):
    scenario = scenarios.change(small_scenario, **changes)
    expected = workflow.run(scenario, areas=[LEEDS], cache=fit_cache, statistics=dozen)
    found = live.run(scenario, (LEEDS,))
    same_arrays(found, expected)
    same_page(found, expected)


@pytest.mark.long
@pytest.mark.parametrize("changes", [CHANGES["sum"], CHANGES["cut"], CHANGES["adjustments"]], ids=["sum", "cut", "all"])
def test_areas_together_are_those_of_the_command(changes, live, small_scenario, dozen, fit_cache):
    """Thirteen areas whose reach bends at other sums, by stand-ins."""
    areas, scenario = tuple(dozen["area"].values.tolist()), scenarios.change(small_scenario, **changes)
    found = live.run(scenario, areas)
    assert found.unit.pool.shares.shape[1] < len(areas)
    expected = workflow.run(scenario, areas=areas, cache=fit_cache, statistics=dozen)
    same_arrays(found, expected)
    same_page(found, expected)


def test_england_is_held_by_few_stand_ins(statistics, small_scenario):
    """Each area's reach at sums from a pound to a thousand, against its own formula."""
    base = evidence.base_year(statistics).reset_coords(drop=True)
    few = xr.Dataset({"children_per_family": ("draw", [1.5, 2.5]), "cost_per_family": ("draw", [2e3, 1e4])})
    few = few.expand_dims(chain=1)
    held = representative_areas.pool(base, small_scenario.option)
    reach = held.reach(few, small_scenario.option)
    assert held.shares.shape[1] <= 10
    for pounds in (1.0, 22.0, 120.0, 1000.0, -40.0):
        sums = pounds * base["population_0_17"]
        own = pathways.children_reached(sums, few, base, small_scenario.option).transpose("area", ...).squeeze()
        like(held.shares @ reach.at(pounds), own.values, rtol=1e-5, of=0.0)


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
    monkeypatch.setattr("toolkit.apps.engine.live.Desk", None)
    for changes in ({"option": {"spend_per_child": 31.5}}, {"adjustments": {"deadweight": 0.5, "optimism_bias": 0.1}}):
        assert live.run(scenarios.change(small_scenario, **changes), (LEEDS,)).numbers.avoided.any()


def test_costs_in_whole_steps_and_further_covariates_are_left_to_the_command(live):
    with pytest.raises(InputError, match="cash_step"):
        live.check(scenarios.change(live.base, cash_step=50_000.0))
    with pytest.raises(InputError, match="covariates"):
        live.check(scenarios.change(live.base, covariates=["caseload"]))


@pytest.mark.long
def test_areas_priced_once_are_read_again_by_a_server_started_again(
    fit_cache, dozen, small_scenario, tmp_path, monkeypatch
):
    cache = shutil.copytree(fit_cache, tmp_path / "cache", ignore=shutil.ignore_patterns("priced", "refits"))
    areas = tuple(dozen["area"].values[:2].tolist())

    def priced(scenario=small_scenario):
        run = Live(cache, statistics=dozen, base=small_scenario).run(scenario, areas)
        return run.numbers, run.tree

    def same(found, expected):
        for name in ("avoided", "net_payers", "cash", "back", "reached", "curve"):
            np.testing.assert_array_equal(getattr(found[0], name), getattr(expected[0], name), err_msg=name)
        for group in ("appraisal", "costs", "lives"):
            xr.testing.assert_equal(found[1][group].to_dataset(), expected[1][group].to_dataset())

    first, work = priced(), live_module.added_up
    (path,) = (cache / "priced").iterdir()
    monkeypatch.setattr(live_module, "added_up", None)
    same(priced(), first)
    with pytest.raises(TypeError):  # an effect of another size is priced again
        priced(scenarios.change(small_scenario, effect={"take_up": 0.5}))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    monkeypatch.setattr(live_module, "added_up", work)
    same(priced(), first)
    monkeypatch.setattr(live_module, "added_up", None)
    same(priced(), first)
