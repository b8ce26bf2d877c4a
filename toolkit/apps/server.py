"""Serving the site: one process, loopback unless set otherwise, nothing fetched from elsewhere.

The server never runs or unpickles what a visitor sends: an address and a scenario file are read as text,
key by key. Uploads and messages have a largest size, idle sessions end, and there are only so many at once.
"""

import gc
import json
import os
import re
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from ipaddress import ip_address
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import panel as pn
from bokeh.core.serialization import Serializer
from bokeh.io.doc import patch_curdoc
from bokeh.server import session
from bokeh.settings import settings as bokeh_settings
from bokeh.util.asyncio import _run_in_executor

from toolkit.apps import guard
from toolkit.apps.engine.live import Live
from toolkit.apps.parts import look
from toolkit.apps.session import wire
from toolkit.apps.session.state import State
from toolkit.apps.shell import site
from toolkit.schema import InputError
from toolkit.tabular import excerpt

STATIC = Path(__file__).resolve().parent / "static"
SIGN_IN = STATIC.with_name("templates") / "sign_in.html"
SECRET = "OUTCOMES_COOKIE_SECRET"
SHORTEST_SECRET, SHORTEST_PASSWORD = 32, 10
ANY = ("0.0.0.0", "::")  # listened on, each stands for every address of the machine
HOST = re.compile(r"(\*\.)?([a-z0-9_-]+\.)*[a-z0-9_-]+")
PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)*")
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
    """Return the server's options.

    Parameters
    ----------
    port, address
        Where it listens; 127.0.0.1 is this machine only.
    allow_origin
        Whose pages may talk to it: hosts, or addresses as a browser shows them; needed behind a proxy.
    prefix
        Path that a reverse proxy serves the site under, such as "/outcomes".
    auth
        JSON file of user names and passwords. The signing secret comes from the environment.

    Raises
    ------
    InputError
        An address open to others without sign-in, a weak or missing secret, an unusable file of users, origin or path.
    """
    local = address in ("127.0.0.1", "localhost", "::1")
    if not local and auth is None:
        raise InputError(
            f"address {address}: others could reach the site without signing in.",
            fix="add --auth users.json, or keep 127.0.0.1 behind a proxy that signs people in.",
        )
    if address in ANY and not allow_origin:
        raise InputError(
            f"address {address}: a browser's page could not connect, for the site does not know by which name it is "
            "reached.",
            fix="add --allow-origin with that name and port, such as outcomes.example.gov.uk.",
        )
    own = ("127.0.0.1", "localhost") if local else ()
    here = [f"[{address}]" if ":" in address else address, *own]
    options: dict[str, Any] = {
        "port": port,
        "address": address,
        "websocket_origin": [origin(one) for one in allow_origin] or [f"{name}:{port}" for name in dict.fromkeys(here)],
        "prefix": _path(prefix),
        "show": False,
        "title": "Cost of outcomes",
        "static_dirs": {"assets": str(STATIC)},
        "websocket_max_message_size": wire.LARGEST_MESSAGE,
        "unused_session_lifetime_milliseconds": IDLE_SESSION_ENDS,
        "check_unused_sessions_milliseconds": IDLE_SESSION_ENDS // 15,
        "http_server_kwargs": dict(guard.HTTP),
        "use_xheaders": local,  # only a proxy of this machine can then be asked whom it speaks for
        "transforms": [guard.Headers],
        # A session is only ever one that a page here began, and no page repeats its visitor's cookies.
        "sign_sessions": True,
        "secret_key": secrets.token_bytes(32),
        "include_headers": [],
        "include_cookies": [],
    }
    if auth is not None:
        options |= {"basic_auth": str(_users(auth)), "cookie_secret": _secret(), "users": str(auth)}
        options |= {"basic_login_template": str(SIGN_IN), "logout_template": str(SIGN_IN)}
    return options


