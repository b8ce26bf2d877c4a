"""Sealed data say who changed them, when and why."""

import json
import shutil
from pathlib import Path

import pytest

from toolkit.evidence import history, tables
from toolkit.schema import InputError, data_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of two tables, sealed."""
    (tmp_path / "evidence").mkdir()
    for name in ("vocabulary.csv", "evidence/priors.csv"):
        shutil.copy(data_folder() / name, tmp_path / name)
    tables.seal(tmp_path, reason="two tables of the shipped data")
    return tmp_path


def change(folder: Path) -> None:
    file = folder / "evidence" / "priors.csv"
    file.write_text(file.read_text(encoding="utf-8").replace(",0.7,", ",0.71,", 1), encoding="utf-8")


def entries(folder: Path) -> list[dict[str, object]]:
    return json.loads((folder / tables.MANIFEST).read_text(encoding="utf-8"))["history"]


def test_a_change_is_sealed_with_its_reason_and_the_tables_that_changed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(history.USER, "Ann Example")
    change(folder)
    assert tables.unsealed(folder) == ["evidence/priors.csv"]
    tables.seal(folder, reason="  a sharper prior,\n after review ")
    assert tables.unsealed(folder) == []
    first, last = entries(folder)
    assert first["changed"] == ["evidence/priors.csv", "vocabulary.csv"]
    assert last["changed"] == ["evidence/priors.csv"] and last["by"] == "Ann Example"
    assert last["reason"] == "a sharper prior, after review" and len(str(last["date"])) == len("2026-01-31")


@pytest.mark.parametrize("reason", ["", " \n ", "x" * 301])
def test_a_change_without_a_reason_that_is_a_line_is_not_sealed(folder: Path, reason: str) -> None:
    before = (folder / tables.MANIFEST).read_bytes()
    change(folder)
    with pytest.raises(InputError, match=r"evidence/priors\.csv: .*reason.*Fix: outcomes evidence seal --reason"):
        tables.seal(folder, reason=reason)
    assert (folder / tables.MANIFEST).read_bytes() == before


def test_sealing_what_is_sealed_needs_no_reason_and_adds_nothing(folder: Path) -> None:
    before = (folder / tables.MANIFEST).read_bytes()
    assert tables.seal(folder).read_bytes() == before


def test_a_table_taken_away_is_a_change(folder: Path) -> None:
    (folder / "evidence" / "priors.csv").unlink()
    assert tables.unsealed(folder) == ["evidence/priors.csv"]


def test_a_user_is_the_environments_word_first_and_printable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(history.USER, "Ann\x1b[31m Example" + "x" * 200)
    assert history.user().startswith("Ann [31m Example") and len(history.user()) == 100
    monkeypatch.delenv(history.USER)

    def nobody() -> str:
        raise OSError("no such user")

    monkeypatch.setattr(history.getpass, "getuser", nobody)
    assert history.user() == ""
