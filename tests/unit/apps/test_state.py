"""The scenario a visitor holds: address, file, history, and what is refused of each."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit import scenarios
from toolkit.apps.state import LARGEST_FILE, State
from toolkit.schema import InputError

pytestmark = pytest.mark.fit


@pytest.fixture
def state(live):
    return State(live)


def test_the_address_gives_the_same_scenario_back(state, live):
    state.change(option={"spend_per_child": 41.0, "years": 5}, effect={"source": "trials"}, horizon=40)
    state.override("price_care_year", {"value": 90000, "price_year": "2024/25", "reason": "our ledger & <b>ours</b>"})
    state.go_to("Rutland")
    other = State(live)
    other.read_address(state.address)
    assert (other.scenario, other.place, other.messages) == (state.scenario, "Rutland", [])


@pytest.mark.parametrize("name", ["family_help_cut", "care_edge", "family_help_detection"])
def test_a_preset_survives_its_address(state, live, name):
    state.start_from(name)
    other = State(live)
    other.read_address(state.address)
    assert other.scenario.hash == state.scenario.hash


def test_each_bad_key_is_named_and_the_rest_is_used(state):
    state.read_address("?place=Nowhere&option.spend_per_child=30&effect.replication=7&effect.sorce=trials&start=x")
    assert state.scenario.option.spend_per_child == 30
    assert state.scenario.effect.replication == 0.5
    said = " ".join(state.messages)
    assert all(word in said for word in ("place:", "effect.replication", "effect.source?", "start:"))
    assert len(state.messages) == 4


@pytest.mark.parametrize(
    "query",
    [
        "?option.cost_per_family=nothing_known",
        "?discount_schedule=mine",
        "?option.spend_per_child=true",
        "?option.spend_per_child=1e999",
        "?option=5",
        "?seed=7",
        "?overrides.price_care_year={}",
        '?overrides.nobody={"value":1,"reason":"because"}',
        "?horizon=[1]",
        "?" + "a" * 10_000,
    ],
)
def test_an_unusable_address_leaves_the_evidence_and_says_so(state, query):
    before = state.scenario
    state.read_address(query)
    assert state.scenario == before
    assert len(state.messages) == 1


@given(st.text(max_size=200))
def test_no_address_breaks_the_page(live, query):
    State(live).read_address("?" + query)


def test_the_file_is_the_commands_own(state, live, tmp_path):
    state.change(option={"years": 4})
    path = tmp_path / "mine.yaml"
    path.write_text(state.file(), encoding="utf-8")
    assert scenarios.load(path) == state.scenario
    other = State(live)
    other.load(path.read_bytes())
    assert other.scenario == state.scenario


@pytest.mark.parametrize(
    "content",
    [
        b"", b"[1, 2]", b"name: x\nname: y", b"\xff\xfe", b"a: !!python/object/apply:os.system [true]", b"[" * 5000,
        b"a: &x [1]\nb: *x", b"based_on: ../../secret.yaml", b"based_on: family_help\noption: {spend_per_child: -1}",
        b"x" * (LARGEST_FILE + 1),
    ],
)  # fmt: skip
def test_a_bad_file_is_refused_and_nothing_changes(state, content):
    before = state.scenario
    with pytest.raises(InputError):
        state.load(content)
    assert state.scenario == before


def test_undo_and_redo(state):
    first = state.scenario
    state.change(option={"spend_per_child": 30.0})
    state.go_to("Kent")
    state.undo()
    assert (state.place, state.scenario.option.spend_per_child) == ("Leeds", 30)
    state.undo()
    assert state.scenario == first and not state.can_undo
    state.redo()
    state.redo()
    assert state.place == "Kent" and not state.can_redo
    state.change(option={"spend_per_child": 31.0})
    state.reset()
    assert state.scenario == first and state.changed == {}


def test_the_ramp_follows_the_years(state):
    state.change(option={"years": 6})
    assert len(state.scenario.effect.ramp) == 6


def test_a_drag_is_one_step(state, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr("toolkit.apps.state.monotonic", lambda: clock[0])
    for pounds in range(23, 61):
        clock[0] += 0.05
        state.change(option={"spend_per_child": float(pounds)})
    state.change(horizon=40)  # another setting is another step, however soon
    clock[0] += 5.0
    state.change(horizon=50)  # and so is the same setting later
    for left in ((60, 40), (60, 70), (22, 70)):
        state.undo()
        assert (state.scenario.option.spend_per_child, state.scenario.horizon) == left
    assert not state.can_undo
    state.redo()
    state.change(option={"spend_per_child": 61.0})  # after a step back there is none to go on with
    state.undo()
    assert state.scenario.option.spend_per_child == 60
