"""Children whom a programme serves: their ages, their published risks, and when an effect acts."""

from dataclasses import fields, replace

import numpy as np
import pytest
import xarray as xr

from tests.unit.pathways.conftest import make_hazards
from toolkit.pathways.cohort import QUANTITIES, Hazards, walk
from toolkit.pathways.kernel import AGES
from toolkit.pathways.served import Risk, at_risk, of_ages, served_hazards, with_timing
from toolkit.schema import EFFECT_OUTCOMES, SAMPLE_DIMS, InputError

AT = {name: index for index, name in enumerate(QUANTITIES)}


def events(hazards: Hazards, name: str, strength: float = 0.0) -> np.ndarray:
    """Expected events by year since contact, of a single draw."""
    return walk(hazards, strength=strength, dtype=float).quantities[AT[name], :, 0]


def changed(before: Hazards, after: Hazards) -> set[str]:
    names = (part.name for part in fields(Hazards))
    return {name for name in names if not np.array_equal(getattr(before, name), getattr(after, name))}


# ages


def test_ages_restrict_the_weights_and_keep_their_proportions(hazards: Hazards) -> None:
    weight = np.arange(1.0, AGES + 1)[:, None] * np.ones(3) / 171  # of age a: (a + 1) / 171
    some = of_ages(replace(hazards, entry_weight=weight), 2, 4)
    np.testing.assert_allclose(some.entry_weight[2:5, 0], [3 / 12, 4 / 12, 5 / 12], rtol=1e-12)
    assert np.count_nonzero(some.entry_weight[:, 0]) == 3
    assert changed(hazards, some) == {"entry_weight"}


def test_each_draw_is_restricted_by_itself(hazards: Hazards) -> None:
    weight = np.full((AGES, 3), 1.0)
    weight[0] = [1.0, 2.0, 3.0]
    young = of_ages(replace(hazards, entry_weight=weight / weight.sum(0)), 0, 1).entry_weight
    np.testing.assert_allclose(young[:2], [[1 / 2, 2 / 3, 3 / 4], [1 / 2, 1 / 3, 1 / 4]], rtol=1e-12)


def test_ages_beyond_childhood_keep_those_of_childhood(hazards: Hazards) -> None:
    np.testing.assert_allclose(of_ages(hazards, 16, 24).entry_weight[:, 1], [0] * 16 + [0.5, 0.5], rtol=1e-12)
    assert of_ages(hazards, 0, 25).entry_weight == pytest.approx(hazards.entry_weight, rel=1e-12)


@pytest.mark.parametrize(("youngest", "oldest"), [(18, 21), (6, 5)])
def test_ages_of_no_child_are_refused(hazards: Hazards, youngest: int, oldest: int) -> None:
    with pytest.raises(InputError, match=f"ages {youngest} to {oldest}.*Fix"):
        of_ages(hazards, youngest, oldest)


# care


@pytest.mark.parametrize(("risk", "months"), [(0.448, 12), (0.36, 6), (0.025, 24), (0.40, 42), (0.13, 35), (0.036, 84)])
def test_the_chance_of_care_is_the_published_one(risk: float, months: int) -> None:
    """Without re-entry, each entry is a child's first, so that those counted by then are the chance.

    Children come evenly over year 0: at the end of year k they have been known for k + 1/2 years on average.
    """
    alone = make_hazards(draws=1, reentry_first=0.0, reentry_later=0.0)
    entries = events(at_risk(alone, {"care": Risk(risk, months / 12)}), "care_entries")
    chance = entries[0] if months <= 12 else np.interp(months / 12, np.arange(AGES) + 0.5, np.cumsum(entries))
    assert chance == pytest.approx(risk, rel=1e-5)


