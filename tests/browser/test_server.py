"""The server as a council would run it: signed in, behind a prefix, refusing strangers and what they send."""

import asyncio
import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from types import SimpleNamespace

import pytest

from tests.browser.conftest import ROOT, Visitor, free_port
from tests.conftest import DOZEN
from toolkit.apps.server import SECRET, settings
from toolkit.schema import InputError

SCRIPT = """
import json, sys
import panel as pn
from toolkit.apps.server import settings
given = json.loads(sys.argv[1])
given["auth"] = __import__("pathlib").Path(given["auth"])
pn.serve({"": lambda: pn.pane.HTML("inside")}, **settings(**given))
"""


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    users = tmp_path_factory.mktemp("users") / "users.json"
    users.write_text(json.dumps({"officer": "a long password"}))
    port = free_port()
    given = {"port": port, "prefix": "/outcomes", "auth": str(users), "allow_origin": ["council.example"]}
    environment = {**os.environ, SECRET: "s" * 40}
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, json.dumps(given)], env=environment)
    until = time.monotonic() + 300  # of a machine with much else to do
    while time.monotonic() < until:
        try:
            fetch(port, "/outcomes/login")
            break
        except OSError:
            time.sleep(0.2)
    yield port
    process.terminate()
    process.wait(20)


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def fetch(port, path, **headers):
    opener = urllib.request.build_opener(NoRedirect)
    try:
        with opener.open(urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers), timeout=5) as found:
            return found.status
    except urllib.error.HTTPError as refused:
        return refused.code


@pytest.mark.long
def test_nobody_is_let_in_without_signing_in(guarded):
    assert fetch(guarded, "/outcomes/") == 302
    assert fetch(guarded, "/outcomes/login") == 200
    assert fetch(guarded, "/") == 404


@pytest.mark.long
def test_signing_in_asks_no_other_host_and_keeps_the_place(guarded):
    opener, here = urllib.request.build_opener(urllib.request.HTTPCookieProcessor()), f"http://127.0.0.1:{guarded}"

    def signed(word):
        given = urllib.parse.urlencode({"username": "officer", "password": word}).encode()
        return opener.open(here + "/outcomes/login", given, timeout=20)

    asked = opener.open(here + "/outcomes/?place=Kent", timeout=20).read().decode()
    assert "<h1>Sign in</h1>" in asked
    refused = signed("another password").read().decode()
    assert 'role="alert"' in refused
    for page in (asked, refused, opener.open(here + "/outcomes/logout", timeout=20).read().decode()):
        assert re.findall(r"(?:https?:)?//[\w.]+|url\(|@import", page) == [] and 'action="./login"' in page
    opener.open(here + "/outcomes/?place=Kent", timeout=20)
    assert signed("a long password").url == here + "/outcomes/?place=Kent"


@pytest.mark.long
def test_a_page_from_elsewhere_cannot_connect(guarded):
    ask = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
           "Sec-WebSocket-Version": "13"}  # fmt: skip
    assert fetch(guarded, "/outcomes/ws", Origin="http://evil.example", **ask) == 403


@pytest.mark.parametrize(
    ("content", "words"),
    [("{", "not readable"), ("[]", "mapping"), ('{"a": "short"}', "under"), ("{}", "mapping")],
)
def test_unusable_users_are_refused(tmp_path, monkeypatch, content, words):
    monkeypatch.setenv(SECRET, "s" * 40)
    path = tmp_path / "users.json"
    path.write_text(content)
    with pytest.raises(InputError, match=words):
        settings(auth=path)


def test_an_open_address_needs_signing_in_and_a_secret(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="--auth"):
        settings(address="0.0.0.0")
    monkeypatch.delenv(SECRET, raising=False)
    path = tmp_path / "users.json"
    path.write_text('{"officer": "a long password"}')
    with pytest.raises(InputError, match=SECRET):
        settings(address="0.0.0.0", auth=path)


async def relay(reader, writer, upstream):
    """Pass one connection on, as a council's proxy does, but only for paths under its prefix."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.split(b" ")[1].startswith(b"/outcomes"):
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return
        inner, out = await asyncio.open_connection("127.0.0.1", upstream)
        out.write(head)

        async def pipe(source, sink):
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
            sink.close()

        await asyncio.gather(pipe(reader, out), pipe(inner, writer))
    except (asyncio.IncompleteReadError, ConnectionError):
        pass  # the browser has gone
    finally:
        writer.close()


SMALL_SITE = """
import json, sys
from pathlib import Path
from toolkit import evidence, scenarios
from toolkit.apps import server
from toolkit.apps.live import Live
cache, areas, given = json.loads(sys.argv[1])
statistics = evidence.load_statistics().sel(area=areas)
base = scenarios.change(scenarios.load("family_help"), draws=200, chains=2)
live = Live(Path(cache), statistics=statistics, base=base)
server.IDLE_SESSION_ENDS = 4500  # milliseconds; looked at every 300
server.serve(live, most=2, **given)
"""


@pytest.fixture
def proxied(fit_cache):
    """A server with room for two, behind a proxy of this machine that serves it under a path."""
    upstream, outside = free_port(), free_port()
    given = {"port": upstream, "prefix": "/outcomes", "allow_origin": [f"127.0.0.1:{outside}"]}
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    told = json.dumps([str(fit_cache), DOZEN, given])
    process = subprocess.Popen([sys.executable, "-c", SMALL_SITE, told], env=environment)
    until = time.monotonic() + 300
    while time.monotonic() < until and process.poll() is None:
        try:
            fetch(upstream, "/outcomes/static/js/bokeh.min.js")
            break
        except OSError:
            time.sleep(0.3)
    loops = []

    async def pass_on():
        loops.append(asyncio.get_running_loop())
        loops.append(asyncio.Event())
        async with await asyncio.start_server(lambda r, w: relay(r, w, upstream), "127.0.0.1", outside):
            await loops[1].wait()

    thread = threading.Thread(target=asyncio.run, args=(pass_on(),), daemon=True)  # the browser has this thread's loop
    thread.start()
    yield SimpleNamespace(port=outside, stop=process.terminate)
    loops[0].call_soon_threadsafe(loops[1].set)
    thread.join(10)
    process.terminate()
    process.wait(20)


@pytest.mark.long
@pytest.mark.fit
def test_behind_a_proxy_it_works_and_a_full_or_a_lost_site_says_so(proxied, browser):
    address = f"http://127.0.0.1:{proxied.port}/outcomes/"
    one = Visitor(browser, address, "?place=Leeds")
    before = one.sentence()
    one.page.get_by_role("slider", name="Pounds a year").press("ArrowRight")  # so messages go both ways
    one.page.get_by_text(before, exact=True).first.wait_for(state="detached")
    assert one.elsewhere == [] and one.faults == []
    assert fetch(proxied.port, "/") == 404
    two, three = Visitor(browser, address), browser.new_page()
    three.goto(address)
    three.get_by_text("The site is full").wait_for()
    two.close()
    until = time.monotonic() + 300  # of a machine with much else to do
    while three.get_by_text("The site is full").count() and time.monotonic() < until:
        time.sleep(0.5)
        three.reload()
        three.get_by_text("The site is full").or_(three.get_by_text("of cost over children")).first.wait_for()
    assert three.get_by_text("of cost over children").count()
    lost = one.page.get_by_role("alert").filter(has_text="connection was lost")
    assert not lost.count() and one.page.locator('a[href="/outcomes/"]').count()
    proxied.stop()
    lost.wait_for()
    for page in (one.page, three):
        page.close()
