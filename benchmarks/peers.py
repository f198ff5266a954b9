"""The same ingest and the same questions beside InfluxDB (Debian's package), in one run: `make bench-peers`."""

import argparse
import http.client
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from forewarn.plugins.batch_logs.sqlite_spool import BATCH_LOG

from benchmarks.store import SIGNALS, START, batches
from forewarn.domain.readings import ReadingBatch
from forewarn.plugins.historians.parquet import HISTORIAN

CONFIG = """
reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  index-version = "tsi1"
  max-series-per-database = 0
  query-log-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
  write-tracing = false
[monitor]
  store-enabled = false
"""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Influx:
    """What the comparison needs of InfluxDB 1.x: write line protocol, ask InfluxQL."""

    def __init__(self, port: int) -> None:
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def write(self, batch: ReadingBatch) -> None:
        at = int(batch.time[0]) // 1_000_000
        body = "\n".join(
            f"r,s={s} v={v} {at}" for s, v in zip(batch.signal.tolist(), batch.value.tolist(), strict=True)
        )
        self._http.request("POST", "/write?db=bench&precision=s", body)
        answer = self._http.getresponse()
        text = answer.read()
        if answer.status != 204:
            raise RuntimeError(text.decode())

    def ask(self, query: str) -> int:
        """Rows of the answer."""
        form = urllib.parse.urlencode({"db": "bench", "q": query, "epoch": "s"})
        self._http.request("POST", "/query", form, {"Content-Type": "application/x-www-form-urlencoded"})
        result = json.loads(self._http.getresponse().read())["results"][0]
        if "error" in result:
            raise RuntimeError(result["error"])
        return sum(len(series["values"]) for series in result.get("series", []))


@contextmanager
def influxdb(folder: Path) -> Iterator[Influx]:
    program = shutil.which("influxd")
    if program is None:
        print("InfluxDB is not installed. On Debian: apt-get install influxdb (no need to start the service)")
        sys.exit(1)
    port = _free_port()
    config = folder / "influxdb.conf"
    config.write_text(CONFIG.format(folder=folder, port=port, rpc=_free_port()))
    log = (folder / "influxdb.log").open("wb")
    process = subprocess.Popen([program, "-config", str(config)], stdout=log, stderr=log)
    try:
        for _ in range(100):
            time.sleep(0.1)
            try:
                influx = Influx(port)
                influx.ask("CREATE DATABASE bench")
                break
            except OSError:
                continue
        yield influx
    finally:
        process.terminate()
        process.wait(30)
        log.close()


def _timed(question: Callable[[], int], times: int) -> tuple[float, int]:
    rows = question()
    took = []
    for _ in range(times):
        began = time.perf_counter()
        question()
        took.append(time.perf_counter() - began)
    return float(np.percentile(took, 95)) * 1e3, rows


def _bytes(folder: Path) -> int:
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    load = batches(60 if quick else 360)
    readings = len(load) * SIGNALS
    end_us = START + len(load) * 1_000_000
    end_s = end_us // 1_000_000
    rows: list[tuple[str, float, float, bool]] = []
    with tempfile.TemporaryDirectory() as name, influxdb(Path(name)) as influx:
        folder = Path(name)
        log, historian = BATCH_LOG(folder / "log"), HISTORIAN(folder / "ours")
        began = time.perf_counter()
        for batch in load:
            log.append(batch).result()
        historian.append(log.read(0, 1 << 60))
        historian.flush()
        ours = readings / (time.perf_counter() - began)
        began = time.perf_counter()
        for batch in load:
            influx.write(batch)
        theirs = readings / (time.perf_counter() - began)
        rows.append(("ingest, 10,000 a batch, readings/s", ours, theirs, True))
        hundred = np.arange(1, 101, dtype=np.int32)
        one = np.array([7], np.int32)
        start_s = START // 1_000_000
        among = "s =~ /^([1-9]|[1-9][0-9]|100)$/"
        span = f"time >= {start_s}s AND time < {end_s}s"
        questions: list[tuple[str, Callable[[], int], Callable[[], int]]] = [
            (
                "latest of 100 signals, p95 ms",
                lambda: len(historian.latest(hundred)),
                lambda: influx.ask(f"SELECT last(v) FROM r WHERE {among} GROUP BY s"),
            ),
            (
                "one signal in 1-minute buckets, p95 ms",
                lambda: len(historian.aggregate(one, START, end_us, 60_000_000)),
                lambda: influx.ask(
                    f"SELECT mean(v),min(v),max(v),stddev(v),count(v) FROM r WHERE s='7' AND {span} GROUP BY time(1m)"
                ),
            ),
            (
                "all signals hourly, p95 ms",
                lambda: len(historian.aggregate(None, START, end_us, 3_600_000_000)),
                lambda: influx.ask(
                    f"SELECT mean(v),min(v),max(v),stddev(v),count(v) FROM r WHERE {span} GROUP BY time(1h), s"
                ),
            ),
        ]
        for label, ask_ours, ask_theirs in questions:
            mine, _ = _timed(ask_ours, 20)
            other, _ = _timed(ask_theirs, 5)
            rows.append((label, mine, other, False))
        rows.append(("bytes a reading", _bytes(folder / "ours") / readings, _bytes(folder / "data") / readings, False))
        historian.close()
        log.close()
    print(f"{readings / 1e6:.1f} M readings, {SIGNALS} signals at 1 Hz; ratio > 1 speaks for Forewarn\n")
    print(f"{'':42}{'Forewarn':>14}{'InfluxDB 1.6':>14}{'ratio':>9}")
    for label, mine, other, more_is_better in rows:
        ratio = mine / other if more_is_better else other / mine
        print(f"{label:42}{mine:14,.2f}{other:14,.2f}{ratio:8.1f}x")


if __name__ == "__main__":
    main()
