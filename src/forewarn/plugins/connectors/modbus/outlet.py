"""Storing overlaps with reading on: while one poll is on its way to the disk the next is read."""

import asyncio
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from forewarn.contracts.connector import ReadingSink


class Columns(NamedTuple):
    """n readings, as ReadingSink.put takes them."""

    signal: NDArray[np.int32]
    time: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint32]

    def of(self, rows: NDArray[np.bool_]) -> "Columns":
        return Columns(self.signal[rows], self.time[rows], self.value[rows], self.quality[rows])


class Outlet:
    """Order is kept. An owner (a unit's poll group) has at most one batch waiting while another is being stored:
    who reads faster than the disk takes, waits."""

    def __init__(self, sink: ReadingSink) -> None:
        self._sink = sink
        self._waiting: dict[object, Columns] = {}
        self._room = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def offer(self, owner: object, columns: Columns) -> None:
        """Raises what storing an earlier batch raised."""
        while owner in self._waiting:
            self._room.clear()
            await self._room.wait()
        if not len(columns.signal):
            return
        self._waiting[owner] = columns
        if self._task is None or self._task.done():
            if self._task is not None:
                self._task.result()
            self._task = asyncio.create_task(self._store())

    async def drain(self) -> None:
        """Until all is stored."""
        if self._task is not None:
            await self._task

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _store(self) -> None:
        try:
            while self._waiting:
                batches = list(self._waiting.values())
                self._waiting.clear()
                self._room.set()
                await self._sink.put(*(batches[0] if len(batches) == 1 else _joined(batches)))
        finally:
            self._waiting.clear()
            self._room.set()


def _joined(batches: list[Columns]) -> Columns:
    return Columns(*(np.concatenate(column) for column in zip(*batches, strict=True)))
