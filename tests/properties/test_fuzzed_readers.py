"""Every reader of users' files against bad ones: read rightly, or refused in one short printable line.

The long form is ``python -m benchmarks.fuzz_readers``; a case that failed there is made again by its number.
"""

import numpy as np
import pytest

from benchmarks import fuzz_readers as fuzz
from toolkit.schema import InputError

CASES = {
    "uploaded figures": 60,
    "with_indicator": 80,
    "saved scenarios": 40,
    "run.nc": 60,
}  # of the readers that take longest
SEED, GOOD = 7, b"a\n1\n2\n"


@pytest.mark.parametrize("name", list(fuzz.READERS))
def test_bad_files_are_read_rightly_or_refused_in_a_line(name):
    found = fuzz.faults(name, CASES.get(name, 40 if name.startswith("table") else 120), SEED)
    assert not found, [(number, fault) for number, _, fault in found]


@pytest.mark.parametrize("name", list(fuzz.READERS))
def test_good_files_are_read(name):
    reader = fuzz.READERS[name]
    for start in reader.starts():
        assert fuzz.judged(reader, start, start, fuzz.FORM) == ""


def _refusing(message):
    def read(content):
        raise InputError(message)

    return read


@pytest.mark.parametrize(
    ("read", "fault"),
    [
        (lambda content: np.array([1.0, 2.0]), ""),
        (_refusing("a.csv: bad. Fix: correct it."), ""),
        (lambda content: np.array([1.0, 2.0 if content == GOOD else 3.0]), "accepted: the same file"),
        (lambda content: np.array([1.0, np.inf]), "accepted: a number that is not finite"),
        (lambda content: content["a"], "traceback: "),
        (_refusing("x" * 301), "message: "),
        (_refusing("\ud800"), "message: "),
        (_refusing("a\n" * 20 + "a"), "message: "),
    ],
)
def test_the_judge_sees_each_kind_of_fault(read, fault):
    message = fuzz.judged(fuzz.Reader(lambda: (GOOD,), read), GOOD, GOOD.replace(b"\n", b"\r\n"), fuzz.FORM)
    assert message.startswith(fault) if fault else not message


def test_cases_are_the_same_every_time_and_of_every_kind():
    reader = fuzz.READERS["decide costs"]
    kinds = {fuzz.case(reader, seed)[2] for seed in range(40)}
    assert kinds == {fuzz.FORM, fuzz.CELL, fuzz.BYTES}
    assert fuzz.case(reader, 5) == fuzz.case(reader, 5)


def test_a_damaged_file_that_is_read_with_other_numbers_is_a_fault():
    reader = fuzz.Reader(lambda: (GOOD,), lambda content: np.array([float(len(content))]), sealed=True)
    assert fuzz.judged(reader, GOOD, GOOD, fuzz.BYTES) == ""
    assert fuzz.judged(reader, GOOD, GOOD[:-1], fuzz.BYTES).startswith("accepted: a damaged file")


def test_files_of_the_projects_own_kinds_have_changes_of_their_own():
    for name in ("run.nc", "saved scenarios"):
        made = [fuzz.case(fuzz.READERS[name], number) for number in range(12)]
        assert {kind for _, _, kind in made} == {fuzz.CELL, fuzz.BYTES}
        assert sum(content != start for start, content, _ in made) > 6
