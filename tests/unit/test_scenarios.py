from dataclasses import replace
from pathlib import Path

import pytest
from toolkit.models.effects.studies import study_table

from toolkit import evidence, scenarios
from toolkit.resolved import resolve
from toolkit.schema import InputError


@pytest.fixture(scope="module")
def register() -> evidence.Register:
    return evidence.load_register()


def write(folder: Path, text: str) -> str:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_every_shipped_scenario_loads_and_resolves(register: evidence.Register) -> None:
    names = scenarios.available()
    assert {"family_help", "family_help_cut", "family_help_no_fade", "family_help_detection", "care_edge"} <= set(names)
    hashes = set()
    for name in names:
        scenario = scenarios.load(name)
        hashes.add(scenario.hash)
        assumptions = scenarios.resolve(scenario, register)
        assert assumptions["source"].str.len().gt(0).all()
        assert not assumptions["overridden"].any()
    assert len(hashes) == len(names)


def test_the_default_is_the_prevention_grant_per_child(register: evidence.Register) -> None:
    """22 pounds is the 270 million pound grant over the children of England, as the scenario says."""
    scenario = scenarios.load("family_help")
    grant = register.figures.loc["cscpg_2025_26_total", "value"]
    statistics = evidence.load_statistics()
    children = float(evidence.base_year(statistics)["population_0_17"].sum())
    assert grant / children == pytest.approx(scenario.option.spend_per_child, abs=0.5)
    assert (scenario.option.years, scenario.effect.source, scenario.effect.replication) == (3, "combined", 0.5)


def test_defaults_agree_with_the_judgements_that_explain_them(register: evidence.Register) -> None:
    scenario, value = scenarios.load("family_help"), register.figures["value"]
    assert scenario.effect.replication == value["replication_factor"]
    assert scenario.effect.take_up == value["take_up"]
    assert scenario.effect.ramp[:2] == (value["ramp_up_first_year"], value["ramp_up_later_years"])
    assert scenario.adjustments.optimism_bias == value["optimism_bias_operating"]
    assert scenario.adjustments.deadweight == value["deadweight"]
    assert scenario.adjustments.attribution == value["attribution"]


def test_programmes_share_their_sites_luck_unless_a_scenario_says_otherwise() -> None:
    family, edge = scenarios.load("family_help"), scenarios.load("care_edge")
    assert family.luck == edge.luck == (1.0, "")
    apart = [scenarios.change(one, effect={"shared_luck": 0.5}) for one in (family, edge)]
    assert [one.luck[0] for one in apart] == [0.5, 0.5] and apart[0].luck[1] != apart[1].luck[1]
    # More of the same programme is no other programme.
    assert scenarios.change(apart[0], option={"spend_per_child": 44.0}).luck == apart[0].luck
    assert apart[0].hash != family.hash
    with pytest.raises(InputError, match=r"effect\.shared_luck"):
        scenarios.change(family, effect={"shared_luck": 1.5})


