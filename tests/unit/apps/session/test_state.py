"""The scenario a visitor holds: address, file, history, and what is refused of each."""

import json

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from panel.util import edit_readonly

from benchmarks import fuzz_readers as fuzz
from toolkit import scenarios, workflow
from toolkit.apps.engine.live import Live
from toolkit.apps.parts import look
from toolkit.apps.parts.entry import MOST_CHARACTERS
from toolkit.apps.session.starts import LARGEST_FILE
from toolkit.apps.session.state import LARGEST_HISTORY, LONGEST_ADDRESS, State
from toolkit.apps.session.usable import MOST_CHECKS
from toolkit.apps.shell import Site
from toolkit.schema import InputError

pytestmark = pytest.mark.fit


@pytest.fixture
def state(live):
    return State(live)


def test_the_address_gives_the_same_scenario_back(state, live):
    state.change(effect={"scale_up": 0.75, "structure": {"fade": {"none": 1.0}}}, horizon=40)
    state.buy([{"programme": "multisystemic_therapy", "units": [30.0, 40.0], "first_year": 2028}])
    state.multiply(0.35)
    state.override("price_care_year", {"value": 90000, "price_year": "2024/25", "reason": "our ledger & <b>ours</b>"})
    state.go_to("Rutland")
    other = State(live)
    other.read_address(state.address)
    assert (other.scenario, other.place, other.messages) == (state.scenario, "Rutland", [])


@pytest.mark.parametrize("name", ["family_help_2025", "multisystemic_therapy", "functional_family_therapy"])
def test_a_preset_survives_its_address(state, live, name):
    state.start_from(name)
    other = State(live)
    other.read_address(state.address)
    assert other.scenario.hash == state.scenario.hash


def test_each_bad_key_is_named_and_the_rest_is_used(state):
    state.read_address("?place=Nowhere&times=1.5&effect.take_up=7&effect.scale=half&start=x")
    assert state.scenario.plan[0].sums == (90.0,) * 3
    assert state.scenario.effect.take_up == 1.0
    said = " ".join(state.messages)
    assert all(word in said for word in ("place:", "effect.take_up", "effect.scale_up?", "start:"))
    assert len(state.messages) == 4


@pytest.mark.parametrize(
    "query",
    [
        '?plan=[{"programme":"nothing_known","pounds":[1]}]',
        '?plan=[{"programme":"pause","pounds_per_child":[999]}]',
        "?times=1000",
        "?times=0",
        "?times=nan",
        "?discount_schedule=mine",
        "?plan=true",
        "?times=1e999",
        "?option=5",
        "?effect.structure=[1]",
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
    state.change(horizon=44)
    state.multiply(1.1)
    path = tmp_path / "mine.yaml"
    path.write_text(state.file(), encoding="utf-8")
    assert scenarios.load(path) == state.scenario
    other = State(live)
    other.load(path.read_bytes())
    assert other.scenario == state.scenario


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[1, 2]",
        b"name: x\nname: y",
        b"\xff\xfe",
        b"a: !!python/object/apply:os.system [true]",
        b"[" * 5000,
        b"a: &x [1]\nb: *x",
        b"based_on: ../../secret.yaml",
        b"based_on: families_first\noption: {spend_per_child: 1}",
        b"nothing: 1\nof_use: 2",
        b"x" * (LARGEST_FILE + 1),
    ],
)
def test_a_bad_file_is_refused_and_nothing_changes(state, content):
    before = state.scenario
    with pytest.raises(InputError):
        state.load(content)
    assert state.scenario == before


HEAVY = {  # each took from five seconds to a minute and a half
    "keys": "".join(f"k{place}: 1\n" for place in range(1990)),
    "left out": "left_out: [" + ",".join(f"k{place}" for place in range(1990)) + "]\n",
    "overrides": "overrides:\n" + "".join(f"  k{n}: {{value: 1, reason: because}}\n" for n in range(400)),
    "more values than any scenario": "effect: {ramp: [" + ",".join("1" for _ in range(9000)) + "]}\n",
}


