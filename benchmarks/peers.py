"""The same readings and questions beside InfluxDB, both over HTTP on loopback, in one run: `make bench-peers`.

Both acknowledge after fsync (InfluxDB 1.x fsyncs its write-ahead log at every write; the spool is SQLite, synchronous
FULL). One client asks both, over one keep-alive connection each, uncompressed, until the whole JSON answer is read;
both get the same askings, of signals drawn alike, and the same ones before that are not counted.
"""

import argparse
import http.client
import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.ipc as ipc
from numpy.typing import NDArray

from benchmarks.influx import Influx, influxdb
from benchmarks.served_site import GATEWAY, Served, served
from forewarn.kit.clock import to_rfc3339

START_S = 1_760_000_400  # a whole hour, so that both cut buckets alike
DAY_S = 86_400
ASKED, WARM_UP = 200, 30
LIVE_PER_S = 5  # bodies of 10,000 readings
HISTORIES = 10  # signals with a day of history
_GATEWAYS = count()


class Load:
    """Readings quantised to 0.01 at 1 Hz from start_s on, 10,000 a body, for both."""

    def __init__(self, ids: list[str], start_s: int, seconds: int) -> None:
        rng = np.random.default_rng(7)
        level = rng.uniform(20, 80, len(ids))
        self.ours: list[bytes] = []
        self.theirs: list[bytes] = []
        step = 10_000 // len(ids)
        for first in range(start_s, start_s + seconds, step):
            at = np.arange(first, min(first + step, start_s + seconds))
            steps = rng.normal(0, 0.05, (len(at), len(ids)))
            value = np.round(level + np.cumsum(steps, axis=0), 2)
            level = value[-1]
            self._add(ids, np.repeat(at, len(ids)), value.ravel())
        self.readings = seconds * len(ids)
        self.start_s, self.end_s = start_s, start_s + seconds

    def _add(self, ids: list[str], at: NDArray[np.int64], value: NDArray[np.float64]) -> None:
        codes = np.resize(np.arange(len(ids), dtype=np.int32), len(at))
        names = pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(ids))
        table = pa.table([names, at * 1_000_000, value], names=["sensor_id", "timestamp", "value"])
        sink = pa.BufferOutputStream()
        with ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        self.ours.append(sink.getvalue().to_pybytes())
        rows = zip(codes.tolist(), value.tolist(), at.tolist(), strict=True)
        self.theirs.append("\n".join(f"r,s={ids[s]} v={v} {t}" for s, v, t in rows).encode())


class Forewarn:
    """One keep-alive connection to a site."""

    def __init__(self, site: Served) -> None:
        self._http = http.client.HTTPConnection(site.host, site.port, timeout=300)
        self._signed = site.signed
        self._gateway, self._sequence = f"{GATEWAY}/peers-{next(_GATEWAYS)}", 0

    def write(self, body: bytes) -> None:
        self._sequence += 1
        headers = {
            "Content-Type": "application/vnd.apache.arrow.stream",
            "Forewarn-Gateway": self._gateway,
            "Forewarn-Sequence": str(self._sequence),
            **self._signed,
        }
        self._http.request("POST", "/api/v1/telemetry/batch", body, headers)
        answer = self._http.getresponse()
        told = json.loads(answer.read())
        if answer.status != http.client.ACCEPTED or told["rejected"]:
            raise RuntimeError(told)

    def ask(self, path: str) -> bytes:
        self._http.request("GET", path, headers=self._signed)
        answer = self._http.getresponse()
        told = answer.read()
        if answer.status != http.client.OK:
            raise RuntimeError(told)
        return told


@dataclass(frozen=True)
class Question:
    """rows: how many rows an answer has, of ours and theirs; both must tell the same."""

    label: str
    ours: Callable[[str], str]
    theirs: Callable[[str], str]
    ids: list[str]
    rows: Callable[[dict[str, Any]], int]


def ingest(forewarn: Forewarn, influx: Influx, load: Load) -> tuple[float, float]:
    """Readings a second of each, one request after the other, each acknowledged before the next."""
    began = time.perf_counter()
    for body in load.ours:
        forewarn.write(body)
    ours = load.readings / (time.perf_counter() - began)
    began = time.perf_counter()
    for body in load.theirs:
        influx.write(body)
    return ours, load.readings / (time.perf_counter() - began)


def questions(ids: list[str], fleet: Load, history: Load) -> list[Question]:
    statistics = "mean(v),min(v),max(v),stddev(v),count(v)"
    few = ids[:HISTORIES]

    def span(start_s: int, end_s: int) -> tuple[str, str]:
        window = f"start={to_rfc3339(start_s * 1_000_000)}&end={to_rfc3339(end_s * 1_000_000)}"
        return window, f"time >= {start_s}s AND time < {end_s}s"

    def series(
        label: str, asked: list[str], start_s: int, end_s: int, aggregation: str, select: str, grouped: str
    ) -> Question:
        ours, theirs = span(start_s, end_s)
        return Question(
            label,
            lambda i: f"/api/v1/sensors/{i}/timeseries?{ours}&aggregation={aggregation}",
            lambda i: f"SELECT {select} FROM r WHERE s='{i}' AND {theirs}{grouped}",
            asked,
            lambda told: len(told["data"]),
        )

    def minutes(label: str, asked: list[str], start_s: int, end_s: int) -> Question:
        return series(label, asked, start_s, end_s, "1m", statistics, " GROUP BY time(1m)")

    def readings(label: str, asked: list[str], start_s: int, end_s: int) -> Question:
        return series(label, asked, start_s, end_s, "raw", "v", "")

    until = history.end_s
    span_s = fleet.end_s - fleet.start_s
    return [
        Question(
            "latest of a machine's 100 signals",
            lambda i: f"/api/v1/assets/{i.partition('.')[0]}",
            lambda i: f"SELECT last(v) FROM r WHERE s =~ /^{i.partition('.')[0]}\\./ GROUP BY s",
            ids,
            lambda told: len(told["signals"]),
        ),
        minutes(f"{span_s} s of one of 10,000, minutes", ids, fleet.start_s, fleet.end_s),
        readings(f"{span_s} s of one of 10,000, readings", ids, fleet.start_s, fleet.end_s),
        minutes(f"1 day of one of {HISTORIES}, minutes", few, until - DAY_S, until),
        readings(f"1 hour of one of {HISTORIES}, readings", few, until - 3600, until),
    ]


