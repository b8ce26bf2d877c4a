"""What stands between the network and the site: headers, cookies, sign-in, and how much one visitor may ask for.

The pages are Panel's and Bokeh's own; the classes here stand in for their request handlers (:func:`install`).
"""

import hmac
import json
import math
import secrets
import time
from collections import OrderedDict
from contextvars import ContextVar
from html import escape
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from bokeh.server.urls import per_app_patterns
from panel import auth
from panel.io.server import DocHandler, WSHandler

from toolkit.apps.session.state import LONGEST_ADDRESS

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # an address holds a scenario and a council's own figures
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Of everything but the live page, which has one of its own: nothing runs.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
}
# BokehJS compiles callbacks written in Python ('unsafe-eval'), Panel imports its components from blobs, and both style
# elements by attribute. Inline scripts run only with the nonce of the page, inline event handlers never.
LIVE = (
    "default-src 'none'; script-src 'self' 'nonce-{nonce}' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
HTTP = {  # of Tornado's server: a request's sizes in bytes, its times in seconds
    "max_header_size": 32_000,
    "max_body_size": 100_000,
    "body_timeout": 20.0,
    "idle_connection_timeout": 75.0,
}
VISITOR: ContextVar[str] = ContextVar("VISITOR", default="")  # whose request is being answered
MOST_VISITORS = 10_000  # remembered at once
REFUSED = """<!DOCTYPE html>
<html lang="en-GB"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} – Cost of outcomes</title><link rel="icon" href="data:,">
<style>body {{ margin: 24px; font: 400 16px/1.45 Arial, Helvetica, sans-serif; color: #0b0c0c; }}</style></head>
<body><h1>{title}</h1><p role="alert">{text}</p></body></html>"""


class Allowances:
    """So much for each visitor at once, and so much more each second; no limit for one without a name."""

    def __init__(self, most: float, per_second: float) -> None:
        self.most, self.per_second = most, per_second
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # visitor: what was left, and when

    def wait(self, visitor: str, amount: float = 1.0) -> float:
        """Return the seconds until so much is left."""
        return max(0.0, amount - self._now(visitor)) / self.per_second

    def spend(self, visitor: str, amount: float = 1.0) -> float:
        """Take so much, into debt if need be, and return the seconds until the debt is paid."""
        if not visitor:
            return 0.0
        left = self._now(visitor) - amount
        self._left[visitor] = left, time.monotonic()
        self._left.move_to_end(visitor)
        while len(self._left) > MOST_VISITORS:
            self._left.popitem(last=False)
        return max(0.0, -left) / self.per_second

    def _now(self, visitor: str) -> float:
        left, since = self._left.get(visitor, (self.most, 0.0))
        return min(self.most, left + (time.monotonic() - since) * self.per_second)


PAGES = Allowances(80, 0.5)  # opened by a visitor: each takes half a second of the server
FAILURES = Allowances(10, 10 / 900)  # to sign in, from one network address
NAME_FAILURES = Allowances(50, 50 / 900)  # with one name, from anywhere


class Headers:
    """Puts the headers on every answer, a fault or a redirect among them, as one of Tornado's output transforms."""

    def __init__(self, request: Any) -> None:
        """Take a request, of which nothing is needed."""

    def transform_first_chunk(self, status_code: int, headers: Any, chunk: bytes, finishing: bool) -> Any:
        """Add those that are not there."""
        for name, value in HEADERS.items():
            headers.setdefault(name, value)
        headers.pop("Server", None)
        return status_code, headers, chunk

    def transform_chunk(self, chunk: bytes, finishing: bool) -> bytes:
        """Leave the rest of an answer as it is."""
        return chunk


def visitor(handler: Any) -> str:
    """Return who asks: the name that signed in, else the network address."""
    if handler.application.auth_provider.get_user is not None:
        return f"name {handler.current_user}"
    return address_of(handler.request)


def address_of(request: Any) -> str:
    """Return a request's network address; nothing for this machine's own, which a proxy gives to everybody."""
    try:
        address = ip_address(request.remote_ip)
    except ValueError:
        return ""
    return "" if address.is_loopback else str(address)


class Page(DocHandler):
    """The live page: what is asked is looked at before a session is made for it."""

    async def get(self, *args: Any, **kwargs: Any) -> None:
        """Answer with the page, the way to it, or why it cannot be had."""
        query, prefix = self.request.query, self.application.prefix
        if len(query) > LONGEST_ADDRESS:
            return self._refuse(414, "The address is too long", f"It may have {LONGEST_ADDRESS:,} characters.")
        if prefix and self.request.path == prefix:
            return self.redirect(f"{prefix}/" + (f"?{query}" if query else ""))
        if self.current_user:
            VISITOR.set(visitor(self))
            if reason := self.settings["refusal"](VISITOR.get()):
                return self._refuse(503, *reason)
        answer = super().get(*args, **kwargs)
        if answer is not None:  # else it leads to signing in
            await answer

    def get_login_url(self) -> str:
        """Return where to sign in, under the prefix."""
        return f"{self.application.prefix}{self.application.auth_provider.login_url}"

    def write(self, chunk: Any) -> None:
        """Let the scripts of the page run, which are Panel's own: what a visitor gave is text in it."""
        if isinstance(chunk, str) and "Content-Security-Policy" not in self._headers:
            nonce = secrets.token_urlsafe(16)
            self.set_header("Content-Security-Policy", LIVE.format(nonce=nonce))
            chunk = chunk.replace("<script", f'<script nonce="{nonce}"')
        super().write(chunk)

    def _refuse(self, status: int, title: str, text: str) -> None:
        self.set_status(status)
        self.set_header("Content-Security-Policy", HEADERS["Content-Security-Policy"])
        self.set_header("Cache-Control", "no-store")
        self.finish(REFUSED.format(title=escape(title), text=escape(text)))


class Cookies:
    """Cookies that no script reads and no other site's page sends, nor a plain connection where there is a safe one."""

    request: Any

    def set_cookie(self, name: str, value: Any, *args: Any, **given: Any) -> None:
        """Set one."""
        flags = {"httponly": True, "samesite": "Lax", "secure": self.request.protocol == "https"}
        super().set_cookie(name, value, *args, **(given | flags))  # type: ignore[misc]


class SignIn(Cookies, auth.BasicLoginHandler):
    """The form, which takes only so many wrong answers."""

    def post(self) -> None:
        """Let in, ask again, or say how long to wait."""
        wait = max(FAILURES.wait(address_of(self.request)), NAME_FAILURES.wait(self._name()))
        if not wait:
            super().post()  # type: ignore[no-untyped-call]
            return
        self.set_status(429)
        self.set_header("Retry-After", str(math.ceil(wait)))
        minutes = math.ceil(wait / 60)
        self.finish(self._login_template.render(login_endpoint=self._login_endpoint, errormessage="", wait=minutes))

    def _name(self) -> str:
        return str(self.get_argument("username", ""))[:100]

    def _validate(self, username: str, password: str) -> bool:
        users = json.loads(Path(self.settings["users"]).read_text(encoding="utf-8"))
        right = hmac.compare_digest(users.get(username, "").encode(), password.encode()) and username in users
        if not right:
            FAILURES.spend(address_of(self.request))
            NAME_FAILURES.spend(self._name())
        return bool(right)


class SignOut(Cookies, auth.LogoutHandler):
    """Clears the cookies."""


def install(socket: type[WSHandler]) -> None:
    """Put these, and ``socket`` for messages, in place of Panel's and Bokeh's own; a test pins what is replaced.

    The site is not to be put into other pages, so the routes for that are left out.
    """
    per_app_patterns[:] = [(r"/ws", socket), (r"/?", Page)]
    for name, ours in (("BasicLoginHandler", SignIn), ("LogoutHandler", SignOut)):
        setattr(auth, name, ours)
