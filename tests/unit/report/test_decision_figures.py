"""Figures of a decision show the numbers they are given, with a unit on every axis of money."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from toolkit import appraisal
from toolkit.report import decision_figures as drawn

MONEY = {"units": "GBP", "price_base": "2025/26"}


@pytest.fixture
def pair():
    generator = np.random.default_rng(5)
    options = {"option": ["usual", "help", "a much longer name of an option"]}
    cost = generator.normal([0, 100, 300], [1, 20, 30], (300, 3))
    effect = generator.normal([0, 1, 2], [0.01, 0.5, 0.9], (300, 3))
    made = [xr.DataArray(a, dims=("sample", "option"), coords=options, attrs=MONEY) for a in (cost, effect)]
    return made[0].rename("cost"), made[1].rename("effect")


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_the_plane_shows_means_and_the_threshold(pair):
    figure = drawn.plot_plane(*pair, reference="usual", threshold=150.0, unit="unit")
    axes, names = figure.axes[0], pair[0]["option"].values[1:].tolist()
    assert legend(figure) == [*names, "£150 a unit"]
    means = [clouds.get_offsets()[0] for clouds in axes.collections if len(clouds.get_offsets()) == 1]
    gaps = [(array - array.sel(option="usual")).mean("sample").values[1:] for array in pair]
    np.testing.assert_allclose(means, np.transpose([gaps[1], gaps[0]]))
    x, y = axes.lines[-1].get_data()
    np.testing.assert_allclose(y, 150.0 * np.asarray(x))
    assert axes.get_ylabel() == "More cost than usual, £"


def test_curves_and_their_bands(pair):
    curves = appraisal.decision_curves(*pair, np.linspace(0, 500, 51))
    figure = drawn.plot_acceptability(curves, unit="a unit")
    lines = {line.get_label(): line.get_ydata() for line in figure.axes[0].lines}
    for name in pair[0]["option"].values:
        np.testing.assert_array_equal(lines[name], curves["probability_best"].sel(option=name))
    chosen = [float(curves["probability_best"].sel(option=curves["best_option"][k].item())[k]) for k in range(51)]
    np.testing.assert_array_equal(lines["Best on average"], chosen)
    loss = {
        line.get_label(): line.get_ydata() for line in drawn.plot_expected_loss(curves, unit="a unit").axes[0].lines
    }
    np.testing.assert_array_equal(loss["EVPI"], np.min([v for k, v in loss.items() if k != "EVPI"], axis=0))
    assert drawn.plot_evpi(curves, unit="a unit", threshold=100.0).axes[0].get_ylabel().endswith(", £")


def test_names_with_a_foreign_string_type_are_drawn(pair):
    # pandas 3 labels with its own string type, which NumPy cannot cast.
    cost, effect = (array.assign_coords(option=pd.Index(list("abc"), name="option")) for array in pair)
    figure = drawn.plot_plane(cost, effect, reference="a", threshold=1.0, unit="unit")
    assert legend(figure)[:2] == ["b", "c"]
    drawn.plot_acceptability(appraisal.decision_curves(cost, effect, [1.0, 2.0]), unit="a unit")


def test_long_names_take_fewer_columns(pair):
    named = [array.assign_coords(option=[f"{n} {'x' * 40}" for n in "abc"]) for array in pair]
    figure = drawn.plot_plane(*named, reference=str(named[0]["option"].values[0]), threshold=1.0, unit="unit")
    figure.canvas.draw()
    box = figure.legends[0].get_window_extent()
    assert box.x0 >= 0 and box.x1 <= figure.bbox.width


def test_the_bridge_stands_on_the_step_before(pair):
    effect = pair[1].isel(option=1, drop=True)
    bridged = appraisal.bridge(
        lambda s: (1e6 * effect * s["take_up"] - 4e5 * (1 + s["optimism_bias"])).assign_attrs(MONEY),
        {"take_up": 0.5, "optimism_bias": 0.41},
    )
    axes = drawn.plot_bridge(bridged).axes[0]
    bars = [(bar.get_y(), bar.get_height()) for bar in axes.patches]
    results = bridged["result"].mean("sample").values
    assert bars[0] == (0.0, pytest.approx(results[0])) and bars[-1] == (0.0, pytest.approx(results[-1]))
    for (bottom, height), before, after in zip(bars[1:-1], results[:-2], results[1:-1], strict=True):
        assert (bottom, bottom + height) == (pytest.approx(before), pytest.approx(after))
    assert [tick.get_text() for tick in axes.get_xticklabels()][1] == "Take up\n0.5"
    assert axes.get_ylabel().startswith("Expected net present value, £")


def test_the_medium_term_view_shows_net_and_running_total():
    net = xr.DataArray([[-60.0, 14, 14]] * 4, dims=("sample", "year"))
    view = xr.concat([net, net.cumsum("year")], pd.Index(["net", "cumulative"], name="line", dtype=object))
    view = view.assign_coords(financial_year=("year", ["2025/26", "2026/27", "2027/28"])).assign_attrs(MONEY)
    axes = drawn.plot_medium_term(view).axes[0]
    assert [bar.get_height() for bar in axes.patches] == [-60, 14, 14]
    assert list(axes.lines[0].get_ydata()) == [-60, -46, -32]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["2025/26", "2026/27", "2027/28"]
