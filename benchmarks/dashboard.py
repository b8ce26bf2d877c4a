"""Time the dashboard in a browser: moves to painted charts, a fast drag, first paint, memory, many at once.

``python -m benchmarks.dashboard --moves 200 --sessions 50 --seconds 120`` needs the fit in ``build/cache``,
Chromium and the development packages. It prints a table for RESULTS.md; other work on the machine shows in it.
"""

import argparse
import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.websocket import websocket_connect

SLIDER = "Sum: times the plan"
HOOK = """
() => {
  window.paint = {last: 0, start: 0};
  for (const name of ["fill", "stroke", "fillRect", "drawImage", "clearRect", "fillText"]) {
    const held = CanvasRenderingContext2D.prototype[name];
    CanvasRenderingContext2D.prototype[name] = function (...given) {
      paint.last = performance.now();
      return held.apply(this, given);
    };
  }
  addEventListener("keydown", () => { paint.start = performance.now(); }, true);
  addEventListener("mousemove", () => { paint.moved = performance.now(); }, true);
}
"""
QUIET = "() => performance.now() - Math.max(paint.last, paint.start) > 250 && paint.last > paint.start"


@contextmanager
def serving(build):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "toolkit.cli", "dashboard", "--port", str(port), "--cache", str(build / "cache")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(600):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60)
            break
        except OSError:
            time.sleep(0.5)
    else:
        raise SystemExit("the dashboard did not start")
    try:
        yield process, f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait(20)


def spread(values):
    return f"{np.median(values):.0f} / {np.quantile(values, 0.95):.0f}"


def moves(page, count, name=SLIDER):
    slider = page.get_by_role("slider", name=name)
    slider.focus()
    taken = []
    for k in range(count + 3):
        slider.press("ArrowRight" if (k // 40) % 2 == 0 else "ArrowLeft")
        page.wait_for_function(QUIET, timeout=60_000, polling=30)
        taken.append(page.evaluate("() => paint.last - paint.start"))
    return taken[3:]


def cpu(process):
    """CPU seconds of a process so far."""
    ticks = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def arrive(page, address, place):
    """Open a place; seconds until its answer can be read, and until the live page has it."""
    start = time.perf_counter()
    page.goto(f"{address}?place={place}", wait_until="commit")
    page.get_by_text("of cost over children").first.wait_for(timeout=900_000)
    read = time.perf_counter() - start
    page.locator("#lead").wait_for(state="detached", timeout=900_000)
    return read, time.perf_counter() - start


def drag(page):
    box = page.get_by_role("slider", name=SLIDER).locator("xpath=..").bounding_box()
    page.mouse.move(box["x"] + 10, box["y"] + box["height"] / 2)
    page.mouse.down()
    for step in range(120):
        page.mouse.move(box["x"] + 10 + step * 1.5, box["y"] + box["height"] / 2)
        time.sleep(0.008)
    page.mouse.up()
    page.wait_for_timeout(3000)
    return page.evaluate("() => paint.last - paint.moved")


def in_browser(address, process, count, england):
    from playwright.sync_api import sync_playwright

    from tests.browser.conftest import chromium

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 2000})
        page.add_init_script(f"({HOOK})()")
        for name in ("first visit of the process", "next visit", "third visit"):
            read, live = arrive(page, address, "Leeds")
            yield f"{name}: headline to read / live page, s", f"{read:.1f} / {live:.1f}"
        page.wait_for_timeout(3000)
        before = cpu(process)
        yield f"Leeds: key press to last of four charts, {count} moves, p50 / p95 ms", spread(moves(page, count))
        yield "of which CPU of the server, ms", f"{1000 * (cpu(process) - before) / (count + 3):.0f}"
        drags = []
        for _ in range(5):  # each on a new page: a browser takes a second one for dragging what is selected
            arrive(page, address, "Leeds")
            page.wait_for_timeout(2500)
            drags.append(drag(page))
        yield "fast drag of 120 moves: last move to last paint, five times, ms", ", ".join(f"{d:.0f}" for d in drags)
        few = min(6, count)  # and three to warm up: more would pass its end
        found = moves(page, few, "Share of the")
        yield f"Leeds: a change of the effect (a new walk), {few} moves, p50 / p95 ms", spread(found)
        if england:
            yield "England: first answer, s", f"{arrive(page, address, 'England')[1]:.0f}"
            page.wait_for_timeout(3000)
            before = cpu(process)
            yield f"England: key press to last of four charts, {count} moves, p50 / p95 ms", spread(moves(page, count))
            yield "of which CPU of the server, ms", f"{1000 * (cpu(process) - before) / (count + 3):.0f}"
        browser.close()


def memory(process):
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


