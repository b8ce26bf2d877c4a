"""The whole chain on real data: a dozen areas, one shared fit, and every law that a run must keep."""

import dataclasses
import json
import shutil
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tests.conftest import DOZEN, LEEDS
from toolkit import evidence, fits, records, scenarios, workflow
from toolkit.resolved import resolve
from toolkit.schema import EFFECT_OUTCOMES, InputError

pytestmark = pytest.mark.fit
SAMPLES = ("chain", "draw")


def rerun(fit_cache: Path, dozen: xr.Dataset, scenario: scenarios.Scenario, areas: list[str]) -> workflow.Run:
    return workflow.run(scenario, areas=areas, cache=fit_cache, statistics=dozen)


def test_a_run_holds_every_group_and_says_what_it_is(small_run: workflow.Run) -> None:
    tree = small_run.tree
    groups = {"assumptions", "posterior", "effects", "lives", "costs", "appraisal", "checks", "studies"}
    groups |= {"life_course", "dependence"}
    assert groups <= set(tree.children)
    assert tree.attrs["scenario_hash"] == small_run.scenario.hash
    assert json.loads(tree.attrs["data_checksums"]) == evidence.checksums()
    assert tree.attrs["seed"] == small_run.scenario.seed
    assert set(json.loads(tree.attrs["versions"])) >= {"pymc", "nutpie", "cost-of-outcomes"}


def test_draws_share_the_posteriors_coordinates_and_hold_no_nan(small_run: workflow.Run) -> None:
    posterior = small_run.tree["posterior"].to_dataset()
    for group in ("assumptions/draws", "effects", "lives", "costs"):
        dataset = small_run.tree[group].to_dataset()
        for dim in SAMPLES:
            assert dataset.indexes[dim].equals(posterior.indexes[dim])
        for name, variable in dataset.data_vars.items():
            if variable.dtype.kind == "f":
                assert bool(np.isfinite(variable).all()), name


def test_money_carries_units_and_price_base(small_run: workflow.Run) -> None:
    cost = small_run.tree["costs"]["cost"]
    assert cost.attrs["units"] == "GBP" and cost.attrs["price_base"] == "2026/27"


@pytest.mark.long
def test_the_reached_cohorts_costs_add_up_over_areas(
    small_run: workflow.Run, fit_cache: Path, dozen: xr.Dataset
) -> None:
    parts = [rerun(fit_cache, dozen, small_run.scenario, [area]).tree["costs"]["cost"] for area in (LEEDS, "E06000017")]
    together = small_run.tree["costs"]["cost"]
    np.testing.assert_allclose(together, parts[0] + parts[1], rtol=1e-4, atol=1.0)


def test_benefit_by_area_is_the_present_value_of_the_yearly_costs(small_run: workflow.Run) -> None:
    costs, result = small_run.tree["costs"].to_dataset(), small_run.tree["appraisal"].to_dataset()
    by_area = costs["benefit_by_area"].sum(("area", "component"))
    total = result["npsv"].sel(account="social") + result["programme_cost"]
    np.testing.assert_allclose(by_area, total, rtol=2e-3, atol=50.0)


def test_programme_cost_is_the_sum_that_the_scenario_spends(small_run: workflow.Run, dozen: xr.Dataset) -> None:
    children = float(evidence.base_year(dozen)["population_0_17"].sel(area=[LEEDS, "E06000017"]).sum())
    expected = 61 * children * (1 + 1 / 1.035 + 1 / 1.035**2)
    np.testing.assert_allclose(small_run.tree["appraisal"]["programme_cost"], expected, rtol=1e-5)


def test_a_plan_that_nobody_takes_up_reproduces_business_as_usual_exactly(
    small_run: workflow.Run, fit_cache: Path, dozen: xr.Dataset
) -> None:
    none = scenarios.change(small_run.scenario, effect={"take_up": 0.0})
    lives = rerun(fit_cache, dozen, none, [LEEDS]).tree["lives"]["lives"]
    assert np.array_equal(lives.isel(option=0), lives.isel(option=1))


@pytest.mark.long
def test_all_that_a_plan_does_is_in_proportion_to_its_sums(
    small_run: workflow.Run, fit_cache: Path, dozen: xr.Dataset
) -> None:
    once, twice = (
        rerun(fit_cache, dozen, small_run.scenario.times(times), [LEEDS]).tree["appraisal"] for times in (0.5, 1.0)
    )
    np.testing.assert_allclose(twice["npsv"], 2 * once["npsv"], rtol=1e-4, atol=100.0)
    np.testing.assert_allclose(twice["programme_cost"], 2 * once["programme_cost"], rtol=1e-12)


