"""Programmes compared, and the command that prints it, on rates drawn in place of a fit's."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tests.conftest import LEEDS
from tests.unit.conftest import Outcomes
from tests.unit.pricing.conftest import CHAINS, DRAWS, RUTLAND, rates_without_a_fit
from toolkit import evidence, programmes, scenarios
from toolkit.evidence import STRUCTURES
from toolkit.measures.programmes import league_table
from toolkit.schema import EFFECT_OUTCOMES, SAMPLE_DIMS


def compare(patch: pytest.MonkeyPatch, dozen: xr.Dataset, *areas: str, **changes: object) -> xr.Dataset:
    patch.setattr(programmes, "fit_resolved", lambda *_, **__: rates_without_a_fit())
    scenario = scenarios.change(scenarios.load("family_help_2025"), **changes)
    return programmes.compare(scenario, areas=areas, cache=Path("none"), statistics=dozen)


@pytest.fixture(scope="module")
def compared(dozen: xr.Dataset) -> xr.Dataset:
    with pytest.MonkeyPatch.context() as patch:
        return compare(patch, dozen, LEEDS)


@pytest.fixture(scope="module")
def table(register: evidence.Register) -> pd.DataFrame:
    return register.tables["programmes"]


def test_every_programme_is_compared_on_the_draws_of_a_run(compared: xr.Dataset, table: pd.DataFrame) -> None:
    assert compared["programme"].values.tolist() == table["programme"].tolist()
    for name in ("avoided", "cost", "effect", "events"):
        assert {dim: compared[name].sizes[dim] for dim in SAMPLE_DIMS} == {"chain": CHAINS, "draw": DRAWS}
    assert compared["outcome"].values.tolist() == list(EFFECT_OUTCOMES)
    assert {"account", "payer"} <= set(compared["avoided"].coords)
    assert compared["avoided"].attrs["price_base"] == "2025/26"
    assert np.isfinite(compared["avoided"]).all() and np.isfinite(compared["effect"]).all()


def test_a_programme_without_a_price_has_no_cost_and_one_without_a_study_no_effect(compared: xr.Dataset) -> None:
    priced = compared["cost"].notnull().all(SAMPLE_DIMS)
    assert bool((compared["cost"].notnull().any(SAMPLE_DIMS) == priced).all())
    assert not bool(priced.sel(programme="mockingbird")) and bool(priced.sel(programme="supporting_families"))
    counted = compared["not_counted"] == ""
    assert not compared["avoided"].sel(programme=~counted.any("outcome")).any()
    assert bool((compared["avoided"].sel(programme=counted.any("outcome")) != 0).any(["component", *SAMPLE_DIMS]).all())
    assert not compared["effect"].where(compared["evidence"] == "none", 0.0).any()


@pytest.mark.long
def test_areas_named_twice_count_once_and_the_scenarios_own_plan_does_not_matter(
    monkeypatch: pytest.MonkeyPatch, dozen: xr.Dataset, compared: xr.Dataset
) -> None:
    other = compare(monkeypatch, dozen, LEEDS, LEEDS, plan=[{"programme": "diversion", "pounds_per_child": [1.0]}])
    xr.testing.assert_identical(other["avoided"], compared["avoided"])
    xr.testing.assert_identical(other["cost"], compared["cost"])


@pytest.mark.long
def test_many_areas_are_priced_on_one_draw_in_four(monkeypatch: pytest.MonkeyPatch, dozen: xr.Dataset) -> None:
    monkeypatch.setattr(programmes, "MANY", 2)
    thinned = compare(monkeypatch, dozen, LEEDS, RUTLAND)
    assert thinned["draw"].values.tolist() == list(range(0, DRAWS, 4))
    for name in ("avoided", "cost", "effect", "events"):
        assert thinned[name].sizes["draw"] == DRAWS // 4
    assert rates_without_a_fit()["posterior"].sizes["draw"] == DRAWS


# the command


@pytest.fixture
def ready(monkeypatch: pytest.MonkeyPatch, compared: xr.Dataset) -> list[list[str]]:
    """Let the command have the comparison above, and note for which areas it asks."""
    asked: list[list[str]] = []

    def give(scenario: scenarios.Scenario, *, areas: list[str], weights: object, **_: object) -> xr.Dataset:
        asked.append([*areas, *([str(weights)] if weights else [])])
        return compared

    monkeypatch.setattr(programmes, "compare", give)
    return asked


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programmes, "compare", lambda *_, **__: pytest.fail("compared"))


def test_help_says_what_it_does_and_takes(outcomes: Outcomes, idle: None) -> None:
    code, out, _ = outcomes("programmes", "--help")
    assert code == 0
    for word in ("Compare programmes", "--area", "--region", "--england", "--csv", "--json"):
        assert word in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "none chosen"),
        (("--area", "Leds"), "Leeds"),
        (("--area", "E10000006"), "abolished"),
        (("--region", "Northeast"), "North East"),
        (("--area", "Leeds", "--england"), "England holds Leeds already"),
        (("--area", "Leeds", "--scenario", "famly_help"), "did you mean family_help"),
        (("--area", "Leeds", "--structure", "scope"), "not a structure with its choice"),
        (("--area", "Leeds", "--structure", "scope=mine"), "scope has no choice 'mine'"),
        (("--area", "Leeds", "--structure", "scope=own:0.4"), "the weights of scope sum to 0.4"),
    ],
)
def test_bad_words_exit_2_before_anything_is_compared(
    outcomes: Outcomes, idle: None, words: tuple[str, ...], message: str
) -> None:
    code, out, err = outcomes("programmes", *words)
    assert code == 2
    assert message in err.replace("\n", " ") and "Traceback" not in out + err


def test_a_file_that_cannot_be_written_is_refused_before_anything_is_compared(
    outcomes: Outcomes, idle: None, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    code, _, err = outcomes("programmes", "--area", "Leeds", "--csv", str(tmp_path / "file" / "league.csv"))
    assert code == 2 and "cannot be written to" in err and "--csv" in err
    code, _, err = outcomes("programmes", "--area", "Leeds", "--csv", str(tmp_path))
    assert code == 2 and "a folder" in err and "--csv" in err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_json_has_one_row_a_programme_and_blanks_where_nothing_is_known(
    outcomes: Outcomes, ready: list[list[str]], compared: xr.Dataset, table: pd.DataFrame
) -> None:
    code, out, err = outcomes("programmes", "--area", "Leeds", "--json")
    rows = {row["programme"]: row for row in json.loads(out)}
    under = {row["programme"]: row.pop("by_structure") for row in rows.values()}
    assert under["mockingbird"] == [] and under["supporting_families"][0]["structure"] == "every"
    assert under["supporting_families"][0]["avoided_fiscal"] == rows["supporting_families"]["avoided_fiscal"]
    assert code == 0 and err == "" and ready == [[LEEDS]]
    league = league_table(compared, table)
    assert list(rows) == league.index.tolist() and sorted(rows) == sorted(table["programme"])
    assert rows["mockingbird"]["cost_per_child"] is None and rows["mockingbird"]["avoided_fiscal"] is None
    ours = rows["supporting_families"]
    assert ours["avoided_fiscal"] == pytest.approx(league.loc["supporting_families", "avoided_fiscal"], rel=1e-6)
    assert ours["evidence"] == "own" and "care" in ours["counted"]


def test_the_file_holds_every_column_in_a_folder_that_is_created(
    outcomes: Outcomes, ready: list[list[str]], compared: xr.Dataset, table: pd.DataFrame, tmp_path: Path
) -> None:
    path = tmp_path / "new" / "league.csv"
    code, out, err = outcomes("programmes", "--area", "Leeds", "--csv", str(path), "--quiet")
    assert (code, out, err) == (0, "", "")
    league = league_table(compared, table)
    written = pd.read_csv(path, index_col="programme")
    assert written.columns.tolist() == league.columns.tolist() and written.index.tolist() == league.index.tolist()
    np.testing.assert_allclose(written["avoided_social"], league["avoided_social"], rtol=1e-12)
    under = pd.read_csv(path.with_name("league_by_structure.csv"), keep_default_na=False)
    assert under.columns[:3].tolist() == ["programme", "structure", "choice"]
    assert set(under["programme"]) == set(league.index[league["evidence"] != "not counted"])
    one = under[under["programme"] == "supporting_families"]
    assert set(one["structure"]) == {"every", *STRUCTURES} and set(one["choice"]) >= {"own", "plateau", "average"}


def test_the_table_is_printed_with_its_notes(outcomes: Outcomes, ready: list[list[str]]) -> None:
    code, out, _ = outcomes("programmes", "--area", "Leeds")
    assert code == 0
    for words in ("Programmes, in 2025/26 prices", "Supporting", "not known", "No effect can be"):
        assert words in out
    assert not re.search(r"\bnan\b", out)


def test_the_command_asks_for_the_structures_named(outcomes: Outcomes, ready: list[list[str]]) -> None:
    code, _, _ = outcomes("programmes", "--area", "Leeds", "--structure", "scope=own,fade=none", "--quiet")
    assert code == 0 and ready == [[LEEDS, "{'scope': {'own': 1.0}, 'fade': {'none': 1.0}}"]]


def test_draws_of_one_structure_alone_are_compared_if_it_has_all_weight(
    monkeypatch: pytest.MonkeyPatch, dozen: xr.Dataset, compared: xr.Dataset
) -> None:
    monkeypatch.setattr(programmes, "fit_resolved", lambda *_, **__: rates_without_a_fit())
    scenario = scenarios.load("family_help_2025")
    alone = {"scope": {"own": 1}, "fade": {"none": 1}}
    other = programmes.compare(scenario, areas=[LEEDS], cache=Path("none"), statistics=dozen, weights=alone)
    assert (other["scope"] == 0).all() and (other["fade"] == 2).all() and compared["scope"].values.max() == 2
    assert (other["evidence"] != "type").all() and (compared["evidence"] == "type").any()
    for name in ("cost", "risk"):
        assert other[name].sizes == compared[name].sizes
