"""Calibration of the model of placement prices: made prices follow their truth, one compile, the committed table."""

import numpy as np
import pytest
import xarray as xr

from toolkit import evidence
from toolkit.validation import calibrate_placements
from toolkit.validation.calibration import calibrate_sampled

PLACEMENTS = ["care", "fostering", "residential"]


@pytest.fixture(scope="module")
def few() -> xr.Dataset:
    return calibrate_placements.few_prices(evidence.placement_prices())


def test_made_prices_lie_about_the_national_path_and_their_region_by_as_much_as_the_truth_says(few):
    many = few.isel(area=np.zeros(4000, dtype=int), placement=[0]).assign_coords(area=np.arange(4000))
    truth = xr.Dataset(
        {
            name: ("placement", [value])
            for name, value in {
                "persistence": 0.8,
                "area_sd": 0.3,
                "noise": 0.1,
                "noise_size": 0.0,
                "tail": 60.0,
            }.items()
        }
        | {
            "national": (("placement", "data_year"), np.full((1, 5), 8.0)),
            "region_effect": (("placement", "region"), [[0.5]]),
        },
        {"placement": PLACEMENTS[:1], "region": [str(many["region"].values[0])]},
    )
    made, own = calibrate_placements._simulated(truth, many, np.random.default_rng(1))
    gap = np.log(made["price"].values[0]) - 8.5
    assert abs(gap.mean()) < 0.02
    assert gap.var() == pytest.approx((0.3**2 + 0.1**2) * 60 / 58, rel=0.05)
    assert np.corrcoef(gap[:, 0], gap[:, 1])[0, 1] == pytest.approx(0.8 * 0.09 / 0.1, abs=0.03)
    assert own[0] == pytest.approx(0.5 + gap[0, -1], abs=0.4)  # but for the noise


@pytest.mark.long
def test_replications_rank_every_parameter_and_count_what_sampled_badly(few, monkeypatch, tmp_path):
    runs = ({"draws": 40, "tune": 60}, {"draws": 50, "tune": 60})
    monkeypatch.setattr(calibrate_placements, "RUNS", runs)
    priors = evidence.load_table("priors")
    small = few.isel(area=slice(0, 4), data_year=slice(-2, None), placement=slice(0, 1))
    one = calibrate_placements.placements_replication(small, replications=2, seed=4, priors=priors)
    settings = {"replications": 2, "seed": 4, "model": "placements", "runs": runs}
    table = calibrate_sampled(one, file=tmp_path / "kept.jsonl", **settings)
    assert set(table["parameter"]) == {*calibrate_placements.PARAMETERS, "log_ratio"}
    assert set(table["pool"]) == {str(few["placement"].values[0])}
    assert table["settings"].str.contains("2 replications sampled badly").all()  # so few draws are always too few
    with pytest.raises(IndexError):
        one(2, np.random.default_rng(1))


def test_the_committed_calibration_covers_every_parameter_of_every_placement(few):
    table = evidence.load_table("reference/calibration_placement_prices")
    assert len(table) == (len(calibrate_placements.PARAMETERS) + 1) * len(PLACEMENTS)
    assert set(table["pool"]) == {str(name) for name in few["placement"].values}
    assert (table["replications"] >= 50).all()
    assert table["coverage_90"].mean() == pytest.approx(0.9, abs=0.03)
