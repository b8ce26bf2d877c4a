"""One server on this machine for all browser tests, and one browser: the system's Chromium."""

import shutil
import socket
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCREENS = ROOT / "build" / "screens"


def missing():
    try:
        import axe_playwright_python  # noqa: F401
        import playwright  # noqa: F401
    except ModuleNotFoundError as problem:
        return f"{problem.name} is not installed: make setup"
    return "" if chromium() else "Chromium is not installed: apt install chromium"


def chromium():
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def pytest_collection_modifyitems(items):
    lacking = missing()
    for item in items:
        if lacking and Path(item.fspath).parent == Path(__file__).parent:
            item.add_marker(pytest.mark.skip(reason=f"browser tests: {lacking}"))


@pytest.fixture(scope="session")
def address(fit_cache, dozen, small_scenario):
    from toolkit.apps.live import Live
    from toolkit.apps.server import serve

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = serve(Live(fit_cache, statistics=dozen, base=small_scenario), port=port, threaded=True)
    yield f"http://127.0.0.1:{port}/"
    server.stop()


@pytest.fixture(scope="session")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        shown = play.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield shown
        shown.close()


class Visitor:
    """A person at a browser of their own."""

    def __init__(self, browser, address, query="", *, width=1280, height=900):
        self.context = browser.new_context(viewport={"width": width, "height": height}, accept_downloads=True)
        self.context.set_default_timeout(90_000)  # of a machine with much else to do
        self.page, self.address, self.elsewhere, self.faults = self.context.new_page(), address, [], []
        self.page.on("request", self._asked)
        self.page.on("pageerror", lambda fault: self.faults.append(str(fault)))
        self.open(query)

    def _asked(self, request):
        if not request.url.startswith((self.address, self.address.replace("http", "ws", 1), "data:", "blob:")):
            self.elsewhere.append(request.url)

    def open(self, query):
        self.page.goto(self.address + query)
        self.page.get_by_text("of cost over children").or_(self.page.get_by_role("alert")).first.wait_for(
            timeout=60_000
        )
        self.page.locator("#lead").wait_for(state="detached", timeout=60_000)  # what is read before the live page

    def sentence(self):
        return self.page.get_by_text("of cost over children").first.inner_text()

    def go(self, name, heading):
        self.page.get_by_role("tab", name=name).click()
        self.page.get_by_role("heading", level=1, name=heading).wait_for(timeout=30_000)

    def until(self, script, what=None):
        self.page.wait_for_function(script, arg=what, timeout=60_000)

    def close(self):
        self.context.close()


@pytest.fixture
def visit(browser, address):
    opened = []

    def come(query="", **given):
        opened.append(Visitor(browser, address, query, **given))
        return opened[-1]

    yield come
    for visitor in opened:
        visitor.close()
