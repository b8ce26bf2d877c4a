"""Unit costs: rival estimates pooled, real growth, the sampler against exact quadrature."""

from dataclasses import replace

import numpy as np
import nutpie
import pandas as pd
import pytest
import xarray as xr
from scipy import integrate, stats

from toolkit import evidence, scenarios
from toolkit.models.unit_costs import modelled_figures
from toolkit.models.unit_costs.pooled import (
    pooled,
    pooled_cdf,
    pooled_summary,
    rival_estimates,
    unit_costs,
    yearly_growth,
)
from toolkit.schema import InputError


@pytest.fixture(scope="module")
def priors(register: evidence.Register) -> pd.DataFrame:
    return register.tables["priors"]


@pytest.fixture(scope="session")
def register() -> evidence.Register:
    return evidence.load_register()


def rows_of(pools: dict[str, list[tuple[float, float]]]) -> pd.DataFrame:
    rows = [(pool, estimate, se) for pool, estimates in pools.items() for estimate, se in estimates]
    return pd.DataFrame(rows, columns=["pool", "estimate", "se"])


def with_prior(priors: pd.DataFrame, parameter: str, **cells: float) -> pd.DataFrame:
    table = priors.copy()
    at = (table["model"] == "cost_pools") & (table["parameter"] == parameter)
    for column, value in cells.items():
        table.loc[at, column] = value
    return table


def with_pool(register: evidence.Register, *rows: tuple[str, str]) -> evidence.Register:
    pools = pd.DataFrame([(pool, key, "a test") for pool, key in rows], columns=["pool", "id", "reason"])
    return replace(register, tables={**register.tables, "cost_pools": pools})


def test_estimates_are_rebased_logs_with_the_error_of_their_interval_or_grade(register):
    table = rival_estimates(register).set_index("id")
    # 318,400 in 2023/24 by the deflators 96.1094 (2023/24) and 103.2388 (2025/26); grade A, a tenth.
    deflators = register.deflators
    expected = np.log(318_400 * deflators["2025/26"] / deflators["2023/24"])
    assert table.loc["residential_place_year_2024", "estimate"] == pytest.approx(expected)
    assert table.loc["residential_place_year_2024", "se"] == pytest.approx(np.sqrt(np.log(1.01)))
    # Grade B and more than ten years old: 0.35 in graded_uncertainty.csv.
    assert table.loc["cin_core_assessment", "se"] == pytest.approx(np.sqrt(np.log1p(0.35**2)))
    own = rival_estimates(with_pool(register, ("x", "cin_case_six_months"), ("x", "cpp_case_six_months"))).set_index(
        "id"
    )
    # 905 to 3,205 is a range held with 0.9.
    width = np.log(3205 / 905) / (2 * stats.norm.ppf(0.95))
    assert own.loc["cin_case_six_months", "se"] == pytest.approx(width)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([("a", "foster_la_week_2014"), ("a", "foster_ifa_week_cma")], "superseded by s251_foster_week_2024_25"),
        ([("a", "foster_ifa_weak_cma"), ("a", "foster_ifa_week_cma")], "no such figure"),
        ([("a", "foster_ifa_week_cma")], "has one row"),
        ([("a", "foster_ifa_week_cma"), ("a", "cin_core_assessment")], "mixes units"),
        ([("a", "cin_support_year_aldaba"), ("a", "cla_year_s251_2024_25")], "money without a price year"),
        ([("a", "CUM_CIN18"), ("a", "foster_ifa_week_cma")], "not a sum of money"),
    ],
)
def test_rows_that_may_not_be_pooled_are_refused(register, rows, says):
    with pytest.raises(InputError, match=rf"cost_pools\.csv.*{says}.*Fix:"):
        rival_estimates(with_pool(register, *rows))


def test_a_wide_prior_and_no_spread_weigh_by_inverse_variance(priors):
    sure = with_prior(with_prior(priors, "mean", arg2=100.0), "between_scale", arg1=1e-6)
    found = pooled_summary(pooled(rows_of({"a": [(7.0, 0.1), (7.3, 0.2)]}), priors=sure))
    assert found.loc["a", "mean"] == pytest.approx((7.0 / 0.01 + 7.3 / 0.04) / 125, abs=1e-4)
    assert found.loc["a", "sd"] == pytest.approx(125**-0.5, rel=1e-3)


def test_the_grid_agrees_with_integration_of_the_hierarchy(priors):
    """One pool, by adaptive quadrature over the spread and a fine sum over its scale, written apart."""
    estimates, ses = np.array([6.6, 7.2]), np.array([0.15, 0.25])

    def given(tau: float) -> tuple[float, float]:
        """Marginal likelihood and mean of the pool's mean, prior normal(7, 3), by inverting two by two."""
        cover = np.diag(ses**2 + tau**2) + 9.0
        gap, inverse = estimates - 7, np.linalg.inv(cover)
        return np.exp(-0.5 * gap @ inverse @ gap) / np.sqrt(np.linalg.det(cover)), 7 + 9 * (inverse @ gap).sum()

    scales = (np.arange(4000) + 0.5) * 5 / 4000
    chance = np.exp(-0.5 * (scales / 0.5) ** 2)

    def prior(tau: float) -> float:
        """Density of the spread, its half-normal scale summed over: half-normal of scale 0.5."""
        return float((chance * np.exp(-0.5 * (tau / scales) ** 2) / scales).sum())

    parts = [
        integrate.quad(lambda t, f=f: f(t, *given(t)) * prior(t), 0, 6, limit=200)[0]
        for f in (lambda t, like, mean: like, lambda t, like, mean: like * mean, lambda t, like, mean: like * t)
    ]
    found = pooled_summary(pooled(rows_of({"a": list(zip(estimates, ses, strict=True))}), priors=priors)).loc["a"]
    assert found["mean"] == pytest.approx(parts[1] / parts[0], abs=2e-3)
    assert found["between"] == pytest.approx(parts[2] / parts[0], rel=0.02)