@pytest.mark.parametrize(("risk", "months"), [(0.025, 24), (0.2, 42), (0.05, 45)])
def test_a_constant_danger_has_the_hazard_of_its_closed_form(risk: float, months: int) -> None:
    """Cases that stay open under one hazard of care h, of children too young to turn eighteen: 1 - e^(-h years)."""
    quiet = dict.fromkeys(("need_exit_slow", "plan_start", "short_share", "short_share_first"), 0.0)
    infants = of_ages(make_hazards(draws=1, **quiet), 0, 0)
    raised = at_risk(infants, {"care": Risk(risk, months / 12)})
    hazard = -np.log1p(-risk) / (months / 12)
    # Means over a year's arrivals, joined by straight lines, miss the curve by at most h^2 / 6 of those still at risk.
    assert raised.care_entry[:, 0] == pytest.approx(hazard, rel=1.1 * hazard / (6 * months / 12))
    np.testing.assert_array_equal(raised.care_entry, raised.care_entry_first)


def test_of_children_who_never_leave_care_those_in_it_in_a_window_are_all_who_came_by_its_end() -> None:
    """Under a constant hazard h, 1 - e^(-2 h) are in care at some time from 19 to 24 months after contact."""
    quiet = dict.fromkeys(("need_exit_slow", "plan_start", "short_share", "short_share_first"), 0.0)
    quiet |= {"care_short_share": 0.0}
    stay = {"care_exit_first": 0.0, "care_exit_later": 0.0}
    window = {"care": Risk(0.025, 2.0, 19 / 12)}
    for_ever, leaving = (
        at_risk(of_ages(make_hazards(draws=1, **quiet, **exits), 0, 0), window).care_entry[0, 0] for exits in (stay, {})
    )
    hazard = -np.log1p(-0.025) / 2
    assert for_ever == pytest.approx(hazard, rel=hazard)  # straight lines in place of the curve
    # Who leaves at 0.3 a year is away by then with a chance of about a fifth: more must come in for as many to stay.
    assert 1.1 < leaving / for_ever < 1.35


def test_of_stays_of_weeks_only_those_in_the_window_or_just_before_it_are_seen() -> None:
    """Under a small hazard h, a share h (window + years of a stay lived by its start) is in care at some time in it."""
    quiet = dict.fromkeys(("need_exit_slow", "plan_start", "short_share", "short_share_first"), 0.0)
    quiet |= dict.fromkeys(("reentry_first", "reentry_later"), 0.0)
    quiet |= {"care_exit_fast": 20.0, "care_exit_first": 0.3, "care_exit_later": 0.3}
    window, start = {"care": Risk(0.002, 2.0, 19 / 12)}, 19 / 12
    for share in (0.0, 0.5, 0.9):
        brief = of_ages(make_hazards(draws=1, **quiet, care_short_share=share), 0, 0)
        lived = share / 20 + (1 - share) * (1 - np.exp(-0.3 * start)) / 0.3
        hazard = at_risk(brief, window).care_entry[0, 0]
        assert hazard * (2 - start + lived) == pytest.approx(0.002, rel=0.03)  # straight lines in place of the curve


def test_children_who_come_back_to_care_are_counted_once() -> None:
    """However often children go in and out of care, the hazard that gives the chance to enter it is the same."""
    published = {"care": Risk(0.40, 3.5)}
    once = at_risk(make_hazards(draws=1, reentry_first=0.0, reentry_later=0.0), published)
    often = at_risk(make_hazards(draws=1, reentry_first=2.0, reentry_later=1.0), published)
    np.testing.assert_allclose(often.care_entry, once.care_entry, rtol=1e-12)


def test_a_risk_within_a_year_moves_the_year_of_contact_alone(hazards: Hazards) -> None:
    edge = at_risk(hazards, {"care": Risk(0.448, 1.0)})
    assert changed(hazards, edge) == {"care_entry_first", "short_share_first"}
    assert not edge.short_share_first.any()
    longer = at_risk(hazards, {"care": Risk(0.1, 2.0)})
    assert changed(hazards, longer) == {"care_entry", "care_entry_first"}
    ratio = longer.care_entry / hazards.care_entry
    np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-12)  # every band of age and draw alike
    np.testing.assert_allclose(longer.care_entry_first / hazards.care_entry_first, ratio[0, 0], rtol=1e-12)


