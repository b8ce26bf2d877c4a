"""The sums behind the outputs, against sums done another way and by hand."""

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from toolkit import appraisal
from toolkit.measures import quantities as q
from toolkit.schema import FUNDERS, SAMPLE_DIMS


def test_outcomes_and_payers_each_add_up_to_the_whole(run):
    whole = q.lifetime(run).sum("component")
    for dim in ("outcome", "payer"):
        xr.testing.assert_allclose(q.by(q.lifetime(run), dim).sum(dim), whole)


def test_accounts_are_cumulative(run):
    accounts = q.by_account(q.annual(run).sel(reading="gross"))
    totals = [float(accounts.sel(account=a).mean()) for a in ("fiscal", "economic", "social")]
    assert totals == sorted(totals)
    np.testing.assert_allclose(totals[2], float(q.annual(run).sel(reading="gross").sum("component").mean()))


def test_positions_of_all_payers_add_up_to_the_net_present_social_value(run):
    total = q.position(run)["net"].sum("payer")
    np.testing.assert_allclose(total, q.result(run)["npsv"].sel(account="social").transpose(*total.dims))


@pytest.mark.parametrize("funder", FUNDERS)
def test_only_its_funder_pays_for_the_programme(make_run, funder):
    paid = q.position(make_run(funders=(funder,)))["programme"]
    assert float(abs(paid.drop_sel(payer=funder)).max()) == 0
    # 4 million a year for three years at 3.5 per cent, the Green Book's factor of year 0 being 1
    np.testing.assert_allclose(paid.sel(payer=funder), 4e6 * (1 + 1 / 1.035 + 1 / 1.035**2))


def test_a_grant_moves_who_pays_and_nothing_else(make_run):
    """The totals, and what the council can release in cash, are the same; its budget no longer bears the programme."""
    own, grant = (make_run(funders=(funder,)) for funder in FUNDERS)
    for name in ("npsv", "programme_cost", "bcr", "probability_paid_back", "payback_year"):
        xr.testing.assert_allclose(q.result(own)[name], q.result(grant)[name], rtol=1e-12)  # summed in another order
    xr.testing.assert_allclose(q.avoided(own), q.avoided(grant), rtol=1e-12)
    np.testing.assert_allclose(q.cash_released(own), q.cash_released(grant), rtol=1e-9)
    paid, spared = q.position(own), q.position(grant)
    moved = spared["net"].sel(payer="local_authority") - paid["net"].sel(payer="local_authority")
    np.testing.assert_allclose(moved, q.result(own)["programme_cost"])
    np.testing.assert_allclose(spared["net"].sel(payer="central_government"), -q.result(own)["programme_cost"])
    assert "central_government" not in paid["payer"].values
    budget = q.council_cash(grant) - q.council_cash(own)
    np.testing.assert_allclose(budget.isel(year=slice(0, 4)).mean(("chain", "draw")), [4e6, 4e6, 4e6, 0], atol=1e-6)
    np.testing.assert_allclose(q.curve(own)["payer_part"].sum("payer"), q.curve(grant)["payer_part"].sum("payer"))
    more = q.curve(grant)["payer_part"].sel(payer="central_government", multiple=2.0)
    np.testing.assert_allclose(more, float(q.curve(grant)["spend"].sel(multiple=1.0)))


def test_a_council_that_pays_nothing_and_saves_nothing_still_has_a_budget(make_run):
    run = make_run(effect=0.0)
    cost = q.costs(run)["cost"]
    apart = cost.isel(component=np.flatnonzero(cost["payer"].values != "local_authority")).assign_attrs(cost.attrs)
    view = appraisal.medium_term_view(
        apart,
        deflators=pd.Series(json.loads(run.tree.attrs["deflators"])),
        first_year=2025,
        cashable_shares={"partly_cashable": 0.5},
    )
    assert view["line"].values.tolist() == ["net", "cumulative"] and float(abs(view).max()) == 0


def test_cash_released_is_the_cashable_part_of_what_the_council_avoids(run):
    """Of the council's components care is cashable in full, the two of referrals by half, each after its lag."""
    cost = run.tree["costs"]["cost"]
    saved = cost.sel(option="business_as_usual", drop=True) - cost.sel(option="investment", drop=True)
    expected = 0.0
    for name, share in {"rereferral_handling": 0.5, "repeat_need": 0.5, "care_other": 1.0}.items():
        lag = int(saved["lag_years"].sel(component=name))
        factors = appraisal.discount_factors("green_book_2026_standard", np.arange(70)[lag:])
        flows = saved.sel(component=name).isel(year=slice(70 - lag)).transpose("year", "chain", "draw").values
        expected = expected + share * (flows * factors.values[:, None, None]).sum(0)
    np.testing.assert_allclose(q.cash_released(run).transpose("chain", "draw"), expected, rtol=1e-6)