@pytest.mark.parametrize("what", list(HEAVY))
def test_a_file_of_many_bad_values_costs_few_checks_and_is_refused_in_few_lines(state, live, monkeypatch, what):
    checks = []
    monkeypatch.setattr(live, "check", lambda scenario: checks.append(scenario) or Live.check(live, scenario))
    with pytest.raises(InputError) as problem:
        state.load(f"based_on: families_first\n{HEAVY[what]}".encode())
    lines = str(problem.value).split("\n")
    assert len(checks) <= 1 + MOST_CHECKS and len(lines) <= 11
    assert all(line.isprintable() and len(line) <= 300 for line in lines)


def test_scenario_files_with_changed_bytes_are_used_or_refused_in_short_lines(state, live):
    def load(content):
        State(live).load(content)
        return np.zeros(1)

    reader = fuzz.Reader(lambda: (state.file().encode(),), load, table=False)
    faults = [fuzz.judged(reader, *fuzz.case(reader, seed)) for seed in range(25)]
    assert not any(faults), faults


HALF = "\ud800"
SPELLED = '"' + "\\" + 'ud800"'  # as YAML and JSON can spell it


@pytest.mark.parametrize(
    "text",
    [
        f"title: {SPELLED}",
        f"description: {SPELLED}",
        f"name: {SPELLED}",
        f"{SPELLED}: 1",
        f"based_on: {SPELLED}",
        f"discount_schedule: {SPELLED}",
        f"outcomes: [{SPELLED}]",
        f"left_out: [{SPELLED}]",
        f"overrides: {{{SPELLED}: {{value: 1.0, reason: because}}}}",
        f"overrides: {{price_care_year: {{value: 90000.0, price_year: 2024/25, reason: {SPELLED}}}}}",
        f"own_figures: {{referrals: {{area: {SPELLED}, value: 9000.0, reason: because}}}}",
        f"priors: {{{SPELLED}: {{first: 1.0, reason: because}}}}",
        f"studies: {{MINE: {{outcome: {SPELLED}, design: rct, reason: because}}}}",
    ],
)
@pytest.mark.parametrize("begin", ["", "based_on: families_first\n", "horizon: 40\nbased_on: families_first\n"])
def test_half_a_character_in_a_file_never_reaches_a_page(state, begin, text):
    try:
        state.load((begin + text).encode())
    except InputError as problem:
        state.say(str(problem).splitlines())
    for word in (state.file(), state.address, state.scenario.title, look.box("A", state.messages)):
        word.encode()
    assert state.scenario.plan == state.live.base.plan and SPELLED.strip('"') not in state.file()


@given(
    st.sampled_from(["title", "description", "discount_schedule", "overrides.price_care_year", "studies.MINE", HALF]),
    st.text(st.sampled_from([HALF, "\udfff", "a", "\U0001f600", "\x00", "\n"]), max_size=8),
)
def test_half_a_character_typed_or_linked_never_reaches_a_page(live, key, text):
    state = State(live)
    section, _, name = key.partition(".")
    try:
        state.change(**{section: {name: {"reason": text}} if name else text})
        state.override("price_care_year", {"value": 90000.0, "price_year": "2024/25", "reason": text})
    except InputError as problem:
        state.say(str(problem).splitlines())
    for word in (state.file(), state.address, look.box("A", state.messages)):
        word.encode()
    state.arrive(f"?{key}={text}&place={text}&page={text}", ["Compare"])
    state.go_to(text)
    look.box("A", state.messages).encode()


def test_a_figure_that_cannot_be_used_costs_few_checks_however_many_there_are(state, monkeypatch):
    roles = list(state.live.register.tables["roles"]["role"])
    rows = "".join(f"  {role}: {{value: -1.0, reason: because we say so}}\n" for role in roles)
    checks, check = [], state.live.check
    monkeypatch.setattr(state.live, "check", lambda scenario: (checks.append(1), check(scenario)))
    state.load(f"horizon: 40\nbased_on: families_first\noverrides:\n{rows}".encode())
    assert state.scenario.horizon == 40 and len(checks) <= 2 + MOST_CHECKS
    assert len(state.messages) + len(state.scenario.overrides) == len(roles)
    before = len(checks)
    query = "&".join(f"overrides.{role}" + '={"value":-1.0,"reason":"12345"}' for role in roles)
    state.read_address("?" + query[: LONGEST_ADDRESS - 10].rpartition("&")[0])
    assert len(checks) - before <= MOST_CHECKS