@pytest.mark.long
def test_a_plan_of_two_programmes_avoids_what_they_avoid_apart(
    small_run: workflow.Run, fit_cache: Path, dozen: xr.Dataset
) -> None:
    both = rerun(fit_cache, dozen, small_run.scenario, [LEEDS])
    parts = [
        rerun(fit_cache, dozen, small_run.scenario.model_copy(update={"plan": (part,)}), [LEEDS])
        for part in small_run.scenario.plan
    ]
    apart = sum(run.tree["appraisal"]["npsv"] for run in parts)
    np.testing.assert_allclose(both.tree["appraisal"]["npsv"], apart, rtol=1e-3, atol=500.0)


@pytest.mark.long
def test_prices_grow_to_a_later_first_year_and_a_price_base_only_restates_money(
    small_run: workflow.Run, fit_cache: Path, dozen: xr.Dataset
) -> None:
    def appraisal(**changes: object) -> xr.DataTree:
        return rerun(fit_cache, dozen, scenarios.change(small_run.scenario, **changes), [LEEDS]).tree["appraisal"]

    now, later = appraisal(first_year=2025), appraisal(first_year=2030)
    avoided = [float((one["npsv"] + one["programme_cost"]).sel(account="fiscal").mean()) for one in (now, later)]
    assert 1.0 < avoided[1] / avoided[0] < 1.3  # real growth of prices that fades
    # A sum in older prices buys more children, each of whom avoids as much less: the ratio stays.
    older, base = appraisal(price_base="2020/21"), appraisal()
    ratio = (older["npsv"] + older["programme_cost"]).mean() / (base["npsv"] + base["programme_cost"]).mean()
    assert float(ratio) == pytest.approx(1.0, rel=0.005)
    assert older["npsv"].attrs["price_base"] == "2020/21"


@pytest.mark.long
def test_a_cut_is_the_mirror_of_the_same_sum_spent(small_run: workflow.Run, fit_cache: Path, dozen: xr.Dataset) -> None:
    spent = rerun(fit_cache, dozen, small_run.scenario, [LEEDS]).tree["appraisal"].to_dataset()
    taken = rerun(fit_cache, dozen, small_run.scenario.times(-1.0), [LEEDS]).tree["appraisal"].to_dataset()
    np.testing.assert_allclose(taken["npsv"], -spent["npsv"], rtol=1e-3, atol=100.0)
    assert float(taken["programme_cost"].mean()) < 0


@pytest.mark.long
def test_prices_scale_their_own_components_and_no_other(
    small_run: workflow.Run, fit_cache: Path, dozen: xr.Dataset
) -> None:
    row = small_run.assumptions.loc["price_first_time_entrant"]
    double = {"value": 2 * float(row["value"]), "price_year": row["price_year"], "reason": "twice the price"}
    own = scenarios.change(small_run.scenario, overrides={"price_first_time_entrant": double})
    before = rerun(fit_cache, dozen, small_run.scenario, [LEEDS]).tree["costs"]["lifetime"]
    after = rerun(fit_cache, dozen, own, [LEEDS]).tree["costs"]["lifetime"]
    ratio = (after / before).where(before > 0)
    assert float(ratio.sel(component="justice_system").mean()) == pytest.approx(2.0, rel=1e-4)
    assert float(ratio.sel(component="care_residential").mean()) == pytest.approx(1.0)


def test_gross_is_never_below_excess_in_expectation(small_run: workflow.Run) -> None:
    lifetime = small_run.tree["costs"]["lifetime"].sum("component").mean(SAMPLES)
    assert bool((lifetime.sel(reading="gross") > lifetime.sel(reading="excess")).all())


def test_lifetime_flows_agree_with_published_shares_not_fitted_to(small_run: workflow.Run) -> None:
    """LIFE_CIN_CLA (15.8%, 'treat as +/- 25%') and EVERSW_CARE (13%): ever in care given ever in need.

    A check on the chain, not on a national estimate: children newly in need, over two areas, must lie near them.
    """
    children = small_run.tree["life_course"]["children"].mean(SAMPLES)
    assert 0.08 < float(children.sel(history="looked after by 18") / children.sum()) < 0.25


