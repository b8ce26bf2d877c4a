"""A desk without a fit: rates near the fitted ones, spread at random, for a few real areas."""

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


@pytest.fixture(scope="session")
def desk(register: evidence.Register, dozen: xr.Dataset) -> Desk:
    """What pricing needs for Leeds and Rutland, with rates drawn in place of a fit's."""
    random = np.random.default_rng(11)
    coords = {"chain": range(CHAINS), "draw": range(DRAWS), "indicator": list(RATES), "area": [LEEDS, RUTLAND]}
    spread = np.exp(0.05 * random.standard_normal((CHAINS, DRAWS, len(RATES), 2)))
    rate = xr.DataArray(spread * np.array(list(RATES.values()))[:, None], coords, (*SAMPLE_DIMS, "indicator", "area"))
    england = rate.mean(("area", *SAMPLE_DIMS)) * xr.ones_like(rate.isel(area=0, drop=True))
    posterior = xr.Dataset({"baseline_rate": rate, "baseline_national": england})
    scenario = scenarios.change(scenarios.load("family_help"), option={"group": "in_need"})
    resolved = resolve(scenario, register, dozen, areas=[LEEDS, RUTLAND])
    draws = workflow.draw_figures(scenario, resolved.figures, register, like=posterior)
    shape = (CHAINS, DRAWS, len(SOURCES), len(EFFECT_OUTCOMES))
    labels = {"source": list(SOURCES), "outcome": list(EFFECT_OUTCOMES)}
    nothing = xr.DataArray(
        np.zeros(shape), {**labels, **{dim: coords[dim] for dim in SAMPLE_DIMS}}, (*SAMPLE_DIMS, *labels)
    )
    tree = xr.DataTree.from_dict({"posterior": posterior})
    return Desk(tree, dozen, resolved, draws, xr.Dataset({"new_site_effect": nothing}))
