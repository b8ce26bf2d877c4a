"""Commands that make committed tables again: beside, compared, and in their place only when asked."""

import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest

from toolkit import cli, committed, evidence, evidence_commands
from toolkit.evidence import reference_versions, tables
from toolkit.schema import data_folder

COMMANDS = {
    "pool": ("evidence", "pool"),
    "pathway": ("evidence", "pathway"),
    "reconcile": ("evidence", "reconcile", "--quiet"),
    "own_care": ("evidence", "care", "--quiet"),
    "outlook": ("evidence", "outlook"),
    "calibrate": ("evidence", "calibrate", "small"),
    "check": ("check",),
}
NAME = "spend_error"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the commands read and write a copy of the data."""
    copied = Path(shutil.copytree(data_folder(), tmp_path / "data"))
    for module in (tables, reference_versions):
        monkeypatch.setattr(module, "data_folder", lambda: copied)
    return copied


def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[int, str]:
    monkeypatch.setattr(sys, "argv", ["outcomes", *words])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
        raise SystemExit(0)
    printed = capsys.readouterr()
    return int(stopped.value.code or 0), printed.out + printed.err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_what_moved_and_replaces_nothing_unasked(
    command: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    table, build = evidence.load_table(f"reference/{NAME}"), ("--build", str(tmp_path / "build"))
    before = (folder / "reference" / f"{NAME}.csv").read_bytes()

    def gives(table: pd.DataFrame) -> None:
        monkeypatch.setattr(committed, command, lambda *_, **__: {NAME: table})

    gives(table)
    code, printed = call(capsys, monkeypatch, *COMMANDS[command], *build)
    assert code == 0 and "spend_error: the same within Monte Carlo error (" in printed
    gives(table.assign(mean=table["mean"] + 1, converged=1 - table["converged"]))
    code, printed = call(capsys, monkeypatch, *COMMANDS[command], *build)
    assert code == evidence_commands.MOVED
    assert "spend_error: NOT the same" in printed and "converged was '1', is '0'" in printed
    assert "outcomes evidence accept spend_error --reason" in printed
    assert (tmp_path / "build" / "reference" / f"{NAME}.csv").is_file()
    assert (folder / "reference" / f"{NAME}.csv").read_bytes() == before


@pytest.mark.long
def test_a_table_is_replaced_with_a_reason_at_once_or_afterwards(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    table, build = evidence.load_table(f"reference/{NAME}"), ("--build", str(tmp_path / "build"))
    monkeypatch.setattr(committed, "check", lambda **_: {NAME: table.assign(mean=5.0)})
    code, printed = call(capsys, monkeypatch, "check", *build, "--accept", "")
    assert code == 2 and "the reason is blank. Fix:" in printed and not (tmp_path / "build").exists()
    code, _ = call(capsys, monkeypatch, "check", *build, "--accept", "spending was corrected")
    assert code == 0 and (evidence.load_table(f"reference/{NAME}")["mean"] == 5.0).all()
    monkeypatch.setattr(committed, "check", lambda **_: {NAME: table})
    assert call(capsys, monkeypatch, "check", *build)[0] == evidence_commands.MOVED
    code, _ = call(capsys, monkeypatch, "evidence", "accept", NAME, "--reason", "it was right before", *build)
    assert code == 0 and evidence.load_table(f"reference/{NAME}").equals(table)
    record = evidence.load_table(reference_versions.RECORD).set_index("made")["reason"]
    assert record[NAME] == "it was right before"


def test_every_command_of_the_record_makes_the_tables_it_is_named_for() -> None:
    """The words of ``made_from`` are commands that exist."""
    known = {" ".join(words[:2] if words[0] == "evidence" else words[:1]) for words in COMMANDS.values()}
    commands = evidence.load_table(reference_versions.RECORD)["command"]
    assert {
        " ".join(command.split()[1:3]) if "evidence" in command else command.split()[1] for command in commands
    } == known