@pytest.mark.parametrize(("risk", "years"), [(0.999, 1.0), (1e-6, 2.0), (0.0, 1.0), (1.0, 2.0)])
def test_a_risk_of_care_out_of_reach_is_refused_by_name(hazards: Hazards, risk: float, years: float) -> None:
    with pytest.raises(InputError, match=f"pause: a risk of care of {risk:g}.*out of reach.*Fix"):
        at_risk(hazards, {"care": Risk(risk, years)}, name="pause")


# justice and grades


@pytest.mark.parametrize(("risk", "years"), [(0.046, 2.0), (0.53, 5.0)])
def test_first_entry_to_justice_has_the_published_risk(hazards: Hazards, risk: float, years: float) -> None:
    served = at_risk(hazards, {"youth_justice": Risk(risk, years)})
    hazard = served.first_entry * served.ratio_need
    assert 1 - np.exp(-hazard * years) == pytest.approx(risk, rel=1e-12)
    assert changed(hazards, served) == {"first_entry"}


def test_draws_of_justice_keep_their_spread_about_the_published_hazard(hazards: Hazards) -> None:
    spread = replace(hazards, first_entry=np.array([0.001, 0.002, 0.003]))
    served = at_risk(spread, {"youth_justice": Risk(0.3, 4.0)})
    np.testing.assert_allclose(served.first_entry / served.first_entry[1], [0.5, 1.0, 1.5], rtol=1e-12)
    assert float((served.first_entry * served.ratio_need).mean()) == pytest.approx(-np.log(0.7) / 4, rel=1e-12)


def test_the_share_with_a_good_grade_is_the_published_one() -> None:
    """All who turn sixteen sit the exam: 17 of 18 ages at entry; nobody's risk depends on what went before."""
    served = at_risk(make_hazards(draws=1), {"gcse_attainment": Risk(0.55, 16.0)})
    assert events(served, "below_grade_4").sum() == pytest.approx(0.45 * 17 / 18, rel=1e-12)
    assert changed(make_hazards(draws=1), served) == {"logit_grade_now", "logit_grade_ever"}


@pytest.mark.parametrize("outcome", ["youth_justice", "gcse_attainment"])
@pytest.mark.parametrize("risk", [0.0, 1.0])
def test_a_risk_of_nobody_or_everybody_is_refused(hazards: Hazards, outcome: str, risk: float) -> None:
    with pytest.raises(InputError, match=f"sure_start: a risk of {outcome} of {risk:g} is out of reach.*Fix"):
        at_risk(hazards, {outcome: Risk(risk, 2.0)}, name="sure_start")


def test_no_published_risk_changes_nothing(hazards: Hazards) -> None:
    assert changed(hazards, at_risk(hazards, {})) == set()


# timing


def test_timing_is_each_draws_onset_and_each_outcomes_years() -> None:
    hazards = make_hazards(draws=4)
    flat = np.array([1.0, 2.0, np.inf, 4.0])
    timed = with_timing(hazards, np.array([[0.1, 0.2], [0.3, 0.4]]), flat)  # chain by chain, as draws are
    np.testing.assert_array_equal(timed.onset, [0.1, 0.2, 0.3, 0.4])
    np.testing.assert_array_equal(timed.flat, flat[:, None] * np.ones(4))
    assert changed(hazards, timed) == {"onset", "flat"}


def test_an_effect_starts_at_its_onset_and_lasts_while_it_is_whole() -> None:
    """Entries fall by the ratio of each year, apart from the few children more or fewer who are left to enter."""
    hazards = make_hazards(draws=1, log_ratio_care=-0.2, half_life=1e-3)  # gone at once after the years it is whole
    usual = events(hazards, "care_entries")
    flat = np.zeros(len(EFFECT_OUTCOMES))
    flat[EFFECT_OUTCOMES.index("care")] = 2.0
    entries = events(with_timing(hazards, np.zeros(1), flat), "care_entries", 1.0)
    assert entries[:3] == pytest.approx(usual[:3] * np.exp(-0.2), rel=0.03)
    assert entries[4:10] == pytest.approx(usual[4:10], rel=0.02)
    late = events(with_timing(hazards, np.ones(1), np.zeros(len(EFFECT_OUTCOMES))), "care_entries", 1.0)
    np.testing.assert_allclose(late[0], usual[0], rtol=1e-12)


