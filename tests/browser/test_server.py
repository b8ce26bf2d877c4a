"""The server as a council would run it: signed in, behind a prefix, refusing strangers and what they send."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

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
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    given = {"port": port, "prefix": "/outcomes", "auth": str(users), "allow_origin": ["council.example"]}
    environment = {**os.environ, SECRET: "s" * 40}
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, json.dumps(given)], env=environment)
    until = time.monotonic() + 60
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


def test_nobody_is_let_in_without_signing_in(guarded):
    assert fetch(guarded, "/outcomes/") == 302
    assert fetch(guarded, "/outcomes/login") == 200
    assert fetch(guarded, "/") == 404


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
