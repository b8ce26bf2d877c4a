"""A council's own figures, priors and studies: used by the page and the command alike, and by nobody else's session."""

import shutil
import time

import numpy as np
import pytest

from tests.conftest import LEEDS
from toolkit import evidence, scenarios, workflow
from toolkit.apps.engine.live import Live, NeedsFit
from toolkit.apps.explanations.formulas import FORMULAS
from toolkit.apps.explanations.numbers import explanation
from toolkit.apps.pages.own_figures import READ
from toolkit.apps.parts import entry
from toolkit.apps.session.state import State
from toolkit.apps.shell import Site
from toolkit.measures import provenance
from toolkit.schema import InputError

pytestmark = pytest.mark.fit
WHY = {"reason": "our own ledger"}


def own(area=LEEDS, **values):
    money = {name: {"price_year": "2025/26"} for name in values if evidence.OWN[name][1].startswith("GBP")}
    return {name: {"area": area, "value": value, **WHY, **money.get(name, {})} for name, value in values.items()}


def npsv(run):
    return run.tree["appraisal"]["npsv"].sel(account="social", drop=True).transpose("chain", "draw").values


def lifetime(run):
    return run.tree["costs"]["lifetime"].sum(["area", "component"]).mean(["chain", "draw"])


@pytest.fixture(scope="module")
def published(live):
    return evidence.published(live.base_year, LEEDS)["published"].to_dict()


def test_own_figures_that_are_the_published_ones_change_nothing(live, small_scenario, published):
    before = live.run(small_scenario, (LEEDS,))
    after = live.run(scenarios.change(small_scenario, own_figures=own(**published)), (LEEDS,))
    for group in ("appraisal", "costs", "lives"):
        ours, theirs = (run.tree[group].to_dataset() for run in (before, after))
        assert set(ours) == set(theirs)
        for name in ours:
            np.testing.assert_array_equal(ours[name].values, theirs[name].values, err_msg=name)


@pytest.mark.long
def test_the_command_and_the_page_give_the_same(live, small_scenario, published, fit_cache, dozen):
    mine = own(children_in_need=1.2 * published["children_in_need"], fostering_week=800.0, early_help_spend=250.0)
    scenario = scenarios.change(small_scenario, own_figures=mine)
    found, expected = (
        live.run(scenario, (LEEDS,)),
        workflow.run(scenario, areas=[LEEDS], cache=fit_cache, statistics=dozen),
    )
    np.testing.assert_allclose(npsv(found), npsv(expected), rtol=1e-4, atol=100.0)
    assert found.assumptions.equals(expected.assumptions)
    table = provenance.assumptions(expected).frame
    assert (table["Yours", ""] == "your own figure").sum() == 3
    assert "published" in " ".join(table["Where in it", ""])
    spend = [float(run.tree["costs"]["curve_spend"].sel(multiple=1.0)) for run in (found, expected)]
    # Own spending is in prices of 2025/26, the run in those of 2026/27.
    assert spend == pytest.approx([250.0 * published["population_0_17"] * 105.3095 / 103.2388] * 2)


@pytest.mark.parametrize("name", ["residential_week", "fostering_week"])
def test_a_dearer_placement_raises_cost_by_its_share(live, small_scenario, published, name):
    base = live.run(small_scenario, (LEEDS,))
    dear = live.run(scenarios.change(small_scenario, own_figures=own(**{name: 1.5 * published[name]})), (LEEDS,))
    kind = name.removesuffix("_week")
    for component, times in ((f"care_{kind}", 1.5), ("care_other", 1.0)):
        a, b = (run.tree["costs"]["lifetime"].sel(component=component).sum() for run in (base, dear))
        assert float(b / a) == pytest.approx(times, rel=1e-5)
    assert (lifetime(dear) > lifetime(base)).all()


def test_more_children_in_need_leave_more_to_serve_and_fewer_starts_cost_less(live, small_scenario, published):
    base = live.run(small_scenario, (LEEDS,))
    more = own(children_in_need=1.5 * published["children_in_need"])
    few = own(children_in_need_starts=0.5 * published["children_in_need_starts"])
    wider = scenarios.change(small_scenario, own_figures=more, plan=[small_scenario.plan[0].model_dump()])
    usual = scenarios.change(small_scenario, plan=[small_scenario.plan[0].model_dump()])
    assert live.most_times(wider, (LEEDS,)) > live.most_times(usual, (LEEDS,))
    halved = live.run(scenarios.change(small_scenario, own_figures=few), (LEEDS,))
    kept = lifetime(halved) / lifetime(base)
    assert ((kept > 0.5) & (kept < 1.0)).all()  # fewer come into need, and as many are looked after


