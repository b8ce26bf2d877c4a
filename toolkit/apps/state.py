"""What a visitor has chosen: a scenario and a place, its history, its address and its file.

The scenario itself is the only state: a control changes it, a page shows it, the address and the file spell
it out. It is always valid; what is not is named, and the evidence's value stands in its place.
"""

import difflib
import json
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Any
from urllib.parse import parse_qsl, urlencode

import yaml

from toolkit import scenarios
from toolkit.apps.live import Live
from toolkit.evidence import OWN
from toolkit.report import words as w
from toolkit.scenarios import Scenario
from toolkit.schema import InputError

PRESETS = {
    "family_help": "Family help (the evidence's own)",
    "family_help_cut": "The same sum as a cut",
    "family_help_no_fade": "An effect that never fades",
    "family_help_detection": "Help that first finds more need",
    "care_edge": "Family group conferencing at the edge of care",
}
DEFAULT_PRESET, DEFAULT_PLACE = "family_help", "Leeds"
OPEN = ("overrides", "own_figures", "priors", "studies")  # whose keys are names of figures, not of settings
SECTIONS = ("option", "effect", "adjustments", *OPEN)
SINGLE = ("discount_schedule", "horizon", "outcomes", "left_out")
CHECKED = ("discount_schedule", "option.cost_per_family", "left_out")  # against the evidence
LONGEST_ADDRESS, LARGEST_FILE, STEPS_KEPT = 7_500, 100_000, 100
ONE_DRAG = 1.0  # seconds within which moves of the same setting are one step of the history