def took_ms(ask: Callable[[str], bytes], of: Callable[[str], str], ids: list[str]) -> tuple[float, float]:
    """p50 and p95 of ASKED askings, after WARM_UP."""
    drawn = np.random.default_rng(5).choice(np.array(ids), WARM_UP + ASKED)
    took = []
    for one in drawn.tolist():
        asked = of(one)
        began = time.perf_counter()
        ask(asked)
        took.append(time.perf_counter() - began)
    p50, p95 = np.percentile(took[WARM_UP:], [50, 95]) * 1e3
    return float(p50), float(p95)


def agree(forewarn: Forewarn, influx: Influx, asked: list[Question]) -> float:
    """Seconds until both tell as many rows to every question. Raises RuntimeError after a minute."""
    began = time.perf_counter()
    for question in asked:
        one = question.ids[-1]
        theirs = influx.rows(influx.ask(question.theirs(one)))
        while (ours := question.rows(json.loads(forewarn.ask(question.ours(one))))) != theirs or not ours:
            if time.perf_counter() - began > 60:
                raise RuntimeError(f"{question.label}: {ours} rows, InfluxDB tells {theirs}")
            time.sleep(0.05)
    return time.perf_counter() - began


@contextmanager
def writing(write: Callable[[bytes], None], bodies: Iterator[bytes]) -> Iterator[None]:
    """LIVE_PER_S bodies a second meanwhile, over a connection of their own."""
    stop = threading.Event()

    def work() -> None:
        due = time.monotonic()
        while not stop.is_set() and (body := next(bodies, None)) is not None:
            write(body)
            due += 1 / LIVE_PER_S
            stop.wait(max(0.0, due - time.monotonic()))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def compare(site: Served, influx: Influx, asked: list[Question]) -> None:
    for question in asked:
        # Connections of their own, for an idle one is closed after some seconds.
        mine = took_ms(Forewarn(site).ask, question.ours, question.ids)
        other = took_ms(influx.another().ask, question.theirs, question.ids)
        figures = "".join(f"{m:10.2f}{o:10.2f}{o / m:8.1f}x" for m, o in zip(mine, other, strict=True))
        print(f"{question.label:38}{figures}", flush=True)


def compare_under_load(site: Served, influx: Influx, asked: list[Question], live: Load) -> None:
    ours, theirs = iter(live.ours), iter(live.theirs)
    for question in asked:
        with writing(Forewarn(site).write, ours):
            mine = took_ms(Forewarn(site).ask, question.ours, question.ids)
        with writing(influx.another().write, theirs):
            other = took_ms(influx.another().ask, question.theirs, question.ids)
        figures = "".join(f"{m:10.2f}{o:10.2f}{o / m:8.1f}x" for m, o in zip(mine, other, strict=True))
        print(f"{question.label:38}{figures}", flush=True)


def heading(text: str) -> None:
    names = "".join(f"{'Forewarn':>10}{'InfluxDB':>10}{'ratio':>9}" for _ in range(2))
    print(f"\n{text:38}{'p50 ms':>29}{'p95 ms':>29}\n{'':38}{names}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a minute of the fleet instead of ten")
    quick = parser.parse_args().quick
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "influx").mkdir()
        with served(folder, None) as site, influxdb(folder / "influx") as influx:
            ids: list[str] = json.loads(site.signals_file.read_text())
            seconds = 60 if quick else 600
            fleet = Load(ids, START_S, seconds)
            history = Load(ids[:HISTORIES], START_S - DAY_S, DAY_S)
            live = Load(ids, START_S + seconds, 60 if quick else 300)
            ours, theirs = ingest(Forewarn(site), influx, fleet)
            ingest(Forewarn(site), influx, history)
            asked = questions(ids, fleet, history)
            print(f"{fleet.readings / 1e6:.1f} M readings of {len(ids)} signals, 10,000 a request; and a day of 10")
            print("Forewarn scores what it stores; InfluxDB stores. A ratio over 1 speaks for Forewarn.\n")
            print(f"{'ingest, readings/s':38}{ours:10,.0f}{theirs:10,.0f}{ours / theirs:8.1f}x")
            print(f"{'until all of it is seen, s':38}{agree(Forewarn(site), influx, asked):10.1f}")
            heading("idle, just written")
            compare(site, influx, asked)
            time.sleep(35)  # both write their last readings to disk by themselves
            agree(Forewarn(site), influx, asked)
            heading("idle, at rest")
            compare(site, influx, asked)
            rest = influx.bytes_at_rest()
            at_rest = sum(f.stat().st_size for f in (folder / "site/historian").rglob("*") if f.is_file())
            heading("while 50,000 readings/s come in")
            compare_under_load(site, influx, asked, live)
            total = fleet.readings + history.readings
            mine, other = at_rest / total, rest / total
            print(f"\n{'bytes a reading at rest':38}{mine:10.2f}{other:10.2f}{other / mine:8.1f}x")


if __name__ == "__main__":
    main()
