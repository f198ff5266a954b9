"""The web page: CPU a second for 20 live charts of an hour at 1 Hz each, and the JavaScript of the first load.

`python -m benchmarks.page [--quick]`. CPU is TaskDuration of the page's main thread from Chromium's own metrics:
script, layout, paint on a canvas without a GPU and garbage collection together, nothing subtracted. The product redraws
a live chart when time has moved by half a pixel (2.8 s for an hour on these charts); the second row redraws always.
"""

import argparse
import functools
import http.server
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Final

from playwright.sync_api import CDPSession, Page, sync_playwright

WEB: Final = Path(__file__).parents[1] / "web"
CHROMIUM: Final = "/usr/bin/chromium"
FLAGS: Final = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WARM_UP: Final = 4


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the table is the output."""


def served(folder: Path) -> http.server.ThreadingHTTPServer:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def metric(session: CDPSession, name: str) -> float:
    metrics = session.send("Performance.getMetrics")["metrics"]
    return float(next(m["value"] for m in metrics if m["name"] == name))


def wait_for_ticks(page: Page, count: int) -> None:
    while int(page.evaluate("benchTicks()")) < count:
        time.sleep(0.2)


def chart_cost(ticks: int, query: str = "") -> tuple[float, float]:
    """Milliseconds of main-thread time a tick for all charts, and the JavaScript heap in MB."""
    server = served(WEB / "dist" / "bench")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": 1500})
        page.goto(f"http://127.0.0.1:{server.server_port}/index.html{query}")
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable")
        wait_for_ticks(page, WARM_UP)
        before, first = metric(session, "TaskDuration"), int(page.evaluate("benchTicks()"))
        wait_for_ticks(page, WARM_UP + ticks)
        after, last = metric(session, "TaskDuration"), int(page.evaluate("benchTicks()"))
        heap = metric(session, "JSHeapUsedSize") / 1e6
        browser.close()
    server.shutdown()
    return (after - before) / (last - first) * 1000, heap


def npm(script: str) -> str:
    done = subprocess.run(["npm", "run", "--silent", script], cwd=WEB, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"npm run {script} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    ticks = 9 if parser.parse_args().quick else 30
    if not shutil.which("npm") or not (WEB / "node_modules").is_dir():
        raise SystemExit("npm and web/node_modules are needed: run `npm ci` in web/")
    npm("build")
    first_load = next(line for line in npm("budget").splitlines() if "first load" in line).split()[0]
    npm("build:bench")
    cpu_ms, heap_mb = chart_cost(ticks)
    every_ms, _ = chart_cost(ticks, "?every")
    print(f"{'20 charts x 3,600 points at 1 Hz, main-thread CPU a tick':<60} {cpu_ms:8.1f} ms   (at most 15)")
    print(f"{'the same when every chart is redrawn every second':<60} {every_ms:8.1f} ms")
    print(f"{'JavaScript heap of those charts':<60} {heap_mb:8.1f} MB")
    print(f"{'first-load JavaScript, gzip':<60} {float(first_load):8.1f} KB   (at most 260)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
