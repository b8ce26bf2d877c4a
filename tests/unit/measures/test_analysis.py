"""The decision pages of a run, against what their definitions give on a run in miniature."""

import dataclasses

import numpy as np
import pytest
import xarray as xr

from toolkit import appraisal
from toolkit.measures import analysis, budget, decision_tables, possible_studies, value_of_information
from toolkit.measures import quantities as q
from toolkit.report import decision_figures
from toolkit.report.drawing import svg
from toolkit.report.html import shown

SAMPLES = ("chain", "draw")


@pytest.fixture(scope="module")
def results(run):
    with pytest.MonkeyPatch.context() as patch:  # the run in miniature compares no programmes, which give the risk
        patch.setattr(possible_studies, "_usual", lambda *_: {"care": 0.02, "repeat_referrals": 0.3})
        return analysis.analyse(run)


@pytest.fixture(scope="module")
def tables(run, results):
    return decision_tables.decision_tables(run, results)


def test_the_budget_view_is_the_councils_cash_raised_by_the_deflator(run, results, register, make_run):
    real = q.council_cash(run).isel(year=slice(0, 5)).drop_vars("year")
    # The run in miniature was appraised with a cashable share of a half throughout.
    shares = {"partly_cashable": 0.5}
    view = appraisal.medium_term_view(
        q.costs(run)["cost"], deflators=register.deflators, first_year=2025, cashable_shares=shares
    )
    level = [register.deflators[f"{2025 + n}/{26 + n}"] / register.deflators["2025/26"] for n in range(5)]
    rise = xr.DataArray(level, dims="year")
    np.testing.assert_allclose(view.sel(line="net").transpose(*real.dims), real * rise, rtol=1e-6, atol=1.0)
    assert "programme" not in results.medium_term["line"].values  # a grant pays for it
    own = make_run(funders=("local_authority",))
    paid = budget.medium_term_by_component(own).sel(line="programme").isel(year=1)
    assert paid.values == pytest.approx(-4e6 * level[1])


def test_each_draw_of_the_cashable_share_meets_its_own_draw(run, results):
    share = q.drawn(run)["cashable_share_partly"]
    saved = q.saved(run).sel(component="repeat_need").isel(year=0)
    line = results.medium_term.sel(line="repeat_need").isel(year=0)
    np.testing.assert_allclose(line.transpose(*SAMPLES), (saved * share).transpose(*SAMPLES), rtol=1e-6)


def test_the_curves_cross_where_cost_is_met(run, results):
    cost, avoided = q.result(run)["programme_cost"], q.avoided(run)
    even = results.curves["break_even"]
    np.testing.assert_allclose(even, float(cost.mean()) / avoided.mean(SAMPLES))
    at_one = results.curves.sel(threshold=1.0)
    npsv = q.result(run)["npsv"]
    np.testing.assert_allclose(at_one["chance"], (npsv > 0).mean(SAMPLES))
    # What choosing now loses: the mean of what is left on the table.
    lost = npsv.clip(min=0).mean(SAMPLES) - npsv.mean(SAMPLES).clip(min=0)
    np.testing.assert_allclose(at_one["evpi"], lost, rtol=1e-6, atol=1e-3)


def test_other_conventions_change_what_they_say(run):
    results = analysis.otherwise(run)
    benefit, cost = q.avoided(run), q.result(run)["programme_cost"]
    own = results["As it stands"]
    np.testing.assert_allclose(own.transpose(*q.result(run)["npsv"].dims), q.result(run)["npsv"], rtol=1e-6)
    by = {name.split(":")[0].split(",")[0]: value for name, value in results.items()}
    np.testing.assert_allclose(by["Programme 41% more expensive"], benefit - 1.41 * cost)
    np.testing.assert_allclose(by["A tenth less is due to the programme"], 0.9 * benefit - cost)
    np.testing.assert_allclose(by["No effect at all"].sel(account="social"), -cost)
    np.testing.assert_allclose(by["Half of the effects used"], 0.5 * benefit - cost)
    # Half a year's discounting at 3.5 per cent, which the harm to victims meets at the health rate.
    fiscal = by["Money moves in mid-year"].sel(account="fiscal").mean() / own.sel(account="fiscal").mean()
    assert float(fiscal) == pytest.approx(1.035**-0.5, rel=1e-3)
    lower = by["Health discounted like everything else"] - own
    size = abs(lower).max(SAMPLES)
    assert float(size.sel(account=["fiscal", "economic"]).max()) < 0.01 < float(size.sel(account="social"))
    weighed = next(
        value for name, value in results.items() if name.startswith("Gains of the young people weighted 1.45")
    )
    gains = q.position(run)["net"].sel(payer="individuals")
    np.testing.assert_allclose(
        (weighed - own).sel(account="social"), (0.75**-1.3 - 1) * gains.transpose(*SAMPLES), rtol=1e-5, atol=1.0
    )


