"""The ledger as people read it, and the check that nobody changed it. The gateway may be at work meanwhile."""

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table

from forewarn.contracts.batch_log import BatchLog
from forewarn.contracts.outbox import ParcelKind
from forewarn.domain.errors import NotFound, StorageFailed
from forewarn.domain.gateways import LedgerSums
from forewarn.gateway.ledger import COUNTERS, Line, bound, genesis
from forewarn.gateway.outbox_file import DATABASE, failed
from forewarn.gateway.signing import PUBLIC_FILE, holds
from forewarn.kit.clock import DAY, to_rfc3339

_AT_ONCE: Final = 200_000
_SHOWN: Final = (
    "read", "kept", "thinned", "acknowledged", "refused", "left_to_partner", "thinned_early", "rejected", "duplicate",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Book:
    """All lines, the open one last. fault: the first line that is not as it was signed, as a sentence; '' = all hold.
    pending: readings in parcels that wait."""

    lines: Sequence[Line]
    fault: str
    pending: int
    public_key: str

    @property
    def sums(self) -> LedgerSums:
        total = {name: sum(getattr(line, name) for line in self.lines) for name in COUNTERS}
        del total["again"]
        in_hand = self.lines[-1].in_hand if self.lines else 0
        return LedgerSums(**total, in_hand=in_hand, pending=self.pending)


def read_book(directory: Path, public_key: str | None = None) -> Book:
    """Read and verify the ledger of the outbox in `directory`.

    public_key: what the signatures must be by; None = the one in ledger.pub beside it. Raises NotFound where there is
    no outbox, StorageFailed."""
    path = directory / DATABASE
    if not path.is_file():
        raise NotFound(f"there is no outbox in {directory}. Name the directory of the gateway's data")
    try:
        key = public_key or (directory / PUBLIC_FILE).read_text("ascii").strip()
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA query_only=ON")
            connection.execute("BEGIN")  # lines, head and parcels as of one moment
            return _read(connection, key)
    except (sqlite3.Error, OSError) as error:
        raise failed(directory, error) from error


def _read(connection: sqlite3.Connection, key: str) -> Book:
    rows = connection.execute("SELECT number, body, hash, signature FROM line ORDER BY number").fetchall()
    head = connection.execute("SELECT body, signature FROM head").fetchone()
    (pending,) = connection.execute(
        "SELECT coalesce(sum(rows), 0) FROM parcel WHERE kind = ?", (ParcelKind.READINGS.value,)
    ).fetchone()
    lines: list[Line] = []
    fault, before = "", genesis(key)
    for place, (number, body, told, signature) in enumerate(rows, 1):
        line = _line(body)
        if line is not None:
            lines.append(line)
        before = bound(before, _bytes(body))
        fault = fault or _fault(place, number, line, told == before and holds(key, signature, before))
    if head is not None:
        line = _line(head[0])
        if line is not None:
            lines.append(line)
        signed = holds(key, head[1], bound(before, _bytes(head[0])))
        fault = fault or _fault(len(rows) + 1, len(rows) + 1, line, signed)
    elif rows:
        fault = fault or f"the running head after line {len(rows)} was removed"
    return Book(lines, fault, int(pending), key)


def _bytes(cell: object) -> bytes:
    """SQLite keeps what it is given: text in a cell of bytes is as good as another line."""
    return cell if isinstance(cell, bytes) else b""


def _line(body: bytes) -> Line | None:
    try:
        return Line.of(body)
    except (msgspec.DecodeError, TypeError):
        return None


def _fault(place: int, number: int, line: Line | None, signed: bool) -> str:
    if number > place or (line is not None and line.number > place):
        return f"line {place} was removed"
    if signed and line is not None and line.number == place:
        return ""
    when = f" (from {to_rfc3339(line.start)})" if line is not None else ""
    return f"line {place}{when} was changed or added by somebody without the gateway's key"


def recounted(lines: Sequence[Line], log: BatchLog) -> Iterator[tuple[Line, int]]:
    """Lines whose raw readings are all still in the log, and how many those are: they are to be `read` - `again`.

    Raises StorageFailed."""
    first = log.depth().last_offset - log.depth().batches
    for line in lines:
        if line.first_offset < first or line.last_offset == line.first_offset:
            continue
        at, count = line.first_offset, 0
        while at < line.last_offset:
            piece = log.read(at, _AT_ONCE)
            if not piece:
                raise StorageFailed(f"the raw log ends at {at}, the ledger's line {line.number} at {line.last_offset}")
            count += sum(len(batch) for offset, batch in piece if offset <= line.last_offset)
            at = piece[-1][0]
        yield line, count


def show(book: Book, console: Console, *, by_hour: bool = False) -> bool:
    """Print the ledger a line a day (or an hour), the sums, and whether they add up and the signatures hold.

    True when both do."""
    table = Table(title="Readings by what became of them", title_justify="left")
    table.add_column("from")
    for name in (*_SHOWN, "in hand"):
        table.add_column(name.replace("_", " "), justify="right")
    for start, group in _grouped(book.lines, by_hour):
        counts = [sum(getattr(line, name) for line in group) for name in _SHOWN]
        when = to_rfc3339(start)[: 16 if by_hour else 10]
        table.add_row(when, *(f"{count:,}" for count in (*counts, group[-1].in_hand)))
    sums = book.sums
    totals = (*(getattr(sums, name) for name in _SHOWN), sums.in_hand)
    table.add_section()
    table.add_row("all", *(f"{count:,}" for count in totals))
    console.print(table)
    console.print(_equation(sums))
    console.print(f"signatures by {book.public_key[:16]}…: {book.fault or f'all {len(book.lines)} lines hold'}")
    return sums.adds_up and not book.fault


def _grouped(lines: Sequence[Line], by_hour: bool) -> Iterator[tuple[int, Sequence[Line]]]:
    """(start of the day or line, its lines)."""
    group: list[Line] = []
    for line in lines:
        if group and (by_hour or line.start // DAY != group[0].start // DAY):
            yield group[0].start, group
            group = []
        group.append(line)
    if group:
        yield group[0].start, group


def _equation(sums: LedgerSums) -> str:
    onward = sums.acknowledged + sums.pending + sums.refused + sums.left_to_partner + sums.thinned_early
    lost = sums.read - sums.kept - sums.thinned - sums.in_hand
    return (
        f"read {sums.read:,} = kept {sums.kept:,} + thinned {sums.thinned:,} + in hand {sums.in_hand:,}"
        f"{'' if not lost else f', and {lost:,} NOT ACCOUNTED FOR'}\n"
        f"kept {sums.kept:,} = acknowledged {sums.acknowledged:,} + pending {sums.pending:,} + refused {sums.refused:,}"
        f" + left to the partner {sums.left_to_partner:,} + thinned early {sums.thinned_early:,}"
        f"{'' if sums.kept == onward else f', and {sums.kept - onward:,} NOT ACCOUNTED FOR'}\n"
        f"{'It adds up: nothing was lost.' if sums.adds_up else 'IT DOES NOT ADD UP.'}"
    )