@pytest.mark.long
@pytest.mark.parametrize("name", evidence.OWN)
def test_an_explanation_names_the_councils_own_figures_that_move_the_number(live, small_scenario, published, name):
    base = live.run(small_scenario, (LEEDS,))
    mine = own(**{name: 1.1 * published[name]})
    mine[name]["reason"] = "our <b>ledger</b>"
    moved = live.run(scenarios.change(small_scenario, own_figures=mine), (LEEDS,))
    for key in ("npsv", "cash", "reached"):
        before, after = (float(FORMULAS[key].draws(run).mean()) for run in (base, moved))
        said = explanation(moved, key)
        named = "the council’s own</span> our &lt;b&gt;ledger" in said and evidence.OWN[name][0] in said
        assert named == (after != pytest.approx(before, rel=1e-9)), key


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        ({"referals": {"area": LEEDS, "value": 1.0, **WHY}}, "Fix: use referrals"),
        (own(referrals=-1.0), "must be above 0"),
        (own(referrals=float("inf")), "finite"),
        (own(referrals=True), "referrals"),
        ({"early_help_spend": {"area": LEEDS, "value": 200.0, **WHY}}, "price_year"),
        (own(referrals=9000.0) | own("E10000016", children_in_need=9000.0), "more than one area"),
    ],
)
def test_what_no_council_can_have_is_refused(small_scenario, figures, said):
    with pytest.raises(InputError, match=said):
        scenarios.change(small_scenario, own_figures=figures)


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        (own(referrals=1e6), "within 10 times"),
        (own(early_help_spend=2.0), "within 10 times"),
        (own(children_looked_after=6000.0), "not below children_in_need"),
        (own("E06000050", referrals=9000.0), "not in the statistics"),
    ],
)
def test_what_cannot_be_this_council_is_refused_by_page_and_command(live, small_scenario, dozen, figures, said):
    scenario = scenarios.change(small_scenario, own_figures=figures)
    with pytest.raises(InputError, match=said):
        live.check(scenario)
    with pytest.raises(InputError):
        workflow.run(scenario, areas=[LEEDS], cache=live.cache, statistics=dozen)


def test_own_figures_are_of_one_area_alone(live, small_scenario, dozen):
    scenario = scenarios.change(small_scenario, own_figures=own(referrals=9000.0))
    for areas in ([LEEDS, "E06000017"], ["E06000017"]):
        with pytest.raises(InputError, match="own_figures: they are those of"):
            workflow.run(scenario, areas=areas, cache=live.cache, statistics=dozen)


def test_they_survive_link_and_file_and_stay_behind_when_the_place_changes(live):
    state = State(live)
    state.put(own_figures=own(referrals=9000.0, fostering_week=700.0))
    other, third = State(live), State(live)
    other.read_address(state.address)
    assert (other.scenario, other.messages) == (state.scenario, [])
    third.go_to("Kent")
    third.load(state.file().encode())
    assert (third.scenario.own_figures, third.place) == (state.scenario.own_figures, "Leeds")
    third.go_to("Kent")
    assert not third.scenario.own_figures and "Leeds do not hold for Kent" in third.messages[0]
    third.undo()
    assert third.scenario.own_area == LEEDS
    other.read_address(state.address.replace("place=Leeds", "place=Kent"))
    assert not other.scenario.own_figures and len(other.messages) == 2


def test_another_session_is_unaffected_and_markup_is_text(live):
    one, two = Site(live, query="?page=Evidence"), Site(live)
    before = npsv(two.latest)
    page = one.pages["Evidence"].own
    page.paste.value = (
        "Statistic\tValue\nChildren in need at 31 March, those looked after among them\t7,000\nreferrals\t12000"
    )
    page.take.clicks += 1
    assert "Say in a few words" in page.problems.object
    page.reason.value = "our <script>alert(1)</script> ledger"
    page.take.clicks += 1
    assert one.state.scenario.own_figures["children_in_need"].value == 7000
    assert "7,000" in page.table.object and "the council’s own" in one.notes.object
    assert "<script" not in one.notes.object + one.pages["Evidence"].used.object + page.table.object
    two.state.notify()
    assert not two.state.scenario.own_figures and not two.notes.visible
    np.testing.assert_array_equal(npsv(two.latest), before)
    assert (npsv(one.latest) != before).any()
    page.clear.clicks += 1
    np.testing.assert_array_equal(npsv(one.latest), before)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Nothing"),
        ("referals\t9", "did you mean referrals?"),
        ("referrals\t9\nreferrals\t8", "given twice"),
        ("referrals\tlots\nchildren in need\t5", "not a number"),
        ("referrals;9,000", "between semicolons"),
        ("referrals,0,435", "not a number"),
        ("referrals\x00,5", "control character"),
        ("x\t1\n" * 101, "More than 100 rows"),
        ("referrals\t1\t2", "one number"),
        ("=cmd()|x", "nothing of that name"),
        ("x" * (entry.MOST_CHARACTERS + 1), "characters"),
    ],
)
def test_pasted_rubbish_is_said_row_by_row(text, said):
    assert any(said in problem for problem in entry.pairs(text, READ).problems)