class State:
    """One visitor's scenario, place and history; those who watch are told of every change."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self.preset, self.place = DEFAULT_PRESET, DEFAULT_PLACE
        self.scenario = preset(DEFAULT_PRESET, live)
        self.page = ""
        self.messages: list[str] = []
        self._past: list[tuple[str, str, Scenario]] = []
        self._future: list[tuple[str, str, Scenario]] = []
        self._dragged: tuple[set[str], float] = (set(), 0.0)  # what moved last, and when
        self._watchers: list[Callable[[], None]] = []

    @property
    def areas(self) -> tuple[str, ...]:
        """The areas of the place."""
        return tuple(self.live.places[self.place])

    def watch(self, told: Callable[[], None]) -> None:
        """Call ``told`` after every change."""
        self._watchers.append(told)

    def change(self, **changes: Any) -> None:
        """Change the scenario, nested as ``scenarios.change`` takes it; a bad value is named and left out."""
        try:
            changed = scenarios.change(self.scenario, **_whole(self.scenario, changes))
            self._move(self.preset, self.place, changed, drag=True)
        except InputError as problem:
            self._say([str(problem)])

    def override(self, key: str, row: Mapping[str, Any] | None) -> None:
        """Put a figure of the visitor's own in place of a cited one, or (None) take it out again.

        Raises
        ------
        InputError
            If the figure cannot be used; nothing is changed then.
        """
        self.override_all({key: row})

    def override_all(self, rows: Mapping[str, Mapping[str, Any] | None]) -> None:
        """As :meth:`override`, of several figures in one step."""
        self.put(overrides=rows)

    def put(self, *, left_out: Sequence[str] | None = None, **rows: Mapping[str, Mapping[str, Any] | None]) -> None:
        """Put rows into sections of the scenario whose keys are names (``OPEN``), or (None) take them out, in one step.

        Raises
        ------
        InputError
            If the evidence cannot be changed so; nothing is changed then.
        """
        content = self.scenario.model_dump(mode="json", exclude_none=True)
        for section, given in rows.items():
            held = {key: row for key, row in content[section].items() if key not in given}
            content[section] = held | {key: dict(row) for key, row in given.items() if row is not None}
        if left_out is not None:
            content["left_out"] = list(left_out)
        changed = scenarios.validate(content, "this page")
        self._check(changed, self.areas)
        self._move(self.preset, self.place, changed)

    def _check(self, scenario: Scenario, areas: tuple[str, ...]) -> None:
        if scenario.own_figures and areas != (scenario.own_area,):
            raise InputError(f"own_figures: they are those of {scenario.own_area}. Mend: choose that authority.")
        self.live.check(scenario)

    def start_from(self, name: str) -> None:
        """Begin again from a preset."""
        self._move(name, self.place, preset(name, self.live))

    def go_to(self, place: str) -> None:
        """Choose another place; a council's own figures stay behind, for they are no other's."""
        if place in self.live.places:
            scenario = self.scenario
            moved = bool(scenario.own_area) and tuple(self.live.places[place]) != (scenario.own_area,)
            plain = scenario.model_copy(update={"own_figures": {}}) if moved else scenario
            said = f"The own figures of {self.place} do not hold for {place} and were left out. Undo brings them back."
            self._move(self.preset, place, plain, [said] if moved else [])

    def replace(self, scenario: Scenario, place: str | None = None) -> None:
        """Take a whole scenario, as from a file or the list of saved ones."""
        self._move(self.preset, place or self.place, scenario)

    def reset(self) -> None:
        """Go back to the evidence's own values."""
        self.start_from(self.preset)

    def undo(self) -> None:
        """Take the last change back."""
        self._step(self._past, self._future)

    def redo(self) -> None:
        """Make the change again that was taken back."""
        self._step(self._future, self._past)

    @property
    def can_undo(self) -> bool:
        """Whether there is a change to take back."""
        return bool(self._past)

    @property
    def can_redo(self) -> bool:
        """Whether there is a change to make again."""
        return bool(self._future)

    def _step(self, source: list[tuple[str, str, Scenario]], target: list[tuple[str, str, Scenario]]) -> None:
        if source:
            target.append((self.preset, self.place, self.scenario))
            self.preset, self.place, self.scenario = source.pop()
            self._dragged = (set(), 0.0)
            self._say([])

    def _move(
        self, name: str, place: str, scenario: Scenario, messages: Sequence[str] = (), *, drag: bool = False
    ) -> None:  # fmt: skip
        if (name, place, scenario) == (self.preset, self.place, self.scenario):
            return
        before, after = flat(self.scenario), flat(scenario)
        keys, now = {key for key in {**before, **after} if before.get(key) != after.get(key)}, monotonic()
        if not (drag and self._past and keys == self._dragged[0] and now - self._dragged[1] < ONE_DRAG):
            self._past = [*self._past[-STEPS_KEPT:], (self.preset, self.place, self.scenario)]
        self._dragged = (keys if drag else set(), now)
        self._future = []
        self.preset, self.place, self.scenario = name, place, scenario
        if len(self.address) > LONGEST_ADDRESS:
            messages = [*messages, "This is too much for a link: save the scenario as a file to keep it or share it."]
        self._say(list(messages))

    def tell(self) -> None:
        """Have everything shown again, as when a page asks for more of the same scenario."""
        for told in self._watchers:
            told()

    def _say(self, messages: list[str]) -> None:
        self.messages = messages
        self.tell()

    # Changes against the evidence, the address, the file ------------------------------------------

    @property
    def changed(self) -> dict[str, tuple[Any, Any]]:
        """What differs from the start: dotted key to (the start's value, this one's)."""
        mine, start = (flat(scenario) for scenario in (self.scenario, preset(self.preset, self.live)))
        return {key: (start.get(key), mine.get(key)) for key in {**start, **mine} if mine.get(key) != start.get(key)}

    @property
    def address(self) -> str:
        """The query string that holds the whole scenario and the place."""
        parts = {"place": self.place} | ({"page": self.page} if self.page else {})
        if self.preset != DEFAULT_PRESET:
            parts["start"] = self.preset
        for key, (_, mine) in sorted(self.changed.items()):
            parts[key] = _spelled(mine)
        return "?" + urlencode(parts)

    def read_address(self, query: str) -> None:
        """Take the scenario from a query string, key by key: what cannot be used is named and left as it was."""
        if len(query) > LONGEST_ADDRESS:
            self._say([f"The address is longer than {LONGEST_ADDRESS:,} characters, so it was not read."])
            return
        given = dict(parse_qsl(query.removeprefix("?"), keep_blank_values=True))
        self.page = given.pop("page", "")
        messages: list[str] = []
        start = given.pop("start", DEFAULT_PRESET)
        if start not in PRESETS:
            messages.append(f"start: '{start[:60]}' is no preset, so {PRESETS[DEFAULT_PRESET]} was used.")
            start = DEFAULT_PRESET
        place = _named(given.pop("place", DEFAULT_PLACE), self.live)
        if place is None:
            messages.append(f"place: not an area, a region or England, so {DEFAULT_PLACE} was used.")
        scenario = preset(start, self.live)
        areas = tuple(self.live.places[place or DEFAULT_PLACE])
        for key, text in given.items():
            scenario, problem = _with_key(scenario, key, text, lambda changed: self._check(changed, areas))
            messages += [problem] if problem else []
        self.preset, self.place, self.scenario = start, place or DEFAULT_PLACE, scenario
        self._say(messages)

    def file(self) -> str:
        """Return the scenario as the YAML file that the command ``outcomes run`` takes."""
        content = self.scenario.model_dump(mode="json", exclude_none=True)
        return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)

    def load(self, content: bytes) -> None:
        """Take the scenario from a file, as the command does.

        Raises
        ------
        InputError
            If it is too large, no YAML or no scenario; the scenario stays as it was.
        """
        if len(content) > LARGEST_FILE:
            raise InputError(f"the file is larger than {LARGEST_FILE // 1000} kB. Mend: choose a scenario file.")
        scenario = scenarios.read(content)
        self.live.check(scenario)
        self.replace(scenario, _named(scenario.own_area, self.live))


