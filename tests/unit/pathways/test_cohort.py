from dataclasses import fields, replace

import numpy as np
import pytest
import xarray as xr
from numpy.random import default_rng

from tests.unit.pathways.conftest import make_hazards
from tests.unit.pathways.microsimulation import simulate
from toolkit.pathways.cohort import CELLS, GROUPS, QUANTITIES, Hazards, Layers, _fade, walk
from toolkit.pathways.histories import looked_after_part, occupancy_rates
from toolkit.pathways.kernel import AGES
from toolkit.pathways.lives import per_child

AT = {name: index for index, name in enumerate(QUANTITIES)}
DOUBLE = {"dtype": np.float64}


def total(hazards: Hazards, name: str, strength: float = 0.0) -> float:
    return float(walk(hazards, strength=strength, **DOUBLE).quantities[AT[name], :, 0].sum())


def test_no_hazards_leave_every_child_in_its_first_episode() -> None:
    nothing = dict.fromkeys(("plan_start", "care_entry", "care_entry_first", "first_entry"), 0.0)
    still = make_hazards(need_exit_slow=0.0, short_share=0.0, short_share_first=0.0, **nothing)
    # Children come evenly over a year of age, at 0 to 17 alike: the mean time left to eighteen is nine years.
    assert total(still, "first_need_years") == pytest.approx(9.0, rel=1e-12)
    for name in ("rereferrals", "plan_starts", "care_entries", "care_years", "first_time_entries"):
        assert total(still, name) == pytest.approx(0.0, abs=1e-12)


def test_first_episodes_match_the_closed_form() -> None:
    """Closure alone: coming evenly over a year with n whole ones after it, open for 1/h less what eighteen cuts."""
    h, fast, share = 0.7, 5.0, 0.4
    closing = make_hazards(
        need_exit_slow=h,
        need_exit_fast=fast,
        short_share=share,
        short_share_first=share,
        plan_start=0,
        care_entry=0,
        care_entry_first=0,
        rereferral_first=0,
        rereferral_later=0,
    )
    # The mean over entry within the year of (1 - e^(-h left)) / h, for n whole years after it.
    slow = [(1 - np.exp(-h * n) * (1 - np.exp(-h)) / h) / h for n in range(AGES)]
    expected = share / fast + (1 - share) * np.mean(slow)
    assert total(closing, "first_need_years") == pytest.approx(expected, rel=1e-12)


def test_plans_and_care_last_their_mean_however_short() -> None:
    """Stays of months keep their length: from birth, nearly every plan and every stay in care has run out by 18."""
    born = make_hazards(
        plan_exit=3.0,
        care_short_share=0.4,
        care_exit_fast=20.0,
        care_exit_first=4.0,
        care_exit_later=4.0,
        reentry_first=0.0,
        reentry_later=0.0,
    )
    weight = np.zeros((AGES, 3))
    weight[0] = 1.0
    lived = walk(replace(born, entry_weight=weight), strength=0.0, **DOUBLE).quantities[:, :, 0].sum(1)
    to_care = 4.4 * 0.05  # from a plan
    assert lived[AT["plan_years"]] / lived[AT["plan_starts"]] == pytest.approx(1 / (3.0 + to_care), rel=0.02)
    assert lived[AT["care_years"]] / lived[AT["care_entries"]] == pytest.approx(0.4 / 20 + 0.6 / 4, rel=0.02)


def test_first_entry_to_justice_matches_the_closed_form() -> None:
    """Nobody in care: the share entering by eighteen is 1 - e^(-rate x ratio x years lived from 10 to 17)."""
    alone = make_hazards(care_entry=0, care_entry_first=0, first_entry=0.01, ratio_need=3.0)
    years = [8.0 if age < 10 else 17.5 - age for age in range(AGES)]  # half the year of entry
    expected = np.mean([1 - np.exp(-0.03 * n) for n in years])
    assert total(alone, "first_time_entries") == pytest.approx(expected, rel=1e-12)


