import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from toolkit import report
from toolkit.measures import quantities as q
from toolkit.report import figures
from toolkit.report.drawing import svg

COMMITTED = ("plot_cost_steps",)  # drawn from a committed table, not from a run
PLOTS = [getattr(report, name) for name in report.__all__ if name.startswith("plot_") and name not in COMMITTED]


@pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: plot.__name__)
def test_every_axis_with_numbers_says_its_unit(run, plot):
    figure = plot(run)
    words = " ".join(text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")))
    assert re.search(r"£|%|standard deviations|Years|Chance", words)
    if plot not in (report.plot_payback, report.plot_break_even):  # chances and expected values have no interval
        assert "90% interval" in words
    assert all(text.get_fontsize() >= 9 for text in figure.findobj(lambda artist: hasattr(artist, "get_fontsize")))


@pytest.mark.parametrize("walk", ["before_0_3", "to_alma"])
def test_steps_of_a_childs_cost_say_their_unit_and_are_the_same_bytes(walk):
    figure = report.plot_cost_steps(walk)
    words = " ".join(text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")))
    assert "£" in words and "the table has the 90% intervals" in words
    assert svg(report.plot_cost_steps(walk)) == svg(figure)


@pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: plot.__name__)
def test_a_figure_is_the_same_bytes_each_time_and_shows_in_a_notebook(run, plot):
    assert svg(plot(run)) == plot(run)._repr_svg_()


def test_no_figure_opens_a_window(run):
    report.plot_payback(run)
    assert plt.get_fignums() == []


def luminance(colour):
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


@pytest.mark.parametrize("colour", [*figures.PALETTE.values(), figures.DARK])
def test_colours_stand_out_from_white(colour):
    """WCAG 2.2, success criterion 1.4.3: at least 4.5 to 1."""
    assert 1.05 / (luminance(colour) + 0.05) >= 4.5


def test_lines_are_told_apart_without_colour():
    assert len({str(figures.DASHES[name]) for name in figures.PALETTE}) == len(figures.PALETTE)


def test_bars_are_the_expected_values(run):
    axes = report.plot_who_pays(run).axes[0]
    widths = sorted(bar.get_width() for bar in axes.patches)
    assert widths == pytest.approx(sorted(q.position(run)["net"].mean(("chain", "draw")).values.tolist()))


def test_payback_lines_are_the_chances(run):
    axes = report.plot_payback(run).axes[0]
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), q.paid_back(run).sel(account="fiscal"))


def test_the_curve_is_dotted_outside_what_areas_have_seen(run):
    axes = report.plot_spend_cost_curve(run).axes[0]
    solid, *dotted = axes.lines
    assert (min(solid.get_xdata()), max(solid.get_xdata())) == (0.7, 1.4)
    assert [(min(line.get_xdata()), max(line.get_xdata())) for line in dotted] == [(0.5, 0.7), (1.4, 2.0)]


def test_names_of_lines_do_not_run_into_each_other_or_out_of_the_figure(make_run):
    axes = report.plot_payback(make_run(cut=True)).axes[0]
    heights = sorted(text.xy[1] for text in axes.texts)
    assert heights[-1] <= 1.0
    assert min(np.diff(heights)) >= 0.06


def test_lines_to_break_even_go_from_no_effect_to_the_effects_used(run):
    axes = report.plot_break_even(run).axes[0]
    values = q.switching(run)
    for line, account in zip(axes.lines, values.index, strict=False):
        assert list(line.get_xdata()) == [0.0, 0.5, 0.75, 1.0]
        np.testing.assert_allclose(line.get_ydata(), values.loc[account, [0.0, 0.5, 0.75, 1.0]].astype(float))


def test_effects_are_drawn_only_where_they_count(run):
    panels = {axes.get_title(loc="left").partition(":")[0]: axes for axes in report.plot_effects(run).axes}
    assert list(panels) == ["Youth justice", "GCSE attainment", "Care"]
    names = [text.get_text() for text in panels["Care"].get_yticklabels()]
    assert names == ["Family group conference", "Supporting Families"]
    expected = q.effects(run)["effect"].sel(outcome="care").mean(("chain", "draw")).values[::-1]
    np.testing.assert_allclose(panels["Care"].lines[0].get_xdata(), expected)
