"""The raw log of a gateway with nobody beside it: a damaged batch is given up, told and counted, the rest goes on."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Final, Protocol

import structlog

from forewarn.contracts.batch_log import Appended, LogDepth
from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import StorageFailed
from forewarn.domain.readings import ReadingBatch
from forewarn.gateway.ring import RingLog

_log = structlog.get_logger(__name__)
REASON: Final = "raw_log_damaged"


class DiscardingLog(RingLog, Protocol):
    """A log that can give up one batch."""

    def readings_in(self, offset: int) -> int | None: ...
    def discard(self, offset: int) -> None: ...


class HealingLog:
    """The log behind it, whose `read` does not end at a damaged batch."""

    def __init__(
        self,
        log: DiscardingLog,
        lost: Callable[[int, int], None],
        note: Callable[[ConditionCode, str], None],
    ) -> None:
        """lost: told offset and readings of a batch that is given up, before it is. note: told in words."""
        self._log, self._lost, self._note = log, lost, note

    def read(self, after: int, max_readings: int) -> Sequence[tuple[int, ReadingBatch]]:
        """As BatchLog.read; an empty batch stands where a damaged one was. Raises StorageFailed for other reasons."""
        while True:
            try:
                return self._log.read(after, max_readings)
            except StorageFailed as error:
                offset = getattr(error, "offset", None)
                if error.condition is not ConditionCode.BUFFER_DAMAGED or not isinstance(offset, int):
                    raise
                self._give_up(offset, error)

    def _give_up(self, offset: int, error: StorageFailed) -> None:
        readings = self._log.readings_in(offset) or 0
        self._lost(offset, readings)
        self._log.discard(offset)
        _log.error("raw_batch_damaged", offset=offset, readings=readings, error=str(error))
        self._note(
            ConditionCode.BUFFER_DAMAGED,
            f"batch {offset} of the raw log with {readings} readings was not what had been written and was given up. "
            "Check the disk",
        )

    def append(self, batch: ReadingBatch, content: int = 0) -> "Future[Appended]":
        return self._log.append(batch, content)

    def wait(self, after: int, timeout_s: float) -> bool:
        return self._log.wait(after, timeout_s)

    def commit(self, consumer: str, offset: int) -> None:
        self._log.commit(consumer, offset)

    def committed(self, consumer: str) -> int:
        return self._log.committed(consumer)

    def last_sequence(self, gateway: str) -> int:
        return self._log.last_sequence(gateway)

    def depth(self) -> LogDepth:
        return self._log.depth()

    def offset_before(self, appended_at: int) -> int:
        return self._log.offset_before(appended_at)

    def appended_at(self, offset: int) -> int | None:
        return self._log.appended_at(offset)

    def offset_freeing(self, size: int) -> int:
        return self._log.offset_freeing(size)

    def used_bytes(self) -> int:
        return self._log.used_bytes()

    def resize(self, capacity_bytes: int) -> None:
        self._log.resize(capacity_bytes)

    def close(self) -> None:
        self._log.close()
