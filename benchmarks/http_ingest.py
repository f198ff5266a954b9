"""HTTP ingest on loopback to durable acknowledgement: the specification's JSON, and Arrow.

Promises: JSON, 1,000 a request, 10,000 signals: 500,000 readings/s, under 1 GB resident. Arrow: 3 M readings/s.
Run: python -m benchmarks.http_ingest [--json] [--arrow] [--quick] [--url http://host:port]
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import psutil

from benchmarks.served_site import Served, served


def peak_rss(process: psutil.Process, over: threading.Event, seen: list[int]) -> None:
    while not over.wait(0.2):
        seen.append(process.memory_info().rss)


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
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    over.set()
    if watcher is not None:
        watcher.join()
    r = json.loads(done.stdout)
    cpu = sum(site.process.cpu_times()[:2]) - before if site.process is not None else float("nan")
    print(
        f"{form:<6}{size:>8,}{connections:>6}{r['rate']:>14,.0f}/s"
        f"{r['p50'] * 1e3:>9.1f}{r['p95'] * 1e3:>9.1f}{r['p99'] * 1e3:>9.1f}"
        f"{cpu / r['wall'] * 100:>9.0f}%{cpu / (r['requests'] * size) * 1e6:>9.2f}{r['cpu'] / r['wall'] * 100:>9.0f}%"
        f"{max(seen) / 1e6:>9.0f}",
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
            "format    size conns      readings   ack p50   p95 ms   p99 ms  srv CPU us/read   client CPU   RSS MB",
            flush=True,
        )
        if options.json or both:
            load(site, "json", 1_000, 4, seconds)
        if options.arrow or both:
            for size in (10_000, 50_000):
                load(site, "arrow", size, 4, min(seconds, 20.0))


if __name__ == "__main__":
    main()
