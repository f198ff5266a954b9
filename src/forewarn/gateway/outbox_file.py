"""The outbox's directory: its database, its lock, and a damaged one set aside."""

import fcntl
import os
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import ConfigurationError, StorageFailed
from forewarn.gateway import ledger

_log = structlog.get_logger(__name__)
DATABASE: Final = "outbox.db"
LOCK: Final = "outbox.lock"
NUMBERS: Final = "outbox.numbers"
VERSION: Final = 1
_MIB: Final = 2**20
# Numbers are claimed in the file beside the database a block at a time: after a damage they go on above it.
_BLOCK: Final = 100_000
_TABLES: Final = f"""
CREATE TABLE parcel (number INTEGER PRIMARY KEY, kind TEXT NOT NULL, urgency INTEGER NOT NULL, rows INTEGER NOT NULL,
                     first_time INTEGER NOT NULL, last_time INTEGER NOT NULL, crc INTEGER NOT NULL,
                     size INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE aside (number INTEGER PRIMARY KEY, rows INTEGER NOT NULL, found_at INTEGER NOT NULL, body BLOB);
CREATE TABLE thinning (one INTEGER PRIMARY KEY CHECK (one = 1), offset INTEGER NOT NULL, state BLOB NOT NULL,
                       last_number INTEGER NOT NULL);
{ledger.TABLES}
"""


class OutboxLock:
    """Held by the one process that writes; the kernel lets go of it when that process dies, however it dies."""

    def __init__(self, directory: Path) -> None:
        """Raises ConfigurationError when another process holds it, StorageFailed when it cannot be made."""
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._file = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise failed(directory, error) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            raise ConfigurationError(
                f"the outbox in {directory} is being written by another gateway. Stop it or choose another directory"
            ) from None

    def release(self) -> None:
        os.close(self._file)


def connect(directory: Path) -> sqlite3.Connection:
    """In autocommit, tables made if need be, pages of a torn write put right. Raises sqlite3.Error, and
    ConfigurationError for the file of another version."""
    connection = sqlite3.connect(directory / DATABASE, isolation_level=None, check_same_thread=False)
    try:
        for pragma in (
            "page_size=8192",
            "auto_vacuum=INCREMENTAL",
            "journal_mode=WAL",
            "synchronous=FULL",
            "secure_delete=OFF",
            "busy_timeout=5000",
            "cache_size=-4096",
            "temp_store=MEMORY",
            f"journal_size_limit={16 * _MIB}",
        ):
            connection.execute(f"PRAGMA {pragma}").fetchall()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            last = numbered_up_to(directory)
            connection.executescript(f"BEGIN IMMEDIATE; {_TABLES}")
            connection.execute("INSERT INTO thinning VALUES (1, 0, x'', ?)", (last,))
            connection.execute(f"PRAGMA user_version={VERSION}")
            connection.execute("COMMIT")
            sync(directory)
        elif version != VERSION:
            raise ConfigurationError(
                f"{directory / DATABASE} has format {version}, this Forewarn reads {VERSION}. Let the version that "
                "wrote it deliver it first, or choose another directory"
            )
    except BaseException:
        connection.close()
        raise
    return connection


def is_damage(error: Exception) -> bool:
    """Whether SQLite says that the file is not what it wrote."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def set_aside(directory: Path, why: Exception) -> tuple[Path, str]:
    """Move the database and its journal out of the way; where it is now, and what happened, as sentences."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    for name in (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm"):
        path = directory / name
        if path.exists():
            path.rename(directory / f"damaged-{stamp}-{name}")
    sync(directory)
    aside = directory / f"damaged-{stamp}-{DATABASE}"
    text = (
        f"the outbox in {directory} is damaged ({why}). It was set aside as {aside.name}; what waited in it and cannot "
        "be read is made again from the raw log as far back as that reaches."
    )
    _log.error("outbox_damaged", directory=str(directory), error=str(why), aside=aside.name)
    return aside, text


def numbered_up_to(directory: Path) -> int:
    """No parcel's number was above this; 0 at first."""
    try:
        return int((directory / NUMBERS).read_text("ascii"))
    except (OSError, ValueError):
        return 0


def claim_numbers(directory: Path, last: int) -> int:
    """Say on disk, before they are used, that numbers up to the answer (>= last) may have been. Raises OSError."""
    up_to = (last // _BLOCK + 1) * _BLOCK
    half = directory / f"{NUMBERS}.new"
    with half.open("w", encoding="ascii") as file:
        file.write(f"{up_to}\n")
        file.flush()
        os.fsync(file.fileno())
    half.rename(directory / NUMBERS)
    sync(directory)
    return up_to


def sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def failed(directory: Path, error: Exception) -> StorageFailed:
    return StorageFailed(
        f"the outbox in {directory} could not be written or read: {error}. Nothing was changed. Check free space and "
        "the state of the disk; the gateway goes on by itself once it can write",
        condition=_condition(error),
    )


_BY_CODE: Final[Sequence[tuple[int, ConditionCode]]] = (
    (sqlite3.SQLITE_FULL, ConditionCode.DISK_FULL),
    (sqlite3.SQLITE_READONLY, ConditionCode.DISK_READ_ONLY),
    (sqlite3.SQLITE_CORRUPT, ConditionCode.BUFFER_DAMAGED),
    (sqlite3.SQLITE_NOTADB, ConditionCode.BUFFER_DAMAGED),
)


def _condition(error: Exception) -> ConditionCode:
    if isinstance(error, OSError):
        by_number = {28: ConditionCode.DISK_FULL, 30: ConditionCode.DISK_READ_ONLY}  # ENOSPC, EROFS
        return by_number.get(error.errno or 0, ConditionCode.FAILED)
    code = getattr(error, "sqlite_errorcode", None)
    return next((c for primary, c in _BY_CODE if code is not None and code & 0xFF == primary), ConditionCode.FAILED)
