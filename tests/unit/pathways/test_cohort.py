from dataclasses import replace

import numpy as np
import pytest
from numpy.random import default_rng

from tests.unit.pathways.conftest import make_hazards
from toolkit.pathways.cohort import AGES, QUANTITIES, Hazards, walk

AT = {name: index for index, name in enumerate(QUANTITIES)}


def total(hazards: Hazards, name: str, strength: float = 0.0) -> float:
    return float(walk(hazards, strength=strength)[AT[name], :, 0].sum())


def test_no_hazards_leave_every_child_in_its_first_episode() -> None:
    still = make_hazards(need_exit=1e-12, care_entry=0, care_entry_first=0, first_entry=0)
    # Ages at entry 0 to 17 alike: the mean time left to eighteen is 9.5 years.
    assert total(still, "first_need_years") == pytest.approx(9.5, rel=1e-9)
    for name in ("rereferrals", "care_entries", "care_years", "first_time_entries", "repeat_need_years"):
        assert total(still, name) == pytest.approx(0.0, abs=1e-10)


def test_first_episodes_match_the_closed_form() -> None:
    """With closure alone at hazard h, a child entering with n years left is open 0.5 + q + ... + 0.5 q^n, q = e^-h."""
    closing = make_hazards(need_exit=0.7, care_entry=0, care_entry_first=0, rereferral_first=0, rereferral_later=0)
    q = np.exp(-0.7)
    expected = np.mean([sum(0.5 * (q**t + q ** (t + 1)) for t in range(n)) for n in range(1, 19)])
    assert total(closing, "first_need_years") == pytest.approx(expected, rel=1e-12)


def test_first_entry_to_justice_matches_the_closed_form() -> None:
    """Nobody in care: the share entering by eighteen is 1 - e^(-rate x ratio x years lived from 10 to 17)."""
    alone = make_hazards(care_entry=0, care_entry_first=0, first_entry=0.01, ratio_need=3.0)
    years = [min(8, 18 - age) for age in range(18)]
    expected = np.mean([1 - np.exp(-0.03 * n) for n in years])
    assert total(alone, "first_time_entries") == pytest.approx(expected, rel=1e-12)


def test_everyone_who_turns_sixteen_sits_the_exam(hazards: Hazards) -> None:
    certain = replace(hazards, logit_grade_now=np.full(3, -50.0), logit_grade_ever=np.full(3, -50.0))
    assert total(certain, "below_grade_4") == pytest.approx(17 / 18, rel=1e-12)  # those who enter at 17 have sat it


def test_zero_effect_is_business_as_usual_exactly(hazards: Hazards) -> None:
    none = replace(
        hazards,
        log_ratio_rereferral=np.zeros(3),
        log_ratio_care=np.zeros(3),
        log_ratio_justice=np.zeros(3),
        logit_shift_grade=np.zeros(3),
    )
    assert np.array_equal(walk(none, strength=1.0), walk(hazards, strength=0.0))


def test_an_effect_fades_by_its_half_life() -> None:
    """A care effect moves the first year in full and the hazard one half-life later by half."""
    only_care = make_hazards(need_exit=1e-12, care_exit=1e-12, half_life=2.0, log_ratio_care=-0.2)
    usual, helped = (walk(only_care, strength=s)[AT["care_entries"], :, 0] for s in (0.0, 1.0))
    left = np.array([(AGES - t) / AGES for t in range(AGES)])  # share of entry ages still under 18 in year t

    def hazard(entries: np.ndarray) -> np.ndarray:
        still, rates = 1.0, []
        for t in range(4):
            chance = entries[t] / left[t] / still
            rates.append(-np.log1p(-chance))
            still *= 1 - chance
        return np.array(rates)

    ratio = np.log(hazard(helped) / hazard(usual))
    assert ratio == pytest.approx([-0.2 * 0.5 ** (t / 2) for t in range(4)], rel=1e-6)


def test_detection_raises_contact_only_where_there_is_help() -> None:
    detecting = make_hazards(log_ratio_care=0.0, log_ratio_rereferral=0.0, detect_care=1.3, detect_rereferral=1.2)
    assert np.array_equal(walk(detecting, strength=0.0), walk(make_hazards(), strength=0.0))
    for name in ("care_entries", "rereferrals"):
        assert total(detecting, name, 1.0) > total(detecting, name, 0.0)
    referred = walk(detecting, strength=1.0)[AT["rereferrals"], :, 0]
    usual = walk(detecting, strength=0.0)[AT["rereferrals"], :, 0]
    assert referred[1] / usual[1] > 1.1  # a fifth more return in the first year in which they can