def origin(text: str) -> str:
    """Return an origin as the server compares it: a host, and the port where a browser would name it.

    Raises
    ------
    InputError
        If no browser's page could have it.
    """
    plain = text.strip().casefold()
    parts = urlsplit("//")
    try:
        parts = urlsplit(plain if "://" in plain else f"//{plain}")
        port, host = parts.port, (parts.hostname or "").encode("idna").decode()
    except ValueError:  # no port, or no name of a host
        port, host = None, ""
    usual = {"": None, "http": 80, "ws": 80, "https": 443, "wss": 443}
    more = parts.path not in ("", "/") or parts.username or parts.query or parts.fragment
    if more or parts.scheme not in usual or not (HOST.fullmatch(host) or _numeric(host)):
        raise InputError(
            f"allow-origin '{excerpt(text)}': not a host, with a port where it has one.",
            fix="write it as in outcomes.example.gov.uk or 10.0.0.5:5006; a path goes into --prefix.",
        )
    name = f"[{host}]" if ":" in host else host
    # A browser leaves out the usual port of a scheme; without one, 80 and 443 are taken for that.
    return name if port in (None, *([usual[parts.scheme]] if parts.scheme else [80, 443])) else f"{name}:{port}"


def _numeric(host: str) -> bool:
    try:
        return bool(ip_address(host))
    except ValueError:
        return False


def _path(prefix: str) -> str:
    path = "/" + prefix.strip().strip("/")
    if not PREFIX.fullmatch(path.rstrip("/")) or {".", ".."} & set(path.split("/")):
        raise InputError(f"prefix '{excerpt(prefix)}': not a plain path.", fix="write one such as /outcomes.")
    return path.rstrip("/")