def preset(name: str, live: Live) -> Scenario:
    """Return a shipped scenario at the seed and the number of draws of the fit."""
    return live.preset(name)


def own(scenario: Scenario) -> list[str]:
    """Return a line for everything of the evidence that a scenario has changed, to be shown wherever it is used."""
    lines = [f"{w.label(key)}: {w.figure(row.value)}. Reason: {row.reason}" for key, row in scenario.overrides.items()]
    for key, figure in scenario.own_figures.items():
        unit = OWN[key][1] + (f", {figure.price_year} prices" if figure.price_year else "")
        lines.append(f"{OWN[key][0]}: {w.figure(figure.value)} {unit}, the council’s own. Reason: {figure.reason}")
    for key, prior in scenario.priors.items():
        numbers = " and ".join(f"{number:g}" for number in (prior.first, prior.second) if number is not None)
        lines.append(f"Prior {key}: {numbers}. Reason: {prior.reason}")
    for key, study in scenario.studies.items():
        lines.append(f"Study {key} added, of {w.inside(study.outcome)}. Reason: {study.reason}")
    return lines + [f"Study {key} left out" for key in scenario.left_out]


def _named(place: str, live: Live) -> str | None:
    folded = {name.casefold(): name for name in live.places}
    codes = {areas[0]: name for name, areas in live.places.items() if len(areas) == 1}
    return folded.get(place.strip().casefold()) or codes.get(place.strip())


def flat(scenario: Scenario) -> dict[str, Any]:
    """Return what can move a result as dotted keys."""
    content = scenario.model_dump(mode="json", exclude_none=True)
    found = {key: content[key] for key in SINGLE}
    return found | {f"{section}.{key}": value for section in SECTIONS for key, value in content[section].items()}


def _spelled(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _with_key(scenario: Scenario, key: str, text: str, check: Callable[[Scenario], None]) -> tuple[Scenario, str]:
    """Return the scenario with one key of the address, or as it was with what is wrong."""
    section, _, name = key.partition(".")
    known = [*flat(scenario), *SINGLE]
    if not (key in SINGLE or (section in SECTIONS and name and (section in OPEN or key in known))):
        close = difflib.get_close_matches(key, known, n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        return scenario, f"{key[:60]}: no such setting, so it was left out.{hint}"
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    changes = {key: value} if key in SINGLE else {section: {name: value}}
    try:
        changed = scenarios.change(scenario, **_whole(scenario, changes))
        if section in OPEN or key in CHECKED:
            check(changed)
    except InputError as problem:
        return (
            scenario,
            f"{key[:60]}: '{text[:60]}' cannot be used, so the evidence's value stands. ({_short(problem)})",
        )
    return changed, ""


def _whole(scenario: Scenario, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Let the ramp follow the number of years, so that either can be changed alone."""
    option = changes.get("option", {})
    years = option.get("years") if isinstance(option, Mapping) else None
    ramp = list(changes.get("effect", {}).get("ramp", scenario.effect.ramp))
    if isinstance(years, int) and not isinstance(years, bool) and 0 < years <= 10 and years > len(ramp):
        return {**changes, "effect": {**changes.get("effect", {}), "ramp": ramp + [ramp[-1]] * (years - len(ramp))}}
    return dict(changes)


def _short(problem: Exception) -> str:
    return str(problem).splitlines()[0].split(". Mend")[0].split(": ", 1)[-1]