def test_detection_follows_the_help_delivered_and_not_its_replication() -> None:
    detecting = make_hazards(detect_care=1.3)
    half, none = (walk(detecting, strength=0.0, delivered=share)[AT["care_entries"], 0, 0] for share in (0.5, 0.0))
    usual = walk(make_hazards(), strength=0.0)[AT["care_entries"], 0, 0]
    assert none == usual
    full = walk(detecting, strength=0.0, delivered=1.0)[AT["care_entries"], 0, 0]
    assert usual < half < full


def test_the_edge_of_care_is_an_entry_year_only() -> None:
    edge = make_hazards(care_entry_first=0.6)
    entries = walk(edge, strength=0.0)[AT["care_entries"], :, 0]
    assert entries[0] > 5 * entries[1]


def test_the_expected_path_agrees_with_a_microsimulation() -> None:
    """An independent person-by-person simulation of the same rules, 400,000 children: a test oracle only."""
    hazards = make_hazards(draws=1, first_entry=0.02)
    exact = walk(hazards, strength=0.8)[:, :, 0].sum(axis=1)
    simulated, error = simulate(hazards, strength=0.8, people=400_000)
    assert (abs(simulated - exact) < 4.5 * error).all(), list(zip(QUANTITIES, simulated, exact, error, strict=True))


def chance(hazard: float | np.ndarray) -> float | np.ndarray:
    return 1 - np.exp(-hazard)


def simulate(hazards: Hazards, *, strength: float, people: int) -> tuple[np.ndarray, np.ndarray]:
    rng = default_rng(7)
    h = {name: float(np.ravel(value)[0]) for name, value in vars(hazards).items()}
    entry = rng.integers(0, AGES, people)
    state = np.zeros(people, int)
    offended = np.zeros(people, bool)
    counts = np.zeros((people, len(QUANTITIES)))
    for t in range(AGES):
        live = entry + t < AGES
        age = entry + t
        fade = strength * 0.5 ** (t / h["half_life"])
        u = rng.random((people, 3))
        helped = np.exp(h["log_ratio_rereferral"] * fade)
        care = h["care_entry"] * np.exp(h["log_ratio_care"] * fade)
        out = chance(h["need_exit"] + care)
        share = care / (h["need_exit"] + care)
        sixteen = live & (age == 16)
        now = np.isin(state, (0, 1, 4))
        grade = np.where(now, h["logit_grade_now"], h["logit_grade_ever"]) + h["logit_shift_grade"] * fade
        counts[sixteen, 6] += (rng.random(people) < 1 / (1 + np.exp(grade)))[sixteen]
        ratio = np.where(state == 4, h["ratio_care"], h["ratio_need"])
        rate = h["first_entry"] * np.exp(h["log_ratio_justice"] * fade) * ratio
        enters = live & (age >= 10) & ~offended & (rng.random(people) < chance(rate))
        counts[enters, 5] += 1
        offended |= enters
        new = state.copy()
        open_, closed1, closed2, cared, gone = (np.isin(state, s) for s in ((0, 1), (2,), (3,), (4,), (5,)))
        leaves = open_ & (u[:, 0] < out)
        to_care = leaves & (u[:, 1] < share)
        new[leaves], new[to_care] = 2, 4
        again = (closed1 & (u[:, 0] < chance(h["rereferral_first"] * helped))) | (
            closed2 & (u[:, 0] < chance(h["rereferral_later"] * helped))
        )
        new[closed1] = 3
        new[again] = np.where(u[again, 1] < h["to_need"], 1, 2)
        new[cared & (u[:, 0] < chance(h["care_exit"]))] = 5
        back = gone & (u[:, 0] < chance(h["care_reentry"] * np.exp(h["log_ratio_care"] * fade)))
        new[back] = 4
        counts[live & again, 0] += 1
        counts[live & (to_care | back), 3] += 1
        for column, which in ((2, 0), (1, 1), (4, 4)):
            counts[live, column] += 0.5 * ((state == which) * 1.0 + (new == which))[live]
        state = np.where(live, new, state)
    return counts.mean(axis=0), counts.std(axis=0) / np.sqrt(people)
