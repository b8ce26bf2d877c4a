"""Bad files for every reader of users' files: each is read rightly, or refused in one short printable line.

    python -m benchmarks.fuzz_readers [reader ...] [--cases 10000] [--seed 1] [--keep FOLDER]

A reader is a row of ``READERS``: good files to start from, and a function from the bytes of one file to the numbers
that were read. Seeded; the short form is tests/properties/test_fuzzed_readers.py. Exit code 1 if anything failed.
"""

import argparse
import bz2
import csv
import gzip
import io
import lzma
import re
import sys
import tarfile
import tempfile
import traceback
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
import xarray as xr

from benchmarks import fuzzed_files as files
from toolkit import evidence, scenarios
from toolkit.apps.pages.own_figures import READ as OWN_NAMES
from toolkit.apps.parts import entry
from toolkit.measures import decision_words
from toolkit.report import decide, draw_files
from toolkit.schema import InputError

SLOW, LONGEST_LINE, MOST_LINES = 5.0, 300, 11
FORM, CELL, BYTES = "form", "cell", "bytes"  # what was changed: nothing that counts, known tokens, anything

TOKENS: dict[str, float | None] = {  # what a cell may be read as, besides text; None: as no number at all
    "": None,
    " ": None,
    "nan": None,
    "NaN": None,
    "inf": None,
    "-Infinity": None,
    "1e308": None,
    "-1e308": None,
    "1e-400": None,
    "0x1F": None,
    "1:30": None,
    "0,435": None,
    "1.250,50": None,
    "1,5,0": None,
    "140,0": None,
    "9" * 4300: None,
    "\uff11\uff12": None,
    "\u0663": None,
    "c": None,
    "x": None,
    "z": None,
    "k": None,
    "u": None,
    "low": None,
    ":": None,
    "~": None,
    "-": None,
    "=1+1": None,
    "\ud800": None,
    "\x00": None,
    "\u202e": None,
    "true": None,
    "null": None,
    "1_000": None,
    "x" * 100_000: None,
    '"': None,
    "'": None,
    "{": None,
    "&a": None,
    "1 000": None,
    "#REF!": None,
    "$\\frac{$": None,
    "<script>": None,
    "1e": None,
    "e5": None,
    "\n": None,
    "12%": 0.12,
    "£1,250.50": 1250.5,
    "1,250.50": 1250.5,
    "010": 10,
    "-5": -5,
    "0": 0,
    "1e-12": 1e-12,
    "2e3": 2000,
    "+7": 7,
    "2025": 2025,
    "202425": 202425,
    "2024/25": None,
    "2021": 2021,
    "E08000038": None,
    "care": None,
    "1e15": 1e15,
    "1e16": None,
}


@dataclass(frozen=True)
class Reader:
    """How files of one kind are read.

    Attributes
    ----------
    starts
        Good files, any of which a case starts from.
    read
        From the bytes of a file to every number that was read; raises ``InputError``.
    table
        Whether the files are tables of cells; others are changed in their bytes alone, or as ``change`` says.
    change
        A change of its own to a good file, with a token to put somewhere.
    sealed
        Whether a file with any byte changed must be refused, or give the same numbers.
    """

    starts: Callable[[], tuple[bytes, ...]]
    read: Callable[[bytes], np.ndarray]
    table: bool = True
    change: Callable[[bytes, np.random.Generator, str], bytes] | None = None
    sealed: bool = False


# Cases -------------------------------------------------------------------------------------------------


def _pick[T](random: np.random.Generator, options: Sequence[T]) -> T:
    return options[int(random.integers(len(options)))]


def case(reader: Reader, seed: int) -> tuple[bytes, bytes, str]:
    """Return a good file, the bad one made of it, and what was changed."""
    random = np.random.default_rng(seed)
    starts = reader.starts()
    start = starts[random.integers(len(starts))]
    kinds = [FORM] * 2 + [CELL] * 5 + [BYTES] * 3 if reader.table else [CELL, BYTES] if reader.change else [BYTES]
    kind = _pick(random, kinds)
    if kind == CELL and reader.change:
        return start, reader.change(start, random, str(_pick(random, list(TOKENS)))), CELL
    if kind == BYTES:
        content = start
        for _ in range(random.integers(1, 5)):
            content = _bytes_changed(content, random)
        return start, content, BYTES
    rows = list(csv.reader(io.StringIO(start.decode())))
    if kind == CELL:
        for _ in range(random.integers(1, 4)):
            rows = _cells_changed(rows, random)
    return start, _written(rows, random, plain=kind == CELL and random.random() < 0.5), str(kind)


