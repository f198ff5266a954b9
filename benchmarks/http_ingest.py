"""HTTP ingest on loopback to durable acknowledgement: the specification's JSON, and Arrow.

Everything runs that runs in a plant: the line records, scores and judges what comes in, and a listener of the live feed
reads all signals of one asset. `behind`: seconds from the end of the load until all of it was recorded and judged.
Promises: JSON, 1,000 a request, 10,000 signals: 500,000 readings/s, under 1 GB resident. Arrow: 3 M readings/s.
Run: python -m benchmarks.http_ingest [--json] [--arrow] [--quick] [--url http://host:port]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx
import psutil

from benchmarks.served_site import Served, served


def peak_rss(process: psutil.Process, over: threading.Event, seen: list[int]) -> None:
    while not over.wait(0.2):
        seen.append(process.memory_info().rss)


def listen(url: str, signed: dict[str, str], over: threading.Event, heard: list[int]) -> None:
    """Count the readings that the live feed tells of the first asset."""
    asset = httpx.get(f"{url}/api/v1/assets", headers=signed).json()["assets"][0]["id"]
    with httpx.stream("GET", f"{url}/api/v1/live", params={"asset_id": asset}, timeout=30, headers=signed) as answer:
        for line in answer.iter_lines():
            if over.is_set():
                return
            if line.startswith("data: ") and '"time_ms"' in line:
                heard.append(len(json.loads(line[6:])["time_ms"]))


def seconds_behind(url: str, signed: dict[str, str]) -> float:
    """Until every stage of the line has handled what was acknowledged."""
    began = time.perf_counter()
    with httpx.Client(base_url=url, headers=signed) as client:
        while not any(check["detail"] == "0 batches behind" for check in client.get("/readyz").json()["checks"]):
            time.sleep(0.02)
    return time.perf_counter() - began


def load(site: Served, form: str, size: int, connections: int, seconds: float) -> None:
    """One run, one line."""
    command = [sys.executable, str(Path(__file__).parent / "load_client.py"), "--host", site.host]
    command += ["--port", str(site.port), "--signals", str(site.signals_file), "--format", form]
    command += ["--size", str(size), "--connections", str(connections), "--seconds", str(seconds)]
    over, seen = threading.Event(), [0]
    watcher: threading.Thread | None = None
    before = 0.0
    if site.process is not None:
        before = sum(site.process.cpu_times()[:2])
        watcher = threading.Thread(target=peak_rss, args=(site.process, over, seen))
        watcher.start()
    heard: list[int] = []
    threading.Thread(target=listen, args=(site.url, site.signed, over, heard), daemon=True).start()
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=True, env={**os.environ, "FOREWARN_KEY": site.key}
    )
    behind = seconds_behind(site.url, site.signed)
    over.set()
    if watcher is not None:
        watcher.join()
    r = json.loads(done.stdout)
    cpu = sum(site.process.cpu_times()[:2]) - before if site.process is not None else float("nan")
    print(
        f"{form:<6}{size:>8,}{connections:>6}{r['rate']:>14,.0f}/s"
        f"{r['p50'] * 1e3:>9.1f}{r['p95'] * 1e3:>9.1f}{r['p99'] * 1e3:>9.1f}"
        f"{cpu / r['wall'] * 100:>9.0f}%{cpu / (r['requests'] * size) * 1e6:>9.2f}{r['cpu'] / r['wall'] * 100:>9.0f}%"
        f"{max(seen) / 1e6:>9.0f}{sum(heard) / r['wall']:>9,.0f}/s{behind:>8.2f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--arrow", action="store_true")
    parser.add_argument("--quick", action="store_true", help="5 s a run instead of 60")
    parser.add_argument("--url", help="a server that runs already")
    options = parser.parse_args()
    seconds = 5.0 if options.quick else 60.0
    both = not (options.json or options.arrow)
    with tempfile.TemporaryDirectory() as scratch, served(Path(scratch), options.url) as site:
        print(
            "format    size conns      readings   ack p50   p95 ms   p99 ms  srv CPU us/read   client CPU   RSS MB"
            "  one asset  behind",
            flush=True,
        )
        if options.json or both:
            load(site, "json", 1_000, 4, seconds)
        if options.arrow or both:
            for size in (10_000, 50_000):
                load(site, "arrow", size, 4, min(seconds, 20.0))


if __name__ == "__main__":
    main()
