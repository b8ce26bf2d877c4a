import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from toolkit import evidence, scenarios
from toolkit.evidence.sampling import NARROWEST, NODES, WEIGHTS, described, quantile
from toolkit.schema import InputError

LIKE = xr.Dataset(coords={"chain": range(4), "draw": range(1000)})


def figure(**changes: object) -> pd.Series:
    row = {
        "distribution": "normal",
        "real_value": 10.0,
        "real_low": np.nan,
        "real_high": np.nan,
        "unit": "GBP per event",
        "interval_kind": "",
        "interval_level": np.nan,
        "coefficient_of_variation": 0.2,
    }
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
            {
                "distribution": "beta",
                "real_value": 0.5,
                "interval_kind": "range",
                "interval_level": 0.5,
                "real_low": 0.0,
                "real_high": 1.0,
            },
            "inside 0 to 1",
        ),
        (
            {
                "distribution": "beta",
                "real_value": 0.5,
                "interval_kind": "range",
                "interval_level": 0.9,
                "real_low": 0.6,
                "real_high": 0.7,
            },
            "are not a low end",
        ),
        (
            {
                "distribution": "beta",
                "real_value": 0.1,
                "interval_kind": "range",
                "interval_level": 0.9,
                "real_low": 0.09,
                "real_high": 0.95,
            },
            "it must lie between 0.29",
        ),
    ],
)
def test_bad_figures_are_refused_by_role(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        quantile(figure(**changes), np.array([0.5]), role="some_role")


def test_every_cited_interval_is_drawn_with_both_its_ends_and_its_own_centre() -> None:
    table = scenarios.resolve(scenarios.load("families_first"), evidence.load_register())
    own = table[table["interval_kind"].isin(["confidence", "range"]) & (table["distribution"] != "fixed")]
    assert len(own) > 40
    points = (np.arange(200_000) + 0.5) / 200_000
    for role, row in own.iterrows():
        drawn, half = quantile(row, points, role=str(role)), row["interval_level"] / 2
        centre = np.median(drawn) if row["distribution"] == "lognormal" else drawn.mean()
        found = [*np.quantile(drawn, [0.5 - half, 0.5 + half]), centre]
        cited = row[["real_low", "real_high", "real_value"]].to_numpy(float)
        assert found == pytest.approx(cited, rel=2e-3, abs=1e-3 * (cited[1] - cited[0])), role
        drawn_and_cited = described(row, role=str(role)).split(" cited, ")
        assert drawn_and_cited[1] == f"{row['real_low']:.4g} to {row['real_high']:.4g}"
        assert f"between {row['real_low']:.4g} and {row['real_high']:.4g};" in drawn_and_cited[0], role


@given(
    st.sampled_from(["normal", "lognormal", "lognormal_mean", "beta"]),
    st.floats(0.02, 0.9),
    st.floats(0.05, 0.95),
    st.floats(0.02, 0.95),
    st.sampled_from([0.5, 0.8, 0.9, 0.95]),
)
def test_three_numbers_that_can_be_met_are_met_and_others_refused(
    kind: str, low: float, width: float, lean: float, level: float
) -> None:
    high = low + width * (0.98 - low)
    value = low + lean * (high - low)
    row = figure(
        distribution=kind, real_value=value, real_low=low, real_high=high, interval_kind="range", interval_level=level
    )
    try:
        ends = quantile(row, np.array([0.5 - level / 2, 0.5 + level / 2]), role="x")
    except InputError as problem:
        assert "no mean of" in str(problem)
        assert kind != "lognormal"  # a median inside an interval can always be met
        return
    assert ends == pytest.approx([low, high], rel=1e-6)
    line = quantile(row, special.ndtr(NODES[100:-100]), role="x")
    assert (np.diff(line) >= 0).all()
    centre = line[len(line) // 2] if kind == "lognormal" else WEIGHTS @ quantile(row, special.ndtr(NODES), role="x")
    assert centre == pytest.approx(value, rel=1e-3)


def test_a_mean_is_refused_only_where_no_median_gives_it() -> None:
    least = figure(
        distribution="lognormal_mean",
        interval_kind="range",
        interval_level=0.9,
        real_low=1.0,
        real_high=4.0,
        real_value=1.001,
    )
    with pytest.raises(InputError, match=r"must lie between 1\.\d+ and 3\.\d+") as found:
        quantile(least, np.array([0.5]), role="x")
    lowest = float(str(found.value).split("between ")[1].split(" and")[0])
    # With the median at the low end, half of the draws lie there and the others are half of a log-normal.
    half = np.exp(np.log(4.0) / stats.norm.ppf(0.95) * np.abs(NODES))
    assert lowest == pytest.approx(0.5 + 0.5 * float(WEIGHTS @ half), rel=100 * NARROWEST)


def test_how_a_figure_is_drawn_is_said_or_why_it_cannot_be() -> None:
    assert described(figure(), role="x").endswith("10 GBP per event cited, no interval, graded 20%")
    held = {"interval_kind": "range", "interval_level": 0.9, "real_low": 5.0, "real_high": 20.0, "real_value": 6}
    said = described(figure(distribution="lognormal", **held), role="x")
    assert said == "median 6, 90% between 5 and 20; 6 GBP per event cited, 5 to 20"
    # A mean of 6 would need a median below the low end: the page says which means go with the interval.
    lacking = described(figure(distribution="lognormal_mean", **held), role="x")
    assert lacking.startswith("6 GBP per event cited; cannot be drawn: x: no mean of 6 goes with an interval from 5")


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
