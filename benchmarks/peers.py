"""The same readings and questions beside InfluxDB, both over HTTP on loopback, in one run: `make bench-peers`."""

import argparse
import http.client
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.ipc as ipc

from benchmarks.influx import Influx, influxdb
from benchmarks.served_site import Served, served
from forewarn.kit.clock import to_rfc3339

SIGNALS = 10_000
START_S = 1_760_000_400  # a whole hour, so that both cut buckets alike


class Load:
    """`count` seconds of SIGNALS signals at 1 Hz, quantised to 0.01; bodies for both are made beforehand."""

    def __init__(self, ids: list[str], count: int) -> None:
        rng = np.random.default_rng(7)
        level = rng.uniform(20, 80, len(ids))
        names = pa.array(ids)
        codes = pa.array(np.arange(len(ids), dtype=np.int32))
        self.ours: list[bytes] = []
        self.theirs: list[bytes] = []
        for n in range(count):
            level += rng.normal(0, 0.05, len(ids))
            value, at = np.round(level, 2), START_S + n
            time_us = pa.array(np.full(len(ids), at * 1_000_000))
            table = pa.table(
                [pa.DictionaryArray.from_arrays(codes, names), time_us, pa.array(value)],
                names=["sensor_id", "timestamp", "value"],
            )
            sink = pa.BufferOutputStream()
            with ipc.new_stream(sink, table.schema) as writer:
                writer.write_table(table)
            self.ours.append(sink.getvalue().to_pybytes())
            lines = (f"r,s={s} v={v} {at}" for s, v in zip(ids, value.tolist(), strict=True))
            self.theirs.append("\n".join(lines).encode())
        self.readings = count * len(ids)
        self.end_s = START_S + count


class Forewarn:
    """One keep-alive connection to a site."""

    def __init__(self, site: Served) -> None:
        self._http = http.client.HTTPConnection(site.host, site.port, timeout=300)

    def write(self, body: bytes, sequence: int) -> None:
        headers = {
            "Content-Type": "application/vnd.apache.arrow.stream",
            "Forewarn-Gateway": "peers",
            "Forewarn-Sequence": str(sequence),
        }
        self._http.request("POST", "/api/v1/telemetry/batch", body, headers)
        answer = self._http.getresponse()
        told = json.loads(answer.read())
        if answer.status != http.client.ACCEPTED or told["rejected"]:
            raise RuntimeError(told)

    def ask(self, path: str) -> dict[str, object]:
        self._http.request("GET", path)
        answer = self._http.getresponse()
        told = json.loads(answer.read())
        if answer.status != http.client.OK:
            raise RuntimeError(told)
        return dict(told)


def p95_ms(question: Callable[[], object], times: int) -> float:
    """Of `times` askings after one that is not counted."""
    question()
    took = []
    for _ in range(times):
        began = time.perf_counter()
        question()
        took.append(time.perf_counter() - began)
    return float(np.percentile(took, 95)) * 1e3


def ingest(forewarn: Forewarn, influx: Influx, load: Load) -> tuple[float, float]:
    """Readings a second of each, one request after the other, each acknowledged before the next."""
    began = time.perf_counter()
    for sequence, body in enumerate(load.ours):
        forewarn.write(body, sequence)
    ours = load.readings / (time.perf_counter() - began)
    began = time.perf_counter()
    for body in load.theirs:
        influx.write(body)
    return ours, load.readings / (time.perf_counter() - began)


def questions(
    forewarn: Forewarn, influx: Influx, ids: list[str], load: Load
) -> list[tuple[str, Callable[[], object], Callable[[], object]]]:
    span = f"time >= {START_S}s AND time < {load.end_s}s"
    window = f"start={to_rfc3339(START_S * 1_000_000)}&end={to_rfc3339(load.end_s * 1_000_000)}"
    statistics = "mean(v),min(v),max(v),stddev(v),count(v)"
    one = ids[7]
    return [
        (
            "latest of one machine's 100 signals",
            lambda: forewarn.ask("/api/v1/assets/m0"),
            lambda: influx.ask("SELECT last(v) FROM r WHERE s =~ /^m0\\./ GROUP BY s"),
        ),
        (
            "one signal, 1-minute statistics",
            lambda: forewarn.ask(f"/api/v1/sensors/{one}/timeseries?{window}&aggregation=1m"),
            lambda: influx.ask(f"SELECT {statistics} FROM r WHERE s='{one}' AND {span} GROUP BY time(1m)"),
        ),
        (
            "one signal, every reading",
            lambda: forewarn.ask(f"/api/v1/sensors/{one}/timeseries?{window}&aggregation=raw"),
            lambda: influx.ask(f"SELECT v FROM r WHERE s='{one}' AND {span}"),
        ),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "influx").mkdir()
        with served(folder, None) as site, influxdb(folder / "influx") as influx:
            ids: list[str] = json.loads(site.signals_file.read_text())
            load = Load(ids, 60 if quick else 600)
            forewarn = Forewarn(site)
            ours, theirs = ingest(forewarn, influx, load)
            print(f"{load.readings / 1e6:.1f} M readings, {len(ids)} signals at 1 Hz, 10,000 a request")
            print("Forewarn scores what it stores; InfluxDB stores. A ratio over 1 speaks for Forewarn.\n")
            print(f"{'':44}{'Forewarn':>14}{'InfluxDB':>14}{'ratio':>9}")
            print(f"{'ingest, readings/s':44}{ours:14,.0f}{theirs:14,.0f}{ours / theirs:8.1f}x")
            for label, ask_ours, ask_theirs in questions(forewarn, influx, ids, load):
                mine, other = p95_ms(ask_ours, 40), p95_ms(ask_theirs, 20)
                print(f"{label + ', p95 ms':44}{mine:14.1f}{other:14.1f}{other / mine:8.1f}x")
            time.sleep(35)  # both write their last readings to disk by themselves
            at_rest = sum(f.stat().st_size for f in (folder / "site/historian").rglob("*") if f.is_file())
            mine, other = at_rest / load.readings, influx.bytes_at_rest() / load.readings
            print(f"{'bytes a reading at rest':44}{mine:14.2f}{other:14.2f}{other / mine:8.1f}x")


if __name__ == "__main__":
    main()
