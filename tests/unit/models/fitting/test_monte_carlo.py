"""Monte Carlo errors against the scatter they speak of, and verdicts that do not turn on them."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from toolkit.models.fitting.monte_carlo import batch_errors, batches, refuse_failed, rounded, summary, verdicts
from toolkit.schema import InputError


def test_a_verdict_within_two_errors_of_its_threshold_cannot_be_determined() -> None:
    margins = np.array([0.5, 0.21, 0.19, 0.0, -0.19, -0.21, 0.0, -1e-9])
    found = verdicts(margins, np.array([0.1] * 6 + [0.0] * 2))
    unsure = ["cannot be told"] * 3
    assert found.tolist() == ["passed", "passed", *unsure, "failed", "passed", "failed"]


def test_opposite_verdicts_of_two_results_are_rarer_than_one_in_two_hundred() -> None:
    """The least stable case: the truth is at the threshold itself."""
    margins = np.random.default_rng(1).normal(0, 1, (2, 100_000))
    one, two = (verdicts(part, np.ones(part.shape)) for part in margins)
    opposite = (one != two) & (one != "cannot be told") & (two != "cannot be told")
    assert opposite.mean() < 0.005


def test_errors_of_a_summary_are_the_scatter_of_its_numbers() -> None:
    """Two hundred samples of draws that stick together (correlation 0.6): the scatter is the error."""
    random = np.random.default_rng(2)
    draws = random.normal(size=(200, 4, 400))
    for step in range(1, 400):
        draws[:, :, step] = 0.6 * draws[:, :, step - 1] + 0.8 * draws[:, :, step]
    table = summary(xr.DataArray(draws, dims=("sample", "chain", "draw")))
    for name in ("mean", "sd", "low", "high"):
        scatter, error = float(table[name].std()), float(table[f"{name}_mcse"].mean())
        assert error == pytest.approx(scatter, rel=0.2), name


def test_batches_hold_every_draw_once_and_count_draws_that_stick_as_what_they_are() -> None:
    parts = batches(8000)
    assert len(parts) == 8 and np.concatenate(parts).tolist() == list(range(8000))
    assert [len(batches(draws)) for draws in (40, 1999, 4000, 40_000)] == [2, 2, 4, 8]
    random = np.random.default_rng(3)
    stuck = np.repeat(random.normal(size=(400, 300)), 20, axis=0)  # each value twenty times over: worth 400 of 8,000
    means = [pd.DataFrame({"x": stuck[at].mean(axis=0)}) for at in parts]
    errors = batch_errors(means, ["x"])["x_mcse"]
    assert np.sqrt((errors**2).mean()) == pytest.approx(1 / np.sqrt(400), rel=0.1)


def test_errors_keep_three_digits_however_small() -> None:
    found = rounded(pd.DataFrame({"x": [0.123456], "x_mcse": [0.0000123456], "word": ["a"]}))
    assert found.to_dict("records") == [{"x": 0.1235, "x_mcse": 0.0000123, "word": "a"}]


def test_a_fit_that_failed_says_in_one_line_how_to_go_on() -> None:
    columns = ["check", "quantity", "value", "passed"]
    rows = [("rhat", "growth['care']", 1.0107, False), ("ess_bulk", "growth['care']", 431.0, True)]
    with pytest.raises(InputError) as refused:
        refuse_failed(pd.DataFrame(rows, columns=columns), "placement prices", draws=1000)
    message = "placement prices: the fit failed its checks (rhat of growth['care'] 1.0107). Fix: run with --draws 2000."
    assert str(refused.value) == message
    refuse_failed(pd.DataFrame(rows[1:], columns=columns), "placement prices", draws=1000)
