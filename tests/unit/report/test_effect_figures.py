"""Figures of the evidence: what they show is what the tables hold."""

import numpy as np
import pytest

from toolkit import evidence, models
from toolkit.models.unit_costs.pooled import pooled, pooled_summary, rival_estimates
from toolkit.report import effect_figures
from toolkit.report.drawing import svg


@pytest.fixture(scope="module")
def register():
    return evidence.load_register()


@pytest.fixture(scope="module")
def pool(register):
    studies = models.study_table(register.tables)
    return studies, models.quadrature(studies, priors=register.tables["priors"])


@pytest.mark.parametrize("outcome", ["repeat_referrals", "youth_justice", "gcse_attainment", "care"])
def test_a_forest_names_every_study_and_marks_its_estimate(pool, outcome):
    studies, grid = pool
    figure = effect_figures.plot_forest(studies, grid, outcome)
    rows = studies[studies["outcome"] == outcome]
    names = " ".join(text.get_text() for text in figure.axes[0].get_yticklabels())
    assert all(study in names for study in rows["study"])
    assert names.count("MST)") == (2 if outcome == "youth_justice" else 0)  # two trials of one programme, named so
    marks = [line.get_xdata()[0] for line in figure.axes[0].lines if line.get_marker() == "s"]
    assert sorted(marks) == pytest.approx(sorted(rows["effect"].dropna()))
    diamonds = [line.get_xdata()[0] for line in figure.axes[0].lines if line.get_marker() == "D"]
    assert diamonds == pytest.approx([float(grid["mean_effect_mean"].sel(outcome=outcome))] * 2)
    assert "<svg" in svg(figure)


def test_a_funnel_holds_every_study_with_the_sure_ones_on_top(pool):
    studies, grid = pool
    axes = effect_figures.plot_funnel(studies, grid, "youth_justice").axes[0]
    assert axes.get_ylim()[0] > axes.get_ylim()[1] == 0
    points = sum(len(line.get_xdata()) for line in axes.lines if line.get_marker() in ("o", "s"))
    ticks = sum(len(line.get_xdata()) for line in axes.lines if line.get_marker() == "_")
    known = studies.query("outcome == 'youth_justice'")["effect"].notna()
    assert (points, ticks) == (known.sum(), (~known).sum())


def test_a_pool_shows_its_estimates_about_its_median(register):
    rivals = rival_estimates(register)
    summary = pooled_summary(pooled(rivals, priors=register.tables["priors"]))
    axes = effect_figures.plot_pool(rivals, summary, ["foster_agency_week"]).axes[0]
    marks = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "s"]
    held = rivals[rivals["pool"] == "foster_agency_week"]["estimate"]
    assert sorted(marks) == pytest.approx(sorted(np.exp(held - summary.loc["foster_agency_week", "median"])))


def test_the_price_figure_shows_prices_of_each_year():
    axes = effect_figures.plot_placement_price(evidence.placement_prices(), "residential").axes[0]
    ends = [line.get_ydata()[-1] for line in axes.lines[-2:]]
    assert ends == pytest.approx([7700, 7385], rel=0.005)  # MODEL: mean over authorities, and by care days
