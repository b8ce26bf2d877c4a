"""The command `outcomes budget` on a small outlook and a run in miniature, and what it refuses before any fit."""

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.outlooks import small_outlook
from tests.unit.report.conftest import make_run, register
from toolkit import budget_command, evidence, outlook, workflow
from toolkit.schema import InputError

__all__ = ["make_run", "register"]

AREAS = ["E08000035", "E06000047"]
CLAIMS = Path(__file__).resolve().parents[2] / "notebooks" / "example_budget" / "walsall_claims.csv"


@pytest.fixture
def ready(monkeypatch, make_run):
    """No fit: a small outlook, and a run in miniature."""
    monkeypatch.setattr(
        outlook, "forecast", lambda areas, *, until, **_: small_outlook(areas).sel(year=slice(None, until))
    )
    monkeypatch.setattr(workflow, "run", lambda *_, **__: make_run())


def asked(**options):
    names = ["Leeds", "County Durham"]
    given = {
        "scenario": "families_first",
        "baseline": "model",
        "lever": ["step_down=1"],
        "claims": None,
        "actuals": None,
    }
    given |= {"out": None, "cache": Path("build/cache"), "quiet": True, "as_json": False}
    budget_command.budget(names, **(given | options))


def test_every_table_is_written_and_the_council_s_lines_are_checked(ready, tmp_path):
    actuals = tmp_path / "actuals.csv"
    actuals.write_text('measure,quarter,actual\nspend,2026/27 Q1,"£31,000,000"\n', encoding="utf-8")
    asked(out=tmp_path / "paper", claims=CLAIMS, actuals=actuals)
    written = {path.name for path in (tmp_path / "paper").iterdir()}
    assert {"growth_cash.csv", "budget_lines.csv", "options_value.csv", "tracker.csv", "claim_check.csv"} <= written
    checked = pd.read_csv(tmp_path / "paper" / "claim_check.csv").set_index("reference")
    assert checked.loc["OP13", "sum"] == 437_369
    assert checked.loc["OP17", "claimed"].tolist()[-1] == 842_440 + 859_289 + 876_475 + 894_004
    assert set(checked.loc["OP16", "overlap"]) == {"OP17"}  # two programmes for children in need
    everything = json.loads((tmp_path / "paper" / "budget.json").read_text())
    assert len(everything["tracker"]) == 80
    assert [row["actual"] for row in everything["tracker"] if row["actual"]] == [31e6]


def test_it_prints_the_years_what_must_be_believed_and_the_claims(ready, capsys):
    asked(claims=CLAIMS, quiet=False)
    printed = capsys.readouterr().out
    for words in (
        "Growth avoided",
        "What must be believed",
        "preferred",
        "society",
        "Claims, set against the model",
        "OP13",
    ):
        assert words in printed
    assert "npsv" not in printed and "chance_paid" not in printed
    asked(as_json=True)
    assert "growth_real" in json.loads(capsys.readouterr().out)


def test_no_cell_that_is_written_is_a_formula(ready, tmp_path):
    path = tmp_path / "claims.csv"
    path.write_text("reference,description,year,sum\n=1+1,@evil,2026/27,5\n-A,+B,2026/27,5\n", encoding="utf-8")
    asked(out=tmp_path / "paper", claims=path)
    checked = pd.read_csv(tmp_path / "paper" / "claim_check.csv")
    assert checked[["reference", "description"]].values.tolist() == [["'=1+1", "'@evil"], ["'-A", "'+B"]]
    assert checked["sum"].tolist() == [5, 5]


def test_what_users_bring_is_refused_before_any_fit(monkeypatch, tmp_path):
    monkeypatch.setattr(outlook, "forecast", lambda *_, **__: pytest.fail("fitted"))
    path = tmp_path / "claims.csv"
    path.write_text("reference,description,year,sum\nA1,Fewer homes,,5\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"claims.csv, line 2 \(A1\): a saving without a year"):
        asked(claims=path)
    path.write_text("reference,description,year,sum\nA1,Fewer homes,2031/32,5\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"2031/32 is not looked at. Fix: use 2026/27 to 2030/31"):
        asked(claims=path)
    children = float(evidence.base_year(evidence.load_statistics())["population_0_17"].sel(area=AREAS).sum())
    path.write_text(f"measure,quarter,actual\nlooked_after,2026/27 Q1,{children + 1:.0f}\n", encoding="utf-8")
    with pytest.raises(InputError, match="for looked_after is not between 0 and"):
        asked(actuals=path)
    with pytest.raises(InputError, match="--lever step_down: not a name and numbers"):
        asked(lever=["step_down"])


def test_more_step_down_than_children_in_homes_is_refused(ready):
    with pytest.raises(InputError, match=r"lever step_down: 900 children in 2026/27, where .* are expected in"):
        asked(lever=["step_down=900"])
