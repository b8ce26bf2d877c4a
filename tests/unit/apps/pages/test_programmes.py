"""The page *Which programme?*: what it shows of a league and of one programme, by hand."""

import re
from types import SimpleNamespace

import numpy as np
import panel as pn
import pytest
import xarray as xr

from tests.unit.measures.test_programmes import NO_STUDY, SPREAD, programme
from toolkit import evidence
from toolkit.apps.engine.jobs import Job
from toolkit.apps.engine.leagues import League
from toolkit.apps.pages import programmes as page_of
from toolkit.measures.programme_words import panel
from toolkit.measures.programmes import league_table, ranks
from toolkit.models.effects.programme_steps import STEPS, sizes
from toolkit.models.effects.programme_studies import programme_studies
from toolkit.schema import ACCOUNTS, EFFECT_OUTCOMES, SAMPLE_DIMS, InputError

PARTS = {
    "supporting_families": programme(SPREAD, 1000.0),
    "family_group_conference": programme(SPREAD, 100.0),
    "safecare": programme(SPREAD, np.nan),
    "mockingbird": programme({}, 1000.0, not_counted=NO_STUDY),
}
SHAPE = (2, 500)


class State:
    """What a visitor has chosen, without a site."""

    def __init__(self, register: evidence.Register) -> None:
        self.live = SimpleNamespace(register=register, resolved=lambda scenario: SimpleNamespace(register=register))
        self.views = {"account": "social"}
        self.place, self.areas, self.changes = "Leeds", ("E08000035",), 0
        self.scenario = self.base = object()

    def look(self, **chosen: str) -> None:
        self.views |= chosen
        self.notify()

    def notify(self) -> None:
        self.changes += 1


class Answers:
    """Leagues that are there already."""

    def __init__(self, league: League, panels: dict[str, object]) -> None:
        self.league, self.panels, self.job = league, panels, None

    def wanted(self, scenario: object, areas: object, name: str) -> object:
        return self.job or (self.league, self.panels[name or self.league.table.index[0]])

    def key(self, *_: object) -> str:
        return "key"

    def known(self, key: str) -> bool:
        return True


@pytest.fixture(scope="module")
def register() -> evidence.Register:
    return evidence.load_register()


@pytest.fixture(scope="module")
def answers(register: evidence.Register) -> Answers:
    compared = xr.concat(list(PARTS.values()), xr.Variable("programme", list(PARTS)), join="exact")
    effect = xr.DataArray(
        np.linspace(-0.3, 0.1, 1000).reshape(SHAPE)[..., None, None] * np.ones((len(PARTS), len(EFFECT_OUTCOMES))),
        {"programme": list(PARTS), "outcome": list(EFFECT_OUTCOMES)},
        (*SAMPLE_DIMS, "programme", "outcome"),
    )
    compared = compared.assign(effect=effect)
    tables = register.tables
    table = league_table(compared, tables["programmes"])
    for account in ACCOUNTS:
        table = table.join(ranks(compared, account).add_suffix(f"_{account}"))
    from toolkit import appraisal

    worth = xr.concat(
        [appraisal.account_total(compared["avoided"], account).reset_coords(drop=True) for account in ACCOUNTS],
        xr.Variable("account", list(ACCOUNTS)),
    )
    league = League(table, worth, compared.drop_vars("avoided"))
    names = list(tables["programmes"]["programme"])
    shrunk = effect.isel(programme=[0] * len(names)).assign_coords(programme=names)
    panels = {
        name: panel(
            table,
            league.compared,
            examined(worth.sel(programme=name), compared["cost"].sel(programme=name), counted=name != "mockingbird"),
            name,
            studies=programme_studies(tables),
            tables=tables,
            shrunk=shrunk,
        )
        for name in PARTS
    }
    return Answers(league, panels)


def examined(worth: xr.DataArray, cost: xr.DataArray, *, counted: bool) -> xr.Dataset:
    """Twice as much as published, in equal steps down to what is used; 4,000 pounds a unit of log hazard."""
    result = xr.Dataset({"cost": cost})
    if not counted:
        return result
    shares = xr.DataArray(np.linspace(2, 1, len(STEPS)), {"step": list(STEPS)})
    unit = xr.DataArray([-4000.0 * size for size in sizes("care")], {"size": list(sizes("care"))})
    return result.assign(steps=shares * worth, response=unit + 0 * worth, main="care", with_others=False)


@pytest.fixture
def page(register: evidence.Register, answers: Answers, monkeypatch: pytest.MonkeyPatch) -> page_of.Programmes:
    monkeypatch.setattr(page_of, "leagues_of", lambda live: answers)
    made = page_of.Programmes(State(register))
    made.show("run", made.prepare("run"))
    return made


def drawn(page: page_of.Programmes) -> list[str]:
    return list(page.card.chart.sources["pressed"].data["programme"])


def keys(html: str) -> list[str]:
    return re.findall(r'data-key="([^"]+)"', html)


