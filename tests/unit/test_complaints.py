"""No constraint of a Python class reaches a person who writes a scenario."""

import re
from typing import Any

import pytest

from toolkit import scenarios
from toolkit.complaints import FORMS, MEANINGS
from toolkit.evidence.overrides import Override
from toolkit.evidence.own import OwnFigure
from toolkit.evidence.priors import Prior, Study
from toolkit.schema import InputError

OF_PYTHON = re.compile(
    r"\b(Input should|String should|should be|should have|valid|dictionary|instance|tuple|pattern|str)\b"
)
BAD: list[Any] = [
    *(None, "", "x", "yes", "1,5", "0,435", "1" * 70, True, -1, 0, 1, 2.5, 1e308, float("inf"), float("nan")),
    *(10**400, [], ["x"], [1, 2], {}, {"x": 1}, {"x": {"y": 1}}, {"Ab": None}, [[1]], "\u0661"),
]
ROWS = {  # a good row of each section whose keys are names
    "overrides": (Override, {"value": 1.0, "reason": "our own", "low": 0.5, "high": 2.0, "interval_level": 0.9}),
    "own_figures": (OwnFigure, {"area": "Leeds", "value": 1000.0, "reason": "our own", "price_year": "2024/25"}),
    "priors": (Prior, {"first": 1.0, "second": 1.0, "reason": "our own"}),
    "studies": (
        Study,
        {
            "programme": "supporting_families",
            "outcome": "care",
            "design": "rct",
            "scale": "log_risk",
            "estimate": -0.1,
            "standard_error": 0.1,
            "control_risk": 0.2,
            "follow_up_months": 12.0,
            "evaluation": "ours",
            "country": "England",
            "developer_led": False,
            "reason": "our own",
        },
    ),
}


def refusals(content: dict[str, Any]) -> list[str]:
    try:
        scenarios.validate(content, "mine.yaml")
    except InputError as problem:
        return str(problem).splitlines()
    return []


def wrong(content: dict[str, Any]) -> list[str]:
    """Return what is wrong with the messages themselves."""
    lines = refusals(content)
    return [
        line
        for line in lines
        if OF_PYTHON.search(line)
        or len(line) > 300
        or not line.isprintable()
        or not (re.match(r"and \d+ more", line) or "Fix: " in line or "Fix: " in line)
    ]


@pytest.fixture(scope="module")
def good() -> dict[str, Any]:
    return scenarios.load("families_first").model_dump(mode="json")


@pytest.mark.parametrize("key", [*scenarios.Scenario.model_fields, "unknown_key"])
def test_every_setting_is_refused_in_plain_words(good: dict[str, Any], key: str) -> None:
    assert refusals(good) == []
    assert [line for value in BAD for line in wrong(good | {key: value})] == []


@pytest.mark.parametrize("section", ["effect", "adjustments"])
def test_every_nested_setting_is_refused_in_plain_words(good: dict[str, Any], section: str) -> None:
    found = [
        line
        for name in [*good[section], "unknown_key"]
        for value in BAD
        for line in wrong(good | {section: good[section] | {name: value}})
    ]
    assert found == []


def test_every_setting_of_a_part_of_the_plan_is_refused_in_plain_words(good: dict[str, Any]) -> None:
    part = good["plan"][0]
    found = [
        line
        for name in [*part, "unknown_key"]
        for value in BAD
        for line in wrong(good | {"plan": [part | {name: value}]})
    ]
    assert found == []


@pytest.mark.parametrize("section", ROWS)
def test_every_row_of_ones_own_is_refused_in_plain_words(good: dict[str, Any], section: str) -> None:
    kind, row = ROWS[section]
    name = {"own_figures": "population_0_17"}.get(section, "some_name")
    found = [
        line
        for key in [*kind.model_fields, "unknown_key"]
        for value in BAD
        for line in wrong(good | {section: {name: row | {key: value}}})
    ]
    assert found == []
    assert wrong(good | {section: {name: {key: value for key, value in row.items() if key != "reason"}}}) == []
    assert wrong(good | {section: {"\u202e": row, "x" * 5000: row}}) == []


def test_the_words_say_what_is_asked_for(good: dict[str, Any]) -> None:
    row = ROWS["overrides"][1]
    (line,) = refusals(good | {"overrides": {"fade_half_life": row | {"reason": "why"}}})
    assert line == (
        "scenario mine.yaml: overrides.fade_half_life.reason must have at least 5 characters (given: why). "
        "Fix: change or remove that line."
    )
    (line,) = refusals({key: value for key, value in good.items() if key != "plan"})
    assert line == "scenario mine.yaml: plan is missing. Fix: add it."
    (line,) = refusals(good | {"effect": good["effect"] | {"unevidenced": "lend"}})
    assert "effect.unevidenced must be 'none' or 'borrow' (given: lend)" in line
    (line,) = refusals(good | {"effect": good["effect"] | {"detection": "yes"}})
    assert "effect.detection must be true or false (given: yes)" in line
    assert "of small letters" in refusals(good | {"name": "My name"})[0]


def test_every_pattern_and_meaning_is_in_use() -> None:
    """A form that no field asks for any more would hide that the one that replaced it has no words."""
    text = str(scenarios.Scenario.model_json_schema())
    assert all(repr(pattern) in text for pattern in FORMS)
    assert "missing" in MEANINGS
