"""The ledger: one line an hour of what became of every reading, each line bound to the one before and signed."""

import hashlib
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Final

import msgspec

from forewarn.contracts.outbox import Delivery, Tally
from forewarn.domain.gateways import LedgerSums
from forewarn.gateway.signing import Signer, holds
from forewarn.kit.clock import HOUR

TABLES: Final = """
CREATE TABLE line (number INTEGER PRIMARY KEY, body BLOB NOT NULL, hash BLOB NOT NULL, signature BLOB NOT NULL);
CREATE TABLE head (one INTEGER PRIMARY KEY CHECK (one = 1), body BLOB NOT NULL, signature BLOB NOT NULL);
"""
DAMAGED: Final = "buffer_damaged"


@dataclass(frozen=True, slots=True)
class Line:
    """What happened from `start` (microseconds UTC, our clock) on, for an hour at most, in readings.

    first_offset, last_offset: the raw log's offsets whose readings `read` counts (first < offset <= last), without
    `again`, which were read a second time for the site. in_hand: at the line's end; all others are increments.
    refused: not taken by the site or lost to damage, by reason in `reasons`. The rest as in LedgerSums."""

    number: int
    start: int
    first_offset: int
    last_offset: int
    read: int = 0
    again: int = 0
    kept: int = 0
    thinned: int = 0
    in_hand: int = 0
    acknowledged: int = 0
    refused: int = 0
    left_to_partner: int = 0
    thinned_early: int = 0
    rejected: int = 0
    duplicate: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)

    def plus(self, more: Mapping[str, int], reasons: Mapping[str, int] | None = None) -> "Line":
        """`more` added to the counters named in it."""
        counted = {name: getattr(self, name) + count for name, count in more.items()}
        told = dict(self.reasons)
        for reason, count in (reasons or {}).items():
            told[reason] = told.get(reason, 0) + count
        return replace(self, **counted, reasons=dict(sorted(told.items())))

    def written(self) -> bytes:
        """The one way to write it: what is hashed and signed."""
        return msgspec.json.encode(self)

    @staticmethod
    def of(body: bytes) -> "Line":
        """Raises msgspec.DecodeError."""
        return msgspec.json.decode(body, type=Line)


COUNTERS: Final = tuple(
    f.name
    for f in fields(Line)
    if f.name not in ("number", "start", "first_offset", "last_offset", "in_hand", "reasons")
)


def genesis(public_key: str) -> bytes:
    """What stands in place of the hash before the first line."""
    return hashlib.sha256(b"forewarn.ledger.1\n" + public_key.encode()).digest()


def bound(before: bytes, body: bytes) -> bytes:
    """The hash of a line whose predecessor's is `before`."""
    return hashlib.sha256(before + body).digest()


class NotSigned(Exception):
    """The ledger is not one that this gateway's key can continue."""


class Ledger:
    """The open line, and the sums over all. Every write is within the caller's transaction; `kept` tells that it
    was committed. Not thread-safe."""

    def __init__(self, connection: sqlite3.Connection, signer: Signer, now: int) -> None:
        """Raises sqlite3.Error; msgspec.DecodeError where a line cannot be read; NotSigned where the open one was not
        written by the owner of this key: to go on would put our signature to what somebody else wrote."""
        self._signer = signer
        self._totals = dict.fromkeys(COUNTERS, 0)  # of closed lines
        self._before = genesis(signer.public_key)
        for body, before in connection.execute("SELECT body, hash FROM line ORDER BY number"):
            self._before = before
            self._add(Line.of(body))
        head = connection.execute("SELECT body, signature FROM head").fetchone()
        if head is None and self._before != genesis(signer.public_key):
            raise NotSigned("the ledger's open line is missing")
        cells = (self._before, *(head or ()))
        if not all(isinstance(cell, bytes) for cell in cells) or (
            head is not None and not holds(signer.public_key, head[1], bound(self._before, head[0]))
        ):
            raise NotSigned("the ledger's open line was not signed with this gateway's key")
        self.line = Line.of(head[0]) if head is not None else Line(1, now, 0, 0)

    def _add(self, line: Line) -> None:
        for name in COUNTERS:
            self._totals[name] += getattr(line, name)

    def turn(self, connection: sqlite3.Connection, line: Line, now: int) -> "Turned":
        """Write `line` as the open one; where its hour is over, close it and open the next. Nothing is changed in
        memory before `kept`."""
        closed: Line | None = None
        before = self._before
        if now // HOUR != line.start // HOUR:
            body = line.written()
            closed, before = line, bound(before, body)
            signature = self._signer.sign(before)
            connection.execute("INSERT INTO line VALUES (?, ?, ?, ?)", (line.number, body, before, signature))
            line = Line(line.number + 1, now, line.last_offset, line.last_offset, in_hand=line.in_hand)
        body = line.written()
        signature = self._signer.sign(bound(before, body))
        connection.execute("INSERT OR REPLACE INTO head VALUES (1, ?, ?)", (body, signature))
        return Turned(line, closed, before)

    def kept(self, turned: "Turned") -> None:
        if turned.closed is not None:
            self._add(turned.closed)
        self.line, self._before = turned.line, turned.before

    def sums(self, pending: int) -> LedgerSums:
        """pending: readings in parcels that wait."""
        total = {name: count + getattr(self.line, name) for name, count in self._totals.items()}
        del total["again"]
        return LedgerSums(**total, in_hand=self.line.in_hand, pending=pending)


@dataclass(frozen=True, slots=True)
class Turned:
    """What `turn` wrote."""

    line: Line
    closed: Line | None
    before: bytes


def of_tally(line: Line, tally: Tally, offset: int) -> Line:
    more = line.plus({"read": tally.read, "kept": tally.kept, "thinned": tally.thinned})
    return replace(more, in_hand=tally.in_hand, last_offset=offset)


def of_delivery(line: Line, readings: int, delivery: Delivery) -> Line:
    """`readings` of one parcel, as the site answered."""
    refused = min(max(delivery.rejected, 0), readings)
    return line.plus({"acknowledged": readings - refused, "refused": refused}, delivery.reasons if refused else None)
