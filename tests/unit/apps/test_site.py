"""The site without a browser: a control moves the numbers on the page, and a page that fails fails alone."""

import asyncio
import inspect
import threading
import time
from contextlib import nullcontext, suppress
from html import escape
from types import SimpleNamespace

import numpy as np
import panel as pn
import pytest
from bokeh.document import Document
from bokeh.document.events import ModelChangedEvent
from bokeh.models import ColumnDataSource
from bokeh.protocol import Protocol
from bokeh.protocol.messages.patch_doc import patch_doc
from bokeh.server import session
from panel.io.state import set_curdoc

from tests.conftest import LEEDS
from toolkit import scenarios
from toolkit.apps import guard, server, shell
from toolkit.apps.engine import live as live_module
from toolkit.apps.engine import refit, refresh
from toolkit.apps.engine.live import PROGRESS, Memory
from toolkit.apps.engine.refit import Refit
from toolkit.apps.engine.refresh import UNSEEN_AFTER, Receipt
from toolkit.apps.parts import look
from toolkit.apps.session.starts import presets
from toolkit.apps.shell import Site
from toolkit.schema import InputError

pytestmark = pytest.mark.fit


def tiles(site):
    return [pane.object for pane in site.pages["Invest to save"].tiles]


def test_a_control_moves_the_numbers_and_the_charts(site):
    before, page = tiles(site), site.pages["Invest to save"]
    spent = list(page.cards["by_year"].chart.sources["spent"].data["spend"])
    site.panel.named("Sum: times the plan").value = 2.0
    assert tiles(site) != before
    assert page.cards["by_year"].chart.sources["spent"].data["spend"] == pytest.approx([2 * x for x in spent])
    assert "£" in page.sentence.object
    site.state.undo()
    assert tiles(site) == before
    assert site.panel.named("Sum: times the plan").value == 1.0


@pytest.mark.parametrize("name", ["family_help_2025", "multisystemic_therapy", "sure_start"])
def test_every_preset_can_be_shown(site, name):
    site.panel.named("Start from").value = name
    assert site.state.preset == name
    assert "went wrong" not in site.messages.object


def test_every_choice_to_start_from_is_a_scenario_and_each_is_offered_once(live):
    groups = presets(live)
    names = [name for group in groups.values() for name in group.values()]
    assert sorted(names) == sorted(scenarios.available()) and next(iter(groups["Plans"].values())) == "families_first"


def test_sliders_do_not_wait(site):
    slider = site.panel.named("Take-up of the offer")
    assert slider._debounce == 5, "Panel renamed the wait between a move and its event"


def test_the_table_behind_a_chart_holds_its_numbers(site):
    card = site.pages["Invest to save"].cards["payers"]
    assert not card.table.visible
    card.as_table.value = True
    assert "Local authority" in card.table.object and "<table" in card.table.object


def test_markup_from_outside_is_text(live):
    site = Site(live, query="?start=<script>alert(1)</script>&<img src=x onerror=1>=2")
    assert "<script" not in site.messages.object and "<img" not in site.messages.object
    assert "&lt;script" in site.messages.object


def test_a_page_that_fails_leaves_the_rest_alive(live, monkeypatch, caplog):
    class Broken:
        def __init__(self, state):
            raise RuntimeError("a private path")

    monkeypatch.setitem(shell.PAGES, "Broken", Broken)
    site = Site(live)
    site.tabs.active = list(shell.PAGES).index("Broken")
    said = site.holders["Broken"][0].object
    number = caplog.records[0].args[0]
    assert number in said and "private" not in said
    site.tabs.active = 0
    site.panel.named("Sum: times the plan").value = 1.4
    assert "went wrong" not in site.messages.object


def test_two_visitors_stay_apart(live):
    one, two = Site(live), Site(live)
    one.panel.named("Sum: times the plan").value = 0.5
    assert two.state.scenario.plan == live.base.plan
    assert tiles(one) != tiles(two)


def test_what_is_replaced_in_panel_and_bokeh_is_there_to_be_replaced():
    """Their own names and what they are given, without which a move would cost more and no test would tell."""
    assert list(inspect.signature(session._serialize_patches).parameters) == ["pending"]
    assert list(inspect.signature(session._PendingPatch).parameters) == ["event", "protocol", "connections"]
    for name in ("_add_busy_event", "_remove_busy_event"):
        assert callable(getattr(pn.state, name))
    assert list(inspect.signature(pn.pane.HTML._update).parameters) == ["self", "ref", "model"]
    assert list(inspect.signature(session._run_in_executor).parameters)[:2] == ["func", "args"]
    assert list(inspect.signature(session.ServerSession._run_in_executor).parameters) == ["self", "func", "args"]
    assert callable(session.ServerSession.with_document_locked) and patch_doc.create.__globals__["Serializer"]


