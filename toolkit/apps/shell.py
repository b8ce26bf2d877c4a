"""The site's frame: header, controls, pages, messages; one visitor's session, built for each visitor."""

from html import escape
from typing import Any, Protocol

import panel as pn
import panel_material_ui as pmui
from panel_material_ui.template.base import Page

from toolkit.apps.engine.live import Live, NeedsFit
from toolkit.apps.engine.page_values import read
from toolkit.apps.engine.refit import Refit
from toolkit.apps.engine.refresh import Overtaken, Refresher, incident
from toolkit.apps.engine.scaled_run import LiveRun
from toolkit.apps.explanations.asking import Asking
from toolkit.apps.pages.compare import Compare
from toolkit.apps.pages.costs import Costs
from toolkit.apps.pages.drivers import Drivers
from toolkit.apps.pages.evidence import Evidence
from toolkit.apps.pages.invest import Invest
from toolkit.apps.pages.model_checks import ModelChecks
from toolkit.apps.pages.outlook import Outlook
from toolkit.apps.pages.programmes import Programmes
from toolkit.apps.pages.take_away import TakeAway
from toolkit.apps.parts import look
from toolkit.apps.parts.controls import Panel
from toolkit.apps.parts.fields import button, column
from toolkit.apps.parts.toolbar import Toolbar
from toolkit.apps.session.state import State, own
from toolkit.apps.session.tab import Tab
from toolkit.measures.quantities import Run
from toolkit.schema import InputError


class View(Protocol):
    """What a page offers the frame."""

    def prepare(self, run: Run) -> Any:
        """Reduce a run to what the page shows, away from the page's thread."""

    def show(self, run: Run, prepared: Any) -> None:
        """Put a run on the page."""

    def view(self) -> Any:
        """Return the page."""


PageResult = tuple[str, LiveRun, Any, Exception | None]
ASK = (
    "An underlined number explains itself when pressed, and so does what a chart shows. In a table, the arrow keys go "
    "from one number to the next."
)
PAGES: dict[str, Any] = {
    "Invest to save": Invest,
    "Programmes": Programmes,
    "Budget outlook": Outlook,
    "Cost of poor outcomes": Costs,
    "What drives it": Drivers,
    "Compare": Compare,
    "Evidence": Evidence,
    "Model checks": ModelChecks,
    "Take away": TakeAway,
}


