"""What lies in a log's directory, told without changing it; a writer may be at work."""

import contextlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from forewarn.domain.errors import StorageFailed
from forewarn.plugins.batch_logs.sqlite_spool.directory import DATABASE, cannot_open, connect
from forewarn.plugins.batch_logs.sqlite_spool.reader import Reader

_READINGS_AT_ONCE = 200_000

_SELECT = (
    "SELECT gateway.name, ledger.sequence, frame.readings, ledger.appended_at FROM ledger "
    "LEFT JOIN gateway ON gateway.id = ledger.gateway LEFT JOIN frame ON frame.offset = ledger.offset "
    "WHERE ledger.offset = ?"
)


@dataclass(frozen=True, slots=True)
class FrameFacts:
    """Who sent the batch and when it came (microseconds UTC). readings: None where the frame's row is missing."""

    gateway: str
    sequence: int
    readings: int | None
    appended_at: int


def describe(directory: Path, offset: int) -> FrameFacts | None:
    """None when the log never had this offset or has forgotten it. Raises StorageFailed, ConfigurationError."""
    with contextlib.closing(connect(directory, writer=False)) as connection:
        row = connection.execute(_SELECT, (offset,)).fetchone()
    return None if row is None else FrameFacts(str(row[0]), int(row[1]), row[2], int(row[3]))


@dataclass(frozen=True, slots=True)
class LogFacts:
    """What waits in the log. checked_bytes: of the oldest frames, whose checksums were looked at; behind: batches by
    consumer; damage: a sentence about the first frame that is not as written."""

    batches: int
    readings: int
    bytes: int
    checked_bytes: int
    behind: dict[str, int]
    damage: str | None


def examine(directory: Path, most_bytes: int) -> LogFacts | None:
    """Look at all frames, and at the bytes of the oldest `most_bytes` of them; None when there is no log.

    Raises StorageFailed, ConfigurationError."""
    if not (directory / DATABASE).is_file():
        return None
    try:
        with contextlib.closing(connect(directory, writer=False)) as connection:
            if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
                return None  # its writer has not made the tables yet
            return _examine(connection, directory, most_bytes)
    except sqlite3.Error as error:
        raise cannot_open(directory, error) from error


def _examine(connection: sqlite3.Connection, directory: Path, most_bytes: int) -> LogFacts:
    (last,) = connection.execute("SELECT coalesce(max(offset), 0) FROM ledger").fetchone()
    readings = checked_bytes = size = batches = until = 0
    for offset, count, length in connection.execute("SELECT offset, readings, length(body) FROM frame ORDER BY offset"):
        batches, readings, size = batches + 1, readings + count, size + length
        if size <= most_bytes:
            until, checked_bytes = offset, size
    consumers = connection.execute("SELECT name, offset FROM consumer").fetchall()
    behind = {name: last - offset for name, offset in consumers}
    return LogFacts(batches, readings, size, checked_bytes, behind, _damage(connection, directory, until))


def _damage(connection: sqlite3.Connection, directory: Path, until: int) -> str | None:
    def first() -> int:
        return int(connection.execute("SELECT coalesce(min(offset), 1) FROM frame").fetchone()[0])

    reader = Reader(directory, first)
    with contextlib.closing(reader):
        at = first() - 1
        while at < until:
            try:
                found = reader.read(at, _READINGS_AT_ONCE)
            except StorageFailed as error:
                return str(error)
            if not found:
                break  # trimmed meanwhile
            at = found[-1][0]
    return None
