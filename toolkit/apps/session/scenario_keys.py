"""A scenario as dotted keys, and the title that names what was changed."""

import json
from dataclasses import dataclass
from typing import Any

from toolkit.measures import words as w
from toolkit.scenarios import Scenario

OPEN = (
    "overrides",
    "own_figures",
    "priors",
    "studies",
    "own_programmes",
)  # whose keys are names of figures, not of settings
SECTIONS = ("effect", "adjustments", *OPEN)
SINGLE = (
    *("plan", "overlap", "first_year", "price_base", "discount_schedule", "horizon", "outcomes", "extra_layers"),
    *("cost_options", "left_out"),
)
LONGEST_TITLE = 120
MOST_SAVED, LONGEST_NAME = 6, 60
WORDS = {"plan": "another plan", "horizon": "{} years on", "effect.structure": "other weights of structures"}


@dataclass(frozen=True)
class Saved:
    """A scenario that a visitor put aside."""

    name: str
    place: str
    areas: tuple[str, ...]
    scenario: Scenario


def flat(scenario: Scenario) -> dict[str, Any]:
    """Return the settings that can move a result, as dotted keys; of the parts of the plan what is not by default."""
    content = scenario.model_dump(mode="json", exclude_none=True)
    content |= {section: getattr(scenario, section).model_dump(mode="json") for section in ("effect", "adjustments")}
    content["plan"] = [part.model_dump(mode="json", exclude_defaults=True) for part in scenario.plan]
    settings = {key: content[key] for key in SINGLE}
    return settings | {f"{section}.{key}": value for section in SECTIONS for key, value in content[section].items()}


def differences(start: Scenario, scenario: Scenario) -> dict[str, tuple[Any, Any]]:
    """Return what differs between two scenarios: dotted key to (the first's value, the second's)."""
    was, now = flat(start), flat(scenario)
    return {key: (was.get(key), now.get(key)) for key in {**was, **now} if now.get(key) != was.get(key)}


def titled(scenario: Scenario, start: Scenario, times: float = 1.0) -> Scenario:
    """Return a scenario with a title and a description of what was changed from the one it started from.

    Parameters
    ----------
    scenario, start
        The scenario, and the one it started from.
    times
        How many times the sums of its plan are to be spent; they are not multiplied here.
    """
    # The plan first, the rest by name, whatever came first: so that a link gives the same title.
    changed_keys = sorted(differences(start, scenario).items(), key=lambda row: (row[0] != "plan", row[0]))
    changed = dict(changed_keys)
    longer = "effect.ramp" in changed and changed["effect.ramp"][1][: len(start.effect.ramp)] == [*start.effect.ramp]
    changes = [_in_words(key, now) for key, (_, now) in changed.items() if key != "effect.ramp" or not longer]
    if times != 1.0:
        changes.insert(0, f"{'cut to be, ' * (times * scenario.plan[0].sums[0] < 0)}{abs(times):g} times the sums")
    title, words = f"{w.label(start.name)}, changed: ", ", ".join(changes)
    if len(title + words) > LONGEST_TITLE:
        fitting = [n for n in range(len(changes)) if len(title + _counted(changes, n)) <= LONGEST_TITLE]
        words = _counted(changes, fitting[-1])
    listed = [f"times the sums {spelled(times)} (was 1)"] * (times != 1.0)
    listed += [f"{key} {spelled(now)} (was {spelled(was)})" for key, (was, now) in changed.items()]
    about = f"Changed from the scenario “{start.title}”: {'; '.join(listed)}. {start.description}"
    wording = (
        {"title": title + words, "description": about}
        if changes
        else start.model_dump(include={"title", "description"})
    )
    return scenario.model_copy(update=wording)


def _counted(changes: list[str], shown: int) -> str:
    return ", ".join([*changes[:shown], f"{len(changes) - shown} {'more' if shown else 'settings'}"])


def _in_words(key: str, value: Any) -> str:
    section, _, name = key.partition(".")
    if key in WORDS:
        return WORDS[key].format(value)
    if section in OPEN:
        return f"{w.inside(name)} {'as in the evidence' if value is None else 'of one’s own'}"
    shares = isinstance(value, float) and 0 <= value <= 1
    return f"{w.inside(name or key)} {f'{value:.0%}' if shares else w.inside(spelled(value))}"


def spelled(value: Any) -> str:
    """Return a value as an address spells it."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), default=str)
