"""The live answer is the command's own, at every setting that only scales and every one that does not."""

import shutil

import numpy as np
import pytest
import xarray as xr

from tests.conftest import LEEDS
from toolkit import report, scenarios, workflow
from toolkit.apps.engine import live as live_module
from toolkit.apps.engine import page_values, scaled_run
from toolkit.apps.engine.live import Live
from toolkit.measures import quantities as q
from toolkit.measures import tables
from toolkit.schema import PAYERS, SAMPLE_DIMS, InputError

pytestmark = pytest.mark.fit
UNITS = {"programme": "supporting_families", "units": [10.0, 12.0, 0.0, 4.0], "funder": "local_authority"}
LATER = {"programme": "multisystemic_therapy", "pounds": [2e5], "first_year": 2028, "funder": "central_government"}
CHANGES = {
    "evidence": {},
    "two funders": {"plan": [UNITS, LATER]},
    "adjustments": {"adjustments": {"optimism_bias": 0.41, "deadweight": 0.2, "attribution": 0.9, "drop_off": 0.1}},
    "effect": {"effect": {"take_up": 0.6, "structure": {"fade": {"none": 1.0}}}},
    "appraisal": {"horizon": 30, "discount_schedule": "green_book_2022_standard", "first_year": 2027},
    "figure": {"overrides": {"children_per_family": {"value": 2.0, "reason": "our own families"}}},
}
TIMES = {"as stated": 1.0, "more": 2.5, "cut": -0.4}


def like(ours, theirs, name="", *, rtol=1e-4, of=1e-5):
    scale = float(np.abs(np.where(np.isfinite(theirs), theirs, 0.0)).max())
    np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=of * scale, err_msg=name)


def steps_alike(ours, theirs, chance=True):
    """Years and chances that jump at break-even: one draw of 400 within rounding of it may fall on either side."""
    if chance:
        np.testing.assert_allclose(ours, theirs, rtol=0.0, atol=1.01 / 400)
    else:
        assert np.isclose(ours, theirs, rtol=1e-4, equal_nan=True).mean() > 0.99


def same_arrays(found, expected):
    """Every array that both trees hold, and what the main page makes of them."""
    for group in ("appraisal", "costs", "lives"):
        ours, theirs = (run.tree[group].to_dataset() for run in (found, expected))
        for name in set(ours) & set(theirs):
            if theirs[name].dtype.kind == "f":
                known = (
                    [name for name in ours[name].get_index("component") if not name.startswith("programme_")]
                    if "component" in ours[name].dims
                    else None
                )
                there = theirs[name] if known is None else theirs[name].sel(component=known)
                there = there.reindex({dim: ours[name][dim] for dim in ("outcome", "payer") if dim in there.dims})
                a, b = xr.broadcast(ours[name], there)
                if "paid_back" in name or "payback_year" in name:
                    steps_alike(a.values, b.values, chance="paid_back" in name)
                else:
                    like(a.values, b.values, name)
    assert report.headline_sentence(found) == report.headline_sentence(expected)


def same_page(found, expected):
    """What the main page shows, against the same made of the command's own run."""
    numbers, flat = (
        found.numbers,
        lambda array: array.transpose(..., *SAMPLE_DIMS).values.reshape(*array.shape[:-2], -1),
    )
    result, spent = q.result(expected), q.spending(expected).sum("payer")
    like(numbers.avoided, flat(q.avoided(expected).transpose("account", *SAMPLE_DIMS)), "avoided")
    like(numbers.net_payers, flat(q.position(expected)["net"].transpose("payer", *SAMPLE_DIMS)), "payers")
    cash = q.council_cash(expected).transpose("year", *SAMPLE_DIMS).isel(year=slice(0, 5))
    like(numbers.cash, flat(cash), "cash")
    yearly = (result["net_position"].sum("payer") + spent).transpose("year", *SAMPLE_DIMS).isel(year=slice(0, 31))
    like(numbers.lines.by_year, flat(yearly), "by year")
    steps_alike(numbers.back, q.paid_back(expected).transpose("account", "year").values)
    like(numbers.reached, q.children(expected)["reached"].values.ravel(), "reached")
    curve = q.curve(expected)["net"].sel(account="social").transpose("multiple", *SAMPLE_DIMS)
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
@pytest.mark.parametrize("times", TIMES.values(), ids=TIMES)
def test_a_sum_of_many_areas_is_scaled_as_the_command_prices_it(times, live, small_scenario, dozen, fit_cache):
    areas, scenario = tuple(dozen["area"].values[:3].tolist()), small_scenario.times(times)
    found, expected = (
        live.run(scenario, areas),
        workflow.run(scenario, areas=areas, cache=fit_cache, statistics=dozen),
    )
    same_arrays(found, expected)
    same_page(found, expected)


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
    adjusted = scenarios.change(small_scenario, adjustments={"deadweight": 0.5, "optimism_bias": 0.1})
    for scenario in (small_scenario.times(1.3), small_scenario.times(-0.3), adjusted):
        assert live.run(scenario, (LEEDS,)).numbers.avoided.any()


def test_scenarios_of_the_same_proportions_have_one_reference(small_scenario):
    at = scaled_run.at_reference(small_scenario)
    assert {scaled_run.at_reference(small_scenario.times(f)).hash for f in (1.05, 1 / 3, -0.7, 1e-6)} == {at.hash}
    assert [part.sums for part in at.plan] == [(1.0,) * 3, (float(f"{1 / 60:.12g}"),) * 3]
    assert scaled_run.size_of(small_scenario.times(-0.5)) == -30.0


@pytest.mark.parametrize("basis", ["pounds", "pounds_per_child", "units"])
def test_a_sum_given_in_another_basis_spends_the_same(live, small_scenario, basis):
    part = small_scenario.plan[0]
    there = live.converted(small_scenario, part, basis, (LEEDS,))
    children = float(live.here(small_scenario, (LEEDS,))["population_0_17"].sum())
    cost = float(live.resolved(small_scenario).figures.loc["cost_supporting_families", "real_value"])
    pounds = {"pounds": 60.0 * children, "pounds_per_child": 60.0, "units": 60.0 * children / cost}[basis]
    assert there.basis == basis and there.sums == pytest.approx((pounds,) * 3, rel=1e-5)
    back = live.converted(small_scenario, there, "pounds_per_child", (LEEDS,))
    assert back.sums == pytest.approx(part.sums, rel=2e-5)


def test_sums_can_be_multiplied_until_eligible_children_or_todays_spend_run_out(live, small_scenario):
    most = live.most_times(small_scenario, (LEEDS,))
    live.check_plan(small_scenario.times(most * 0.999), (LEEDS,))
    with pytest.raises(InputError, match="are eligible"):
        live.check_plan(small_scenario.times(most * 1.001), (LEEDS,))
    spend = float(live.base_year["early_help_spend"].sel(area=LEEDS))
    spend *= 105.3095 / 103.2388  # spending is published in 2025/26 prices, the plan is in those of 2026/27
    least = min(most, spend / 61.0)  # 61 pounds a child are taken away
    assert live.most_times(small_scenario.times(-1.0), (LEEDS,)) == pytest.approx(least)
    assert live.most_times(small_scenario.times(-0.5), (LEEDS,)) == pytest.approx(2 * least)


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
