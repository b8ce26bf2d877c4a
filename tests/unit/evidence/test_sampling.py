import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

from toolkit import evidence
from toolkit.evidence.sampling import quantile
from toolkit.schema import InputError

LIKE = xr.Dataset(coords={"chain": range(4), "draw": range(1000)})


def figure(**changes: object) -> pd.Series:
    row = {
        "distribution": "normal", "real_value": 10.0, "real_low": np.nan, "real_high": np.nan, "unit": "GBP per event",
        "interval_kind": "", "interval_level": np.nan, "coefficient_of_variation": 0.2,
    }  # fmt: skip
    return pd.Series(row | changes)


def test_a_confidence_interval_comes_back_at_its_own_level() -> None:
    row = figure(interval_kind="confidence", interval_level=0.95, real_low=8.0, real_high=12.0)
    assert quantile(row, np.array([0.025, 0.5, 0.975]), role="x") == pytest.approx([8, 10, 12])
    wide = figure(interval_kind="confidence", interval_level=0.8, real_low=8.0, real_high=12.0)
    assert quantile(wide, np.array([0.1, 0.9]), role="x") == pytest.approx([8, 12])


def test_the_spread_between_councils_is_not_the_spread_of_the_mean() -> None:
    row = figure(interval_kind="between_area", interval_level=0.8, real_low=1.0, real_high=40.0)
    assert quantile(row, np.array([0.975]), role="x") == pytest.approx(10 + 1.96 * 2.0, abs=1e-3)


@pytest.mark.parametrize("kind", ["normal", "lognormal_mean", "beta"])
def test_mean_and_spread_match_the_grade(kind: str) -> None:
    value = 0.3 if kind == "beta" else 10.0
    row = figure(distribution=kind, real_value=value)
    points = (np.arange(20_000) + 0.5) / 20_000
    drawn = quantile(row, points, role="x")
    assert drawn.mean() == pytest.approx(value, rel=2e-3)
    assert drawn.std() == pytest.approx(0.2 * value, rel=2e-2)


def test_a_lognormal_has_its_median_at_the_figure() -> None:
    row = figure(distribution="lognormal", interval_kind="range", interval_level=0.9, real_low=5.0, real_high=20.0)
    sigma = np.log(4.0) / (2 * stats.norm.ppf(0.95))
    assert quantile(row, np.array([0.5]), role="x") == pytest.approx([10.0])
    assert quantile(row, np.array([stats.norm.cdf(1.0)]), role="x") == pytest.approx([10.0 * np.exp(sigma)])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"distribution": "gamma"}, "unknown distribution"),
        ({"distribution": "lognormal", "real_value": -1.0}, "cannot be log-normal"),
        ({"distribution": "beta", "real_value": 30.0}, "not a proportion"),
        ({"coefficient_of_variation": np.nan}, "neither an interval"),
        ({"interval_kind": "range", "real_low": 1.0, "real_high": 20.0}, "interval without a level"),
        (
            {"distribution": "beta", "real_value": 0.5, "interval_kind": "range", "interval_level": 0.5,
             "real_low": 0.0, "real_high": 1.0},
            "too wide",
        ),
    ],
)  # fmt: skip
def test_bad_figures_are_refused_by_role(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        quantile(figure(**changes), np.array([0.5]), role="some_role")


def test_changing_one_figure_leaves_every_other_draw_alone() -> None:
    table = pd.DataFrame([figure(), figure(real_value=5.0)], index=["first", "second"])
    changed = table.copy()
    changed.loc["first", "real_value"] = 99.0
    before = evidence.sample(table, like=LIKE, seed=1, price_base="2025/26")
    after = evidence.sample(changed, like=LIKE, seed=1, price_base="2025/26")
    xr.testing.assert_identical(before["second"], after["second"])
    assert not before["first"].equals(after["first"])
    assert abs(np.corrcoef(before["first"].values.ravel(), before["second"].values.ravel())[0, 1]) < 0.05


def test_money_carries_units_and_price_base() -> None:
    drawn = evidence.sample(pd.DataFrame([figure()], index=["a"]), like=LIKE, seed=1, price_base="2025/26")
    assert drawn["a"].attrs == {"units": "GBP per event", "price_base": "2025/26"}
    assert drawn["a"].dims == ("chain", "draw")
