"""A scenario is resolved once, to what its parts were looked up as before."""

import pandas as pd
import pytest

from toolkit import evidence, scenarios
from toolkit.evidence.programmes import with_studies
from toolkit.resolved import resolve
from toolkit.schema import InputError

LEEDS = "E08000035"
CHANGES = {
    "overrides": {"cost_supporting_families": {"value": 5000.0, "price_year": "2025/26", "reason": "our price"}},
    "own_figures": {"children_in_need": {"area": LEEDS, "value": 5000, "reason": "our count"}},
    "priors": {"programmes.tau_type_event": {"first": 0.1, "reason": "sceptical"}},
    "studies": {
        "OURS": {
            "programme": "supporting_families",
            "outcome": "care",
            "design": "rct",
            "scale": "log_hazard",
            "estimate": -0.1,
            "standard_error": 0.1,
            "follow_up_months": 12.0,
            "reason": "our own trial",
        }
    },
    "left_out": ["FGC_LAC_HAZ"],
}


@pytest.fixture(scope="module")
def register() -> evidence.Register:
    return evidence.load_register()


@pytest.mark.parametrize("changed", [{}, CHANGES], ids=["as shipped", "changed"])
def test_each_part_is_what_it_was_looked_up_as(register: evidence.Register, changed: dict[str, object]) -> None:
    scenario, statistics = scenarios.change(scenarios.load("families_first"), **changed), evidence.load_statistics()
    base, shipped = evidence.base_year(statistics), register.tables["priors"]
    resolved = resolve(scenario, register, statistics, areas=[LEEDS])
    same = pd.testing.assert_frame_equal
    same(resolved.figures, scenarios.resolve(scenario, register), check_exact=True)
    same(resolved.priors, evidence.with_priors(shipped, scenario.priors), check_exact=True)
    same(resolved.tables["priors"], resolved.priors)
    same(resolved.outcome_priors, evidence.with_priors(shipped, scenario.priors, ["outcomes"]), check_exact=True)
    same(resolved.own_figures, evidence.own_figures(base, scenario.own_figures, register.deflators), check_exact=True)
    effects = with_studies(register.tables, scenario.studies)["programme_effects"]
    same(resolved.effects, effects)
    same(resolved.tables["programme_effects"], effects)
    assert len(effects) == len(register.tables["programme_effects"]) + len(scenario.studies)
    if changed:
        assert not resolved.changes_outcome_priors
        assert resolved.with_shipped_priors().scenario.priors == {}


def test_own_figures_of_another_area_and_unknown_studies_are_refused(register: evidence.Register) -> None:
    scenario = scenarios.change(scenarios.load("families_first"), own_figures=CHANGES["own_figures"])
    with pytest.raises(InputError, match="they are those of Leeds"):
        resolve(scenario, register, areas=["E06000017"])
    with pytest.raises(InputError, match="is not a study in use"):
        resolve(scenarios.change(scenario, left_out=["NO_SUCH_STUDY"]), register, areas=[LEEDS])