def test_everyone_who_turns_sixteen_sits_the_exam(hazards: Hazards) -> None:
    certain = replace(hazards, logit_grade_now=np.full(3, -50.0), logit_grade_ever=np.full(3, -50.0))
    assert total(certain, "below_grade_4") == pytest.approx(17 / 18, rel=1e-12)  # those who enter at 17 have sat it


def test_zero_effect_is_business_as_usual_exactly(hazards: Hazards) -> None:
    names = ("log_ratio_rereferral", "log_ratio_care", "log_ratio_justice", "logit_shift_grade")
    none = replace(hazards, **dict.fromkeys(names, np.zeros(3)))
    for dtype in (np.float32, np.float64):
        for helped, usual in zip(
            walk(none, strength=1.0, layers=some_layers(), dtype=dtype),
            walk(hazards, strength=0.0, layers=some_layers(), dtype=dtype),
            strict=True,
        ):
            assert np.array_equal(helped, usual)


def test_each_outcome_has_its_own_effect_alone_and_the_rest_of_life_all_of_them(hazards: Hazards) -> None:
    usual, helped = (walk(hazards, strength=s, layers=some_layers(), **DOUBLE) for s in (0.0, 1.0))
    ratios = ("log_ratio_rereferral", "log_ratio_care", "log_ratio_justice", "logit_shift_grade")
    owned = {
        "log_ratio_rereferral": ("rereferrals",),
        "log_ratio_care": ("care_entries", "care_years"),
        "log_ratio_justice": ("first_time_entries",),
        "logit_shift_grade": ("below_grade_4",),
    }
    for ratio, names in owned.items():
        off = {other: np.zeros(3) for other in ratios if other != ratio}
        alone = walk(replace(hazards, **off), strength=1.0, layers=some_layers(), **DOUBLE)
        for name in names:
            assert np.array_equal(helped.quantities[AT[name]], alone.quantities[AT[name]])
    both = walk(replace(hazards, log_ratio_justice=np.zeros(3), logit_shift_grade=np.zeros(3)), strength=1.0, **DOUBLE)
    for name in ("first_need_years", "repeat_need_years"):
        assert np.array_equal(helped.quantities[AT[name]], both.quantities[AT[name]])
    for part in (helped.layers - usual.layers, helped.cells - usual.cells, (helped.quantities - usual.quantities)[3:5]):
        assert abs(part).max() > 1e-6


def test_a_child_who_is_spared_care_is_in_need_for_longer_by_the_closed_form() -> None:
    """Open until closure at 0.5 a year or care at 0.2, with help at 0.1, whichever is first, and never again."""
    nothing = dict.fromkeys(
        ("short_share", "short_share_first", "plan_start", "rereferral_first", "rereferral_later"), 0.0
    )
    alone = {"log_ratio_rereferral": 0.0, "log_ratio_care": np.log(0.5), "half_life": np.inf}
    spared = make_hazards(
        need_exit_slow=0.5, care_entry=0.2, care_entry_first=0.2, reentry_first=0, reentry_later=0, **nothing, **alone
    )
    expected = {}
    for care, strength in ((0.2, 0.0), (0.1, 1.0)):
        h = 0.5 + care
        # Coming evenly over a year with n whole ones after it; care comes in proportion to the years open.
        years = np.mean([(1 - np.exp(-h * n) * (1 - np.exp(-h)) / h) / h for n in range(AGES)])
        expected[strength] = years
        assert total(spared, "first_need_years", strength) == pytest.approx(years, rel=1e-12)
        assert total(spared, "care_entries", strength) == pytest.approx(care * years, rel=1e-12)
    assert expected[1.0] > expected[0.0]


def some_layers(draws: int = 3) -> Layers:
    rates = np.arange(1, 9).reshape(2, 4, 1) * np.full((1, 1, draws), 0.01)
    return Layers(rates, np.array([0, 5]), np.array([AGES, 16]))


