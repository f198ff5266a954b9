"""What can still be read of an outbox that SQLite calls malformed, taken over into the one begun in its place."""

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from forewarn.contracts.parcels import Packed
from forewarn.gateway.ledger import COUNTERS, Line, bound, genesis
from forewarn.gateway.outbox_index import readings_in
from forewarn.gateway.outbox_rows import parcel_of, parcel_row
from forewarn.gateway.signing import Signer, holds

_COLUMNS: Final = "number, kind, urgency, rows, first_time, last_time, crc, body"
_UPWARD: Final = f"SELECT {_COLUMNS} FROM parcel WHERE number > ? ORDER BY number LIMIT 1"  # noqa: S608
_DOWNWARD: Final = f"SELECT {_COLUMNS} FROM parcel WHERE number < ? ORDER BY number DESC LIMIT 1"  # noqa: S608
_UNREADABLE: Final = (sqlite3.Error, msgspec.DecodeError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class _Books:
    """Lines, head and thinning of which every signature holds."""

    lines: list[tuple[Any, ...]]
    head: tuple[Any, ...]
    thinning: tuple[Any, ...]
    pending: int


def salvage(old: Path, new: sqlite3.Connection, signer: Signer, now: int) -> str:
    """Copy what is whole of `old` into the empty tables of `new`; what came of it, as a sentence.

    All parcels that are there as the signed ledger counts them: the ledger, the offset and the state too, as if nothing
    had been. Else only the parcels that can be read, counted as read again, while the raw log is thinned from its
    beginning. Raises sqlite3.Error where `new` cannot be written."""
    with contextlib.closing(
        sqlite3.connect(f"{old.resolve().as_uri()}?mode=rw", uri=True, isolation_level=None)
    ) as source:
        books = _books(source, signer)
        readings = 0
        new.execute("BEGIN IMMEDIATE")
        for number, packed in _parcels(source):
            new.execute("INSERT INTO parcel VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", parcel_row(number, packed))
            readings += readings_in(packed.kind, packed.rows)
        if books is not None and books.pending == readings:
            new.executemany("INSERT INTO line VALUES (?, ?, ?, ?)", books.lines)
            new.execute("INSERT INTO head VALUES (1, ?, ?)", books.head)
            new.execute("UPDATE thinning SET offset = ?, state = ?", books.thinning)
            said = "Everything in it could be read and was taken over"
        else:
            line = Line(1, now, 0, 0, read=readings, again=readings, kept=readings)
            body = line.written()
            signature = signer.sign(bound(genesis(signer.public_key), body))
            new.execute("INSERT INTO head VALUES (1, ?, ?)", (body, signature))
            said = f"{readings:,} readings that waited could be read and wait again; a new ledger was begun"
        new.execute("COMMIT")
    return said


def _parcels(source: sqlite3.Connection) -> Iterator[tuple[int, Packed]]:
    """From below up to where the file cannot be read, then from above down to it."""
    seen = 0
    for sql, at in ((_UPWARD, 0), (_DOWNWARD, 2**62)):
        with contextlib.suppress(*_UNREADABLE):
            while (row := source.execute(sql, (at,)).fetchone()) is not None:
                if sql is _DOWNWARD and row[0] <= seen:
                    return
                at = int(row[0])
                seen = at if sql is _UPWARD else seen
                if (parcel := parcel_of(row)) is not None:
                    yield parcel.number, parcel.packed
            return


def _books(source: sqlite3.Connection, signer: Signer) -> _Books | None:
    """None where anything of them is not as it was signed."""
    try:
        lines = source.execute("SELECT number, body, hash, signature FROM line ORDER BY number").fetchall()
        head = source.execute("SELECT body, signature FROM head").fetchone()
        offset, state = source.execute("SELECT offset, state FROM thinning").fetchone()
        before = genesis(signer.public_key)
        bodies: list[Line] = []
        for number, body, told, signature in lines:
            before = bound(before, body)
            if told != before or not holds(signer.public_key, signature, before) or number != len(bodies) + 1:
                return None
            bodies.append(Line.of(body))
        if not holds(signer.public_key, head[1], bound(before, head[0])):
            return None
        bodies.append(Line.of(head[0]))
    except _UNREADABLE:
        return None
    sums = {name: sum(getattr(line, name) for line in bodies) for name in COUNTERS}
    gone = sum(sums[name] for name in ("acknowledged", "refused", "left_to_partner", "thinned_early"))
    if bodies[-1].last_offset != offset or not isinstance(state, bytes):
        return None
    return _Books(lines, head, (offset, state), sums["kept"] - gone)
