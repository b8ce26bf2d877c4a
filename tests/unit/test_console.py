"""Whatever a console can show and whatever the disk answers, a command ends in one clear line."""

import errno
import io
import sys

import pytest

from toolkit import console
from toolkit.measures import words
from toolkit.schema import InputError

HEADLINE = f"Leeds’s cost: {words.money(-1_200_000)} – £22 × 3"


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("cp1252", "Leeds’s cost: -£1.2 million – £22 × 3"),
        ("ascii", "Leeds's cost: -GBP 1.2 million - GBP 22 x 3"),
        ("utf-8", HEADLINE),
    ],
)
def test_no_console_stops_a_finished_run_or_drops_a_sign(
    monkeypatch: pytest.MonkeyPatch, encoding: str, expected: str
) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding))
    console.call(lambda: print(HEADLINE, flush=True))
    assert written.getvalue().decode(encoding).strip() == expected


@pytest.mark.parametrize(
    ("letter", "expected"),
    [
        ("é", "e"),
        ("ł", "?"),
        ("½", "1/2"),
        ("⅞", "?"),
        ("\N{WORD JOINER}", ""),
        ("\N{NO-BREAK SPACE}", " "),
        ("字", "?"),
    ],
)
def test_a_character_is_spelt_or_shown_as_missing_but_never_as_another_number(letter: str, expected: str) -> None:
    problem = UnicodeEncodeError("ascii", f"a{letter}b", 1, 2, "ordinal not in range")
    assert console._plain(problem) == (expected, 2)


def refuse(problem: Exception) -> None:
    raise problem


@pytest.mark.parametrize(
    ("problem", "start"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "build"), "Error: build: No space left on device. Fix: "),
        (PermissionError(errno.EACCES, "Permission denied", "build"), "Error: build: Permission denied. Fix: "),
        (OSError(errno.ENOSPC, "No space left on device"), "Error: output: No space left on device. Fix: "),
        (InputError("x: " + "long " * 40 + "Fix: y."), "Error: x: long"),
    ],
)
def test_bad_input_and_a_full_disk_end_in_one_line(
    problem: Exception, start: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        console.call(lambda: refuse(problem))
    printed = capsys.readouterr().err
    assert stopped.value.code == console.BAD_INPUT
    assert printed.startswith(start) and printed.count("\n") == 1


@pytest.mark.parametrize("problem", [ValueError("a fault"), OSError(errno.EBADF, "Bad file descriptor")])
def test_a_fault_of_the_program_keeps_its_traceback(problem: Exception) -> None:
    with pytest.raises(type(problem)):
        console.call(lambda: refuse(problem))