def test_pools_lend_each_other_their_spread(priors):
    one = rows_of({"a": [(7.0, 0.05), (7.1, 0.05)]})
    apart = rows_of({"a": [(7.0, 0.05), (7.1, 0.05)], "b": [(5.0, 0.05), (6.5, 0.05)], "c": [(3, 0.05), (4.4, 0.05)]})
    alone, among = (pooled_summary(pooled(rows, priors=priors)) for rows in (one, apart))
    assert among.loc["a", "between"] > 1.2 * alone.loc["a", "between"]
    assert among.loc["a", "sd"] > alone.loc["a", "sd"]


def test_probabilities_below_the_median_and_the_ends_are_what_they_say(priors, register):
    posterior = pooled(rival_estimates(register), priors=priors)
    table = pooled_summary(posterior, level=0.9)
    for column, chance in (("low", 0.05), ("median", 0.5), ("high", 0.95)):
        below = pooled_cdf(
            posterior, xr.DataArray(table[column].to_numpy(), dims="pool", coords={"pool": posterior["pool"]})
        )
        np.testing.assert_allclose(below, chance, atol=1e-3)


@pytest.mark.long
@pytest.mark.parametrize("prior_model", ["cost_pools", "price_growth"])
def test_the_sampler_agrees_with_quadrature(priors, register, prior_model):
    rows = rival_estimates(register) if prior_model == "cost_pools" else yearly_growth(register)
    model = unit_costs(rows, priors=priors, prior_model=prior_model)
    fit = nutpie.sample(
        nutpie.compile_pymc_model(model),
        draws=1000,
        tune=800,
        chains=4,
        cores=2,
        seed=3,
        target_accept=0.95,
        progress_bar=False,
    )["posterior"].to_dataset()
    below = pooled_cdf(pooled(rows, priors=priors, prior_model=prior_model), fit["mean"])
    # The exact distribution function makes its own draws uniform: 4,000 draws, worth some 2,000, give a mean of
    # a half with error 0.0065 and nine tenths inside with error 0.0067; four of each.
    assert float(abs(below.mean(("chain", "draw")) - 0.5).max()) < 0.026
    assert float(abs((abs(below - 0.5) < 0.45).mean(("chain", "draw")) - 0.9).max()) < 0.027


def test_growth_is_that_of_the_notes(register, priors):
    # Evidence notes on costs: real growth 2016-17 to 2024-25 of 0.0636, 0.0015, 0.0483 and 0.0148 a year.
    notes = {"residential": 0.0636, "foster": 0.0015, "cla": 0.0483, "social_work": 0.0148}
    rows = yearly_growth(register)
    means = np.expm1(rows.groupby("pool")["estimate"].mean())
    assert means.to_dict() == pytest.approx(notes, abs=1e-4)
    # The pooled growth is drawn towards none by its prior, and by less than its own standard deviation.
    found = pooled_summary(pooled(rows, priors=priors, prior_model="price_growth"))
    raw = rows.groupby("pool")["estimate"].mean()
    assert (abs(found["mean"] - raw) < 0.5 * found["sd"]).all()
    assert (abs(found["mean"]) <= abs(raw)).all()


def test_rounding_is_a_row_and_every_price_is_rounded_to_it(register):
    table = register.tables["priors"]
    at = (table["model"] == "price_growth") & (table["parameter"] == "rounding")
    prices = register.figures.loc[register.figures.index.str.match(r"s251_\w+_week_"), "value"].astype(float)
    assert len(prices) >= 36
    assert (prices % float(table.loc[at, "arg1"].iloc[0]) == 0).all()
    doubled = replace(register, tables={**register.tables, "priors": table.assign(arg1=table["arg1"].where(~at, 10.0))})
    np.testing.assert_allclose(yearly_growth(doubled)["se"], 2 * yearly_growth(register)["se"])
    with pytest.raises(InputError, match="rounding"):
        yearly_growth(replace(register, tables={**register.tables, "priors": table[~at]}))


def test_committed_figures_are_those_the_evidence_gives(register):
    again = modelled_figures.modelled_figures(register).set_index("id")
    shipped = evidence.load_table("modelled_figures").set_index("id")
    assert list(again.index) == list(shipped.index)
    for column in ("value", "low", "high"):
        np.testing.assert_allclose(again[column].astype(float), shipped[column], rtol=1e-6)
    assert again["made_from"].to_dict() == shipped["made_from"].to_dict()


def test_a_pool_can_play_a_part(register):
    row = scenarios.resolve(scenarios.load("families_first"), register).loc["price_proceedings_court"]
    shipped = evidence.load_table("modelled_figures").set_index("id").loc["pool:proceedings_court"]
    assert row["real_value"] == pytest.approx(shipped["value"] * 105.3095 / 103.2388)  # in prices of 2026/27
    assert not row["graded"]
    assert row["price_year"] == "2025/26"
