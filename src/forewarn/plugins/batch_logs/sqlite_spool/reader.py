"""The reading side of the database: frames that are no longer in the ring."""

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

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
