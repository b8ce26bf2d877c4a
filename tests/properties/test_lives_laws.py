"""Laws of the lives of a cohort and of what they cost, for any hazards and prices."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.pathways.conftest import make_hazards
from tests.unit.test_costing import checked, full, priced, table
from toolkit import costing
from toolkit.pathways import QUANTITIES, Layers, walk

AT = {name: index for index, name in enumerate(QUANTITIES)}
RATE = st.floats(1e-4, 3.0)
LOG_RATIO = st.floats(-1.0, 1.0)


@given(
    slow=st.floats(0, 3.0),
    fast=st.floats(3.0, 12.0),
    short=st.floats(0, 1),
    plan=st.floats(0, 0.8),
    ends=st.floats(0, 3.0),
    care=st.floats(0, 0.3),
    brief=st.floats(0, 1),
    leave=st.floats(0, 3.0),
    again=RATE,
    ratio=LOG_RATIO,
    strength=st.floats(0, 1),
)
def test_people_are_conserved_and_nothing_is_negative_or_nan(
    slow: float,
    fast: float,
    short: float,
    plan: float,
    ends: float,
    care: float,
    brief: float,
    leave: float,
    again: float,
    ratio: float,
    strength: float,
) -> None:
    hazards = make_hazards(
        need_exit_slow=slow,
        need_exit_fast=fast,
        short_share=short,
        short_share_first=short,
        plan_start=plan,
        plan_exit=ends,
        care_entry=care,
        care_entry_first=care,
        care_short_share=brief,
        care_exit_first=leave,
        care_exit_later=leave,
        rereferral_first=again,
        log_ratio_care=ratio,
    )
    groups = np.eye(4)[:, :, None]  # one layer a group, at rate one: years lived in each
    lived = walk(hazards, strength=strength, layers=Layers(groups, np.zeros(4, int), np.full(4, 18)), dtype=float)
    assert all(np.isfinite(part).all() and (part > -1e-12).all() for part in lived)
    np.testing.assert_allclose(lived.cells[..., 0].sum(0), [0.0, *np.full(18, 1 / 18)], rtol=1e-9)
    years = [0.5, *((18 - t) / 18 for t in range(1, 18))]  # those who come in a year live half of it
    np.testing.assert_allclose(lived.layers[..., 0].sum(0), years, rtol=1e-9)
    assert lived.quantities[AT["first_time_entries"], :, 0].sum() <= 1.0
    assert lived.quantities[AT["below_grade_4"], :, 0].sum() <= 17 / 18 + 1e-12


@given(low=st.floats(0.001, 0.5), rise=st.floats(1.01, 3.0))
def test_more_entry_to_care_means_more_care_and_fewer_years_in_need(low: float, rise: float) -> None:
    less, more = (walked(care_entry=rate, care_entry_first=rate) for rate in (low, low * rise))
    assert more[AT["care_years"]] > less[AT["care_years"]]
    assert more[AT["first_need_years"]] < less[AT["first_need_years"]]


@given(
    name=st.sampled_from(["rereferral_first", "plan_start", "reentry_first", "first_entry"]),
    low=st.floats(0.001, 0.5),
    rise=st.floats(1.01, 3.0),
)
def test_each_hazard_brings_more_of_what_it_is_the_hazard_of(name: str, low: float, rise: float) -> None:
    of = {"rereferral_first": "rereferrals", "plan_start": "plan_starts", "reentry_first": "care_entries"}
    at = AT[of.get(name, "first_time_entries")]
    assert walked(**{name: low * rise})[at] > walked(**{name: low})[at]


def walked(**changes: float) -> np.ndarray:
    return walk(make_hazards(**changes), strength=0.0, dtype=float).quantities[:, :, 0].sum(axis=1)


@given(ratio=LOG_RATIO.filter(lambda r: r == 0 or abs(r) > 1e-6), strength=st.sampled_from([0.0, 0.25, 1.0]))
def test_help_and_harm_are_both_possible_and_have_the_sign_of_the_effect(ratio: float, strength: float) -> None:
    hazards = make_hazards(log_ratio_care=ratio, log_ratio_rereferral=0.0)
    usual, helped = (walk(hazards, strength=s, dtype=float).quantities[AT["care_entries"]] for s in (0.0, strength))
    assert np.sign((helped - usual).sum()) == np.sign(ratio * strength)


@given(ratio=LOG_RATIO, draws=st.sampled_from([2, 65]))
def test_draws_do_not_leak_into_each_other(ratio: float, draws: int) -> None:
    both = make_hazards(draws=draws)
    both = replace(both, log_ratio_care=np.linspace(ratio, -0.3, draws))
    together = walk(both, strength=1.0)
    for draw, value in ((0, ratio), (draws - 1, -0.3)):
        alone = walk(make_hazards(draws=1, log_ratio_care=value), strength=1.0)
        for part, only in zip(together, alone, strict=True):
            assert np.array_equal(part[..., draw], only[..., 0])


def some_lives() -> xr.DataArray:
    rng = np.random.default_rng(3)
    values = rng.uniform(0, 5, (3, 6, 2, 3))
    names = ["care_years", "first_time_entries", "below_grade_4"]
    coords = {"quantity": names, "year": range(6), "chain": range(2), "draw": range(3)}
    return xr.DataArray(values, coords, ("quantity", "year", "chain", "draw"))


def some_draws(price: float) -> xr.Dataset:
    figures = {"price": price, "share": 0.4, "growth": 0.10, "growth_fade_years": 2.0}
    return xr.Dataset({name: full(value) for name, value in figures.items()}, attrs={"price_base": "2025/26"})


@given(price=st.floats(0.01, 1e6), factor=st.floats(0.1, 10.0))
def test_cost_is_linear_in_prices_and_in_quantities(price: float, factor: float) -> None:
    rows, lives = checked(table()), some_lives()
    cost = priced(some_draws(price), lives, rows)[0]
    np.testing.assert_allclose(priced(some_draws(price * factor), lives, rows)[0], cost * factor, rtol=1e-9)
    np.testing.assert_allclose(priced(some_draws(price), lives * factor, rows)[0], cost * factor, rtol=1e-9)


@given(order=st.permutations([0, 1, 2]))
def test_the_order_of_components_does_not_matter(order: list[int]) -> None:
    rows = checked(table())
    cost = priced(some_draws(100.0), some_lives(), rows)[0]
    shuffled = priced(some_draws(100.0), some_lives(), rows.iloc[order])[0]
    np.testing.assert_allclose(shuffled.sel(component=cost["component"]), cost)


def test_money_spread_over_years_is_conserved_within_the_horizon() -> None:
    rows = checked(table())
    lives = some_lives().where(lambda a: a["year"] < 3, 0.0)
    cost, prices, _, _ = priced(some_draws(100.0), lives, rows)
    later = cost.sel(component="later").sum("year")
    expected = lives.sel(quantity="first_time_entries").sum("year") * prices.sel(component="later")
    np.testing.assert_allclose(later, expected.reset_coords(drop=True))


@pytest.mark.parametrize("account", ["fiscal", "economic", "social"])
def test_accounts_are_cumulative_and_transfers_reach_the_economic_one_once(account: str) -> None:
    """Tax is part of lost earnings: fiscal holds the tax, economic the whole productivity, once."""
    from toolkit import appraisal, evidence

    tables = evidence.load_register().tables
    given = dict(zip(tables["layers"]["layer"], tables["layers"]["given"], strict=True))
    rows = costing.components(
        evidence.with_options(tables["cost_components"], tables["cost_options"], ()), tables["overlaps"], given=given
    )
    earnings = rows[rows["price_role"] == "price_gcse"]
    share = {"earnings_kept": 0.6, "earnings_tax": 0.4}
    values = xr.DataArray(
        [100.0 * share[name] for name in earnings.index],
        coords={"component": list(earnings.index), "account": ("component", list(earnings["account"]))},
        dims="component",
    )
    total = float(appraisal.account_total(values, account))
    assert total == pytest.approx(40.0 if account == "fiscal" else 100.0)
