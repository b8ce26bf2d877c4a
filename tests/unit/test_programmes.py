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
from toolkit import evidence, programme_command, programmes, scenarios, workflow
from toolkit.appraisal import account_total
from toolkit.draws import effects_of, studies_of
from toolkit.evidence import STRUCTURES
from toolkit.measures.programmes import league_table
from toolkit.models.effects.hierarchy import sample_programmes
from toolkit.models.effects.programme_steps import STEPS
from toolkit.programme_command import named
from toolkit.resolved import resolve
from toolkit.schema import ACCOUNTS, EFFECT_OUTCOMES, SAMPLE_DIMS, InputError


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


def test_the_risk_of_care_within_a_year_is_the_published_one_where_that_is_of_a_year(
    compared: xr.Dataset, register: evidence.Register
) -> None:
    risks = register.tables["baseline_risks"].query("outcome == 'care' and used == 1").set_index("programme")
    groups = register.tables["programmes"].set_index("programme")["target_group"]
    counted = compared["programme"].values[(compared["not_counted"] == "").any("outcome").values].tolist()
    of_a_year = [
        name
        for name in counted
        if name in risks.index and risks["horizon_months"][name] <= 12 and groups[name] != "in_need"
    ]
    assert of_a_year
    # The risk is that of the mean hazards, so the mean risk of uncertain ones is a little less.
    for name in of_a_year:
        assert float(compared["care_within_year"].sel(programme=name).mean()) == pytest.approx(
            risks["risk"][name], rel=0.03
        )
    # Looked after at some time in months 19 to 24: 2.5 per cent, of whom most entered before.
    window = float(compared["care_within_year"].sel(programme="supporting_families").mean())
    assert 0.01 < window < 0.05


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


# one step by step


@pytest.fixture(scope="module")
def bench(dozen: xr.Dataset) -> programmes.Bench:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(programmes, "fit_resolved", lambda *_, **__: rates_without_a_fit())
        scenario = scenarios.load("family_help_2025")
        return programmes.bench(scenario, areas=[LEEDS], cache=Path("none"), statistics=dozen)


def test_a_run_and_a_comparison_alone_agree_on_the_same_fit_and_draws(
    dozen: xr.Dataset, register: evidence.Register, compared: xr.Dataset
) -> None:
    scenario, fitted = scenarios.load("family_help_2025"), rates_without_a_fit()
    resolved = resolve(scenario, register, dozen, areas=[LEEDS])
    draws = workflow.draw_figures(scenario, resolved.figures, register, like=fitted["posterior"].to_dataset())
    again = programmes.compare_with(fitted, dozen, resolved, draws, [LEEDS])
    xr.testing.assert_allclose(again, compared, rtol=1e-12)  # sums depend on where an array lies in memory


@pytest.mark.parametrize("name", ["supporting_families", "incredible_years"])
def test_the_last_step_is_what_the_comparison_gives(bench: programmes.Bench, compared: xr.Dataset, name: str) -> None:
    examined = programmes.examine(bench, name)
    assert examined["step"].values.tolist() == list(STEPS)
    for account in ACCOUNTS:
        expected = account_total(compared["avoided"].sel(programme=name), account)
        got = examined["steps"].sel(step=STEPS[-1], account=account)
        np.testing.assert_allclose(got, expected.transpose(*SAMPLE_DIMS), rtol=1e-5, atol=0.01)
    xr.testing.assert_equal(examined["cost"], compared["cost"].sel(programme=name, drop=True))
    own = bench.used["evidence"].sel(programme=name, outcome="care") == "own"
    assert bool(own) == bool(examined["steps"].sel(step="published").any())


def test_a_larger_effect_avoids_more_and_none_of_it_depends_on_luck(bench: programmes.Bench) -> None:
    examined = programmes.examine(bench, "supporting_families")
    assert examined["main"].item() == "care"
    worth = examined["response"].sel(account="social")
    assert bool((worth.diff("size") > 0).all())
    means = worth.mean(SAMPLE_DIMS).to_series()
    assert means[-0.15] / means[-0.05] == pytest.approx(3.0, rel=0.06)  # nearly linear


def test_a_programme_without_a_study_has_what_must_be_believed_and_no_steps(bench: programmes.Bench) -> None:
    examined = programmes.examine(bench, "caseload_reduction")
    assert "steps" not in examined and examined["main"].item() == "care" and not examined["with_others"]
    assert bool((examined["response"].sel(account="fiscal").mean(SAMPLE_DIMS) > 0).all())


def test_a_programme_of_which_nothing_can_be_counted_has_its_price_alone(bench: programmes.Bench) -> None:
    examined = programmes.examine(bench, "mentoring")
    assert set(examined.data_vars) == {"cost"} and bool(examined["cost"].notnull().all())


