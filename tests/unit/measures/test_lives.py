import numpy as np
import pytest

from toolkit import report
from toolkit.measures import lives
from toolkit.measures import quantities as q

SAMPLES = ("chain", "draw")


def test_states_share_out_every_child_at_every_age(run):
    np.testing.assert_allclose(lives.occupancy(run).sum("state"), 1.0)
    table = lives.occupancy_table(run).frame
    assert table.xs("expected", axis=1, level=1).sum(axis=1).values == pytest.approx(1.0)


def test_the_waterfall_adds_up_exactly_from_gross_to_excess(run):
    found = lives.waterfall(run)
    first, *steps, last = found["contribution"].transpose("step", ...).values
    np.testing.assert_allclose(first + sum(steps), last, rtol=1e-12)
    whole = q.lifetime(run).sum("component")
    np.testing.assert_allclose(first, whole.sel(reading="gross"), rtol=1e-12)
    np.testing.assert_allclose(last, whole.sel(reading="excess"), rtol=1e-12)
    np.testing.assert_allclose(found["result"].isel(step=-2), found["result"].isel(step=-1), rtol=1e-12)
    bars = report.plot_waterfall(run).axes[0].patches
    heights = [bar.get_height() for bar in bars]
    assert sum(heights[:-1]) == pytest.approx(heights[-1], rel=1e-12)
    tops = [bar.get_y() + bar.get_height() for bar in bars]
    assert tops == pytest.approx(found["result"].mean(SAMPLES).values.tolist(), rel=1e-12)


def test_histories_average_to_every_child(run):
    cost, children = lives.cost_by_history(run), lives.life_course(run)["children"]
    within = (cost.sel(history=children["history"]) * children).sum("history") / children.sum("history")
    np.testing.assert_allclose(within, cost.sel(history="all"))


def test_payers_stack_to_the_whole_cost_of_each_age(run):
    table = lives.cost_by_age_table(run).frame
    payers = [name for name in table if name[0].startswith("Gross") and name[1] == "expected"]
    np.testing.assert_allclose(table[payers[:-1]].sum(axis=1), table[payers[-1]])
    axes = report.plot_cost_by_age(run).axes[0]
    top = max(axis.get_datalim(axes.transData).y1 for axis in axes.collections[:-1])
    gross = lives.cost_by_age(run).sel(reading="gross").mean(SAMPLES).clip(0).sum("payer")
    assert top >= float(gross.max()) * 0.99


def test_the_neighbours_stand_below_the_area_in_every_reading(run):
    table = lives.neighbours_table(run)
    assert table.frame.index[0] == "Leeds"
    assert len({heading for heading, _ in table.columns}) == 12
    beside = run.tree["neighbours"].to_dataset().isel(area=1)
    each = (beside["cost"] / beside["children"]).sel(period="annual", reading="gross").mean()
    assert table.frame["Year, gross, each child of 0 to 17", "expected"].iloc[1] == pytest.approx(float(each))


def test_a_run_of_several_areas_has_no_neighbours(make_run):
    run = make_run()
    del run.tree["neighbours"]
    assert lives.beside(run) is None
    assert "neighbours" not in lives.lives_tables(run)
    assert "neighbours" not in report.lives_figures.pictures(run)


def test_each_payers_part_of_the_curve_has_its_interval(run):
    panels = [axes for axes in report.plot_curve_by_payer(run).axes if axes.get_visible()]
    part = q.curve(run)["payer_part"]
    assert len(panels) == part.sizes["payer"]
    for axes, payer in zip(panels, part["payer"].values, strict=True):
        np.testing.assert_allclose(axes.lines[0].get_ydata(), part.sel(payer=payer).mean(SAMPLES))
