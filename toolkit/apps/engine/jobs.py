"""Work that takes longer than a page should wait: done on another thread, once for all who ask for the same."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import Context
from typing import Any

from toolkit.apps.engine.live import PROGRESS
from toolkit.apps.engine.refresh import LONG
from toolkit.pricing.areas import Progress, silent


class Job:
    """Work on another thread, which says how far it is."""

    def __init__(self, work: Callable[[Progress], Any]) -> None:
        self.stage = "getting ready"
        self._future: Future[Any] = LONG.submit(Context().run, work, self._progress)

    def _progress(self, stage: str, share: float) -> None:
        self.stage = f"{stage}, {share:.0%}" if share else stage

    @property
    def running(self) -> bool:
        """Whether it goes on."""
        return not self._future.done()

    @property
    def problem(self) -> BaseException | None:
        """What ended it early, if anything did."""
        return None if self.running else self._future.exception()


class Jobs:
    """The work that goes on, each piece once."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._guard = threading.Lock()

    def wanted[T](self, name: str, ready: bool, work: Callable[[Progress], T]) -> T | Job:
        """Return what work gives if it is ready, or the work, started if it does not go on yet.

        Where nobody waits at a page (no progress is asked for), it is done at once.

        Raises
        ------
        InputError
            What the work met, if it was bad input; any other fault is raised as it is.
        """
        if ready or PROGRESS.get() is silent:
            return work(silent)
        with self._guard:
            job = self._jobs.get(name)
            if job is None:
                job = self._jobs[name] = Job(work)
        if job.running:
            return job
        with self._guard:
            self._jobs.pop(name, None)
        if job.problem is not None:
            raise job.problem
        return work(silent)
