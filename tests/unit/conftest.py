"""The command, called as a person would, without a process of its own."""

import sys
from collections.abc import Callable

import pytest

from toolkit import cli

Outcomes = Callable[..., tuple[int, str, str]]


@pytest.fixture
def outcomes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Outcomes:
    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["outcomes", *words])
        monkeypatch.setenv("COLUMNS", "200")
        with pytest.raises(SystemExit) as stopped:
            cli.main()
            raise SystemExit(0)
        printed = capsys.readouterr()
        return int(stopped.value.code or 0), printed.out, printed.err

    return call
