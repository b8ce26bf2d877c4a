"""One server on this machine for all browser tests, and one browser: the system's Chromium."""

import shutil
import socket
from pathlib import Path

import pytest

from tests.conftest import LEEDS
from tests.outlooks import small_outlook

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


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture(scope="session")
def live(fit_cache, dozen, small_scenario):
    """The evidence of all servers, warm: the first numbers of Leeds are there before anybody waits for them."""
    from toolkit.apps.engine import outlooks
    from toolkit.apps.engine.live import Live

    outlooks.forecast = lambda areas, **_: small_outlook(areas)  # whose fit takes minutes

    made = Live(fit_cache, statistics=dozen, base=small_scenario)
    made.run(made.preset("families_first"), (LEEDS,))
    return made


@pytest.fixture(scope="session")
def address(live):
    from toolkit.apps.server import serve

    port = free_port()
    server = serve(live, port=port, threaded=True)
    yield f"http://127.0.0.1:{port}/"
    server.stop()


@pytest.fixture(scope="session")
def browser():
    """One browser with one cache of scripts; every visit is a session of its own at the server all the same."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        shown = play.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        context = shown.new_context(accept_downloads=True)
        context.set_default_timeout(90_000)  # of a machine with much else to do
        yield context
        shown.close()


class Visitor:
    """A person at a browser of their own."""

    def __init__(self, browser, address, query="", *, width=1280, height=900):
        self.page, self.address, self.elsewhere, self.faults = browser.new_page(), address, [], []
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.on("request", self._asked)
        self.page.on("pageerror", lambda fault: self.faults.append(str(fault)))
        self.page.on("console", self._complained)
        self.open(query)

    def _asked(self, request):
        if not request.url.startswith((self.address, self.address.replace("http", "ws", 1), "data:", "blob:")):
            self.elsewhere.append(request.url)

    def _complained(self, message):  # as of a script or a style that the content policy forbids
        if message.type == "error" and not message.text.startswith("Upload error"):  # of a file too large
            self.faults.append(message.text)

    def open(self, query):
        self.page.goto(self.address + query)
        self.page.locator("#lead").wait_for(state="detached", timeout=60_000)  # what is read before the live page
        self.page.get_by_role("heading", level=1).or_(self.page.get_by_role("alert")).first.wait_for(timeout=60_000)

    def sentence(self):
        return self.page.get_by_text("of cost over children").first.inner_text()

    def home(self):
        """Go back to the evidence and the first page, as a visit begins."""
        self.go("Invest to save", "What would this investment do?")
        reset = self.page.get_by_role("button", name="Reset to the evidence")
        if reset.is_enabled():
            reset.click()
            self.until("() => location.search === '?place=Leeds'")
        self.at_rest()

    def go(self, name, heading):
        self.page.get_by_role("tab", name=name).click()
        self.page.get_by_role("heading", level=1, name=heading).wait_for(timeout=30_000)

    def at_rest(self):
        """Wait until nothing is being worked out, and what was drawn last has been painted."""
        self.page.get_by_text("Working out the numbers").first.wait_for(state="detached")
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def until(self, script, what=None):
        self.page.wait_for_function(script, arg=what, timeout=60_000)

    def close(self):
        self.page.close()


@pytest.fixture(scope="session")
def opened(browser, address):
    """One page for all tests that need not arrive, for arriving is most of what a test costs."""
    visitor = Visitor(browser, address, "?place=Leeds")
    yield visitor
    assert visitor.elsewhere == [] and visitor.faults == []
    visitor.close()


@pytest.fixture
def leeds(opened):
    """The open page of Leeds, back at the evidence."""
    opened.home()
    return opened


@pytest.fixture
def visit(browser, address):
    opened = []

    def come(query="", **given):
        opened.append(Visitor(browser, address, query, **given))
        return opened[-1]

    yield come
    for visitor in opened:
        visitor.close()