@pytest.mark.parametrize(
    "text",
    [
        "referrals,9000\nfostering week,£700.50",
        'name,value\n"Referrals","9,000"\n"fostering week",£700.50\n,\n,\n',
        "referrals;9000;\nfostering_week;700.50;\n;;\n",
        "Referrals, 9,000\nfostering week: 700.5",
    ],
)
def test_two_columns_are_read_parted_by_commas_or_semicolons(text):
    assert entry.pairs(text, READ) == entry.Pasted({"referrals": 9000.0, "fostering_week": 700.5}, [])


def test_a_name_with_a_comma_is_read_between_commas():
    text = "Children in need at 31 March, those looked after among them,7,000"
    assert entry.pairs(text, READ) == entry.Pasted({"children_in_need": 7000.0}, [])


def test_two_columns_are_read_with_and_without_tabs():
    assert entry.pairs("Name\tOurs\nReferrals\t9,000\nfostering week £700.50", READ) == entry.Pasted(
        {"referrals": 9000.0, "fostering_week": 700.5},
        [],
    )


# Studies and priors ------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_a_study_left_out_or_added_is_used_as_the_command_does(live, small_scenario, fit_cache, dozen):
    site = Site(live, query="?page=Evidence")
    page = site.pages["Evidence"].studies
    before, key = npsv(site.latest), "TF2_LAC"
    page.known.value = key
    page.leave.clicks += 1
    assert site.state.scenario.left_out == (key,) and f"Left out: {key}" in page.used.object
    assert (npsv(site.latest) != before).any()
    expected = workflow.run(site.state.scenario, areas=[LEEDS], cache=fit_cache, statistics=dozen)
    np.testing.assert_allclose(npsv(site.latest), npsv(expected), rtol=1e-4, atol=100.0)
    again = State(live)
    again.read_address(site.state.address)
    assert again.scenario == site.state.scenario
    page.again.clicks += 1
    np.testing.assert_array_equal(npsv(site.latest), before)
    fill = {"name": "our trial", "estimate": "-0.7", "error": "0.05", "months": "24", "reason": "our <b>own</b> trial"}
    for name, text in fill.items():
        getattr(page, name).value = text
    page.programme.value, page.outcome.value = "supporting_families", "care"
    page.design.value, page.scale.value = "rct", "log_hazard"
    page.add.clicks += 1
    assert npsv(site.latest).mean() > before.mean() and "our_trial" in page.used.object
    assert "<b>own" not in site.notes.object and "our_trial" in site.notes.object
    assert site.state.scenario.studies["our_trial"].control_risk is None
    page.scale.value, page.name.value, page.risk.value = "log_odds", "odds", "0.05"
    page.add.clicks += 1
    assert site.state.scenario.studies["odds"].control_risk == 0.05


OURS = {
    **{"programme": "supporting_families", "outcome": "care", "design": "rct", "scale": "log_hazard"},
    **{"estimate": -0.2, "standard_error": 0.1, "follow_up_months": 24.0},
}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"left_out": ["NOBODY"]}, "not a study in use"),
        ({"studies": {"x1_trial": {**OURS, **WHY, "estimate": 30.0}}}, "must be 10 or less"),
        ({"studies": {"x1_trial": {**OURS, **WHY, "outcome": "luck"}}}, "luck"),
        ({"studies": {"x1_trial": {**OURS, **WHY, "programme": "luck"}}}, "luck"),
        ({"studies": {"a b": {**OURS, **WHY}}}, "3 to 40 letters"),
        (
            {"priors": {"outcomes.spend_witin": {"first": 0.0, "second": 0.1, **WHY}}},
            "name one, as outcomes.spend_within",
        ),
        ({"priors": {"outcomes.spend_within": {"first": 0.0, "second": -0.1, **WHY}}}, "above 0"),
        ({"priors": {"outcomes.spend_within": {"first": 0.0, **WHY}}}, "two numbers"),
        ({"priors": {"programmes.tau_type_event": {"first": 0.1, "second": 1.0, **WHY}}}, "one number"),
        ({"priors": {"outcomes.likelihood[care_starts]": {"first": 1.0, "second": 1.0, **WHY}}}, "no prior"),
    ],
)
def test_studies_and_priors_that_cannot_be_are_refused(live, small_scenario, changes, said):
    with pytest.raises(InputError, match=said):
        live.check(scenarios.change(small_scenario, **changes))


