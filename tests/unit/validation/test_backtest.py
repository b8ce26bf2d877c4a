"""The backtest scores as published formulas say, compares fairly, and says where the model loses."""

from importlib import import_module

import arviz as az
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.special import expit
from scipy.stats import norm

from toolkit import evidence
from toolkit.models.outcomes.likelihoods import BETA_BINOMIAL, simulate
from toolkit.schema import INDICATORS, InputError
from toolkit.validation.backtest import backtest, compare, counts_ahead, crps
from toolkit.validation.predictive import cells_of

module = import_module("toolkit.validation.backtest")  # its name in the package may be the function of that name

AREAS, FIRST, LAST, LATER = 120, 2010, 2021, 3
NATIONAL_STEP, DISPERSION = 0.02, 0.05
NAME = "rereferrals"  # any indicator whose years are all alike in the table of priors


def test_crps_of_a_normal_forecast():
    # Gneiting and Raftery (2007), equation 21 with N(0, 1) and 0: 2 phi(0) - 1 / sqrt(pi) = 0.2337.
    draws = norm.ppf((np.arange(20_000) + 0.5) / 20_000)[:, None]
    assert crps(draws, np.zeros(1)) == pytest.approx(2 * norm.pdf(0) - np.pi**-0.5, abs=1e-4)


def test_crps_agrees_with_arviz():
    rng = np.random.default_rng(1)
    draws, observed = rng.poisson(20, (200, 7)), rng.poisson(20, 7).astype(float)
    dims = ("chain", "draw", "cell")
    groups = {"posterior_predictive": draws[None].astype(float), "log_likelihood": np.zeros((1, 200, 7))}
    tree = {name: xr.Dataset({"y": (dims, values)}) for name, values in groups.items()}
    tree |= {"observed_data": xr.Dataset({"y": ("cell", observed)})}
    weights = xr.DataArray(np.zeros((1, 200, 7)), dims=dims)
    scored = az.loo_score(
        xr.DataTree.from_dict(tree),
        log_weights=weights,
        pareto_k=xr.DataArray(np.zeros(7), dims="cell"),
        pointwise=True,
    )
    np.testing.assert_allclose(crps(draws, observed), -scored.pointwise, rtol=1e-10)


def world(*, seed=1, drift=0.0, memory=False):
    """Statistics of areas whose levels stand still or drift, and a posterior of their past.

    It holds their mean past level or, with memory, their last one and that it persists.
    """
    rng = np.random.default_rng(seed)
    years = np.arange(FIRST, LAST + LATER + 1)
    dims, shape, samples = ("indicator", "area", "data_year"), (1, AREAS, len(years)), (2, 200)
    area_names, past = [f"E{i:08}" for i in range(AREAS)], years <= LAST
    coords = {"indicator": [NAME], "area": area_names, "data_year": years}
    exposure = np.round(np.geomspace(40, 800, AREAS))[None, :, None] * np.ones(shape)
    national = NATIONAL_STEP * rng.normal(size=(1, 1, len(years))).cumsum(axis=2)
    level = rng.normal(-1.2, 0.4, (1, AREAS, 1)) + drift * rng.normal(size=shape).cumsum(axis=2)
    log_size = np.full((1, 1, 1), -2 * np.log(DISPERSION))
    counts = simulate(level + national, log_size, exposure, np.full(shape, BETA_BINOMIAL), rng=rng)
    parts = {"events_lower": counts, "events_upper": counts, "exposure": exposure, "observed": np.ones(shape, bool)}
    statistics = xr.Dataset({name: (dims, values) for name, values in parts.items()}, coords)
    mean, one = level[..., past].mean(axis=2), np.ones((*samples, 1))
    rate = expit((level[..., past] if memory else mean[..., None]) + national[..., past])
    parameters = {"dispersion": DISPERSION, "year_sd": NATIONAL_STEP, "spend_within": 0.0, "low_income_within": 0.0}
    parameters["drift_size"] = 0.0
    # A random walk is an autoregression that hardly returns.
    parameters |= {"persistence": 0.9999 if memory else 0.5, "persistence_sd": drift * 0.0002**-0.5 if memory else 0.0}
    posterior = xr.Dataset(
        {
            "area_rate": (("chain", "draw", *dims), np.broadcast_to(rate, (*samples, *rate.shape))),
            "area_effect": (("chain", "draw", "indicator", "area"), np.broadcast_to(mean, (*samples, *mean.shape))),
            "year_effect": (
                ("chain", "draw", "indicator", "data_year"),
                np.broadcast_to(national[:, 0, past], (*samples, 1, past.sum())),
            ),
            **{name: (("chain", "draw", "indicator"), value * one) for name, value in parameters.items()},
        },
        {**coords, "data_year": years[past]},
    )
    design = {"likelihood": ("indicator", [BETA_BINOMIAL]), "fitted": ("area", np.ones(AREAS, bool))}
    yearly, none = ("indicator", "data_year"), np.zeros((1, past.sum()))
    design |= {"in_window": (yearly, none == 0)}
    design |= {name: (yearly, none) for name in ("free_variance", "spend_year_mean", "low_income_year_mean")}
    still = np.zeros((1, AREAS, past.sum()))
    design |= {name: (dims, still) for name in ("spend_within", "low_income_within")}
    design["log_size"] = (("indicator", "area"), np.zeros((1, AREAS)))
    constant = xr.Dataset(design, {"indicator": [NAME], "area": area_names, "data_year": years[past], "covariate": []})
    return xr.DataTree.from_dict({"posterior": posterior, "constant_data": constant}), statistics


