"""Laws that discounting, payback, decision and information functions keep for any input."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from toolkit import appraisal

MONEY = st.floats(-1e4, 1e4, allow_subnormal=False).map(lambda value: round(value, 3))
SCHEDULES = st.sampled_from(appraisal.schedule_names()) | st.floats(0.0, 0.2)


def streams(low=2, high=15):
    shape = st.tuples(st.integers(1, 4), st.integers(low, high))
    return hnp.arrays(float, shape, elements=MONEY).map(
        lambda values: xr.DataArray(values, dims=("sample", "year"), coords={"year": range(values.shape[1])})
    )


@st.composite
def whole_decisions(draw):
    """Costs and effects in a few whole numbers, over a common factor, so that ties are everywhere."""
    shape = (draw(st.integers(2, 4)), draw(st.integers(1, 6)))
    scale = draw(st.sampled_from([0.1, 1 / 3, 1.0, 7e6]))
    values = [draw(hnp.arrays(int, shape, elements=st.integers(-3, 3))) for _ in "ce"]
    labels = {"option": [f"option {place}" for place in range(shape[0])]}
    made = [xr.DataArray(one.astype(float), dims=("option", "sample"), coords=labels) for one in values]
    return made, scale


@st.composite
def decisions(draw):
    """Costs and effects of a few options, continuous so that ties have no say."""
    shape = (draw(st.integers(2, 5)), draw(st.integers(2, 25)))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    labels = {"option": [f"option {place}" for place in range(shape[0])]}
    cost, effect = generator.normal(0, 1000, shape), generator.normal(0, draw(st.floats(0.01, 10)), shape)
    return tuple(xr.DataArray(one, dims=("option", "sample"), coords=labels) for one in (cost, effect))


@given(SCHEDULES, st.integers(1, 400))
def test_factors_start_at_one_and_fall(schedule, last):
    factors = appraisal.discount_factors(schedule, range(last + 1))
    middle = appraisal.discount_factors(schedule, range(last + 1), timing="mid_year")
    assert float(factors[0]) == 1
    assert (np.diff(factors) <= 0).all()
    assert (middle.values[:-1] <= factors.values[:-1]).all()
    assert (middle.values[:-1] >= factors.values[1:]).all()


@given(streams(), SCHEDULES, st.floats(-5, 5))
def test_present_value_is_linear(flows, schedule, scale):
    once = appraisal.present_value(flows, schedule=schedule)
    both = appraisal.present_value(flows + scale * flows, schedule=schedule)
    np.testing.assert_allclose(both, once * (1 + scale), atol=1e-6)


@given(streams(), SCHEDULES)
def test_equivalent_annual_value_has_the_same_present_value(flows, schedule):
    present = appraisal.present_value(flows, schedule=schedule)
    level = appraisal.equivalent_annual_value(present, schedule=schedule, years=flows["year"])
    again = appraisal.present_value(level * xr.ones_like(flows), schedule=schedule)
    np.testing.assert_allclose(again, present, rtol=1e-9, atol=1e-6)


@given(streams())
def test_a_found_rate_of_return_brings_the_value_to_nil(flows):
    found = appraisal.internal_rate_of_return(flows)
    assert ((found["reason"] == "") == found["rate"].notnull()).all()
    for stream, rate in zip(flows.values, found["rate"].values, strict=True):
        if np.isfinite(rate):
            terms = stream * (1 + rate) ** -np.arange(len(stream), dtype=float)
            assert abs(terms.sum()) <= 1e-6 * np.abs(terms).sum()


@given(streams(), st.floats(0.1, 100))
def test_payback_does_not_depend_on_the_unit_and_staying_takes_no_less_time(flows, scale):
    first, stays = appraisal.payback_year(flows), appraisal.payback_year(flows, stays=True)
    xr.testing.assert_equal(first, appraisal.payback_year(flows * scale))
    assert (first <= stays).all()
    total = flows.sum("year")
    assume(bool((abs(total) > 1e-3).all()))
    assert (np.isfinite(stays) == (total > 0)).all()


@given(streams())
def test_paying_back_by_a_year_only_grows_likelier(flows):
    share = appraisal.probability_paid_back(appraisal.payback_year(flows), flows["year"])
    assert (np.diff(share) >= 0).all()
    assert share.min() >= 0
    assert share.max() <= 1


@given(whole_decisions(), st.lists(st.integers(0, 12), min_size=1, max_size=6, unique=True).map(sorted))
def test_ties_are_those_of_whole_numbers_in_any_unit(drawn, quarters):
    (cost, effect), scale = drawn
    worth = np.array(quarters) / 4
    exact = appraisal.net_benefit(cost, effect, worth).transpose("option", ...)
    best = exact == exact.max("option")
    right = (best / best.sum("option")).mean("sample")
    for unit in (1.0, 0.1 + 0.2):  # of effect: what each is worth changes with it
        curves = appraisal.decision_curves(scale * cost, unit * effect, scale * worth / unit)
        np.testing.assert_allclose(curves["probability_best"], right, atol=1e-9)
        mean = exact.mean("sample")
        np.testing.assert_array_equal(curves["is_best"], mean >= mean.max("option") - 1e-12)
        counted = appraisal.probability_best(appraisal.net_benefit(scale * cost, unit * effect, scale * worth / unit))
        np.testing.assert_allclose(counted, right, atol=1e-9)


@given(decisions(), st.lists(st.floats(0, 5000), min_size=1, max_size=12, unique=True).map(sorted))
def test_curves_are_what_counting_every_draw_at_every_threshold_gives(pair, thresholds):
    curves = appraisal.decision_curves(*pair, thresholds)
    value = appraisal.net_benefit(*pair, thresholds)
    best = appraisal.probability_best(value).transpose("option", "threshold")
    np.testing.assert_allclose(curves["probability_best"], best, atol=1e-12)
    np.testing.assert_allclose(curves["evpi"], appraisal.evpi(value), atol=1e-6)
    np.testing.assert_allclose(curves["expected_loss"], appraisal.expected_loss(value).T, atol=1e-6)
    np.testing.assert_allclose(curves["probability_best"].sum("option"), 1)


@given(decisions(), st.floats(0, 5000), st.floats(0.01, 100), st.floats(-1e4, 1e4))
def test_information_scales_with_money_and_ignores_what_all_options_share(pair, threshold, scale, shared):
    value = appraisal.net_benefit(*pair, threshold)
    worth = float(appraisal.evpi(value))
    assert worth >= 0
    assert float(appraisal.evpi(scale * value + shared)) == pytest.approx(scale * worth, abs=1e-6)


@given(decisions(), st.floats(0, 20_000))
def test_the_option_best_on_average_is_on_the_icer_frontier(pair, threshold):
    table = appraisal.icers(*pair)
    frontier = appraisal.acceptability_frontier(*pair, [threshold])
    best = frontier["best_option"].item()
    assert table["status"].sel(option=best).item() == "frontier"
    ratios = table["icer"].values[np.isfinite(table["icer"].values)]
    assert (np.diff(ratios) >= 0).all()
    assert float(frontier["probability"][0]) <= float(appraisal.acceptability_curve(*pair, [threshold]).max() + 1e-12)


@given(decisions(), st.floats(0, 5000))
def test_a_worse_copy_of_an_option_changes_nothing(pair, threshold):
    cost, effect = pair
    worse = cost.isel(option=[0]).assign_coords(option=["worse"]) + 1
    cost = xr.concat([cost, worse], "option")
    effect = xr.concat([effect, effect.isel(option=[0]).assign_coords(option=["worse"])], "option")
    value, before = appraisal.net_benefit(cost, effect, threshold), appraisal.net_benefit(*pair, threshold)
    assert float(appraisal.evpi(value)) == pytest.approx(float(appraisal.evpi(before)), abs=1e-9)
    assert float(appraisal.probability_best(value).sel(option="worse")) == 0
    assert appraisal.icers(cost, effect)["status"].sel(option="worse").item() == "dominated"


@settings(deadline=None, max_examples=25)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(100, 300),
    st.integers(2, 4),
    st.sampled_from(["spline", "gp"]),
)
def test_learning_more_is_never_worth_less_nor_more_than_learning_all(seed, draws, options, method):
    generator = np.random.default_rng(seed)
    parameters = xr.Dataset({name: ("sample", generator.gamma(2, size=draws)) for name in "xyz"})
    weights = xr.DataArray(generator.normal(size=(options, 3)), dims=("option", "variable"))
    value = (weights * parameters.to_array().drop_vars("variable")).sum("variable")
    value = value + parameters["x"] * parameters["y"] * weights[:, 0]
    sets = ["x", ["x", "y"], ["x", "y", "z"]]
    found = appraisal.evppi(value, parameters, of=sets, method=method)
    assert (found["evppi"] >= 0).all()
    assert (np.diff(found["evppi"]) >= 0).all()
    assert (found["evppi"] <= found["evpi"] + 1e-12).all()
    assert (found["standard_error"] >= 0).all()
