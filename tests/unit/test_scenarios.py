from dataclasses import replace
from pathlib import Path

import pytest

from toolkit import evidence, scenarios
from toolkit.measures.provenance import how_sure
from toolkit.models.effects.programme_studies import programme_studies
from toolkit.resolved import resolve
from toolkit.schema import InputError


@pytest.fixture(scope="module")
def register() -> evidence.Register:
    return evidence.load_register()


PLAN = "based_on: families_first\nplan: [{programme: supporting_families, "


def write(folder: Path, text: str) -> str:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_every_shipped_scenario_loads_and_resolves(register: evidence.Register) -> None:
    names = scenarios.available()
    assert {"families_first", "families_first_cut", "family_help_2025", "edge_of_care", "review_2022"} <= set(names)
    hashes = set()
    for name in names:
        scenario = scenarios.load(name)
        hashes.add(scenario.hash)
        assumptions = scenarios.resolve(scenario, register)
        assert assumptions["source"].str.len().gt(0).all()
        assert not assumptions["overridden"].any()
    assert len(hashes) == len(names)


def test_every_programme_that_can_be_bought_is_a_scenario_of_its_own(register: evidence.Register) -> None:
    costs, programmes = register.tables["programme_costs"], register.tables["programmes"].set_index("programme")
    names = scenarios.available()
    for name in costs.loc[costs["used"] == 1, "programme"]:
        assert (name in names) == (programmes.loc[name, "children_per_unit"] != 0), name
    alone = scenarios.load("multisystemic_therapy")
    assert alone.programmes == ("multisystemic_therapy",) and alone.plan[0].pounds_per_child == (1.0, 1.0, 1.0)
    assert "Multisystemic Therapy" in alone.title and alone.funders == ("local_authority",)


def test_the_default_is_the_money_of_families_first_in_the_grants_proportions(register: evidence.Register) -> None:
    """2,416 million pounds in equal thirds of cash, deflated; 250 to 20 between keyworkers and conferences."""
    scenario = scenarios.load(scenarios.BASE)
    keyworkers, conferences = scenario.plan
    assert (scenario.first_year, scenario.years, scenario.funders) == (2026, 3, ("central_government",))
    for year, (family, conference) in enumerate(zip(keyworkers.england, conferences.england, strict=True)):
        deflator = register.deflators[f"{2026 + year}/{27 + year}"] / register.deflators["2026/27"]
        assert family + conference == pytest.approx(2416e6 / 3 / deflator, rel=1e-3)
        assert family / conference == pytest.approx(250 / 20, rel=2e-3)


def test_the_former_default_is_the_prevention_grant_per_child(register: evidence.Register) -> None:
    """22 pounds is the 270 million pound grant over the children of England."""
    (part,) = scenarios.load("family_help_2025").plan
    grant = register.figures.loc["cscpg_2025_26_total", "value"]
    children = float(evidence.base_year(evidence.load_statistics())["population_0_17"].sum())
    assert [grant / children] * 3 == pytest.approx(list(part.pounds_per_child), abs=0.5)


def test_defaults_agree_with_the_judgements_that_explain_them(register: evidence.Register) -> None:
    scenario, value = scenarios.load(scenarios.BASE), register.figures["value"]
    assert scenario.effect.take_up == value["take_up"]
    assert scenario.effect.ramp == (value["ramp_up_first_year"], value["ramp_up_later_years"])
    assert scenario.adjustments.optimism_bias == value["optimism_bias_operating"]
    assert scenario.adjustments.deadweight == value["deadweight"]
    assert scenario.adjustments.attribution == value["attribution"]


def test_a_preset_says_only_what_differs() -> None:
    default, cut = scenarios.load(scenarios.BASE), scenarios.load("families_first_cut")
    assert cut.cut and not default.cut
    assert cut.plan == default.times(-1.0).plan
    assert cut.effect == default.effect


