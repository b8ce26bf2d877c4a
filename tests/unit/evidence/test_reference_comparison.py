"""Tables made again lie beside the committed ones, are judged by both errors, and replace them for a reason."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from toolkit import evidence
from toolkit.evidence.reference_versions import RECORD
from toolkit.schema import CANNOT_BE_DETERMINED, InputError, data_folder

NAME = "predictive_checks"


@pytest.fixture
def table() -> pd.DataFrame:
    """Forty checks with an error of 0.01 each, every verdict a pass."""
    rows = [
        ("care_starts", "all", f"check_{i}", 100, 0.5 + i / 100, 0.01, 0.0, 0.0, 1.0, 0.0, "passed") for i in range(40)
    ]
    columns = ["indicator", "size", "check", "cells", "value", "value_mcse", "expected_low", "expected_low_mcse"]
    return pd.DataFrame(rows, columns=[*columns, "expected_high", "expected_high_mcse", "verdict"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(data_folder(), tmp_path / "data"))


def test_two_results_of_one_model_are_the_same(table: pd.DataFrame) -> None:
    for seed in range(5):
        noise = np.random.default_rng(seed).normal(0, 0.01, (2, 40))
        one, two = (table.assign(value=table["value"] + part) for part in noise)
        comparison = evidence.compare_reference(NAME, one, two)
        assert comparison.same and comparison.numbers == 160 and comparison.verdicts == 40
        assert "the same within Monte Carlo error (160 numbers, 40 verdicts; largest" in comparison.sentences()[0]


def test_a_number_is_judged_by_both_errors(table: pd.DataFrame) -> None:
    """By hand: a difference of 0.06 over hypot(0.01, 0.02) is 2.68 errors; the step of rounding adds a little."""
    other = table.assign(value_mcse=0.02)
    other.loc[3, "value"] += 0.06
    comparison = evidence.compare_reference(NAME, table, other)
    assert comparison.same and comparison.largest == pytest.approx(0.06 / np.sqrt(0.0005 + 0.01**2 / 6), rel=1e-6)
    other.loc[3, "value"] += 0.14
    comparison = evidence.compare_reference(NAME, table, other)
    assert comparison.moved == ["care_starts, all, check_3: value 0.73 is now 0.53"]
    assert not comparison.same and "NOT the same" in comparison.sentences()[0]


def test_an_error_that_is_blank_is_taken_to_be_that_of_the_other(table: pd.DataFrame) -> None:
    other = table.assign(value_mcse=np.nan, value=table["value"] + 0.03)
    assert evidence.compare_reference(NAME, table, other).same
    assert not evidence.compare_reference(NAME, table.assign(value_mcse=np.nan), other).same


@pytest.mark.parametrize(("before", "now", "same"), [(7.25, 7.26, True), (7.25, 7.27, False), (0.0, 1.0, False)])
def test_a_number_without_an_error_may_differ_in_its_last_decimal_only(
    table: pd.DataFrame, before: float, now: float, same: bool
) -> None:
    one, two = (table.assign(reliability=value) for value in (before, now))
    assert evidence.compare_reference(NAME, one, two).same is same


def test_a_verdict_that_flips_is_named_and_one_at_its_threshold_is_no_flip(table: pd.DataFrame) -> None:
    other = table.copy()
    other.loc[5, "verdict"] = CANNOT_BE_DETERMINED
    comparison = evidence.compare_reference(NAME, table, other)
    assert comparison.same and not comparison.flipped
    assert comparison.borderline == ["care_starts, all, check_5: verdict was 'cannot be told', is 'passed'"]
    other.loc[7, "verdict"] = "failed"
    comparison = evidence.compare_reference(NAME, table, other)
    assert not comparison.same
    assert comparison.flipped == ["care_starts, all, check_7: verdict was 'failed', is 'passed'"]
    assert "  verdicts that flip: 1" in comparison.sentences()


def test_rows_blanks_and_texts_that_differ_are_named(table: pd.DataFrame) -> None:
    other = table.assign(note="as it was")
    other.loc[0, "value"] = np.nan
    comparison = evidence.compare_reference(NAME, table.assign(note="new").iloc[:-1], other)
    assert "row care_starts, all, check_39 is only in the committed one" in comparison.other
    assert "care_starts, all, check_1: note reads otherwise" in comparison.other
    assert comparison.moved == ["care_starts, all, check_0: value nan is now 0.5"]


def test_each_committed_table_is_the_same_as_itself() -> None:
    for name in evidence.load_table(RECORD)["made"]:
        reference = evidence.load_table(f"reference/{name}")
        comparison = evidence.compare_reference(name, reference, reference)
        assert comparison.same and comparison.largest == 0 and not comparison.borderline


def put(folder: Path, beside: Path, **changes: float) -> list[evidence.Comparison]:
    reference = evidence.load_table(f"reference/{NAME}", folder)
    return evidence.put_beside({NAME: reference.assign(**changes)}, beside, folder)


@pytest.mark.long
def test_what_is_made_lies_beside_and_is_taken_in_only_for_a_reason(folder: Path, tmp_path: Path) -> None:
    committed, beside = folder / "reference" / f"{NAME}.csv", tmp_path / "build" / "reference"
    before = committed.read_bytes()
    [comparison] = put(folder, beside, cells=5)
    assert not comparison.same and (beside / f"{NAME}.csv").is_file() and committed.read_bytes() == before
    for reason, wrong in (("", "blank"), (" ", "blank"), ("because", "shorter than two words")):
        with pytest.raises(InputError, match=f"the reason is {wrong}"):
            evidence.accept_reference([NAME], beside, reason=reason, folder=folder)
    assert committed.read_bytes() == before
    evidence.accept_reference([NAME], beside, reason="counted in fives", folder=folder)
    assert (evidence.load_table(f"reference/{NAME}", folder)["cells"] == 5).all()
    record = evidence.load_table(RECORD, folder).set_index("made")["reason"]
    assert record[NAME] == "counted in fives" and (record.drop(NAME) != "counted in fives").all()


@pytest.mark.long
def test_what_was_made_from_other_data_is_not_taken_in(folder: Path, tmp_path: Path) -> None:
    put(folder, tmp_path)
    priors = folder / "evidence" / "priors.csv"
    text = priors.read_text(encoding="utf-8")
    priors.write_text(text.replace("outcomes,persistence,beta,", "outcomes,persistence,beta,1"), encoding="utf-8")
    assert priors.read_text(encoding="utf-8") != text
    evidence.seal(folder, reason="another prior")
    with pytest.raises(InputError, match=r"made from other code or data .*make it again"):
        evidence.accept_reference([NAME], tmp_path, reason="a good reason", folder=folder)


def test_a_table_that_was_altered_by_hand_is_not_taken_in(folder: Path, tmp_path: Path) -> None:
    put(folder, tmp_path)
    file = tmp_path / f"{NAME}.csv"
    file.write_text(file.read_text(encoding="utf-8").replace("failed", "passed"), encoding="utf-8")
    with pytest.raises(InputError, match="altered, or made from other code"):
        evidence.accept_reference([NAME], tmp_path, reason="a good reason", folder=folder)


def test_a_table_that_was_never_made_is_refused_by_name(folder: Path, tmp_path: Path) -> None:
    put(folder, tmp_path)
    with pytest.raises(InputError, match=r"no table 'backtest' in .*there are \['predictive_checks'\]"):
        evidence.accept_reference(["backtest"], tmp_path, reason="a good reason", folder=folder)


def test_a_table_that_breaks_its_rules_is_not_put_beside_as_good(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="column 'verdict'"):
        put(folder, tmp_path, verdict="perhaps")
