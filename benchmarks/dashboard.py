"""Time the dashboard in a browser: moves to painted charts, a fast drag, first paint, memory, many at once.

``python -m benchmarks.dashboard --moves 200 --sessions 50 --seconds 120`` needs the fit in ``build/cache``,
Chromium and the development packages. It prints a table for RESULTS.md; other work on the machine shows in it.
"""

import argparse
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np

SLIDER = "Pounds a year"
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


def served(build):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "toolkit.cli", "dashboard", "--port", str(port), "--build", str(build)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(600):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60)
            return process, f"http://127.0.0.1:{port}/"
        except OSError:
            time.sleep(0.5)
    raise SystemExit("the dashboard did not start")


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
        drags = [drag(page) for _ in range(5)]
        yield "fast drag of 120 moves: last move to last paint, five times, ms", ", ".join(f"{d:.0f}" for d in drags)
        few = max(5, count // 20)
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


def together(address, process, sessions, seconds):
    """Open many pages, then press a key in all of them at once, again and again."""
    from playwright.sync_api import sync_playwright

    from tests.browser.conftest import chromium

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        pages = []
        for _ in range(sessions):
            page = browser.new_context(viewport={"width": 1280, "height": 1000}).new_page()
            page.add_init_script(f"({HOOK})()")
            arrive(page, address, "Leeds")
            page.get_by_role("slider", name=SLIDER).focus()
            pages.append((page, memory(process)))
        taken, faults, until = [], 0, time.monotonic() + seconds
        while time.monotonic() < until:
            for page, _ in pages:
                page.keyboard.press("ArrowRight")
            for page, _ in pages:
                try:
                    page.wait_for_function(QUIET, timeout=30_000, polling=50)
                    taken.append(page.evaluate("() => paint.last - paint.start"))
                except Exception:
                    faults += 1
        browser.close()
    each = (pages[-1][1] - pages[0][1]) / max(1, sessions - 1)
    name = f"{sessions} sessions at once for {seconds} s: p50 / p95 ms, moves, errors"
    yield "memory of each further session, MB", f"{each:.1f}"
    yield name, f"{spread(taken)}, {len(taken)}, {faults}"


def main():
    asked = argparse.ArgumentParser()
    asked.add_argument("--moves", type=int, default=200)
    asked.add_argument("--sessions", type=int, default=50)
    asked.add_argument("--seconds", type=int, default=120)
    asked.add_argument("--england", action=argparse.BooleanOptionalAction, default=True)
    asked.add_argument("--build", type=Path, default=Path("build"))
    given = asked.parse_args()
    process, address = served(given.build)
    try:
        print("| measured | |\n|---|---|")
        for part in (
            in_browser(address, process, given.moves, given.england),
            together(address, process, given.sessions, given.seconds) if given.sessions else (),
        ):
            for name, value in part:
                print(f"| {name} | {value} |", flush=True)
        print(f"load of the machine: {os.getloadavg()}")
    finally:
        process.terminate()
        process.wait(20)


if __name__ == "__main__":
    main()