class Session:
    """A visitor without a browser, who speaks Bokeh's protocol and is done with each answer at once."""

    async def open(self, address):
        page = (await AsyncHTTPClient().fetch(address + "?place=Leeds", request_timeout=120)).body.decode()
        token = re.search(r'"token":"([^"]+)"', page)[1]
        request = HTTPRequest(address.replace("http", "ws", 1) + "ws?place=Leeds", headers={"Origin": address[:-1]})
        self.socket = await websocket_connect(request, subprotocols=["bokeh", token], max_message_size=10**8)
        await self.receive()
        await self.send("PULL-DOC-REQ", {})
        self.found, self.answer, self.failed = {}, asyncio.Event(), None
        self.reader = asyncio.create_task(self.read())
        ready = {"type": "event", "name": "document_ready", "values": {"type": "map"}}
        event = {"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": ready}
        await self.send("PATCH-DOC", {"events": [event]})
        await asyncio.wait_for(self.answer.wait(), 60)
        return self

    async def read(self):
        """Take what comes, and give a receipt of each answer as a browser does when it has painted."""
        while True:
            header, content = await self.receive()
            if not {"slider", "painted"} <= set(self.found):
                self.look(content)
            said = max(map(int, re.findall(r'\["number", \[(\d+)\]\]', json.dumps(content))), default=0)
            told = said and "painted" in self.found  # not what comes before the page itself
            self.failed = content if header["msgtype"] == "ERROR" else None
            if self.failed or told:
                self.answer.set()
            if told:
                data = {"type": "map", "entries": [["number", [said]]]}
                await self.change(self.found["painted"], "data", data)

    def look(self, part):
        """Note the slider and the receipt among models."""
        if isinstance(part, list):
            for one in part:
                self.look(one)
        elif isinstance(part, dict):
            if str(part.get("attributes", {}).get("label", "")).startswith(SLIDER):
                self.found["slider"] = part["id"]
            if "args" in part.get("attributes", {}):
                for name, model in part["attributes"]["args"].get("entries", []):
                    self.found[name] = model["id"] if isinstance(model, dict) and "id" in model else None
            for one in part.values():
                self.look(one)

    async def receive(self):
        header, _, content = [json.loads(await self.socket.read_message()) for _ in range(3)]
        for _ in range(2 * header.get("num_buffers", 0)):
            await self.socket.read_message()
        return header, content

    async def send(self, kind, content):
        parts = ({"msgid": uuid.uuid4().hex, "msgtype": kind}, {}, content)
        # All are queued before anything is waited for: else a receipt and a move sent at once would mix.
        await asyncio.gather(*[self.socket.write_message(json.dumps(part)) for part in parts])

    async def change(self, model, name, value):
        events = [{"kind": "ModelChanged", "model": {"id": model}, "attr": name, "new": value}]
        await self.send("PATCH-DOC", {"events": events})

    async def move(self, pounds):
        start = time.perf_counter()
        self.answer.clear()
        await self.change(self.found["slider"], "value", pounds)
        await asyncio.wait_for(self.answer.wait(), 30)
        if self.failed:
            raise RuntimeError(self.failed)
        return 1000 * (time.perf_counter() - start)


async def crowd(address, process, sessions, seconds, pause):
    """Move the sum in many sessions, each of which waits for its answer, rests for a while and goes on."""
    opened, used = [], []
    for _ in range(sessions):
        opened.append(await Session().open(address))
        used.append(memory(process))
    taken, faults, rng, until = [], [], np.random.default_rng(1), time.monotonic() + seconds

    async def visit(session):
        await asyncio.sleep(rng.uniform(0, pause))
        pounds = int(rng.integers(10, 100))
        while time.monotonic() < until:
            try:
                pounds += 1 if pounds < 119 else -60
                taken.append(await session.move(pounds))
            except Exception as problem:
                faults.append(repr(problem))
            await asyncio.sleep(rng.exponential(pause))

    before = cpu(process)
    await asyncio.gather(*map(visit, opened))
    each = 1000 * (cpu(process) - before) / max(1, len(taken))
    what = f"{sessions} sessions for {seconds} s, {pause:g} s between moves"
    return {
        "memory of each further session, MB": f"{(used[-1] - used[0]) / max(1, sessions - 1):.1f}",
        f"{what}: p50 / p95 ms": spread(taken),
        "moves a second; server CPU, ms a move; errors": f"{len(taken) / seconds:.1f}; {each:.0f}; {len(faults)}",
        **({"first error": faults[0]} if faults else {}),
    }


def main():
    asked = argparse.ArgumentParser()
    asked.add_argument("--moves", type=int, default=200)
    asked.add_argument("--sessions", type=int, default=50)
    asked.add_argument("--seconds", type=int, default=120)
    asked.add_argument("--pause", type=float, default=1.0)
    asked.add_argument("--england", action=argparse.BooleanOptionalAction, default=True)
    asked.add_argument("--build", type=Path, default=Path("build"))
    given = asked.parse_args()
    print("| measured | |\n|---|---|")
    with serving(given.build) as (process, address):
        for name, value in in_browser(address, process, given.moves, given.england):
            print(f"| {name} | {value} |", flush=True)
    if given.sessions:
        with serving(given.build) as (process, address):  # a new one, for a server lets in only so many
            found = asyncio.run(crowd(address, process, given.sessions, given.seconds, given.pause))
        print("\n".join(f"| {name} | {value} |" for name, value in found.items()))
    print(f"load of the machine: {os.getloadavg()}")


if __name__ == "__main__":
    main()
