"""What was appended last, kept decoded, so that the line does not decode what the door just had in hand."""

import threading
from collections.abc import Sequence
from typing import Final

from forewarn.domain.readings import ReadingBatch

# A read's bound where batches are tiny or empty.
MOST_BATCHES: Final = 4_096


def weight(batch: ReadingBatch) -> int:
    """Bytes of memory a batch holds on to: 24 a reading and its objects."""
    return 24 * len(batch) + 1_024


class Ring:
    """Contiguous newest batches up to `limit_bytes` of columns. Thread-safe."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._lock = threading.Lock()
        self._batches: dict[int, ReadingBatch] = {}
        self._first = 1
        self._bytes = 0

    def clear(self) -> None:
        with self._lock:
            self._batches.clear()
            self._bytes = 0

    def put(self, batches: Sequence[tuple[int, ReadingBatch]]) -> None:
        """Offsets follow each other and what is already here; else what was here is forgotten."""
        with self._lock:
            for offset, batch in batches:
                if self._batches and offset != self._first + len(self._batches):
                    self._batches.clear()
                    self._bytes = 0
                if not self._batches:
                    self._first = offset
                self._batches[offset] = batch
                self._bytes += weight(batch)
            while self._bytes > self._limit_bytes and self._batches:
                self._drop_first()

    def drop_up_to(self, offset: int) -> None:
        """Forget what nobody will read again."""
        with self._lock:
            while self._batches and self._first <= offset:
                self._drop_first()

    def read(self, after: int, max_readings: int) -> list[tuple[int, ReadingBatch]]:
        """From offset `after + 1` on, which must be here; else empty. At least one batch."""
        found: list[tuple[int, ReadingBatch]] = []
        with self._lock:
            offset, readings = after + 1, 0
            while (batch := self._batches.get(offset)) is not None:
                readings += len(batch)
                if found and (readings > max_readings or len(found) == MOST_BATCHES):
                    break
                found.append((offset, batch))
                offset += 1
        return found

    def _drop_first(self) -> None:
        self._bytes -= weight(self._batches.pop(self._first))
        self._first += 1
