"""Scenario files are YAML 1.2: what looks like a number is one, and nothing else is."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.schema import InputError
from toolkit.yaml_files import LARGEST, parsed, written


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("010", 10),  # YAML 1.1: 8
        ("1:30", "1:30"),  # YAML 1.1: 90
        ("190:20:30", "190:20:30"),
        ("2_500", "2_500"),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("y", "y"),
        ("true", True),
        ("False", False),
        ("NULL", None),
        ("~", None),
        ("", None),
        ("0x1F", 31),
        ("0o17", 15),
        ("+3", 3),
        ("-0", 0),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("-.inf", float("-inf")),
        ("2025-01-01", "2025-01-01"),
        ("1,400", "1,400"),
        ("140,0", "140,0"),
        ("\uff11\uff14", "\uff11\uff14"),
        ("\u0661", "\u0661"),  # numerals that are not ASCII
        ("'010'", "010"),
        ('"true"', "true"),
    ],
)
def test_values_are_those_of_the_core_schema(text: str, value: Any) -> None:
    found = parsed(f"a: {text}".encode(), "mine.yaml")["a"]
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: " + b"9" * 4400, "line 1: .*a number of 4,400 characters"),
        (b"a: 0x" + b"f" * 4400, "a number of 4,402 characters"),
        (b"b: 1\na: &x 1", r"line 2: .*references"),
        (b"a: *x", r"references"),
        (b"a: !!int '3'", r"tags"),
        (b'a: "\\ud800"', r"U\+D800 cannot be shown"),
        (b'"\\u202e": 1', r"U\+202E cannot be shown"),
        (b"a: 1\na: 2", r"line 2: .*'a' is given twice"),
        (b"[a]: 1", "a key is not a word"),
        (b"- " * 40_000, "not readable as YAML"),
        (b"a: 1\n---\nb: 2", "another document"),
        (b"a: \x00", "control character"),
        (b"PK\x03\x04" + b"\0" * 50, "zip archive"),
        (b"a" * (LARGEST + 1), "larger than 100 kB"),
        (b"[" * 501, "more than 500 lists"),
        (b"", "mapping of keys"),
        (b"a: [", "line 1: "),
    ],
)
def test_what_is_no_scenario_is_refused_in_one_line(content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message) as refused:
        parsed(content, "mine.yaml")
    said = str(refused.value)
    assert said.startswith("mine.yaml") and "Fix: " in said
    assert len(said) <= 300 and said.isprintable()


TEXT = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs", "S")), max_size=20).map(str.strip)
LIKE_NUMBERS = st.sampled_from(
    ["010", "1e5", "0o17", "1:30", "yes", "no", "null", "~", ".5", "2_5", "0x1F", "1.", "=", "<<"]
)
VALUES = st.one_of(
    TEXT, LIKE_NUMBERS, st.integers(-(2**40), 2**40), st.floats(allow_nan=False), st.booleans(), st.none()
)


@given(st.dictionaries(st.sampled_from(["a", "b", "no", "010"]), st.one_of(VALUES, st.lists(VALUES, max_size=3))))
def test_what_is_written_is_read_back(content: dict[str, Any]) -> None:
    if content and not any("\xad" in str(value) for value in content.values()):
        try:
            found = parsed(written(content).encode(), "mine.yaml")
        except InputError as refused:
            assert "cannot be shown" in str(refused)  # of a space that is no space
            return
        assert found == content
