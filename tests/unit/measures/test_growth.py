"""A plan and levers laid on an outlook: sums against those worked by hand, and lines that add up."""

import numpy as np
import pytest
import xarray as xr

from tests.outlooks import small_outlook
from toolkit import evidence, levers, scenarios
from toolkit.measures import growth
from toolkit.schema import SAMPLE_DIMS, InputError

AREAS = ("E08000035", "E06000047")
BASES = ("2025/26", "2026/27")
WEEKS = 365.25 / 7


@pytest.fixture(scope="module")
def outlook():
    return levers.council(small_outlook(AREAS))


@pytest.fixture(scope="module")
def figures(register, outlook):
    return levers.figures(scenarios.load("families_first"), register, like=outlook)


@pytest.fixture(scope="module")
def paper(make_run, outlook, figures):
    pulled = levers.pull({"step_down": [5, 10], "agency_posts": [3]}, outlook, figures)
    lines = [growth.plan_lines(make_run(), outlook), growth.lever_lines(pulled, outlook, figures)]
    return growth.on_top(outlook, lines, evidence.load_table("cost_components"))


def test_areas_are_taken_together_by_the_year_in_which_the_financial_year_starts(outlook):
    forecast = small_outlook(AREAS)
    assert outlook["year"].values.tolist() == list(range(2025, 2035))
    there = forecast.sel(year=2027)  # 2026/27
    np.testing.assert_allclose(
        outlook["spend"].sel(year=2026), there["spend"].sum(["area", "placement"]) + there["safeguarding"].sum("area")
    )
    np.testing.assert_allclose(
        (outlook["children"] * outlook["price"]).sel(year=2026).sum("placement"),
        (there["children"] * there["price"]).sum(["area", "placement"]),
    )


def test_a_child_kept_out_of_care_is_taken_from_all_placements_at_their_prices(make_run, outlook):
    run = make_run()
    lines = growth.plan_lines(run, outlook)
    kept = run.tree["lives"]["care_avoided"].sel(year=2027 - run.scenario.first_year)
    expected = growth.on_draws(kept, outlook)
    now = outlook.sel(year=2027)
    week = (now["children"] * now["price"]).sum("placement") / now["children"].sum("placement")
    np.testing.assert_allclose(lines["fewer"].sel(year=2027).sum("placement"), expected)
    np.testing.assert_allclose(lines["avoided"].sel(year=2027), expected * week * WEEKS)


def test_sums_tie_out_line_by_line_and_year_by_year(paper):
    np.testing.assert_allclose(
        paper["growth_avoided"] + paper["below_this_year"], paper["avoided"], rtol=1e-9, atol=1e-6
    )
    released = paper["below_this_year"].shift(year=1, fill_value=0.0) * paper.attrs["cashable_share"]
    np.testing.assert_allclose(paper["cash_released"], released)
    spend = paper["spend_if_nothing_changes"]
    now, later = spend.isel(from_this_year=0, drop=True), spend.isel(from_this_year=slice(1, None))
    left = later.rename(from_this_year="year") - paper["avoided"].sum("line")
    # No line takes spend below this year's while there is growth left to avoid.
    short = (paper["below_this_year"].sum("line") > 1.0) & (left > now + 1.0)
    assert not short.any()
    assert paper["reference"].values.tolist() == ["P1", "P2", "L1", "L2"]
    assert list(paper["measure"].values[2:]) == ["step_down", "agency_posts"]


def test_the_table_stands_spend_growth_and_savings_side_by_side_in_cash_and_in_real_terms(paper):
    cash, real = growth.growth_table(paper), growth.growth_table(paper, real=True)
    assert cash.frame.index.tolist() == ["2026/27", "2027/28", "2028/29", "2029/30", "2030/31"]
    expected = {head: cash.frame[head, "expected"] for head in dict.fromkeys(cash.frame.columns.get_level_values(0))}
    before, after = expected["Spend if nothing changes"], expected["Spend with the plan"]
    assert (before - after).to_numpy() == pytest.approx(
        paper["avoided"].sum("line").mean(SAMPLE_DIMS).values[:5], rel=1e-9
    )
    parts = expected["Growth avoided"] + expected["Spend below this year's"]
    np.testing.assert_allclose(parts, before - after, rtol=1e-9)
    ratio = (cash.frame / real.frame)["Growth avoided", "expected"].to_numpy()
    np.testing.assert_allclose(ratio, 1.02 ** np.arange(1, 6))  # the outlook's own index
    assert "first reduce the growth" in cash.note


def test_draws_of_another_number_are_taken_evenly(outlook):
    array = xr.DataArray(np.arange(200.0).reshape(2, 100), {"chain": [0, 1], "draw": range(100)}, ("chain", "draw"))
    on = growth.on_draws(array, outlook)
    assert on.sizes == {"chain": 2, "draw": 5}
    np.testing.assert_array_equal(on.values.ravel(), np.linspace(0, 199, 10).round())
    xr.testing.assert_identical(growth.on_draws(on, outlook), on)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"horizon": 5}, "horizon: 5 years from 2025 end before 2034/35. Fix: make it longer"),
        ({"outcomes": ["youth_justice"]}, "outcomes: care is left out, so no child is kept out of it"),
    ],
)
def test_a_run_that_cannot_be_laid_on_an_outlook_is_refused(make_run, outlook, changes, message):
    with pytest.raises(InputError, match=message):
        growth.plan_lines(make_run(changes=changes), outlook)


def test_what_is_spent_is_put_in_the_prices_of_the_outlook(make_run, outlook, register):
    plain, other = (growth.plan_lines(make_run(changes=dict(price_base=base)), outlook) for base in BASES)
    deflators = register.deflators
    np.testing.assert_allclose(other["spent"] * (deflators[BASES[1]] / deflators[BASES[0]]), plain["spent"])
    assert bool((plain["spent"] > 0).any())


def test_nothing_to_lay_on_it_is_refused(outlook):
    with pytest.raises(InputError, match="name a scenario or pull a lever"):
        growth.on_top(outlook, [], evidence.load_table("cost_components"))


def test_what_must_be_believed_gives_the_figures_that_it_rests_on(paper, figures):
    words = dict(zip(paper["measure"].values, paper["believed"].values, strict=True))
    share = float(figures["same_child_share"].mean())
    assert f"{share:.0%} of the gap between a children's home (£7,960 a week)" in words["step_down"]
    assert "No study prices the same child in both" in words["step_down"]
    assert "Each post costs £" in words["agency_posts"]
    assert "no other child takes their places" in words["supporting_families"]