@pytest.mark.long
def test_partly_cashable_costs_may_move_in_whole_steps(
    fit_cache: Path, dozen: xr.Dataset, small_scenario: scenarios.Scenario
) -> None:
    """Steps too large to fill free no cash and bind a whole step where cost is added; all else stays as it is."""
    by_share, by_step = (
        rerun(fit_cache, dozen, scenarios.change(small_scenario, cash_step=step), [LEEDS]).tree["appraisal"]
        for step in (0.0, 1e9)
    )
    xr.testing.assert_equal(by_share["npsv"], by_step["npsv"])
    cash = by_step["cashable_net_position"].sel(payer="schools")  # whose exclusions are partly cashable
    assert set(np.unique(cash.round())) <= {-1e9, 0.0}
    assert float(abs(by_share["cashable_net_position"].sel(payer="schools")).max()) > 0.0


def test_a_fit_is_reused_while_its_inputs_are_unchanged(
    fit_cache: Path, dozen: xr.Dataset, small_scenario: scenarios.Scenario, register: evidence.Register
) -> None:
    kept = sorted(fit_cache.glob("outcomes-*.nc"))
    stamp = kept[0].stat().st_mtime_ns
    workflow.fit(dozen, small_scenario, register, cache=fit_cache)
    assert kept[0].stat().st_mtime_ns == stamp
    key = fits._key(dozen, register.tables["priors"], 1, 200, 2)
    moved = dozen.copy(deep=True)
    moved["early_help_spend"][0, -1] += 1.0
    assert fits._key(moved, register.tables["priors"], 1, 200, 2) != key