def test_an_unknown_programme_is_refused(bench: programmes.Bench) -> None:
    with pytest.raises(InputError, match=r"'mentorin': there is none of that name.*Fix.*mentoring"):
        programmes.examine(bench, "mentorin")


def test_selection_of_a_scenario_moves_what_is_used_of_a_significant_trial(register: evidence.Register) -> None:
    """As `sample_programmes` with the same chance, which tests of its own compare with quadrature."""
    like = xr.Dataset(coords={"chain": range(4), "draw": range(250)})
    names, moved = ["family_group_conference"], []
    for kept in (1.0, 0.5):
        scenario = scenarios.change(scenarios.load("families_first"), effect={"selection": kept})
        used = effects_of(resolve(scenario, register), like, names=names, weights={"scope": {"all": 1}})
        studies = studies_of(resolve(scenario, register))
        tables = register.tables
        alone = sample_programmes(
            studies, tables["programmes"], tables["priors"], like=like, seed=scenario.seed, selection=kept
        )
        expected = (alone["programme_effect"] * alone["take_up"]).sel(programme=names, outcome="care")
        xr.testing.assert_allclose(
            used["before_scale_up"].sel(outcome="care").drop_vars("outcome"), expected.drop_vars("outcome")
        )
        moved.append(float(expected.mean()))
    assert moved[1] - moved[0] > 0.005


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
        (("--area", "Leeds", "--scenario", "familes_first"), "did you mean families_first"),
        (("--area", "Leeds", "--selection", "0"), "effect.selection must be above 0"),
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
    for words in ("Programmes, in 2026/27 prices", "Supporting", "not known", "No effect can be"):
        assert words in out
    assert not re.search(r"\bnan\b", out)


# the command for one


@pytest.fixture
def looked_into(monkeypatch: pytest.MonkeyPatch, bench: programmes.Bench, compared: xr.Dataset) -> None:
    monkeypatch.setattr(programme_command, "bench", lambda *_, **__: bench)
    monkeypatch.setattr(programme_command, "compared_on", lambda *_, **__: compared)


def test_one_programme_is_printed_with_its_steps_studies_and_sources(outcomes: Outcomes, looked_into: None) -> None:
    code, out, _ = outcomes("programmes", "supporting_families", "--area", "Leeds")
    assert code == 0
    for words in (
        "Supporting / Troubled Families keyworker, in 2026/27 prices",
        "As its own studies publish it",
        "What must be believed",
        "TF2_LAC",
        "From published to used",
        "Family Law Week",
    ):
        assert words in out, words
    assert not re.search(r"\bnan\b|None", out)


def test_a_programme_without_studies_says_what_is_not_known(outcomes: Outcomes, looked_into: None) -> None:
    code, out, _ = outcomes("programmes", "caseload reduction", "--area", "Leeds")
    assert code == 0 and "no effect is counted" in out and "As its own studies" not in out
    assert "No study of it, or of programmes of its type, is in use." in out


def test_json_of_one_programme_adds_up(outcomes: Outcomes, looked_into: None, compared: xr.Dataset) -> None:
    code, out, err = outcomes("programmes", "Supporting / Troubled Families keyworker", "--area", "Leeds", "--json")
    record = json.loads(out)
    assert code == 0 and err == "" and record["programme"]["programme"] == "supporting_families"
    for account in ACCOUNTS:
        steps = record[f"from_published_{account}"]
        total = record["programme"][f"avoided_{account}"]
        assert sum(step["contribution"] for step in steps) == pytest.approx(total, rel=1e-4)
    assert record["main_outcome"] == "care"
    assert {study["study"] for study in record["studies"]} == {"TF2_LAC", "TF2_JUVCONV", "TF1_YOUTH_JUSTICE"}
    without = [study for study in record["studies"] if study["effect"] is None]
    assert [study["published"] for study in without] == ["no significant effect"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("supporting_familes",), "did you mean supporting_families"),
        (("home",), "did you mean intensive_family_preservation, home_visiting_other"),
        (("",), "use one of"),
        (("mentoring", "--csv", "league.csv"), "--csv writes the table of all programmes"),
    ],
)
def test_a_name_that_is_nobodys_exits_2(outcomes: Outcomes, idle: None, words: tuple[str, ...], message: str) -> None:
    code, out, err = outcomes("programmes", *words, "--area", "Leeds")
    assert code == 2 and message in err.replace("\n", " ") and "Traceback" not in out + err


def test_a_name_a_label_and_part_of_one_find_a_programme(table: pd.DataFrame) -> None:
    for text in ("triple_p", "Triple P", " triple-p ", "TRIPLE P"):
        assert named(text, table) == "triple_p"
    assert named("conference", table) == "family_group_conference"


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
