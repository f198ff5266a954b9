"""The writing side of the database: everything here runs in the writer's thread."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from forewarn.contracts.batch_log import Appended
from forewarn.domain.readings import ReadingBatch
from forewarn.kit.clock import now_us
from forewarn.plugins.batch_logs.sqlite_spool.directory import PAGE_BYTES, cannot_open, connect
from forewarn.plugins.batch_logs.sqlite_spool.frame import Encoded, encode, without_readings

# Many rows a statement: each step gives the GIL away, and a busy neighbour may keep it 5 ms.
_ROWS_PER_STATEMENT: Final = 64
_MAX_SEQUENCE: Final = 2**63 - 1
_TRIM_FRAMES: Final = 256
_TRIM_LEDGER: Final = 4_096
# What a transaction adds to the write-ahead log beside its frames: whole pages, six of 16 KiB (measured: 103 kB for a
# frame of one reading). Many small frames would make it grow by gigabytes if frames alone counted.
_TRANSACTION_BYTES: Final = 100_000


@dataclass(frozen=True, slots=True)
class Written:
    """answers: one for each batch that was given. batches: what was new, by offset, under its final name."""

    answers: list[Appended]
    batches: list[tuple[int, ReadingBatch]]


@dataclass(frozen=True, slots=True)
class _Numbered:
    """A batch that is to be written. gateway: its id."""

    offset: int
    gateway: int
    given: Encoded


class Store:
    """Figures as of the last transaction that succeeded. After sqlite3.Error call `reopen`.

    last_offset: of the last batch ever appended. first_frame: oldest offset still there (last_offset + 1 if
    none). frame_bytes: sum of the frames' bodies. gateways: name -> (id, highest sequence)."""

    def __init__(
        self, directory: Path, ledger_rows: int, ledger_age_s: float, *, shrink: bool = False, slack_bytes: int
    ) -> None:
        """slack_bytes: the write-ahead log goes into the database when it has grown by so much; where it shrinks, the
        database keeps so many of its free pages."""
        self._slack_bytes = slack_bytes
        self.directory = directory
        self._shrink = shrink
        self._ledger_rows = ledger_rows
        self._ledger_age_us = int(ledger_age_s * 1_000_000)
        self._open()

    def _open(self) -> None:
        wal_bytes = {"wal_bytes": self._slack_bytes} if self._shrink else {}
        self._connection = connect(self.directory, writer=True, shrink=self._shrink, **wal_bytes)
        try:
            self._load()
        except sqlite3.Error as error:
            self._connection.close()
            raise cannot_open(self.directory, error) from error

    def _load(self) -> None:
        self._since_checkpoint = self._slack_bytes
        one = self._one
        self.last_offset = int(one("SELECT coalesce(max(offset), 0) FROM ledger")[0])
        first, frame_bytes = one("SELECT min(offset), coalesce(sum(length(body)), 0) FROM frame")
        self.first_frame = self.last_offset + 1 if first is None else int(first)
        self.frame_bytes = int(frame_bytes)
        rows = self._connection.execute("SELECT name, id, last_sequence FROM gateway")
        self.gateways: dict[str, tuple[int, int]] = {name: (key, last) for name, key, last in rows}
        self.consumers: dict[str, int] = dict(self._connection.execute("SELECT name, offset FROM consumer").fetchall())

    def reopen(self) -> None:
        """Forget the connection and what memory believes; read the truth from the disk. Raises StorageFailed."""
        self._connection.close()
        self._open()

    def write(self, batches: Sequence[Encoded], consumers: Mapping[str, int]) -> Written:
        """One transaction: the batches not yet known, their names, and where the consumers stand.

        Answers are in the order of `batches`; new ones get ascending offsets. Raises sqlite3.Error."""
        now = now_us()
        self._connection.execute("BEGIN IMMEDIATE")
        answers, numbered, gateways = self._number(batches)
        names = [(n.offset, n.gateway, n.given.batch.sequence, now, n.given.content) for n in numbered]
        self._insert("ledger", names)
        frames = [n.given.at(n.offset) for n in numbered]
        rows = zip(numbered, frames, strict=True)
        self._insert("frame", [(f.offset, n.gateway, f.sequence, f.readings, f.crc, f.body) for n, f in rows])
        for name, (key, last) in gateways.items():
            self._connection.execute("INSERT OR REPLACE INTO gateway VALUES (?, ?, ?)", (key, name, last))
        self._save(consumers)
        self._connection.execute("COMMIT")
        self.gateways.update(gateways)
        size = sum(len(f.body) for f in frames)
        self.last_offset += len(frames)
        self.frame_bytes += size
        self._since_checkpoint += size + _TRANSACTION_BYTES
        return Written(answers, [(n.offset, n.given.batch) for n in numbered])

    def _number(self, batches: Sequence[Encoded]) -> tuple[list[Appended], list[_Numbered], dict[str, tuple[int, int]]]:
        """Answers, what to write, and the gateways that are new or got a higher sequence."""
        answers: list[Appended] = []
        fresh: dict[tuple[str, int], _Numbered] = {}
        changed: dict[str, tuple[int, int]] = {}

        def known(key: int, last: int, given: Encoded) -> tuple[int, int] | None:
            """(offset, content) under this name. A number above the highest seen is new without looking."""
            if (new := fresh.get((given.batch.gateway, given.batch.sequence))) is not None:
                return new.offset, new.given.content
            return None if given.batch.sequence > last else self._known(key, given.batch.sequence)

        for given in batches:
            gateway = given.batch.gateway
            key, last = changed.get(gateway) or self.gateways.get(gateway) or (0, -1)
            found, renamed = known(key, last, given), False
            if found is not None and found[1] != given.content:
                given, renamed = given.renamed(), True
                found = known(key, _MAX_SEQUENCE, given)
            if found is not None:
                answers.append(Appended(found[0], repeated=True))
                continue
            key = key or self._next_gateway(changed)
            numbered = _Numbered(self.last_offset + len(fresh) + 1, key, given)
            fresh[gateway, given.batch.sequence] = numbered
            answers.append(Appended(numbered.offset, repeated=False, renamed=renamed))
            if not renamed and (last < given.batch.sequence):
                changed[gateway] = (key, given.batch.sequence)
        return answers, list(fresh.values()), changed

    def _known(self, gateway: int, sequence: int) -> tuple[int, int] | None:
        """(offset, content) of a name the ledger remembers."""
        row = self._connection.execute(
            "SELECT offset, content FROM ledger WHERE gateway = ? AND sequence = ?", (gateway, sequence)
        ).fetchone()
        return None if row is None else (int(row[0]), int(row[1]))

    def _next_gateway(self, changed: Mapping[str, tuple[int, int]]) -> int:
        return 1 + len(self.gateways) + sum(name not in self.gateways for name in changed)

    def _insert(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        for start in range(0, len(rows), _ROWS_PER_STATEMENT):
            part = rows[start : start + _ROWS_PER_STATEMENT]
            row = "(" + ",".join("?" * len(part[0])) + ")"
            sql = f"INSERT INTO {table} VALUES {','.join([row] * len(part))}"  # noqa: S608 (our own table names)
            self._connection.execute(sql, [cell for cells in part for cell in cells])

    def _save(self, consumers: Mapping[str, int]) -> None:
        if consumers:
            self._connection.executemany("INSERT OR REPLACE INTO consumer VALUES (?, ?)", list(consumers.items()))
            self.consumers = {**self.consumers, **consumers}

    def save(self, consumers: Mapping[str, int]) -> None:
        """Where the consumers stand, in a transaction of its own. Raises sqlite3.Error."""
        self._connection.execute("BEGIN IMMEDIATE")
        self._save(consumers)
        self._connection.execute("COMMIT")

    def last_to_trim(self, up_to: int) -> int:
        """The last offset the next `trim(up_to)` deletes; first_frame - 1 if none."""
        return max(min(up_to, self.last_offset, self.first_frame + _TRIM_FRAMES - 1), self.first_frame - 1)

    def trim(self, up_to: int) -> int:
        """Delete at most 256 of the frames up to `up_to`; bytes freed. Their pages are used again.

        Raises sqlite3.Error."""
        last = self.last_to_trim(up_to)
        if last < self.first_frame:
            return 0
        span = (self.first_frame, last)
        (size,) = self._one("SELECT coalesce(sum(length(body)), 0) FROM frame WHERE offset BETWEEN ? AND ?", span)
        self._connection.execute("DELETE FROM frame WHERE offset BETWEEN ? AND ?", span)
        self.first_frame = last + 1
        self.frame_bytes -= int(size)
        spare = self._slack_bytes // PAGE_BYTES
        if self._shrink and (free := int(self._one("PRAGMA freelist_count")[0])) > spare:
            # Not execute: it steps once, which frees one page.
            self._connection.executescript(f"PRAGMA incremental_vacuum({free - spare // 2})")
        return int(size)

    def forget(self) -> int:
        """Delete at most 4,096 ledger rows beyond retention, oldest first; rows deleted.

        A frame's own row and the very last row stay. Raises sqlite3.Error."""
        too_old = now_us() - self._ledger_age_us
        (last,) = self._one(
            "SELECT max(offset) FROM (SELECT offset, appended_at FROM ledger ORDER BY offset LIMIT ?) "
            "WHERE offset <= ? OR appended_at < ?",
            (_TRIM_LEDGER, self.last_offset - self._ledger_rows, too_old),
        )
        last = min(last or 0, self.first_frame - 1, self.last_offset - 1)
        return self._connection.execute("DELETE FROM ledger WHERE offset <= ?", (last,)).rowcount if last > 0 else 0

    def discard(self, offset: int) -> None:
        """Put an empty batch where frame `offset` was. Raises sqlite3.Error."""
        row = self._one("SELECT gateway, sequence FROM ledger WHERE offset = ?", (offset,))
        name = next(name for name, (key, _) in self.gateways.items() if key == row[0])
        empty = encode(without_readings(name, int(row[1]))).at(offset)
        self._connection.execute(
            "INSERT OR REPLACE INTO frame VALUES (?, ?, ?, 0, ?, ?)", (offset, row[0], row[1], empty.crc, empty.body)
        )

    def checkpoint(self, *, all_of_it: bool = False) -> None:
        """Move the write-ahead log into the database when it has grown enough. Raises sqlite3.Error."""
        if all_of_it:
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        elif self._since_checkpoint >= self._slack_bytes:
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            self._since_checkpoint = 0

    def close(self) -> None:
        self._connection.close()

    def _one(self, sql: str, values: Sequence[int] = ()) -> tuple[Any, ...]:
        row: tuple[Any, ...] | None = self._connection.execute(sql, values).fetchone()
        if row is None:
            raise sqlite3.DatabaseError(f"no row for {sql!r} {tuple(values)}")
        return row
