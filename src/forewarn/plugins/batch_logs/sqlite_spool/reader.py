"""The reading side of the database: frames that are no longer in the ring."""

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from forewarn.domain.errors import StorageFailed
from forewarn.domain.readings import ReadingBatch
from forewarn.plugins.batch_logs.sqlite_spool.directory import DATABASE, connect
from forewarn.plugins.batch_logs.sqlite_spool.frame import Frame, FrameDamaged, decode
from forewarn.plugins.batch_logs.sqlite_spool.ring import MOST_BATCHES

_SELECT = (
    "SELECT offset, gateway.name, sequence, readings, crc, body FROM frame "
    "LEFT JOIN gateway ON gateway.id = frame.gateway WHERE offset > ? ORDER BY offset"
)


class Reader:
    """Thread-safe; one read at a time. Its connection is opened on first use and after an error."""

    def __init__(self, directory: Path, first_frame: Callable[[], int]) -> None:
        self._directory = directory
        self._first_frame = first_frame
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def read(self, after: int, max_readings: int) -> list[tuple[int, ReadingBatch]]:
        """As BatchLog.read. What precedes a damaged frame is returned first; the next call raises FrameDamaged."""
        with self._lock:
            expected = max(after + 1, self._first_frame())
            found: list[tuple[int, ReadingBatch]] = []
            try:
                frames = self._frames(expected, max_readings)
                if frames and frames[0].offset <= self._first_frame():
                    expected = frames[0].offset  # what came before was trimmed while we read
                for frame in frames:
                    if frame.offset != expected:
                        raise FrameDamaged(expected, "its row is missing")
                    found.append((frame.offset, decode(frame)))
                    expected += 1
            except FrameDamaged:
                if not found:
                    raise
            except sqlite3.Error as error:
                self._drop()
                if not found:
                    raise StorageFailed(
                        f"{self._directory / DATABASE} cannot be read at frame {expected}: {error}. If the file is "
                        "damaged, restore the directory from a backup"
                    ) from error
            return found

    def offset_before(self, appended_at: int, first: int, last: int) -> int:
        """The last offset of [first, last] that was appended before this instant, else first - 1. Raises StorageFailed.

        By bisection: where our clock was set back, offsets around that moment are taken for older than they are."""
        with self._lock:
            low, high = first, last + 1
            while low < high:
                middle = (low + high) // 2
                at = self._appended_at(middle)
                low, high = (middle + 1, high) if at is None or at < appended_at else (low, middle)
            return low - 1

    def appended_at(self, offset: int) -> int | None:
        """When the batch came, microseconds UTC by our clock; None where the ledger has no such row. Raises
        StorageFailed."""
        with self._lock:
            return self._appended_at(offset)

    def _appended_at(self, offset: int) -> int | None:
        row = self._one("SELECT appended_at FROM ledger WHERE offset = ?", offset)
        return None if row is None else int(row[0])

    def readings_in(self, offset: int) -> int | None:
        """How many readings the frame held when it was written; None where its row is missing. Raises StorageFailed."""
        with self._lock:
            row = self._one("SELECT readings FROM frame WHERE offset = ?", offset)
            return int(row[0]) if row is not None and isinstance(row[0], int) else None

    def offset_freeing(self, size: int) -> int:
        """The first offset that frees `size` bytes of frames when all up to it are trimmed; the last one where all do
        not. Raises StorageFailed."""
        with self._lock:
            row = self._one(
                "SELECT offset FROM (SELECT offset, sum(length(body)) OVER (ORDER BY offset) AS freed FROM frame) "
                "WHERE freed >= ? LIMIT 1",
                size,
            )
            row = row or self._one("SELECT coalesce(max(offset), 0) FROM frame WHERE offset > ?", -1)
            return int(row[0]) if row is not None else 0

    def used_bytes(self) -> int:
        """Of the database, without its free pages and its write-ahead log. Raises StorageFailed."""
        with self._lock:
            row = self._one(
                "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, pragma_freelist_count, "
                "pragma_page_size WHERE ? = 0",
                0,
            )
            return 0 if row is None else int(row[0])

    def _one(self, sql: str, value: int) -> tuple[Any, ...] | None:
        try:
            if self._connection is None:
                self._connection = connect(self._directory, writer=False)
            row: tuple[Any, ...] | None = self._connection.execute(sql, (value,)).fetchone()
        except sqlite3.Error as error:
            self._drop()
            raise StorageFailed(f"{self._directory / DATABASE} cannot be read: {error}") from error
        return row

    def _frames(self, first: int, max_readings: int) -> list[Frame]:
        """Fetched before anything is decoded: an open cursor would keep the write-ahead log from being reused."""
        if self._connection is None:
            self._connection = connect(self._directory, writer=False)
        frames: list[Frame] = []
        readings = 0
        cursor = self._connection.execute(_SELECT, (first - 1,))
        try:
            for row in cursor:
                frame = _frame(row)
                readings += frame.readings
                if frames and (readings > max_readings or len(frames) == MOST_BATCHES):
                    break
                frames.append(frame)
        except (sqlite3.Error, FrameDamaged):
            if not frames:
                raise
        finally:
            cursor.close()
        return frames

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def close(self) -> None:
        with self._lock:
            self._drop()


def _frame(row: tuple[object, ...]) -> Frame:
    """Raises FrameDamaged when a cell is not of its column's type (SQLite does not check)."""
    offset, gateway, sequence, readings, crc, body = row
    match (offset, gateway, sequence, readings, crc, body):
        case (int(), str(), int(), int(), int(), bytes()):
            return Frame(offset, gateway, sequence, readings, crc, body)
    raise FrameDamaged(int(str(offset)), "its row is not of the table's types")
