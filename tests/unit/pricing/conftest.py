"""A desk without a fit: rates near the fitted ones, spread at random, for two real areas."""

from collections.abc import Sequence

import numpy as np
import pytest
import xarray as xr

from tests.conftest import LEEDS
from toolkit import evidence, scenarios, workflow
from toolkit.pricing.desk import Desk
from toolkit.pricing.programmes import counted_effects
from toolkit.resolved import resolve
from toolkit.schema import EFFECT_OUTCOMES, SAMPLE_DIMS

RUTLAND = "E06000017"
RATES = {
    "rereferrals": 0.218,
    "first_time_entrants": 0.0017,
    "gcse_grade_4": 0.19,
    "care_starts": 0.0042,
    "protection_plan_starts": 0.0051,
    "attainment_8": 46.2,
}
CHAINS, DRAWS = 2, 20


def rates_without_a_fit() -> xr.DataTree:
    """Stand in for a fit of the outcome model to Leeds and Rutland."""
    random = np.random.default_rng(11)
    coords = {"chain": range(CHAINS), "draw": range(DRAWS), "indicator": list(RATES), "area": [LEEDS, RUTLAND]}
    spread = np.exp(0.05 * random.standard_normal((CHAINS, DRAWS, len(RATES), 2)))
    rate = xr.DataArray(spread * np.array(list(RATES.values()))[:, None], coords, (*SAMPLE_DIMS, "indicator", "area"))
    one = xr.ones_like(rate.isel(area=0, drop=True))
    values = {
        "baseline_rate": rate,
        "baseline_national": rate.mean(("area", *SAMPLE_DIMS)) * one,
        "spend_within": one * 0.04 * random.standard_normal(one.shape),
    }
    return xr.DataTree.from_dict({"posterior": xr.Dataset(values)})


PLAN = [{"programme": "supporting_families", "pounds_per_child": [22.0, 22.0, 22.0], "funder": "central_government"}]


def no_effect(like: xr.Dataset, programmes: Sequence[str]) -> xr.Dataset:
    """Return effects of nil, as `used_effects` gives them, for programmes whose own studies are of every outcome."""
    shape = [like.sizes[dim] for dim in SAMPLE_DIMS]
    sizes = len(programmes), len(EFFECT_OUTCOMES)
    dims = (*SAMPLE_DIMS, "programme", "outcome")
    values = {
        "effect": (dims, np.zeros((*shape, *sizes))),
        "area_sd": (dims, np.zeros((*shape, *sizes))),
        "onset": (dims[:3], np.zeros((*shape, sizes[0]))),
        "flat": (dims, np.full((*shape, *sizes), 3.0)),
        "lasts": (SAMPLE_DIMS, np.zeros(shape, bool)),
        "average_risk": (SAMPLE_DIMS, np.zeros(shape, bool)),
        "evidence": (dims[2:], np.full(sizes, "own")),
    }
    coords = {
        **{dim: like[dim].values for dim in SAMPLE_DIMS},
        "programme": list(programmes),
        "outcome": list(EFFECT_OUTCOMES),
    }
    return xr.Dataset(values, coords, {"shared_luck": 0.0})


def desk_without_a_fit(
    register: evidence.Register, dozen: xr.Dataset, *, effects: xr.Dataset | None = None, **changes: object
) -> Desk:
    """Return what pricing needs for Leeds and Rutland; the effects of the plan are nil unless they are given."""
    fitted = rates_without_a_fit()
    posterior = fitted["posterior"].to_dataset()
    scenario = scenarios.change(scenarios.load("families_first"), **{"plan": PLAN, "first_year": 2025, **changes})
    resolved = resolve(scenario, register, dozen, areas=[LEEDS, RUTLAND])
    draws = workflow.draw_figures(scenario, resolved.figures, register, like=posterior)
    used = no_effect(draws, scenario.programmes) if effects is None else effects
    return Desk(fitted, dozen, resolved, draws, counted_effects(used, register.tables))


@pytest.fixture(scope="session")
def desk(register: evidence.Register, dozen: xr.Dataset) -> Desk:
    return desk_without_a_fit(register, dozen)