class Site:
    """One visitor's session."""

    def __init__(self, live: Live, *, query: str = "") -> None:
        self.live, self.state = live, State(live)
        self.state.read_address(query, PAGES)
        self.panel = Panel(self.state)
        self.latest: Run | None = None
        self.asking = Asking(lambda: self.refresher.soon())
        self._turn = 0  # counts the changes of what the page shows
        self._result: tuple[int, Any] = (-1, None)
        self._shown: PageResult | None = None
        self.shown: dict[str, bool] = {}
        self.pages: dict[str, View] = {}
        self.holders = {name: column() for name in PAGES}
        self.messages, self.notes, self.stale = (look.html(visible=False) for _ in range(3))
        self.paper = look.html()
        self.busy = look.html('<p role="status"></p>', sizing_mode=None)
        self.halt = button("Stop", lambda: self.refresher.stop(), main=True, visible=False, margin=0)
        self.toolbar = Toolbar(self.state)
        self.tabs = pmui.Tabs(*self.holders.items(), sizing_mode="stretch_width")
        self.refit = Refit(self.state, self.state.notify)
        self.refresher = Refresher(
            self._price, self._show, self._rest, self._show_busy, self._failed, lambda: self.state.address, self._long
        )
        self.tab = Tab(self.state, PAGES)
        self.refresher.receipt.beside = [self.tab.kept, self.tab.back]
        self.state.watch(self._changed)
        self.tabs.active = list(PAGES).index(self.state.page) if self.state.page in PAGES else 0
        self.tabs.param.watch(lambda _: self._open(), "active")
        self._show_messages()
        self.refresher.soon()

    # Work ----------------------------------------------------------------------------------------

    def _price(self) -> tuple[PageResult, str]:
        turn, name = self._turn, self.current
        same_page = self._result[0] == turn and name in self.pages  # only a number was pressed: the page is unchanged
        if not same_page:
            self._result = turn, self._page_result(name)
        _, run, _, problem = result = self._result[1]
        return result, "" if problem else self.asking.prepare(run, self.pages[name])

    def _page_result(self, name: str) -> PageResult:
        run = self.live.run(self.state.scenario, self.state.areas)
        try:
            if name not in self.pages:
                self.pages[name] = PAGES[name](self.state)
            return name, run, self.pages[name].prepare(run), None
        except (InputError, Overtaken):
            raise
        except Exception as problem:
            return name, run, None, problem

    def _long(self) -> bool:
        """Return whether the work may take minutes: many areas, or what a page does only when asked."""
        scenario, areas = self.state.scenario, self.state.areas
        asked = getattr(self.pages.get(self.current), "asked", "")
        return bool(asked) or (len(areas) > 1 and not self.live.ready(scenario, areas))

    def _show(self, priced: tuple[PageResult, str]) -> None:
        """Put a run on the open page, and the explanation of a number."""
        result, explanation = priced
        if result is not self._shown:
            self._shown = result
            self._put(*result)
        self.tab.write()
        self.asking.attach(pn.state.curdoc)
        self.asking.show(explanation)

    def _put(self, name: str, run: LiveRun, prepared: Any, problem: Exception | None) -> None:
        """Put a run on the open page; a page that fails says so and leaves the others alone."""
        self.latest = run
        self._show_messages()
        _say(self.stale, "")
        self.refit.offer(False)
        try:
            if problem is not None:
                raise problem
            self.pages[name].show(run, prepared)
            if not self.shown.get(name):
                self._read(name, run)
                self.holders[name][:] = [self.pages[name].view()]
                self.shown[name] = True
        except Exception as failure:
            self._broken(name, failure)

    def _rest(self) -> None:
        """Write what would delay the charts at every move of a drag: text and tables."""
        if self.latest is None or self._shown is None:
            return
        name, run, *_ = self._shown
        self.paper.object = f'<p class="paper">{escape(f"{self.state.place}. {run.scenario.title}.")}</p>'
        self.panel.plan.rest(run)
        if self.shown.get(name):
            try:
                self._read(name, run)
            except Exception as failure:
                self._broken(name, failure)

    def _read(self, name: str, run: LiveRun) -> None:
        if rest := getattr(self.pages[name], "rest", None):
            rest(run)

    def _broken(self, name: str, failure: Exception) -> None:
        number = incident(failure, name)
        self.pages.pop(name, None)
        self.shown[name] = False
        text = f"This page met a problem and cannot be shown. Give this number when you report it: {number}."
        self.holders[name][:] = [look.html(look.box("Something went wrong", [text], "bad", "alert"))]

    @property
    def current(self) -> str:
        """The name of the open page."""
        return list(PAGES)[self.tabs.active]

    def _open(self) -> None:
        self.state.page = self.current if self.tabs.active else ""
        self._turn += 1
        self.asking.close()
        self.refresher.soon()

    def _changed(self) -> None:
        self._turn += 1
        self._show_messages()
        if self.state.page != (self.current if self.tabs.active else ""):  # as by the browser's Back
            self.tabs.active = list(PAGES).index(self.state.page or next(iter(PAGES)))
        self.refresher.soon()

    def _show_messages(self) -> None:
        state = self.state
        _say(self.messages, look.box("Some of this could not be used", state.messages, "bad", "alert"))
        _say(self.notes, look.box("Evidence of your own is in use", own(self.state.scenario), "warn"))
        self.toolbar.show()

    def _failed(self, problem: Exception) -> None:
        if isinstance(problem, Overtaken):
            box = look.box("Stopped", ["Undo, or change something, to go on."], "warn", "alert")
        elif isinstance(problem, InputError):
            box = look.box("This could not be worked out", str(problem).splitlines(), "bad", "alert")
        else:
            number = incident(problem, "pricing")
            text = f"The numbers could not be worked out. Give this number when you report it: {number}."
            box = look.box("Something went wrong", [text], "bad", "alert")
        self.refit.offer(isinstance(problem, NeedsFit))
        _say(self.messages, box)
        _say(self.notes, look.box("Evidence of your own, not yet in any number here", own(self.state.scenario), "warn"))
        until = "the model is refitted" if isinstance(problem, NeedsFit) else "it can be worked out"
        earlier = f"The numbers below are those of the scenario before this change, until {until}."
        missing = f"There are no numbers for this page until {until}."
        _say(
            self.stale,
            look.box("Not this scenario’s numbers", [earlier if self.shown.get(self.current) else missing], "warn"),
        )

    def _show_busy(self, stage: str | None) -> None:
        text = "" if stage is None else f"Working out the numbers… {stage}"
        self.busy.object = f'<p role="status">{text}</p>'
        self.halt.visible = stage is not None

    def lead(self) -> str:
        """Return the answer as it can be read before the live page is there."""
        scenario, areas = self.state.scenario, self.state.areas
        if self.state.page or not self.live.ready(scenario, areas):
            return look.lead(f"Working out the numbers for {self.state.place}…", [])
        reading = read(self.live.run(scenario, areas))
        return look.lead(reading.sentence, [look.tile(t.name, t.value, str(t.beside), t.sign) for t in reading.tiles])

    # Frame ---------------------------------------------------------------------------------------

    def view(self) -> Any:
        """Return the whole page."""
        return Page(
            title="Cost of outcomes",
            sidebar=[self.panel.view()],
            main=[self.main()],
            sidebar_width=330,
            sidebar_resizable=False,
            theme_toggle=False,
            busy_indicator=None,
            theme_config=look.THEME,
            template=look.PAGE,
            site_url=pn.state.base_url.rstrip("/") + "/",
        )

    def main(self) -> Any:
        """Return the part beside the controls."""
        return column(
            self.paper,
            self.messages,
            self.refit.view,
            self.notes,
            self.toolbar.view(self.halt, self.busy),
            self.stale,
            look.html(f'<p class="hint">{ASK}</p>'),
            self.tabs,
            margin=(0, 16),
        )


def _say(pane: Any, content: str) -> None:
    if pane.object != content:
        pane.param.update(object=content, visible=bool(content))


def site(live: Live) -> Any:
    """Return a visitor's page, or a page with a message if it cannot be made."""
    query = pn.state.location.search if pn.state.location else ""
    try:
        visitor_site = Site(live, query=query or "")
        page = visitor_site.view()
        if pn.state.curdoc:
            # Without an icon of its own a page asks for one where there is none under a prefix.
            pn.state.curdoc.template_variables.update(lead=visitor_site.lead(), app_favicon="data:,")
        return page
    except Exception as problem:
        text = f"The page could not be made. Give this number when you report it: {incident(problem, 'the site')}."
        return look.html(look.box("Something went wrong", [text], "bad", "alert"))
