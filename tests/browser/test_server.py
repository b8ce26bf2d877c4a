"""The server as a council would run it: signed in, behind a prefix, refusing strangers and what they send."""

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import suppress
from types import SimpleNamespace

import pytest
from bokeh.server.util import check_allowlist
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

from tests.browser.conftest import ROOT, Visitor, free_port
from tests.conftest import DOZEN
from toolkit.apps.server import SECRET, free, settings
from toolkit.schema import InputError

SCRIPT = """
import json, sys
import panel as pn
from toolkit.apps import guard
from toolkit.apps.session import wire
from toolkit.apps.server import settings
guard.install(wire.Socket)
given = json.loads(sys.argv[1])
given["auth"] = __import__("pathlib").Path(given["auth"])
pn.serve({"": lambda: pn.pane.HTML("inside")}, refusal=lambda visitor: None, **settings(**given))
"""


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    users = tmp_path_factory.mktemp("users") / "users.json"
    users.write_text(json.dumps({"officer": "a long password"}))
    port = free_port()
    given = {"port": port, "prefix": "outcomes/", "auth": str(users), "allow_origin": ["https://council.example/"]}
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
    ask = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
    }
    assert fetch(guarded, "/outcomes/ws", Origin="http://evil.example", **ask) == 403


@pytest.mark.long
def test_the_page_of_an_allowed_origin_is_not_refused_for_its_scheme(guarded):
    given = urllib.parse.urlencode({"username": "officer", "password": "a long password"}).encode()
    cookies = answer(guarded, "/outcomes/login", given)[1].get_all("Set-Cookie")
    signed = "; ".join(one.partition(";")[0] for one in cookies)

    async def connect(origin):
        headers = {"Origin": origin, "Cookie": signed}
        line = await websocket_connect(HTTPRequest(f"ws://127.0.0.1:{guarded}/outcomes/ws", headers=headers))
        line.close()

    asyncio.run(connect("https://council.example"))
    for elsewhere in ("https://council.example.evil", "https://evil.example", "null"):
        with pytest.raises(HTTPClientError, match="403"):
            asyncio.run(connect(elsewhere))


def answer(port, path, data=None, **headers):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, headers)
    try:
        with urllib.request.build_opener(NoRedirect).open(request, timeout=20) as found:
            return found.status, found.headers, found.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.headers, refused.read().decode()


@pytest.mark.long
def test_without_its_last_slash_the_address_leads_to_the_page(guarded):
    status, headers, _ = answer(guarded, "/outcomes?place=Kent")
    assert (status, headers["Location"]) == (302, "/outcomes/?place=Kent")
    status, headers, _ = answer(guarded, headers["Location"])
    assert status == 302 and headers["Location"].startswith("/outcomes/login?next=")
    assert answer(guarded, headers["Location"])[0] == 200


@pytest.mark.long
@pytest.mark.parametrize("path", ["/outcomes/", "/outcomes/login", "/outcomes/static/js/bokeh.min.js", "/nothing"])
def test_every_answer_has_the_headers_that_protect_it(guarded, path):
    _, headers, _ = answer(guarded, path)
    assert headers["X-Content-Type-Options"] == "nosniff" and headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin" and "Server" not in headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "script-src" not in policy


@pytest.mark.long
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_no_script_and_no_other_site_has_the_cookies(guarded, scheme):
    given = urllib.parse.urlencode({"username": "officer", "password": "a long password"}).encode()
    for path, data in (("/outcomes/login", None), ("/outcomes/login", given), ("/outcomes/logout", None)):
        _, headers, _ = answer(guarded, path, data, **{"X-Forwarded-Proto": scheme, "X-Forwarded-For": "10.1.0.1"})
        cookies = headers.get_all("Set-Cookie")
        assert cookies and all("HttpOnly" in one and "SameSite=Lax" in one for one in cookies)
        assert all(("Secure" in one) == (scheme == "https") for one in cookies)


@pytest.mark.long
def test_passwords_cannot_be_tried_without_end(guarded):
    def sign_in(word, name="officer", place="10.2.0.1"):
        given = urllib.parse.urlencode({"username": name, "password": word}).encode()
        return answer(guarded, "/outcomes/login", given, **{"X-Forwarded-For": place})

    statuses = [sign_in("wrong", name)[0] for name in ("officer", "nobody") * 6]
    assert statuses[:10] == [302] * 10 and statuses[-2:] == [429, 429]
    status, headers, text = sign_in("a long password")
    assert status == 429 and 0 < int(headers["Retry-After"]) <= 100 and "Too many tries" in text
    status, headers, _ = sign_in("a long password", place="10.2.0.2")  # nor does anybody else wait for it
    assert status == 302 and "error" not in headers["Location"]


