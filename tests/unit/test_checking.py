"""`outcomes scenario check` says what a run would use, and refuses what a run would refuse."""

from pathlib import Path

import pandas as pd
import pytest

from toolkit import checking, scenarios
from toolkit.schema import InputError

MINE = """
based_on: {base}
name: mine
discount_schedule: 0.025
plan: [{{programme: supporting_families, pounds_per_child: [010]}}]
own_figures:
  population_0_17: {{area: Leeds, value: 170000, reason: our own count}}
  residential_week: {{area: Leeds, value: 6000, price_year: 202425, reason: our ledger}}
overrides:
  price_care_year: {{value: 90000, price_year: 2024-25, reason: our ledger}}
priors:
  programmes.tau_type_event: {{first: 0.3, reason: seen elsewhere}}
studies:
  OUR_TRIAL: {{programme: supporting_families, outcome: repeat_referrals, design: rct, scale: log_risk, estimate: -0.2,
    standard_error: 0.1, follow_up_months: 12, reason: our trial}}
left_out: [FGC_LAC_HAZ]
"""


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    folder = tmp_path_factory.mktemp("scenarios")
    (folder / "base.yaml").write_text("based_on: families_first\nhorizon: 60", encoding="utf-8")
    (folder / "mine.yaml").write_text(MINE.format(base="base.yaml"), encoding="utf-8")
    return checking.used(str(folder / "mine.yaml"))


def test_every_setting_is_listed_with_the_file_that_gives_it(tables: dict[str, pd.DataFrame]) -> None:
    rows = tables["Settings"].set_index("setting")
    files = {name: Path(rows.loc[name, "given by"]).name for name in rows.index}
    assert rows.loc["plan 1.pounds_per_child", "value"] == "10.0" and files["plan 1.pounds_per_child"] == "mine.yaml"
    assert rows.loc["horizon", "value"] == "60" and files["horizon"] == "base.yaml"
    assert rows.loc["effect.ramp", "value"] == "0.5, 1.0" and files["effect.ramp"] == "families_first"
    assert rows.loc["cash_step", "given by"] == "default"
    shown = {name.partition(".")[0].removesuffix(" 1") for name in rows.index}
    assert shown == set(scenarios.Scenario.model_fields) - set(checking.APART)


def test_whatever_is_of_ones_own_is_listed_beside_what_it_replaces(tables: dict[str, pd.DataFrame]) -> None:
    own = tables["Own figures"].set_index("figure")
    assert own["value"].to_dict() == {"population_0_17": 170000, "residential_week": 6000}
    assert own.loc["residential_week", "price_year"] == "2024/25"
    (override,) = tables["Overrides"].to_dict("records")
    assert (override["figure"], override["value"], override["cited"]) == ("price_care_year", 90000, 103600)
    assert tables["Priors"]["prior"].tolist() == ["programmes.tau_type_event"]
    use = tables["Studies"].groupby("study")["use"].first()
    assert (use["OUR_TRIAL"], use["FGC_LAC_HAZ"], use["TF2_LAC"]) == ("your own", "left out by the scenario", "used")
    assert tables["Areas"]["areas"].tolist() == ["Leeds (E08000035)"]
    source = tables["Figures"].set_index("figure")["source"]
    assert source["price_care_year"] == "your own: our ledger"
    assert source.str.len().gt(0).all()


def test_areas_asked_for_are_checked_and_named() -> None:
    tables = checking.used("families_first", areas=["stable:Cumbria area"])
    assert tables["Areas"]["areas"].tolist() == ["Cumberland and Westmorland and Furness (stable:Cumbria area)"]
    assert set(tables) == {"Settings", "Studies", "Figures", "Areas"}


@pytest.mark.parametrize(
    ("text", "areas", "message"),
    [
        ("extra_layers: [nobody]", [], "no layer .*nobody"),
        ("cost_options: [nothing]", [], "no option .*nothing"),
        ("cost_options: [wellby]", [], "add without_quality_of_life"),
        ("overrides: {undetected_share: {value: 1.2, reason: our view}}", [], "it must be from 0 to 1"),
        ("plan: [{programme: diversion, pounds_per_child: [-900]}]", ["E08000035"], "spent on .* cannot be taken away"),
        ("own_figures: {population_0_17: {area: Leeds, value: 17, reason: our own}}", [], "not within 10 times"),
        ("own_figures: {population_0_17: {area: Leeds, value: 170000, reason: our own}}", ["E06000001"], "of Leeds"),
        (
            "studies: {OURS: {programme: mentoring, outcome: care, design: rct, scale: log_odds, estimate: -0.2,"
            " standard_error: 0.1, follow_up_months: 12, reason: our own}}",
            [],
            "OURS.*means nothing without its control risk",
        ),
    ],
)
def test_what_a_run_would_refuse_is_refused(tmp_path: Path, text: str, areas: list[str], message: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(f"based_on: families_first\n{text}", encoding="utf-8")
    with pytest.raises(InputError, match=message):
        checking.used(str(file), areas=areas)
