"""The page *Budget outlook*: fans, the plan on top, words and tables, by hand on a small outlook."""

import re
from types import SimpleNamespace

import numpy as np
import pytest

from tests.outlooks import small_outlook
from tests.unit.report.conftest import make_run as make_run
from toolkit.apps.engine import outlooks
from toolkit.apps.engine.jobs import Job
from toolkit.apps.pages import outlook as page_of
from toolkit.measures import outlook_plan as o
from toolkit.measures.outlook import outlook_table
from toolkit.schema import SAMPLE_DIMS, InputError

AREAS = ("E08000035",)


class State:
    """What a visitor has chosen, without a site."""

    def __init__(self, live: object) -> None:
        self.live, self.areas, self.place, self.changes = live, AREAS, "Leeds", 0

    def notify(self) -> None:
        self.changes += 1


@pytest.fixture
def live(register, tmp_path):
    class Live(SimpleNamespace):
        __hash__ = object.__hash__

    return Live(register=register, cache=tmp_path)


@pytest.fixture(scope="module")
def run(make_run):
    return make_run()


@pytest.fixture
def page(live, asked, run) -> page_of.Outlook:
    made = page_of.Outlook(State(live))
    made.show(run, made.prepare(run))
    return made


def test_an_outlook_is_made_once_for_a_place_and_a_baseline_without_areas_that_have_too_few_children(live, asked):
    ours = outlooks.outlooks_of(live)
    assert ours is outlooks.outlooks_of(live)
    first = ours.wanted((*AREAS, "E09000001"), "model")
    assert ours.wanted((*AREAS, "E09000001"), "model") is first and first.areas == AREAS
    assert "Isles of Scilly have too few children" in first.note
    assert ours.wanted(AREAS, "model").note == ""
    ours.wanted(AREAS, "flat")
    assert asked == [(AREAS, "model"), (AREAS, "model"), (AREAS, "flat")]


def test_a_merged_area_stands_for_its_part_and_the_plan_is_priced_for_it(live, asked, run):
    ours, priced = outlooks.outlooks_of(live), []
    live.run = lambda scenario, areas: priced.append(areas) or run
    ahead = ours.wanted(("E06000059",), "model")
    assert asked == [(ahead.areas, "model")] and ahead.areas == ("stable:BCP+Dorset",)
    assert "too few years are known of each" in ahead.note
    ours.on_top(ahead, run, ("E06000059",))
    assert priced == [ahead.areas]


def test_too_many_areas_are_refused(live):
    with pytest.raises(InputError, match="choose a region"):
        outlooks.outlooks_of(live).wanted(tuple(map(str, range(41))), "model")


def test_fans_are_the_outlook_table_in_cash_by_the_year_that_starts(page):
    table = outlook_table(small_outlook(AREAS)).query("placement == 'all'").set_index(["quantity", "year"])
    for name, quantity in {"children": "children", "spend": "spend_cash"}.items():
        ends = page._fans[name][0]
        assert ends.index.tolist() == list(range(2024, 2035))
        np.testing.assert_allclose(
            ends[["median", "lower", "upper"]], table.loc[quantity, ["median", "lower", "upper"]]
        )
        data = page.cards[name].chart.sources["ends"].data
        np.testing.assert_allclose(data["upper"], ends["upper"], rtol=1e-6)
    # 7,500 pounds in 2025/26 prices at the start, 3% real and 2% of inflation a year: no draw differs.
    np.testing.assert_allclose(
        page._fans["residential"][0]["median"], 7500 * 1.03 ** np.arange(11) * 1.02 ** np.arange(-1, 10.0)
    )


def test_the_plan_takes_its_children_and_pounds_off_each_draw(page, run):
    ahead, paper = page.prepare(run)
    planned = o.with_plan(ahead.draws, paper)
    for name, less in {
        "children": paper["fewer"].sum(["line", "placement"]),
        "spend": paper["avoided"].sum("line"),
    }.items():
        taken = (ahead.draws[name] - planned[name]).transpose("year", *SAMPLE_DIMS)
        assert float(abs(taken.sel(year=[2024, 2025])).max()) == 0.0 and bool((less != 0).any())
        np.testing.assert_allclose(taken.sel(year=less["year"]), less.transpose("year", *SAMPLE_DIMS), atol=1e-6)
    assert planned["residential"].equals(ahead.draws["residential"])


def test_the_past_is_what_was_counted_in_the_cash_of_its_year():
    counted = outlooks.counted(AREAS)
    assert counted.loc[2024, "children"] == 1498 and counted.loc[2024, "spend"] == 148_829_653


def test_the_opening_gives_the_numbers_of_the_tables(page, run):
    ahead, paper = page.prepare(run)
    words = o.opening(ahead.draws, paper, "model")
    heading = o.fan(ahead.draws["children"]).loc[2030]
    assert words.startswith(
        f"In 2030/31 we expect about {heading['median']:,.0f} children looked after (90% interval: "
    )
    assert "growth avoided, not money in hand" in words and "from 2026/27 to 2030/31" in words
    for baseline in page_of.BASELINES.values():
        assert "2030/31" in o.opening(ahead.draws, paper, baseline)
    assert "we expect" not in o.opening(ahead.draws, paper, "flat")
    same = ahead.draws.assign(children=0 * ahead.draws["children"] + 1000)
    assert "in 2030/31 1,000 children looked after, at" in o.opening(same, paper, "flat")
    worse = paper.assign(avoided=-paper["avoided"])
    assert "The plan adds about £" in o.opening(ahead.draws, worse, "model")


def test_each_chart_has_a_table_with_its_numbers_and_prices_can_be_chosen(page):
    page.cards["price"].as_table.value = True
    assert "£7,500" not in page.cards["price"].table.object and "£7,350" in page.cards["price"].table.object
    page.priced.value = "fostering"
    assert "£784" in page.cards["price"].table.object  # 800 pounds, less a year's inflation of 2%
    page.cards["avoided"].as_table.value = True
    heads = re.findall(r'<th scope="col"[^>]*>([^<]+)', page.cards["avoided"].table.object)
    assert heads == ["Year", "Median", "50% interval", "90% interval", "Spent on the plan"]


def test_another_baseline_is_asked_for(page, run, asked):
    page.baseline.value = "counties"
    assert page.state.changes == 1
    page.show(run, page.prepare(run))
    assert asked[-1] == (AREAS, "counties") and "county councils foresaw" in page.sentence.object


def test_what_is_not_counted_and_how_such_forecasts_did_stand_below(page):
    text = page.judged.object
    assert "What is not counted" in text and "places that a plan frees" in text
    assert "A rule that needs no model did better for" in text


def test_while_it_is_worked_out_the_page_says_so(page, run, monkeypatch):
    stopped = []
    poll = SimpleNamespace(stop=lambda: stopped.append(True))
    monkeypatch.setattr("panel.state.add_periodic_callback", lambda look, every: poll, raising=False)
    job = Job.__new__(Job)
    job.stage, job._future = "sample outlook model, 40%", SimpleNamespace(done=lambda: False)
    page.show(run, job)
    assert "Forecasting for Leeds: sample outlook model, 40%" in page.waiting.status.object and not page._body.visible
    page.show(run, page.prepare(run))
    assert stopped and page._body.visible and not page.waiting.status.visible