def test_words_that_change_are_sent_as_text(site):
    pane = look.html("<p>before</p>")
    model = pane.get_root()
    pane.object = "<p>after & more</p>"
    assert model.text == escape("<p>after & more</p>")


def test_one_callback_is_one_message():
    doc, one = Document(), ColumnDataSource()
    doc.add_root(one)
    changes = [
        SimpleNamespace(event=ModelChangedEvent(doc, one, "name", new), protocol=Protocol(), connections=(1,))
        for new in "ab"
    ]
    (message, connections), *rest = server.one_message(changes)
    assert [event["new"] for event in message.content["events"]] == ["a", "b"]
    assert connections == (1,) and not rest


def test_what_a_visitor_asks_is_taken_at_once_and_all_else_in_a_thread():
    def apply_to_document():
        return threading.current_thread()

    def show():
        return threading.current_thread()

    async def both():
        return [await server.run(called) for called in (apply_to_document, show)]

    here, there = asyncio.run(both())
    assert here is threading.current_thread() is not there


def test_the_answer_is_in_the_first_page(site, monkeypatch):
    assert "is expected to" in site.lead() and "Net present social value" in site.lead()
    site.state.go_to("Kent")
    monkeypatch.setattr(site.live, "ready", lambda scenario, areas: False)
    assert "Working out the numbers for Kent" in site.lead() and 'data-until="input' in site.lead()


def test_a_receipt_that_comes_in_on_another_thread_ends_the_wait():
    async def seen():
        receipt = Receipt()
        receipt.expect()
        threading.Timer(0.02, receipt._came, ("data", None, None)).start()
        await asyncio.wait_for(receipt.wait(), 0.9 * UNSEEN_AFTER)

    asyncio.run(seen())


def test_moves_that_come_faster_than_answers_give_the_last_one_only(monkeypatch):
    """Fifty moves while one answer is worked out: few are worked out, never two at once, and the last is shown."""
    monkeypatch.setattr(refresh, "UNSEEN_AFTER", 0.01)
    moved, shown, at_once = [], [], []

    def work():
        value = moved[-1]
        at_once.append(value)
        for share in range(10):
            time.sleep(0.01)
            try:
                refresher.progress("pricing", share / 10)
            except refresh.Overtaken:
                at_once.remove(value)
                raise
            assert at_once == [value]
        at_once.remove(value)
        return value

    async def visit():
        _, pending = here(monkeypatch)
        for move in range(50):
            moved.append(move)
            refresher.soon()
            await asyncio.sleep(0.002)
        while refresher._running or len(shown) < 1:
            await asyncio.sleep(0.01)
        await asyncio.gather(*pending)

    refresher = refresher_of(work, shown.append)
    asyncio.run(visit())
    assert shown[-1] == 49 and len(shown) < 10


@pytest.mark.long
@pytest.mark.parametrize("name", [name for name in shell.PAGES if name != "Take away"])
def test_numbers_of_a_scenario_before_are_said_to_be(live, name):
    site = Site(live, query=f"?page={name}")
    assert not site.stale.visible
    far = {"first": 900.0, "second": 1.0, "reason": "a test"}
    site.state.put(priors={"outcomes.persistence": far})
    assert site.stale.visible and "those of the scenario before this change" in site.stale.object
    assert "until the model is refitted" in site.stale.object
    assert "not yet in any number" in site.notes.object
    if name != "Compare":
        site.tabs.active = (site.tabs.active + 1) % len(shell.PAGES)
        assert "no numbers for this page" in site.stale.object
    site.state.undo()
    assert not site.stale.visible and not site.notes.visible and not site.messages.visible


@pytest.mark.parametrize("problem", [refresh.Overtaken(), RuntimeError("x"), shell.InputError("x")])
def test_whatever_stops_the_numbers_the_old_ones_are_said_to_be_old(site, problem):
    site._failed(problem)
    assert "those of the scenario before this change" in site.stale.object


