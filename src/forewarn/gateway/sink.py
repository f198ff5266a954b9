"""From a connector's columns to a durable batch: the sink each source writes to."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forewarn.contracts.door import Door
from forewarn.domain.conditions import ConditionCode, with_remedy
from forewarn.domain.errors import BatchLogFull, StorageFailed
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.status import BAD_NO_COMMUNICATION
from forewarn.domain.verdicts import REASONS, Verdict, Verdicts
from forewarn.gateway.gaps import SourceGaps
from forewarn.gateway.health import SourceHealth
from forewarn.kit.retry import Backoff

_log = logging.getLogger(__name__)
_NEVER = np.iinfo(np.int64).min
Newest = Callable[[NDArray[np.int32]], NDArray[np.int64]]


def gateway_of(source: str) -> str:
    """The name a source's batches bear in the log. No client can take it: over HTTP a gateway's name is printable
    (docs/api.md), and a tab is not."""
    return f"source\t{source}"


class BatchNumbers:
    """The numbers of one gateway's batches. It outlives the sinks of a source: a batch cut short by a restart
    may still be stored, so its number is never given again."""

    def __init__(self, last: int) -> None:
        self._last = last

    def take(self) -> int:
        self._last += 1
        return self._last


@dataclass(frozen=True, slots=True, eq=False)
class Absence:
    """Nothing was collected since `since` (microseconds UTC) of the signals `keys`, because we were not there."""

    since: int
    keys: NDArray[np.int32]


class DoorSink:
    """Numbers batches, hands them to the door, and waits until they are durable.

    Nothing is ever dropped here: a full log or a refusing disk is waited out, and that wait holds the
    connector back. `ids`: the signals' by their keys; a gap is marked on them when the source is lost.
    """

    def __init__(
        self,
        health: SourceHealth,
        door: Door,
        numbers: BatchNumbers,
        ids: Mapping[int, str],
        clock: Callable[[], int],
        gaps: SourceGaps,
        stored: Newest | None = None,
    ) -> None:
        """gaps: told what was read and what was not. stored: source times of the newest readings that an earlier
        process stored."""
        self._health = health
        self._gaps = gaps
        self._gateway = gateway_of(health.name)
        self._door = door
        self._numbers = numbers
        self._clock = clock
        self._ids = ids
        self._keys = np.unique(np.fromiter(ids, np.int32, len(ids)))
        self._last_time = np.full(len(self._keys), _NEVER, np.int64)
        self._stored = stored
        self._newest = np.full(len(self._keys), _NEVER, np.int64)  # as _last_time, without the gaps we marked
        self._turn = asyncio.Lock()
        self._backoff = Backoff(first_s=0.1, cap_s=2.0)
        self._connections = 0
        self._last_rejection = ""
        self.is_connected = False

    async def put(
        self,
        signal: NDArray[np.int32],
        time: NDArray[np.int64],
        value: NDArray[np.float64],
        quality: NDArray[np.uint32],
    ) -> None:
        if not len(signal):
            return
        newest = int(time.max())
        self._gaps.took(int(time.min()), newest)
        verdicts = await self._submit(signal, time, value, quality)
        if verdicts.count(Verdict.REJECTED):
            # What is not stored is not the newest: a clock that was ahead must not hide what comes after it.
            taken = verdicts.verdict != Verdict.REJECTED
            signal, time = signal[taken], time[taken]
        self._remember(self._last_time, signal, time)
        self._remember(self._newest, signal, time)
        self._health.took(len(verdicts.verdict), newest)

    def alive(self) -> None:
        self._health.heard()

    def connected(self) -> None:
        if not self.is_connected:
            self._health.connected(again=self._connections > 0)
            self._connections += 1
            self.is_connected = True

    def lost(self) -> None:
        """Nothing is read any more until the connector is run again."""
        self.is_connected = False
        self._gaps.lost()

    def rejected(self, count: int, example: str, condition: ConditionCode = ConditionCode.READINGS_REJECTED) -> None:
        if example != self._last_rejection:  # the same fault at every poll is one line in the log
            self._last_rejection = example
            _log.warning("source %s: %d rejected: %s", self._health.name, count, with_remedy(condition, example))
        self._health.rejected(count, example, condition)

    def note(self, condition: ConditionCode, text: str) -> None:
        self._health.note(condition, text)

    def newest(self, signal: NDArray[np.int32]) -> NDArray[np.int64]:
        row, mine = self._rows(signal)
        known = np.full(len(signal), _NEVER, np.int64)
        known[mine] = self._newest[row[mine]]
        return known if self._stored is None else np.maximum(known, self._stored(signal))

    async def mark_gap(self) -> None:
        """One bad reading a signal, after its last one and not before now: charts break the line there."""
        after_last = np.where(self._last_time == _NEVER, _NEVER, self._last_time + 1)
        await self._mark(self._keys, np.maximum(after_last, self._clock()))

    async def mark_absence(self, absence: Absence) -> None:
        """The same for the time before this process: those of the absence's signals that are of this source."""
        mine = self._keys[np.isin(self._keys, absence.keys)]
        await self._mark(mine, np.full(len(mine), absence.since, np.int64))

    async def _mark(self, keys: NDArray[np.int32], time: NDArray[np.int64]) -> None:
        n = len(keys)
        if n:
            await self._submit(keys, time, np.full(n, np.nan), np.full(n, BAD_NO_COMMUNICATION, np.uint32))
            self._remember(self._last_time, keys, time)

    def _remember(self, newest: NDArray[np.int64], signal: NDArray[np.int32], time: NDArray[np.int64]) -> None:
        row, mine = self._rows(signal)
        np.maximum.at(newest, row[mine], time[mine])

    def _rows(self, signal: NDArray[np.int32]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Where each signal stands among ours, and whether it is ours at all."""
        if not len(self._keys):
            return np.zeros(len(signal), np.intp), np.zeros(len(signal), np.bool_)
        row = np.minimum(np.searchsorted(self._keys, signal), len(self._keys) - 1)
        return row, self._keys[row] == signal

    async def _submit(
        self,
        signal: NDArray[np.int32],
        time: NDArray[np.int64],
        value: NDArray[np.float64],
        quality: NDArray[np.uint32],
    ) -> Verdicts:
        async with self._turn:
            batch = ReadingBatch(signal, time, value, quality, self._gateway, self._numbers.take())
            attempt = 0
            while (verdicts := await self._try(batch, attempt)) is None:
                attempt += 1
            return verdicts

    async def _try(self, batch: ReadingBatch, attempt: int) -> Verdicts | None:
        """What became of each row, once it is durable. Trying again under the same number is safe: the log drops
        repeats. While it waits the connector does: what the device says meanwhile may be lost."""
        try:
            submission = self._door.submit(batch)
            # Shielded: cancelling the source must not cancel the log's own future.
            await asyncio.shield(asyncio.wrap_future(submission.appended))
        except BatchLogFull as error:
            self._health.waiting(str(error))
            self._health.note(ConditionCode.BUFFER_FULL, str(error))
            self._gaps.lost()
            await asyncio.sleep(error.retry_after_s)
            return None
        except StorageFailed as error:
            self._health.waiting(str(error))
            self._health.note(error.condition, str(error))
            self._gaps.lost()
            await asyncio.sleep(self._backoff.delay_s(attempt, 1.0))
            return None
        verdicts = submission.verdicts
        if refused := verdicts.count(Verdict.REJECTED):
            first = int(np.argmax(verdicts.verdict == Verdict.REJECTED))
            reason = REASONS[int(verdicts.reason[first])]
            key = int(batch.signal[first])
            self._health.rejected(refused, f"signal {self._ids.get(key, key)}: {reason}")
        return verdicts
