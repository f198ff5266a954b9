"""What waits for the site, in one SQLite database: parcels, ledger, thinning state and offset change together."""

import contextlib
import errno
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec

from forewarn.contracts.outbox import Delivery, Packed, Parcel, Tally, Waiting
from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import InvalidInput, StorageFailed
from forewarn.domain.gateways import LedgerSums
from forewarn.gateway import outbox_file
from forewarn.gateway.ledger import DAMAGED, Ledger, Line, NotSigned, of_delivery, of_tally
from forewarn.gateway.outbox_file import Note, unheard
from forewarn.gateway.outbox_index import OutboxIndex, readings_in
from forewarn.gateway.outbox_rows import SELECT, parcel_of, parcel_row
from forewarn.gateway.outbox_salvage import salvage
from forewarn.gateway.reserve import BYTES, Reserve
from forewarn.gateway.signing import open_signer
from forewarn.kit.clock import now_us

_AT_ONCE: Final = 256


class SqliteOutbox:
    """Outbox on SQLite (WAL; synchronous=FULL for what the gateway packs, NORMAL for what the site acknowledged:
    a power loss may forget the newest acknowledgements, and those parcels are sent again).

    slack_bytes: what is kept in reserve, and about what the write-ahead log may take, beside the parcels.
    note: told of damage. A parcel whose bytes are not as written is set aside and counted as refused
    (`buffer_damaged`). A database that SQLite calls malformed is moved aside and a new one begun with what can be read
    of it. Where that is not all, `offset` is 0 again, so that the raw log's readings are thinned again. Numbers go on
    above all that were used; whoever comes first after that gets StorageFailed, so that nothing is packed on what is
    gone.

    Raises ConfigurationError when another process holds the directory, StorageFailed when it cannot be opened."""

    def __init__(
        self, directory: Path, *, note: Note = unheard, clock: Callable[[], int] = now_us, slack_bytes: int = BYTES
    ) -> None:
        self._directory = directory
        self._slack_bytes = slack_bytes
        self._note = note
        self._clock = clock
        self._turn = threading.Lock()
        self._counting = threading.Lock()  # of what is in memory; held for a moment only
        self._closed = False
        self._broken = False
        self._damage: Exception | None = None
        self._begun_anew = False
        self._uncounted = {"rejected": 0, "duplicate": 0}
        # In the sender's hands; and those of them that are not any more what was handed out.
        self._handed: set[int] = set()
        self._stale: set[int] = set()
        self._connection: sqlite3.Connection
        self._ledger: Ledger
        self._index: OutboxIndex
        self._offset: int
        self._state: bytes
        self._last_number: int
        self._claimed: int  # numbers up to this one are spoken for in the file beside the database
        self._lock = outbox_file.OutboxLock(directory)
        self._reserve = Reserve(directory, slack_bytes)
        try:
            self._signer = open_signer(directory, note)
            try:
                self._open()
            except StorageFailed as error:
                if error.condition is not ConditionCode.DISK_FULL:
                    raise
                self._reserve.let_go()
                self._open()
            self._begun_anew = False
            self._sums = self._sums_now()
            self._reserve.take()
        except BaseException:
            self._lock.release()
            raise

    @property
    def offset(self) -> int:
        return self._offset

    @property
    def state(self) -> bytes:
        return self._state

    @property
    def last_number(self) -> int:
        return self._last_number

    @property
    def public_key(self) -> str:
        """Of the ledger's signatures, 64 hexadecimal digits."""
        return self._signer.public_key

    def pack(self, packed: Sequence[Packed], tally: Tally, state: bytes, offset: int) -> None:
        with self._writing(more=True) as connection:
            if offset < self._offset or (offset == self._offset and (tally.read or state == self._state)):
                return  # it was done, though whoever did it may have been told that the commit failed
            with self._counting:
                uncounted = dict(self._uncounted)
            line = of_tally(self._ledger.line, tally, offset).plus(uncounted)
            last = self._insert(connection, packed)
            connection.execute("UPDATE thinning SET offset = ?, state = ?, last_number = ?", (offset, state, last))
            turned = self._ledger.turn(connection, line, self._clock())
            connection.execute("COMMIT")
            self._ledger.kept(turned)
            self._took(packed, last)
            self._offset, self._state = offset, state
            with self._counting:
                for name, count in uncounted.items():
                    self._uncounted[name] -= count
                self._sums = self._sums_now()
        self._shrink()

    def add(self, packed: Sequence[Packed]) -> None:
        if not packed:
            return
        with self._writing(more=True) as connection:
            rows = sum(readings_in(p.kind, p.rows) for p in packed)
            last = self._insert(connection, packed)
            connection.execute("UPDATE thinning SET last_number = ?", (last,))
            self._commit(connection, self._ledger.line.plus({"read": rows, "again": rows, "kept": rows}))
            self._took(packed, last)

    def pending(self, after: int, up_to: int, most_bytes: int) -> Sequence[Parcel]:
        found: list[Parcel] = []
        damaged: list[int] = []
        with self._reading() as connection:
            taken = 0
            for row in connection.execute(SELECT, (after, up_to)):
                parcel = parcel_of(row)
                if parcel is None:
                    damaged.append(int(row[0]))
                    continue
                taken += len(parcel.packed.body)
                if found and (taken > most_bytes or len(found) == _AT_ONCE):
                    break
                found.append(parcel)
            numbers = {parcel.number for parcel in found}
            self._handed |= numbers
            self._stale -= numbers
        for number in damaged:
            self._put_aside(number)
        return found

    def acknowledge(self, number: int, delivery: Delivery) -> None:
        with self._writing(durable=False) as connection:
            readings = self._index.readings(number)
            if readings is None or number in self._stale:
                return
            connection.execute("DELETE FROM parcel WHERE number = ?", (number,))
            self._commit(connection, of_delivery(self._ledger.line, readings, delivery))
            self._index.drop(number)
            self._handed.discard(number)
        if not self._reserve.held:
            self._shrink()

    def leave_to_partner(self, number: int, readings: int, rest: Packed | None) -> None:
        self._replace(number, rest, "left_to_partner", readings)

    def merge_early(self, numbers: Sequence[int], rest: Packed) -> None:
        """`rest` (fewer of the readings of parcels `numbers`) waits as the first of them, the others are gone; what is
        not in it is given up and counted so."""
        with self._writing() as connection:
            known = [n for n in numbers if self._index.readings(n) is not None]
            if not known:
                return
            before = sum(self._index.readings(n) or 0 for n in known)
            connection.executemany("DELETE FROM parcel WHERE number = ?", [(n,) for n in known[1:]])
            self._put(connection, known[0], rest)
            given_up = before - readings_in(rest.kind, rest.rows)
            self._commit(connection, self._ledger.line.plus({"thinned_early": given_up}))
            self._changed(known)
            for number in known[1:]:
                self._index.drop(number)
            self._index.change(known[0], readings_in(rest.kind, rest.rows), len(rest.body))
        self._shrink()

    def normal(self, after: int, most: int) -> Sequence[int]:
        """Numbers of the `most` oldest parcels of normal readings that wait, above `after`; from memory."""
        with self._turn:
            return [int(n) for n in self._index.normal(after, most)]

    def waiting(self, up_to: int | None = None) -> Waiting:
        return self._index.waiting(up_to)

    def count(self, *, rejected: int = 0, duplicate: int = 0) -> None:
        with self._counting:
            self._uncounted["rejected"] += rejected
            self._uncounted["duplicate"] += duplicate

    def lost(self, readings: int, reason: str) -> None:
        """Readings that were taken and are gone before they could be thinned: read, and refused for `reason`."""
        with self._writing() as connection:
            counts = dict.fromkeys(("read", "kept", "refused"), readings)
            self._commit(connection, self._ledger.line.plus(counts, {reason: readings}))

    def sums(self) -> LedgerSums:
        """As of the last transaction: who asks never waits for a disk."""
        with self._counting:
            sums = self._sums
            return replace(
                sums,
                rejected=sums.rejected + self._uncounted["rejected"],
                duplicate=sums.duplicate + self._uncounted["duplicate"],
            )

    def size(self) -> int:
        return outbox_file.size(self._directory)

    def used_bytes(self, *, with_free: bool = False) -> int:
        """Of the database, without its write-ahead log; its free pages too on demand. Raises StorageFailed."""
        with self._reading() as connection:
            return outbox_file.used_bytes(connection, with_free=with_free)

    def close(self) -> None:
        with self._turn:
            if not self._closed:
                self._closed = True
                self._connection.close()
                self._lock.release()

    def _insert(self, connection: sqlite3.Connection, packed: Sequence[Packed]) -> int:
        """The last number after them."""
        last = self._last_number + len(packed)
        if last > self._claimed:
            self._claimed = outbox_file.claim_numbers(self._directory, last)
        for number, parcel in enumerate(packed, self._last_number + 1):
            self._put(connection, number, parcel)
        return last

    def _put(self, connection: sqlite3.Connection, number: int, parcel: Packed) -> None:
        row = parcel_row(number, parcel)
        connection.execute("INSERT OR REPLACE INTO parcel VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    def _took(self, packed: Sequence[Packed], last: int) -> None:
        for number, p in enumerate(packed, self._last_number + 1):
            self._index.put(number, p.kind, p.urgency, p.rows, len(p.body), p.first_time)
        self._last_number = last

    def _commit(self, connection: sqlite3.Connection, line: Line) -> None:
        turned = self._ledger.turn(connection, line, self._clock())
        connection.execute("COMMIT")
        self._ledger.kept(turned)

    def _replace(self, number: int, rest: Packed | None, counter: str, given_up: int) -> None:
        with self._writing() as connection:
            before = self._index.readings(number)
            if before is None:
                return
            left = 0 if rest is None else readings_in(rest.kind, rest.rows)
            if before != left + given_up:
                raise InvalidInput(f"parcel {number} holds {before} readings, not {given_up} and {left}", field="rest")
            if rest is None:
                connection.execute("DELETE FROM parcel WHERE number = ?", (number,))
            else:
                self._put(connection, number, rest)
            self._commit(connection, self._ledger.line.plus({counter: given_up}))
            self._changed([number])
            if rest is None:
                self._index.drop(number)
            else:
                self._index.change(number, left, len(rest.body))

    def _changed(self, numbers: Sequence[int]) -> None:
        """An answer that is under way to what these numbers were is not for what they are now."""
        self._stale |= self._handed & set(numbers)
        self._handed -= set(numbers)

    def _put_aside(self, number: int) -> None:
        with self._writing() as connection:
            readings = self._index.readings(number)
            if readings is None:
                return
            connection.execute(
                "INSERT OR REPLACE INTO aside SELECT number, ?, ?, body FROM parcel WHERE number = ?",
                (readings, self._clock(), number),
            )
            connection.execute("DELETE FROM parcel WHERE number = ?", (number,))
            self._commit(connection, self._ledger.line.plus({"refused": readings}, {DAMAGED: readings}))
            self._index.drop(number)
        self._note(
            ConditionCode.BUFFER_DAMAGED,
            f"parcel {number} with {readings} readings in {self._directory} is not what was written. It was set aside "
            "and is counted as refused; ask for its time from the raw ring. Check the disk",
        )

    @contextmanager
    def _writing(self, *, durable: bool = True, more: bool = False) -> Iterator[sqlite3.Connection]:
        """A transaction under the lock; whoever enters commits, else nothing is changed. Raises StorageFailed.

        more: it makes the outbox larger, which has to wait on a full disk until what waits in it is delivered."""
        with self._reading() as connection:
            if more and not self._reserve.take():
                raise outbox_file.failed(self._directory, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
            connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                with self._counting:
                    self._sums = self._sums_now()
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def _sums_now(self) -> LedgerSums:
        return self._ledger.sums(self._index.total)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._turn:
            try:
                self._mend()
                yield self._connection
            except (sqlite3.Error, OSError) as error:
                # A commit that failed may have been done: memory starts from the disk again.
                self._broken = True
                if outbox_file.is_damage(error):
                    self._damage = error
                failed = outbox_file.failed(self._directory, error)
                if failed.condition is ConditionCode.DISK_FULL:
                    self._reserve.let_go()
                raise failed from error

    def _mend(self) -> None:
        if self._closed:
            raise StorageFailed("the outbox is closed; the process is shutting down")
        if self._broken:
            self._connection.close()
            self._open()
            with self._counting:
                self._sums = self._sums_now()
            self._broken = False
            if self._begun_anew:
                self._begun_anew = False
                raise StorageFailed(
                    f"the outbox in {self._directory} was damaged and has been begun anew. Begin at its offset again",
                    condition=ConditionCode.BUFFER_DAMAGED,
                )

    def _open(self) -> None:
        """Connect and load; a damaged database is set aside first. Raises StorageFailed."""
        try:
            if self._damage is not None:
                self._begin_anew(self._damage)
                self._damage = None
            try:
                self._load()
            except (sqlite3.Error, msgspec.DecodeError, NotSigned) as error:
                if isinstance(error, sqlite3.Error) and not outbox_file.is_damage(error):
                    raise
                self._begin_anew(error)
                self._load()
        except (sqlite3.Error, OSError) as error:
            raise outbox_file.failed(self._directory, error) from error

    def _begin_anew(self, why: Exception) -> None:
        old, text = outbox_file.set_aside(self._directory, why)
        self._begun_anew = True
        with contextlib.closing(outbox_file.connect(self._directory, self._slack_bytes)) as connection:
            said = salvage(old, connection, self._signer, self._clock())
        self._note(ConditionCode.BUFFER_DAMAGED, f"{text} {said}. Check the disk")

    def _load(self) -> None:
        connection = outbox_file.connect(self._directory, self._slack_bytes)
        try:
            row = connection.execute("SELECT offset, state, last_number FROM thinning").fetchone()
            if row is None:
                raise sqlite3.DatabaseError("table thinning is empty")
            self._offset, self._state, self._last_number = row
            self._claimed = outbox_file.numbered_up_to(self._directory)
            self._index = OutboxIndex()
            for row in connection.execute(
                "SELECT number, kind, urgency, rows, size, first_time FROM parcel ORDER BY number"
            ):
                self._index.put(*row)
            self._ledger = Ledger(connection, self._signer, self._clock())
        except BaseException:
            connection.close()
            raise
        self._connection = connection

    def _shrink(self) -> None:
        """Give pages that many acknowledgements freed back to the disk, a few at a time."""
        try:
            with self._reading() as connection:
                outbox_file.give_back(connection, at_once=not self._reserve.held)
        except StorageFailed:
            pass  # nothing of it is needed; whoever writes next is told
