"""Modbus TCP to durable spool: 125-register blocks over one connection to a libmodbus server, decoded and stored.

Promise: 500,000 registers/s. Run: `python -m benchmarks.modbus_gateway [--quick]`. The server runs in a process of its
own on loopback; "of a core" is this process, all its threads: connector, source runner, door and spool (fsync).
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from forewarn.domain.assets import Asset, Signal, SourceConfig
from forewarn.domain.signal_table import SignalTable
from forewarn.gateway.runner import SourceRunner
from forewarn.kit.clock import now_us
from forewarn.pipeline.door import IntakeDoor
from forewarn.plugins.batch_logs.sqlite_spool import BATCH_LOG
from forewarn.plugins.connectors.modbus import CONNECTOR
from tests.peers.libmodbus import libmodbus_tcp
from tests.peers.processes import free_port

REGISTERS = 10_000  # 80 blocks a poll
KINDS = {"uint16": 1, "float32:CDAB": 2, "float64": 4}


class Plant:
    """The plant as the door sees it: these signals and no more."""

    revision = 1

    def __init__(self, signals: Sequence[Signal]) -> None:
        self.table = SignalTable.of(signals)
        self.assets: dict[str, Asset] = {}
        self._signals = signals

    def signals_of(self, asset_id: str) -> Sequence[Signal]:
        return self._signals


async def measure(kind: str, words: int, seconds: float, folder: Path) -> None:
    signals = [
        Signal(
            f"p.s{at}", "p", f"s{at}", "other", "1", key=at // words + 1, source="line", address=f"holding:{at}:{kind}"
        )
        for at in range(0, REGISTERS - words + 1, words)
    ]
    log = BATCH_LOG(folder / kind.replace(":", "-"))
    door = IntakeDoor(log, Plant(signals), now_us)
    with libmodbus_tcp(free_port()) as peer:
        settings = {"host": "127.0.0.1", "port": peer.port, "poll_interval_s": 0.001}
        source = SourceConfig("line", "modbus", settings)
        runner = SourceRunner([source], signals, {"modbus": CONNECTOR}, door, lambda _: -1)
        task = asyncio.create_task(runner.run())
        await asyncio.sleep(1.0)  # connected, planned, and warm
        before, wall, cpu = runner.statuses()[0].readings, time.perf_counter(), time.process_time()
        await asyncio.sleep(seconds)
        status = runner.statuses()[0]
        readings = status.readings - before
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        await runner.stop()
        await task
    log.close()
    rate = readings / wall
    print(
        f"{kind:14}{rate * words:14,.0f} registers/s{rate:14,.0f} readings/s{cpu / wall:8.0%} of a core"
        f"{status.rejected:6} rejected",
        flush=True,
    )


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="2 s each instead of 8")
    seconds = 2.0 if parser.parse_args().quick else 8.0
    print(f"{REGISTERS:,} registers a poll in blocks of 125, back to back, one connection to libmodbus")
    with tempfile.TemporaryDirectory() as folder:
        for kind, words in KINDS.items():
            await measure(kind, words, seconds, Path(folder))


if __name__ == "__main__":
    asyncio.run(main())