@pytest.mark.long
def test_a_changed_prior_is_weighed_in_and_said(live, fit_cache, dozen):
    site = Site(live, query="?page=Model checks")
    before = npsv(site.latest)
    page = site.pages["Model checks"].priors
    page.which.value = "outcomes.spend_within"
    assert (page.first.value, page.second.value) == ("0", "0.2")
    page.first.value, page.reason.value = "-0.1", "help is known to work"
    page.use.clicks += 1
    assert "reweighted by the ratio" in page.verdict.object and "effective draws" in page.verdict.object
    assert (npsv(site.latest) != before).any()
    expected = workflow.run(site.state.scenario, areas=[LEEDS], cache=fit_cache, statistics=dozen)
    np.testing.assert_allclose(npsv(site.latest), npsv(expected), rtol=1e-4, atol=100.0)
    assert "changed_priors_pareto_k" in set(expected.report_card["check"])
    assert any("spend_within" in str(name) for name in provenance.settings(expected).frame.index)


def test_a_prior_of_programmes_needs_no_new_fit(live, small_scenario):
    scenario = scenarios.change(small_scenario, priors={"programmes.mu_event": {"first": -0.3, "second": 0.1, **WHY}})
    assert live.fitted_for(scenario) is live.fitted
    better, usual = (
        live.drawn(one).effects["effect"].sel(programme="supporting_families", outcome="care").mean()
        for one in (scenario, small_scenario)
    )
    assert better < usual


@pytest.mark.long
def test_a_prior_too_far_offers_a_new_fit_which_can_be_cancelled(live):
    far = {"outcomes.spend_within": {"first": -0.9, "second": 0.01, **WHY}}
    with pytest.raises(NeedsFit, match="k-hat"):
        live.fitted_for(scenarios.change(live.base, priors=far))
    site, other = Site(live), Site(live)
    before = npsv(site.latest)
    site.state.put(priors=far)
    assert site.refit.view.visible and "refit the model" in site.messages.object
    np.testing.assert_array_equal(npsv(site.latest), before)
    site.refit.begin()
    fitting = site.refit.fitting
    assert fitting.running and site.refit.cancel.visible
    other.refit.begin()
    assert other.refit.fitting is None and "Another fit is running" in other.refit.status.object
    other.panel.named("Sum: times the plan").value = 1.4  # nobody waits for it
    site.refit.cancel.clicks += 1
    fitting._thread.join(120)  # it ends once it has started
    with pytest.raises(ValueError, match="closed"):
        fitting._process.is_alive()
    assert "cancelled" in site.refit.status.object and not list(live.refits.glob("*.nc"))
    site.state.undo()
    assert not site.refit.view.visible


@pytest.mark.long
def test_a_new_fit_runs_to_its_end_and_the_page_shows_it_under_its_stamp(fit_cache, dozen, small_scenario, tmp_path):
    cache = shutil.copytree(fit_cache, tmp_path / "cache", ignore=shutil.ignore_patterns("refits"))
    site = Site(Live(cache, statistics=dozen, base=small_scenario), query="?page=Model checks")
    before, old = npsv(site.latest), site.state.scenario.hash
    site.state.put(priors={"outcomes.spend_within": {"first": -0.9, "second": 0.01, **WHY}})
    assert site.latest.scenario.hash == old, "nothing new is shown before it is fitted"
    site.refit.begin()
    lines = set()
    while site.refit.fitting is not None:
        site.refit.look()
        lines.add(site.refit.status.object)
        time.sleep(0.2)
    assert any("of the draws" in said for said in lines) and not site.refit.view.visible
    assert site.latest.scenario == site.state.scenario and (npsv(site.latest) != before).any()
    page = site.pages["Model checks"]
    assert site.state.scenario.hash in page.record.object and old not in page.record.object
    assert "refitted with these priors" in page.priors.verdict.object
    fitted = site.live.fitted_for(site.state.scenario)["posterior"]["spend_within"].mean(["chain", "draw"])
    assert float((abs(fitted + 0.9) < 0.1).mean()) > 0.5  # of rates; points are on a scale of their own
    other = Site(site.live, query=site.state.address)  # who comes by link finds the same fit
    np.testing.assert_array_equal(npsv(other.latest), npsv(site.latest))
