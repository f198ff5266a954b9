"""A load client in a process of its own: keep-alive connections, prebuilt bodies with the times patched in.

FOREWARN_KEY: the key of a machine named `bench`.
"""

import argparse
import asyncio
import json
import os
import time
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

PATH: Final = "/api/v1/telemetry/batch"
ARROW: Final = "application/vnd.apache.arrow.stream"


def _signed() -> dict[str, str]:
    return {"Authorization": f"Bearer {os.environ['FOREWARN_KEY']}"}


class JsonBodies:
    """The specification's JSON; every body differs by its timestamps and its sequence, of fixed width."""

    content_type = "application/json"

    def __init__(self, signals: list[str], size: int, gateway: str) -> None:
        rng = np.random.default_rng(len(gateway))
        self._gateway = gateway
        self._templates: list[bytes] = []
        for first in range(0, len(signals), size):
            ids = (signals * 2)[first : first + size]
            values = np.round(rng.normal(50, 5, size), 2).tolist()
            rows = [
                f'{{"sensor_id":"{i}","timestamp":@@@@@@@@@@@@@,"value":{v},"quality":"good"}}'
                for i, v in zip(ids, values, strict=True)
            ]
            body = f'{{"gateway_id":"{gateway}","timestamp":@@@@@@@@@@@@@,"sequence":%d,"readings":[{",".join(rows)}]}}'
            self._templates.append(body.encode())

    def body(self, number: int, sequence: int, at_ms: int) -> bytes:
        template = self._templates[number % len(self._templates)]
        return template.replace(b"@@@@@@@@@@@@@", b"%013d" % at_ms).replace(b"%d", b"%d" % sequence, 1)

    def headers(self, sequence: int) -> dict[str, str]:
        return _signed()


class ArrowBodies:
    """The same columns as an Arrow IPC stream; the time column is rewritten for every body."""

    content_type = ARROW

    def __init__(self, signals: list[str], size: int, gateway: str) -> None:
        self._gateway = gateway
        rng = np.random.default_rng(len(gateway))
        repeats = -(-size // len(signals))
        codes = np.tile(np.arange(len(signals), dtype=np.int32), repeats)[:size]
        self._ids = pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(signals))
        self._values = pa.array(np.round(rng.normal(50, 5, size), 2))
        self._spread = np.repeat(np.arange(repeats, dtype=np.int64), len(signals))[:size] * 10
        self._size = size

    def body(self, number: int, sequence: int, at_ms: int) -> bytes:
        times = pa.array(np.int64(at_ms * 1000) + self._spread)
        batch = pa.record_batch({"sensor_id": self._ids, "timestamp": times, "value": self._values})
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema) as writer:
            writer.write_batch(batch)
        body: bytes = sink.getvalue().to_pybytes()
        return body

    def headers(self, sequence: int) -> dict[str, str]:
        return {"Forewarn-Gateway": self._gateway, "Forewarn-Sequence": str(sequence), **_signed()}


async def connection(
    host: str, port: int, bodies: JsonBodies | ArrowBodies, until: float, pace_s: float, acks: list[float]
) -> None:
    """One keep-alive connection that posts as soon as it is answered, or every pace_s seconds."""
    reader, writer = await asyncio.open_connection(host, port, limit=1 << 20)
    sequence, at_ms, due = 0, int(time.time() * 1000), time.perf_counter()
    while time.perf_counter() < until:
        sequence += 1
        at_ms = max(at_ms + 1, int(time.time() * 1000) - 1)
        body = bodies.body(sequence, sequence, at_ms)
        lines = [f"POST {PATH} HTTP/1.1", f"Host: {host}", f"Content-Type: {bodies.content_type}"]
        lines += [f"Content-Length: {len(body)}", *(f"{k}: {v}" for k, v in bodies.headers(sequence).items())]
        began = time.perf_counter()
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n")
        writer.write(body)
        await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        answer = await reader.readexactly(length)
        acks.append(time.perf_counter() - began)
        if b" 202 " not in head[:20] or b'"rejected":0' not in answer:
            raise SystemExit(f"refused: {head[:40]!r} {answer[:300]!r}")
        if pace_s:
            due += pace_s
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
    writer.close()


def _signals(file: str) -> list[str]:
    ids: list[str] = json.loads(Path(file).read_text())
    return ids


async def run(options: argparse.Namespace) -> dict[str, float]:
    signals = options.signals
    kind = ArrowBodies if options.format == "arrow" else JsonBodies
    share = len(signals) // options.connections
    acks: list[float] = []
    until = time.perf_counter() + options.seconds
    began = time.perf_counter()
    pace_s = options.size * options.connections / options.rate if options.rate else 0.0
    tag = f"bench/{options.tag}{time.time_ns()}"
    await asyncio.gather(
        *(
            connection(
                options.host,
                options.port,
                kind(signals[i * share : (i + 1) * share], options.size, f"{tag}-{i}"),
                until,
                pace_s,
                acks,
            )
            for i in range(options.connections)
        )
    )
    wall = time.perf_counter() - began
    p50, p95, p99 = np.quantile(acks, (0.5, 0.95, 0.99))
    cpu = time.process_time()
    rate = len(acks) * options.size / wall
    return {"rate": rate, "p50": p50, "p95": p95, "p99": p99, "requests": len(acks), "wall": wall, "cpu": cpu}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--signals", required=True, type=_signals, help="JSON file with the list of signal ids")
    parser.add_argument("--format", choices=("json", "arrow"), default="json")
    parser.add_argument("--size", type=int, default=1_000, help="readings a request")
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rate", type=float, default=0, help="readings/s in all; 0 is as fast as it goes")
    parser.add_argument("--tag", default="bench")
    print(json.dumps(asyncio.run(run(parser.parse_args()))))