def test_cells_hold_every_child_once_and_a_layer_of_rate_one_counts_the_years_lived(hazards: Hazards) -> None:
    ones = Layers(np.ones((1, 4, 1)), np.array([0]), np.array([AGES]))
    lived = walk(hazards, strength=0.7, layers=ones, **DOUBLE)
    np.testing.assert_allclose(lived.cells.sum((0, 1)), 1.0, rtol=1e-12)
    np.testing.assert_allclose(lived.cells[:, 1:].sum(0), 1 / AGES, rtol=1e-12)  # one age at entry, one year of 18
    assert (lived.cells >= 0).all()
    np.testing.assert_allclose(lived.layers.sum((0, 1)), 9.0, rtol=1e-12)
    justice = [i for i, cell in enumerate(CELLS) if "|justice|" in cell]
    usual = walk(hazards, strength=0.0, **DOUBLE)
    entered = usual.quantities[AT["first_time_entries"]].sum(0)
    np.testing.assert_allclose(usual.cells[justice].sum((0, 1)), entered, rtol=1e-10)


def test_single_precision_is_far_finer_than_what_is_known() -> None:
    """Against double precision: a thousandth of a posterior standard deviation of five per cent, increments too."""
    rng = default_rng(2)
    hazards = make_hazards(draws=200)
    noisy = {
        f.name: getattr(hazards, f.name) * np.exp(0.05 * rng.standard_normal(200))
        for f in fields(Hazards)
        if not f.name.startswith(("detect", "entry"))
    }
    hazards = replace(hazards, **noisy)
    usual, helped = (
        {t: walk(hazards, strength=s, layers=some_layers(200), dtype=t) for t in (np.float32, np.float64)}
        for s in (0.0, 0.5)
    )
    for part in ("quantities", "layers", "cells"):
        single, double = (getattr(helped[t], part).sum(1, dtype=float) for t in (np.float32, np.float64))
        changes = (
            getattr(helped[t], part).astype(float).sum(1) - getattr(usual[t], part).astype(float).sum(1)
            for t in (np.float32, np.float64)
        )
        assert (abs(single - double) < 1e-3 * double.std(1, keepdims=True)).all()
        single_change, double_change = changes
        varied = double_change.std(1) > 1e-9
        error = abs(single_change - double_change).max(1)
        assert (error[varied] < 5e-2 * double_change.std(1)[varied]).all()


def test_an_effect_fades_by_its_half_life() -> None:
    """A care effect moves the second year in full but for its fading, and two half-lives later by a quarter."""
    only_care = make_hazards(
        need_exit_slow=0.0,
        short_share=0.0,
        short_share_first=0.0,
        plan_start=0.0,
        half_life=2.0,
        log_ratio_care=-0.2,
        care_short_share=0.0,
        care_exit_first=0.0,
        care_exit_later=0.0,
    )
    usual, helped = (walk(only_care, strength=s, **DOUBLE).quantities[AT["care_entries"], :, 0] for s in (0.0, 1.0))

    def hazard(entries: np.ndarray) -> np.ndarray:
        weight, still, rates = np.array([(AGES - t) / AGES for t in range(AGES)]), 1.0, []
        for t in range(5):
            chance = entries[t] / weight[t]
            if t > 0:
                rates.append(-np.log1p(-chance / still))
            still -= chance
        return np.array(rates)

    ratio = np.log(hazard(helped) / hazard(usual))
    assert ratio == pytest.approx([-0.2 * 0.5 ** (t / 2) for t in range(1, 5)], rel=1e-6)


def test_detection_raises_contact_only_where_there_is_help() -> None:
    detecting = make_hazards(log_ratio_care=0.0, log_ratio_rereferral=0.0, detect_care=1.3, detect_rereferral=1.2)
    usual = walk(detecting, strength=0.0)
    assert np.array_equal(usual.quantities, walk(make_hazards(), strength=0.0).quantities)
    for name in ("care_entries", "rereferrals"):
        assert total(detecting, name, 1.0) > total(detecting, name, 0.0)
    referred = walk(detecting, strength=1.0).quantities[AT["rereferrals"], :, 0]
    # A fifth more return in the first year in which they can.
    assert referred[1] / usual.quantities[AT["rereferrals"], 1, 0] > 1.1


