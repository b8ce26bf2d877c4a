"""A programme of one's own is bought like those of the evidence."""

import math
from pathlib import Path

import pytest
import xarray as xr

from toolkit import evidence, scenarios
from toolkit.checking import used
from toolkit.draws import draw_effects
from toolkit.measures.provenance import own
from toolkit.resolved import resolve
from toolkit.schema import InputError

OURS = {
    "label": "Our offer",
    "like": "supporting_families",
    "cost": 2100.0,
    "price_year": "2026/27",
    "source": "Ledger",
}


def test_it_has_its_own_price_and_the_children_of_the_one_it_is_like(register: evidence.Register) -> None:
    mine = evidence.with_programme(register, "our_offer", **OURS)
    plan = [{"programme": "our_offer", "pounds": [1e6]}]
    scenario = scenarios.change(scenarios.load("families_first"), plan=plan)
    figures = resolve(scenario, mine, areas=["E08000035"]).figures
    row = figures.loc["cost_our_offer"]
    assert (row["real_value"], row["unit"], row["graded"]) == (2100.0, "GBP per family", True)
    programmes = mine.tables["programmes"].set_index("programme")
    for name in ("programme_type", "target_group", "ages_from", "ages_to", "children_per_unit"):
        assert programmes.loc["our_offer", name] == programmes.loc["supporting_families", name]
    risks = mine.tables["baseline_risks"]
    assert len(risks.query("programme == 'our_offer'")) == len(
        risks.query("programme == 'supporting_families' and used == 1")
    )
    with pytest.raises(InputError, match="no programme 'our_offer'"):
        scenarios.resolve(scenario, register)  # the register given is not changed


def test_its_interval_is_used_if_it_has_one(register: evidence.Register) -> None:
    mine = evidence.with_programme(register, "our_offer", **OURS, low=1800.0, high=2500.0)
    row = mine.tables["programme_costs"].set_index("cost_id").loc["our_offer"]
    assert (row["low"], row["high"], row["interval_level"], row["interval_kind"]) == (1800.0, 2500.0, 0.9, "range")


def test_a_study_of_it_is_used_like_any_other(register: evidence.Register) -> None:
    """A care ratio of 0.85 with a 90 per cent interval of 0.70 to 1.03."""
    error = math.log(1.03 / 0.70) / (2 * 1.645)
    study = {
        "programme": "our_offer",
        "outcome": "care",
        "design": "qed_psm",
        "scale": "log_hazard",
        "estimate": math.log(0.85),
        "standard_error": error,
        "follow_up_months": 24.0,
        "reason": "our own evaluation",
    }
    plan = [{"programme": "our_offer", "pounds": [1e6]}]
    scenario = scenarios.change(scenarios.load("families_first"), plan=plan, studies={"OURS": study})
    resolved = resolve(scenario, evidence.with_programme(register, "our_offer", **OURS), areas=["E08000035"])
    (row,) = resolved.effects.query("effect_id == 'OURS'").to_dict("records")
    assert (row["programme"], row["est"]) == ("our_offer", math.log(0.85))


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("supporting_families", {}, "has one of this name"),
        ("our_offer", {"like": "suporting_families"}, "none to be like"),
        ("our_offer", {"cost": 0.0}, "its value is 0"),
        ("our_offer", {"low": 1800.0}, "is no interval about 2100"),
        ("our_offer", {"low": 2200.0, "high": 2500.0}, "is no interval about 2100"),
        ("our_offer", {"unit": "GBP per authority per year"}, "cannot be converted to a child"),
    ],
)
def test_what_cannot_be_bought_is_refused(
    register: evidence.Register, name: str, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        evidence.with_programme(register, name, **(OURS | changes))


# as a key of a scenario

OWN_PLAN = {"plan": [{"programme": "our_offer", "pounds": [1e6]}], "own_programmes": {"our_offer": OURS}}


def test_a_scenario_buys_a_programme_of_its_own_as_if_the_register_had_it(register: evidence.Register) -> None:
    plain = scenarios.change(scenarios.load("families_first"), plan=OWN_PLAN["plan"])
    expected = resolve(plain, evidence.with_programme(register, "our_offer", **OURS), areas=["E08000035"])
    scenario = scenarios.change(scenarios.load("families_first"), **OWN_PLAN)
    resolved = resolve(scenario, register, areas=["E08000035"])
    assert resolved.figures.equals(expected.figures)
    for name in ("programmes", "programme_costs", "baseline_risks"):
        assert resolved.tables[name].equals(expected.tables[name]), name
    assert scenario.hash != plain.hash
    assert any(
        line.startswith("Programme Our offer added, like supporting families: 2,100 GBP") for line in own(scenario)
    )
    few = xr.Dataset(coords={"chain": [0, 1], "draw": range(250)})
    assert draw_effects(resolved, few)["label"].values.tolist() == ["Our offer"]


def test_a_file_can_hold_it_with_a_study_of_it(tmp_path: Path) -> None:
    path = tmp_path / "ours.yaml"
    path.write_text(
        """based_on: families_first
own_programmes:
  our_offer: {label: Our offer, like: supporting_families, cost: 2100.0, price_year: 2025/26, source: Our ledger}
studies:
  OURS: {programme: our_offer, outcome: care, design: qed_psm, scale: log_hazard, estimate: -0.16,
         standard_error: 0.12, follow_up_months: 24.0, reason: our evaluation}
plan:
  - {programme: our_offer, units: [400.0]}
"""
    )
    tables = used(str(path), areas=["E08000035"])
    assert tables["Own programmes"]["label"].tolist() == ["Our offer"]
    assert "OURS" in tables["Studies"].query("programme == 'our_offer'")["study"].tolist()
    assert tables["Figures"].set_index("figure").loc["cost_our_offer", "value"] == 2100.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"like": "suporting_families"}, r"own_programmes\.our_offer: .*none to be like"),
        ({"low": 1000.0}, r"own_programmes\.our_offer: .*is no interval about 2100"),
        ({"low": 2200.0, "high": 2500.0}, r"own_programmes\.our_offer: .*is no interval about 2100"),
        ({"cost": 0.0}, r"own_programmes\.our_offer\.cost must be above 0"),
        ({"price": 3.0}, r"own_programmes\.our_offer\.price"),
        ({"price_year": "soon"}, r"own_programmes\.our_offer\.price_year"),
        ({"unit": "GBP"}, r"own_programmes\.our_offer\.unit must be"),
    ],
)
def test_a_programme_that_cannot_be_used_names_its_key(
    register: evidence.Register, changes: dict[str, object], message: str
) -> None:
    content = {**OWN_PLAN, "own_programmes": {"our_offer": OURS | changes}}
    with pytest.raises(InputError, match=message):
        resolve(scenarios.change(scenarios.load("families_first"), **content), register)


def test_a_name_of_the_evidence_is_refused(register: evidence.Register) -> None:
    content = {"own_programmes": {"triple_p": OURS}}
    with pytest.raises(InputError, match=r"own_programmes\.triple_p: .*has one of this name"):
        resolve(scenarios.change(scenarios.load("families_first"), **content), register)
