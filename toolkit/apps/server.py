"""Serving the site: one process, loopback unless told otherwise, nothing fetched from elsewhere.

The server never runs or unpickles what a visitor sends: an address and a scenario file are read as text,
key by key. Uploads and messages have a largest size, idle sessions end, and there are only so many at once.
"""

import gc
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

import panel as pn
from bokeh.core.serialization import Serializer
from bokeh.io.doc import patch_curdoc
from bokeh.server import session
from bokeh.settings import settings as bokeh_settings
from bokeh.util.asyncio import _run_in_executor

from toolkit.apps import look
from toolkit.apps.live import Live
from toolkit.apps.shell import site
from toolkit.apps.state import State
from toolkit.schema import InputError

STATIC = Path(__file__).resolve().parent / "static"
SIGN_IN = STATIC.with_name("templates") / "sign_in.html"
SECRET = "OUTCOMES_COOKIE_SECRET"
SHORTEST_SECRET, SHORTEST_PASSWORD = 32, 10
LARGEST_MESSAGE = 4_000_000  # bytes
IDLE_SESSION_ENDS = 15 * 60 * 1000  # milliseconds after the browser has gone
MOST_SESSIONS = 60
ARRIVES_WITHIN = 60.0  # seconds from the first page to its connection
SWITCH = 0.0005  # seconds


def settings(
    *,
    port: int = 5006,
    address: str = "127.0.0.1",
    allow_origin: Sequence[str] = (),
    prefix: str = "",
    auth: Path | None = None,
) -> dict[str, Any]:
    """Return what the server is started with.

    Parameters
    ----------
    port, address
        Where it listens; 127.0.0.1 is this machine only.
    allow_origin
        Host names, with ports where they have one, whose pages may talk to it; needed behind a proxy.
    prefix
        Path that a reverse proxy serves the site under, such as "/outcomes".
    auth
        JSON file of user names and passwords. The signing secret comes from the environment.

    Raises
    ------
    InputError
        An address open to others without sign-in, a weak or missing secret, an unusable file of users.
    """
    if address not in ("127.0.0.1", "localhost", "::1") and auth is None:
        raise InputError(
            f"address {address}: others could reach the site without signing in. Mend: add --auth users.json, or keep "
            "127.0.0.1 behind a proxy that signs people in."
        )
    found: dict[str, Any] = {
        "port": port,
        "address": address,
        "websocket_origin": list(allow_origin) or [f"{name}:{port}" for name in ("127.0.0.1", "localhost")],
        "prefix": prefix.rstrip("/"),
        "show": False,
        "title": "Cost of outcomes",
        "static_dirs": {"assets": str(STATIC)},
        "websocket_max_message_size": LARGEST_MESSAGE,
        "unused_session_lifetime_milliseconds": IDLE_SESSION_ENDS,
        "check_unused_sessions_milliseconds": IDLE_SESSION_ENDS // 15,
    }
    if auth is not None:
        found |= {"basic_auth": str(_users(auth)), "cookie_secret": _secret()}
        found |= {"basic_login_template": str(SIGN_IN), "logout_template": str(SIGN_IN)}
    return found


def _users(path: Path) -> Path:
    try:
        users = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise InputError(f'{path}: not readable as users ({problem}). Mend: write {{"name": "password"}}.') from None
    if not isinstance(users, dict) or not users or not all(isinstance(word, str) for word in users.values()):
        raise InputError(f'{path}: not a mapping of names to passwords. Mend: write {{"name": "password"}}.')
    weak = [name for name, word in users.items() if len(word) < SHORTEST_PASSWORD]
    if weak:
        raise InputError(f"{path}: {weak[0]} has a password under {SHORTEST_PASSWORD} characters. Mend: lengthen it.")
    return path