def test_detection_follows_the_help_delivered_and_not_its_replication() -> None:
    detecting = make_hazards(detect_care=1.3)
    half, none, full = (
        walk(detecting, strength=0.0, delivered=share).quantities[AT["care_entries"], 0, 0] for share in (0.5, 0.0, 1.0)
    )
    usual = walk(make_hazards(), strength=0.0).quantities[AT["care_entries"], 0, 0]
    assert none == usual
    assert usual < half < full


def test_the_edge_of_care_is_an_entry_year_only() -> None:
    edge = make_hazards(care_entry_first=0.6, short_share_first=0.0)
    entries = walk(edge, strength=0.0).quantities[AT["care_entries"], :, 0]
    assert entries[0] > 3 * entries[1]


def test_the_expected_path_agrees_with_a_microsimulation() -> None:
    """An independent person-by-person simulation of the same rules in continuous time within the year: a test oracle.

    New cases and returns come at a random moment of the year; every later state begins when the one before it ends, at
    an exponential time. Only what follows a stay of a fast class comes at a random moment, since the stay counts whole
    in its year. Who closed or left care this year can come back from the next.
    """
    hazards = make_hazards(
        draws=1,
        first_entry=0.02,
        care_entry=(care := [0.3, 0.04, 0.03, 0.05, 0.12]),
        care_entry_first=care,
        log_ratio_rereferral=0.0,
        log_ratio_care=0.0,
        log_ratio_justice=0.0,
        logit_shift_grade=0.0,
        care_exit_first=[0.5, 0.3, 0.2, 0.2],
        care_exit_later=[0.4, 0.25, 0.15, 0.2],
        rereferral_first=0.39,
    )
    hazards = replace(
        hazards, entry_weight=(weight := np.linspace(2, 1, AGES)[:, None] / np.linspace(2, 1, AGES).sum())
    )
    exact = expected(hazards)
    people = simulate(hazards, weight[:, 0], people=40_000)
    simulated, error = people.mean(axis=0), people.std(axis=0) / np.sqrt(len(people))
    named = list(zip((*QUANTITIES, *CELLS, *GROUPS), simulated, exact, error, strict=True))
    assert (abs(simulated - exact) < 4.5 * error + 1e-4 * exact).all(), named
    check_histories(hazards, people)


def expected(hazards: Hazards) -> np.ndarray:
    groups = Layers(np.eye(len(GROUPS))[:, :, None], np.zeros(len(GROUPS), int), np.full(len(GROUPS), AGES))
    return np.concatenate([part[:, :, 0].sum(1) for part in walk(hazards, strength=0.0, layers=groups, **DOUBLE)])[
        [*range(len(QUANTITIES)), *range(len(QUANTITIES) + len(GROUPS), 25), *range(len(QUANTITIES), 13)]
    ]


@pytest.mark.parametrize(
    "rates",
    [
        # Cases that last, plans and stays in care that do not: most of what happens follows something else in the year.
        {"need_exit_slow": 0.05, "plan_start": 1.5, "plan_exit": 2.5, "care_entry": 0.4, "care_exit_first": 2.0},
        # One hazard for all three states, and none that ever ends.
        {"need_exit_slow": 0.0, "plan_start": 0.5, "plan_exit": 0.1, "care_entry": 0.4, "plan_care_ratio": 2.0},
        {"need_exit_slow": 0.0, "plan_start": 0.3, "plan_exit": 0.0, "care_entry": 0.1, "care_exit_first": 0.0},
    ],
)
def test_a_year_in_which_one_thing_follows_another_agrees_with_a_microsimulation(rates: dict[str, float]) -> None:
    """One year from first need at seventeen: years in each state, entries, plans, and who has left care by eighteen."""
    given = {"short_share_first": 0.2, "care_exit_first": 0.9} | rates
    given |= {"care_entry_first": given["care_entry"], "care_exit_later": given["care_exit_first"]}
    hazards = make_hazards(draws=1, **given)
    last = np.zeros((AGES, 1))
    last[-1] = 1.0
    exact = expected(replace(hazards, entry_weight=last))
    people = simulate(hazards, last[:, 0], people=60_000)
    simulated, error = people.mean(axis=0), people.std(axis=0) / np.sqrt(len(people))
    named = list(zip((*QUANTITIES, *CELLS, *GROUPS), simulated, exact, error, strict=True))
    assert (abs(simulated - exact) < 4.5 * error + 1e-9).all(), named