def _written(rows: list[list[str]], random: np.random.Generator, *, plain: bool) -> bytes:
    """Write rows in one of the forms that mean the same."""
    forms = (
        {}
        if plain
        else {
            "separator": _pick(random, [",", ";", "\t"]),
            "end": _pick(random, ["\n", "\r\n", "\r"]),
            "quoting": _pick(random, [csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
            "blank": random.integers(3),
            "encoding": _pick(random, ["utf-8", "utf-8-sig", "utf-16", "cp1252", "utf-16-le", "utf-32"]),
        }
    )
    stream = io.StringIO(newline="")
    writer = csv.writer(
        stream,
        delimiter=str(forms.get("separator", ",")),
        lineterminator=str(forms.get("end", "\n")),
        quoting=int(forms.get("quoting", csv.QUOTE_MINIMAL)),
    )
    width = max((len(row) for row in rows), default=0)
    writer.writerows([*rows, *[[""] * width] * int(forms.get("blank", 0))])
    encoding = str(forms.get("encoding", "utf-8"))
    return stream.getvalue().encode(encoding, "replace" if encoding == "cp1252" else "surrogatepass")


def _cells_changed(rows: list[list[str]], random: np.random.Generator) -> list[list[str]]:
    rows = [list(row) for row in rows]
    place = int(random.integers(len(rows)))
    column = int(random.integers(max(len(rows[place]), 1)))
    token = str(_pick(random, list(TOKENS)))
    match _pick(random, ["cell", "cell", "cell", "cell", "head", "row", "gap", "twice", "column", "swap", "short"]):
        case "cell" if rows[place]:
            rows[place][min(column, len(rows[place]) - 1)] = token
        case "head" if rows[0]:
            rows[0][min(column, len(rows[0]) - 1)] = token
        case "row":
            del rows[place]
        case "gap":
            rows.insert(place, [""] * int(random.integers(4)))
        case "twice":
            rows.insert(place, list(rows[int(random.integers(len(rows)))]))
        case "column":
            for row in rows:
                if column < len(row):
                    row.append(row[column])
        case "swap":
            for row in rows:
                row.reverse()
        case "short":
            rows[place] = rows[place][:column]
    return rows or [[token]]


def _bytes_changed(content: bytes, random: np.random.Generator) -> bytes:
    start, end = sorted(int(place) for place in random.integers(0, len(content) + 1, 2))
    token = str(_pick(random, list(TOKENS))).encode("utf-8", "surrogatepass")
    match random.integers(12):
        case 0:
            return content[:start] + content[min(end, start + 200) :]
        case 1:
            return content[:start] + random.bytes(int(random.integers(1, 9))) + content[start:]
        case 2:
            return content[:start] + token + content[start:]
        case 3:
            return content[:end]
        case 4:
            return content[:start] + content[start : start + 300] * int(random.integers(2, 400)) + content[start:]
        case 5:
            return _packed(content, random)
        case 6:
            return content.decode("utf-8", "replace").encode(
                _pick(random, ["utf-16", "utf-32", "utf-7", "cp037"]), "replace"
            )
        case 7:
            return content.replace(b",", _pick(random, [b";", b"\t", b"|", b"  ", b",,"]))
        case 8:
            return content.replace(_pick(random, [b"0", b".", b"e", b"\n"]), token[:50])
        case 9:
            return random.bytes(int(random.integers(1, 3000)))
        case 10:
            return _pick(random, [b"[", b"{", b"- ", b'"', b"\n", b"a,", b"\0", b"\xff"]) * 20_000
        case _:
            changed = bytearray(content)
            for place in random.integers(0, max(len(changed), 1), 6):
                if changed:
                    changed[place] = int(random.integers(256))
            return bytes(changed)


def _packed(content: bytes, random: np.random.Generator) -> bytes:
    stream = io.BytesIO()
    match random.integers(6):
        case 0:
            return gzip.compress(content)
        case 1:
            return bz2.compress(content)
        case 2:
            return lzma.compress(content)
        case 3:
            with zipfile.ZipFile(stream, "w") as archive:
                archive.writestr(_pick(random, ["a.csv", "xl/workbook.xml", "content.xml"]), content)
        case 4:
            with tarfile.open(fileobj=stream, mode="w") as archive:
                archive.addfile(tarfile.TarInfo("a.csv"), io.BytesIO(b""))
        case _:
            return b"\x28\xb5\x2f\xfd" + content
    return stream.getvalue()


# Judgement ---------------------------------------------------------------------------------------------


def judged(reader: Reader, start: bytes, content: bytes, kind: str) -> str:
    """Return what is wrong with how a file was read: nothing, or the kind of fault and what shows it."""
    began = process_time()  # of the processor: other programs do not make a reader slow
    values: np.ndarray | None = None
    fault = ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            values = reader.read(content)
    except InputError as problem:
        lines = str(problem).split("\n")
        bad = [line for line in lines if not line.isprintable() or len(line) > LONGEST_LINE or not line]
        if bad or len(lines) > MOST_LINES:
            fault = f"message: {len(lines)} lines, {len(bad)} bad: {(bad or lines)[0][:400]!a}"
    except Exception:
        fault = f"traceback: {traceback.format_exc(limit=-3)[-900:]!a}"
    if (taken := process_time() - began) > SLOW:
        return f"slow: {taken:.1f} s. {fault}"
    return fault or ("" if values is None else _wrong(reader, values, start, content, kind))


def _wrong(reader: Reader, values: np.ndarray, start: bytes, content: bytes, kind: str) -> str:
    if not np.isfinite(values).all():
        return "accepted: a number that is not finite"
    if kind == BYTES and not reader.sealed:
        return ""
    given = _numbers(reader, start)
    if kind == BYTES and not np.array_equal(np.sort(values), given):
        return "accepted: a damaged file, with other numbers"
    if kind == FORM and not np.array_equal(np.sort(values), given):
        return "accepted: the same file in another form gives other numbers"
    meant = [value for value in TOKENS.values() if value is not None]
    commas = [0.435, 140] if b";" in content else []  # decimal commas are read beside semicolons
    commas += [31] if b"0x1F" in content and not reader.table else []  # which YAML reads as a number
    cells = re.findall(rb"(?<![^,\n])-?[0-9.]+(?![^,\n])", start)
    odd = values[~np.isin(values, [*given, *meant, *map(float, cells), 5, *commas])]  # 5: end of a withheld count
    return f"accepted: {odd[:3]}, which stand nowhere in the file" if len(odd) else ""


@lru_cache(maxsize=64)
def _numbers(reader: Reader, start: bytes) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return np.sort(reader.read(start))


# Readers -----------------------------------------------------------------------------------------------


def _table(heads: str, rows: list[list[object]]) -> bytes:
    return "\n".join([heads, *(",".join(map(str, row)) for row in rows)]).encode() + b"\n"


@lru_cache
def _draws() -> Mapping[str, tuple[bytes, ...]]:
    random = np.random.default_rng(1)
    bare, numbered = {}, {}
    for name, heads in (("costs", "usual,help"), ("effects", "usual,help"), ("parameters", "price,effect")):
        values = random.normal(50, 10, (30, 2)).round(3).tolist()
        bare[name] = _table(heads, values)
        numbered[name] = _table(f"chain,.draw,{heads},lp__", [[1, k + 1, *row, -0.5] for k, row in enumerate(values)])
    return {name: (bare[name], numbered[name]) for name in bare}


def _decide(name: str, content: bytes) -> np.ndarray:
    """Read a changed file beside two good ones of its kind, decide, and return the numbers of the changed one."""
    numbered = b".draw" in content[:4000] or b".\0d\0r" in content[:4000]
    with tempfile.TemporaryDirectory() as folder:
        paths = {part: Path(folder) / f"{part}.csv" for part in _draws()}
        for part, path in paths.items():
            path.write_bytes(content if part == name else _draws()[part][numbered])
        cost, effect = draw_files.read_options(paths["costs"], paths["effects"])
        drawn = draw_files.read_parameters(paths["parameters"], like=cost, beside=paths["costs"])
    decision = decide.decide(cost, effect, threshold=20_000.0)
    decide.sentences(decision)
    decision_words.ladder(decision.options, unit="a unit")
    parts = {"costs": cost, "effects": effect, "parameters": drawn.to_dataarray()}
    return parts[name].values.ravel()


@lru_cache
def _statistics() -> xr.Dataset:
    statistics = evidence.load_statistics()
    return statistics.isel(area=slice(0, 12))


@lru_cache
def _counts() -> tuple[bytes, ...]:
    areas = [str(area) for area in _statistics()["area"].values if str(area).startswith("E")]
    rows = [[area, year, 50 + year % 7, 2000] for area in areas for year in (2021, 2022)]
    ours = _table("la_code,data_year,events,exposure", rows)
    heads = "time_period,geographic_level,new_la_code,la_name,events,exposure,events_upper"
    theirs = [[f"{year - 1}{year % 100}", "Local authority", code, "x", *counts, ""] for code, year, *counts in rows]
    theirs[0][4], theirs[1][4], theirs[2][4] = "c", "c", 7
    return ours, _table(heads, [["202021", "National", "", "", 1, 2, ""], *theirs])


def _indicator(content: bytes) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "counts.csv"
        path.write_bytes(content)
        cells = evidence.with_indicator(_statistics(), path, name="mine").sel(indicator="mine")
    assert bool((cells["events_lower"] <= cells["events_upper"]).where(cells["observed"], True).all())
    assert bool((cells["events_upper"] <= cells["exposure"]).where(cells["observed"], True).all())
    values = cells[["events_lower", "events_upper", "exposure"]].to_dataarray().values
    return values[~np.isnan(values)]


@lru_cache
def _register() -> evidence.Register:
    return evidence.load_register()


@lru_cache
def _figures() -> tuple[bytes, ...]:
    heads = "figure,value,low,high,price_year,reason"
    rows: list[list[object]] = [
        ["price_care_year", 90000, 80000.5, 99000, "2025/26", "our own ledger"],
        ["price_need_year", 4000, "", "", "2024/25", "our own ledger"],
    ]
    return (_table(heads, rows),)


def _upload(content: bytes) -> np.ndarray:
    """Read figures as the page does, and put them into a scenario."""
    roles = _register().tables["roles"]
    rows = entry.used(entry.read(content, dict(zip(roles["role"], roles["unit"], strict=True)), "The file"))
    whole = scenarios.load("families_first").model_dump(mode="json", exclude_none=True)
    scenario = scenarios.validate(whole | {"overrides": rows}, "this page")
    few = xr.Dataset(coords={"chain": [0], "draw": [0, 1]})
    evidence.sample(scenarios.resolve(scenario, _register()), like=few, seed=1, price_base=scenario.price_base)
    return np.array([row[name] for row in rows.values() for name in ("value", "low", "high") if name in row], float)


def _pairs(content: bytes) -> np.ndarray:
    """Read two pasted columns: text, as a browser sends it."""
    return np.array(list(entry.used(entry.pairs(content.decode("utf-8", "replace"), OWN_NAMES)).values()), float)


READERS = {
    **{
        f"decide {name}": Reader(lambda name=name: _draws()[name], partial(_decide, name))  # type: ignore[misc]
        for name in ("costs", "effects", "parameters")
    },
    "with_indicator": Reader(_counts, _indicator),
    "uploaded figures": Reader(_figures, _upload),
    "pasted pairs": Reader(lambda: (b"referrals\t9000\nfostering week\t700.5\ncost per family,4000\n",), _pairs, False),
    "run.nc": Reader(files.runs, files.read_run, table=False, change=files.changed_run, sealed=True),
    "saved scenarios": Reader(files.saved, files.read_saved, table=False, change=files.changed_saved),
    **{f"table {name}": Reader(partial(files.table, name), partial(files.read_table, name)) for name in files.TABLES},
}


def faults(name: str, cases: int, seed: int) -> list[tuple[int, bytes, str]]:
    """Return the faults of a reader: the case's number, the file and what is wrong."""
    failed = []
    for number in range(seed * 1_000_000, seed * 1_000_000 + cases):
        start, content, kind = case(READERS[name], number)
        if fault := judged(READERS[name], start, content, kind):
            failed.append((number, content, fault))
    return failed


def main() -> None:
    """Run the long form."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("readers", nargs="*", choices=[*READERS, []], help="all by default")
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="folder for the files that failed")
    asked = parser.parse_args()
    any_fault = False
    for name in asked.readers or READERS:
        began = perf_counter()
        failed = faults(name, asked.cases, asked.seed)
        counts: dict[str, Any] = dict(Counter(fault.partition(":")[0] for _, _, fault in failed))
        print(f"{name}: {asked.cases} cases in {perf_counter() - began:.0f} s; faults {counts or 'none'}", flush=True)
        for number, content, fault in failed:
            print(f"  {number} {fault}")
            if asked.keep:
                asked.keep.mkdir(parents=True, exist_ok=True)
                (asked.keep / f"{name.replace(' ', '_')}_{number}").write_bytes(content)
        any_fault = any_fault or bool(failed)
    sys.exit(int(any_fault))


if __name__ == "__main__":
    main()
