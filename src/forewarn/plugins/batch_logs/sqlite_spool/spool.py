"""The batch log in one directory of this machine."""

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Final

from forewarn.contracts.batch_log import Appended, LogDepth
from forewarn.domain.errors import InvalidInput, StorageFailed
from forewarn.domain.readings import ReadingBatch
from forewarn.plugins.batch_logs.sqlite_spool.anew import begin_anew
from forewarn.plugins.batch_logs.sqlite_spool.directory import WriterLock
from forewarn.plugins.batch_logs.sqlite_spool.intake import Intake
from forewarn.plugins.batch_logs.sqlite_spool.reader import Reader
from forewarn.plugins.batch_logs.sqlite_spool.ring import Ring
from forewarn.plugins.batch_logs.sqlite_spool.store import Store
from forewarn.plugins.batch_logs.sqlite_spool.writer import Writer

GIB: Final = 2**30
MIB: Final = 2**20
_MAX_SEQUENCE: Final = 2**63 - 1


class SqliteSpool:
    """BatchLog on SQLite (WAL, synchronous=FULL), one Arrow IPC frame a row; bytes in docs/formats/batch_log.md.

    capacity_bytes: frames on disk and in memory above which `append` raises BatchLogFull.
    queue_bytes: columns that may wait in memory for the disk. group_bytes: most columns in one commit.
    ring_bytes: newest columns kept in memory for `read`.
    ledger_rows, ledger_age_s: how long a (gateway, sequence) is remembered after its frame was trimmed:
    until either is exceeded.
    shrink: give the pages of trimmed frames back to the disk (counts when the log is made). slack_bytes: about what the
    write-ahead log, and the free pages of one that shrinks, may take beside the frames.
    A consumer's place is durable with the next commit, at the latest a quarter of a second later: after a
    crash it may be told again what it had committed last. A consumer's first commit is durable on return.

    Raises ConfigurationError when another process writes in `directory`, StorageFailed when it cannot be opened.
    """

    name: Final = "sqlite_spool"
    begin_anew = staticmethod(begin_anew)

    def __init__(
        self,
        directory: Path,
        *,
        capacity_bytes: int = 8 * GIB,
        queue_bytes: int = 64 * MIB,
        group_bytes: int = 16 * MIB,
        ring_bytes: int = 64 * MIB,
        ledger_rows: int = 10_000_000,
        ledger_age_s: float = 30 * 86_400.0,
        shrink: bool = False,
        slack_bytes: int = 16 * MIB,
    ) -> None:
        self._capacity_bytes = capacity_bytes
        self._lock = WriterLock(directory)
        try:
            self._store = Store(directory, ledger_rows, ledger_age_s, shrink=shrink, slack_bytes=slack_bytes)
        except BaseException:
            self._lock.release()
            raise
        self._ring = Ring(ring_bytes)
        self._intake = Intake(capacity_bytes, queue_bytes, group_bytes)
        self._writer = Writer(self._store, self._intake, self._ring)
        self._reader = Reader(directory, lambda: self._writer.standing.first_frame)
        self._closing = threading.Lock()
        self._closed = False
        self._writer.start()

    def append(self, batch: ReadingBatch, content: int = 0) -> "Future[Appended]":
        """As BatchLog.append. Raises InvalidInput when the sequence is not within 0 to 2**63 - 1."""
        if not 0 <= batch.sequence <= _MAX_SEQUENCE:
            raise InvalidInput(f"sequence {batch.sequence} is not within 0 to {_MAX_SEQUENCE}", field="sequence")
        future = self._intake.put(batch, content)
        if future is None:
            future = Future()
            future.set_exception(StorageFailed("the batch log is closed; the process is shutting down"))
        return future

    def read(self, after: int, max_readings: int) -> Sequence[tuple[int, ReadingBatch]]:
        """As BatchLog.read. Raises FrameDamaged, StorageFailed."""
        if after >= self._writer.standing.last_offset:
            return []
        return self._ring.read(after, max_readings) or self._reader.read(after, max_readings)

    def wait(self, after: int, timeout_s: float) -> bool:
        """As BatchLog.wait."""
        return self._writer.wait(after, timeout_s)

    def commit(self, consumer: str, offset: int) -> None:
        """As BatchLog.commit; never moves backward. Raises InvalidInput beyond the last offset, StorageFailed."""
        last = self._writer.standing.last_offset
        if not 0 <= offset <= last:
            raise InvalidInput(f"{consumer} cannot commit {offset}: the log ends at {last}", field="offset")
        self._writer.commit(consumer, offset)

    def committed(self, consumer: str) -> int:
        """As BatchLog.committed."""
        return self._writer.consumers.get(consumer, 0)

    def last_sequence(self, gateway: str) -> int:
        """As BatchLog.last_sequence; outlives the ledger's retention."""
        return self._store.gateways.get(gateway, (0, -1))[1]

    def depth(self) -> LogDepth:
        """As BatchLog.depth; no I/O. `bytes` is that of the frames, without SQLite's own and the ledger's."""
        standing = self._writer.standing
        behind = {name: standing.last_offset - offset for name, offset in self._writer.consumers.items()}
        batches = standing.last_offset - standing.first_frame + 1
        return LogDepth(batches, standing.frame_bytes, self._capacity_bytes, standing.last_offset, behind)

    def offset_before(self, appended_at: int) -> int:
        """The last offset whose batch is here and came before this instant (microseconds UTC, our clock), else the one
        before the first that is here. Raises StorageFailed."""
        standing = self._writer.standing
        return self._reader.offset_before(appended_at, standing.first_frame, standing.last_offset)

    def appended_at(self, offset: int) -> int | None:
        """When the batch came; None where that is forgotten or never was. Raises StorageFailed."""
        return self._reader.appended_at(offset)

    def readings_in(self, offset: int) -> int | None:
        """How many readings frame `offset` was written with, damaged or not; None where it is missing. Raises
        StorageFailed."""
        return self._reader.readings_in(offset)

    def offset_freeing(self, size: int) -> int:
        """The first offset up to which trimming frees `size` bytes; the last one where all is not so much. Raises
        StorageFailed."""
        return self._reader.offset_freeing(size)

    def used_bytes(self) -> int:
        """What frames and ledger take in the database, with SQLite's own. Raises StorageFailed."""
        return self._reader.used_bytes()

    def resize(self, capacity_bytes: int) -> None:
        """As the constructor's capacity_bytes, from now on. What is stored stays."""
        self._capacity_bytes = capacity_bytes
        self._intake.resize(capacity_bytes)

    def discard(self, offset: int) -> None:
        """Give up the readings of a damaged frame: an empty batch takes its place. Raises StorageFailed."""
        self._writer.ask(lambda store: store.discard(offset))
        self._ring.clear()

    def close(self) -> None:
        """As BatchLog.close."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            self._intake.close()
            self._writer.join()
            self._reader.close()
            self._lock.release()
