"""Statistics of whole minutes that gateways told, where they kept the readings themselves back.

One row a signal and hour, rewritten whole: at most 60 cells, each field's bytes together, zlib. Of two tellings of a
minute the one of more readings counts, so they may come twice and in any order.
"""

import sqlite3
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.errors import StorageFailed
from forewarn.domain.series import Aggregates
from forewarn.plugins.historians.parquet.rows import Keys
from forewarn.plugins.historians.parquet.statistics import Statistics

NAME: Final = "minutes.sqlite"
MINUTE_US: Final = 60_000_000
_HOUR_US: Final = 60 * MINUTE_US
_FIELDS: Final = (("minute", "<u1"), ("count", "<u4"), ("good", "<u4"))
_REALS: Final = (("mean", "<f8"), ("m2", "<f8"), ("low", "<f8"), ("high", "<f8"))
_CELL: Final = np.dtype([*_FIELDS, *_REALS])
_ASKED_AT_ONCE: Final = 500
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS told (signal INTEGER, hour INTEGER, cells BLOB NOT NULL, PRIMARY KEY (signal, hour))
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS told_signal (signal INTEGER PRIMARY KEY);
"""
Cells = NDArray[Any]


class ToldMinutes:
    """Thread-safe. One process writes; readers in other processes see every commit. Raises StorageFailed."""

    def __init__(self, directory: Path, *, read_only: bool = False) -> None:
        self._path, self._read_only = directory / NAME, read_only
        self._turn = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._known: frozenset[int] = frozenset()
        with self._refusals():
            self._open()

    def holds(self, signals: Keys | None) -> bool:
        """Whether anything was told of any of these (None: of any at all); no I/O in the writing process."""
        if self._read_only:
            with self._turn, self._refusals():
                self._open()
                self._learn()
        return bool(self._known) if signals is None else not self._known.isdisjoint(signals.tolist())

    def put(self, minutes: Aggregates) -> int:
        """Keep what tells more than what is there; how many minutes that were. Durable on return."""
        order = np.lexsort((minutes.start, minutes.signal))
        cells, hour = _cells(minutes, order)
        signal = minutes.signal[order]
        first = np.flatnonzero(np.r_[True, (signal[1:] != signal[:-1]) | (hour[1:] != hour[:-1])][: len(signal)])
        changed, rows = 0, []
        with self._turn, self._refusals():
            with self._writing() as connection:
                for begin, end in zip(first.tolist(), [*first[1:].tolist(), len(signal)], strict=True):
                    key, at = int(signal[begin]), int(hour[begin])
                    row = connection.execute("SELECT cells FROM told WHERE signal = ? AND hour = ?", (key, at))
                    found = row.fetchone()
                    kept, news = _merged(None if found is None else _unpacked(found[0]), cells[begin:end])
                    changed += news
                    if news:
                        rows.append((key, at, _packed(kept)))
                connection.executemany("INSERT OR REPLACE INTO told VALUES (?, ?, ?)", rows)
                new = {key for key, _, _ in rows} - self._known
                connection.executemany("INSERT OR IGNORE INTO told_signal VALUES (?)", [(key,) for key in new])
            self._known |= new  # in our turn: of two at once, neither may forget what the other learned
        return changed

    def between(self, signals: Keys | None, start: int, end: int) -> Statistics:
        """Minutes that lie wholly within [start, end), ordered by (signal, start). signals: None = all."""
        wanted = sorted(self._known if signals is None else self._known.intersection(signals.tolist()))
        first, last = start // _HOUR_US * _HOUR_US, end
        found: list[tuple[int, int, bytes]] = []
        with self._turn, self._refusals():
            for begin in range(0, len(wanted), _ASKED_AT_ONCE):
                some = wanted[begin : begin + _ASKED_AT_ONCE]
                marks = ",".join("?" * len(some))
                found += self._connected().execute(
                    f"SELECT signal, hour, cells FROM told WHERE signal IN ({marks}) AND hour >= ? AND hour < ?"  # noqa: S608
                    " ORDER BY signal, hour",
                    (*some, first, last),
                )
        return _statistics(found, start, end)

    def forget(self, before: int) -> None:
        """Let go of hours that ended by then."""
        hour = before // _HOUR_US * _HOUR_US
        with self._turn, self._refusals(), self._writing() as connection:
            for key in self._known:
                connection.execute("DELETE FROM told WHERE signal = ? AND hour < ?", (key, hour))

    def size(self) -> int:
        """Bytes on disk."""
        return self._path.stat().st_size if self._path.exists() else 0

    def close(self) -> None:
        with self._turn:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _open(self) -> None:
        if self._connection is not None or (self._read_only and not self._path.exists()):
            return
        if self._read_only:
            address = f"{self._path.absolute().as_uri()}?mode=ro"
            self._connection = sqlite3.connect(address, uri=True, check_same_thread=False)
        else:
            self._connection = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.executescript(_SCHEMA)
        self._learn()

    def _learn(self) -> None:
        if self._connection is not None:
            self._known = frozenset(key for (key,) in self._connection.execute("SELECT signal FROM told_signal"))

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            raise StorageFailed(f"{self._path} is closed")
        return self._connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        connection = self._connected()
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, zlib.error) as error:
            raise StorageFailed(f"the told minutes in {self._path} cannot be used: {error}; check the disk") from error


def _cells(minutes: Aggregates, order: NDArray[np.intp]) -> tuple[Cells, NDArray[np.int64]]:
    cells = np.zeros(len(order), _CELL)
    start, good = minutes.start[order], minutes.good[order]
    hour = start // _HOUR_US * _HOUR_US
    cells["minute"] = (start - hour) // MINUTE_US
    cells["count"], cells["good"] = minutes.count[order], good
    cells["mean"], cells["low"], cells["high"] = minutes.mean[order], minutes.minimum[order], minutes.maximum[order]
    deviation = minutes.stddev[order]
    cells["m2"] = np.where(good > 1, deviation * deviation * (good - 1), 0.0)
    return cells, hour


def _merged(before: Cells | None, told: Cells) -> tuple[Cells, int]:
    """The cells of an hour, and how many of `told` say more than was there. told: ordered by minute."""
    table = np.zeros(60, _CELL)
    table["minute"] = np.arange(60)
    if before is not None:
        table[before["minute"]] = before
    news = 0
    for cell in told:
        if cell["count"] > table["count"][cell["minute"]]:
            table[cell["minute"]] = cell
            news += 1
    return table[table["count"] > 0], news


def _packed(cells: Cells) -> bytes:
    return zlib.compress(b"".join(np.ascontiguousarray(cells[name]).tobytes() for name, _ in (*_FIELDS, *_REALS)), 1)


def _unpacked(packed: bytes) -> Cells:
    plain = zlib.decompress(packed)
    n, at = len(plain) // _CELL.itemsize, 0
    cells = np.zeros(n, _CELL)
    for name, kind in (*_FIELDS, *_REALS):
        cells[name] = np.frombuffer(plain, kind, n, at)
        at += n * np.dtype(kind).itemsize
    return cells


def _statistics(found: list[tuple[int, int, bytes]], start: int, end: int) -> Statistics:
    hours = [_unpacked(packed) for _, _, packed in found]
    counts = np.array([len(cells) for cells in hours], np.int64)
    cells = np.concatenate(hours) if hours else np.zeros(0, _CELL)
    signal = np.repeat(np.array([key for key, _, _ in found], np.int32), counts)
    hour = np.repeat(np.array([at for _, at, _ in found], np.int64), counts)
    first = hour + cells["minute"].astype(np.int64) * MINUTE_US
    rows = Statistics(
        signal,
        first,
        cells["count"].astype(np.int64),
        cells["good"].astype(np.int64),
        cells["mean"].astype(np.float64),
        cells["m2"].astype(np.float64),
        cells["low"].astype(np.float64),
        cells["high"].astype(np.float64),
        np.zeros(len(cells), np.bool_),
    )
    inside = (first >= start) & (first + MINUTE_US <= end)
    return rows if inside.all() else rows.take(inside)
