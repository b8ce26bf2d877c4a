"""Work in other threads than the page's: moves are coalesced, the page stays responsive, slow work shows as busy."""

import asyncio
import logging
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import Context
from functools import partial
from typing import Any

import panel as pn
from bokeh.document import without_document_lock
from bokeh.models import ColumnDataSource, CustomJS

from toolkit.apps.engine.live import PROGRESS
from toolkit.schema import InputError

LOG = logging.getLogger("toolkit.apps")
BUSY_AFTER, UNSEEN_AFTER, GONE_AFTER, LATE, PATIENCE = 0.3, 1.0, 10.0, 0.01, 2.0  # seconds
LONGEST = 1800.0  # seconds of work at a time: England takes some minutes the first time
WORKERS = ThreadPoolExecutor(max_workers=2, thread_name_prefix="pricing")
LONG = ThreadPoolExecutor(max_workers=2, thread_name_prefix="long")  # so that what takes minutes stops nobody else


class Overtaken(Exception):
    """Raised inside work that a later move has made obsolete, or that the visitor stopped."""


class Receipt:
    """Knows when the browser has painted what it was sent, so that a slow one is not sent more than it can show.

    The page's address goes along with it; access.js writes it once the moves have come to rest.
    """

    SAY = """
        requestAnimationFrame(() => setTimeout(() => { painted.data = {number: sent.data.number} }));
    """

    def __init__(self) -> None:
        self.sent, self._painted = (ColumnDataSource({"number": [0]}, name=name) for name in ("sent", "painted"))
        self.beside: list[ColumnDataSource] = []  # other invisible sources that the browser needs
        self.sent.js_on_change("data", CustomJS(args={"sent": self.sent, "painted": self._painted}, code=self.SAY))
        self._painted.on_change("data", self._came)
        self._seen = asyncio.Event()
        self._painted_now: Callable[[], object] = lambda: None

    def _came(self, _name: str, _old: Any, _new: Any) -> None:
        self._painted_now()

    def attach(self, doc: Any) -> None:
        """Attach the sources to the page, where they are invisible."""
        if self.sent.document is None and doc.roots:
            doc.roots[0].tags = [*doc.roots[0].tags, self.sent, *self.beside]

    def expect(self) -> None:
        """Forget what was painted before."""
        self._seen.clear()
        # Receipts come in on other threads.
        self._painted_now = partial(asyncio.get_running_loop().call_soon_threadsafe, self._seen.set)

    def ask(self, address: str) -> None:
        """Ask for a receipt of what is being sent."""
        self.sent.data = {"number": [self.sent.data["number"][0] + 1], "address": [address]}

    async def wait(self) -> None:
        """Wait until the browser has painted it, or until it stays silent, as when its tab is hidden."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._seen.wait(), UNSEEN_AFTER)


class Refresher:
    """Does the latest work requested, one piece at a time for a visitor, and none that a later move has overtaken.

    ``done`` shows the result; ``rest`` follows once the browser has painted it and nothing moves any more.
    """

    def __init__(
        self,
        work: Callable[[], Any],
        done: Callable[[Any], None],
        rest: Callable[[], None],
        busy: Callable[[str | None], None],
        failed: Callable[[Exception], None],
        address: Callable[[], str],
        long: Callable[[], bool],
    ) -> None:
        self._work, self._done, self._rest, self._busy, self._failed = work, done, rest, busy, failed
        self._address, self._long = address, long
        self._seen = self._since = time.monotonic()
        self._requested = self._running = self._stopped = False
        self._stage, self.receipt, self._guard = "", Receipt(), threading.Lock()

    def soon(self) -> None:
        """Start the work once the page has taken all waiting moves; at once where there is no server."""
        doc = pn.state.curdoc
        if doc is None or doc.session_context is None:
            self._now()
            return
        with self._guard:  # moves come from other threads than the loop's
            begin, self._requested, self._running = not self._running, True, True
        if begin:

            @without_document_lock
            async def go() -> None:
                await self._loop(doc)

            doc.add_next_tick_callback(go)

    def stop(self) -> None:
        """Stop the current work."""
        self._stopped = True

    def progress(self, stage: str, share: float) -> None:
        """Record how far the work is, and end it if nobody waits for it any more."""
        self._stage = f"{stage}, {share:.0%}" if share else stage
        if time.monotonic() - self._since > LONGEST:  # others wait for the same threads
            raise InputError(f"it took longer than {LONGEST / 60:.0f} minutes.", fix="choose fewer areas.")
        if self._requested or self._stopped:
            raise Overtaken

    def _now(self) -> None:
        try:
            result = self._work()
        except Exception as problem:
            self._failed(problem)
        else:
            self._done(result)
            self._rest()

    def _finish(self, show: Callable[[Any], None], result: Any) -> None:
        with pn.io.unlocked():  # which gathers the changes; `hold` would send them a tick later
            show(result)
            self.receipt.ask(self._address())

    def _end(self) -> None:
        with pn.io.unlocked():
            self._rest()

    async def _loop(self, doc: Any) -> None:
        if self.receipt.sent.document is None:
            _next(doc, partial(self.receipt.attach, doc))
        while self._more() and await self._watched(doc):
            self._stopped, self._stage = False, ""
            work = self._begin()
            task, busy_shown = asyncio.wrap_future(work), False
            while not (await asyncio.wait({task}, timeout=BUSY_AFTER))[0]:
                if self._deserted(doc):
                    self._requested = True  # again, once somebody is there to see it
                if self._requested or self._stopped:
                    work.cancel()  # which does nothing to one that has begun: that one ends at its next progress
                busy_shown = True
                _next(doc, partial(self._busy, self._stage))
            try:
                result = await task
            except (Overtaken, asyncio.CancelledError):
                if not self._requested:
                    _next(doc, partial(self._finish, self._failed, Overtaken()))
            except Exception as problem:
                _next(doc, partial(self._finish, self._failed, problem))
            else:
                self.receipt.expect()
                _next(doc, partial(self._finish, self._done, result))
                await self.receipt.wait()
                await self._quiet()
                if not self._requested:
                    _next(doc, self._end)
            if busy_shown:
                _next(doc, partial(self._busy, None))

    async def _quiet(self) -> None:
        """Wait while the server is late with what others have asked for, a while at most, or until the visitor asks."""
        late, since = LATE, time.monotonic()
        while late >= LATE and not self._requested and (slept := time.monotonic()) - since < PATIENCE:
            await asyncio.sleep(LATE)
            late = time.monotonic() - slept - LATE

    def _begin(self) -> Future[Any]:
        context, self._since = Context(), time.monotonic()
        context.run(PROGRESS.set, self.progress)
        return (LONG if self._long() else WORKERS).submit(context.run, self._work)

    def _deserted(self, doc: Any) -> bool:
        """Return whether nobody has been connected for so long that the answer would not be seen."""
        if _ended(doc):
            return True
        if doc.session_context.session.connection_count:
            self._seen = time.monotonic()
        return time.monotonic() - self._seen > GONE_AFTER

    async def _watched(self, doc: Any) -> bool:
        """Wait while the browser is away; return whether the session is still there."""
        while self._deserted(doc) and not _ended(doc):
            await asyncio.sleep(BUSY_AFTER)
        return not _ended(doc)

    def _more(self) -> bool:
        with self._guard:
            self._running, self._requested = self._requested, False
            return self._running


def _next(doc: Any, callback: Callable[[], None]) -> None:
    if not _ended(doc):
        doc.add_next_tick_callback(callback)


def _ended(doc: Any) -> bool:
    return doc.session_context is None or doc.session_context.destroyed


def incident(problem: BaseException, where: str) -> str:
    """Log a failure under a number of its own and return the number."""
    number = secrets.token_hex(4)
    LOG.error("incident %s in %s", number, where, exc_info=problem)
    return number
