"""A sink that remembers, and a way to run a connector for as long as a test needs it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

import numpy as np

from forewarn.contracts.connector import Connector, SourceRequest
from forewarn.domain.assets import Signal
from forewarn.domain.conditions import ConditionCode


class RecordingSink:
    def __init__(self) -> None:
        self.rows: list[tuple[int, int, float, int]] = []
        self.batches: list[int] = []
        self.rejections: list[str] = []
        self.rejected_count = 0
        self.conditions: list[ConditionCode] = []
        self.notes: list[tuple[ConditionCode, str]] = []
        self.stored: dict[int, int] = {}
        self.connects = 0
        self.alives = 0
        self.open = asyncio.Event()
        self.open.set()

    async def put(self, signal, time, value, quality) -> None:
        assert (signal.dtype, time.dtype) == (np.int32, np.int64)
        assert (value.dtype, quality.dtype) == (np.float64, np.uint32)
        assert len(signal) == len(time) == len(value) == len(quality)
        await self.open.wait()
        self.batches.append(len(signal))
        columns = (signal.tolist(), time.tolist(), value.tolist(), quality.tolist())
        self.rows += zip(*columns, strict=True)

    def alive(self) -> None:
        self.alives += 1

    def connected(self) -> None:
        self.connects += 1

    def rejected(self, count: int, example: str, condition: ConditionCode = ConditionCode.READINGS_REJECTED) -> None:
        self.rejected_count += count
        self.rejections.append(example)
        self.conditions.append(condition)

    def note(self, condition: ConditionCode, text: str) -> None:
        self.notes.append((condition, text))

    def newest(self, signal) -> np.ndarray:
        """What was put, and what the test says an earlier process stored (`stored`: key -> microseconds)."""
        known = dict(self.stored)
        for key, time, *_ in self.rows:
            known[key] = max(time, known.get(key, time))
        return np.array([known.get(int(key), np.iinfo(np.int64).min) for key in signal], np.int64)

    def values(self, key: int) -> list[float]:
        return [row[2] for row in self.rows if row[0] == key]

    def qualities(self, key: int) -> set[int]:
        return {row[3] for row in self.rows if row[0] == key}

    def times(self, key: int) -> list[int]:
        return [row[1] for row in self.rows if row[0] == key]


def signals_at(*addresses: str | None, asset: str = "pump") -> list[Signal]:
    """Signals with keys 1, 2, ... at the given addresses."""
    return [
        Signal(f"{asset}.s{key}", asset, f"s{key}", "other", "1", key=key, source="line", address=address)
        for key, address in enumerate(addresses, start=1)
    ]


def request_for(connector: Connector, settings: Mapping[str, object], signals: Sequence[Signal]) -> SourceRequest:
    return SourceRequest("line", connector.settings.model_validate(settings), signals)


async def eventually(holds: Callable[[], bool], what: str, task: asyncio.Task | None = None, limit_s=90.0) -> None:
    deadline = asyncio.get_running_loop().time() + limit_s
    while not holds():
        if task is not None and task.done():
            task.result()
            raise AssertionError(f"the connector ended before: {what}")
        assert asyncio.get_running_loop().time() < deadline, f"waited {limit_s} s in vain: {what}"
        await asyncio.sleep(0.02)


@asynccontextmanager
async def running(connector: Connector, request: SourceRequest, sink: RecordingSink) -> AsyncIterator[asyncio.Task]:
    task = asyncio.create_task(connector.run(request, sink))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