@pytest.mark.long
def test_requests_have_a_largest_size(guarded):
    assert answer(guarded, "/outcomes/?" + "x" * 8_000)[0] == 414
    with suppress(ConnectionError, urllib.error.URLError):  # closed while it is being sent
        assert answer(guarded, "/outcomes/login", b"username=" + b"x" * 200_000)[0] >= 400


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://outcomes.example.gov.uk", "outcomes.example.gov.uk"),
        (" HTTPS://Outcomes.Example.gov.uk:443/ ", "outcomes.example.gov.uk"),
        ("http://a.example:80", "a.example"),
        ("https://a.example:8443", "a.example:8443"),
        ("wss://a.example", "a.example"),
        ("a.example:443", "a.example"),
        ("a.example:5006", "a.example:5006"),
        ("localhost:5006", "localhost:5006"),
        ("[::1]:5006", "[::1]:5006"),
        ("10.0.0.5", "10.0.0.5"),
        ("https://straße.example", "strasse.example"),
        ("*.example.gov.uk", "*.example.gov.uk"),
    ],
)
def test_an_origin_is_taken_as_a_browser_shows_it(given, kept):
    allowed = settings(allow_origin=[given])["websocket_origin"]
    assert allowed == [kept]
    if "*" not in kept:
        shown = given.strip().casefold() if "://" in given else f"https://{given}"
        port = urllib.parse.urlsplit(shown).port  # of which a browser names no usual one
        host = kept if port in (None, 80, 443) else f"{kept.removesuffix(f':{port}')}:{port}"
        assert check_allowlist(host, allowed)


@pytest.mark.parametrize(
    "given",
    [
        "",
        "*",
        "https://",
        "https://a.example/outcomes",
        "a.example/outcomes",
        "ftp://a.example",
        "a b",
        "a.example:x",
        "a.example:99999",
        "user@a.example",
        "https://a.example?x=1",
        "*.*",
        "[::1",
        "\ud800",
        "x" * 100_000,
    ],
)
def test_what_is_no_origin_is_refused_at_once_with_the_fix(given):
    with pytest.raises(InputError, match=r"allow-origin .* Fix: ") as problem:
        settings(allow_origin=[given])
    assert len(str(problem.value)) < 300 and str(problem.value).isprintable()


@pytest.mark.parametrize(("given", "kept"), [("", ""), ("/", ""), ("outcomes", "/outcomes"), ("/a/b/", "/a/b")])
def test_a_path_is_taken_with_or_without_slashes(given, kept):
    assert settings(prefix=given)["prefix"] == kept


@pytest.mark.parametrize("given", ["/a b", "/(x)", "/../x", "https://a.example/x", "/a+"])
def test_what_is_no_path_is_refused_at_once(given):
    with pytest.raises(InputError, match=r"prefix .* Fix: "):
        settings(prefix=given)


def test_an_address_that_no_page_could_connect_to_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv(SECRET, "s" * 40)
    users = tmp_path / "users.json"
    users.write_text('{"officer": "a long password"}')
    with pytest.raises(InputError, match="--allow-origin"):
        settings(address="0.0.0.0", auth=users)
    assert settings(address="10.0.0.5", auth=users)["websocket_origin"] == ["10.0.0.5:5006"]
    assert settings(address="::1")["websocket_origin"][0] == "[::1]:5006"


def test_a_port_that_is_taken_is_found_before_the_fit():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(InputError, match="cannot be listened on"):
            free("127.0.0.1", taken.getsockname()[1])
    free("127.0.0.1", free_port())
    with pytest.raises(InputError, match=r"no such place\.example"):
        free("no such place.example", 5006)


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
        settings(address="0.0.0.0", auth=path, allow_origin=["outcomes.example"])


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
from toolkit.apps.engine.live import Live
cache, areas, given = json.loads(sys.argv[1])
statistics = evidence.load_statistics().sel(area=areas)
plan = [{"programme": "supporting_families", "pounds_per_child": [60.0] * 3}]
base = scenarios.change(scenarios.load("families_first"), plan=plan, draws=200, chains=2)
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
    arguments = json.dumps([str(fit_cache), DOZEN, given])
    process = subprocess.Popen([sys.executable, "-c", SMALL_SITE, arguments], env=environment)
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
    one.page.get_by_role("slider", name="Sum: times the plan").press("ArrowRight")  # so messages go both ways
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