def test_a_preset_says_only_what_differs() -> None:
    default, cut = scenarios.load("family_help"), scenarios.load("family_help_cut")
    assert cut.option.cut and cut.option.spend_per_child == default.option.spend_per_child
    assert cut.effect == default.effect


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("based_on: family_help\noption: {spend_per_chidl: 3}", "did you mean 'spend_per_child'"),
        ("based_on: family_help\noption: {spend_per_child: -22}", "must be above 0 .given: -22"),
        ("based_on: family_help\nfirst_year: 2030", "first_year is always 2025.*leave first_year out"),
        (
            "based_on: family_help\nhorizon: 5\noption: {years: 7}\neffect: {ramp: [1, 1, 1, 1, 1, 1, 1]}",
            "longer than horizon",
        ),
        ("based_on: family_help\nhorizon: 90", "past the evidence"),
        ("based_on: family_help\neffect: {source: trails}", "effect.source"),
        ("based_on: family_help\neffect: {ramp: [1.0]}", "one share for each spending year"),
        ("based_on: family_help\noutcomes: [care, care]", "choose each once"),
        ("based_on: family_help\noption: {spend_per_child: yes}", "must be a number.*given: yes"),
        ("based_on: family_help\noption: {years: 2, years: 3}", "'years' is given twice"),
        ("based_on: family_help\noutcomes: [care, gambling]", "gambling"),
        ("based_on: family_help\ncovariates: [caseload, weather]", "weather.*choose each once from.*ofsted_judgement"),
        ("based_on: family_help\ncovariates: [caseload, caseload]", "choose each once"),
        ("based_on: famly_help", "did you mean family_help"),
        ("based_on: theirs.yaml", "no such file"),
        ("- 1\n- 2", "mapping of keys"),
        ("a: [", "not readable as YAML"),
        (
            "based_on: family_help\noverrides: {fade_half_life: {value: 2, low: 1, high: 3, reason: local study}}",
            "interval without a level",
        ),
        (
            "based_on: family_help\noverrides: {fade_half_life: {value: 9, low: 1, high: 3, interval_level: 0.9,"
            " reason: local study}}",
            "outside low-high",
        ),
    ],
)
def test_bad_files_are_refused_with_the_mending_step(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        scenarios.load(write(tmp_path, text))


def test_based_on_names_a_file_beside_the_one_that_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "ours"
    folder.mkdir()
    (folder / "first.yaml").write_text("based_on: family_help\nname: first\nhorizon: 30", encoding="utf-8")
    (folder / "second.yaml").write_text("based_on: first.yaml\nname: second", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert scenarios.load("ours/second.yaml").horizon == 30


def test_based_on_in_a_circle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"based_on: {path}", encoding="utf-8")
    with pytest.raises(InputError, match="circle"):
        scenarios.load(path)


def test_the_hash_names_what_can_move_a_result() -> None:
    default = scenarios.load("family_help")
    assert scenarios.change(default, title="Another title").hash == default.hash
    assert scenarios.change(default, option={"spend_per_child": 23}).hash != default.hash


def test_an_override_is_flagged_and_nothing_else_moves(register: evidence.Register) -> None:
    default = scenarios.load("family_help")
    own = scenarios.change(
        default, overrides={"price_care_year": {"value": 90_000, "price_year": "2025/26", "reason": "our ledger"}}
    )
    before, after = scenarios.resolve(default, register), scenarios.resolve(own, register)
    assert after.loc["price_care_year", ["real_value", "overridden", "reason"]].tolist() == [90_000, True, "our ledger"]
    others = before.index.drop("price_care_year")
    assert after.loc[others, "real_value"].equals(before.loc[others, "real_value"])


def test_an_override_of_an_unused_figure_is_refused(register: evidence.Register) -> None:
    own = scenarios.change(
        scenarios.load("family_help"), overrides={"price_care_yaer": {"value": 1.0, "reason": "misspelt"}}
    )
    with pytest.raises(InputError, match=r"did you mean.*price_care_year"):
        scenarios.resolve(own, register)


def test_money_is_rebased_and_growth_made_real(register: evidence.Register) -> None:
    table = scenarios.resolve(scenarios.load("family_help"), register)
    # 5,214 x 103.2388 / 73.0337 from the deflator rows.
    assert table.loc["cost_per_family", "real_value"] == pytest.approx(5214 * 103.2388 / 73.0337)
    # The role's own rate is real already. The published nominal one: its note gives 0.0483 a year in real terms.
    assert table.loc["growth_care", "real_value"] == table.loc["growth_care", "value"]
    roles = register.tables["roles"].replace({"id": {"growth:looked_after": "unit_cost_growth_cla_2016_17_to_2024_25"}})
    published = replace(register, tables={**register.tables, "roles": roles})
    deflated = scenarios.resolve(scenarios.load("family_help"), published)
    assert deflated.loc["growth_care", "real_value"] == pytest.approx(0.0483, abs=5e-5)


def test_a_superseded_figure_cannot_be_the_cost_per_family(register: evidence.Register) -> None:
    scenario = scenarios.change(scenarios.load("family_help"), option={"cost_per_family": "foster_year_2013"})
    with pytest.raises(InputError, match=r"foster_year_2013.*superseded"):
        scenarios.resolve(scenario, register)


def test_a_figure_in_the_wrong_unit_is_refused(register: evidence.Register) -> None:
    scenario = scenarios.change(scenarios.load("family_help"), option={"cost_per_family": "CLA_EXIT_Y25"})
    with pytest.raises(InputError, match="is in 'per year', not 'GBP per family'"):
        scenarios.resolve(scenario, register)


def test_money_of_your_own_needs_its_price_year(register: evidence.Register) -> None:
    own = scenarios.change(
        scenarios.load("family_help"), overrides={"price_care_year": {"value": 90_000.0, "reason": "our ledger"}}
    )
    with pytest.raises(InputError, match="without a price base"):
        scenarios.resolve(own, register)


def test_an_unknown_discount_schedule_is_refused_before_anything_is_fitted(register: evidence.Register) -> None:
    scenario = scenarios.change(scenarios.load("family_help"), discount_schedule="green_book_2030")
    with pytest.raises(InputError, match="green_book_2026_standard"):
        scenarios.resolve(scenario, register)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("growth_care", 3.0, "cited 0.0456.*as 0.03 for 3%"),
        ("growth_care", -1.0, "either way"),
        ("cost_per_family", 1e-9, "cited 5,214 .*within 10 times"),
        ("cost_per_family", -5000.0, "within 10 times"),
        ("price_care_year", 1_200_000.0, "within 10 times"),
        ("exchequer_share", 1.2, "from 0 to 1"),
        ("exchequer_share", -0.1, "from 0 to 1"),
        ("exclusion_all", 0.13, "from 0 to 0.013"),
        ("children_per_family", 1e6, "within 10 times"),
    ],
)
def test_an_override_that_cannot_be_meant_is_refused(register, key, value, said):
    row = {"value": value, "price_year": "2025/26", "reason": "our ledger"}
    with pytest.raises(InputError, match=f"overrides.{key}: value .*{said}.*Fix"):
        scenarios.resolve(scenarios.change(scenarios.load("family_help"), overrides={key: row}), register)