def compared(**settings):
    return compare(*world(**settings), last_year=LAST, seed=3).set_index(["part", "forecast"])


def test_the_true_model_beats_naive_forecasts_where_areas_stand_still():
    table = compared()
    assert table.loc[("all", "last_value"), "model_is"] == "better"
    assert table.loc[("all", "last_value"), "events_model_is"] == "better"
    # 360 cells: three binomial standard errors of 0.9 are 0.047.
    assert table.loc[("all", "model"), "coverage_90"] == pytest.approx(0.9, abs=0.047)
    assert table.loc[("all", "last_value"), "coverage_90"] == pytest.approx(0.9, abs=0.047)


def test_a_model_without_memory_loses_to_the_last_value_where_areas_drift():
    table = compared(drift=0.3)
    assert table.loc[("all", "last_value"), "model_is"] == "worse"
    assert table.loc[("all", "last_value"), "model_ratio"] > 1.1
    assert table.loc[("all", "model"), "coverage_90"] < 0.8 < table.loc[("all", "last_value"), "coverage_90"]


def test_a_model_with_memory_matches_the_last_value_where_areas_drift():
    table = compared(drift=0.3, memory=True)
    assert table.loc[("all", "last_value"), "model_ratio"] < 1.0
    assert table.loc[("all", "area_mean"), "model_is"] == "better"
    assert table.loc[("all", "model"), "coverage_90"] == pytest.approx(0.9, abs=0.06)


def test_years_and_sizes_each_hold_all_cells():
    cells = compared()["cells"].xs("model", level="forecast")
    assert cells["all"] == AREAS * LATER
    assert cells[["2022", "2023", "2024"]].tolist() == [AREAS] * LATER
    assert cells[["small", "middle", "large"]].sum() == AREAS * LATER


def test_the_model_is_not_judged_against_itself():
    own = compared().xs("model", level="forecast")
    assert (own["model_ratio"] == 1).all()
    assert (own["model_is"] == "").all()


def test_the_walk_widens_the_forecast_year_by_year():
    posterior, statistics = world()
    posterior["posterior"]["year_sd"] *= 20
    cells = cells_of(statistics.sel(indicator=NAME), statistics["data_year"] > LAST)
    drawn = counts_ahead(posterior, NAME, cells, random=np.random.default_rng(1)) / cells["exposure"].to_numpy()
    spread = pd.Series(drawn.std(axis=0)).groupby(cells["data_year"].to_numpy()).mean()
    assert spread.is_monotonic_increasing


def test_forecasting_a_year_that_was_fitted_is_refused():
    posterior, statistics = world()
    cells = cells_of(statistics.sel(indicator=NAME), statistics["data_year"] >= LAST)
    with pytest.raises(InputError, match="fitted up to 2021"):
        counts_ahead(posterior, NAME, cells, random=np.random.default_rng(1))


HISTORY = pd.DataFrame({2019: [0.0, 2.0], 2020: [1.0, 3.0], 2021: [2.0, 4.0]}, index=["a", "b"])


