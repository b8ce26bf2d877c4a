"""Predictive checks tell a right model from a wrong one, whatever is hidden."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.special import expit

from toolkit.models.outcomes.likelihoods import BETA_BINOMIAL, NEGATIVE_BINOMIAL, simulate
from toolkit.models.outcomes.persistence import simulate_deviations
from toolkit.schema import InputError
from toolkit.validation.predictive import _judged, check, covered

AREAS, YEARS, DISPERSION = 90, 10, 0.1
NAMES = ["share", "events"]
HIDDEN_UP_TO = 5
DRIFT = 0.25  # standard deviation of an area's deviations, where it has any


def world(*, seed=1, believed=DISPERSION, persistence=0.0, known=False, hide=False, level_error=0.0):
    """A posterior that holds the true rates, or believes otherwise, and statistics drawn from the truth.

    With persistence areas drift about their levels, which the posterior believes only if it is known.
    """
    rng = np.random.default_rng(seed)
    dims, shape = ("indicator", "area", "data_year"), (2, AREAS, YEARS)
    coords = {
        "indicator": NAMES,
        "area": [f"E{i:08}" for i in range(AREAS)],
        "data_year": np.arange(2013, 2013 + YEARS),
    }
    size = np.linspace(0.2, 3.0, AREAS)[:, None]
    exposure = np.stack([np.round(100 * size), np.round(5000 * size)]) * np.ones(shape)
    family = np.array([BETA_BINOMIAL, NEGATIVE_BINOMIAL])
    area = np.array([-1.3, -5.5])[:, None] + rng.normal(0, 0.3, (2, AREAS))
    year = rng.normal(0, 0.1, (2, YEARS))
    deviation = simulate_deviations(np.full((2, 1), persistence), np.full((2, 1), DRIFT), shape, rng=rng)
    deviation = deviation if persistence else np.zeros(shape)
    eta = area[..., None] + year[:, None] + deviation
    families = np.broadcast_to(family[:, None, None], shape)
    counts = simulate(eta, np.full((2, 1, 1), -2 * np.log(DISPERSION)), exposure, families, rng=rng)
    hidden = (counts <= HIDDEN_UP_TO) & hide
    cells = {"events_lower": np.where(hidden, 0, counts), "events_upper": np.where(hidden, HIDDEN_UP_TO, counts)}
    cells |= {"exposure": exposure, "observed": np.ones(shape, bool)}
    statistics = xr.Dataset({name: (dims, values) for name, values in cells.items()}, coords)
    # Draws differ as those of a fit to so many cells would: a posterior that is one point leaves nothing to weigh.
    level = area + level_error + rng.normal(0, 0.03, (2, 150, 2, AREAS))
    drawn = level[..., None] + year[:, None] + (deviation if known else 0.0)
    rate = np.stack([expit(drawn[:, :, 0]), np.exp(drawn[:, :, 1])], axis=2)
    sample, one = ("chain", "draw"), np.ones((2, 150, 2))
    spread = DRIFT if known else 1e-9
    beliefs = {"dispersion": believed, "persistence": persistence, "persistence_sd": spread, "drift_size": 0.0}
    beliefs |= {"spend_within": 0.0, "low_income_within": 0.0}
    posterior = xr.Dataset(
        {
            "area_rate": ((*sample, *dims), rate),
            "area_effect": ((*sample, *dims[:2]), level),
            "year_effect": ((*sample, "indicator", "data_year"), np.broadcast_to(year, (2, 150, *year.shape))),
            **{name: ((*sample, "indicator"), value * one) for name, value in beliefs.items()},
        },
        coords,
    )
    design = {
        "family": (dims, families),
        "likelihood": ("indicator", family),
        "log_size": (dims[:2], np.zeros(shape[:2])),
    }
    design |= {name: (dims, np.zeros(shape)) for name in ("spend_within", "low_income_within")}
    constant = xr.Dataset(design, {**coords, "covariate": []})
    return xr.DataTree.from_dict({"posterior": posterior, "constant_data": constant}), statistics


def checked(**settings):
    return check(*world(**settings), seed=2).set_index(["indicator", "size", "check"])


@pytest.mark.long
@pytest.mark.parametrize("truth", [{}, {"hide": True}, {"persistence": 0.8, "known": True}], ids=str)
def test_a_right_model_passes_in_areas_of_every_size(truth):
    tables = [checked(seed=seed, **truth) for seed in (1, 2)]
    failed = pd.concat(
        table[~table["value"].between(table["expected_low"], table["expected_high"])] for table in tables
    )
    # Some 80 checks, each passed in 99 cases of 100: were they independent, five failures would have probability 0.001.
    assert len(failed) < 5, failed
    assert set(tables[0].index.unique("size")) == {"all", "small", "middle", "large"}
    # 1,800 cells at 90 per cent: three binomial standard errors are 0.021.
    covered_90 = sum(table.loc[("share", "all", "coverage_90"), "value"] for table in tables) / 2
    assert covered_90 == pytest.approx(0.9, abs=0.021)
    assert (("share", "all", "hidden_cells") in tables[0].index) == truth.get("hide", False)


def test_thirds_hold_all_cells_once():
    cells = checked()["cells"].xs("coverage_90", level="check")["share"]
    assert cells[["small", "middle", "large"]].tolist() == [AREAS // 3 * YEARS] * 3
    assert cells["all"] == AREAS * YEARS


@pytest.mark.long
def test_a_model_too_sure_of_itself_covers_too_little():
    table = checked(believed=0.02)
    found = table.loc[("events", "large", "coverage_90")]
    assert found["verdict"] == "failed"
    assert found["value"] < found["expected_low"]


@pytest.mark.long
def test_a_model_too_unsure_covers_too_much():
    found = checked(believed=0.3).loc[("events", "large", "coverage_50")]
    assert found["value"] > found["expected_high"]


@pytest.mark.long
def test_rates_believed_too_high_put_counts_low_in_their_distribution():
    found = checked(level_error=0.1).loc[("share", "all", "pit_mean")]
    assert found["value"] < found["expected_low"]


def test_drifting_areas_show_in_the_residuals_of_successive_years():
    table = checked(persistence=0.8)
    for name in NAMES:
        found = table.loc[(name, "all", "lag_one_correlation")]
        assert found["value"] > found["expected_high"]


@pytest.mark.long
def test_the_same_seed_repeats_the_table():
    assert checked().equals(checked())


def test_a_posterior_without_its_design_is_refused():
    posterior, statistics = world()
    with pytest.raises(InputError, match="constant_data"):
        check(xr.DataTree.from_dict({"posterior": posterior["posterior"].to_dataset()}), statistics, seed=1)


def test_statistics_of_other_areas_or_years_are_refused():
    posterior, statistics = world()
    with pytest.raises(InputError, match="area"):
        check(posterior, statistics.isel(area=slice(1, None)), seed=1)
    with pytest.raises(InputError, match="fitted to"):
        check(posterior, statistics.isel(data_year=slice(1, None)), seed=1)


@pytest.mark.parametrize(
    ("below", "upto", "share"),
    [(0.02, 0.10, 0.625), (0.2, 0.3, 1.0), (0.96, 0.99, 0.0), (0.5, 0.5, 1.0), (1.0, 1.0, 0.0)],
)
def test_coverage_of_a_randomised_pit(below, upto, share):
    # By hand: the part of (below, upto) that lies in (0.05, 0.95).
    assert covered(np.array([below]), np.array([upto]), 0.9) == pytest.approx(share)


def test_a_value_at_an_end_of_its_range_cannot_be_told_and_one_at_zero_of_a_range_from_zero_passes():
    """By hand: margins 0.02 and 0.01: mean 0.015, error 0.005; of the second 0.01 and -0.005: 0.0025 and 0.0075."""
    columns = ["value", "expected_low", "expected_high"]
    rows = [[(0.90, 0.88, 0.93), (0.89, 0.88, 0.93), (0, 0, 16)], [(0.92, 0.88, 0.93), (0.875, 0.88, 0.93), (0, 0, 16)]]
    named = {"indicator": "care_starts", "size": "all", "check": ["a", "b", "c"], "cells": 1600}
    found = _judged([pd.DataFrame(part, columns=columns).assign(**named) for part in rows])
    assert found["verdict"].tolist() == ["passed", "cannot be told", "passed"]
    assert found["value"].tolist() == pytest.approx([0.91, 0.8825, 0])
    assert found["value_mcse"].tolist() == pytest.approx([0.01, 0.0075, 0])
