"""Damaged scenarios and tables of the data: each is refused in one clear line, or means what it says.

Seeded, so that a failure comes again. `FUZZED_CASES` sets how many of each are tried: 10,000 for the long form.
"""

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import xarray as xr

from toolkit import evidence, scenarios
from toolkit.evidence import tables
from toolkit.evidence.ranges import RANGES, of_unit
from toolkit.models.effects.programme_studies import programme_studies
from toolkit.resolved import resolve
from toolkit.schema import InputError, data_folder

CASES = int(os.environ.get("FUZZED_CASES", "120"))
LONGEST, MOST_LINES, SLOWEST = 400, 11, 5.0  # characters of a line, lines, seconds
NASTY = [
    *(
        "",
        " ",
        "~",
        "null",
        "nan",
        "inf",
        "-inf",
        "1e308",
        "-1e308",
        "1e23",
        "1e-12",
        "1e999",
        "0x1F",
        "010",
        "1:30",
        "2_5",
    ),
    *(
        "yes",
        "true",
        "12%",
        "1,400",
        "140,0",
        "1,5,0",
        "0,435",
        "1.250,50",
        "\uff11\uff12",
        "\u0661\u0662",
        "\u00b2",
        "9" * 4400,
    ),
    *(
        "\\ud800",
        "\u202e",
        "\x00",
        "\x07",
        "&a *a",
        "!!python/name:os.system",
        "[" * 600,
        "{a: " * 50,
        "'",
        '"',
        "\ufeff",
    ),
    *(
        "x" * 120_000,
        "\n",
        "\r",
        "- ",
        ": ",
        "? ",
        "#",
        "|",
        "%",
        "@",
        "`",
        "-0",
        "+",
        "-",
        ".",
        "E08000035",
        "Cumberland",
    ),
]
SCENARIO = """based_on: families_first
name: mine
title: Ours
horizon: 60
discount_schedule: 0.03
outcomes: [care, youth_justice]
plan:
  - {programme: supporting_families, pounds_per_child: [22, 20], funder: central_government}
  - {programme: mentoring, units: [40], first_year: 2027, areas: [Leeds]}
effect: {scale_up: 0.5, ramp: [0.5, 1.0], shared_luck: 0.2}
adjustments: {optimism_bias: 0.1, drop_off: 0.05}
own_figures:
  population_0_17: {area: Leeds, value: 170000, reason: our own count}
overrides:
  price_care_year: {value: 90000, low: 80000, high: 99000, interval_level: 0.9, price_year: 2024/25, reason: ledger}
priors:
  programmes.tau_type_event: {first: 0.3, reason: seen elsewhere}
studies:
  OURS: {programme: mentoring, outcome: care, design: rct, scale: log_risk, estimate: -0.2, standard_error: 0.1,
         follow_up_months: 24, reason: our trial}
left_out: [START_OOHP]
seed: 7
draws: 100
"""
PROGRAMMES = ("programmes", "programme_costs", "programme_effects", "baseline_risks")
CHECKED = ("judgements", "effects", "transitions", "unit_costs", "discount_schedules", *PROGRAMMES)


def damaged(text: str, random: random.Random) -> str:
    """Return a text with one to three things wrong."""
    for _ in range(random.randint(1, 3)):
        at = random.randrange(len(text) + 1)
        kind = random.randrange(5)
        nasty = random.choice(NASTY)
        lines = text.split("\n")
        if kind == 0:  # in place of a value
            spans = [
                part for part in text.replace("{", ",").replace("}", ",").replace("\n", ",").split(",") if part.strip()
            ]
            part = random.choice(spans or [text])
            value = part.rpartition(": ")[2] or part
            text = text.replace(value, nasty, 1)
        elif kind == 1:
            text = text[:at] + nasty + text[at:]
        elif kind == 2:
            text = text[:at] + text[at + random.randint(1, 9) :]
        elif kind == 3:
            lines.insert(random.randrange(len(lines) + 1), random.choice(lines))
            text = "\n".join(lines)
        else:
            lines.pop(random.randrange(len(lines)))
            text = "\n".join(lines) or "x"
    return text


def cases(text: str, seed: int) -> Iterator[bytes]:
    source = random.Random(seed)
    for _ in range(CASES):
        content = damaged(text, source).encode("utf-8", "surrogatepass")
        yield bytes(source.randrange(256) for _ in range(40)) + content if source.random() < 0.02 else content


def check_words(problem: InputError, began: float) -> None:
    said = str(problem)
    assert said.count("\n") < MOST_LINES
    assert all(line.isprintable() and len(line) <= LONGEST for line in said.split("\n")), said[:2000]
    assert time.perf_counter() - began < SLOWEST, said


def test_scenarios_are_used_or_refused(register: evidence.Register, statistics: xr.Dataset) -> None:
    used, base = 0, evidence.base_year(statistics)
    for content in cases(SCENARIO, 1):
        began = time.perf_counter()
        try:
            scenario = scenarios.read(content, where="mine.yaml")
            resolved = resolve(scenario, register, base=base)
            assert resolved.figures["real_value"].notna().all()
            studies = programme_studies(resolved.tables, exclude=scenario.left_out)
        except InputError as problem:
            check_words(problem, began)
        else:
            used += 1
            assert set(scenario.studies) <= set(studies["study"]) and not set(scenario.left_out) & set(studies["study"])
            assert all(0 < abs(sum(part.sums)) < 1e12 for part in scenario.plan) and scenario.hash
    assert 0 < used < CASES


@pytest.mark.parametrize("name", CHECKED)
def test_tables_hold_what_their_columns_can_or_are_refused(name: str, tmp_path: Path) -> None:
    """One cell at a time, so that whatever is accepted is read back and looked at."""
    source, file = random.Random(name), tmp_path / f"{name}.csv"
    shipped = data_folder() / "evidence" / f"{name}.csv"
    text = pd.read_csv(shipped, dtype=str, keep_default_na=False).head(60)
    outcomes = tables._outcomes(data_folder())
    numeric = [column for column in text if column in RANGES]
    for _ in range(max(20, CASES // len(CHECKED))):
        began, table = time.perf_counter(), text.copy()
        row, column = source.randrange(len(table)), source.choice(numeric)
        table.loc[row, column] = source.choice(NASTY)
        table.to_csv(file, index=False)
        try:
            found = tables._validated(file, f"evidence/{name}", outcomes)
        except InputError as problem:
            check_words(problem, began)
            continue
        low, high = RANGES[column]
        assert found[column].dropna().between(low, high).all()
        given = table.loc[row, column].strip()
        assert (given == "" and pd.isna(found.loc[row, column])) or float(found.loc[row, column]) == float(given)
        assert given.isascii()
        if "unit" in found and column in ("value", "low", "high"):
            assert of_unit(found, column).all()