def here(monkeypatch):
    """Be a visitor whose browser is connected: a document of theirs, and what goes on for it."""
    session = SimpleNamespace(connection_count=1)
    doc, pending = SimpleNamespace(session_context=SimpleNamespace(destroyed=False, session=session), roots=[]), set()

    def soon(callback):
        result = callback()
        if inspect.iscoroutine(result):
            pending.add(asyncio.ensure_future(result))

    doc.add_next_tick_callback = lambda callback: asyncio.get_running_loop().call_soon(soon, callback)
    state = SimpleNamespace(curdoc=doc)
    monkeypatch.setattr(refresh, "pn", SimpleNamespace(state=state, io=SimpleNamespace(unlocked=nullcontext)))
    return doc, pending


def refresher_of(work, done, *, long=False, failed=pytest.fail, busy=lambda stage: None, rest=lambda: None):
    return refresh.Refresher(work, done, rest, busy, failed, lambda: "", lambda: long)


async def until(true, most=5.0):
    for _ in range(int(most / 0.01)):
        if true():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it did not happen in time")


def test_what_is_read_follows_the_last_move_alone(monkeypatch):
    monkeypatch.setattr(refresh, "UNSEEN_AFTER", 0.05)
    wanted, steps = [3], []

    def done(found):
        steps.append(found)
        wanted[0] -= 1
        if wanted[0]:
            refresher.soon()  # moved on before the browser has painted

    async def visit():
        _, pending = here(monkeypatch)
        refresher.soon()
        await until(lambda: "rest" in steps)
        await asyncio.gather(*pending)

    refresher = refresher_of(lambda: "shown", done, rest=lambda: steps.append("rest"))
    asyncio.run(visit())
    assert steps == ["shown", "shown", "shown", "rest"]


@pytest.mark.parametrize("late", [0.0, 0.05])
def test_what_is_read_waits_while_the_server_is_late_but_not_for_ever(monkeypatch, late):
    for name, value in {"UNSEEN_AFTER": 0.05, "PATIENCE": 1.0}.items():
        monkeypatch.setattr(refresh, name, value)
    times = {}

    async def visit():
        _, pending = here(monkeypatch)
        refresher.soon()
        while "rest" not in times and time.monotonic() - times.get("shown", time.monotonic()) < 5:
            time.sleep(late)  # what others have asked for, on the loop that all share
            await asyncio.sleep(0.001)
        await asyncio.gather(*pending)

    refresher = refresher_of(
        lambda: None,
        lambda found: times.setdefault("shown", time.monotonic()),
        rest=lambda: times.setdefault("rest", time.monotonic()),
    )
    asyncio.run(visit())
    waited = times["rest"] - times["shown"]
    assert (waited >= 1.0) == (late > 0)


def test_a_table_that_fails_at_rest_gives_its_page_up_alone(site, monkeypatch):
    monkeypatch.setattr(site.pages["Invest to save"], "rest", lambda run: 1 / 0)
    site.state.multiply(0.7)
    assert "Something went wrong" in site.holders["Invest to save"][0].object
    site.tabs.active = list(shell.PAGES).index("Cost of poor outcomes")
    assert site.shown["Cost of poor outcomes"]


@pytest.fixture
def slow(monkeypatch):
    """Work on one thing that all ask for, without end until ``let`` is set; what it tells of itself."""
    for name in ("UNSEEN_AFTER", "BUSY_AFTER"):
        monkeypatch.setattr(refresh, name, 0.02)
    monkeypatch.setattr(refresh, "GONE_AFTER", 0.1)
    memory, slow = Memory({"unit": 1}), SimpleNamespace(begun=0, at_work=0, let=threading.Event())

    def make():
        slow.begun, slow.at_work = slow.begun + 1, slow.at_work + 1
        try:
            while not slow.let.wait(0.01):
                PROGRESS.get()("price areas", 0.5)
        finally:
            slow.at_work -= 1
        return slow.begun

    slow.work = lambda: memory.get("unit", "England", make)
    yield slow
    slow.let.set()


def test_slow_work_of_visitors_who_left_stops_nobody(slow, monkeypatch):
    """Two who left while many areas were priced, one who waits for the same and stops, one with a slider."""

    async def visits():
        shown, failed, all_pending = [], [], []
        gone = []
        for _ in range(2):
            doc, pending = here(monkeypatch)
            refresher_of(slow.work, shown.append, long=True).soon()
            gone.append(doc)
            all_pending.append(pending)
        await until(lambda: slow.begun == 1)
        _, pending = here(monkeypatch)
        waiting = refresher_of(slow.work, shown.append, long=True, failed=failed.append)
        waiting.soon()
        _, also = here(monkeypatch)
        refresher_of(lambda: "slider", shown.append).soon()
        await until(lambda: shown == ["slider"], 1.0)
        waiting.stop()
        await until(lambda: len(failed) == 1)
        assert isinstance(failed[0], refresh.Overtaken) and slow.at_work == 1
        for doc in gone:
            doc.session_context.session.connection_count = 0
        await until(lambda: not slow.at_work)
        gone[0].session_context.destroyed = True
        gone[1].session_context.session.connection_count = 1  # back again
        await until(lambda: slow.at_work)
        slow.let.set()
        await until(lambda: len(shown) == 2)
        await asyncio.gather(*(one for some in (*all_pending, pending, also) for one in some))

    asyncio.run(visits())