def free(address: str, port: int) -> None:
    """Refuse an address and a port that cannot be listened on, before minutes are spent on a fit.

    Raises
    ------
    InputError
        If another program listens there, or it is no address of this machine.
    """
    try:
        with socket.create_server((address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET):
            pass
    except OSError as problem:
        raise InputError(
            f"address {excerpt(address)}, port {port}: cannot be listened on ({problem.strerror or problem}).",
            fix="choose another with --port, or an address of this machine.",
        ) from None


def _users(path: Path) -> Path:
    try:
        users = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise InputError(f"{path}: not readable as users ({problem}).", fix='write {"name": "password"}.') from None
    if not isinstance(users, dict) or not users or not all(isinstance(word, str) for word in users.values()):
        raise InputError(f"{path}: not a mapping of names to passwords.", fix='write {"name": "password"}.')
    weak = [name for name, word in users.items() if len(word) < SHORTEST_PASSWORD]
    if weak:
        raise InputError(f"{path}: {weak[0]} has a password under {SHORTEST_PASSWORD} characters.", fix="lengthen it.")
    return path


def _secret() -> str:
    secret = os.environ.get(SECRET, "")
    if len(secret) < SHORTEST_SECRET:
        raise InputError(
            f"{SECRET}: signing in needs a secret of {SHORTEST_SECRET} characters or more in the environment.",
            fix='export it, for example from python -c "import secrets; print(secrets.token_hex(32))".',
        )
    return secret


def serve(live: Live, *, threaded: bool = False, most: int = MOST_SESSIONS, **options: Any) -> Any:
    """Serve the site to so many at most, until stopped or beside the caller; ``options`` as for :func:`settings`."""
    chosen = settings(**options)
    sys.setswitchinterval(SWITCH)  # a page is not kept waiting by another's pricing
    pn.extension(js_files={"outcomes": "assets/access.js"})
    lighten()
    threading.Thread(target=_warm, args=(live,), daemon=True).start()
    guard.install(wire.Socket)
    door = Door(live, most=most)
    return pn.serve({"": door.enter}, threaded=threaded, refusal=door.refusal, **chosen)


def lighten() -> None:
    """Leave out what Panel and Bokeh do at every event that nothing here needs; a test pins the names.

    Whether anything at all is busy is kept for the whole process, sent to every page and costs a quarter of a move;
    pages here show their own visitor's work alone.
    """
    whole = partial(Serializer, deferred=False)  # arrays inside the message, not two more for each
    bokeh_settings.compression_level.set_value(0)  # they are too short for it
    for place, name, ours in (
        (session, "_serialize_patches", one_message),
        (session, "_run_in_executor", run),
        (session.ServerSession, "_run_in_executor", at_once),
        (import_module("bokeh.protocol.messages.patch_doc"), "Serializer", whole),
    ):
        setattr(place, name, ours)
    for name in ("_add_busy_event", "_remove_busy_event"):
        setattr(pn.state, name, lambda *_: None)


async def at_once(_session: Any, called: Callable[..., Any], *arguments: Any) -> Any:
    """Assemble a message at once: a thread for it costs several times as much as the work."""
    return wire.timed(called, *arguments)


async def run(called: Callable[..., Any], *arguments: Any) -> Any:
    """Take a visitor's change at once, for it only asks for work; do all else in a thread, as Bokeh does."""
    if getattr(called, "__name__", "") == "apply_to_document":
        return wire.timed(called, *arguments)
    return await _run_in_executor(called, *arguments)


def one_message(pending: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Put all that a callback changed into one message a browser, which then draws once, not once for each change.

    In place of Bokeh's own, which writes a message for each; a test pins its name and what it is given.
    """
    messages = []
    for connections, group in groupby(pending, key=attrgetter("connections")):
        patches = list(group)
        with patch_curdoc(patches[0].event.document):
            message = patches[0].protocol.create("PATCH-DOC", [patch.event for patch in patches])
            message.prepare()
        messages.append((message, connections))
    return messages


def _warm(live: Live) -> None:
    """Compute the first page before anyone asks for it."""
    state = State(live)
    live.run(state.scenario, state.areas)
    gc.freeze()  # to search what all pages share for garbage again would stop them for a quarter of a second


@dataclass(frozen=True)
class Guest:
    """Who has been let in: the session, when it came and whose it is."""

    context: Any
    since: float
    visitor: str

    @property
    def here(self) -> bool:
        """Whether it is connected, or may still be on its way."""
        late = time.monotonic() - self.since >= ARRIVES_WITHIN
        return not late or bool(self.context.session.connection_count)


class Door:
    """Lets visitors in while there is room: those who are connected count, and those who have just asked.

    No visitor takes more than half of the places.
    """

    def __init__(self, live: Live, *, most: int) -> None:
        self.live, self.most = live, most
        self._inside: dict[int, Guest] = {}

    def refusal(self, visitor: str) -> tuple[str, str] | None:
        """Return why a visitor cannot come in, as a title and a line, if so: before a session is made."""
        here = [guest for guest in list(self._inside.values()) if guest.here]
        if len(here) >= self.most:
            return "The site is full", f"{self.most} people are using this site already. Try again in a few minutes."
        if visitor and sum(guest.visitor == visitor for guest in here) >= max(1, self.most // 2):
            return "Too many pages are open", "Close some that you have open, and try again in a minute."
        if wait := guard.PAGES.wait(visitor):
            return "Too many pages were opened", f"Try again in {wait:.0f} seconds."
        return None

    def enter(self) -> Any:
        """Return a visitor's page, or a page that says why not."""
        doc, visitor = pn.state.curdoc, guard.VISITOR.get()
        if reason := self.refusal(visitor):
            title, line = reason
            return look.html(look.box(title, [line], "warn", "alert"))
        guard.PAGES.spend(visitor)
        if doc is not None:
            self._inside[id(doc)] = Guest(doc.session_context, time.monotonic(), visitor)
            doc.on_session_destroyed(lambda _: self._inside.__delitem__(id(doc)))
            doc.add_timeout_callback(partial(self._expire, id(doc)), int(ARRIVES_WITHIN * 1000))
        return site(self.live)

    def _expire(self, key: int) -> None:
        """Have a session end soon that nobody has connected to, not only after the time for one that was lost."""
        guest = self._inside.get(key)
        if guest is not None and not guest.here:
            guest.context.session.request_expiration()
