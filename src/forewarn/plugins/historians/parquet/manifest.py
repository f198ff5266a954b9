"""The manifest: a small SQLite database that says which files count.

A file that it does not list does not exist for readers; one transaction adds files, drops those they replace and
moves the watermark, so a crash leaves either the old state or the new one.
"""

import sqlite3
import threading
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from forewarn.domain.errors import StorageFailed
from forewarn.plugins.historians.parquet.latest import LatestTable

# 2: a time is its slot and a jitter. A directory of format 1 has none, and is 2 once it was opened.
FORMAT: Final = 2
READABLE: Final = (1, FORMAT)
NAME: Final = "manifest.sqlite"
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS file (
    path TEXT PRIMARY KEY, kind TEXT NOT NULL, partition INTEGER NOT NULL,
    oldest INTEGER NOT NULL, generation INTEGER NOT NULL,
    min_time INTEGER NOT NULL, max_time INTEGER NOT NULL,
    min_signal INTEGER NOT NULL, max_signal INTEGER NOT NULL,
    rows INTEGER NOT NULL, bytes INTEGER NOT NULL, footer_crc INTEGER NOT NULL,
    overwrites INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS state (
    only INTEGER PRIMARY KEY CHECK (only = 1), format INTEGER NOT NULL, watermark INTEGER NOT NULL,
    generation INTEGER NOT NULL, latest BLOB NOT NULL
) STRICT;
"""


class Kind(StrEnum):
    """What a file holds; also the folder it lies in."""

    RAW = "raw"
    MINUTE = "minute"
    HOUR = "hour"


BUCKET_US: Final = {Kind.MINUTE: 60_000_000, Kind.HOUR: 3_600_000_000}
PARTITION_US: Final = {Kind.RAW: 3_600_000_000, Kind.MINUTE: 86_400_000_000, Kind.HOUR: 30 * 86_400_000_000}


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file. `path` is relative to the historian's directory; `partition` its first instant in microseconds;
    oldest..generation the flushes it holds, within its partition without a gap. min_time and max_time are those of
    its rows, inclusive (of the buckets' starts in a rollup). overwrites: how many rows of a raw file repeat a
    (signal, time) of an older file."""

    path: str
    kind: Kind
    partition: int
    oldest: int
    generation: int
    min_time: int
    max_time: int
    min_signal: int
    max_signal: int
    rows: int
    bytes: int
    footer_crc: int
    overwrites: int = 0


@dataclass(frozen=True, slots=True)
class Inventory:
    """What counts at one moment: files by (kind, partition), in order of generation."""

    watermark: int
    generation: int
    files: dict[tuple[Kind, int], tuple[FileEntry, ...]]

    def partitions(self, kind: Kind, start: int, end: int) -> list[int]:
        """Those of `kind` with rows that may lie in [start, end), ascending."""
        width = PARTITION_US[kind]
        first = start // width * width
        if (end - first) // width < len(self.files):
            return [p for p in range(first, end, width) if (kind, p) in self.files]
        return sorted(p for k, p in self.files if k is kind and p < end and p + width > start)

    def all(self) -> Iterable[FileEntry]:
        return (entry for entries in self.files.values() for entry in entries)

    def replaced(
        self, added: Sequence[FileEntry], removed: Sequence[FileEntry], *, watermark: int, generation: int
    ) -> "Inventory":
        files = dict(self.files)
        gone = {entry.path for entry in removed}
        for key in {(e.kind, e.partition) for e in (*added, *removed)}:
            kept = [e for e in files.get(key, ()) if e.path not in gone]
            kept += [e for e in added if (e.kind, e.partition) == key]
            files[key] = tuple(sorted(kept, key=lambda e: e.generation))
            if not kept:
                del files[key]
        return Inventory(watermark, generation, files)


def _entry(row: Sequence[Any]) -> FileEntry:
    entry = FileEntry(*row)
    return replace(entry, kind=Kind(entry.kind))


class Manifest:
    """One connection; callers take turns. Raises StorageFailed when the disk refuses."""

    def __init__(self, directory: Path, *, read_only: bool = False) -> None:
        self._path = directory / NAME
        self._turn = threading.Lock()
        try:
            if read_only:
                self._connection = sqlite3.connect(
                    f"{self._path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False
                )
            else:
                self._connection = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None)
                self._prepare()
        except sqlite3.Error as error:
            raise StorageFailed(f"cannot open the historian's manifest {self._path}: {error}") from error

    def _prepare(self) -> None:
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.executescript(_SCHEMA)
        self._connection.execute(
            "INSERT OR IGNORE INTO state VALUES (1, ?, 0, 0, ?)", (FORMAT, LatestTable.empty().to_bytes())
        )
        # An older version would read what is written from here on wrongly; it is told by the number.
        self._connection.execute("UPDATE state SET format = ? WHERE format < ?", (FORMAT, FORMAT))

    def load(self) -> tuple[Inventory, LatestTable]:
        """The last committed state: files, watermark, and the newest flushed reading of every signal."""
        try:
            with self._turn, self._connection:
                self._connection.execute("BEGIN")
                row = self._connection.execute("SELECT format, watermark, generation, latest FROM state").fetchone()
                names = ", ".join(f.name for f in fields(FileEntry))
                rows = self._connection.execute(f"SELECT {names} FROM file ORDER BY generation").fetchall()  # noqa: S608
        except sqlite3.Error as error:
            raise StorageFailed(f"cannot read the historian's manifest {self._path}: {error}") from error
        if row is None or row[0] not in READABLE:
            found = "none" if row is None else row[0]
            raise StorageFailed(f"{self._path} has format {found}, this version reads {FORMAT}")
        files: dict[tuple[Kind, int], tuple[FileEntry, ...]] = {}
        for values in rows:
            entry = _entry(values)
            key = (entry.kind, entry.partition)
            files[key] = (*files.get(key, ()), entry)
        return Inventory(row[1], row[2], files), LatestTable.from_bytes(row[3])

    def version(self) -> int:
        """Changes when another process has committed."""
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def commit(
        self,
        added: Sequence[FileEntry],
        removed: Sequence[FileEntry],
        flushed: tuple[int, int, bytes] | None = None,
    ) -> None:
        """All or nothing, on disk on return. `flushed`: watermark, generation, latest table after a flush."""
        marks = ", ".join("?" * len(fields(FileEntry)))
        try:
            with self._turn, self._connection as transaction:
                transaction.execute("BEGIN IMMEDIATE")
                transaction.executemany("DELETE FROM file WHERE path = ?", [(e.path,) for e in removed])
                transaction.executemany(f"INSERT INTO file VALUES ({marks})", [astuple(e) for e in added])  # noqa: S608
                if flushed is not None:
                    transaction.execute("UPDATE state SET watermark = ?, generation = ?, latest = ?", flushed)
        except sqlite3.Error as error:
            raise StorageFailed(f"cannot write the historian's manifest {self._path}: {error}") from error

    def close(self) -> None:
        self._connection.close()
