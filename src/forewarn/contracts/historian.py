"""The store of readings: appended in log order, asked by signal and time."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from forewarn.contracts.historian_reads import HistorianReads, Keys
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.series import Aggregates, Series


@dataclass(frozen=True, slots=True)
class HistorianSize:
    """What lies on disk, and what is still only in memory and the batch log."""

    segments: int
    rollup_files: int
    bytes: int
    readings: int
    tail_readings: int


class Historian(HistorianReads, Protocol):
    """(signal, time) is the identity of a reading; told twice, the later append wins, at any age.

    Time ranges are half-open [start, end), microseconds UTC. Reads see every append that returned,
    and may run in any thread while one thread appends.
    """

    def append(self, batches: Sequence[tuple[int, ReadingBatch]]) -> None:
        """Take batches with their log offsets, ascending. Offsets <= `watermark` are ignored (replay is safe).
        Visible to reads on return; durable once `watermark` has passed the offset."""
        ...

    def append_minutes(self, minutes: Aggregates) -> int:
        """Whole minutes whose readings were kept back where they were measured. Of two tellings the one of more
        readings counts; how many told something new. Durable on return, kept as long as aggregates."""
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

    @property
    def at_once(self) -> HistorianReads:
        """The same answers for a thread that may not wait, an event loop's: WouldBlock is raised wherever an answer
        is not in memory or takes more than about a millisecond. A historian may raise it always."""
        ...

    def export(self, signals: Keys, start: int, end: int, target: Path) -> int:
        """Write (signal int32, time timestamp[us, UTC], value double, quality uint32) as Parquet; rows written."""
        ...

    def forget(self, raw_before: int, rollups_before: int) -> int:
        """Let go of readings and of aggregates older than these instants (0 = keep all); bytes that will be freed.

        In whole files: some that are older may stay. A reading older than what was let go is not stored any more.
        `rollups_before` may not be later than `raw_before`. Readers that are under way finish."""
        ...

    @property
    def raw_from(self) -> int:
        """Readings before this instant were let go (some may be left); 0 = none were."""
        ...

    def size(self) -> HistorianSize: ...

    def close(self) -> None:
        """Flush and release. Idempotent."""
        ...
