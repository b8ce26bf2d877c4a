"""A refit in a process of its own: it shows its progress, can be cancelled, and keeps nobody waiting."""

import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import panel as pn

from toolkit import workflow
from toolkit.apps.parts import look
from toolkit.apps.parts.fields import beside, button, column
from toolkit.apps.session.state import State

START = multiprocessing.get_context("spawn")  # a fork would copy the server's threads mid-step
LOOK_EVERY = 500  # milliseconds
NICE = 10  # below the pages
LONGEST = 3600  # seconds: another's fit may be waiting
ONE_AT_A_TIME = threading.Lock()  # on the whole server: a fit takes two processors for minutes


def work(share: Any, parent: int, *, cache: Path, **options: Any) -> None:
    """Fit the model in this process, and end if the server ends."""
    if hasattr(os, "nice"):  # not on Windows
        os.nice(NICE)

    def progress(_: str, done: float) -> None:
        share.value = done
        if os.getppid() != parent:
            os._exit(1)

    workflow.fit(**options, cache=cache, refit=True, progress=progress)


class Fitting:
    """A fit in its own process. Starting it takes seconds, and ending it may, so a separate thread waits for both."""

    def __init__(self, **options: Any) -> None:
        self._share, self._cancelled, self.good = START.Value("d", 0.0), threading.Event(), False
        self._process = START.Process(target=work, args=(self._share, os.getpid()), kwargs=options, daemon=True)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def share(self) -> float:
        """The share of the fit that is done, 0 to 1."""
        return float(self._share.value)

    @property
    def running(self) -> bool:
        """Whether the fit is still running."""
        return self._thread.is_alive()

    def cancel(self) -> None:
        """Ask the fit to end, without waiting until it has."""
        self._cancelled.set()

    def _run(self) -> None:
        process = self._process
        try:
            process.start()
            until = time.monotonic() + LONGEST
            while process.is_alive() and time.monotonic() < until and not self._cancelled.wait(LOOK_EVERY / 1000):
                pass
            self.good = process.exitcode == 0
            for end in (process.terminate, process.kill):
                if process.is_alive():
                    end()
                    process.join(3)
            process.close()
        finally:
            ONE_AT_A_TIME.release()


class Refit:
    """The offer of a refit to one visitor."""

    def __init__(self, state: State, done: Callable[[], None]) -> None:
        self.state, self._done = state, done
        self.fitting: Fitting | None = None
        self._poll: Any = None
        self.status = look.html()
        self.start = button("Refit the model", self.begin, main=True)
        self.cancel = button("Cancel the fit", lambda: self.end("The fit was cancelled."))
        self.cancel.visible = False
        self.view = column(self.status, beside(self.start, self.cancel), visible=False)
        if pn.state.curdoc is not None:
            pn.state.on_session_destroyed(lambda _: self.end(""))

    def offer(self, needed: bool) -> None:
        """Show or hide the offer; a running fit stays visible."""
        running = self.fitting is not None
        self.view.visible = needed or running
        self.start.visible = not running
        if needed and not running:
            self._say("It takes some minutes. The pages go on working, for you and for others.")

    def begin(self) -> None:
        """Start the fit, unless one is running."""
        if not ONE_AT_A_TIME.acquire(blocking=False):
            self._say("Another fit is running on this server. Try again in a few minutes.")
            return
        live = self.state.live
        options = {
            "statistics": live.statistics,
            "scenario": self.state.scenario,
            "register": live.register,
            "cache": live.refits,
        }
        self.fitting = Fitting(**options)
        self.start.visible, self.cancel.visible = False, True
        self._say("Fitting: getting ready…")
        if pn.state.curdoc is not None and pn.state.curdoc.session_context is not None:
            self._poll = pn.state.add_periodic_callback(self.look, LOOK_EVERY)

    def look(self) -> None:
        """Show how far the fit is, and take its result when it is ready."""
        if self.fitting is None:
            return
        if self.fitting.running:
            share = self.fitting.share
            self._say(f"Fitting: {share:.0%} of the draws." if share else "Fitting: getting ready…")
            return
        good = self.fitting.good
        self.end("" if good else "The fit failed: these priors may contradict the data. Change them less.")
        if good:
            self.view.visible = False
            self._done()

    def end(self, status: str) -> None:
        """End the fit, if there is one, and show a message."""
        fitting, self.fitting = self.fitting, None
        if fitting is not None:
            fitting.cancel()
        if self._poll is not None:
            self._poll.stop()
            self._poll = None
        self.start.visible, self.cancel.visible = True, False
        self._say(status)

    def _say(self, line: str) -> None:
        self.status.object = f'<p role="status">{line}</p>'
