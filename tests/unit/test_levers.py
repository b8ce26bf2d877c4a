"""Levers on a council's spend, against sums worked by hand."""

import numpy as np
import pytest
import xarray as xr

from toolkit import evidence, levers, scenarios
from toolkit.schema import SAMPLE_DIMS, InputError

YEARS = range(2025, 2031)
WEEKS = 365.25 / 7
SIXTY = 60.0  # children in homes


@pytest.fixture
def outlook():
    """Sixty children in homes at 7,000 pounds a week and 300 in foster care at 800, for ever."""
    coords = {"placement": ["fostering", "residential"], "year": list(YEARS), "chain": [0], "draw": [0, 1]}
    flat = xr.DataArray(np.ones((2, 6, 1, 2)), coords, tuple(coords))
    each = {"children": (300.0, SIXTY), "price": (800.0, 7_000.0)}
    columns = {name: flat * xr.DataArray(list(pair), dims="placement") for name, pair in each.items()}
    index = xr.DataArray(1.02 ** np.arange(6), {"year": list(YEARS)})
    return xr.Dataset({**columns, "index": index})


@pytest.fixture
def figures(outlook):
    known = {
        "same_child_share": 0.5,
        "agency_foster_week": 1_000.0,
        "children_per_carer": 0.8,
        "place_recruited": 9_000.0,
        "agency_premium": 27_000.0,
    }
    one = xr.ones_like(outlook["price"].isel(placement=0, year=0, drop=True))
    return xr.Dataset({name: value * one for name, value in known.items()})


def every_draw(array, expected):
    whole = np.broadcast_to(np.array(expected)[:, None, None], (5, 1, 2))
    np.testing.assert_allclose(array.transpose("year", *SAMPLE_DIMS), whole, rtol=1e-12)


def test_a_child_who_steps_down_costs_at_least_an_agency_place_and_only_part_of_the_gap_counts(outlook, figures):
    effect = levers.pull({"step_down": [2, 4]}, outlook, figures)["step_down"]
    each = WEEKS * 0.5 * (7_000 - 1_000)
    every_draw(effect.avoided, [2 * each, 4 * each, 4 * each, 4 * each, 4 * each])
    assert effect.fewer.sel(year=2026).to_series().to_dict() == {"fostering": -2.0, "residential": 2.0}
    assert not effect.spent.any()


def test_carers_take_children_from_agencies_and_cost_a_place_once(outlook, figures):
    effect = levers.pull({"foster_carers": [10, 10, 15, 5]}, outlook, figures)["foster_carers"]
    every_draw(effect.avoided, np.array([8, 8, 12, 4, 4]) * WEEKS * 200)
    every_draw(effect.spent, np.array([8, 0, 4, 0, 0]) * 9_000)


def test_an_agency_asks_more_as_foster_prices_grow(outlook, figures):
    grows = xr.DataArray(1.05 ** np.arange(6), {"year": list(YEARS)})
    outlook["price"] = outlook["price"] * grows
    pulled = levers.pull({"foster_carers": [10], "step_down": [1]}, outlook, figures)
    later = grows.values[1:]
    every_draw(pulled["foster_carers"].avoided, 8 * WEEKS * 200 * later)
    every_draw(pulled["step_down"].avoided, WEEKS * 0.5 * 6_000 * later)


def test_prices_contained_compound_on_the_children_who_are_left(outlook, figures):
    pulled = levers.pull({"price_growth": [0.01], "step_down": [10]}, outlook, figures)
    assert list(pulled) == ["step_down", "price_growth"]
    left = (1 - 0.01 / 1.02) ** np.arange(1, 6)  # the price grows with prices in general, by 2% in cash
    every_draw(pulled["price_growth"].avoided, (SIXTY - 10) * WEEKS * 7_000 * (1 - left))


def test_posts_are_worth_the_premium(outlook, figures):
    effect = levers.pull({"agency_posts": [0, 3]}, outlook, figures, agency_posts=14)["agency_posts"]
    every_draw(effect.avoided, np.array([0, 3, 3, 3, 3]) * 27_000.0)


@pytest.mark.parametrize(
    ("pulled", "message"),
    [
        ({"step_down": [61]}, "61 children in 2026/27, where 60 are expected in residential care. Fix: move fewer."),
        ({"step_down": [1, 70]}, "70 children in 2027/28"),
        ({"foster_carers": [400]}, "320 children in 2026/27, where 300 are expected in foster care"),
        ({"agency_posts": [15]}, "15 is too many: 14 agency workers are in post. Fix: lower it."),
        ({"price_growth": [50]}, "50 is too many: 1 is all of a price. Fix: write a share: 3% is 0.03."),
        ({"step_down": [100_000]}, "step_down: 100,000 children in 2026/27, where 60 are"),
        ({"agency_posts": [1e6]}, "agency_posts: 1,000,000 is too many"),
        ({"step_down": [-1]}, "is not a number of 0 or more"),
        ({"step_down": []}, "is not a number of 0 or more"),
        ({"step_up": [1]}, "lever 'step_up': there is none of that name. Fix: use one of step_down"),
    ],
)
def test_what_cannot_be_is_refused(outlook, figures, pulled, message):
    with pytest.raises(InputError, match=message):
        levers.pull(pulled, outlook, figures, agency_posts=14)


def test_figures_are_drawn_about_their_cited_values(register):
    like = xr.Dataset(coords={"chain": [0, 1], "draw": range(2_000)})
    drawn = levers.figures(scenarios.load("families_first"), register, like=like)
    means = drawn.mean().to_array().to_series()
    cited = {"same_child_share": 0.5, "agency_foster_week": 969.32, "children_per_carer": 0.973}
    for name, value in cited.items():
        assert means[name] == pytest.approx(value, rel=0.02)
    assert means["agency_premium"] == pytest.approx(27_040, rel=0.02)
    assert float(drawn["same_child_share"].quantile(0.05)) == pytest.approx(0.25, abs=0.02)


def test_agency_workers_are_those_of_the_last_census():
    assert levers.agency_posts_in(["E08000035"]) == 14  # Leeds, September 2025
    names = evidence.resolve_areas(evidence.reference_areas(), ["Leeds", "Cumberland"])
    assert levers.agency_posts_in(names) == 14 + 66
    assert levers.agency_posts_in(["stable:Cumbria area"]) == 66 + 34
