"""A parcel as a row of the outbox's table, guarded by a CRC-32 over body and name."""

import zlib
from typing import Any, Final

from forewarn.contracts.outbox import Packed, Parcel, ParcelKind, Urgency

SELECT: Final = (
    "SELECT number, kind, urgency, rows, first_time, last_time, crc, body FROM parcel "
    "WHERE number > ? AND number <= ? ORDER BY number"
)


def parcel_row(number: int, parcel: Packed) -> tuple[Any, ...]:
    name = (number, parcel.kind.value, int(parcel.urgency), parcel.rows, parcel.first_time, parcel.last_time)
    return (*name, _crc(name, parcel.body), len(parcel.body), parcel.body)


def parcel_of(row: tuple[Any, ...]) -> Parcel | None:
    """None when it is not what was written."""
    *name, crc, body = row
    if not isinstance(body, bytes) or _crc(tuple(name), body) != crc:
        return None
    number, kind, urgency, rows, first, last = name
    return Parcel(number, Packed(ParcelKind(kind), Urgency(urgency), rows, first, last, body))


def _crc(name: tuple[Any, ...], body: bytes) -> int:
    return zlib.crc32(repr(name).encode(), zlib.crc32(body))
