"""The log's directory: who may write in it, and its database file."""

import fcntl
import os
import sqlite3
from pathlib import Path
from typing import Final

from forewarn.domain.errors import ConfigurationError, StorageFailed
from forewarn.plugins.batch_logs.sqlite_spool.refusals import condition_of

DATABASE: Final = "spool.db"
LOCK: Final = "spool.lock"
VERSION: Final = 2
PAGE_BYTES: Final = 16_384
_MIB: Final = 1 << 20
_CACHE_KIB: Final = 4_096
_TABLES: Final = """
CREATE TABLE gateway (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, last_sequence INTEGER NOT NULL);
CREATE TABLE ledger (offset INTEGER PRIMARY KEY, gateway INTEGER NOT NULL, sequence INTEGER NOT NULL,
                     appended_at INTEGER NOT NULL, content INTEGER NOT NULL);
CREATE UNIQUE INDEX ledger_name ON ledger (gateway, sequence);
CREATE TABLE frame (offset INTEGER PRIMARY KEY, gateway INTEGER NOT NULL, sequence INTEGER NOT NULL,
                    readings INTEGER NOT NULL, crc INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE consumer (name TEXT PRIMARY KEY, offset INTEGER NOT NULL) WITHOUT ROWID;
"""


class WriterLock:
    """Held by the one process that writes; the kernel lets go of it when that process dies, however it dies."""

    def __init__(self, directory: Path) -> None:
        """Raises ConfigurationError when another process holds the directory, StorageFailed when it cannot be made."""
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._file = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StorageFailed(
                f"cannot open the batch log in {directory}: {error}. Check owner and free space"
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._file, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._file)
            raise ConfigurationError(
                f"the batch log in {directory} is being written by process {holder}. Stop that process or "
                "choose another directory"
            ) from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        os.close(self._file)


def connect(directory: Path, *, writer: bool, shrink: bool = False, wal_bytes: int = 64 * _MIB) -> sqlite3.Connection:
    """A connection in autocommit, made for one thread at a time; the writer's creates the tables if need be.

    shrink: whether a new file can give free pages back. wal_bytes: what stays of the write-ahead log when it begins
    anew.

    Raises StorageFailed when the file cannot be opened or is no database, ConfigurationError when it was
    written by another version."""
    path = directory / DATABASE
    try:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
        try:
            _prepare(connection, path, writer, shrink, wal_bytes)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise cannot_open(directory, error) from error
    return connection


def cannot_open(directory: Path, error: sqlite3.Error) -> StorageFailed:
    return StorageFailed(
        f"{directory / DATABASE} cannot be opened: {error}. If it is damaged, restore the directory from a backup or "
        "move it away; what was not yet in the historian is then lost",
        condition=condition_of(error, directory),
    )


def _prepare(connection: sqlite3.Connection, path: Path, writer: bool, shrink: bool, wal_bytes: int) -> None:
    for pragma in ("busy_timeout=5000", "temp_store=MEMORY"):
        connection.execute(f"PRAGMA {pragma}")
    if not writer:
        connection.execute("PRAGMA query_only=ON")
        _keep_cache(connection)
        return
    # Debian builds SQLite with secure_delete: zeroing what is trimmed would double the log's writes.
    # Checkpoints are the writer thread's own, after it has answered.
    for pragma in (
        f"page_size={PAGE_BYTES}",
        f"auto_vacuum={'INCREMENTAL' if shrink else 'NONE'}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "secure_delete=OFF",
        "wal_autocheckpoint=0",
        f"journal_size_limit={wal_bytes}",
    ):
        connection.execute(f"PRAGMA {pragma}")
    _keep_cache(connection)
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == 0:
        connection.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version={VERSION}; COMMIT;")
        _sync_directory(path.parent)
    elif version != VERSION:
        raise ConfigurationError(
            f"{path} has format {version}, this Forewarn reads {VERSION}. Let the version that wrote it drain it "
            "first, or choose another directory"
        )


def _keep_cache(connection: sqlite3.Connection) -> None:
    """A log is read once, so a few MiB do. Not before the size of the file's pages is known: SQLite counts the cache in
    pages of the size it takes them to have, and keeps four times as much where they turn out four times as large."""
    connection.execute("PRAGMA schema_version").fetchone()
    connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")


def _sync_directory(directory: Path) -> None:
    for folder in (directory, directory.parent):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