def check_histories(hazards: Hazards, people: np.ndarray) -> None:
    """What falls to children looked after by eighteen, against the same simulated people.

    Care, justice and grades are theirs within five per cent; their need is shared out by its hazard of care, which is
    within a third, and of the cost of a child looked after need is a small part.
    """
    like = xr.Dataset(coords={"chain": [0], "draw": [0]})
    ages = {"start": ("layer", [0]), "stop": ("layer", [AGES])}
    none = xr.DataArray(
        np.zeros((1, 4, 1, 1)),
        {"layer": ["none"], "group": list(GROUPS), **like.coords, **ages},
        ("layer", "group", "chain", "draw"),
    )
    usual = per_child(hazards, strength=0.0, rates=none, like=like)
    rates = xr.concat([none, occupancy_rates(none)], "layer")
    counted = per_child(hazards, strength=0.0, rates=rates, by_age=True, like=like)
    np.testing.assert_allclose(counted["events"].sum("year")[:10], usual["events"].sum("year"), rtol=1e-5)
    np.testing.assert_allclose(counted["cells"].sel(year_of_18=AGES), usual["cells"].sum("year_of_18"), rtol=1e-5)
    assert float(counted["events"].sel(quantity=list(GROUPS)).sum()) == pytest.approx(
        float(((AGES - 0.5 - np.arange(AGES)) * hazards.entry_weight[:, 0]).sum()), rel=1e-5
    )
    found = looked_after_part(usual, counted, hazards, like=like)
    cared = people[:, len(QUANTITIES) + 4 : len(QUANTITIES) + len(CELLS)].sum(axis=1) > 0
    assert float(found["cells"].sum()) == pytest.approx(cared.mean(), rel=0.05)
    theirs = dict(zip(QUANTITIES, (people * cared[:, None]).mean(axis=0), strict=False))
    ours = found["events"].sum("year").isel(chain=0, draw=0).to_series()
    for name in ("care_entries", "care_years", "first_time_entries", "below_grade_4"):
        assert ours[name] == pytest.approx(theirs[name], rel=0.06)
    need = ["first_need_years", "repeat_need_years", "plan_years"]
    assert ours[need].sum() == pytest.approx(sum(theirs[name] for name in need), rel=1 / 3)


def test_an_effect_begins_at_its_onset_and_is_whole_while_flat() -> None:
    hazards = make_hazards(half_life=2.0, onset=0.5, flat=np.array([0.0, 3.0, np.inf, 1.0]))
    rereferral, justice, grade, care = (
        _fade(hazards, 0.8, name)[:, 0] for name in ("repeat_referrals", "youth_justice", "gcse_attainment", "care")
    )
    halves = 0.5 ** (np.arange(AGES) / 2)
    late = np.array([0.25, 0.875, *np.ones(AGES - 2)])  # a child who came in June is helped from January on
    np.testing.assert_allclose(rereferral, 0.8 * late * halves)
    np.testing.assert_allclose(justice, 0.8 * late * np.array([1, 1, 1, 1, *halves[1 : AGES - 3]]))
    np.testing.assert_allclose(grade, 0.8 * late)
    np.testing.assert_allclose(care, 0.8 * late * np.array([1, 1, *halves[1 : AGES - 1]]))


def test_the_shares_of_an_onset_are_those_of_children_who_come_evenly_over_the_year() -> None:
    onset, arrivals = 0.3, (np.arange(20_000) + 0.5) / 20_000
    first = np.clip(1 - arrivals - onset, 0, None).mean() / (1 - arrivals).mean()
    second = (1 - np.clip(arrivals + onset - 1, 0, None)).mean()
    shares = _fade(make_hazards(half_life=np.inf, onset=onset), 1.0, "care")[:2, 0]
    np.testing.assert_allclose(shares, [first, second], rtol=1e-6)
