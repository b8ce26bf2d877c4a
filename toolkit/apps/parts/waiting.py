"""What a page says while its numbers are worked out elsewhere, until they are there."""

from html import escape
from typing import Any

import panel as pn

from toolkit.apps.engine.jobs import Job
from toolkit.apps.parts import look
from toolkit.apps.session.state import State

LOOK_EVERY = 400  # milliseconds


class Waiting:
    """A line that says how far work is; once it is done, the page is asked for again."""

    def __init__(self, state: State, doing: str) -> None:
        self.state, self.doing, self.status = state, doing, look.html(visible=False)
        self._poll: Any = None

    def start(self, job: Job) -> None:
        """Say how far the work is until it is done."""
        self.stop()
        self._say(job)
        self._poll = pn.state.add_periodic_callback(lambda: self._look(job), LOOK_EVERY)

    def stop(self) -> None:
        """Say no more."""
        if self._poll is not None:
            self._poll.stop()
            self._poll = None
        self.status.visible = False

    def _look(self, job: Job) -> None:
        if job.running:
            self._say(job)
        else:
            self.stop()
            self.state.notify()

    def _say(self, job: Job) -> None:
        text = f"{self.doing} for {self.state.place}: {job.stage}. The controls work meanwhile."
        self.status.param.update(object=f'<p role="status">{escape(text)}</p>', visible=True)
