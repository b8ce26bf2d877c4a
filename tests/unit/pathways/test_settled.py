"""An area's own care: lives reproduce its care starts and the children that it looks after."""

from dataclasses import fields, replace

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.pathways.conftest import make_hazards
from toolkit.pathways import QUANTITIES, Hazards, settled, walk
from toolkit.pathways.cohort import in_all

ENTRIES, YEARS = (QUANTITIES.index(name) for name in ("care_entries", "care_years"))


def drawn(*values: float) -> xr.DataArray:
    return xr.DataArray([list(values)], dims=("chain", "draw"))


def lived(hazards: Hazards) -> tuple[np.ndarray, np.ndarray]:
    quantities = walk(hazards, strength=0.0, dtype=float).quantities.sum(axis=1)
    return quantities[ENTRIES], quantities[YEARS]


def test_where_all_leave_long_before_they_are_grown_a_stay_is_one_over_the_hazard() -> None:
    """Babies who leave at five a year stay a fifth of a year; for stays of a tenth the hazard is ten."""
    weight = np.zeros((18, 1))
    weight[0] = 1.0
    alike = {"care_short_share": 0.0, "care_exit_first": 5.0, "care_exit_later": 5.0, "need_exit_slow": 3.0}
    once = dict.fromkeys(("rereferral_first", "rereferral_later", "reentry_first", "reentry_later"), 0.0)
    babies = replace(make_hazards(1, **alike, **once), entry_weight=weight)
    entries, years = lived(babies)
    np.testing.assert_allclose(years / entries, 0.2, rtol=1e-3)
    shorter = settled(babies, starts=drawn(*entries), years=drawn(*(entries * 0.1)))
    np.testing.assert_allclose(shorter.care_exit_later, 10.0, rtol=5e-3)


@given(times=st.floats(0.3, 3.0), longer=st.floats(0.6, 1.4))
def test_lives_reproduce_the_starts_and_the_children_looked_after(times: float, longer: float) -> None:
    hazards = make_hazards(1)
    entries, years = lived(hazards)
    moved = settled(hazards, starts=drawn(*(entries * times)), years=drawn(*(years * times * longer)))
    np.testing.assert_allclose(lived(moved), (entries * times, years * times * longer), rtol=0.01)


def test_what_lives_reproduce_already_moves_nothing_and_only_care_moves() -> None:
    hazards = make_hazards(2)
    entries, years = lived(hazards)
    same = settled(hazards, starts=drawn(*entries), years=drawn(*years))
    more = settled(hazards, starts=drawn(*(2 * entries)), years=drawn(*(3 * years)))
    for part in fields(Hazards):
        before, after = getattr(hazards, part.name), getattr(more, part.name)
        np.testing.assert_allclose(getattr(same, part.name), before, rtol=1e-5)
        if part.name in ("care_entry", "care_entry_first"):
            assert (after > 1.5 * before).all()  # twice the starts
        elif part.name in ("care_exit_first", "care_exit_later"):
            assert (after < before).all()  # and half as long again in care
        else:
            np.testing.assert_array_equal(after, before)


def test_no_effect_still_reproduces_life_without_help_to_the_last_bit() -> None:
    moved = settled(make_hazards(3), starts=drawn(0.1, 0.2, 0.3), years=drawn(0.3, 0.3, 0.9))
    nothing = dict.fromkeys(("log_ratio_rereferral", "log_ratio_care", "log_ratio_justice", "logit_shift_grade"), 0.0)
    idle = replace(moved, **{name: np.zeros(3) for name in nothing})
    for part, other in zip(walk(idle, strength=1.0), walk(idle, strength=0.0), strict=True):
        np.testing.assert_array_equal(part, other)


def test_draws_do_not_depend_on_each_other() -> None:
    hazards = make_hazards(2)
    both = settled(hazards, starts=drawn(0.1, 0.3), years=drawn(0.5, 0.4))
    one = settled(make_hazards(1), starts=drawn(0.3), years=drawn(0.4))
    np.testing.assert_allclose(both.care_exit_later[:, 1:], one.care_exit_later, rtol=1e-6)  # single precision


def test_more_years_than_a_childhood_has_are_reached_as_far_as_possible() -> None:
    hazards = make_hazards(1)
    entries, _ = lived(hazards)
    most = settled(hazards, starts=drawn(*entries), years=drawn(*(entries * 30)))
    assert np.isfinite(most.care_exit_later).all()
    assert (most.care_exit_later < hazards.care_exit_later / 25).all()


@pytest.mark.parametrize("name", ["care_entries", "care_years", "plan_years", "rereferrals", "first_need_years"])
def test_a_whole_life_in_half_the_time_is_the_same(name: str, hazards: Hazards) -> None:
    at = QUANTITIES.index(name)
    whole = walk(hazards, strength=0.0).quantities[at].sum(axis=0)
    np.testing.assert_array_equal(in_all(hazards)[at], whole)