def test_a_cut_is_ahead_in_its_first_year_though_it_never_pays_back(make_run):
    cut = make_run(cut=True, effect=0.3)
    ahead = q.paid_back(cut).sel(account="social")
    assert float(ahead.sel(year=0)) == 1.0
    assert float(ahead.isel(year=-1)) < 0.5  # a strong effect lost costs more than was saved


def test_harm_is_the_chance_that_cost_rises_whether_help_is_bought_or_cut(make_run):
    bought, cut = make_run(effect=0.01), make_run(effect=0.01, cut=True)
    total = q.result(bought)["benefit"].sel(account="social").sum(["outcome", "payer"])
    assert q.harm(bought) == pytest.approx(float((total < 0).mean()))
    assert 0.1 < q.harm(bought) < 0.9
    assert q.harm(cut) == pytest.approx(q.harm(bought))


def test_the_curve_goes_through_today(run):
    found = q.curve(run)
    today = found.sel(multiple=1.0)
    np.testing.assert_allclose(today["change"], 0, atol=1e-6)
    excess = q.by_account(q.lifetime(run).sel(reading="excess")) + float(found["spend"].sel(multiple=1.0))
    expected = today["net"]
    np.testing.assert_allclose(expected, excess.transpose(*expected.dims), rtol=1e-6)


def test_payers_parts_of_the_curve_add_up_to_its_social_account(run):
    found = q.curve(run)
    parts = found["payer_part"].sum("payer")
    whole = found["net"].sel(account="social")
    np.testing.assert_allclose(parts, whole.transpose(*parts.dims), rtol=1e-6)


def test_every_further_pound_avoids_the_same_and_they_add_up_to_the_whole_change(run):
    found, curve = q.marginal(run), q.curve(run)
    pounds = float(curve["spend"][-1] - curve["spend"][0])
    gain = pounds - (curve["change"].isel(multiple=-1) - curve["change"].isel(multiple=0))
    np.testing.assert_allclose(pounds * found["avoided"], gain.transpose(*found["avoided"].dims))
    # Eight components of a tenth of a pound each, of which five are the public purse's.
    assert float(found["avoided"].sel(account="social").mean()) == pytest.approx(0.8, abs=0.05)
    assert float(found["chance"].sel(account="social")) == pytest.approx(
        float((found["avoided"].sel(account="social") > 1).mean())
    )


def test_scaling_the_effects_to_their_switching_value_leaves_nothing(run):
    found = q.switching(run)
    benefit = q.avoided(run).mean(SAMPLE_DIMS).to_series()
    cost = float(q.result(run)["programme_cost"].mean())
    np.testing.assert_allclose(found["multiple"] * benefit - cost, 0, atol=1e-3)
    for share in (0.0, 0.5, 0.75, 1.0):
        np.testing.assert_allclose(found[share], share * benefit - cost)
    np.testing.assert_allclose(found[1.0], q.result(run)["npsv"].mean(SAMPLE_DIMS).to_series())


def test_nothing_breaks_even_where_nothing_is_avoided(make_run):
    assert q.switching(make_run(effect=-0.05))["multiple"].isna().all()


def test_effects_are_read_in_natural_units(run):
    drawn, found = run.tree["effects"].to_dataset(), q.effects(run)
    ratio = np.exp(drawn["effect"].sel(outcome="care"))
    np.testing.assert_allclose(found["effect"].sel(outcome="care"), ratio - 1)
    same = found["effect"].sel(outcome="gcse_attainment")
    np.testing.assert_array_equal(same, drawn["effect"].sel(outcome="gcse_attainment"))
    assert bool((found["harmful"].sel(outcome="care") == (ratio > 1)).all())
    assert bool((found["harmful"].sel(outcome="gcse_attainment") == (same < 0)).all())
    assert not found["harmful"].where(found["not_counted"] != "", False).any()


def test_each_funder_pays_for_its_own_parts(make_run):
    both = make_run(funders=("local_authority", "central_government"))
    spent = q.spending(both)
    np.testing.assert_allclose(spent.sel(year=[0, 2, 3]).mean(SAMPLE_DIMS), [[2e6, 2e6, 0]] * 2)
    paid = q.position(both)["programme"]
    for funder in FUNDERS:
        np.testing.assert_allclose(paid.sel(payer=funder), 2e6 * (1 + 1 / 1.035 + 1 / 1.035**2))
    np.testing.assert_allclose(paid.sum("payer"), q.result(both)["programme_cost"])
    assert q.council_pays(both)
    grant = make_run()
    assert not q.council_pays(grant)
    np.testing.assert_allclose(q.cash_released(both), q.cash_released(grant), rtol=1e-9)
    # Half of what is spent above today's is the council's.
    part = q.curve(both)["payer_part"].sel(payer="central_government", multiple=2.0)
    np.testing.assert_allclose(part, float(q.curve(both)["spend"].sel(multiple=1.0)) / 2)
