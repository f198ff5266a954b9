"""OPC UA to durable spool: two independent node-opcua servers, 10,000 items each, Basic256Sha256 SignAndEncrypt.

Promise: 50,000 values/s at <= 15 % of one core. Run: `python -m benchmarks.opcua_gateway [--quick] [--every MS]`. The
servers run in processes of their own on loopback, and are the limit: each needs most of a core for what is asked of
it. "of a core" is this process, all its threads: connectors with their crypto, source runner, door and spool (fsync).
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from forewarn.domain.assets import Asset, Signal, SourceConfig
from forewarn.domain.signal_table import SignalTable
from forewarn.gateway.runner import SourceRunner
from forewarn.kit.clock import now_us
from forewarn.pipeline.door import IntakeDoor
from forewarn.plugins.batch_logs.sqlite_spool import BATCH_LOG
from forewarn.plugins.connectors.opcua import CONNECTOR
from tests.peers.processes import Peer, free_port, node_peer

ITEMS = 10_000
SERVERS = ("press", "paint")


class Plant:
    """The plant as the door sees it: these signals and no more."""

    revision = 1

    def __init__(self, signals: Sequence[Signal]) -> None:
        self.table = SignalTable.of(signals)
        self.assets: dict[str, Asset] = {}
        self._signals = signals

    def signals_of(self, asset_id: str) -> Sequence[Signal]:
        return self._signals


def signals_of(server: str, first_key: int) -> list[Signal]:
    return [
        Signal(f"{server}.{i}", server, f"{i}", "other", "1", first_key + i, source=server, address=f"ns=1;s=bulk.{i}")
        for i in range(ITEMS)
    ]


def source(name: str, peer: Peer, folder: Path, security: str, interval_ms: float) -> SourceConfig:
    secure: dict[str, object] = {}
    if security != "None":
        secure = {"security": security, "certificate_folder": str(folder / "own"), "trust_first_use": True}
    settings = {"url": f"opc.tcp://127.0.0.1:{peer.port}/forewarn", "publishing_interval_ms": interval_ms, **secure}
    return SourceConfig(name, "opcua", settings)


async def measure(security: str, seconds: float, every_ms: int, interval_ms: float, folder: Path) -> None:
    log = BATCH_LOG(folder / f"log-{security}")
    signals = [s for i, name in enumerate(SERVERS) for s in signals_of(name, 1 + i * ITEMS)]
    door = IntakeDoor(log, Plant(signals), now_us)
    with ExitStack() as running:
        words = (f"bulk={ITEMS}", f"every={every_ms}")
        peers = [
            running.enter_context(node_peer("opcua_server.js", str(folder / name), *words, port=free_port()))
            for name in SERVERS
        ]
        sources = [source(n, p, folder, security, interval_ms) for n, p in zip(SERVERS, peers, strict=True)]
        runner = SourceRunner(sources, signals, {"opcua": CONNECTOR}, door, lambda _: -1)
        task = asyncio.create_task(runner.run())
        while min(status.readings for status in runner.statuses()) < ITEMS:
            await asyncio.sleep(0.1)
        await asyncio.sleep(2)
        before = sum(status.readings for status in runner.statuses())
        wall, cpu = time.perf_counter(), time.process_time()
        await asyncio.sleep(seconds)
        readings = sum(status.readings for status in runner.statuses()) - before
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        rejected = sum(status.rejected for status in runner.statuses())
        await runner.stop()
        await task
    log.close()
    each_us = cpu / max(readings, 1) * 1e6
    print(
        f"{security:16}{readings / wall:12,.0f} values/s{cpu / wall:8.1%} of a core{each_us:8.2f} us CPU each"
        f"{rejected:6} rejected",
        flush=True,
    )


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="4 s each instead of 15")
    parser.add_argument("--every", type=int, default=200, help="ms between two changes of an item")
    parser.add_argument("--publishing", type=float, default=300.0, help="publishing interval, ms")
    given = parser.parse_args()
    print(f"two node-opcua servers, {ITEMS:,} items each, a change every {given.every} ms")
    with tempfile.TemporaryDirectory() as folder:
        for security in ("Basic256Sha256", "None"):
            seconds = 4.0 if given.quick else 15.0
            await measure(security, seconds, given.every, given.publishing, Path(folder))


if __name__ == "__main__":
    asyncio.run(main())
