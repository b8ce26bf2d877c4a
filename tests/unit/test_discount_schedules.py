"""A discount schedule of one's own, from the scenario to the present values, without a fit."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from tests.unit.pricing.conftest import no_effect
from toolkit import changes, evidence, scenarios, sealing, workflow
from toolkit.pricing.areas import price
from toolkit.pricing.programmes import counted_effects
from toolkit.schema import InputError

LEEDS = "E08000035"
MINE = pd.DataFrame({"schedule": "mine", "from_year": [0, 21], "to_year": [20, np.nan], "rate": [0.02, 0.01]})


def with_rows(register: evidence.Register, rows: pd.DataFrame) -> evidence.Register:
    table = pd.concat([register.tables["discount_schedules"], rows], ignore_index=True)
    return replace(register, tables={**register.tables, "discount_schedules": table})


@pytest.fixture(scope="module")
def results(register: evidence.Register, statistics: xr.Dataset) -> dict[str | float, xr.Dataset]:
    """Appraisals of the default scenario in small, by schedule, of help without effect."""
    few = xr.Dataset(coords={"chain": [0, 1], "draw": [0, 1]})
    likely = sealing._without_a_fit(statistics, few)
    known, found = with_rows(register, MINE), {}
    for schedule in ("green_book_2026_standard", 0.02, "mine"):
        scenario = scenarios.change(scenarios.load("family_help_2025"), discount_schedule=schedule)
        effects = counted_effects(no_effect(few, scenario.programmes), known.tables)
        changes.check_evidence(scenario, known)
        draws = workflow.draw_figures(scenario, scenarios.resolve(scenario, known), known, like=few)
        priced = price(likely, statistics, scenario, draws, effects, known, areas=[LEEDS])
        found[schedule] = workflow.appraise(priced, scenario, draws, known).assign(lifetime=priced["lifetime"])
    return found


@pytest.mark.parametrize(("schedule", "rate"), [("green_book_2026_standard", 0.035), (0.02, 0.02), ("mine", 0.02)])
def test_spending_of_three_years_is_discounted_at_the_rate(
    results: dict[str | float, xr.Dataset], statistics: xr.Dataset, schedule: str | float, rate: float
) -> None:
    result = results[schedule]
    yearly = 22 * float(evidence.base_year(statistics)["population_0_17"].sel(area=LEEDS))
    expected = yearly * (1 + 1 / (1 + rate) + 1 / (1 + rate) ** 2)
    assert float(result["programme_cost"].mean()) == pytest.approx(expected, rel=1e-5)


def test_a_schedule_of_the_register_differs_from_a_constant_only_where_its_rate_does(
    results: dict[str | float, xr.Dataset],
) -> None:
    """A lifetime reaches past year 20, from which the schedule discounts less."""
    constant, own = (float(results[name]["lifetime"].sum()) for name in (0.02, "mine"))
    assert own > 1.001 * constant
    assert results["mine"].attrs["schedule"] == "mine"


def test_a_schedule_that_ends_too_soon_is_refused_before_anything_is_fitted(register: evidence.Register) -> None:
    short = with_rows(register, MINE.iloc[:1])
    scenario = scenarios.change(scenarios.load("families_first"), discount_schedule="mine")
    scenarios.resolve(scenario, short)
    with pytest.raises(InputError, match="schedule mine: ends with year 20 but year 69"):
        changes.check_evidence(scenario, short)


@pytest.mark.parametrize("given", [3.5, -0.01, True, None, ["mine"]])
def test_a_rate_that_cannot_be_meant_is_refused(given: object) -> None:
    with pytest.raises(InputError, match=r"discount_schedule: .*0\.035"):
        scenarios.change(scenarios.load("families_first"), discount_schedule=given)


def test_an_unknown_name_is_refused_with_what_a_scenario_takes(register: evidence.Register) -> None:
    scenario = scenarios.change(scenarios.load("families_first"), discount_schedule="mine")
    with pytest.raises(InputError, match=r"'mine': no such schedule.*green_book_2026_standard.*constant rate without"):
        scenarios.resolve(scenario, register)
