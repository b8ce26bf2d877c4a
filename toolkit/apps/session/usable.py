"""The usable settings of a link or a file, key by key; those that cannot be used are named."""

import difflib
import json
from collections.abc import Callable, Mapping
from typing import Any

from toolkit import scenarios
from toolkit.apps.session.scenario_keys import OPEN, SECTIONS, SINGLE, flat
from toolkit.scenarios import Scenario
from toolkit.schema import InputError
from toolkit.tabular import excerpt

CHECKED = (
    "plan",
    "discount_schedule",
    "price_base",
    "extra_layers",
    "cost_options",
    "left_out",
)  # against the evidence
MOST_CHECKS = 24  # against the evidence, of one link or file: each takes a tenth of a second


def with_keys(
    scenario: Scenario, given: Mapping[str, str], check: Callable[[Scenario], None]
) -> tuple[Scenario, list[str]]:
    """Return the scenario with every key that can be used, and a line for each that cannot."""
    problems: list[str] = []
    checked: dict[str, Mapping[str, Any]] = {}
    for key in sorted(given):
        section, _, name = key.partition(".")
        known = [*flat(scenario), *SINGLE]
        if not (key in SINGLE or (section in SECTIONS and name and (section in OPEN or key in known))):
            close = difflib.get_close_matches(key[:80], known, n=1)
            hint = f" Did you mean {close[0]}?" if close else ""
            problems.append(f"{excerpt(key)}: no setting of this page, so it was left out.{hint}")
            continue
        try:
            value = json.loads(given[key])
        except (ValueError, RecursionError):
            value = given[key]
        change = {key: value} if key in SINGLE else {section: {name: value}}
        try:
            changed = changed_by(scenario, change)
        except InputError as problem:
            problems.append(_unused(key, given[key], problem))
            continue
        if section in OPEN or key in CHECKED:
            checked[key] = change
        else:
            scenario = changed
    return _with_checked(scenario, given, checked, check, problems)


def _with_checked(
    scenario: Scenario,
    given: Mapping[str, str],
    changes: Mapping[str, Mapping[str, Any]],
    check: Callable[[Scenario], None],
    problems: list[str],
) -> tuple[Scenario, list[str]]:
    """Make the changes that the evidence allows: all at once, and by halves where some are not allowed.

    A check takes long, and a hostile link or file has hundreds of changes: so there are only so many checks.
    """
    waiting, left = [list(changes)] if changes else [], MOST_CHECKS
    while waiting:
        keys = waiting.pop(0)
        if not left:
            problems += [f"{excerpt(key)}: left out, for too much of this cannot be used." for key in keys]
            continue
        left -= 1
        try:
            changed = scenario
            for key in keys:
                changed = changed_by(changed, changes[key])
            check(changed)
            scenario = changed
        except InputError as problem:
            if len(keys) == 1:
                problems.append(_unused(keys[0], given[keys[0]], problem))
            else:
                half = len(keys) // 2
                waiting[:0] = [keys[:half], keys[half:]]
    return scenario, problems


def changed_by(scenario: Scenario, changes: Mapping[str, Any]) -> Scenario:
    """Return a scenario with some values changed, nested as ``scenarios.change`` takes them.

    Raises
    ------
    InputError
        If a value cannot be used.
    """
    if "structure" in changes.get("effect", {}):  # which is replaced as a whole, or no weight could be taken back
        scenario = scenario.model_copy(update={"effect": scenario.effect.model_copy(update={"structure": {}})})
    return written(scenarios.change(scenario, **changes))


def written(scenario: Scenario) -> Scenario:
    """Return a scenario whose words can be written to a page or a file.

    Raises
    ------
    InputError
        If one cannot.
    """
    try:
        json.dumps(scenario.model_dump(), ensure_ascii=False, default=str).encode()
    except ValueError:  # half of a pair of characters, which JSON and YAML can spell
        raise InputError("a text of the scenario holds half a character.", fix="type it again.") from None
    return scenario


def _unused(key: str, text: str, problem: InputError) -> str:
    why = f"cannot be used, so the evidence's value stands. ({_short(problem)})"
    return f"{excerpt(key)}: '{excerpt(text)}' {why}"


def _short(problem: Exception) -> str:
    return str(problem).splitlines()[0].split(". Fix")[0].split(": ", 1)[-1]
