"""What the panel of areas says: lead associations, the bias they show, and programmes' draws weighted by both."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.stats import norm

from toolkit import evidence
from toolkit.models.effects.areas_panel import OUTCOME_OF, bias_sd, combined_weights, lead_associations
from toolkit.schema import SAMPLE_DIMS

YEARS, AREAS = list(range(2010, 2026)), [f"a{place}" for place in range(30)]


def like(draws: int = 5000) -> xr.Dataset:
    return xr.Dataset(coords={"chain": range(4), "draw": range(draws)})


def made_up(*, past: float = 0.0, lead: float = 0.0) -> xr.Dataset:
    """Statistics whose log odds of care starts move by these with the spending of three years, and levels and trend."""
    random = np.random.default_rng(3)
    shape = (len(AREAS), len(YEARS))
    spend = xr.DataArray(
        np.exp(5 + 0.3 * random.standard_normal(shape)), {"area": AREAS, "data_year": YEARS}, ("area", "data_year")
    ).assign_attrs(price_base="2025/26")
    log = np.log(spend)
    before = sum(log.shift(data_year=lag) for lag in (1, 2, 3)) / 3
    after = sum(log.shift(data_year=-lag) for lag in (1, 2, 3)) / 3
    levels = xr.DataArray(0.2 * random.standard_normal(len(AREAS)), {"area": AREAS}, ("area",))
    trend = xr.DataArray(0.1 * random.standard_normal(len(YEARS)), {"data_year": YEARS}, ("data_year",))
    odds = np.exp(-4 + levels + trend + past * before.fillna(5.0) + lead * after.fillna(5.0))
    exposure = xr.full_like(spend, 1e9)
    events = (odds / (1 + odds) * exposure).expand_dims(indicator=["care_starts"])
    return xr.Dataset(
        {
            "events_lower": events,
            "events_upper": events,
            "exposure": exposure.expand_dims(indicator=["care_starts"]),
            "observed": (after.notnull() & before.notnull()).expand_dims(indicator=["care_starts"]),
            "early_help_spend": spend,
            "child_low_income": xr.full_like(spend, 0.0) + 0.01 * random.standard_normal(shape),
            "fitted": ("area", np.ones(len(AREAS), bool)),
        }
    )


@pytest.mark.parametrize(("past", "lead"), [(-0.3, 0.0), (0.0, 0.2), (-0.3, 0.2)])
def test_the_lead_is_what_later_spending_adds_to_past_spending(past: float, lead: float) -> None:
    found = lead_associations(made_up(past=past, lead=lead))
    assert found["indicator"].values.tolist() == ["care_starts"]
    assert float(found["lead"].item()) == pytest.approx(lead, abs=1e-5)


def test_errors_are_those_of_dummies_with_clusters() -> None:
    """Against the textbook's formula with a column for each area and year, on noisy data with a gap."""
    statistics = made_up(lead=0.1)
    noise = np.exp(0.2 * np.random.default_rng(5).standard_normal(statistics["events_lower"].shape))
    statistics = statistics.assign({name: statistics[name] * noise for name in ("events_lower", "events_upper")})
    statistics["observed"][0, 3, 6] = False
    found = lead_associations(statistics)
    log = np.log(statistics["early_help_spend"])
    columns = {
        "lead": sum(log.shift(data_year=-lag) for lag in (1, 2, 3)) / 3,
        "past": sum(log.shift(data_year=lag) for lag in (1, 2, 3)) / 3,
        "low": statistics["child_low_income"],
    }
    one = statistics.isel(indicator=0)
    y = np.log((one["events_lower"] + 0.5) / (one["exposure"] - one["events_lower"] + 0.5))
    cells = xr.Dataset({**columns, "y": y}).where(one["observed"]).drop_vars("indicator").to_dataframe()
    cells = cells.dropna().reset_index()
    x = np.column_stack(
        [cells[["lead", "past", "low"]], pd.get_dummies(cells["area"]), pd.get_dummies(cells["data_year"]).iloc[:, 1:]]
    ).astype(float)
    bread = np.linalg.inv(x.T @ x)
    slope = bread @ x.T @ cells["y"].to_numpy()
    scores = pd.DataFrame(x * (cells["y"].to_numpy() - x @ slope)[:, None]).groupby(cells["area"]).sum().to_numpy()
    error = np.sqrt((bread @ scores.T @ scores @ bread)[0, 0] * 30 / 29)
    assert float(found["lead"].item()) == pytest.approx(slope[0], rel=1e-8)
    assert float(found["lead_se"].item()) == pytest.approx(error, rel=1e-8)


