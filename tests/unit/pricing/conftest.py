"""A desk without a fit: rates near the fitted ones, spread at random, for two real areas."""

import numpy as np
import pytest
import xarray as xr

from tests.conftest import LEEDS
from toolkit import evidence, scenarios, workflow
from toolkit.pricing.place import SOURCES, Desk
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


def desk_without_a_fit(register: evidence.Register, dozen: xr.Dataset, **changes: object) -> Desk:
    """Return what pricing needs for Leeds and Rutland; the effects of the scenario itself are nil."""
    fitted = rates_without_a_fit()
    posterior = fitted["posterior"].to_dataset()
    scenario = scenarios.change(scenarios.load("family_help"), option={"group": "in_need"}, **changes)
    resolved = resolve(scenario, register, dozen, areas=[LEEDS, RUTLAND])
    draws = workflow.draw_figures(scenario, resolved.figures, register, like=posterior)
    nothing = 0.0 * xr.ones_like(posterior["spend_within"].isel(indicator=0, drop=True)).expand_dims(
        source=list(SOURCES), outcome=list(EFFECT_OUTCOMES)
    )
    effects = nothing.transpose(*SAMPLE_DIMS, "source", "outcome")
    return Desk(fitted, dozen, resolved, draws, xr.Dataset({"new_site_effect": effects}))


@pytest.fixture(scope="session")
def desk(register: evidence.Register, dozen: xr.Dataset) -> Desk:
    return desk_without_a_fit(register, dozen)