def test_no_role_takes_a_million_million(register):
    default = scenarios.load("family_help")
    for role in scenarios.resolve(default, register).index:
        row = {"value": 1e12, "price_year": "2025/26", "reason": "our ledger"}
        with pytest.raises(InputError, match=f"overrides.{role}"):
            scenarios.resolve(scenarios.change(default, overrides={role: row}), register)


def test_every_cited_figure_may_stand_for_itself_and_an_end_is_held_to_the_same_bounds(register):
    default = scenarios.load("family_help")
    table = scenarios.resolve(default, register)
    rows = {
        role: {"value": row["value"], "reason": "as cited"}
        | ({"price_year": row["price_year"]} if row["unit"].startswith("GBP") else {})
        for role, row in table.iterrows()
    }
    assert scenarios.resolve(scenarios.change(default, overrides=rows), register)["overridden"].all()
    wide = {"value": 1.7, "low": 1.0, "high": 1e6, "interval_level": 0.9, "reason": "our ledger"}
    with pytest.raises(InputError, match="children_per_family: high"):
        scenarios.resolve(scenarios.change(default, overrides={"children_per_family": wide}), register)


def test_a_study_cannot_be_surer_than_any_study_is(register):
    study = {"outcome": "care", "design": "rct", "scale": "risk_ratio", "estimate": 0.9, "reason": "our own trial"}
    with pytest.raises(InputError, match="standard_error"):
        scenarios.change(scenarios.load("family_help"), studies={"ours": study | {"standard_error": 1e-12}})
    assert register.tables["meta_ready"]["se"].min() >= 0.001


