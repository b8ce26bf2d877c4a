"""Error in returned spending: separated from what lasts, removed, and as parameters of the outcome model."""

import numpy as np
import pymc as pm
import pytest
import xarray as xr

from toolkit import evidence, models
from toolkit.models.outcomes.model import _spend
from toolkit.models.outcomes.spend_error import calibrated, spend_parts

TRUE = {"level": 0.3, "deviation": 0.25, "persistence": 0.7, "error": 0.15}


def returns(statistics: xr.Dataset, error: float, seed: int = 5) -> tuple[xr.Dataset, xr.DataArray]:
    """Return statistics with made-up spending, and the log spending without its error."""
    random, shape = np.random.default_rng(seed), statistics["early_help_spend"].shape
    moves = random.standard_normal(shape)
    for t in range(1, shape[1]):
        moves[:, t] = TRUE["persistence"] * moves[:, t - 1] + (1 - TRUE["persistence"] ** 2) ** 0.5 * moves[:, t]
    true = 5 + TRUE["level"] * random.standard_normal((shape[0], 1)) + TRUE["deviation"] * moves
    spend = statistics["early_help_spend"]
    observed = spend.copy(data=np.exp(true + error * random.standard_normal(shape))).where(spend.notnull())
    return statistics.assign(early_help_spend=observed), spend.copy(data=true)


def test_error_is_separated_from_what_lasts(statistics: xr.Dataset) -> None:
    parts = spend_parts(returns(statistics, TRUE["error"])[0])
    assert parts == {name: pytest.approx(value, abs=0.04) for name, value in TRUE.items()}


def test_calibrated_spending_is_nearer_the_truth_and_says_how_near(statistics: xr.Dataset) -> None:
    given, true = returns(statistics, TRUE["error"])
    corrected, doubt, reliability = calibrated(given)
    before, after = (np.log(one["early_help_spend"]) - true for one in (given, corrected))
    assert float(after.std()) < 0.8 * float(before.std())
    assert corrected["early_help_spend"].notnull().equals(given["early_help_spend"].notnull())
    assert corrected["early_help_spend"].attrs == given["early_help_spend"].attrs
    lagged = [evidence.lagged_log_spend(one) for one in (corrected, given)]
    truth = evidence.lagged_log_spend(given.assign(early_help_spend=np.exp(true).where(given["early_help_spend"] > 0)))
    left = (lagged[0] - truth).where(given["fitted"]).std()
    stated = ((doubt**2).sum("factor") ** 0.5).where(lagged[0].notnull() & given["fitted"]).mean()
    assert float(left) == pytest.approx(float(stated), rel=0.15)
    assert 0.6 < reliability < 0.95


def test_spending_without_error_is_left_as_it_is(statistics: xr.Dataset) -> None:
    given, _ = returns(statistics, 0.0)
    corrected, _, reliability = calibrated(given)
    np.testing.assert_allclose(np.log(corrected["early_help_spend"]), np.log(given["early_help_spend"]), atol=0.02)
    assert reliability == pytest.approx(1, abs=0.01)


def test_the_error_moves_spending_within_an_area_about_its_mean_and_the_area_by_that(dozen: xr.Dataset) -> None:
    model = models.outcomes(dozen, indicators=["care_starts"])
    fitted = model.design.sel(area=model.design["fitted"])
    areas, years = fitted["area"].values, fitted["data_year"].values
    scale = np.random.default_rng(1).normal(size=(len(areas), len(years), 2))
    coords = {"area": areas, "data_year": years}
    with pm.Model():
        within, between = _spend(fitted, xr.DataArray(scale, coords, ("area", "data_year", "factor")))
        z = np.random.default_rng(2).normal(size=(len(areas), 2))
        variable = pm.modelcontext(None)["spend_error"]
        within, between = (part.eval({variable: z}) for part in (within, between))
    error = (scale * z[:, None, :]).sum(axis=2)
    used = fitted["family"].values[0] != 0
    mean = np.array([row[known].mean() for row, known in zip(error, used, strict=True)])
    np.testing.assert_allclose(between[0], fitted["spend_between"].values[0] + mean)
    np.testing.assert_allclose(within[0], fitted["spend_within"].values[0] + error - mean[:, None])
