"""Placement prices: the filter against dense normals, the model on made panels, the committed table."""

import numpy as np
import pymc as pm
import pytest
import xarray as xr
from scipy import stats

from toolkit import evidence
from toolkit.models.fitting.fit import fit
from toolkit.models.unit_costs import placements as module
from toolkit.models.unit_costs.placements import _filter, _known_part, _log_density, placements, price_ratio, set_aside
from toolkit.schema import InputError

PARAMETERS = {"memory": 0.8, "area_sd": 0.3, "noise": 0.1, "noise_size": -0.5}


@pytest.fixture(scope="module")
def prices() -> xr.Dataset:
    return evidence.placement_prices()


@pytest.fixture(scope="module")
def priors():
    return evidence.load_table("priors")


def dense(known: np.ndarray, size: float) -> tuple[np.ndarray, np.ndarray]:
    """Covariance of the known years, and of them with the last year's own distance."""
    lag = abs(np.subtract.outer(np.arange(10), np.arange(10)))
    own = PARAMETERS["area_sd"] ** 2 * PARAMETERS["memory"] ** lag
    error = (PARAMETERS["noise"] * np.exp(PARAMETERS["noise_size"] * size)) ** 2
    return own[np.ix_(known, known)] + error * np.eye(known.sum()), own[-1, known]


@pytest.mark.parametrize("gaps", [[], [9], [0, 3, 4, 9], list(range(10))])
def test_the_filter_is_the_exact_conditional_normal(gaps):
    random = np.random.default_rng(4)
    known = ~np.isin(np.arange(10), gaps)
    gap, size = random.normal(0, 0.3, 10), 0.7
    filtered = _filter(gap[None], known[None], np.array([size]), log=np.log, exp=np.exp, **PARAMETERS)
    cover, cross = dense(known, size)
    weights = np.linalg.solve(cover, cross) if known.any() else np.zeros(0)
    assert filtered["mean"][0] == pytest.approx(weights @ gap[known])
    assert filtered["variance"][0] == pytest.approx(PARAMETERS["area_sd"] ** 2 - weights @ cross)
    tail = 5.0
    density = float(_log_density(filtered, tail).eval()[0])
    expected = stats.multivariate_t(np.zeros(known.sum()), cover, df=tail).logpdf(gap[known]) if known.any() else 0.0
    assert density == pytest.approx(expected, abs=1e-8)


def test_prices_follow_the_panel(prices):
    # MODEL: the mean over authorities rose from 3,250 to 7,700 a week, 2016 to 2025; 7,385 by care days.
    nominal = (prices["price"] * prices["to_nominal"]).sel(placement="residential")
    assert float(nominal.mean("area").sel(data_year=2016)) == pytest.approx(3250, rel=0.01)
    assert float(nominal.mean("area").sel(data_year=2025)) == pytest.approx(7700, rel=0.01)
    england = float((prices["england"] * prices["to_nominal"]).sel(placement="residential", data_year=2025))
    assert england == pytest.approx(7385)


def test_the_committed_table_follows_the_panel_in_the_base_year(prices):
    table = evidence.load_table("reference/placement_prices")
    assert len(table) == 3 * prices.sizes["area"]
    mean = table.groupby("placement")["price"].mean()
    # In 2025/26 prices the mean over authorities of 2024-25 is a few per cent higher than at the time.
    latest = prices["price"].isel(data_year=-1).mean("area").to_series()
    assert mean.to_dict() == pytest.approx(latest.to_dict(), rel=0.04)
    assert mean["residential"] / prices["to_nominal"].values[-1] ** -1 == pytest.approx(7700, rel=0.04)


def test_areas_add_up_to_england(prices):
    """England's price is weighted by care days: the areas' ratios, so weighted, are one."""
    table = evidence.load_table("reference/placement_prices").set_index(["placement", "area"]).loc["care"]
    weights = prices["children"].to_series()
    ratio = np.exp(table["log_ratio"] + table["log_ratio_sd"] ** 2 / 2)
    assert np.average(ratio[weights.index[weights > 0]], weights=weights[weights > 0]) == pytest.approx(1.0, abs=0.02)


def test_an_area_without_prices_is_as_unsure_as_its_region_is_wide():
    table = evidence.load_table("reference/placement_prices").set_index(["placement", "area"])["log_ratio_sd"]
    for placement in ("care", "fostering", "residential"):
        rows = table.loc[placement]
        assert rows["E06000053"] > 3 * rows.median()  # Isles of Scilly never made a return


