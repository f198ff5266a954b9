"""What a gateway's backlog costs its site: parcels of readings over loopback to durable acknowledgement.

A `forewarn serve` of its own with its whole line; the parcels are packed before. `of a core` is the site's process.
`behind`: seconds from the last answer until all was recorded and scored.
Promise: catch-up of a day at 1,000 readings/s at 50 times real time, so 50,000 readings/s beside the live ones.
Run: python -m benchmarks.parcels [--quick]
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
import httpx
import numpy as np

from benchmarks.http_ingest import seconds_behind
from benchmarks.served_site import GATEWAY, Served, served, signal_ids
from forewarn.api.gateway_tables import table_name
from forewarn.domain.series import Series
from forewarn.gateway import wire
from forewarn.kit.clock import HOUR, SECOND, now_us

SCALE = 0.2 if "--quick" in sys.argv else 1.0
SIGNALS = 1_000


def bodies(rows: int, count: int, start: int) -> list[bytes]:
    """Parcels of 1,000 signals, float32 noise, a phase and jitter of its own each; one after the other in time."""
    rng, seconds = np.random.default_rng(1), rows // SIGNALS
    signal = np.repeat(np.arange(1, SIGNALS + 1, dtype=np.int32), seconds)
    phase = np.repeat(rng.integers(0, SECOND, SIGNALS), seconds)
    made = []
    for i in range(count):
        at = np.tile(start + (i * seconds + np.arange(seconds)) * SECOND, SIGNALS) + phase
        value = rng.normal(50.0, 3.0, rows).astype(np.float32).astype(np.float64)
        jitter = rng.integers(0, 20_000, rows)
        made.append(wire.encode_readings(Series(signal, at + jitter, value, np.zeros(rows, np.uint32))))
    return made


async def send(site: Served, table: str, first: int, parcels: list[bytes], at_once: int) -> None:
    headers = {**site.signed, "Content-Encoding": "zstd", "Forewarn-Parcel": "readings", "Forewarn-Signals": table}
    headers["Content-Type"] = "application/octet-stream"
    turn = asyncio.Semaphore(at_once)
    async with aiohttp.ClientSession(base_url=site.url, headers=headers) as session:

        async def one(number: int, body: bytes) -> None:
            async with turn, session.post(f"/api/v1/gateways/{GATEWAY}/parcels/{number}", data=body) as answer:
                told = await answer.json()
                assert answer.status == 200, told
                assert told["rejected"] == told["duplicate"] == 0, told

        await asyncio.gather(*(one(first + i, body) for i, body in enumerate(parcels)))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, served(Path(folder), None, SIGNALS // 50, 50) as site:
        ids = signal_ids(site.url, site.key)
        table = table_name(ids)
        signals = {str(key): name for key, name in enumerate(ids, 1)}
        path = f"{site.url}/api/v1/gateways/{GATEWAY}/signals"
        httpx.put(path, json={"table": table, "signals": signals}, headers=site.signed).raise_for_status()
        number, start = 1, now_us() - 20 * HOUR
        for rows, count, at_once in ((1_000, 400, 1), (1_000, 400, 4), (10_000, 100, 1), (10_000, 100, 4)):
            parcels = bodies(rows, max(10, int(count * SCALE)), start)
            start += len(parcels) * (rows // SIGNALS) * SECOND
            before, began = _cpu_s(site), time.perf_counter()
            asyncio.run(send(site, table, number, parcels, at_once))
            took = time.perf_counter() - began
            number += len(parcels)
            sent, each = rows * len(parcels), sum(map(len, parcels)) / (rows * len(parcels))
            behind = seconds_behind(site.url, site.signed)
            core = (_cpu_s(site) - before) / (took + behind) * 100
            print(
                f"{rows:>6,} readings a parcel, {at_once} at once: {sent / took:>9,.0f} readings/s, "
                f"{took / len(parcels) * at_once * 1e3:5.1f} ms a parcel, {each:.1f} bytes a reading, "
                f"{core:.0f} % of a core, {behind:.1f} s behind"
            )


def _cpu_s(site: Served) -> float:
    return sum(site.process.cpu_times()[:2]) if site.process is not None else 0.0


if __name__ == "__main__":
    main()