def _secret() -> str:
    secret = os.environ.get(SECRET, "")
    if len(secret) < SHORTEST_SECRET:
        raise InputError(
            f"{SECRET}: signing in needs a secret of {SHORTEST_SECRET} characters or more in the environment. "
            'Mend: export it, for example from python -c "import secrets; print(secrets.token_hex(32))".'
        )
    return secret


def serve(live: Live, *, threaded: bool = False, most: int = MOST_SESSIONS, **given: Any) -> Any:
    """Serve the site to so many at most, until stopped or beside the caller; ``given`` as for :func:`settings`."""
    chosen = settings(**given)
    sys.setswitchinterval(SWITCH)  # a page is not kept waiting by another's pricing
    pn.extension(js_files={"outcomes": "assets/access.js"})
    lighten()
    threading.Thread(target=_warm, args=(live,), daemon=True).start()
    door = Door(live, most=most)
    return pn.serve({"": door.enter}, threaded=threaded, **chosen)


def lighten() -> None:
    """Leave out what Panel and Bokeh do at every event that nothing here needs; a test pins the names.

    Whether anything at all is busy is kept for the whole process, told to every page and costs a quarter of a move;
    pages here show their own visitor's work alone.
    """
    whole = partial(Serializer, deferred=False)  # arrays inside the message, not two more for each
    bokeh_settings.compression_level.set_value(0)  # they are too short for it
    for place, name, ours in (
        (session, "_serialize_patches", one_message), (session, "_run_in_executor", run),
        (session.ServerSession, "_run_in_executor", at_once),
        (import_module("bokeh.protocol.messages.patch_doc"), "Serializer", whole),
    ):  # fmt: skip
        setattr(place, name, ours)
    for name in ("_add_busy_event", "_remove_busy_event"):
        setattr(pn.state, name, lambda *_: None)


async def at_once(_session: Any, called: Callable[..., Any], *given: Any) -> Any:
    """Put a message together here and now: a thread for it costs several times as much as the work."""
    return called(*given)


async def run(called: Callable[..., Any], *given: Any) -> Any:
    """Take a visitor's change at once, for it only asks for work; do all else in a thread, as Bokeh does."""
    if getattr(called, "__name__", "") == "apply_to_document":
        return called(*given)
    return await _run_in_executor(called, *given)


def one_message(pending: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Put all that a callback changed into one message a browser, which then draws once, not once for each change.

    In place of Bokeh's own, which writes a message for each; a test pins its name and what it is given.
    """
    found = []
    for connections, group in groupby(pending, key=attrgetter("connections")):
        patches = list(group)
        with patch_curdoc(patches[0].event.document):
            message = patches[0].protocol.create("PATCH-DOC", [patch.event for patch in patches])
            message.prepare()
        found.append((message, connections))
    return found


def _warm(live: Live) -> None:
    """Work out the first page before anyone asks for it."""
    state = State(live)
    live.run(state.scenario, state.areas)
    gc.freeze()  # to search what all pages share for garbage again would stop them for a quarter of a second


class Door:
    """Lets visitors in while there is room: those who are connected count, and those who have just asked."""

    def __init__(self, live: Live, *, most: int) -> None:
        self.live, self.most = live, most
        self._inside: dict[int, tuple[Any, float]] = {}

    def enter(self) -> Any:
        """Return a visitor's page, or, when the server is full, a page that says so."""
        doc = pn.state.curdoc
        if self._taken() >= self.most:
            said = [f"{self.most} people are using this site already. Try again in a few minutes."]
            return look.html(look.box("The site is full", said, "warn", "alert"))
        if doc is not None:
            self._inside[id(doc)] = (doc.session_context, time.monotonic())
            doc.on_session_destroyed(lambda _: self._inside.__delitem__(id(doc)))
        return site(self.live)

    def _taken(self) -> int:
        now, inside = time.monotonic(), list(self._inside.values())
        here = (now - came < ARRIVES_WITHIN or context.session.connection_count for context, came in inside)
        return sum(map(bool, here))
