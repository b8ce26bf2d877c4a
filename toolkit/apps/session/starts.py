"""What a visitor starts from: presets, places, a scenario's file, and a step of the history."""

from collections.abc import Mapping
from typing import NamedTuple

from toolkit import evidence, scenarios, tabular, yaml_files
from toolkit.apps.engine.live import Live
from toolkit.apps.parts.entry import whole
from toolkit.apps.session.scenario_keys import SECTIONS, spelled
from toolkit.apps.session.usable import with_keys
from toolkit.scenarios import Scenario
from toolkit.schema import InputError

DEFAULT_PRESET, DEFAULT_PLACE = scenarios.BASE, "Leeds"
NAMES = ("name", "title", "description")  # which move no number
LARGEST_FILE = 100_000
MOST_SETTINGS = 1_000  # of a file: more lines and commas than a scenario with every figure replaced has
MOST_MULTIPLE = 1e6  # of a plan's sums where nothing else bounds them


class Step(NamedTuple):
    """A step of the history.

    Its preset and place, the scenario with its plan as stated, how many times the sums of that are spent (below 0:
    taken away where the plan adds), and what is viewed.
    """

    preset: str
    place: str
    base: Scenario
    times: float
    views: dict[str, str]


def presets(live: Live) -> dict[str, dict[str, str]]:
    """Return what one can start from, plans and then single programmes: names by what a reader calls them."""
    labels, plans = live.register.tables["programmes"].set_index("programme")["label"], scenarios.of_files()
    plans = sorted(plans, key=lambda name: name != DEFAULT_PRESET)  # the default first
    single = [name for name in scenarios.available() if name not in plans]
    titles = {live.preset(name).title: name for name in plans}
    return {"Plans": titles, "Single programmes": {str(labels[name]): name for name in single}}


def programmes_of(live: Live, scenario: Scenario) -> dict[str, str]:
    """Return every programme, a scenario's own among them, by what readers call it."""
    table = live.resolved(scenario).register.tables["programmes"]
    return dict(zip(table["label"].astype(str), table["programme"].astype(str), strict=True))


def usable_part(content: bytes, problem: InputError, live: Live) -> tuple[Scenario, list[str]]:
    """Return what can be used of a file, key by key, and what cannot; if nothing can, ``problem`` stands."""
    settings = yaml_files.parsed(content, "the file")
    start = live.preset(DEFAULT_PRESET)
    if (base := settings.pop("based_on", None)) is not None:
        if not isinstance(base, str) or base not in scenarios.available():
            raise problem
        start = live.preset(str(base))
    original = start.model_dump(mode="json")
    rows = {key: row for key, row in settings.items() if row != original.get(key, live) and key not in NAMES}
    given = {key: row for key, row in rows.items() if not isinstance(row, Mapping) or key not in SECTIONS}
    for section in set(rows) - set(given):
        given |= {f"{section}.{key}": row for key, row in rows[section].items()}
    scenario, problems = with_keys(start, {key: spelled(row) for key, row in given.items()}, live.check)
    if len(problems) == len(given):
        raise problem
    return scenario, problems


def scenario_text(content: bytes) -> str:
    """Return the text of a scenario's file, unless it is too large to be one."""
    if len(content) > LARGEST_FILE:
        raise InputError(f"the file is larger than {LARGEST_FILE // 1000} kB.", fix="choose a scenario file.")
    text = tabular.decoded(content, "the file")
    if text.count("\n") + text.count(",") > MOST_SETTINGS:
        raise InputError(f"the file has more than {MOST_SETTINGS:,} settings.", fix="choose a scenario file.")
    return text


def as_file(scenario: Scenario) -> str:
    """Return a scenario as the YAML file that the command ``outcomes run`` takes."""
    content = scenario.model_dump(mode="json", exclude_none=True)
    content["plan"] = [part.model_dump(mode="json", exclude_defaults=True) for part in scenario.plan]
    return yaml_files.written(content)


def times_from(text: str) -> float:
    """Return how many times the sums of a plan, as an address spells it."""
    try:
        times = float(text)
    except ValueError:
        times = 0.0
    if not 0 < abs(times) <= MOST_MULTIPLE:
        raise InputError(f"it is not within 0 and {MOST_MULTIPLE:,.0f}.", fix="give a number.")
    return times


def named(place: str, live: Live) -> str | None:
    """Return the place that a name or an area's code means, if any."""
    place = whole(place)
    folded = {name.casefold(): name for name in live.places}
    if (key := place.strip().casefold()) in folded:
        return folded[key]
    try:
        areas = evidence.resolve_areas(live.reference, [place])
    except InputError:
        return None
    # A region of which only one area is here has the same areas, and comes first.
    return next((name for name, members in reversed(live.places.items()) if members == areas), None)