def test_a_price_that_no_neighbour_bears_out_is_set_aside(prices, priors):
    flagged = set_aside(prices, priors=priors)
    # Liverpool's looked-after week fell to 685 from 1,280 while England's rose by an eighth.
    liverpool = flagged.sel(area="E08000012")
    assert bool(liverpool.sel(placement="care", data_year=2025))
    assert int(liverpool.sum()) == 2
    assert 0 < int(flagged.sum()) < 0.01 * int(prices["price"].notnull().sum())
    steady = prices.assign(price=prices["england"] * xr.ones_like(prices["price"]))
    assert not bool(set_aside(steady, priors=priors).any())


@pytest.mark.parametrize("part", [0.0, 0.6, 1.0])
def test_the_coordinates_of_the_sampler_leave_the_prior_of_regions_as_it_is(prices, priors, part, monkeypatch):
    """Effects over their standard deviation: independent ones less their mean, so of covariance I - 1/9."""
    monkeypatch.setattr(module, "_known_part", lambda prices: np.full(prices.sizes["placement"], part))
    model = placements(prices.isel(data_year=slice(-2, None), placement=slice(0, 1)), priors=priors)
    drawn = pm.draw([model["region_effect"], model["region_sd"]], 4000, random_seed=1, mode="FAST_COMPILE")
    ratio = drawn[0][:, 0] / drawn[1]
    assert ratio.shape == (4000, 9)
    # A covariance of two normals of unit variance has a standard error of at most sqrt(2 / 4000) = 0.022.
    np.testing.assert_allclose(np.cov(ratio.T), np.eye(9) - 1 / 9, atol=0.09)


def test_regions_are_known_of_fostering_and_of_all_care_but_not_of_homes(prices):
    assert _known_part(prices) == pytest.approx([0.0, 0.91, 0.95], abs=0.02)
    assert (_known_part(prices.isel(area=slice(0, 3))) == 0).all()  # too few areas to say anything


def simulated_panel(prices: xr.Dataset, seed: int) -> tuple[xr.Dataset, np.ndarray]:
    """Return prices of forty areas simulated from the model, and each area's own distance in the last year."""
    years = 5  # each further year compiles longer
    simulated = prices.isel(area=slice(0, 40), placement=slice(0, 1), data_year=slice(-years, None)).copy(deep=True)
    random = np.random.default_rng(seed)
    own = np.empty((40, years))
    own[:, 0] = random.normal(0, 0.3, 40)
    for year in range(1, years):
        own[:, year] = 0.9 * own[:, year - 1] + 0.3 * np.sqrt(1 - 0.81) * random.normal(size=40)
    trend = np.log(4000) + 0.05 * np.arange(years)
    log_price = trend + own + random.normal(0, 0.05, own.shape)
    log_price[5, -3:] = np.nan
    simulated["price"] = (simulated["price"].dims, np.exp(log_price)[None])
    simulated["england"] = (simulated["england"].dims, np.exp(trend)[None])
    return simulated, own[:, -1]


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:Loop fusion failed")
def test_the_model_recovers_the_prices_it_was_simulated_from(prices, priors):
    squares = []
    for seed in (1, 2, 8):
        simulated, own = simulated_panel(prices, seed)
        tree = fit(placements(simulated, priors=priors), seed=5, draws=300, tune=400, chains=2, progress=False)
        posterior = tree["posterior"].to_dataset()
        ratio = price_ratio(posterior, simulated, seed=1).isel(placement=0)
        squares.append(float((((ratio.mean("draw") - own) / ratio.std("draw")) ** 2).mean()))
        assert float(ratio.std("draw")[5]) > 1.5 * float(ratio.std("draw").median())  # has gaps
        assert float(abs(posterior["growth"].mean() - 0.05)) < 3 * float(posterior["growth"].std())
        assert 0.75 < float(posterior["persistence"].mean()) < 0.98
    assert np.mean(squares) == pytest.approx(1, abs=0.52)  # 120 squared normals: 1 with standard error 0.13


def test_a_price_of_zero_is_refused(prices, priors):
    wrong = prices.copy(deep=True)
    wrong["price"][0, 0, 0] = 0.0
    with pytest.raises(InputError, match=r"0 or less.*Fix"):
        placements(wrong, priors=priors)