TRIAL = {"outcome": "care", "design": "rct", "scale": "risk_ratio", "estimate": 0.9, "standard_error": 0.1}


def pooled_with(register, **given):
    added = {key: TRIAL | {"reason": "our own trial"} | row for key, row in given.items()}
    scenario = scenarios.change(scenarios.load("family_help"), studies=added)
    studies = resolve(scenario, register).studies
    return study_table(register.tables, **studies).set_index(["outcome", "study"])["programme"]


@pytest.mark.parametrize(
    ("outcome", "shared", "other"), [("care", "mst", "START_OOHP"), ("youth_justice", "SAFE_OFF", "SAFE_OFF")]
)
def test_an_added_study_may_be_of_a_programme_that_another_evaluates(register, outcome, shared, other):
    programme = pooled_with(register, ours={"outcome": outcome, "shared_programme": shared})
    assert programme[outcome, "ours"] == programme[outcome, other] == shared
    assert pooled_with(register, ours={})["care", "ours"] == "ours"


def test_two_added_studies_may_be_of_one_programme_that_is_new(register):
    programme = pooled_with(register, first={"shared_programme": "new_help"}, second={"shared_programme": "new_help"})
    assert programme["care", "first"] == programme["care", "second"] == "new_help"


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ({"ours": {"shared_programme": "msst"}}, r"studies.ours.*'msst'.*name one of \['mst'"),
        ({"ours": {"shared_programme": "ours"}}, "no other study on care"),  # itself
        ({"ours": {"shared_programme": "START_OOHP"}}, "no other study on care"),  # it has a name: mst
        ({"ours": {"shared_programme": "youth_clubs"}}, "no other study on care"),  # only of other outcomes
        ({"ours": {"shared_programme": "x" * 61}}, "shared_programme"),
        ({"ours": {"shared_programme": 3}}, "shared_programme"),
        (
            {"one": {"shared_programme": "new"}, "two": {"shared_programme": "new", "outcome": "youth_justice"}},
            "no other study on care",
        ),
    ],
)
def test_a_programme_that_no_other_study_is_of_is_refused(register, rows, said):
    with pytest.raises(InputError, match=said):
        pooled_with(register, **rows)


OWN = "based_on: family_help\nown_figures:\n  population_0_17: {area: %s, value: 170000, reason: our own count}"


@pytest.mark.parametrize("place", ["Leeds", "leeds ", "E08000035"])
def test_own_figures_by_name_are_those_of_the_area(tmp_path: Path, place: str) -> None:
    scenario = scenarios.load(write(tmp_path, OWN % place))
    assert scenario.own_area == "E08000035"
    assert scenario.hash == scenarios.load(write(tmp_path, OWN % "Leeds")).hash


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("Leedz", "own_figures.population_0_17.area: area 'Leedz': unknown.*Leeds"),
        ("North West", r"'North West' is \d+ areas.*name the one council"),
        ("Cumberland", r"Cumberland and Westmorland and Furness together, not of Cumberland.*area: Cumbria area"),
        ("E06000064", "together, not of E06000064"),
    ],
)
def test_own_figures_of_no_one_area_are_refused(tmp_path: Path, place: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        scenarios.load(write(tmp_path, OWN % place))


def test_own_figures_of_a_merged_area_are_those_of_both(tmp_path: Path) -> None:
    assert scenarios.load(write(tmp_path, OWN % "Cumbria area")).own_area == "stable:Cumbria area"


def test_a_file_without_a_name_is_called_after_itself_so_that_its_outputs_are_its_own(tmp_path):
    (tmp_path / "My plan-2.yaml").write_text("based_on: family_help\nhorizon: 40")
    (tmp_path / "named.yaml").write_text("based_on: family_help\nname: other")
    assert scenarios.load(tmp_path / "My plan-2.yaml").name == "my_plan_2"
    assert scenarios.load(tmp_path / "named.yaml").name == "other"