@pytest.mark.parametrize(
    ("rule", "expected"), [(module._last, [2.0, 4.0]), (module._mean, [1.0, 3.0]), (module._trend, [4.0, 6.0])]
)
def test_naive_forecasts_two_years_ahead(rule, expected):
    # By hand: the national line runs 1, 2, 3 and reaches 5 in 2023; the areas stand one below and one above it.
    assert rule(HISTORY, 2023).to_numpy() == pytest.approx(expected)


def test_past_errors_are_those_of_forecasts_from_earlier_years():
    sizes = pd.Series({"a": "small", "b": "large"})
    errors = module._past_errors(HISTORY, module._last, 1, 3, sizes)
    assert errors.groupby("horizon")["error"].agg(list).to_dict() == {1: [1.0] * 4, 2: [2.0] * 2}
    assert module._past_errors(HISTORY, module._trend, 2, 3, sizes)["error"].abs().max() < 1e-9


def test_a_horizon_never_tried_takes_the_errors_of_all_others():
    errors = pd.DataFrame({"horizon": [1, 1, 3], "error": [0.1, 0.1, 0.5]})
    assert module._spread(errors, 3).max() == pytest.approx(0.5)
    assert module._spread(errors, 2).max() == pytest.approx(0.5, abs=0.01)
    assert np.abs(module._spread(errors, 1)).max() == pytest.approx(0.1)
    assert module._spread(errors, 2).mean() == pytest.approx(0)


def test_a_count_scores_the_same_hidden_or_known_to_be_small():
    counts = np.random.default_rng(1).poisson(6, (300, 2))
    cells = pd.DataFrame({"area": ["a", "b"], "data_year": 2023, "exposure": 40.0, "size": "small"})
    scored = [
        module._scores(cells.assign(lower=lower, upper=upper), {"model": counts}, 5.0)["crps"].iloc[0] * rate
        for lower, upper, rate in (([0.0, 9.0], [5.0, 9.0], 5.75), ([3.0, 9.0], [3.0, 9.0], 6.0))
    ]
    assert scored[0] == pytest.approx(scored[1])


def test_the_fit_sees_no_later_year(monkeypatch, dozen):
    seen = []

    def stop(model, **settings):
        seen.append((model.design["data_year"].values.max(), settings["seed"]))
        raise RuntimeError("enough")

    monkeypatch.setattr(module, "fit", stop)
    with pytest.raises(RuntimeError, match="enough"):
        backtest(dozen, last_year=2021, seed=5)
    assert seen == [(2021, 5)]


def test_a_last_year_without_later_ones_is_refused(dozen):
    with pytest.raises(InputError, match="no statistics after 2025"):
        backtest(dozen, last_year=2025, seed=1)


@pytest.mark.parametrize("name", ["backtest", "predictive_checks"])
def test_committed_tables_are_of_fits_that_converged_on_every_indicator(name):
    table = evidence.load_table(f"reference/{name}")
    assert set(table["indicator"]) == set(INDICATORS)
    assert (table["converged"] == 1).all()


def test_a_model_at_two_standard_errors_is_neither_better_nor_uncertain():
    """By hand: |ratio - 1| less two standard errors of 0.04 is 0.02, 0.02, -0.02, 0.02; the errors 0.004 and 0.02."""
    rows = [
        ("last_value", 0.9, 0.004),
        ("last_value", 0.9, 0.02),
        ("area_mean", 1.06, 0.004),
        ("area_mean", 1.1, 0.004),
    ]
    table = pd.DataFrame([*rows, ("model", 1.0, 0.0)], columns=["forecast", "model_ratio", "model_ratio_mcse"])
    table = table.assign(model_ratio_se=0.04, model_ratio_se_mcse=0.0)
    assert list(module._verdict(table, "model")) == ["better", "cannot be told", "uncertain", "worse", ""]


def test_the_error_of_a_score_is_that_of_its_draws_and_a_rival_without_chance_has_none():
    table = compared()
    assert (table["crps_mcse"].xs("last_value", level="forecast") == 0).all()
    own = table.xs("model", level="forecast")
    # Some 400 draws for each cell: the score is known to about a hundredth part.
    assert ((own["crps_mcse"] > 0) & (own["crps_mcse"] < 0.05 * own["crps"])).all()
