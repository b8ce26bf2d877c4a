"""Laws of the layers of life, for any rates."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.pathways.conftest import make_hazards
from tests.unit.pathways.test_layers import ADULT, cells, full, layer, lived, one, rates_of
from toolkit import costing, evidence
from toolkit.pathways import layers as life
from toolkit.pathways.cohort import AGES, GROUPS, Layers, walk
from toolkit.pathways.comparison import exposure, turning
from toolkit.schema import OUTCOMES, InputError

SHARE = st.floats(0.01, 0.95)
PASSED = st.floats(0.0, 0.99)


def drawn(everyone: float, need: float, care: float, ratio: float, passed: float = 0.65) -> xr.Dataset:
    figures = {"all": everyone, "need": need, "care": care, "ratio": ratio, "gcse_all_pupils": passed, "share": 0.5}
    return xr.Dataset({name: full(value) for name, value in figures.items()})


@given(need=SHARE, care=SHARE, ratio=st.floats(1.0, 5.0), passed=PASSED, leavers=PASSED)
def test_however_grades_fall_each_history_keeps_its_published_rate(
    need: float, care: float, ratio: float, passed: float, leavers: float
) -> None:
    rates, people = rates_of(**ADULT), cells(care_leaver=leavers, need_only=passed, left_care_before_16=passed)
    held = life.chosen(layer(odds_below_grade="ratio", rate_is="ever"), rates, outcomes=OUTCOMES)
    made = life.adult_rates(held, rates, drawn(0.1, need, care, ratio), people)
    quantity = lived(people, made, held)
    assert np.isclose(one(quantity.sum(["quantity", "year"])), 0.8 * need + 0.2 * care)


@given(everyone=SHARE, ratio=st.floats(1.0, 5.0), passed=st.floats(0.3, 0.8))
def test_no_gap_given_the_grade_gives_no_excess_at_any_grade(everyone: float, ratio: float, passed: float) -> None:
    """With everyone's rate and everyone's grades, each cell lies above its comparator by nothing."""
    rates = rates_of(**dict.fromkeys(ADULT, "all"))
    held = life.chosen(layer(odds_below_grade="ratio", given="grade"), rates, outcomes=OUTCOMES)
    draws = drawn(everyone, everyone, everyone, ratio, passed)
    people = cells(care_leaver=passed, need_only=passed, left_care_before_16=passed)
    gap = life.adult_rates(held, rates, draws, people) - life.everyone_rates(held, rates, draws, full(0.0))
    np.testing.assert_allclose(gap, 0.0, atol=1e-12)


@given(level=st.floats(0.01, 0.99), england=st.floats(0.01, 0.99), share=st.floats(0.001, 0.999))
def test_a_rate_moved_to_an_area_stays_a_share_and_moves_with_the_area(
    level: float, england: float, share: float
) -> None:
    levels = xr.Dataset({"level": ("name", [level]), "england": ("name", [england])}, {"name": ["here"]})
    moved = float(life.moved(np.array([share]), "here", levels)[0])
    assert 0 < moved < 1
    assert np.sign(round(moved - share, 12)) in (0, np.sign(level - england))


@given(ages=st.tuples(st.integers(18, 60), st.integers(0, 20), st.integers(0, 20)))
def test_what_a_layer_spreads_over_its_ages_sums_to_one_and_never_rises(ages: tuple[int, int, int]) -> None:
    first, full_for, then = ages
    table = layer(from_age=first, full_to_age=first + full_for, to_age=first + full_for + then).set_index("layer")
    spread = life.age_spread(table)["neet_years"]
    assert np.isclose(spread.sum(), 1.0)
    assert (np.diff(spread[first - 18 :]) <= 1e-15).all() and (spread[: first - 18] == 0).all()


@given(start=st.integers(0, 17), years=st.integers(1, 18), entry=st.integers(0, 17))
def test_children_who_fare_alike_in_every_state_have_what_all_children_have(start: int, years: int, entry: int) -> None:
    """A layer with one rate in every group, walked, is that rate over the comparator's exposure, year by year."""
    hazards = make_hazards(draws=2)
    weight = np.zeros((AGES, 2))
    weight[entry] = 1.0
    stop = min(start + years, AGES)
    layers = Layers(np.full((1, len(GROUPS), 2), 0.3), np.array([start]), np.array([stop]))
    walked = walk(replace(hazards, entry_weight=weight), strength=0.0, layers=layers, dtype=np.float64)
    by_age = xr.DataArray(weight[:, 0], {"age": range(AGES)}, "age")
    lived = exposure(by_age, start, stop - 1).values[:AGES]
    np.testing.assert_allclose(walked.layers[0, :, 0], 0.3 * lived, atol=1e-12)
    np.testing.assert_allclose(walked.cells.sum(0)[:, 0], turning(by_age, AGES, AGES), atol=1e-12)


@given(outcomes=st.permutations(OUTCOMES), kept=st.integers(1, len(OUTCOMES)))
def test_the_order_of_outcomes_does_not_matter(register: evidence.Register, outcomes: list[str], kept: int) -> None:
    tables = register.tables
    net_of = dict(zip(tables["layers"]["layer"], tables["layers"]["given"], strict=True))

    def rows(names: tuple[str, ...]) -> pd.DataFrame:
        return costing.components(
            evidence.with_options(tables["cost_components"], tables["cost_options"], ()),
            tables["overlaps"],
            given=net_of,
            outcomes=names,
        )

    chosen = tuple(outcomes[:kept])
    pd.testing.assert_frame_equal(rows(chosen), rows(tuple(sorted(chosen))))
    assert set(rows(chosen)["outcome"]) == set(chosen)


OPTIONS = ("bottom_up_justice", "earnings_by_grade", "wellby", "without_quality_of_life")


@given(chosen=st.sets(st.sampled_from(OPTIONS)), outcomes=st.sets(st.sampled_from(OUTCOMES), min_size=1))
def test_no_choice_of_prices_counts_anything_twice(
    register: evidence.Register, chosen: set[str], outcomes: set[str]
) -> None:
    """Whatever is chosen, a tag that may stand once stands once, or the choice is refused."""
    tables = register.tables
    net_of = dict(zip(tables["layers"]["layer"], tables["layers"]["given"], strict=True))
    table = evidence.with_options(tables["cost_components"], tables["cost_options"], chosen)
    if "wellby" in chosen and "without_quality_of_life" not in chosen:
        with pytest.raises(InputError, match="wellbeing"):
            costing.components(table, tables["overlaps"], given=net_of)
        return
    rows = costing.components(table, tables["overlaps"], given=net_of, outcomes=tuple(outcomes))
    paid = rows[rows["sign"] > 0]
    held = paid.assign(tag=paid["contains"].str.split(";")).explode("tag")
    rules = tables["overlaps"].set_index("tag")["rule"]
    once = held[held["tag"].map(rules) == "once"]
    assert not once["tag"].duplicated().any()
    apart = held[held["tag"].map(rules) == "apart"]
    assert not apart.duplicated(["tag", "quantity"]).any()
    for condition in ("grade", "justice"):
        whole = held[(held["tag"].map(rules) == f"given_{condition}") & (held["quantity"].map(net_of) != condition)]
        assert not whole["tag"].duplicated().any()