def test_a_damaged_fit_is_named_and_fitted_again(
    fit_cache: Path,
    dozen: xr.Dataset,
    small_scenario: scenarios.Scenario,
    register: evidence.Register,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = workflow.fit_path(dozen, resolve(small_scenario, register, dozen), cache=tmp_path)
    shutil.copy(fit_cache / path.name, path)
    assert workflow.fit(dozen, small_scenario, register, cache=tmp_path).children
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    class Fitted(Exception):
        """A fit was begun."""

    def outcomes(*_: object, **__: object) -> None:
        raise Fitted

    monkeypatch.setattr("toolkit.models.outcomes", outcomes)
    monkeypatch.setattr(fits, "compile_beside", nullcontext)
    with pytest.raises(Fitted):
        workflow.fit(dozen, small_scenario, register, cache=tmp_path)
    assert len(caplog.messages) == 1 and path.name in caplog.messages[0] and "damaged" in caplog.messages[0]


def test_a_run_says_when_by_whom_and_of_what_it_was_made(small_run: workflow.Run) -> None:
    attrs = small_run.tree.attrs
    assert attrs["changed_data"] == "[]" and not small_run.assumptions["overridden"].any()
    assert attrs["run_by"] == evidence.user() and str(attrs["run_at"]).endswith("+00:00")
    hashes = {str(attrs[f"{name}_hash"]) for name in ("run", "figures", "register", "statistics", "fit", "code")}
    assert len(hashes) == 6 and {len(one) for one in hashes} == {16}


@pytest.mark.long
def test_a_register_with_another_price_is_another_run(
    small_run: workflow.Run, fit_cache: Path, dozen: xr.Dataset, register: evidence.Register
) -> None:
    figures = register.figures.copy()
    key = small_run.assumptions.loc["price_first_time_entrant", "id"]
    figures.loc[key, "value"] *= 1.5
    mine = dataclasses.replace(register, figures=figures)
    areas = json.loads(str(small_run.tree.attrs["areas"]))
    run = workflow.run(small_run.scenario, areas=areas, cache=fit_cache, statistics=dozen, register=mine)
    assert run.tree.attrs["run_hash"] != small_run.tree.attrs["run_hash"]
    assert run.assumptions.index[run.assumptions["overridden"]].tolist() == ["price_first_time_entrant"]
    again = workflow.run(small_run.scenario, areas=areas, cache=fit_cache, statistics=dozen, register=register)
    assert again.tree.attrs["run_hash"] == small_run.tree.attrs["run_hash"]


def test_unknown_areas_are_refused_before_anything_is_fitted(dozen: xr.Dataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="E99999999"):
        workflow.run(scenarios.load("families_first"), areas=["E99999999"], cache=tmp_path, statistics=dozen)
    assert not list(tmp_path.iterdir())


def test_a_saved_run_reads_back_the_same(small_run: workflow.Run, tmp_path: Path) -> None:
    path = tmp_path / "run.nc"
    records.write_netcdf(small_run.tree, path)
    back = records.open_netcdf(path)
    assert back.attrs["scenario_hash"] == small_run.tree.attrs["scenario_hash"]
    np.testing.assert_allclose(back["costs"]["cost"], small_run.tree["costs"]["cost"], rtol=1e-6)
    assert [path.name] == [kept.name for kept in tmp_path.iterdir()]


def test_a_failed_write_leaves_the_previous_file(small_run: workflow.Run, tmp_path: Path) -> None:
    path = tmp_path / "run.nc"
    path.write_text("the previous run")
    broken = small_run.tree.copy()
    broken.attrs["cannot be saved"] = object()
    with pytest.raises(TypeError):
        records.write_netcdf(broken, path)
    assert path.read_text() == "the previous run"
    assert [path.name] == [kept.name for kept in tmp_path.iterdir()]


def test_failed_checks_mark_the_run(small_run: workflow.Run) -> None:
    card = small_run.report_card.assign(passed=False)
    assert not dataclasses.replace(small_run, report_card=card).passed


def test_the_dozen_covers_every_region_and_kind_of_cell(dozen: xr.Dataset, statistics: xr.Dataset) -> None:
    assert set(dozen["region"].values) == set(statistics["region"].values)
    hidden = dozen["observed"] & (dozen["events_lower"] < dozen["events_upper"])
    assert int(hidden.sum()) > 10
    assert not bool(dozen["fitted"].all())
    assert sorted(DOZEN) == sorted(dozen["area"].values)


def test_a_run_keeps_its_effects_their_evidence_and_the_studies(small_run: workflow.Run) -> None:
    effects, studies = small_run.tree["effects"].to_dataset(), small_run.tree["studies"].to_dataset()
    assert effects["programme"].values.tolist() == ["supporting_families", "family_group_conference"]
    assert effects["outcome"].values.tolist() == list(EFFECT_OUTCOMES)
    counted = effects["not_counted"] == ""
    assert bool(counted.sel(outcome="care").all()) and not bool(counted.all())
    assert not effects["effect"].where(~counted, 0.0).any() and effects["effect"].where(counted, 1.0).all()
    assert {"TF2_LAC", "FGC_LAC_HAZ"} <= set(studies["study"].values.tolist())


def test_covariates_reach_the_outcome_model_and_its_cache_and_are_off_by_default(
    dozen: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register, plain = evidence.load_register(), scenarios.load("families_first")
    asked = scenarios.change(plain, covariates=["caseload", "ofsted_judgement"])
    assert plain.covariates == () and plain.hash != asked.hash
    paths = {workflow.fit_path(dozen, resolve(one, register, dozen), cache=tmp_path) for one in (plain, asked)}
    assert len(paths) == 2

    class Asked(Exception):
        """What the model was asked for."""

    def outcomes(statistics: xr.Dataset, **given: object) -> None:
        raise Asked(given["covariates"])

    monkeypatch.setattr("toolkit.models.outcomes", outcomes)
    monkeypatch.setattr(fits, "compile_beside", nullcontext)  # nothing is fitted
    with pytest.raises(Asked, match=r"caseload.*ofsted_judgement"):
        workflow.fit(dozen, asked, register, cache=tmp_path)


def test_areas_without_a_covariate_are_named() -> None:
    statistics = evidence.load_statistics()
    assert records._without("caseload", statistics) == ["Kingston upon Thames", "Richmond upon Thames"]
    assert records._without("ofsted_judgement", statistics) == []


def test_a_prior_of_another_model_asks_for_no_new_fit(dozen: xr.Dataset, tmp_path: Path) -> None:
    register, scenario = evidence.load_register(), scenarios.load("families_first")
    here = workflow.fit_path(dozen, resolve(scenario, register, dozen), cache=tmp_path)
    for model, same in (("programmes", True), ("outcomes", False)):
        priors = register.tables["priors"].copy()
        priors.loc[priors["model"] == model, "arg2"] += 1.0
        other = dataclasses.replace(register, tables={**register.tables, "priors": priors})
        assert (workflow.fit_path(dozen, resolve(scenario, other, dozen), cache=tmp_path) == here) is same
