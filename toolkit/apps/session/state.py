"""What a visitor has chosen: a scenario and a place, its history, its address and its file.

The scenario itself is the only state: a control changes it, a page shows it, the address and the file hold it. It is
always valid: an unusable setting is named, and the evidence's value is used instead.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import accumulate
from time import monotonic
from typing import Any
from urllib.parse import parse_qsl, urlencode

from toolkit import changes, pathways, scenarios, tabular
from toolkit.apps.engine.live import Live
from toolkit.apps.session.scenario_keys import Saved, differences, spelled, titled
from toolkit.apps.session.starts import (
    DEFAULT_PLACE,
    DEFAULT_PRESET,
    MOST_MULTIPLE,
    Step,
    as_file,
    named,
    scenario_text,
    times_from,
    usable_part,
)
from toolkit.apps.session.usable import changed_by, with_keys, written
from toolkit.apps.session.views import BEGIN, taken
from toolkit.measures.provenance import own as own  # what it says stands on every page
from toolkit.scenarios import Scenario
from toolkit.schema import InputError
from toolkit.tabular import excerpt

LONGEST_ADDRESS, STEPS_KEPT = 7_500, 100
LARGEST_HISTORY = 300_000  # characters of all its scenarios
ONE_DRAG = 1.0  # seconds within which moves of the same setting are one step of the history
SPARE = 1e-6  # of the most times a plan's sums, for rounding
TIMES = "times"  # in an address: how many times the sums of its plan


class State:
    """One visitor's scenario, place and history; watchers are called after every change."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self.preset, self.place = DEFAULT_PRESET, DEFAULT_PLACE
        self.base, self.times, self.views = live.preset(DEFAULT_PRESET), 1.0, BEGIN
        self.page = ""
        self.messages: list[str] = []
        self.saved: tuple[Saved, ...] = ()
        self._past: list[Step] = []
        self._future: list[Step] = []
        self._dragged: tuple[set[str], float] = (set(), 0.0)  # what moved last, and when
        self._watchers: list[Callable[[], None]] = []

    @property
    def areas(self) -> tuple[str, ...]:
        """The areas of the place."""
        return tuple(self.live.places[self.place])

    @property
    def scenario(self) -> Scenario:
        """The scenario, with the sums of its plan as often as they are spent."""
        return self.base.times(self.times) if self.times != 1.0 else self.base

    def most_times(self, sign: float = 1.0) -> float:
        """Return how many times the plan's sums can be spent in the place or, for a sign below 0, taken away."""
        most = self.live.most_times(self.base.times(-1.0 if sign < 0 else 1.0), self.areas)
        return float(f"{min(most, MOST_MULTIPLE) * (1 - SPARE):.8g}")

    def bounded(self, times: float) -> float:
        """Return the nearest number of times that the plan's sums can be spent, with its sign."""
        return float(f"{math.copysign(min(abs(times), self.most_times(times)), times):.8g}")

    def watch(self, watcher: Callable[[], None]) -> None:
        """Call ``watcher`` after every change."""
        self._watchers.append(watcher)

    def change(self, **values: Any) -> None:
        """Change the scenario, nested as ``scenarios.change`` takes it; a bad value is named and left out."""
        try:
            changed = changed_by(self.base, values)
            self._move(self.preset, self.place, self._titled(changed), drag=True)
        except InputError as problem:
            self.say([str(problem)])

    def multiply(self, times: float) -> None:
        """Spend so many times the sums of the plan; below 0 they change sign."""
        self._move(self.preset, self.place, self._titled(self.base, times), times=times, drag=True)

    def buy(self, parts: Sequence[Mapping[str, Any]]) -> None:
        """Buy other parts, as ``plan`` takes them; where they could serve the same children, some get both."""
        rows = [dict(part) for part in parts]
        try:
            changed = changed_by(self.base, {"plan": rows})
            try:
                self.live.check_plan(changed.times(self.times), self.areas)
            except InputError:
                if changed.overlap:
                    raise
                nested = changed_by(changed, {"overlap": "nested"})
                self.live.check_plan(nested.times(self.times), self.areas)
                changed = nested
            self._move(self.preset, self.place, self._titled(changed), drag=True)
        except InputError as problem:
            self.say([str(problem)])

    def open(self, page: str) -> None:
        """Open another page."""
        self.page = page
        self.notify()

    def look(self, **chosen: str) -> None:
        """Change the view of the scenario, one of ``views.BEGIN``; a step of the history like any change."""
        self._move(self.preset, self.place, self.base, views=self.views | chosen)

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
        content = self.base.model_dump(mode="json", exclude_none=True)
        for section, new_rows in rows.items():
            others = {key: row for key, row in content[section].items() if key not in new_rows}
            content[section] = others | {key: dict(row) for key, row in new_rows.items() if row is not None}
        if left_out is not None:
            content["left_out"] = list(left_out)
        changed = written(scenarios.validate(content, "this page"))
        self._check(changed, self.areas, self.times)
        self._move(self.preset, self.place, self._titled(changed))

    def _titled(self, base: Scenario, times: float | None = None) -> Scenario:
        return titled(base, self.live.preset(self.preset), self.times if times is None else times)

    def _check(self, scenario: Scenario, areas: tuple[str, ...], times: float = 1.0) -> None:
        changes.own_figures(scenario, self.live.base_year, self.live.register, areas=areas)
        self.live.check(scenario)
        self.live.check_plan(scenario.times(times), areas)
        tables = self.live.register.tables
        pathways.chosen(
            tables["layers"], tables["layer_rates"], outcomes=scenario.outcomes, extra=scenario.extra_layers
        )

    def start_from(self, name: str) -> None:
        """Begin again from a preset; the visitor's own figures are left out, and a message names them."""
        lost = [f"Left out of this start: {line}" for line in own(self.scenario)]
        messages = [*lost, "Undo brings it back."] if lost else []
        self._move(name, self.place, self.live.preset(name), messages, times=1.0)

    def go_to(self, place: str) -> None:
        """Choose another place; a council's own figures are left out, as they hold for no other."""
        if place not in self.live.places:
            self.say([f"place: '{excerpt(place)}' is not an area, a region or England, so it is still {self.place}."])
        else:
            scenario = self.base
            moved = bool(scenario.own_area) and tuple(self.live.places[place]) != (scenario.own_area,)
            plain = scenario.model_copy(update={"own_figures": {}}) if moved else scenario
            message = (
                f"The own figures of {self.place} do not hold for {place} and were left out. Undo brings them back."
            )
            self._move(self.preset, place, self._titled(plain) if moved else plain, [message] if moved else [])

    def replace(self, scenario: Scenario, place: str | None = None, messages: Sequence[str] = ()) -> None:
        """Take a whole scenario, as from a file or the list of saved ones, under a title of its own if it has one."""
        shipped = scenario.title == self.live.preset(self.preset).title
        self._move(
            self.preset, place or self.place, self._titled(scenario, 1.0) if shipped else scenario, messages, times=1.0
        )

    def reset(self) -> None:
        """Go back to the evidence's own values."""
        self._move(self.preset, self.place, self.live.preset(self.preset), times=1.0)

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

    @property
    def _now(self) -> Step:
        return Step(self.preset, self.place, self.base, self.times, self.views)

    def _take(self, step: Step) -> None:
        self.preset, self.place, self.base, self.times, self.views = step

    def _step(self, source: list[Step], target: list[Step]) -> None:
        if source:
            target.append(self._now)
            self._take(source.pop())
            self._dragged = (set(), 0.0)
            self.say([])

    def _move(
        self,
        name: str,
        place: str,
        base: Scenario,
        messages: Sequence[str] = (),
        *,
        times: float | None = None,
        drag: bool = False,
        views: Mapping[str, str] | None = None,
    ) -> None:
        times = self.times if times is None else times
        step = Step(name, place, base, times, dict(views or self.views))
        if step == self._now:
            if messages:  # as of a file that holds nothing else that can be used
                self.say(list(messages))
            return
        try:
            self._check_sums(step)
        except InputError as problem:
            self.say([str(problem)])
            return
        keys = set(differences(self.base, base)) | ({TIMES} if times != self.times else set())
        if not (drag and self._past and keys == self._dragged[0] and monotonic() - self._dragged[1] < ONE_DRAG):
            self._keep()
        self._dragged = (keys if drag else set(), monotonic())
        self._future = []
        self._take(step)
        if len(self.address) > LONGEST_ADDRESS:
            messages = [*messages, "This is too much for a link: save the scenario as a file to keep it or share it."]
        self.say(list(messages))

    def _check_sums(self, step: Step) -> None:
        """Refuse a plan that cannot be bought in its place; one that is only multiplied is compared with its bound."""
        areas, bought = tuple(self.live.places[step.place]), step.base.times(step.times)
        same = step.place == self.place and step.base == self.base
        if not (same and self.live.most_times(bought, areas) >= 1.0):
            self.live.check_plan(bought, areas)

    def _keep(self) -> None:
        """Add the present step to the history, and drop the oldest of a history that is too long."""
        steps, room = [self._now, *self._past[: -STEPS_KEPT - 1 : -1]], LARGEST_HISTORY
        sizes = accumulate(len(step.base.model_dump_json()) for step in steps)
        self._past = [step for step, size in zip(steps, sizes, strict=True) if size <= room][::-1]

    def notify(self) -> None:
        """Call every watcher, as when a page asks for more of the same scenario."""
        for watcher in self._watchers:
            watcher()

    def say(self, messages: list[str]) -> None:
        """Show messages, such as what could not be used."""
        self.messages = messages
        self.notify()

    # Changes against the evidence, the address, the file ------------------------------------------

    @property
    def changed(self) -> dict[str, tuple[Any, Any]]:
        """What differs from the start: dotted key to (the start's value, this scenario's value)."""
        times = {TIMES: (1.0, self.times)} if self.times != 1.0 else {}
        return times | differences(self.live.preset(self.preset), self.base)

    @property
    def address(self) -> str:
        """The query string that holds the whole scenario, the place, the page and what is read of it."""
        return self._address(self._now)

    def _address(self, step: Step) -> str:
        parts = {"place": step.place} | ({"page": self.page} if self.page else {})
        parts |= {view: chosen for view, chosen in step.views.items() if chosen != BEGIN[view]}
        if step.preset != DEFAULT_PRESET:
            parts["start"] = step.preset
        if step.times != 1.0:
            parts[TIMES] = spelled(step.times)
        for key, (_, mine) in sorted(differences(self.live.preset(step.preset), step.base).items()):
            parts[key] = spelled(mine)
        return "?" + urlencode(parts)

    def arrive(self, query: str, pages: Collection[str] = ()) -> None:
        """Go where the browser's Back or Forward leads: a step of the history taken back or made again, or another.

        Parameters
        ----------
        query, pages
            As for :meth:`read_address`.
        """
        if len(query) > LONGEST_ADDRESS:
            return self.read_address(query)
        page = dict(parse_qsl(query.removeprefix("?"))).get("page", "")
        self.page = page if page in pages else ""
        for steps, go in ((self._past, self.undo), (self._future, self.redo)):
            if steps and self._address(steps[-1]) == query:
                return go()
        if query != self.address:
            self._keep()
            self._future = []
            return self.read_address(query, pages)
        return self.notify()

    def read_address(self, query: str, pages: Collection[str] = ()) -> None:
        """Take the scenario from a query string, key by key: what cannot be used is named and left as it was.

        Parameters
        ----------
        query
            As :attr:`address` gives it.
        pages
            Which there are; any where none is given.
        """
        if len(query) > LONGEST_ADDRESS:
            self.say([f"The address is longer than {LONGEST_ADDRESS:,} characters, so it was not read."])
            return
        given = dict(parse_qsl(query.removeprefix("?"), keep_blank_values=True))
        self.page = given.pop("page", "")
        messages: list[str] = []
        if pages and self.page and self.page not in pages:
            messages.append(f"page: '{excerpt(self.page)}' is none of {', '.join(pages)}, so the first is open.")
            self.page = ""
        start = given.pop("start", DEFAULT_PRESET)
        if start not in scenarios.available():
            messages.append(f"start: '{excerpt(start)}' is no preset, so {DEFAULT_PRESET} was used.")
            start = DEFAULT_PRESET
        place = named(given.pop("place", DEFAULT_PLACE), self.live)
        if place is None:
            messages.append(f"place: not an area, a region or England, so {DEFAULT_PLACE} was used.")
        scenario = self.live.preset(start)
        areas = tuple(self.live.places[place or DEFAULT_PLACE])
        self.views, wrong = taken(given)
        text = given.pop(TIMES, "1")
        times, wrong_times = self._times_of(text, scenario if "plan" not in given else None, areas)
        scenario, problems = with_keys(scenario, given, lambda changed: self._check(changed, areas, times))
        if not wrong_times and "plan" in given:  # of which nothing may have been used
            times, wrong_times = self._times_of(text, scenario, areas)
        messages += [*wrong, *wrong_times, *problems]
        base = titled(scenario, self.live.preset(start), times)
        self._take(Step(start, place or DEFAULT_PLACE, base, times, self.views))
        self.say(messages)

    def _times_of(self, text: str, scenario: Scenario | None, areas: tuple[str, ...]) -> tuple[float, list[str]]:
        """Return how many times a scenario's sums, as an address spells it, and what is wrong with it."""
        try:
            times = times_from(text)
            if scenario is not None:
                self.live.check_plan(scenario.times(times), areas)
        except InputError as problem:
            return 1.0, [f"times: '{excerpt(text)}' cannot be used, so it is 1. ({problem})"]
        return times, []

    def file(self) -> str:
        """Return the scenario as the YAML file that the command ``outcomes run`` takes."""
        return as_file(self.scenario)

    def load(self, content: bytes) -> None:
        """Take the scenario from a file, as the command does.

        Raises
        ------
        InputError
            If it is too large, no YAML or no scenario; the scenario stays as it was.
        """
        text = scenario_text(content)
        try:
            self._load(text.encode())
        except InputError as problem:
            raise InputError(tabular.brief(str(problem))) from None

    def _load(self, content: bytes) -> None:
        try:
            scenario, problems = written(scenarios.read(content)), list[str]()
            place = named(scenario.own_area, self.live) or self.place
            self._check(scenario, tuple(self.live.places[place]))
        except InputError as problem:
            scenario, problems = usable_part(content, problem, self.live)
            place = named(scenario.own_area, self.live) or self.place
        self.replace(scenario, place, problems)