def test_a_plan_times_a_factor_has_every_sum_multiplied() -> None:
    plan = [
        {"programme": "pause", "pounds": [1e6, 2e6]},
        {"programme": "diversion", "units": [10.0], "first_year": 2028},
    ]
    scenario = scenarios.change(scenarios.load(scenarios.BASE), plan=plan)
    half = scenario.times(0.5)
    assert [part.sums for part in half.plan] == [(5e5, 1e6), (5.0,)]
    assert half.years == scenario.years == 3 and half.start_of(half.plan[1]) == 2
    assert half.hash != scenario.hash


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (PLAN + "pounds_per_chidl: [3.0]}]", "did you mean 'pounds_per_child'"),
        (PLAN + "pounds: [5.0e+12]}]", "1e.*11|100,000,000,000 or less"),
        (PLAN + "pounds: [yes]}]", "must be a number.*given: yes"),
        (PLAN + "pounds: [0.0, 0.0]}]", "not all 0"),
        (PLAN + "pounds: [1.0, -1.0]}]", "all of one sign"),
        (PLAN + "pounds: [1.0], units: [1.0]}]", "only one of pounds and units"),
        (PLAN + "funder: local_authority}]", "needs its sums"),
        (PLAN + "pounds: [1.0], first_year: 2024}]", "starts in 2024, before first_year .2026"),
        (PLAN + "pounds: [1.0]}, {programme: diversion, pounds: [-1.0]}]", "one part is a cut and another an increase"),
        ("based_on: families_first\nplan: []", "plan"),
        ("based_on: families_first\noption: {cut: true}", "unknown setting 'option'. Fix: buy programmes in plan"),
        ("based_on: families_first\neffect: {replication: 0.5}", "'effect.replication'. Fix: use scale_up"),
        ("based_on: families_first\nfirst_year: 2050", "must be 2,?035 or less"),
        ("based_on: families_first\nprice_base: last year", "price_base"),
        (
            "based_on: families_first\nhorizon: 5\n" + PLAN[24:] + "pounds: [1, 1, 1, 1, 1, 1, 1]}]",
            "longer than horizon",
        ),
        ("based_on: families_first\nhorizon: 90", "past the evidence"),
        ("based_on: families_first\neffect: {unevidenced: maybe}", "effect.unevidenced"),
        ("based_on: families_first\neffect: {shared_luck: 1.5}", "effect.shared_luck"),
        ("based_on: families_first\neffect: {ramp: []}", "effect.ramp"),
        ("based_on: families_first\noutcomes: [care, care]", "choose each once"),
        ("based_on: families_first\neffect: {take_up: 0.5, take_up: 1.0}", "'take_up' is given twice"),
        ("based_on: families_first\noutcomes: [care, gambling]", "gambling"),
        (
            "based_on: families_first\ncovariates: [caseload, weather]",
            "weather.*choose each once from.*ofsted_judgement",
        ),
        ("based_on: families_first\ncovariates: [caseload, caseload]", "choose each once"),
        ("based_on: familes_first", "did you mean families_first"),
        ("based_on: theirs.yaml", "no such file"),
        ("- 1\n- 2", "mapping of keys"),
        ("a: [", "not readable as YAML"),
        (
            "based_on: families_first\noverrides: {fade_half_life: {value: 2, low: 1, high: 3, reason: local study}}",
            "interval without a level",
        ),
        (
            "based_on: families_first\noverrides: {fade_half_life: {value: 9, low: 1, high: 3, interval_level: 0.9,"
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
    (folder / "first.yaml").write_text("based_on: families_first\nname: first\nhorizon: 30", encoding="utf-8")
    (folder / "second.yaml").write_text("based_on: first.yaml\nname: second", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert scenarios.load("ours/second.yaml").horizon == 30


def test_based_on_in_a_circle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"based_on: {path}", encoding="utf-8")
    with pytest.raises(InputError, match="circle"):
        scenarios.load(path)


def test_the_hash_names_what_can_move_a_result() -> None:
    default = scenarios.load(scenarios.BASE)
    assert scenarios.change(default, title="Another title").hash == default.hash
    assert default.times(1.1).hash != default.hash


def test_an_override_is_flagged_and_nothing_else_moves(register: evidence.Register) -> None:
    default = scenarios.load(scenarios.BASE)
    own = scenarios.change(
        default, overrides={"price_care_year": {"value": 90_000, "price_year": "2026/27", "reason": "our ledger"}}
    )
    before, after = scenarios.resolve(default, register), scenarios.resolve(own, register)
    assert after.loc["price_care_year", ["real_value", "overridden", "reason"]].tolist() == [90_000, True, "our ledger"]
    others = before.index.drop("price_care_year")
    assert after.loc[others, "real_value"].equals(before.loc[others, "real_value"])


def test_an_override_of_an_unused_figure_is_refused(register: evidence.Register) -> None:
    own = scenarios.change(
        scenarios.load(scenarios.BASE), overrides={"price_care_yaer": {"value": 1.0, "reason": "misspelt"}}
    )
    with pytest.raises(InputError, match=r"did you mean.*price_care_year"):
        scenarios.resolve(own, register)


def test_money_is_rebased_and_growth_made_real(register: evidence.Register) -> None:
    table = scenarios.resolve(scenarios.load(scenarios.BASE), register)
    # 5,214 x 105.3095 / 73.0337 from the deflator rows.
    assert table.loc["cost_supporting_families", "real_value"] == pytest.approx(5214 * 105.3095 / 73.0337)
    # The role's own rate is real already. The published nominal one: its note gives 0.0483 a year in real terms.
    assert table.loc["growth_care", "real_value"] == table.loc["growth_care", "value"]
    roles = register.tables["roles"].replace({"id": {"growth:looked_after": "unit_cost_growth_cla_2016_17_to_2024_25"}})
    published = replace(register, tables={**register.tables, "roles": roles})
    deflated = scenarios.resolve(scenarios.load(scenarios.BASE), published)
    assert deflated.loc["growth_care", "real_value"] == pytest.approx(0.0483, abs=5e-5)


def bought(**given: object) -> scenarios.Scenario:
    part = {"programme": "supporting_families", "pounds": [1e6]} | given
    return scenarios.change(scenarios.load(scenarios.BASE), plan=[part])


def test_a_programme_may_be_bought_at_another_of_its_costs(register: evidence.Register) -> None:
    """The grant of 2023/24 alone, 2,335 pounds a family."""
    row = scenarios.resolve(bought(cost="sf_grant_2023_24"), register).loc["cost_sf_grant_2023_24"]
    assert (row["id"], row["value"], row["unit"], row["distribution"]) == (
        "sf_grant_2023_24",
        2335,
        "GBP per family",
        "lognormal",
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"programme": "suporting_families"}, r"no programme 'suporting_families'.*did you mean supporting_families"),
        ({"cost": "pause_per_woman"}, r"supporting_families has no cost 'pause_per_woman'.*tf1_exemplar_5214"),
        ({"cost": "tf2_cba_cohort"}, r"tf2_cba_cohort is 'GBP per authority per year', which cannot be converted"),
        ({"programme": "signs_of_safety"}, r"signs_of_safety has no cost in use, so it cannot be bought"),
        ({"programme": "pause"}, r"pause serves nobody under eighteen"),
    ],
)
def test_a_programme_that_cannot_be_bought_is_refused(
    register: evidence.Register, given: dict[str, str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        scenarios.resolve(bought(**given), register)


def test_a_figure_in_the_wrong_unit_is_refused(register: evidence.Register) -> None:
    roles = register.tables["roles"].replace({"id": {"fte_nine_year": "CLA_EXIT_Y25"}})
    other = replace(register, tables={**register.tables, "roles": roles})
    with pytest.raises(InputError, match="is in 'per year', not 'GBP per person"):
        scenarios.resolve(scenarios.load(scenarios.BASE), other)


def test_money_of_your_own_needs_its_price_year(register: evidence.Register) -> None:
    own = scenarios.change(
        scenarios.load(scenarios.BASE), overrides={"price_care_year": {"value": 90_000.0, "reason": "our ledger"}}
    )
    with pytest.raises(InputError, match="without a price base"):
        scenarios.resolve(own, register)


def test_an_unknown_discount_schedule_is_refused_before_anything_is_fitted(register: evidence.Register) -> None:
    scenario = scenarios.change(scenarios.load(scenarios.BASE), discount_schedule="green_book_2030")
    with pytest.raises(InputError, match="green_book_2026_standard"):
        scenarios.resolve(scenario, register)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("growth_care", 3.0, "cited 0.0456.*as 0.03 for 3%"),
        ("growth_care", -1.0, "either way"),
        ("cost_supporting_families", 1e-9, "cited 5,214 .*within 10 times"),
        ("cost_supporting_families", -5000.0, "within 10 times"),
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
        scenarios.resolve(scenarios.change(scenarios.load(scenarios.BASE), overrides={key: row}), register)


def test_no_role_takes_a_million_million(register):
    default = scenarios.load(scenarios.BASE)
    for role in scenarios.resolve(default, register).index:
        row = {"value": 1e12, "price_year": "2025/26", "reason": "our ledger"}
        with pytest.raises(InputError, match=f"overrides.{role}"):
            scenarios.resolve(scenarios.change(default, overrides={role: row}), register)


def test_every_cited_figure_may_stand_for_itself_and_an_end_is_held_to_the_same_bounds(register):
    default = scenarios.load(scenarios.BASE)
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


TRIAL = {
    "programme": "supporting_families",
    "outcome": "care",
    "design": "rct",
    "scale": "log_hazard",
    "estimate": -0.1,
    "standard_error": 0.1,
    "follow_up_months": 12.0,
    "reason": "our own trial",
}


def test_a_study_cannot_be_surer_than_any_study_is(register):
    with pytest.raises(InputError, match="standard_error"):
        scenarios.change(scenarios.load(scenarios.BASE), studies={"ours": TRIAL | {"standard_error": 1e-12}})
    assert register.tables["programme_effects"].query("used == 1")["se"].min() >= 0.001


def with_study(register, **given):
    added = scenarios.change(scenarios.load(scenarios.BASE), studies={"ours": TRIAL | given})
    studies = programme_studies(resolve(added, register).tables).set_index("study")
    return studies.loc["ours"]


def test_an_added_study_is_used_as_those_of_the_evidence_are(register):
    row = with_study(register)
    assert (row["effect"], row["se"], row["follow_up"]) == (-0.1, 0.1, 1.0)
    assert (row["programme_type"], row["evaluation"], row["independent"]) == ("keyworker", "ours", True)
    row = with_study(register, evaluation="tf2", outcome="repeat_referrals", country="United States of America")
    assert (row["evaluation"], row["independent"]) == ("tf2", False)
    odds = with_study(register, scale="log_odds", control_risk=0.448, estimate=-0.36)
    assert -0.36 < odds["effect"] < -0.2  # an odds ratio of 0.70 at 44.8 per cent is a hazard ratio of 0.76


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"programme": "suporting"}, "no programme 'suporting'"),
        ({"outcome": "gambling"}, "no effect on 'gambling' is modelled"),
        ({"scale": "log_odds"}, "a log_odds means nothing without its control risk"),
        ({"design": "guess"}, "unknown design 'guess'"),
        ({"scale": "furlong"}, "unknown scale 'furlong'"),
        ({"control_risk": 1.0}, "control_risk"),
        ({"follow_up_months": 0.0}, "follow_up_months"),
    ],
)
def test_a_study_that_cannot_be_used_is_refused(register, given, message):
    with pytest.raises(InputError, match=message):
        with_study(register, **given)


