"""The store of readings: appended in log order, asked by signal and time."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.readings import ReadingBatch
from forewarn.domain.series import Aggregates, Series

Keys = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class HistorianSize:
    """What lies on disk, and what is still only in memory and the batch log."""

    segments: int
    rollup_files: int
    bytes: int
    readings: int
    tail_readings: int


class Historian(Protocol):
    """(signal, time) is the identity of a reading; told twice, the later append wins, at any age.

    Time ranges are half-open [start, end), microseconds UTC. Reads see every append that returned,
    and may run in any thread while one thread appends.
    """

    def append(self, batches: Sequence[tuple[int, ReadingBatch]]) -> None:
        """Take batches with their log offsets, ascending. Offsets <= `watermark` are ignored (replay is safe).

        Visible to reads on return; durable once `watermark` has passed the offset."""
        ...

    @property
    def watermark(self) -> int:
        """Every batch up to this log offset is on disk for good; the log may trim it."""
        ...

    def flush(self) -> None:
        """Write the tail to disk now and move the watermark to the last appended offset."""
        ...

    def latest(self, signals: Keys) -> Series:
        """The reading with the greatest source time of each signal that has one, ordered by signal."""
        ...

    def raw(self, signals: Keys, start: int, end: int, limit: int | None = None) -> Series:
        """Readings of `signals`. With `limit`, only the newest `limit` per signal."""
        ...

    def aggregate(self, signals: Keys | None, start: int, end: int, bucket_us: int) -> Aggregates:
        """Statistics per signal and bucket; any bucket >= 1 us. None = every signal.

        Buckets are aligned to the epoch; the first and last are cut at start and end. Exact, whatever
        was late or repeated; answered from rollups wherever bucket and range allow, else from raw."""
        ...

    def export(self, signals: Keys, start: int, end: int, target: Path) -> int:
        """Write (signal int32, time timestamp[us, UTC], value double, quality uint32) as Parquet; rows written."""
        ...

    def size(self) -> HistorianSize: ...

    def close(self) -> None:
        """Flush and release. Idempotent."""
        ...
