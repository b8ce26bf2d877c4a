"""What the options of ``outcomes outlook`` may be."""

import io
import json

import pandas as pd
import pytest

from tests.outlooks import small_outlook
from toolkit import outlook, outlook_command
from toolkit.outlook_command import growth_of, own_figures
from toolkit.schema import InputError

CUMBRIA = "Cumbria area: Cumberland with Westmorland and Furness"


def test_figures_by_year():
    assert own_figures(["2026=1,500", "2027=1510"], "model") == {2026: 1500.0, 2027: 1510.0}
    assert growth_of("0.03") == 0.03 and growth_of("persist") == "persist"


@pytest.mark.parametrize(
    ("texts", "baseline", "message"),
    [
        (["next=1500"], "model", "--own next: not a year. Fix: write --own 2026=1500"),
        (["2026=1500"], "flat", "--own beside --baseline flat"),
        (["2027=abc"], "model", "--own 2027=abc: not a name and a number. Fix: write --own 2026=1500"),
        (["2027=nan"], "model", "--own 2027=nan: not a name and a number"),
        (["2027=5", "2027=6"], "model", "--own 2027=6: 2027 has a number already"),
        (["2027=5", "02027=6"], "model", "--own 02027: not a year"),
    ],
)
def test_bad_figures_are_refused(texts, baseline, message):
    with pytest.raises(InputError, match=message):
        own_figures(texts, baseline)


@pytest.mark.parametrize("name", ["Cumberland", "Cumbria area"])
def test_the_outlook_of_a_part_says_that_it_is_of_the_merged_area(monkeypatch, capsys, name):
    monkeypatch.setattr(outlook, "forecast", lambda areas, **_: small_outlook(areas))
    outlook_command.outlook(area=[name])
    shown = capsys.readouterr()
    assert f"an outlook is of the merged area, {CUMBRIA}." in shown.err and "its own." not in shown.err
    assert f"Outlook of {CUMBRIA}." in " ".join(shown.out.split())
    outlook_command.outlook(area=[name], output="csv", quiet=True)
    assert set(pd.read_csv(io.StringIO(capsys.readouterr().out))["area"]) == {CUMBRIA}
    outlook_command.outlook(area=[name], output="json", quiet=True)
    assert {row["area"] for row in json.loads(capsys.readouterr().out)} == {CUMBRIA}


def test_own_children_of_one_council_of_a_merged_area_are_refused():
    with pytest.raises(InputError, match=r'--own for Cumberland: these would count for .*--area "Cumbria area"'):
        outlook_command.outlook(area=["Cumberland"], own=["2026=900"])
