"""A programme of one's own is bought like those of the evidence."""

import math

import pytest

from toolkit import evidence, scenarios
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