def test_the_chart_draws_what_has_a_price_and_an_effect_best_at_the_top(page) -> None:
    assert drawn(page) == ["supporting_families", "family_group_conference"]  # from the foot up
    data = page.card.chart.sources["rows"].data
    # 14 pounds and 1.4 pounds for each pound; the scale is that of arcsinh.
    np.testing.assert_allclose(np.sinh(data["mean"]) / 2, [1.4, 14.0], rtol=1e-6)
    assert page.card.chart.figure.html_attributes["aria-label"].startswith("For each pound, society. Family group")


def test_what_is_not_drawn_is_listed_with_the_reason_once(page) -> None:
    text = page.others.object
    assert "SafeCare" in text and "no price is known" in text and "Mockingbird" in text
    assert "no study (repeat referrals, youth justice, GCSEs and care)" in text


def test_filters_leave_out_rows_and_say_if_nothing_is_left(page) -> None:
    page.helped.value = "in_need"
    assert drawn(page) == ["supporting_families"]
    page.security.value = 4
    assert drawn(page) == [] and page.none.visible
    page.helped.value = page_of.EVERYONE
    assert drawn(page) == ["family_group_conference"] and not page.none.visible


def test_another_payer_is_asked_for_and_shown(page) -> None:
    page.account.value = "fiscal"
    assert page.state.views["account"] == "fiscal" and page.state.changes == 1
    page.show("run", page.prepare("run"))
    np.testing.assert_allclose(np.sinh(page.card.chart.sources["rows"].data["mean"]) / 2, [0.7, 7.0], rtol=1e-6)


def test_a_pressed_row_and_the_list_open_a_programme(page) -> None:
    assert page.chosen == "family_group_conference"
    page.card.chart.sources["pressed"].selected.indices = [0]
    assert page.chosen == "supporting_families" and page.state.changes == 1
    page.show("run", page.prepare("run"))
    assert page.one.value == "supporting_families" and "Troubled Families" in page.panel.head.object
    page.one.value = "safecare"
    assert page.chosen == "safecare" and page.state.changes == 2


def test_the_panel_shows_steps_that_lead_to_what_is_used(page) -> None:
    data = page.panel.steps.chart.sources["steps"].data
    assert data["name"][0] == "Used here" and len(data["name"]) == len(STEPS) + 1
    assert data["end"][0] == pytest.approx(14.0) and data["end"][-1] == pytest.approx(28.0)
    assert data["start"][:-1][1:] == pytest.approx(data["end"][2:])  # each starts where the one above it ends


def test_a_programme_of_which_nothing_is_known_says_so_and_shows_no_empty_charts(page) -> None:
    page.one.value = "mockingbird"
    page.show("run", page.prepare("run"))
    assert not page.panel._views["steps"].visible and not page.panel._views[True].visible
    assert "no outcome of it can be counted" in page.panel.believed.object
    assert "No study of it" in page.panel.sources.object


def test_every_number_of_the_page_explains_itself(page) -> None:
    page.card.as_table.value = page.panel.steps.as_table.value = page.panel.forests[True].as_table.value = True
    shown = [page.card.table, page.panel.facts, page.panel.steps.table, page.panel.forests[True].table]
    found = {key for pane in shown for key in keys(pane.object)}
    charts = [page.panel.steps.chart, page.panel.forests[True].chart]
    found |= {str(key) for chart in charts for one in chart.sources.values() for key in one.data.get("key", [])}
    assert len(found) > 25
    for key in sorted(found):
        text = page.explain(key)
        assert '<h2 id="explained-title">' in text and "Now: " in text, key
        assert "nan" not in text.replace("finance", ""), key
    assert "£1,400 avoided ÷ £100 a child = £14.00" in page.explain("league|family_group_conference|avoided_social")


def test_keys_of_other_pages_are_left_to_them_and_unknown_ones_are_refused(page) -> None:
    assert page.explain("worth|social") == ""
    for key in ("league|nobody|avoided_social", "league|safecare|label", "steps|safecare|social|timed", "study|a"):
        with pytest.raises(InputError):
            page.explain(key)


def test_while_it_is_worked_out_the_page_says_how_far_it_is(page, answers: Answers, monkeypatch) -> None:
    polls: list[object] = []

    class Poll:
        def __init__(self, look: object) -> None:
            self.look, self.stopped = look, False
            polls.append(self)

        def stop(self) -> None:
            self.stopped = True

    monkeypatch.setattr(pn.state, "add_periodic_callback", lambda look, every: Poll(look), raising=False)
    job = Job.__new__(Job)
    job.stage, job._future = "price programmes, 40%", SimpleNamespace(done=lambda: False)
    monkeypatch.setattr(answers, "job", job)
    page.show("run", page.prepare("run"))
    assert (
        "price programmes, 40%" in page.waiting.status.object
        and page.waiting.status.visible
        and not page._panel.visible
    )
    job.stage = "price programmes, 80%"
    polls[-1].look()
    assert "80%" in page.waiting.status.object and page.state.changes == 0
    monkeypatch.setattr(answers, "job", None)
    job._future = SimpleNamespace(done=lambda: True)
    polls[-1].look()
    assert polls[-1].stopped and page.state.changes == 1
    page.show("run", page.prepare("run"))
    assert page._panel.visible and not page.waiting.status.visible
