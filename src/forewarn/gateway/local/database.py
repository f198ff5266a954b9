"""The SQLite file of a gateway's alarms, findings and signal keys."""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import StorageFailed
from forewarn.gateway.disk_state import disk_state

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS standing (asset TEXT, rule TEXT, status TEXT NOT NULL, PRIMARY KEY (asset, rule));
CREATE TABLE IF NOT EXISTS journal (id INTEGER PRIMARY KEY, asset TEXT NOT NULL, rule TEXT NOT NULL,
    event TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS journal_of ON journal (asset, rule, id);
CREATE TABLE IF NOT EXISTS finding (signal INTEGER, detector TEXT, started_at INTEGER, open INTEGER NOT NULL,
    body TEXT NOT NULL, PRIMARY KEY (signal, detector, started_at));
CREATE INDEX IF NOT EXISTS finding_open ON finding (open) WHERE open = 1;
CREATE TABLE IF NOT EXISTS stage (name TEXT PRIMARY KEY, offset INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS note (name TEXT PRIMARY KEY, text TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS signal_key (key INTEGER PRIMARY KEY, name TEXT NOT NULL, crc INTEGER NOT NULL);
"""
FILE: Final = "gateway.db"
_WAIT_S: Final = 10.0
_WAL_BYTES: Final = 1 << 20
Note = Callable[[ConditionCode, str], None]


class Memory:
    """One connection, used by one thread at a time. Raises StorageFailed, with the transaction undone.

    A file that SQLite calls damaged, at the start or later, is set aside under another name (`set_aside`) and a new one
    begun: alarms stand NORMAL again after the next start and are judged anew from what the log still holds. Whoever
    met the damage gets StorageFailed once, and may try again.

    fill: writes into a new file what is known elsewhere. is_new: there was none at the start, or none whole."""

    def __init__(self, directory: Path, note: Note = lambda code, text: None) -> None:
        self.path = directory / FILE
        self.is_new = not self.path.exists() or not self.path.stat().st_size
        self.fill: Callable[[sqlite3.Connection], None] = lambda connection: None
        self._note = note
        self._lock = threading.RLock()
        self._closed = False
        self.set_aside: Path | None = None
        try:
            self._connection = self._open()
        except StorageFailed as error:
            if error.condition is not ConditionCode.BUFFER_DAMAGED:
                raise
            self._begin_anew()

    def _begin_anew(self) -> None:
        self.set_aside = self.path.with_name(f"{FILE}.damaged-{time.time_ns() // 1_000_000}")
        self.path.rename(self.set_aside)
        for beside in ("-wal", "-shm"):
            self.path.with_name(FILE + beside).unlink(missing_ok=True)
        self._connection = self._open()
        self.is_new = True
        self._connection.execute("BEGIN IMMEDIATE")
        self.fill(self._connection)
        self._connection.execute("COMMIT")
        text = f"alarms and findings were damaged and begun anew; what was there lies in {self.set_aside}"
        self._note(ConditionCode.BUFFER_DAMAGED, text)

    def _met(self, error: sqlite3.Error) -> StorageFailed:
        """What to raise; a file that is damaged is replaced first."""
        failed = self._failed(error)
        if self._closed:
            return failed
        with contextlib.suppress(OSError, StorageFailed, sqlite3.Error):  # else whoever tries next meets it again
            if isinstance(error, sqlite3.ProgrammingError):
                self._connection = self._open()  # the disk refused when it was begun anew
            elif failed.condition is ConditionCode.BUFFER_DAMAGED:
                self._connection.close()
                self._begin_anew()
        return failed

    def _open(self) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(self.path, timeout=_WAIT_S, isolation_level=None, check_same_thread=False)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
            # A byte that the disk turned must not end the gateway; who reads judges what it gets.
            connection.text_factory = lambda text: text.decode("utf-8", "replace")
            if connection.execute("PRAGMA quick_check").fetchone() != ("ok",):
                raise sqlite3.DatabaseError("quick_check found damage")
            connection.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise self._failed(error) from error
        return connection

    @contextlib.contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction, durable when the block ends."""
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection
                except BaseException:
                    self._connection.execute("ROLLBACK")
                    raise
                self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                with contextlib.suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise self._met(error) from error

    @contextlib.contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._connection
            except sqlite3.Error as error:
                raise self._met(error) from error

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._connection.close()

    def _failed(self, error: sqlite3.Error) -> StorageFailed:
        conditions = {
            sqlite3.SQLITE_FULL: ConditionCode.DISK_FULL,
            sqlite3.SQLITE_READONLY: ConditionCode.DISK_READ_ONLY,
            sqlite3.SQLITE_CORRUPT: ConditionCode.BUFFER_DAMAGED,
            sqlite3.SQLITE_NOTADB: ConditionCode.BUFFER_DAMAGED,
        }
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        return StorageFailed(
            f"{self.path} cannot be used: {error}. Check free space and the state of the disk",
            condition=conditions.get(code) or disk_state(self.path.parent) or ConditionCode.FAILED,
        )