def test_the_good_figures_of_many_are_used_and_the_bad_ones_named(state):
    good = {"price_care_year": 90000.0, "offence_cost": 0.0}
    rows = {key: {"value": value, "price_year": "2024/25", "reason": "our ledger"} for key, value in good.items()}
    names = [key for key in state.live.register.tables["roles"]["role"] if key not in rows][:9]
    rows |= {key: {"value": -1.0, "reason": "our ledger"} for key in names}
    state.load(yaml.safe_dump({"based_on": "families_first", "overrides": rows}).encode())
    assert "price_care_year" in state.scenario.overrides
    assert len(state.messages) == len(rows) - len(state.scenario.overrides)
    assert all(line.startswith("overrides.") for line in state.messages)


def test_the_history_of_large_scenarios_is_short(state):
    for k in range(8):
        text = f"{k}" + "x" * 60_000
        row = {"value": 90000.0 + k, "price_year": "2024/25", "reason": text}
        state.override("price_care_year", row)
    kept = [len(step[2].model_dump_json()) for step in state._past]
    assert sum(kept) <= LARGEST_HISTORY and 1 < len(kept) < 6
    state.undo()
    assert state.scenario.overrides["price_care_year"].value == 90006


def test_a_message_repeats_little_of_a_file_and_only_what_can_be_seen(state):
    lines = "".join(f"x{k}{'k' * 400}: 1\n" for k in range(200))
    with pytest.raises(InputError) as problem:
        state.load(f'"\\u202e": 1\n{lines}'.encode())
    text = look.box("A", str(problem.value).splitlines())
    assert len(text) < 12_000 and "\u202e" not in text


def test_undo_and_redo(state):
    first = state.scenario
    state.multiply(1.5)
    state.go_to("Kent")
    state.undo()
    assert (state.place, state.times, state.scenario.plan[0].sums[0]) == ("Leeds", 1.5, 90.0)
    state.undo()
    assert state.scenario == first and not state.can_undo
    state.redo()
    state.redo()
    assert state.place == "Kent" and not state.can_redo
    state.multiply(0.5)
    state.reset()
    assert state.scenario == first and state.changed == {}


