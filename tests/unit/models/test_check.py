"""Predictive checks tell a right model from a wrong one, whatever is hidden."""

import numpy as np
import pytest
import xarray as xr
from scipy.special import expit

from toolkit.models.check import check, covered
from toolkit.models.likelihoods import BETA_BINOMIAL, NEGATIVE_BINOMIAL, simulate
from toolkit.schema import InputError

AREAS, YEARS, DISPERSION = 90, 10, 0.1
NAMES = ["share", "events"]
HIDDEN_UP_TO = 5


def world(*, seed=1, believed=DISPERSION, persistence=0.0, hide=False, level_error=0.0):
    """A posterior that holds the true rates, or believes otherwise, and statistics drawn from the truth."""
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
    eta = np.array([-1.3, -5.5])[:, None, None] + rng.normal(0, 0.3, (2, AREAS, 1)) + rng.normal(0, 0.1, (2, 1, YEARS))
    shocks = rng.normal(size=shape)
    for t in range(1, YEARS):
        shocks[..., t] = persistence * shocks[..., t - 1] + (1 - persistence**2) ** 0.5 * shocks[..., t]
    moved = eta + (0.25 * shocks if persistence else 0.0)
    families = np.broadcast_to(family[:, None, None], shape)
    counts = simulate(moved, np.full((2, 1, 1), -2 * np.log(DISPERSION)), exposure, families, rng=rng)
    hidden = (counts <= HIDDEN_UP_TO) & hide
    cells = {"events_lower": np.where(hidden, 0, counts), "events_upper": np.where(hidden, HIDDEN_UP_TO, counts)}
    cells |= {"exposure": exposure, "observed": np.ones(shape, bool)}
    statistics = xr.Dataset({name: (dims, values) for name, values in cells.items()}, coords)
    # Draws differ as those of a fit to so many cells would: a posterior that is one point leaves nothing to weigh.
    drawn = eta + level_error + rng.normal(0, 0.03, (2, 250, 2, AREAS, 1))
    rate = np.stack([expit(drawn[:, :, 0]), np.exp(drawn[:, :, 1])], axis=2)
    posterior = xr.Dataset(
        {
            "area_rate": (("chain", "draw", *dims), rate.astype("float32")),
            "dispersion": (("chain", "draw", "indicator"), np.full((2, 250, 2), believed)),
        },
        coords,
    )
    constant = xr.Dataset({"family": (dims, families), "likelihood": ("indicator", family)}, coords)
    return xr.DataTree.from_dict({"posterior": posterior, "constant_data": constant}), statistics


def checked(**settings):
    return check(*world(**settings), seed=2).set_index(["indicator", "size", "check"])


@pytest.mark.parametrize("hide", [False, True])
def test_a_right_model_passes_in_areas_of_every_size(hide):
    table = checked(hide=hide)
    # 40 checks, each passed in 99 cases of 100: three failures have probability 0.008.
    assert (table["passed"] == 0).sum() < 3, table[table["passed"] == 0]
    assert set(table.index.unique("size")) == {"all", "small", "middle", "large"}
    # 900 cells at 90 per cent: three binomial standard errors are 0.03.
    assert table.loc[("share", "all", "coverage_90"), "value"] == pytest.approx(0.9, abs=0.03)
    assert (("share", "all", "hidden_cells") in table.index) == hide


def test_thirds_hold_all_cells_once():
    cells = checked()["cells"].xs("coverage_90", level="check")["share"]
    assert cells[["small", "middle", "large"]].tolist() == [AREAS // 3 * YEARS] * 3
    assert cells["all"] == AREAS * YEARS


def test_a_model_too_sure_of_itself_covers_too_little():
    table = checked(believed=0.02)
    found = table.loc[("events", "large", "coverage_90")]
    assert not found["passed"]
    assert found["value"] < found["expected_low"]


def test_a_model_too_unsure_covers_too_much():
    found = checked(believed=0.3).loc[("events", "large", "coverage_50")]
    assert found["value"] > found["expected_high"]


def test_rates_believed_too_high_put_counts_low_in_their_distribution():
    found = checked(level_error=0.1).loc[("share", "all", "pit_mean")]
    assert found["value"] < found["expected_low"]


def test_drifting_areas_show_in_the_residuals_of_successive_years():
    table = checked(persistence=0.8)
    for name in NAMES:
        found = table.loc[(name, "all", "lag_one_correlation")]
        assert found["value"] > found["expected_high"]


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