def test_further_measures_are_what_they_are_called(run):
    results = analysis.measures(run)
    factors = appraisal.discount_factors(run.scenario.discount_schedule, range(run.scenario.horizon))
    npsv, cost = q.result(run)["npsv"].sel(account="social"), q.result(run)["programme_cost"]
    yearly = results["Net present value as an equal sum every year, social account"][0]
    np.testing.assert_allclose(yearly * float(factors.sum()), npsv)
    child = q.children(run)["reached"]
    np.testing.assert_allclose(results["Cost of the plan, each child served"][0] * child, cost)
    np.testing.assert_allclose(results["Net present social value, each child served"][0] * child, npsv)
    value = q.position(run)["avoided"]
    gains = value.sel(payer=["individuals", "victims"]).sum("payer")
    net = cost - (value.sum("payer") - gains)
    ratio = next(v for name, (v, _) in results.items() if name.startswith("Marginal value"))
    assert float(ratio.mean()) == pytest.approx(float(gains.mean() / net.mean()))
    rate, kind = results["Internal rate of return of the expected flows, social account"]
    flows = q.by_account(q.saved(run).mean(SAMPLES, keep_attrs=True)).sel(account="social")
    assert kind == "rate"
    assert float((flows / (1 + rate) ** flows["year"]).sum()) == pytest.approx(0.0, abs=1.0)


def test_the_purse_that_gains_has_an_infinite_value(make_run):
    words, kind = next(v for n, v in analysis.measures(make_run(effect=0.9)).items() if n.startswith("Marginal value"))
    assert kind == "text" and words.startswith("infinite")


def test_running_totals_end_at_the_net_position(run):
    end = analysis.running_position(run).isel(year=-1)
    np.testing.assert_allclose(end, q.position(run)["net"], rtol=1e-6, atol=1e-3)


def test_the_bridge_stands_in_the_table_with_a_dash_for_what_rests(make_run):
    half = make_run(changes={"effect": {"take_up": 0.5}})
    frame = decision_tables.bridge(half, q.bridge(half)).frame
    social = frame["Social account", "expected"]
    worth = float(q.avoided(half).sel(account="social").mean())
    assert social["Take up"] == pytest.approx(-worth)  # half of it is lost
    assert social["Adjusted"] == pytest.approx(social["Unadjusted"] + social["Take up"])
    assert np.isnan(social["Deadweight"]) and frame["Set at", ""]["Take up"] == "0.5"


def test_studies_are_worth_no_more_than_what_they_measure(results):
    studies = results.studies
    assert (studies["evsi"] <= studies["evppi"]).all() and (studies["evppi"] <= studies["evpi"]).all()
    names = studies["study"].values.tolist()
    assert "1,000 children" in names[0] and "5,000 children" in names[1] and "200 files" in names[2]


def test_sentences_answer_in_order(run, results, make_run):
    sentences = analysis.sentences(run, results)
    assert "worth more to society" in sentences[0] and "the public purse" in sentences[1] and "pay" in sentences[2]
    assert any("breaks even for society if a pound of avoided cost counts as £" in one for one in sentences)
    studies = results.studies.assign(
        evsi=results.studies["evsi"] * 0 + 1e6, noise_floor=results.studies["noise_floor"] * 0
    )
    for error, words in ((1e3, "the one worth most is a trial of "), (9e5, "None of the studies")):
        known = dataclasses.replace(results.inputs, information=results.inputs.information.assign(evpi=2e6))
        noisy = studies.assign(standard_error=studies["standard_error"] * 0 + error)
        lines = analysis.sentences(run, dataclasses.replace(results, inputs=known, studies=noisy))
        assert words in lines[-1]
    cut = make_run(cut=True)
    lines = " ".join(analysis.sentences(cut, analysis.analyse(cut)))
    assert "The cut is better for society only while" in lines and "pay back" not in lines