def test_the_shipped_panel_shows_leads_of_care_and_justice(statistics: xr.Dataset) -> None:
    """As two audits of it: +0.124 (0.056) for care starts, -0.148 (0.071) for first entrants, each by its own model."""
    found = lead_associations(statistics)
    for name, lead, error in (("care_starts", 0.124, 0.056), ("first_time_entrants", -0.148, 0.071)):
        one = found.sel(indicator=name)
        assert abs(float(one["lead"]) - lead) < error / 2 and float(one["lead_se"]) == pytest.approx(error, rel=0.1)


def test_too_few_areas_have_no_lead_and_leave_the_prior(register: evidence.Register) -> None:
    few = lead_associations(made_up().isel(area=slice(0, 2)))
    assert few.sizes["indicator"] == 0
    drawn = bias_sd(few, register.tables["priors"], like=like(), seed=1)
    assert float((drawn < 0.2).mean()) == pytest.approx(2 * norm.cdf(1) - 1, abs=0.02)


def test_the_bias_has_its_exact_posterior(register: evidence.Register) -> None:
    leads = xr.Dataset(
        {"lead": ("indicator", [0.12, -0.15]), "lead_se": ("indicator", [0.05, 0.07])}, {"indicator": ["a", "b"]}
    )
    grid = np.linspace(1e-4, 1.5, 30_000)
    density = (
        norm.pdf(grid / 0.2) * norm.pdf(0.12, scale=np.hypot(0.05, grid)) * norm.pdf(0.15, scale=np.hypot(0.07, grid))
    )
    mean = float((grid * density).sum() / density.sum())
    drawn = bias_sd(leads, register.tables["priors"], like=like(), seed=1)
    assert float(drawn.mean()) == pytest.approx(mean, rel=0.02)


def test_a_known_bias_weights_draws_by_precision() -> None:
    """Programme's evidence N(-0.4, 0.1), all spending buys it, panel 0.1 with error 0.12 and bias 0.16, so 0.2."""
    shape = like()
    ones = xr.DataArray(np.ones((4, 5000)), shape.coords, SAMPLE_DIMS)
    prior = ones * np.random.default_rng(2).normal(-0.4, 0.1, ones.shape)
    names = list(OUTCOME_OF)
    panel = xr.Dataset(
        {
            "association": ("indicator", [0.1, 9.0, 9.0]),
            "association_se": ("indicator", [0.12, 0.1, 0.1]),
            "bias_sd": 0.16 * ones,
            "bought_share": ones,
        },
        {"indicator": names},
    )
    counted = xr.DataArray([True, False, False], {"indicator": names}, "indicator")
    weight = combined_weights(panel, prior.expand_dims(indicator=names), counted)
    precision = 0.1**-2 + 0.2**-2
    mean = (-0.4 * 0.1**-2 + 0.1 * 0.2**-2) / precision
    assert float(weight.sum()) == pytest.approx(1.0)
    assert float((weight * prior).sum()) == pytest.approx(mean, abs=0.005)
    spread = float((weight * (prior - mean) ** 2).sum()) ** 0.5
    assert spread == pytest.approx(precision**-0.5, rel=0.03)
    alike = combined_weights(panel, prior.expand_dims(indicator=names), counted & False)
    assert float(alike.std()) == pytest.approx(0.0, abs=1e-12)
