"""Forecasts of a posterior without doubt, by hand, and how draws of areas and series go together."""

import numpy as np
import pytest

from tests.unit.models.outlook.conftest import sure_posterior
from toolkit.models.outlook.forecast import simulate, surprise_correlation

LEEDS, HARTLEPOOL = "E08000035", "E06000001"
HOW = {"years": 4, "fade_years": 2.0, "seed": 7}


def test_growth_fades_from_where_the_area_stands(care_series):
    drawn = simulate(sure_posterior(care_series), care_series, areas=[LEEDS], **HOW)
    path = drawn["value"].sel(series="price_residential", area=LEEDS).isel(chain=0, draw=0).values
    assert path - path[0] == pytest.approx(np.array([0.0, 0.03, 0.045, 0.045, 0.045]), abs=1e-6)
    counted = drawn["value"].sel(series="safeguarding", area=LEEDS, year=2025)
    assert np.allclose(counted, care_series["value"].sel(series="safeguarding", area=LEEDS, data_year=2025))
    assert drawn["growth"].isel(chain=0, draw=0, series=0).values == pytest.approx([0.0, 0.03, 0.015, 0.0, 0.0])


def test_an_area_is_the_same_beside_others(care_series):
    posterior = sure_posterior(care_series, step=0.05, gain=0.9)
    alone = simulate(posterior, care_series, areas=[LEEDS], **HOW)["value"]
    beside = simulate(posterior, care_series, areas=[HARTLEPOOL, LEEDS], **HOW)["value"]
    assert np.allclose(alone.sel(area=LEEDS), beside.sel(area=LEEDS), rtol=1e-12)
    assert not np.allclose(beside.sel(area=LEEDS), beside.sel(area=HARTLEPOOL))


def test_only_a_part_of_a_surprise_lasts(care_series):
    posterior = sure_posterior(care_series, draws=4000, gain=0.5, tail=1e6)
    drawn = simulate(posterior, care_series, areas=[LEEDS], **HOW)["value"].sel(area=LEEDS)
    # After h years: sd * sqrt(1 + (h - 1) gain^2); prices, forecast without passing noise: sd * gain * sqrt(h).
    spread = drawn.std(["chain", "draw"])
    count = spread.sel(series="safeguarding").values[1:]
    assert count / count[0] == pytest.approx(np.sqrt(1 + 0.25 * np.arange(4)), rel=0.03)
    price = spread.sel(series="price_residential").values[1:]
    assert price / price[0] == pytest.approx(np.sqrt(np.arange(1, 5)), rel=0.03)


def test_what_goes_together_is_known_and_what_does_not_is_zero(care_series):
    random = np.random.default_rng(11)
    shape = (care_series.sizes["area"], care_series.sizes["data_year"])
    one, other = random.normal(size=shape), random.normal(size=shape)
    value = care_series["value"].copy(data=random.normal(size=care_series["value"].shape))
    value.loc[{"series": "starts"}] = np.cumsum(one, axis=1)
    value.loc[{"series": "resident"}] = np.cumsum(0.6 * one + 0.8 * other, axis=1)
    made = care_series.assign(value=value)
    posterior = sure_posterior(made, spread=1.0, gain=1.0)
    posterior["national"] = 0.0 * posterior["national"]
    found = surprise_correlation(posterior, made)
    assert float(found.sel(series="starts", series_other="resident")) == pytest.approx(0.6, abs=0.05)
    assert float(found.sel(series="starts", series_other="safeguarding")) == pytest.approx(0.0, abs=0.06)
    assert np.diag(found) == pytest.approx(1.0)
    assert np.linalg.eigvalsh(found).min() > 0
