"""Reading sent -> event received by a listener of the live feed.

Promise: p99 <= 200 ms at 1,000 readings/s and <= 1 s at 50,000 readings/s.
Run: python -m benchmarks.live_latency [--quick] [--url http://host:port]

A probe posts one reading of one signal every 100 ms and measures until the listener's event carries it; the load
comes from another process. Two listeners: one of the probe's signal, one of everything.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.served_site import GATEWAY, Served, served

_PATH = "/api/v1/telemetry/batch"


async def listen(site: Served, query: str, signal: str, sent: dict[int, float], took: list[float]) -> None:
    """Note for each of the probe's readings how long it was under way."""
    reader, writer = await asyncio.open_connection(site.host, site.port, limit=1 << 26)
    signed = f"Authorization: Bearer {site.key}"
    writer.write(f"GET /api/v1/live{query} HTTP/1.1\r\nHost: {site.host}\r\n{signed}\r\n\r\n".encode())
    try:
        while True:
            line = await reader.readline()
            if not line.startswith(b'data: {"offset"') or f'"{signal}"'.encode() not in line:
                continue
            now = time.perf_counter()
            data = json.loads(line[6:])
            for name, at in zip(data["signal"], data["time_ms"], strict=True):
                if name == signal and at in sent:
                    took.append(now - sent[at])
    finally:
        writer.close()


async def probe(site: Served, signal: str, seconds: float, sent: dict[int, float]) -> None:
    reader, writer = await asyncio.open_connection(site.host, site.port)
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        at = int(time.time() * 1000)
        reading = {"sensor_id": signal, "timestamp": at, "value": 1.0}
        body = json.dumps({"gateway_id": f"{GATEWAY}/latency-probe", "readings": [reading]}).encode()
        sent[at] = time.perf_counter()
        head = f"POST {_PATH} HTTP/1.1\r\nHost: {site.host}\r\nContent-Type: application/json\r\n"
        head += f"Authorization: Bearer {site.key}\r\n"
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(answer.lower().split(b"content-length:")[1].split(b"\r\n")[0]))
        await asyncio.sleep(0.1)
    writer.close()


async def measure(site: Served, rate: int, seconds: float) -> None:
    signals: list[str] = json.loads(site.signals_file.read_text())
    signal = signals[-1]
    load_file = site.signals_file.with_name("load.json")
    load_file.write_text(json.dumps(signals[:-1]))
    command = [sys.executable, str(Path(__file__).parent / "load_client.py"), "--host", site.host]
    command += ["--port", str(site.port), "--signals", str(load_file), "--rate", str(rate), "--connections", "2"]
    command += ["--size", str(min(1_000, max(10, rate // 20))), "--seconds", str(seconds + 2)]
    load = await asyncio.create_subprocess_exec(
        *command, stdout=subprocess.PIPE, env={**os.environ, "FOREWARN_KEY": site.key}
    )
    await asyncio.sleep(1.5)
    for title, query in (("one signal", f"?signals={signal}"), ("everything", "")):
        sent: dict[int, float] = {}
        took: list[float] = []
        listener = asyncio.create_task(listen(site, query, signal, sent, took))
        await asyncio.sleep(0.2)
        await probe(site, signal, seconds / 2, sent)
        await asyncio.sleep(0.3)
        listener.cancel()
        p50, p95, p99 = (1e3 * np.quantile(took, (0.5, 0.95, 0.99))) if took else (np.nan,) * 3
        print(f"{rate:>8,}/s  {title:<12}{len(took):>6} of {len(sent):<6}{p50:>8.0f}{p95:>8.0f}{p99:>8.0f}", flush=True)
    await load.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="8 s a rate instead of 60")
    parser.add_argument("--url", help="a server that runs already")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, served(Path(scratch), options.url) as site:
        print("    load   listener      seen of sent    p50 ms  p95 ms  p99 ms")
        for rate in (1_000, 50_000):
            asyncio.run(measure(site, rate, 8.0 if options.quick else 60.0))


if __name__ == "__main__":
    main()
