"""Calibration of the joint model: one compile, counts replaced, ranks where the truth lies."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

from toolkit.models import check_outcomes
from toolkit.models.check_effects import calibrate

INDICATORS = ["rereferrals", "first_time_entrants"]


@pytest.fixture(scope="module")
def few(statistics: xr.Dataset) -> xr.Dataset:
    held = check_outcomes.few_areas(statistics).sel(indicator=INDICATORS)
    return held.isel(area=slice(None, None, 3))


def test_it_is_made_on_twenty_fitted_areas_of_every_region(statistics: xr.Dataset) -> None:
    held = check_outcomes.few_areas(statistics)
    assert held.sizes["area"] == 20
    assert bool(held["fitted"].all())
    assert set(held["region"].values) == set(statistics["region"].values)


def test_small_simulated_counts_are_hidden_as_the_source_hides_them(statistics: xr.Dataset) -> None:
    held = check_outcomes.few_areas(statistics)
    made = xr.zeros_like(held["events_lower"].sel(data_year=slice(2018, 2023))) + 7.0
    found = check_outcomes._with_counts(held, made).sel(data_year=2020)
    entrants, starts = (found.sel(indicator=name) for name in ("first_time_entrants", "care_starts"))
    assert (entrants["events_lower"] == 0).all()
    assert (entrants["events_upper"] == 9).all()
    assert (starts["events_lower"] == 7).all()
    assert (starts["events_upper"] == 7).all()


@pytest.mark.parametrize(("truth", "low", "high"), [(-9.0, 0.0, 0.02), (9.0, 0.98, 1.0), (0.0, 0.3, 0.7)])
def test_the_rank_says_where_the_truth_lies(truth: float, low: float, high: float) -> None:
    draws = np.random.default_rng(1).normal(size=(1, 2, 400))
    labels = {"parameter": ("quantity", ["spend_within"]), "pool": ("quantity", ["care_starts"])}
    found = xr.DataArray(draws, labels, ("quantity", "chain", "draw"))
    known = xr.DataArray([truth], labels, ("quantity",))
    placed = check_outcomes.ranks(found, known, np.array([500.0]), np.random.default_rng(2))
    assert low <= placed["spend_within", "care_starts"] <= high


def test_ranks_of_draws_that_stick_are_as_even_as_those_of_independent_ones() -> None:
    """Each of 40 independent values drawn 20 times over is worth 40: ranked among all, truths would crowd the ends."""
    random, held = np.random.default_rng(3), []
    labels = {"parameter": ("quantity", ["p"]), "pool": ("quantity", ["q"])}
    for _ in range(2000):
        draws = np.repeat(random.normal(size=40), 20).reshape(1, 2, 400)
        found = xr.DataArray(draws, labels, ("quantity", "chain", "draw"))
        truth = xr.DataArray(random.normal(size=1), labels, ("quantity",))
        held.append(check_outcomes.ranks(found, truth, np.array([40.0]), random)["p", "q"])
    assert stats.kstest(held, "uniform").pvalue > 0.001


@pytest.mark.long
def test_replications_of_the_joint_model_go_on_where_they_stopped(few: xr.Dataset, tmp_path: Path) -> None:
    settings = {"replications": 3, "seed": 4, "runs": [{"draws": 60, "tune": 60}, {"draws": 80, "tune": 80}]}
    file = tmp_path / "kept.jsonl"
    one, badly = check_outcomes.outcomes_replication(few, file=file, **settings)
    whole = calibrate(one, replications=3, seed=4, model="outcomes")
    assert len(whole) == 2 * len(check_outcomes.PARAMETERS) + 1  # and one correlation
    assert set(whole["pool"]) == {*INDICATORS, "rereferrals, first_time_entrants"}
    # Of some twenty quantities in three replications nearly all lie within the bulk of their posteriors.
    assert whole["coverage_90"].mean() > 0.6
    assert badly["again"] == 3  # so few draws are always too few
    assert badly["few"] == 3
    with pytest.raises(StopIteration):
        one(np.random.default_rng(1))
    shares: list[float] = []
    again, counted = check_outcomes.outcomes_replication(few, file=file, **settings)
    repeated = calibrate(again, replications=3, seed=4, model="outcomes", progress=shares.append)
    pd.testing.assert_frame_equal(repeated, whole)
    assert counted == badly
    assert shares == pytest.approx([1 / 3, 2 / 3, 1])
