"""What a browser may send over its connection: which messages, how large, and how much of the server's time they take.

A message is looked at before Bokeh acts on it, for Bokeh decompresses, allocates and builds whatever it asks for. A
browser that keeps to what the pages do never meets these limits; one that does not is disconnected.
"""

import asyncio
import json
import logging
import re
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any
from weakref import WeakKeyDictionary

from bokeh.server.session import ServerSession
from panel.io.server import WSHandler

from toolkit.apps import guard
from toolkit.apps.parts.entry import whole

LARGEST_MESSAGE, MOST_PARTS = 1_000_000, 24  # bytes of a message with all its parts, and how many parts
MOST_KEPT = 2_000_000  # of what a visitor has set in a session, about so many bytes
MOST_CONNECTIONS = 3  # of a session: a tab has one, and a lost one may still be there
NODE, DEEPEST = 16, 50  # what each value weighs besides its text, and how far they nest
KINDS = {"PATCH-DOC", "PULL-DOC-REQ", "SERVER-INFO-REQ"}
EVENTS = {"ModelChanged", "MessageSent"}
# Bokeh makes no more of these than what was sent; of others it unpacks ("bytes" as text), reserves ("ndarray") or
# builds ("object") as much as they say.
TYPES = {"array", "bytes", "event", "map", "number", "set"}
ESCAPED = re.compile(r"\\u[dD][89a-fA-F]")
# Seconds of the server's thread: a visitor has four at once and then a third of it.
COMPUTING = guard.Allowances(4.0, 1 / 3)
TAKEN: ContextVar[list[float] | None] = ContextVar("TAKEN", default=None)
KEPT: WeakKeyDictionary[ServerSession, dict[tuple[str, str], int]] = WeakKeyDictionary()
LOG = logging.getLogger("toolkit.apps")


class Refused(Exception):
    """A message that no page sends."""


def timed(called: Callable[..., Any], *given: Any) -> Any:
    """Call, and charge the time to the visitor whose message is being handled."""
    since, taken = time.thread_time(), TAKEN.get()
    try:
        return called(*given)
    finally:
        if taken is not None:
            taken[0] += time.thread_time() - since


def weight(value: Any, depth: int = 0) -> int:
    """Return about how many bytes a value takes once Bokeh has read it.

    Raises
    ------
    Refused
        For what Bokeh would make more of than was sent, or which nests too far.
    """
    if depth > DEEPEST:
        raise Refused("a value that nests too far")
    if isinstance(value, str | bytes | bytearray | memoryview):
        return NODE + len(value)
    if isinstance(value, dict):
        kind = value.get("type")
        if "type" in value and (str(kind) not in TYPES or (kind == "bytes" and isinstance(value.get("data"), str))):
            raise Refused(f"a value of type {str(kind)[:20]}")
        return NODE + sum(weight(part, depth + 1) for pair in value.items() for part in pair)
    if isinstance(value, list):
        return NODE + sum(weight(part, depth + 1) for part in value)
    return NODE


def plain(fragment: str | bytes) -> str | bytes:
    """Return a part of a message with whole characters only: JSON can spell half of a pair, which none can be sent."""
    if isinstance(fragment, str) and ESCAPED.search(fragment):
        return whole(json.dumps(json.loads(fragment), ensure_ascii=False))
    return fragment


def checked(message: Any, kept: dict[tuple[str, str], int]) -> None:
    """Refuse a message that no page sends; ``kept`` is what each property that a session's browser has set weighs."""
    if message.msgtype not in KINDS:
        raise Refused("a message of another kind")
    if message.msgtype != "PATCH-DOC":
        return
    buffers = sum(len(buffer.data) for buffer in message.buffers)
    for event in message.content["events"]:
        if str(event["kind"]) not in EVENTS:
            raise Refused("an event of another kind")
        heavy = weight(event) + buffers
        if event["kind"] == "ModelChanged":
            kept[str(event["model"]["id"]), str(event["attr"])] = heavy
    if sum(kept.values()) > MOST_KEPT:
        raise Refused("more values than a page has")


class Socket(WSHandler):
    """A browser's connection."""

    _size = _parts = 0
    _visitor = ""

    async def _async_open(self, token: str) -> None:
        """Open it, unless the session has too many."""
        self._visitor = guard.visitor(self)
        guard.VISITOR.set(self._visitor)
        await super()._async_open(token)
        if self.connection is not None and self.connection.session.connection_count > MOST_CONNECTIONS:
            self.close(1008, "too many connections")

    async def on_message(self, message: str | bytes) -> None:
        """Take a part of a message; the next is not read before the visitor's time allows it."""
        taken = [0.0]
        TAKEN.set(taken)
        await super().on_message(message)
        if self.connection is not None:
            await asyncio.sleep(COMPUTING.spend(self._visitor or self.connection.session.id, taken[0]))

    async def _receive(self, fragment: str | bytes) -> Any:
        self._size, self._parts = self._size + len(fragment), self._parts + 1
        try:
            if self._size > LARGEST_MESSAGE or self._parts > MOST_PARTS:
                raise Refused("a message that is too large")
            message = await super()._receive(timed(plain, fragment))
            if message is not None and self.connection is not None:
                self._size = self._parts = 0
                kept = KEPT.setdefault(self.connection.session, {})
                timed(checked, message, kept)
        except Exception as problem:  # and never the message itself, which would fill the log
            LOG.warning("disconnected: %s", problem if isinstance(problem, Refused) else type(problem).__name__)
            self.close(1008, "refused")
            return None
        return message