def test_without_an_effect_nothing_is_worth_finding_out(make_run):
    none = make_run(effect=0.0)
    none.tree["appraisal"] = q.result(none).assign(npsv=q.result(none)["npsv"] * 0 - 1e6)
    results = analysis.analyse(none)
    assert results.inputs.sobol is None and "sobol" not in decision_tables.decision_tables(none, results)
    assert not results.studies["evsi"].values.any()


def test_new_figures_show_their_numbers(results):
    lines = decision_figures.plot_worth_of_a_pound(results.curves).axes[0].lines
    np.testing.assert_array_equal(lines[0].get_ydata(), results.curves["chance"].sel(account="fiscal"))
    parameters = xr.Dataset(
        {name: ("sample", np.random.default_rng(k).normal(size=500)) for k, name in enumerate("xy")}
    )
    sobol = appraisal.sobol(parameters["x"] + 2 * parameters["y"], parameters)
    order = np.argsort(sobol["total"].values, kind="stable")
    bars = decision_figures.plot_sobol(sobol).axes[0].patches
    np.testing.assert_allclose([bar.get_width() for bar in bars], np.r_[sobol["first"][order], sobol["total"][order]])


def test_too_little_explained_is_said_in_place_of_shares(run, results):
    generator = np.random.default_rng(1)
    gain, other = (xr.DataArray(generator.normal(size=(2, 500)), dims=SAMPLES) for _ in range(2))
    shares, why = value_of_information._shares(gain, xr.Dataset({"other": other}))
    assert shares is None and "Sobol indices) are not given: a regression explains" in why
    unexplained = dataclasses.replace(results, inputs=dataclasses.replace(results.inputs, sobol=None, unexplained=why))
    tables = decision_tables.decision_tables(run, unexplained)
    assert "sobol" not in tables and why in tables["moves"].note


def test_two_ways_and_a_portfolio_are_drawn():
    generator = np.random.default_rng(2)
    parameters = xr.Dataset({name: ("sample", generator.normal(size=500)) for name in "xy"})
    money = {"units": "GBP", "price_base": "2025/26"}
    answer = (1e6 * parameters["x"] + 2e6 * parameters["y"]).assign_attrs(money)
    surface = appraisal.two_way(answer, parameters, of=("x", "y"), points=5)
    drawn = decision_figures.plot_two_way(surface, title="Net present social value", names={"x": "the effect on care"})
    assert drawn.axes[0].get_xlabel() == "Effect on care" and drawn.axes[0].get_ylabel() == "y"
    assert "£" in svg(drawn)
    names = {"programme": ["help", "hope", "nothing"]}
    cost = xr.DataArray([2e6, 1e6, 5e6], dims="programme", coords=names)
    gain = xr.DataArray([[3e6, 2e6, 0.0]], dims=("sample", "programme"), coords=names).assign_attrs(money)
    plan = appraisal.allocate(3.5e6, gain, cost, explain=False)
    axes = decision_figures.plot_portfolio(plan).axes[0]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["Hope", "Help"]
    assert sorted(bar.get_width() for bar in axes.patches) == [1e6, 2e6, 2e6, 3e6]


def test_what_chance_could_do_is_left_out_of_the_bars_and_said(run, results):
    tornado = results.inputs.tornado
    table = decision_tables.moves(run, results)
    distinct = int((tornado["swing"] > tornado["noise_floor"]).sum())
    assert len(table.frame) == min(distinct, 15)
    assert f"Left out: {tornado.sizes['parameter'] - distinct} of {tornado.sizes['parameter']} inputs" in table.note
    nothing = dataclasses.replace(
        results, inputs=dataclasses.replace(results.inputs, tornado=tornado.assign(swing=0.0 * tornado["swing"]))
    )
    empty = decision_tables.moves(run, nothing)
    assert not len(empty.frame) and not shown(empty, level=0.9).rows
    drawn = decision_figures.plot_tornado(nothing.inputs.tornado, title="Net value", names=results.inputs.names)
    assert not drawn.axes[0].get_yticklabels()