def test_an_effect_that_lasts_never_fades_in_its_own_draws() -> None:
    timed = with_timing(make_hazards(draws=3), np.zeros(3), np.ones(4), np.array([[True, False, True]]))
    assert timed.half_life[[0, 2]].tolist() == [np.inf, np.inf] and np.isfinite(timed.half_life[1])


# those served


def used(draws: int, **changes: object) -> xr.Dataset:
    """What `used_effects` says of the timing and risk of a programme, in one chain."""
    flat = np.arange(1.0, draws + 1)[None, :, None, None] * np.ones((1, draws, 1, len(EFFECT_OUTCOMES)))
    flags = {
        name: (SAMPLE_DIMS, np.broadcast_to(changes.get(name, False), (1, draws))) for name in ("lasts", "average_risk")
    }
    values = {"onset": ((*SAMPLE_DIMS, "programme"), np.full((1, draws, 1), 0.25)), **flags}
    values["flat"] = ((*SAMPLE_DIMS, "programme", "outcome"), flat)
    return xr.Dataset(values, {"programme": ["club"], "outcome": list(EFFECT_OUTCOMES)})


ROW = {"ages_from": 11, "ages_to": 16, "target_group": "in_need"}
RISKS = {"care": Risk(0.1, 2.0), "youth_justice": Risk(0.2, 2.0)}


def test_each_draw_has_the_risk_of_those_served_or_the_areas_own(hazards: Hazards) -> None:
    plain = of_ages(hazards, 11, 16)
    published = at_risk(plain, RISKS)
    mixed = served_hazards(hazards, used(3, average_risk=[True, False, True]), "club", ROW, RISKS)
    for name in changed(plain, published):
        np.testing.assert_array_equal(getattr(mixed, name)[..., 1], getattr(published, name)[..., 1], name)
        np.testing.assert_array_equal(getattr(mixed, name)[..., [0, 2]], getattr(plain, name)[..., [0, 2]], name)
    assert changed(plain, mixed) - changed(plain, published) == {"onset", "flat"}
    average = served_hazards(hazards, used(3, average_risk=True), "club", ROW, RISKS)
    assert changed(plain, average) == {"onset", "flat"}


def test_who_serves_a_group_by_definition_never_serves_the_average_child(hazards: Hazards) -> None:
    row = {**ROW, "target_group": "pre_proceedings"}
    edge = served_hazards(hazards, used(3, average_risk=True), "club", row, RISKS)
    assert changed(at_risk(of_ages(hazards, 11, 16), RISKS), edge) == {"onset", "flat"}


def test_those_served_have_each_draws_timing(hazards: Hazards) -> None:
    served = served_hazards(hazards, used(3, lasts=[False, True, False]), "club", ROW, {})
    np.testing.assert_array_equal(served.flat, np.arange(1.0, 4) * np.ones((4, 1)))
    assert served.onset.tolist() == [0.25] * 3
    assert np.isinf(served.half_life).tolist() == [False, True, False]
    np.testing.assert_array_equal(  # nothing is timed where there is no effect
        walk(served, strength=0.0, dtype=float).quantities, walk(of_ages(hazards, 11, 16), strength=0.0, dtype=float)[0]
    )


def test_help_for_eleven_to_seventeen_moves_nothing_before_eleven() -> None:
    effects = {"log_ratio_care": -0.5, "log_ratio_rereferral": -0.5, "log_ratio_justice": -0.5}
    teenagers = of_ages(make_hazards(draws=1, **effects), 11, 17)
    helped, usual = (walk(teenagers, strength=strength, by_age=True, dtype=float) for strength in (1.0, 0.0))
    assert not usual.quantities[:, :11].any()
    assert not helped.quantities[:, :11].any()
    for name in ("care_entries", "rereferrals", "first_time_entries"):
        assert (helped.quantities[AT[name], 12:] < usual.quantities[AT[name], 12:]).all(), name
