"""What one visitor can do to the server, from another process: nothing that others would notice."""

import asyncio
import base64
import contextlib
import gzip
import http.client
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from itertools import count
from types import SimpleNamespace

import pytest
from bokeh.util.token import generate_jwt_token
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from tests.browser.conftest import ROOT, free_port
from tests.browser.test_server import NoRedirect
from toolkit.apps.session import wire

pytestmark = pytest.mark.long
# The server as it is, with a page that needs no fitted model.
SMALL = """
import json, sys
import panel_material_ui as pmui
from toolkit.apps import server
from toolkit.apps.parts import fields
server._warm = lambda live: None
server.site = lambda live: pmui.Column(
    pmui.TextInput(label="Words", name="words"), fields.upload("A file", ".csv", len), name="all"
)
server.ARRIVES_WITHIN = 3.0
server.IDLE_SESSION_ENDS = 4500  # milliseconds; looked at every 300
server.serve(None, most=6, **json.loads(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def small():
    port = free_port()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    process = subprocess.Popen([sys.executable, "-c", SMALL, json.dumps({"port": port})], env=environment)
    until = time.monotonic() + 300  # of a machine with much else to do
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError):
            ask(port, "/assets/access.js")
            break
        time.sleep(0.2)
    yield SimpleNamespace(port=port, pid=process.pid)
    process.terminate()
    process.wait(20)


def ask(port, path, *, data=None, **headers):
    """Return the status, the headers and the text of an answer."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=data, headers=given)
    try:
        with urllib.request.build_opener(NoRedirect).open(request, timeout=60) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.headers, refused.read().decode()


