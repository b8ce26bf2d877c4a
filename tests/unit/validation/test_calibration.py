"""Calibration by simulation: uniform where the model is right, ranks where the truth lies, goes on where it stopped."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

from toolkit.validation.calibration import Marks, Ranks, calibrate, calibrate_sampled, judged, ranks

RUNS = ({"draws": 30, "tune": 20}, {"draws": 50, "tune": 40})


def test_calibration_passes_the_right_model_and_fails_a_wrong_one():
    def replicate(bias):
        def one(random):
            truth = random.normal()
            return {("mean", "all"): stats.norm.cdf(truth, bias + (truth + random.normal()) / 2, np.sqrt(0.5))}

        return one

    right, wrong = (calibrate(replicate(b), replications=400, seed=1, model="m").iloc[0] for b in (0.0, 0.4))
    assert right["verdict"] == "passed"
    assert right["coverage_90"] == pytest.approx(0.9, abs=0.06)
    assert wrong["verdict"] == "failed"


def test_a_distance_within_its_error_of_the_threshold_cannot_be_determined():
    """A thousand ranks: the distance of p 0.001 is 0.0615, the standard deviation of chance 0.0082 (0.2603 / 31.6)."""
    rows = [("m", "mean", str(distance), 1000, 0.5, 0.9, distance) for distance in (0.052, 0.055, 0.0624, 0.069, 0.071)]
    columns = ["model", "parameter", "pool", "replications", "coverage_50", "coverage_90", "distance"]
    found = judged(pd.DataFrame(rows, columns=columns))
    assert found["verdict"].tolist() == ["passed", *["cannot be told"] * 3, "failed"]
    assert found["distance_mcse"].tolist() == pytest.approx([0.00823] * 5)
    assert found["coverage_90_mcse"].tolist() == pytest.approx([0.00949] * 5)
    distances = [stats.kstest(ranks, "uniform").statistic for ranks in np.random.default_rng(1).random((2000, 1000))]
    assert np.std(distances) == pytest.approx(0.00823, rel=0.06)  # four standard errors of a standard deviation


@pytest.mark.parametrize(("truth", "low", "high"), [(-9.0, 0.0, 0.02), (9.0, 0.98, 1.0), (0.0, 0.3, 0.7)])
def test_the_rank_says_where_the_truth_lies(truth: float, low: float, high: float) -> None:
    draws = np.random.default_rng(1).normal(size=(1, 2, 400))
    labels = {"parameter": ("quantity", ["spend_within"]), "pool": ("quantity", ["care_starts"])}
    found = xr.DataArray(draws, labels, ("quantity", "chain", "draw"))
    known = xr.DataArray([truth], labels, ("quantity",))
    placed = ranks(found, known, np.array([500.0]), np.random.default_rng(2))
    assert low <= placed["spend_within", "care_starts"] <= high


def test_ranks_of_draws_that_stick_are_as_even_as_those_of_independent_ones() -> None:
    """Each of 40 independent values drawn 20 times over is worth 40: ranked among all, truths would crowd the ends."""
    random, held = np.random.default_rng(3), []
    labels = {"parameter": ("quantity", ["p"]), "pool": ("quantity", ["q"])}
    for _ in range(2000):
        draws = np.repeat(random.normal(size=40), 20).reshape(1, 2, 400)
        found = xr.DataArray(draws, labels, ("quantity", "chain", "draw"))
        truth = xr.DataArray(random.normal(size=1), labels, ("quantity",))
        held.append(ranks(found, truth, np.array([40.0]), random)["p", "q"])
    assert stats.kstest(held, "uniform").pvalue > 0.001


def test_what_was_interrupted_goes_on_and_counts_what_sampled_badly(tmp_path: Path) -> None:
    called: list[int] = []

    def replicate(at: int, random: np.random.Generator) -> tuple[Ranks, Marks]:
        called.append(at)
        if len(called) == 6:
            raise KeyboardInterrupt
        return {("mean", "a"): random.random(), ("mean", "b"): random.random()}, {"again": at % 2 == 0, "few": at == 2}

    shares: list[float] = []
    settings = {"replications": 8, "seed": 3, "model": "m", "runs": RUNS}
    with pytest.raises(KeyboardInterrupt):
        calibrate_sampled(replicate, file=tmp_path / "stopped.jsonl", **settings)
    found = calibrate_sampled(replicate, file=tmp_path / "stopped.jsonl", progress=shares.append, **settings)
    assert called == [0, 1, 2, 3, 4, 5, 5, 6, 7]
    assert shares == pytest.approx(np.arange(1, 9) / 8)
    whole = calibrate_sampled(replicate, file=tmp_path / "whole.jsonl", **settings)
    pd.testing.assert_frame_equal(found, whole)
    said = found["settings"].unique().item()
    assert "2 chains of 30 draws after 20, nutpie; 4 replications sampled badly" in said
    assert "again with 50 draws after 40" in said
    assert "fewer than 40 effective draws in 1, divergences in 0" in said
