"""Leagues of the dashboard: worked out once for what they depend on, in the background where somebody waits."""

import threading
import time
from types import SimpleNamespace

import pandas as pd
import pytest

from toolkit import scenarios
from toolkit.apps.engine import leagues
from toolkit.apps.engine.jobs import Job
from toolkit.apps.engine.leagues import Leagues, leagues_of
from toolkit.apps.engine.live import PROGRESS
from toolkit.schema import InputError

AREAS = ("E08000035",)


class Fake:
    """Stands in for the fitted evidence of a process."""


@pytest.fixture
def scenario() -> scenarios.Scenario:
    return scenarios.load("families_first")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was worked out, in order."""
    done: list[str] = []

    def league(self: Leagues, scenario: scenarios.Scenario, areas: tuple[str, ...], progress: object) -> object:
        done.append("league")
        return SimpleNamespace(table=pd.DataFrame({"label": ["A", "B"]}, index=["a", "b"]))

    def panel(self: Leagues, scenario: object, areas: object, league: object, name: str, progress: object) -> str:
        done.append(name)
        return f"panel of {name}"

    monkeypatch.setattr(Leagues, "_league", league)
    monkeypatch.setattr(Leagues, "_panel", panel)
    return done


def waiting(work):
    """Do something as a page does, with somebody who waits for progress."""
    token = PROGRESS.set(lambda stage, share: None)
    try:
        return work()
    finally:
        PROGRESS.reset(token)


def finished(work, seconds: float = 10.0):
    """Ask until the answer is there."""
    until = time.monotonic() + seconds
    while isinstance(answer := waiting(work), Job) and time.monotonic() < until:
        time.sleep(0.01)
    assert not isinstance(answer, Job)
    return answer


def test_where_nobody_waits_it_is_worked_out_at_once_and_once(scenario, made) -> None:
    ours = Leagues(Fake())
    assert ours.wanted(scenario, AREAS, "")[1] == "panel of a"  # the first of the league
    assert ours.wanted(scenario, AREAS, "b")[1] == "panel of b"
    assert ours.wanted(scenario, AREAS, "a")[1] == "panel of a"
    assert made == ["league", "a", "b"]


def test_sum_and_adjustments_change_nothing_but_figures_places_and_fading_do(scenario, made) -> None:
    ours = Leagues(Fake())
    key = ours.key(scenario, AREAS)
    for same in (
        {"plan": [{"programme": "triple_p", "pounds_per_child": [9.0]}]},
        {"adjustments": {"deadweight": 0.2}},
        {"effect": {"take_up": 0.9}},
        {"title": "Another"},
    ):
        assert ours.key(scenarios.change(scenario, **same), AREAS) == key, same
    for other in (
        {"effect": {"shared_luck": 0.1}},
        {"effect": {"structure": {"fade": {"none": 1.0}}}},
        {"horizon": 30},
        {"seed": 9},
    ):
        assert ours.key(scenarios.change(scenario, **other), AREAS) != key, other
    assert ours.key(scenario, (*AREAS, "E06000047")) != key


def test_whoever_waits_gets_the_work_and_then_its_result(scenario, made, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, plain = threading.Event(), Leagues._league

    def held(*words: object) -> object:
        assert gate.wait(10)
        return plain(*words)

    monkeypatch.setattr(Leagues, "_league", held)
    ours = Leagues(Fake())
    first, second = (waiting(lambda: ours.wanted(scenario, AREAS, "b")) for _ in range(2))
    assert isinstance(first, Job) and first is second and first.running  # nobody starts the same work twice
    assert not ours.known(ours.key(scenario, AREAS))
    gate.set()
    assert finished(lambda: ours.wanted(scenario, AREAS, "b"))[1] == "panel of b"
    assert made == ["league", "b"] and ours.known(ours.key(scenario, AREAS))
    assert not isinstance(waiting(lambda: ours.wanted(scenario, AREAS, "b")), Job)


def test_what_goes_wrong_is_raised_to_who_waits_and_can_be_tried_again(scenario, made, monkeypatch) -> None:
    def failing(*_: object) -> object:
        raise InputError("no areas.", fix="choose some.")

    monkeypatch.setattr(Leagues, "_league", failing)
    ours = Leagues(Fake())
    with pytest.raises(InputError, match="no areas"):
        finished(lambda: ours.wanted(scenario, AREAS, ""))
    with pytest.raises(InputError, match="no areas"):
        finished(lambda: ours.wanted(scenario, AREAS, ""))


def test_a_programme_that_is_none_is_refused(scenario, made) -> None:
    with pytest.raises(InputError, match="programme 'nobody': there is none"):
        Leagues(Fake()).wanted(scenario, AREAS, "nobody")


def test_progress_is_shown_with_its_share() -> None:
    seen, gate = threading.Event(), threading.Event()

    def work(progress):
        progress("price programmes", 0.25)
        seen.set()
        assert gate.wait(10)

    job = Job(work)
    assert seen.wait(10) and job.stage == "price programmes, 25%" and job.running and job.problem is None
    gate.set()


def test_a_process_has_one_set_of_leagues() -> None:
    one, other = Fake(), Fake()
    assert leagues_of(one) is leagues_of(one) and leagues_of(one) is not leagues_of(other)
    assert leagues.MOST["league"] >= 2