def test_who_waits_for_the_same_work_sees_why_and_can_be_overtaken(slow, monkeypatch):
    async def visits():
        said, shown = [], []
        refreshers, pendings = [], []
        for busy in (lambda stage: None, said.append):
            _, pending = here(monkeypatch)
            refreshers.append(refresher_of(slow.work, shown.append, busy=busy))
            refreshers[-1].soon()
            pendings.append(pending)
            await until(lambda: slow.begun == 1)
        await until(lambda: "another page asked for the same first" in said)
        refreshers[1]._work = lambda: "another place"
        refreshers[1].soon()
        await until(lambda: shown == ["another place"])
        slow.let.set()
        await asyncio.gather(*(one for some in pendings for one in some))

    asyncio.run(visits())


@pytest.mark.parametrize(("place", "long"), [("Leeds", False), ("England", True)])
def test_many_areas_have_threads_of_their_own(live, monkeypatch, place, long):
    site = Site(live)
    monkeypatch.setattr(live, "ready", lambda scenario, areas: False)
    monkeypatch.setattr(site.refresher, "soon", lambda: None)
    site.state.go_to(place)
    assert site._long() is long
    page = site.pages.setdefault("Take away", shell.PAGES["Take away"](site.state))
    site.tabs.active = list(shell.PAGES).index("Take away")
    page._ask()
    assert site._long()


def test_stopped_work_of_a_page_is_no_fault_of_the_page(site, monkeypatch):
    def stopped(run):
        raise refresh.Overtaken

    monkeypatch.setattr(site.pages["Invest to save"], "prepare", stopped)
    with pytest.raises(refresh.Overtaken):
        site._page_result("Invest to save")


class SlowProcess:
    """A process that is as slow to start as one that imports everything, and runs until it is ended or let go."""

    let, starts = threading.Event(), threading.Event()

    def __init__(self, **_):
        self.exitcode, self.begun = None, False

    def start(self):
        assert self.starts.wait(10)
        self.begun = True

    def is_alive(self):
        if self.begun and self.exitcode is None and self.let.is_set():
            self.exitcode = 0
        return self.begun and self.exitcode is None

    def terminate(self):
        self.exitcode = -15

    kill = terminate

    def join(self, _):
        pass

    def close(self):
        assert self.exitcode is not None


@pytest.fixture
def slowly(monkeypatch):
    monkeypatch.setattr(refit, "START", SimpleNamespace(Process=SlowProcess, Value=lambda *_: SimpleNamespace(value=0)))
    monkeypatch.setattr(refit, "LOOK_EVERY", 10)
    SlowProcess.let.clear()
    SlowProcess.starts.clear()
    yield SlowProcess
    SlowProcess.let.set()
    SlowProcess.starts.set()
    assert refit.ONE_AT_A_TIME.acquire(timeout=5)  # whatever happened, the next visitor can fit
    refit.ONE_AT_A_TIME.release()


def begun(live, done=lambda: None):
    offer = Refit(Site(live).state, done)
    began = time.monotonic()
    offer.begin()
    assert time.monotonic() - began < 1.0
    offer.look()
    assert "getting ready" in offer.status.object and offer.cancel.visible
    return offer


def test_a_new_fit_starts_without_keeping_the_pages_waiting(live, slowly):
    done = []
    offer = begun(live, lambda: done.append(True))
    slowly.starts.set()
    offer.fitting._share.value = 0.25
    offer.look()
    assert "25%" in offer.status.object and not done
    slowly.let.set()
    offer.fitting._thread.join(5)
    offer.look()
    assert done and offer.fitting is None and not offer.view.visible


