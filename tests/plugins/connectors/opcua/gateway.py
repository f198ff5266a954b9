"""A source as a gateway runs it: runner, door and durable spool; in this process, or in one that can be killed.

python -m tests.plugins.connectors.opcua.gateway FOLDER SETTINGS_JSON ADDRESS ...   - collects until it is killed; makes
the file FOLDER.filled once twenty values of the first are stored.
"""

import asyncio
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np

from forewarn.contracts.batch_log import BatchLog
from forewarn.domain.assets import Asset, Signal, SourceConfig
from forewarn.domain.conditions import ConditionCode
from forewarn.domain.signal_table import SignalTable
from forewarn.gateway.runner import SourceRunner
from forewarn.kit.clock import now_us
from forewarn.kit.retry import Backoff
from forewarn.pipeline.door import IntakeDoor
from forewarn.plugins.batch_logs.sqlite_spool import BATCH_LOG
from forewarn.plugins.connectors.opcua.connector import OpcUaConnector
from tests.plugins.connectors.recording import eventually, signals_at

ROOT = Path(__file__).parents[4]


class Plant:
    """The plant as the door sees it."""

    revision = 1

    def __init__(self, signals: Sequence[Signal]) -> None:
        self.table = SignalTable.of(signals)
        self.assets: dict[str, Asset] = {}
        self._signals = signals

    def signals_of(self, asset_id: str) -> Sequence[Signal]:
        return self._signals


class Stored:
    """What lies in a spool, by signal key: (source time, value, status)."""

    def __init__(self, log: BatchLog) -> None:
        self.rows: dict[int, list[tuple[int, float, int]]] = defaultdict(list)
        after = 0
        while found := log.read(after, 1_000_000):
            after = found[-1][0]
            for _, batch in found:
                columns = batch.signal.tolist(), batch.time.tolist(), batch.value.tolist(), batch.quality.tolist()
                for key, *row in zip(*columns, strict=True):
                    self.rows[key].append(tuple(row))

    def values(self, key: int) -> list[float]:
        """Those that are numbers, in the order of their source times."""
        return [value for _, value, _ in sorted(self.rows[key], key=lambda row: row[0]) if not np.isnan(value)]

    def times(self, key: int) -> list[int]:
        return [time for time, value, _ in self.rows[key] if not np.isnan(value)]

    def newest(self, signal) -> np.ndarray:
        none = np.iinfo(np.int64).min
        return np.array([max(self.times(int(key)), default=none) for key in signal], np.int64)


class Collecting:
    """A runner of one source over the spool in `folder`."""

    def __init__(self, folder: Path, settings: dict[str, object], addresses: Sequence[str]) -> None:
        self.log = BATCH_LOG(folder)
        signals = signals_at(*addresses)
        door = IntakeDoor(self.log, Plant(signals), now_us)
        door.catch_up(0)
        stored = Stored(self.log)
        source = SourceConfig("line", "opcua", settings)
        self.runner = SourceRunner(
            # A connector of its own: what an earlier one remembers in memory is gone, as after a restart.
            [source],
            signals,
            {"opcua": OpcUaConnector()},
            door,
            self.log.last_sequence,
            newest=stored.newest,
            backoff=Backoff(first_s=0.05, cap_s=0.5),
        )

    @property
    def stored(self) -> Stored:
        return Stored(self.log)

    @property
    def state(self) -> str:
        return self.runner.statuses()[0].state

    @property
    def conditions(self) -> dict[ConditionCode, str]:
        return {condition.code: condition.text for condition in self.runner.conditions()}


@asynccontextmanager
async def collecting(folder: Path, settings: dict[str, object], addresses: Sequence[str]) -> AsyncIterator[Collecting]:
    it = Collecting(folder, settings, addresses)
    task = asyncio.create_task(it.runner.run())
    try:
        yield it
    finally:
        await it.runner.stop()
        await task
        it.log.close()


def gateway_process(folder: Path, settings: dict[str, object], addresses: Sequence[str]) -> "subprocess.Popen[bytes]":
    module = "tests.plugins.connectors.opcua.gateway"
    return subprocess.Popen([sys.executable, "-m", module, str(folder), json.dumps(settings), *addresses], cwd=ROOT)


async def main() -> None:
    folder, settings, *addresses = sys.argv[1:]
    filled = Path(f"{folder}.filled")
    async with collecting(Path(folder), json.loads(settings), addresses) as gateway:
        await eventually(lambda: len(gateway.stored.values(1)) >= 20, "twenty values")
        await asyncio.to_thread(filled.touch)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
