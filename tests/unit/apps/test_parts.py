"""Parts of pages: the bridge of adjustments, the council's medium-term view, the committed checks."""

import html

import numpy as np
import pytest

from tests.conftest import LEEDS
from toolkit import scenarios, workflow
from toolkit.apps.shell import Site
from toolkit.measures import budget, reliability
from toolkit.measures import quantities as q

pytestmark = pytest.mark.fit
CHANGES = {
    "effect": {"take_up": 0.8},
    "adjustments": {"optimism_bias": 0.3, "deadweight": 0.2, "attribution": 0.9, "drop_off": 0.1},
    "plan": [{"programme": "supporting_families", "pounds_per_child": [31.0] * 3, "funder": "local_authority"}],
}


@pytest.fixture(scope="module")
def both(live, small_scenario, fit_cache, dozen):
    scenario = scenarios.change(small_scenario, **CHANGES)
    return live.run(scenario, (LEEDS,)), workflow.run(scenario, areas=[LEEDS], cache=fit_cache, statistics=dozen)


def test_the_live_bridge_is_the_commands(both):
    ours, theirs = (q.bridge(run)["contribution"].transpose("step", "account", "chain", "draw") for run in both)
    assert ours["step"].values.tolist() == theirs["step"].values.tolist()
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5 * float(abs(theirs).max()))


def test_the_live_medium_term_view_is_the_commands(both):
    ours, theirs = budget.medium_term(both[0]), budget.medium_term_by_component(both[1])
    assert ours["financial_year"].values.tolist() == theirs["financial_year"].values.tolist()
    for line in ("net", "cumulative", "programme"):
        a, b = ours.sel(line=line).values, theirs.sel(line=line).transpose("year", "chain", "draw").values
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5 * np.abs(b).max())


def test_they_are_drawn_with_tables_behind_them(live):
    site = Site(live, query="?page=What drives it&adjustments.deadweight=0.2")
    page = site.pages["What drives it"]
    steps = page.bridge.chart.sources["steps"].data
    assert steps["name"][-1] == "Unadjusted" and "Deadweight" in steps["name"] and "Take up" not in steps["name"]
    starts, ends = steps["start"][::-1], steps["end"][::-1]
    assert starts[1:-1] == pytest.approx(ends[:-2]) and ends[-1] == pytest.approx(ends[-2])
    page.bridge.as_table.value = True
    assert "Deadweight" in page.bridge.table.object
    files = Site(live, query="?page=Take away").pages["Take away"]
    assert files.cash.chart.sources["bars"].data["name"][-1] == "2026/27"
    files.cash.as_table.value = True
    assert "Cash released" in files.cash.table.object


def test_a_bridge_over_nothing_is_left_out(live):
    site = Site(live, query="?page=What drives it&adjustments.attribution=0")
    assert "went wrong" not in str(site.holders["What drives it"][0])
    assert site.pages["What drives it"].bridge.chart.sources["steps"].data["name"] == []


def test_model_health_shows_the_committed_checks_of_the_report(live):
    held = html.unescape(Site(live, query="?page=Model checks").pages["Model checks"].reference.object)
    assert all(said in held for said in [*reliability.sentences(), reliability.spending_words()])
    for table in reliability.reliability().values():
        assert table.title in held
        assert all(str(row) in held for row in table.frame.index)
