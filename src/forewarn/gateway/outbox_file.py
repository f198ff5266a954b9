"""The outbox's directory: its database, its lock, and a damaged one set aside."""

import fcntl
import os
import sqlite3
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import ConfigurationError, StorageFailed
from forewarn.gateway import ledger
from forewarn.gateway.disk_state import condition_of, disk_state
from forewarn.kit.disk import sync_directory

_log = structlog.get_logger(__name__)
DATABASE: Final = "outbox.db"
LOCK: Final = "outbox.lock"
NUMBERS: Final = "outbox.numbers"
VERSION: Final = 1
_PAGE_BYTES: Final = 8_192
_VACUUM_PAGES: Final = 256
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


Note = Callable[[ConditionCode, str], None]


def unheard(code: ConditionCode, text: str) -> None:
    """Nobody is told."""


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


def connect(directory: Path, slack_bytes: int) -> sqlite3.Connection:
    """In autocommit, tables made if need be, pages of a torn write put right. slack_bytes: about what the write-ahead
    log may take. Raises sqlite3.Error, and ConfigurationError for the file of another version."""
    connection = sqlite3.connect(directory / DATABASE, isolation_level=None, check_same_thread=False)
    try:
        for pragma in (
            f"page_size={_PAGE_BYTES}",
            "auto_vacuum=INCREMENTAL",
            "journal_mode=WAL",
            "synchronous=FULL",
            "secure_delete=OFF",
            "busy_timeout=5000",
            "cache_size=-4096",
            "temp_store=MEMORY",
            f"wal_autocheckpoint={slack_bytes // _PAGE_BYTES}",
            f"journal_size_limit={slack_bytes}",
        ):
            connection.execute(f"PRAGMA {pragma}").fetchall()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            last = numbered_up_to(directory)
            connection.executescript(f"BEGIN IMMEDIATE; {_TABLES}")
            connection.execute("INSERT INTO thinning VALUES (1, 0, x'', ?)", (last,))
            connection.execute(f"PRAGMA user_version={VERSION}")
            connection.execute("COMMIT")
            sync_directory(directory)
        elif version != VERSION:
            raise ConfigurationError(
                f"{directory / DATABASE} has format {version}, this Forewarn reads {VERSION}. Let the version that "
                "wrote it deliver it first, or choose another directory"
            )
    except BaseException:
        connection.close()
        raise
    return connection


def used_bytes(connection: sqlite3.Connection, *, with_free: bool) -> int:
    """What the database takes; its free pages too on demand. Raises sqlite3.Error."""
    names = ("page_count", "freelist_count", "page_size")
    pages, free, size = (int(connection.execute(f"PRAGMA {name}").fetchone()[0]) for name in names)
    return (pages if with_free else pages - free) * size


def give_back(connection: sqlite3.Connection, *, at_once: bool) -> None:
    """Free pages to the disk, a few at a time; at_once: also the few that are kept otherwise. Raises sqlite3.Error."""
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    if free > _VACUUM_PAGES or (free and at_once):
        # Not execute: it steps once, which frees one page.
        connection.executescript(f"PRAGMA incremental_vacuum({_VACUUM_PAGES})")
        if at_once:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def size(directory: Path) -> int:
    """Bytes of the database and its write-ahead log."""
    paths = (directory / DATABASE, directory / f"{DATABASE}-wal")
    return sum(path.stat().st_size for path in paths if path.exists())


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
    sync_directory(directory)
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
    sync_directory(directory)
    return up_to


def failed(directory: Path, error: Exception) -> StorageFailed:
    return StorageFailed(
        f"the outbox in {directory} could not be written or read: {error}. Nothing was changed. Check free space and "
        "the state of the disk; the gateway goes on by itself once it can write",
        condition=_condition(directory, error),
    )


_BY_CODE: Final[Sequence[tuple[int, ConditionCode]]] = (
    (sqlite3.SQLITE_FULL, ConditionCode.DISK_FULL),
    (sqlite3.SQLITE_READONLY, ConditionCode.DISK_READ_ONLY),
    (sqlite3.SQLITE_CORRUPT, ConditionCode.BUFFER_DAMAGED),
    (sqlite3.SQLITE_NOTADB, ConditionCode.BUFFER_DAMAGED),
)


def _condition(directory: Path, error: Exception) -> ConditionCode:
    if isinstance(error, OSError):
        return condition_of(error)
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return ConditionCode.FAILED
    known = next((c for primary, c in _BY_CODE if code & 0xFF == primary), None)
    return known or disk_state(directory) or ConditionCode.FAILED
