"""The outcome model: known truth recovered from simulated counts, real data assembled, bad input refused."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.special import expit

from toolkit import kernels, models
from toolkit.models.outcomes.levels import levels
from toolkit.models.outcomes.likelihoods import simulate as simulate_counts
from toolkit.models.outcomes.model import _simulate_events, zero_sum_basis
from toolkit.models.outcomes.persistence import deviations, simulate_deviations
from toolkit.schema import InputError

INDICATORS = ["rereferrals", "care_starts", "attainment_8"]
TRUTH = {
    "intercept": [-1.4, -5.0, 3.8],
    "spend_within": [-0.25, 0.15, 0.02],
    "spend_between": [0.2, -0.1, 0.0],
    "low_income": [0.1, 0.3, -0.1],
    "low_income_within": [-0.05, 0.1, 0.0],
    "area_sd": [0.2, 0.3, 0.06],
    "persistence": [0.6, 0.8, 0.8],
    "persistence_sd": [0.12, 0.2, 0.03],
    "drift_size": [-0.3, 0.0, -0.2],
    "dispersion": [0.05, 0.08, 0.5],
}
FAMILIES = np.array([1, 2, 3])
CORRELATION = 0.6
AREAS, YEARS, FIRST = 30, np.arange(2010, 2022), 3  # three years are only there to be lagged
HIDDEN_UP_TO = 9
SILENT = 5


def simulate(seed=6):
    """Counts from the model written out in NumPy; the last area is not fitted, small counts are hidden.

    Over seeds 3 to 8, one of 198 standardised errors of the fit was beyond 3 (area_sd, seed 3, skewed to the right).
    """
    rng = np.random.default_rng(seed)
    shape = (3, AREAS, len(YEARS))
    spend = np.exp(rng.normal(5, 0.3, (AREAS, 1)) + rng.normal(0, 0.4, shape[1:]).cumsum(axis=1) / 2)
    low = np.clip(rng.uniform(0.08, 0.35, (AREAS, 1)) + rng.normal(0, 0.03, shape[1:]), 0.02, 0.6)
    statistics = xr.Dataset(
        {
            "early_help_spend": (("area", "data_year"), spend, {"price_base": "2025/26"}),
            "child_low_income": (("area", "data_year"), low),
        },
        {
            "indicator": INDICATORS,
            "area": [f"E{i:08d}" for i in range(AREAS)],
            "data_year": YEARS,
            "area_name": ("area", [f"Area {i}" for i in range(AREAS)]),
            "region": ("area", [f"Region {i % 4}" for i in range(AREAS)]),
            "fitted": ("area", np.arange(AREAS) < AREAS - 1),
        },
    )
    size = np.array([1000.0, 2500.0, 1500.0])[:, None] * np.exp(rng.normal(0, 0.7, (3, AREAS)))
    exposure = np.round(np.repeat(size[:, :, None], len(YEARS), axis=2))
    size = np.log(size) - np.log(size[:, :-1]).mean(axis=1, keepdims=True)  # about the middling area of those fitted
    eta = linear_predictor(np.log(spend), low / 0.1, size, rng)
    family = np.broadcast_to(FAMILIES[:, None, None], shape)
    log_size = -2 * np.log(TRUTH["dispersion"])[:, None, None]
    events = simulate_counts(eta, log_size, exposure, family, rng=rng)
    hidden = (events <= HIDDEN_UP_TO) & (family < 3)
    lower, upper = np.where(hidden, 0.0, events), np.where(hidden, float(HIDDEN_UP_TO), events)
    lower[0, 2, 6] = upper[0, 2, 6] = exposure[0, 2, 6] = np.nan  # a return that never came
    upper[:2] = np.minimum(upper, exposure)[:2]
    for part in (lower, upper, exposure):
        part[1, SILENT] = np.nan  # an area that never returned one of the outcomes
    for name, part in (("events_lower", lower), ("events_upper", upper), ("exposure", exposure)):
        statistics[name] = (("indicator", "area", "data_year"), part)
    statistics["observed"] = statistics["exposure"].notnull()
    hidden[1, SILENT] = False
    statistics.attrs["hidden"] = int(hidden[:, :-1, FIRST:].sum())
    return statistics, eta


def linear_predictor(log_spend, low, log_size, rng):
    lagged = np.stack([np.roll(log_spend, lag, axis=1) for lag in (1, 2, 3)]).mean(axis=0)
    x, z = lagged[:, FIRST:], low[:, FIRST:]
    cov = np.outer(TRUTH["area_sd"], TRUTH["area_sd"]) * [[1, CORRELATION, 0], [CORRELATION, 1, 0], [0, 0, 1]]
    area = rng.multivariate_normal([0, 0, 0], cov, AREAS).T
    region = np.array([[0.1], [0.1], [0.03]]) * rng.normal(size=(3, 4))[:, np.arange(AREAS) % 4]
    size = np.array([0.05, 0.05, 0.01])[:, None, None]
    year = size * rng.normal(size=(3, 1, len(YEARS) - FIRST)).cumsum(axis=2)
    persistence, spread, power = (
        np.array(TRUTH[name])[:, None] for name in ("persistence", "persistence_sd", "drift_size")
    )
    spread = spread * np.exp(power * log_size)
    deviation = simulate_deviations(persistence, spread, (3, AREAS, len(YEARS) - FIRST), rng=rng)
    column = {name: np.array(values)[:, None] for name, values in TRUTH.items()}
    x_mean, z_mean = x.mean(axis=1), z.mean(axis=1)
    level = (
        column["intercept"]
        + area
        + region
        - region.mean(axis=1, keepdims=True)
        + column["spend_between"] * (x_mean - x_mean.mean())
        + column["low_income"] * (z_mean - z_mean.mean())
    )
    moving = (
        column["spend_within"][..., None] * (x - x_mean[:, None])
        + column["low_income_within"][..., None] * (z - z_mean[:, None])
        + year
        - year.mean(axis=2, keepdims=True)
        + deviation
    )
    eta = level[:, :, None] + moving
    return np.concatenate([np.zeros((3, AREAS, FIRST)) + level[:, :, None], eta], axis=2)


@pytest.fixture(scope="module")
def simulated():
    statistics, eta = simulate()
    # Years that serve only as lags carry no counts.
    late = statistics["data_year"] >= YEARS[FIRST]
    statistics["observed"] = statistics["observed"] & late
    model = models.outcomes(statistics, indicators=INDICATORS)
    return statistics, eta, models.fit(model, seed=5, draws=400, tune=400, chains=2, progress=False)


@pytest.mark.long
@pytest.mark.parametrize("name", TRUTH)
def test_truth_is_recovered(simulated, name):
    draws = simulated[2]["posterior"][name].astype(float)
    apart = (draws.mean(("chain", "draw")) - TRUTH[name]) / draws.std(("chain", "draw"))
    assert (abs(apart) < 3.5).all(), apart.values


@pytest.mark.long
def test_within_spending_is_learnt_and_not_the_prior(simulated):
    draws = simulated[2]["posterior"]["spend_within"].astype(float)
    assert (draws.std(("chain", "draw")) < 0.1).all()  # the prior's is 0.2
    assert float(draws.sel(indicator="rereferrals").quantile(0.95)) < 0


@pytest.mark.long
def test_area_correlation_is_recovered(simulated):
    found = simulated[2]["posterior"]["area_correlation"]
    np.testing.assert_allclose(found.sel(indicator="care_starts", indicator_other="care_starts"), 1.0, atol=1e-5)
    low, high = found.sel(indicator="rereferrals", indicator_other="care_starts").quantile([0.005, 0.995])
    assert low < CORRELATION < high
    assert high > 0


@pytest.mark.long
def test_rates_cover_the_true_rates(simulated):
    statistics, eta, posterior = simulated
    rate = posterior["posterior"]["area_rate"]
    truth = np.stack([expit(eta[0]), np.exp(eta[1]), np.exp(eta[2])])[:, :, FIRST:]
    assert rate["data_year"].values.tolist() == YEARS[FIRST:].tolist()
    bounds = rate.quantile([0.05, 0.95], dim=["chain", "draw"])
    inside = (bounds[0] <= truth) & (truth <= bounds[1])
    fitted = statistics["fitted"]
    assert 0.84 < float(inside.sel(area=fitted).mean()) < 0.95  # 0.90 expected of 783 correlated cells
    assert float(rate.min()) > 0
    assert float(rate.sel(indicator="rereferrals").max()) < 1


@pytest.mark.long
def test_an_area_without_fit_is_predicted_with_more_doubt(simulated):
    statistics, _, posterior = simulated
    effect = posterior["posterior"]["area_effect"].std(("chain", "draw"))
    new = effect.sel(area=~statistics["fitted"])
    assert effect.notnull().all()
    spread = posterior["posterior"]["area_sd"].mean(("chain", "draw"))
    assert (new > 0.8 * spread).all()  # the spread of areas and not that of an estimate
    known = effect.sel(area=statistics["fitted"]).drop_sel(area=f"E{SILENT:08d}")
    assert (known.max("area") < new.min("area")).all()


@pytest.mark.long
def test_an_area_that_never_returned_an_outcome_is_predicted_from_its_others(simulated):
    _, eta, posterior = simulated
    area = {"area": f"E{SILENT:08d}", "indicator": "care_starts"}
    effect = posterior["posterior"]["area_effect"].sel(area)
    spread = float(posterior["posterior"]["area_sd"].sel(indicator="care_starts").mean())
    assert 0.5 * spread < float(effect.std()) < 1.2 * spread  # less than its prior: re-referrals tell of it
    low, high = posterior["posterior"]["area_rate"].sel(area).quantile([0.005, 0.995], ("chain", "draw")).values
    assert ((low < np.exp(eta[1, SILENT, FIRST:])) & (np.exp(eta[1, SILENT, FIRST:]) < high)).all()


@pytest.mark.long
def test_national_rate_is_the_weighted_mean_of_areas(simulated):
    statistics, _, posterior = simulated
    draws = posterior["posterior"].isel(chain=0, draw=3).sel(indicator="care_starts", data_year=2020)
    weight = statistics["exposure"].sel(indicator="care_starts", data_year=2020).fillna(0)
    assert float(draws["national_rate"]) == pytest.approx(np.average(draws["area_rate"], weights=weight), rel=1e-5)


@pytest.mark.long
def test_hidden_counts_and_missing_returns_are_told_apart(simulated):
    statistics, _, posterior = simulated
    cells = posterior["constant_data"]
    assert statistics.attrs["hidden"] > 10
    assert int((cells["events_upper"] > cells["events_lower"]).sum()) >= statistics.attrs["hidden"] - 1
    assert int((cells["family"].sel(indicator="rereferrals") == 0).sum()) == len(YEARS) - FIRST + 1
    assert (cells["family"].sel(indicator="care_starts", area=f"E{SILENT:08d}") == 0).all()
    assert (cells["family"].isel(area=-1) == 0).all()


@pytest.mark.long
@pytest.mark.usefixtures("simulated")
def test_its_draws_are_unpacked_by_what_a_first_fit_compiles_beside():
    assert (levels.signatures, deviations.signatures) == tuple([arguments] for arguments in kernels.unpack_types())


@pytest.mark.long
def test_baseline_is_the_last_year(simulated):
    statistics, _, posterior = simulated
    base = models.baseline(posterior, statistics)
    assert base.dims == ("chain", "draw", "indicator", "area")
    assert base["base_year"].values.tolist() == [2021, 2021, 2021]
    assert base.attrs["base_years"] == "rereferrals 2021, care_starts 2021, attainment_8 2021"
    xr.testing.assert_equal(
        base.drop_vars("base_year"), posterior["posterior"]["area_rate"].sel(data_year=2021, drop=True)
    )
    with pytest.raises(InputError, match="area"):
        models.baseline(posterior, statistics.isel(area=slice(5)))


def test_real_windows_follow_the_publications(dozen):
    design = models.outcomes(dozen).design
    window = design["in_window"].to_pandas()
    # First-time entrants are published for 2015 to 2024 and these GCSEs from 2017; low income starts in 2015.
    spans = {name: (int(row[row].index[0]), int(row[row].index[-1])) for name, row in window.iterrows()}
    assert spans == {
        "rereferrals": (2015, 2025),
        "first_time_entrants": (2015, 2024),
        "gcse_grade_4": (2017, 2025),
        "care_starts": (2015, 2025),
        "protection_plan_starts": (2015, 2025),
        "attainment_8": (2017, 2025),
    }
    assert design["area"].values.tolist() == dozen["area"].values.tolist()


def test_covariates_are_split_within_and_between(dozen):
    design = models.outcomes(dozen).design
    used = design["family"] > 0
    for name in ("spend", "low_income"):
        assert abs(design[f"{name}_within"].where(used).mean("area")).max() < 1e-12
        assert abs(design[f"{name}_between"].where(design["fitted"]).mean("area")).max() < 1e-12
        assert (design[f"{name}_within"].sel(area=~design["fitted"]) == 0).all()
    city, fitted = (design["spend_between"].sel(area=design["fitted"] == flag) for flag in (False, True))
    assert (city.max("area") <= fitted.max("area")).all()


def test_a_choice_of_indicators_is_modelled_alone(dozen):
    model = models.outcomes(dozen, indicators=["care_starts", "rereferrals"])
    assert list(model.coords["indicator"]) == ["care_starts", "rereferrals"]
    xr.testing.assert_equal(
        model.design["events_lower"].sel(indicator="rereferrals", drop=True),
        models.outcomes(dozen).design["events_lower"].sel(indicator="rereferrals", drop=True),
    )


def test_zero_sum_basis_is_orthonormal_and_sums_to_zero():
    basis = zero_sum_basis(7)
    np.testing.assert_allclose(basis.T @ basis, np.eye(6), atol=1e-12)
    np.testing.assert_allclose(basis.sum(axis=0), 0, atol=1e-12)


def test_optional_covariates_are_split_and_standardised(dozen):
    model = models.outcomes(dozen, covariates=["caseload", "ofsted_judgement"])
    design, names = model.design, {variable.name for variable in model.free_RVs}
    assert {"caseload_within", "caseload_between", "ofsted_judgement_within"} <= names
    assert design["covariate_between"].sizes["covariate"] == 2
    used = design["family"] > 0
    assert abs(design["covariate_within"].where(used).mean("area")).max() < 1e-12
    # Within and between make up one standard deviation together.
    total = design["covariate_within"].var(("area", "data_year")) + design["covariate_between"].var("area")
    assert total.mean() == pytest.approx(1, abs=0.35)
    assert not [name for name in models.outcomes(dozen).named_vars if "caseload" in name]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"covariates": ["weather"]}, "weather"),
        ({"covariates": ["caseload", "caseload"]}, "repeated"),
        ({"indicators": ["neet"]}, "neet"),
        ({"indicators": []}, "empty"),
        ({"indicators": ["care_starts", "care_starts"]}, "repeated"),
    ],
)
def test_wrong_indicators_and_covariates_are_refused(dozen, change, message):
    with pytest.raises(InputError, match=message):
        models.outcomes(dozen, **change)


def broken(statistics, how):
    statistics = statistics.copy(deep=True)
    if how == "no areas":
        return statistics.isel(area=slice(0))
    if how == "covariate missing":
        statistics["child_low_income"].loc[{"area": "E08000035"}] = np.nan
    if how == "infinite":
        statistics["child_low_income"].loc[{"area": "E08000035", "data_year": 2020}] = np.inf
    if how == "no exposure":
        statistics["exposure"].loc[{"area": "E08000035", "data_year": 2020}] = 0
    if how == "rate above one":
        cell = {"indicator": "rereferrals", "area": "E08000035", "data_year": 2020}
        statistics["events_upper"].loc[cell] = statistics["exposure"].loc[cell] + 1
    if how == "nothing observed":
        statistics["observed"].loc[{"indicator": "gcse_grade_4"}] = False
    return statistics


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("no areas", "fewer than three"),
        ("covariate missing", "E08000035"),
        ("infinite", "infinite"),
        ("no exposure", "E08000035"),
        ("rate above one", "rereferrals.*E08000035.*2020.*a rate above one"),
        ("nothing observed", "gcse_grade_4"),
    ],
)
def test_unusable_statistics_are_refused(dozen, how, message):
    with pytest.raises(InputError, match=message):
        models.outcomes(broken(dozen, how))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda table: table[table["parameter"] != "spend_within"], "spend_within"),
        (lambda table: table[table["parameter"] != "likelihood[care_starts]"], "care_starts"),
        (lambda table: table[table["model"] != "outcomes"], "outcomes"),
        (lambda table: pd.concat([table, table[table["parameter"] == "dispersion"]]), "dispersion"),
        (lambda table: table.assign(distribution=table["distribution"].replace("gamma", "cauchy")), "cauchy"),
        (lambda table: table[table["parameter"] != "persistence"], "persistence"),
    ],
)
def test_unusable_priors_are_refused(dozen, register, edit, message):
    with pytest.raises(InputError, match=message):
        models.outcomes(dozen, priors=edit(register.tables["priors"]))


def test_counts_are_simulated_only_with_a_stream_that_is_given():
    parts = [np.zeros((1, 2)), np.eye(2), np.zeros((1, 2)), np.zeros((1, 2, 3)), np.zeros((1, 2, 3))]
    with pytest.raises(TypeError, match="rng"):
        _simulate_events(*parts, np.full(1, 0.5), np.ones((1, 1)), np.ones(1))
