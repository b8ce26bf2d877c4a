"""Calibration of the joint model: one compile, counts replaced, every parameter ranked."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from toolkit import evidence
from toolkit.models.fitting.priors import load_priors
from toolkit.models.outcomes.design import design_of
from toolkit.models.outcomes.spend_error import calibrated
from toolkit.schema import InputError
from toolkit.validation import calibrate_outcomes
from toolkit.validation.calibration import calibrate_sampled

INDICATORS = ["rereferrals", "first_time_entrants"]


@pytest.fixture(scope="module")
def few(statistics: xr.Dataset) -> xr.Dataset:
    held = calibrate_outcomes.few_areas(statistics).sel(indicator=INDICATORS)
    return held.isel(area=slice(None, None, 3))


def test_it_is_made_on_twenty_fitted_areas_of_every_region(statistics: xr.Dataset) -> None:
    held = calibrate_outcomes.few_areas(statistics)
    assert held.sizes["area"] == 20
    assert bool(held["fitted"].all())
    assert set(held["region"].values) == set(statistics["region"].values)


def test_small_simulated_counts_are_hidden_as_the_source_hides_them(statistics: xr.Dataset) -> None:
    held = calibrate_outcomes.few_areas(statistics)
    made = xr.zeros_like(held["events_lower"].sel(data_year=slice(2018, 2023))) + 7.0
    found = calibrate_outcomes._with_counts(held, made).sel(data_year=2020)
    entrants, starts = (found.sel(indicator=name) for name in ("first_time_entrants", "care_starts"))
    assert (entrants["events_lower"] == 0).all()
    assert (entrants["events_upper"] == 9).all()
    assert (starts["events_lower"] == 7).all()
    assert (starts["events_upper"] == 7).all()


def test_no_simulated_rate_is_above_one(statistics: xr.Dataset) -> None:
    held = calibrate_outcomes.few_areas(statistics)
    names, priors = list(held["indicator"].values), load_priors("outcomes", None)
    design = design_of(held, names, priors)
    many = xr.full_like(design["exposure"], 1e9)
    found = calibrate_outcomes._no_more_than_all(many, design)
    points = found["indicator"] == "attainment_8"
    assert bool((found == many).where(points, True).all())
    xr.testing.assert_equal(found.where(~points, 0.0), design["exposure"].where(~points, 0.0))
    design_of(calibrate_outcomes._with_counts(held, found), names, priors)  # which refuses a rate above one
    with pytest.raises(InputError, match="a rate above one"):
        design_of(calibrate_outcomes._with_counts(held, many), names, priors)


@pytest.mark.long
@pytest.mark.parametrize("spend_error", [False, True])
def test_replications_of_the_joint_model_rank_every_parameter(
    few: xr.Dataset, statistics: xr.Dataset, tmp_path: Path, spend_error: bool
) -> None:
    runs = [{"draws": 60, "tune": 60}, {"draws": 80, "tune": 80}]
    doubt = calibrated(statistics)[1] if spend_error else None
    one = calibrate_outcomes.outcomes_replication(few, replications=3, seed=4, spend_doubt=doubt, runs=runs)
    settings = {"replications": 3, "seed": 4, "model": "outcomes", "runs": runs}
    whole = calibrate_sampled(one, file=tmp_path / "kept.jsonl", **settings)
    assert len(whole) == 2 * len(calibrate_outcomes.PARAMETERS) + 1  # and one correlation
    assert set(whole["pool"]) == {*INDICATORS, "rereferrals, first_time_entrants"}
    # Of some twenty quantities in three replications nearly all lie within the bulk of their posteriors.
    assert whole["coverage_90"].mean() > 0.6
    # So few draws are always too few.
    assert whole["settings"].str.contains("3 replications sampled badly").all()
    assert whole["settings"].str.contains("fewer than 40 effective draws in 3").all()
    with pytest.raises(IndexError):  # no fourth truth was drawn
        one(3, np.random.default_rng(1))


@pytest.mark.parametrize("which", ["outcomes", "spend_error"])
def test_the_committed_calibrations_cover_every_parameter(which: str, statistics: xr.Dataset) -> None:
    table, names = evidence.load_table(f"reference/calibration_{which}"), statistics["indicator"].values
    assert set(table["model"]) == {which}
    assert len(table) == len(names) * len(calibrate_outcomes.PARAMETERS) + len(names) * (len(names) - 1) // 2
    assert (table["replications"] >= 200).all()
    assert table["coverage_90"].mean() == pytest.approx(0.9, abs=0.03)