def megabytes(pid):
    with open(f"/proc/{pid}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1]) / 1000


def cpu(pid):
    """Return the seconds of processor that a process has used."""
    with open(f"/proc/{pid}/stat") as stat:
        parts = stat.read().rpartition(")")[2].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


VISITS = iter(range(1, 250))


@contextlib.asynccontextmanager
async def visitor(port, token=""):
    """Come as a browser that sends what it likes, from an address of its own, and go."""
    browser = Browser()
    try:
        yield await browser.come(port, token)
    finally:
        browser.line.close()
        with contextlib.suppress(TimeoutError):
            await browser.heard(lambda part: None, 5)


class Browser:
    """As what it comes and what it hears."""

    async def come(self, port, token=""):
        self.port, self.address = port, f"10.0.0.{next(VISITS)}"
        if not token:
            page = await asyncio.to_thread(ask, port, "/", X_Forwarded_For=self.address)
            token = re.search(r'"token":"([^"]+)"', page[2])[1]
        self.token = token
        headers = {"Origin": f"http://127.0.0.1:{port}", "X-Forwarded-For": self.address}
        request = HTTPRequest(f"ws://127.0.0.1:{port}/ws", headers=headers)
        self.line = await websocket_connect(request, subprotocols=["bokeh", token])
        await self.line.read_message()  # ACK comes in three parts, as every message
        return self

    async def send(self, kind, content, *buffers):
        header = {"msgid": "1", "msgtype": kind, "num_buffers": len(buffers)}
        with contextlib.suppress(Exception):  # it may have been closed
            for part in (json.dumps(header), "{}", content or "{}"):
                await self.line.write_message(part)
            for buffer in buffers:
                await self.line.write_message('{"id": "b"}')
                await self.line.write_message(buffer, binary=True)

    async def document(self):
        await self.send("PULL-DOC-REQ", "")
        return await self.heard(lambda part: '"doc"' in part and part)

    async def heard(self, what, seconds=60):
        """Wait for a part of a message, or None for a connection that was closed."""
        until = time.monotonic() + seconds
        while (part := await asyncio.wait_for(self.line.read_message(), until - time.monotonic())) is not None:
            if isinstance(part, str) and (found := what(part)):
                return found
        return None

    async def closed(self):
        """Wait until the server has closed the connection, and return its code."""
        await self.heard(lambda part: None)
        return self.line.close_code or "closed"


def component(document, kind):
    """Return the id of a component, and of the model of its values."""
    view = re.search(rf'"id":"(p\d+)","attributes":\{{"external_resources":null,"name":"{kind}"', document)
    return view[1], re.search(rf'"name":"{kind}1","id":"(p\d+)"', document)[1]


def patch(*events):
    return json.dumps({"events": events})


def change(new, model="p1", attr="name"):
    return {"kind": "ModelChanged", "model": {"id": model}, "attr": attr, "new": new}


UNPACKED = base64.b64encode(gzip.compress(b"\0" * 300_000_000)).decode()


HOSTILE = {
    "unpacks": patch(change({"type": "bytes", "data": UNPACKED})),
    "reserves": patch(change({"type": "ndarray", "array": ["a"] * 1000, "shape": [1000], "dtype": "U1000000"})),
    "builds": patch(change([{"type": "object", "name": "Figure", "id": f"q{k}"} for k in range(15_000)], attr="tags")),
    "adds": patch({"kind": "RootAdded", "model": {"id": "p1"}}),
    "streams": patch({"kind": "ColumnsStreamed", "model": {"id": "p1"}, "attr": "data", "data": {}}),
    "long": patch("x" * 1_100_000),
    "nests": '{"events": ' + "[" * 100_000,
    "breaks": "{",
    "empty": "[]",
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_message_that_no_page_sends_ends_its_connection_before_it_costs(small, content):
    async def come():
        async with visitor(small.port) as browser:
            before = megabytes(small.pid)
            await browser.send("PATCH-DOC", content)
            assert await browser.closed()
            return megabytes(small.pid) - before

    assert asyncio.run(come()) < 60


def test_only_messages_of_pages_are_taken(small):
    async def come():
        async with visitor(small.port) as browser:
            await browser.send("PUSH-DOC", '{"doc": {}}')
            assert await browser.closed() == 1008

    asyncio.run(come())


def test_many_values_and_many_buffers_are_not_kept(small):
    async def come():
        async with visitor(small.port) as browser, visitor(small.port) as other:
            names = dict.fromkeys(re.findall(r'"id":"(p\d+)"', await browser.document()))
            before = megabytes(small.pid)
            for name in names:
                await browser.send("PATCH-DOC", patch(change("x" * 900_000, name)))
                await browser.send("PATCH-DOC", patch(change(["x" * 900_000], name, "tags")))
            await other.send("PATCH-DOC", patch(), *[b"\0" * 90_000] * 40)
            assert (await browser.closed(), await other.closed()) == (1008, 1008)
            return megabytes(small.pid) - before

    assert asyncio.run(come()) < 60


def upload(model, **message):
    """Return what a browser sends of a file."""
    entries = [["model", {"id": model}], ["data", {"type": "map", "entries": [list(row) for row in message.items()]}]]
    event = {"type": "event", "name": "data_event", "values": {"type": "map", "entries": entries}}
    return patch({"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": event})


def test_an_upload_is_as_large_as_what_was_sent_and_in_one_piece(small):
    async def come():
        async with visitor(small.port) as browser:
            view, _ = component(await browser.document(), "FileInput")
            given = {"status": "upload_event", "mime_type": "text/csv", "total_chunks": 10**9}
            before = megabytes(small.pid)
            for data in (2_000_000_000, [0] * 1000, "x" * 1000):  # Panel's own would make two gigabytes of the first
                await browser.send("PATCH-DOC", upload(view, name="a.csv", chunk=1, data=data, **given))
                assert await browser.heard(lambda part: '"OK"' in part)
            buffer = {"type": "bytes", "data": {"id": "b"}}
            for chunk in range(100):
                message = upload(view, name=f"{chunk}.csv", chunk=chunk, data=buffer, **given)
                await browser.send("PATCH-DOC", message, b"\0" * 600_000)
            assert await browser.heard(lambda part: '"OK"' in part)
            return megabytes(small.pid) - before

    assert asyncio.run(come()) < 60


def test_a_flood_of_messages_keeps_nobody_waiting(small):
    async def flood(browser, name):
        for k in count():
            await browser.send("PATCH-DOC", patch(*[change(f"{k} {step}", name, "value") for step in range(200)]))

    async def come():
        async with visitor(small.port) as loud, visitor(small.port) as quiet:
            _, name = component(await loud.document(), "TextInput")
            flooding, waits = asyncio.create_task(flood(loud, name)), []
            await asyncio.sleep(8)  # what is allowed at once is used up
            for _ in range(30):
                since = time.monotonic()
                await quiet.send("SERVER-INFO-REQ", "")
                assert await quiet.heard(lambda part: "version_info" in part)
                waits.append(time.monotonic() - since)
                await asyncio.sleep(0.1)
            flooding.cancel()
            return sorted(waits)

    used = cpu(small.pid)
    since = time.monotonic()
    waits = asyncio.run(come())
    share = (cpu(small.pid) - used - wire.COMPUTING.most) / (time.monotonic() - since)
    assert waits[len(waits) // 2] < 0.5 and share < 0.6


def test_half_a_character_is_replaced_and_no_fault(small):
    async def come():
        async with visitor(small.port) as browser:
            _, name = component(await browser.document(), "TextInput")
            await browser.send("PATCH-DOC", patch(change("\ud800 and a whole \U0001f600", name, "value")))
            assert await browser.heard(lambda part: '"OK"' in part)
            return json.dumps(json.loads(await browser.document()), ensure_ascii=False)

    assert "\ufffd and a whole \U0001f600" in asyncio.run(come())


def test_no_visitor_takes_more_than_half_of_the_places(small):
    def come(place):
        return ask(small.port, "/", X_Forwarded_For=place)

    until = time.monotonic() + 300
    while come("10.3.0.1")[0] != 200 and time.monotonic() < until:  # those before are still there
        time.sleep(1)
    assert [come("10.3.0.1")[0] for _ in range(3)] == [200, 200, 503]
    assert "Too many pages are open" in come("10.3.0.1")[2] and come("10.3.0.2")[0] == 200


def test_a_session_of_ones_own_making_is_not_opened(small):
    token = generate_jwt_token("mine", signed=False)

    async def come():
        request = HTTPRequest(f"ws://127.0.0.1:{small.port}/ws", headers={"Origin": f"http://127.0.0.1:{small.port}"})
        line = await websocket_connect(request, subprotocols=["bokeh", token])
        try:
            return await line.read_message()
        finally:
            line.close()

    assert asyncio.run(come()) is None


def test_the_live_page_runs_no_script_but_its_own(small):
    status, headers, page = ask(small.port, "/?<script>alert(1)</script>", X_Forwarded_For="10.4.0.1")
    policy = headers["Content-Security-Policy"]
    nonce = re.search("'nonce-([^']{16,})'", policy)[1]
    scripts = re.findall(r"<script[^>]*>", page)
    assert status == 200 and scripts and all(f'nonce="{nonce}"' in one for one in scripts)
    assert "alert(1)" not in page and "'unsafe-inline'" not in policy.partition("script-src")[2].partition(";")[0]
    assert "http:" not in policy and "https:" not in policy and "*" not in policy
    assert nonce not in ask(small.port, "/", X_Forwarded_For="10.4.0.1")[2]


def test_a_link_too_long_is_refused_before_a_page_is_made(small):
    status, _, page = ask(small.port, "/?" + "x" * 7_600)
    assert status == 414 and "may have 7,500 characters" in page
    with pytest.raises(http.client.RemoteDisconnected):
        ask(small.port, "/", Cookie="x" * 40_000)
