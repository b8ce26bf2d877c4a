"""From published to used: each step changes only what it is about."""

import math

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from toolkit.models.effects.programme_steps import STEPS, effect_steps, published_effect, sizes
from toolkit.schema import EFFECT_OUTCOMES, SAMPLE_DIMS

CHAINS, DRAWS = 2, 3
DIMS = (*SAMPLE_DIMS, "programme", "outcome")
COORDS = {
    "chain": range(CHAINS),
    "draw": range(DRAWS),
    "programme": ["alpha", "beta"],
    "outcome": list(EFFECT_OUTCOMES),
}
CARE = EFFECT_OUTCOMES.index("care")


def filled(value: float) -> np.ndarray:
    return np.full((CHAINS, DRAWS, 2, len(EFFECT_OUTCOMES)), value)


def drawn(effect: float, *, own: bool, take_up: float = 1.0) -> xr.Dataset:
    whose = np.full((2, len(EFFECT_OUTCOMES)), "none", object)
    whose[:, CARE] = "own" if own else "type"
    values = {
        "programme_effect": (DIMS, filled(effect)),
        "take_up": (DIMS[:3], np.full((CHAINS, DRAWS, 2), take_up)),
        "evidence": (DIMS[2:], whose),
    }
    return xr.Dataset(values, COORDS)


@pytest.fixture
def used() -> xr.Dataset:
    values = {
        "effect": (DIMS, filled(-0.1)),
        "area_sd": (DIMS, filled(0.05)),
        "onset": (DIMS[:3], np.full((CHAINS, DRAWS, 2), 0.5)),
        "flat": (DIMS, filled(2.0)),
        "before_scale_up": (DIMS, filled(-0.1)),
    }
    return xr.Dataset(values, COORDS).assign(evidence=drawn(0.0, own=True)["evidence"])


def steps(used: xr.Dataset, *, own: bool = True) -> dict[str, xr.Dataset]:
    published = xr.DataArray(np.full(4, -0.4), {"outcome": list(EFFECT_OUTCOMES)})
    return effect_steps(used, drawn(-0.3, own=own, take_up=0.5), published, "beta")


def care(one: xr.Dataset, name: str = "effect") -> np.ndarray:
    return np.unique(one[name].sel(programme="beta", outcome="care"))


def test_each_step_has_the_effect_it_is_named_for(used: xr.Dataset) -> None:
    """A half of those counted are served, so what its own studies say, per child counted, is half of -0.3."""
    effects = {name: care(one).tolist() for name, one in steps(used).items()}
    assert effects == {
        "published": [-0.4],
        "own_studies": [-0.15],
        "pooled": [-0.1],
        "scaled_up": [-0.1],
        "timed": [-0.1],
    }
    assert list(effects) == list(STEPS[:-1])


def test_sites_differ_from_scale_up_on_and_timing_comes_last(used: xr.Dataset) -> None:
    every = steps(used)
    assert [care(one, "area_sd").tolist() for one in every.values()] == [[0.0]] * 3 + [[0.05]] * 2
    assert [float(one["onset"].max()) for one in every.values()] == [0.0] * 4 + [0.5]
    assert [care(one, "flat").tolist() for one in every.values()] == [[math.inf]] * 4 + [[2.0]]
    xr.testing.assert_identical(every["timed"], used.sel(programme=["beta"]))


def test_without_studies_of_its_own_it_has_nothing_until_it_borrows(used: xr.Dataset) -> None:
    effects = [care(one).tolist() for one in steps(used, own=False).values()]
    assert effects[1:3] == [[0.0], [-0.1]]


def test_an_outcome_without_a_study_has_no_effect_before_scale_up(used: xr.Dataset) -> None:
    others = [name for name in EFFECT_OUTCOMES if name != "care"]
    for name in STEPS[:3]:
        assert not steps(used)[name]["effect"].sel(outcome=others).any()


def test_published_is_the_mean_weighted_by_precision() -> None:
    """Weights of 1 / 0.1 squared and 1 / 0.2 squared are 4 to 1: (4 x -0.5 + 0) / 5 = -0.4."""
    rows = [("care", -0.5, 0.1), ("care", 0.0, 0.2), ("care", np.nan, 0.1), ("youth_justice", np.nan, 0.1)]
    effect = published_effect(pd.DataFrame(rows, columns=["outcome", "effect", "se"]))
    assert float(effect.sel(outcome="care")) == pytest.approx(-0.4, rel=1e-12)
    assert not effect.drop_sel(outcome="care").any()


def test_sizes_are_of_benefit() -> None:
    assert all(size < 0 for size in sizes("care")) and all(size > 0 for size in sizes("gcse_attainment"))
    assert list(np.abs(sizes("care"))) == sorted(sizes("gcse_attainment"))