def test_a_drag_is_one_step(state, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr("toolkit.apps.session.state.monotonic", lambda: clock[0])
    for hundredths in range(101, 140):
        clock[0] += 0.05
        state.multiply(hundredths / 100)
    state.change(horizon=40)  # another setting is another step, however soon
    clock[0] += 5.0
    state.change(horizon=50)  # and so is the same setting later
    for left in ((1.39, 40), (1.39, 70), (1.0, 70)):
        state.undo()
        assert (state.times, state.scenario.horizon) == left
    assert not state.can_undo
    state.redo()
    state.multiply(1.4)  # after a step back there is none to go on with
    state.undo()
    assert state.times == 1.39


def test_a_changed_scenario_is_titled_by_what_was_changed_and_the_start_is_given_back(state, live):
    start = state.scenario
    state.multiply(1.5)
    state.change(effect={"take_up": 0.8})
    title, about = state.scenario.title, state.scenario.description
    assert "1.5 times the sums" in title and "take up 80%" in title
    assert about.startswith(f"Changed from the scenario “{start.title}”") and "times the sums 1.5 (was 1)" in about
    assert state.scenario.hash == scenarios.change(state.scenario, title="x", description="y").hash
    linked, filed = State(live), State(live)
    linked.read_address(state.address)
    filed.load(state.file().encode())
    assert linked.scenario == filed.scenario == state.scenario
    state.multiply(-1.5)
    assert "cut to be, 1.5 times" in state.scenario.title and state.scenario.cut
    state.multiply(1.0)
    state.change(effect={"take_up": 1.0})
    assert state.scenario == start


def test_a_title_of_many_changes_counts_the_rest_and_one_of_a_files_own_stays(state, live):
    state.buy([{"programme": "multisystemic_therapy", "pounds_per_child": [2.0] * 4}])
    state.change(effect={"take_up": 0.8, "detection": True, "scale_up": 0.5, "structure": {"fade": {"none": 1.0}}})
    state.change(adjustments={"deadweight": 0.1, "displacement": 0.1})
    assert len(state.scenario.title) <= 120 and state.scenario.title.endswith("more")
    fit = f"draws: {state.scenario.draws}\nchains: {state.scenario.chains}\nhorizon: 40\n"
    plan = "plan: [{programme: supporting_families, pounds_per_child: [5]}]"
    state.load(f"based_on: families_first\ntitle: Our plan\n{fit}{plan}".encode())
    assert state.scenario.title == "Our plan"
    state.load(f"based_on: families_first\n{fit}{plan}".encode())
    assert state.scenario.title == "Families first, changed: another plan, 40 years on"


def test_a_bad_value_of_a_file_is_named_and_the_good_ones_are_used(state, live):
    fit = {"draws": state.scenario.draws, "chains": state.scenario.chains, "seed": state.scenario.seed}
    own = {
        "price_care_year": {"value": 90000, "price_year": "2025/26", "reason": "our ledger"},
        "growth_care": {"value": 3.0, "reason": "meant 3 %"},
    }
    content = {
        "based_on": "family_help_2025",
        **fit,
        "plan": [{"programme": "supporting_families", "pounds_per_child": [31, 31]}],
        "overlap": "twice",
        "overrides": own,
        "effect": {"take_up": 0.8, "sorce": "trials"},
        "colour": "red",
    }
    state.load(json.dumps(content).encode())
    assert state.scenario.plan[0].sums == (31.0, 31.0) and state.scenario.first_year == 2025
    assert (state.scenario.overlap, state.scenario.effect.take_up) == ("", 0.8)
    assert set(state.scenario.overrides) == {"price_care_year"}
    assert sorted(line.partition(":")[0] for line in state.messages) == [
        "colour",
        "effect.sorce",
        "overlap",
        "overrides.growth_care",
    ]
    assert "cited 0.0456" in " ".join(state.messages)


def test_a_link_holds_extra_layers_and_a_short_ramp(state, live):
    fit = f"draws: {state.scenario.draws}\nchains: {state.scenario.chains}\nseed: {state.scenario.seed}"
    state.load(
        f"based_on: family_help_2025\n{fit}\nextra_layers: [next_generation_care_years]\n"
        "effect: {ramp: [0.5]}".encode()
    )
    other = State(live)
    other.read_address(state.address)
    assert other.messages == [] and other.scenario.hash == state.scenario.hash
    other.read_address('?extra_layers=["luck"]')
    assert "extra_layers" in other.messages[0] and other.scenario.extra_layers == ()


def test_parts_for_the_same_children_are_nested_unless_it_is_stated_otherwise(state):
    parts = [{"programme": name, "pounds_per_child": [5.0]} for name in ("supporting_families", "incredible_years")]
    state.buy(parts)
    assert (state.scenario.programmes, state.scenario.overlap) == (
        ("supporting_families", "incredible_years"),
        "nested",
    )
    state.change(overlap="apart")
    state.buy(parts[:1])
    assert state.scenario.overlap == "apart" and not state.messages
    state.buy([{"programme": "supporting_families", "pounds_per_child": [999.0]}])
    assert "are eligible" in state.messages[0] and state.scenario.plan[0].sums == (5.0,)


def test_a_place_without_children_for_a_plan_is_refused(state):
    state.multiply(state.bounded(99.0))
    most, before = state.times, state.scenario
    assert most == pytest.approx(state.live.most_times(state.live.base, state.areas), rel=2e-6)
    others = [name for name, areas in state.live.places.items() if state.live.most_times(before, tuple(areas)) < 1]
    state.go_to(others[0])
    assert "are eligible" in state.messages[0] and state.place == "Leeds" and state.scenario == before


def test_a_page_that_is_none_is_named(live):
    site = Site(live, query="?page=Atlantis")
    assert "page: &#x27;Atlantis&#x27;" in site.messages.object and site.state.page == ""
    assert Site(live, query="?page=Evidence").state.messages == []


def test_a_new_start_says_what_of_ones_own_it_leaves_behind(state):
    state.put(own_figures={"referrals": {"area": state.areas[0], "value": 9000.0, "reason": "our ledger"}})
    state.start_from("family_help_2025")
    assert "Referrals to social care in a year: 9,000" in state.messages[0] and "Undo" in state.messages[-1]
    state.undo()
    assert state.scenario.own_figures
    state.reset()
    state.start_from("family_help_2025")
    assert state.messages == []


def test_a_cut_of_more_than_there_is_is_refused_wherever_it_comes_from(state, live, fit_cache, dozen):
    spend = 1.0201 * float(live.base_year["early_help_spend"].sel(area=state.areas[0]))  # in prices of 2026/27
    more, before = [{"programme": "triple_p", "pounds_per_child": [-round(spend) - 1.0]}], state.scenario
    state.buy(more)
    assert state.scenario == before and "cannot be taken away" in state.messages[0]
    state.read_address(f"?plan={json.dumps(more)}")
    assert not state.scenario.cut and len(state.messages) == 1
    with pytest.raises(InputError, match="cannot be taken away"):
        workflow.run(scenarios.change(before, plan=more), areas=state.areas, cache=fit_cache, statistics=dozen)
    own = {"early_help_spend": {"area": state.areas[0], "value": spend / 2, "price_year": "2025/26", "reason": "ours!"}}
    state.buy([{"programme": "triple_p", "pounds_per_child": [-round(spend) + 1.0]}])
    assert state.scenario.cut
    with pytest.raises(InputError, match="cannot be taken away"):
        state.put(own_figures=own)
    assert not state.scenario.own_figures


def test_a_place_half_typed_is_left_to_its_typist_and_one_that_is_none_is_said(site):
    place = site.panel.named("Area, region or England")
    for text, said in (("Lee", "The numbers are those"), ("Leez", "No area or region has “Leez” in its name.")):
        with edit_readonly(place):
            place.value_input = text
        assert place.helper_text.startswith(said) and "those of Leeds" in place.helper_text
        assert place.value_input == text and not site.state.messages
    place.value = None
    assert (place.value, place.value_input, place.helper_text) == ("Leeds", "Leeds", "")
    assert "still Leeds" in site.messages.object
    place.value = "Kent"
    assert site.state.place == "Kent" and not site.messages.visible


def test_a_file_too_large_is_said_to_be_and_no_longer_after_the_next_change(site):
    bar = site.toolbar
    assert bar.open.max_file_size > LARGEST_FILE
    bar.open.value = b"x" * (LARGEST_FILE + 1)
    assert bar.problems.visible and "larger than 100 kB" in bar.problems.object
    site.state.multiply(1.1)
    assert not bar.problems.visible
    page = Site(site.live, query="?page=Evidence").pages["Evidence"]
    page.upload.value = b"x" * (MOST_CHARACTERS + 1)
    assert page.upload.max_file_size > MOST_CHARACTERS and "more than 50,000 characters" in page.problems.object


@pytest.mark.parametrize(("dropped", "kept"), [(1.25, 1.25), (0.75, 0.75), (0.3, 0.5), (2.6, 2.0)])
def test_the_handle_lands_where_it_is_dropped_and_never_off_the_curve(live, dropped, kept):
    state = State(live)
    area, own = state.areas[0], {"value": 100.0, "price_year": "2025/26", "reason": "our ledger"}
    state.put(own_figures={"early_help_spend": {"area": area, **own}})
    site = Site(live, query=state.address + "&page=Cost of poor outcomes")
    handle = site.pages["Cost of poor outcomes"].curve.card.chart.sources["handle"]
    for _ in range(2):  # the second time nothing changes but where the handle lies
        handle.data = {"multiple": [dropped], "mean": [0.0], "name": [""]}
        assert handle.data["multiple"] == pytest.approx([kept], abs=0.01)