@pytest.mark.parametrize("at", ["starting", "running"])
def test_a_new_fit_is_cancelled_at_any_time(live, slowly, at):
    offer = begun(live)
    fitting = offer.fitting
    if at == "running":
        slowly.starts.set()
    offer.end("The fit was cancelled.")
    assert "cancelled" in offer.status.object and offer.start.visible
    slowly.starts.set()
    fitting._thread.join(5)
    assert fitting._process.exitcode == -15 and not fitting.good


def test_a_new_fit_ends_with_its_session(live, slowly):
    slowly.starts.set()
    doc = Document()
    with set_curdoc(doc):
        offer = begun(live)
    fitting = offer.fitting
    offer._poll = SimpleNamespace(stop=pytest.fail)  # as of a page that is no longer there
    for callback in doc.session_destroyed_callbacks:
        with suppress(pytest.fail.Exception):
            callback(None)
    fitting._thread.join(5)
    assert fitting._process.exitcode == -15


def test_only_who_is_connected_or_has_just_asked_takes_a_place(live, monkeypatch):
    door, docs, later = server.Door(live, most=2), [], []
    monkeypatch.setattr(server, "site", lambda _: "a page")

    def asked():
        session, gone = SimpleNamespace(connection_count=0, ended=False), []
        session.request_expiration = lambda: setattr(session, "ended", True)
        doc = SimpleNamespace(
            session_context=SimpleNamespace(session=session),
            on_session_destroyed=gone.append,
            gone=gone,
            add_timeout_callback=lambda called, after: later.append(called),
        )
        monkeypatch.setattr(server, "pn", SimpleNamespace(state=SimpleNamespace(curdoc=doc)))
        docs.append(doc)
        return door.enter()

    def full():
        return "The site is full" in getattr(asked(), "object", "")

    assert [full(), full(), full()] == [False, False, True]
    docs[0].session_context.session.connection_count = 1
    monkeypatch.setattr(server, "ARRIVES_WITHIN", 0.0)  # the second never came
    assert not full()
    for expire in later[:2]:
        expire()  # of which the second alone need not wait for its browser any longer
    assert [doc.session_context.session.ended for doc in docs[:2]] == [False, True]
    docs[-1].session_context.session.connection_count = 1
    assert full()
    for callback in docs[0].gone:
        callback(None)
    assert not full()


def test_no_visitor_takes_every_place_or_opens_pages_without_end(monkeypatch):
    door, context = server.Door(None, most=4), SimpleNamespace(session=SimpleNamespace(connection_count=1))
    door._inside = {k: server.Guest(context, 0.0, "10.0.0.1") for k in range(2)}
    assert door.refusal("10.0.0.1")[0] == "Too many pages are open" and door.refusal("10.0.0.2") is None
    assert door.refusal("") is None  # not known apart from others
    monkeypatch.setattr(guard, "PAGES", guard.Allowances(2, 0.1))
    for _ in range(2):
        assert door.refusal("10.0.0.2") is None
        guard.PAGES.spend("10.0.0.2")
    title, line = door.refusal("10.0.0.2")
    assert title == "Too many pages were opened" and "10 seconds" in line


def test_work_ends_after_its_longest_time():
    work = refresh.Refresher(*[lambda *_: None] * 7)
    work.progress("walking", 0.5)
    work._since -= refresh.LONGEST
    with pytest.raises(InputError, match="Fix: "):
        work.progress("walking", 0.6)


def test_what_failed_leaves_no_lock_behind():
    memory = Memory({"unit": 2})
    for key in range(5):
        with pytest.raises(ZeroDivisionError):
            memory.get("unit", key, lambda: 1 // 0)
    assert memory._locks == {} and memory.get("unit", 1, lambda: 7) == 7
    for key in range(5):
        memory.get("unit", key, lambda: 7)
    assert len(memory._locks) == 2


def test_what_is_remembered_has_a_largest_size(monkeypatch, live):
    monkeypatch.setattr(live_module, "LARGEST_STORED", 250)
    memory = Memory({"unit": 9})
    for key in range(5):
        memory.get("unit", key, lambda: np.zeros(100, np.int8))
    assert [memory.holds("unit", key) for key in range(5)] == [False, False, False, True, True]
    memory.get("unit", 9, lambda: np.zeros(1000, np.int8))
    assert memory.holds("unit", 9) and not memory.holds("unit", 4)
    assert live.unit(live.preset("families_first"), (LEEDS,)).nbytes > 1e6


def test_the_title_leads_to_the_prefix_of_the_site(site, monkeypatch):
    assert site.view().site_url == "/"
    monkeypatch.setattr(type(pn.state), "base_url", "/outcomes")
    assert site.view().site_url == "/outcomes/"