def test_a_study_of_the_evidence_is_not_replaced_by_one_of_its_name(register):
    taken = scenarios.change(scenarios.load(scenarios.BASE), studies={"TF2_LAC": TRIAL})
    with pytest.raises(InputError, match="already has a study with this id"):
        resolve(taken, register)


def test_a_study_to_leave_out_must_be_in_use(register):
    left = scenarios.change(scenarios.load(scenarios.BASE), left_out=["FGC_LAC_HAS"])
    with pytest.raises(InputError, match=r"left_out: 'FGC_LAC_HAS' is not a study in use.*FGC_LAC_HAZ"):
        resolve(left, register)


OWN = "based_on: families_first\nown_figures:\n  population_0_17: {area: %s, value: 170000, reason: our own count}"


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
    ],
)
def test_own_figures_of_no_one_area_are_refused(tmp_path: Path, place: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        scenarios.load(write(tmp_path, OWN % place))


def test_own_figures_of_a_merged_area_are_those_of_both(tmp_path: Path) -> None:
    assert scenarios.load(write(tmp_path, OWN % "Cumbria area")).own_area == "stable:Cumbria area"
    assert scenarios.load(write(tmp_path, OWN % "Cumberland")).own_area == "E06000063"


def test_a_file_without_a_name_is_called_after_itself_so_that_its_outputs_are_its_own(tmp_path):
    (tmp_path / "My plan-2.yaml").write_text("based_on: families_first\nhorizon: 40")
    (tmp_path / "named.yaml").write_text("based_on: families_first\nname: other")
    assert scenarios.load(tmp_path / "My plan-2.yaml").name == "my_plan_2"
    assert scenarios.load(tmp_path / "named.yaml").name == "other"


def test_old_figures_in_use_are_marked_unless_they_are_a_councils_own(register: evidence.Register) -> None:
    default = scenarios.load(scenarios.BASE)
    figures = scenarios.resolve(default, register)
    old = set(figures.index[figures["old"]])
    assert {"price_exclusion_year", "price_proceedings_legal_aid", "price_neet_16_17", "price_neet_benefits"} <= old
    assert not old & {"price_care_year", "price_child_mental_health", "price_leaving_care", "proceedings_per_child"}
    assert "; old, no better one seen" in how_sure(figures.loc["price_exclusion_year"])
    mine = {"price_exclusion_year": {"value": 9_000, "price_year": "2010/11", "reason": "our own ledger"}}
    own = scenarios.resolve(scenarios.change(default, overrides=mine), register).loc["price_exclusion_year"]
    assert own["old"] and "old" not in how_sure(own)
