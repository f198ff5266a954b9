"""Data messages read from their bytes, all metrics of many messages at once, a field of all of them at a time.

For messages as the specification wants data to be: every metric has an alias and a number, and nothing more than time,
type, null and historical flag. Any other gives None, and protobuf reads it, which makes an object a metric."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

_METRIC, _TIMESTAMP, _SEQ = 0x12, 0x08, 0x18  # of a payload: field number << 3 | wire type
_ALIAS, _TIME, _DATATYPE, _NULL = 0x10, 0x18, 0x20, 0x38  # of a metric
_NAME: Final = 0x0A
_IGNORED: Final = (0x28, 0x30)  # is_historical, is_transient: a reading's time says it
INT, LONG, FLOAT, DOUBLE, BOOLEAN = 0x50, 0x58, 0x65, 0x69, 0x70
_VARINTS: Final = frozenset((_ALIAS, _TIME, _DATATYPE, _NULL, *_IGNORED, INT, LONG, BOOLEAN))
_LONGEST_VARINT: Final = 10
_PADDING: Final = bytes(16)
_UINT32: Final = np.uint64(0xFFFF_FFFF)

Longs = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Scanned:
    """The top level of a payload. start, end: where its metrics lie. at_ms: 0 without a time."""

    at_ms: int
    seq: int | None
    start: list[int]
    end: list[int]

    def is_named(self, raw: bytes) -> bool:
        """Whether its first metric begins with a name, which `walk` does not read."""
        return bool(self.start) and self.start[0] < self.end[0] and raw[self.start[0]] == _NAME


@dataclass(slots=True)
class Walked:
    """One row a metric. kind: the tag of its value, 0 without one; bits: the value as it was written."""

    alias: Longs
    time_ms: Longs
    datatype: NDArray[np.int64]
    kind: NDArray[np.uint8]
    bits: Longs
    null: NDArray[np.bool_]


def scan(raw: bytes) -> Scanned | None:
    """None unless the payload holds time, sequence number and metrics only."""
    start: list[int] = []
    end: list[int] = []
    at_ms, seq, pos, length = 0, None, 0, len(raw)
    try:
        while pos < length:
            tag, pos = raw[pos], pos + 1
            number = raw[pos]
            pos += 1
            if number >= 128:
                number, pos = _varint(raw, pos - 1)
            if tag == _METRIC:
                start.append(pos)
                pos += number
                end.append(pos)
            elif tag == _TIMESTAMP:
                at_ms = number
            elif tag == _SEQ:
                seq = number
            else:
                return None
    except IndexError:
        return None
    return Scanned(at_ms, seq, start, end) if pos == length else None


def _varint(raw: bytes, pos: int) -> tuple[int, int]:
    """(number, position after it). Raises IndexError for one that does not end."""
    number = 0
    for place in range(_LONGEST_VARINT):
        byte = raw[pos + place]
        number |= (byte & 127) << (7 * place)
        if byte < 128:
            return number & 0xFFFF_FFFF_FFFF_FFFF, pos + place + 1
    raise IndexError


def walk(raw: bytes, start: NDArray[np.int64], end: NDArray[np.int64]) -> Walked | None:
    """start, end: of each metric in `raw`. None as soon as one of them is not of the common kind."""
    data, n = np.frombuffer(raw + _PADDING, np.uint8), len(start)
    walked = Walked(
        alias=np.zeros(n, np.uint64),
        time_ms=np.zeros(n, np.uint64),
        datatype=np.zeros(n, np.int64),
        kind=np.zeros(n, np.uint8),
        bits=np.zeros(n, np.uint64),
        null=np.zeros(n, np.bool_),
    )
    named = np.zeros(n, np.bool_)
    pos = start.copy()
    rows = np.flatnonzero(pos < end)
    while len(rows):
        tags = data[pos[rows]]
        for tag in np.unique(tags).tolist():
            mine = rows if (tags == tag).all() else rows[tags == tag]
            read = _field(data, tag, pos[mine] + 1)
            if read is None:
                return None
            _put(walked, tag, mine, read[0])
            named[mine] |= tag == _ALIAS
            pos[mine] += 1 + read[1]
        if (pos[rows] > end[rows]).any():
            return None
        rows = rows[pos[rows] < end[rows]]
    return walked if named.all() else None


def _field(data: NDArray[np.uint8], tag: int, at: NDArray[np.int64]) -> tuple[Longs, NDArray[np.int64] | int] | None:
    """(what stands there, how many bytes)"""
    if tag in _VARINTS:
        return _varints(data, at)
    width = {DOUBLE: 8, FLOAT: 4}.get(tag)
    if width is None or int(at.max()) + width > len(data):
        return None
    taken = np.ascontiguousarray(data[at[:, None] + np.arange(width)])
    return taken.view(f"<u{width}").ravel().astype(np.uint64), width


def _varints(data: NDArray[np.uint8], at: NDArray[np.int64]) -> tuple[Longs, NDArray[np.int64]] | None:
    if int(at.max()) + _LONGEST_VARINT > len(data):
        return None
    byte = data[at]
    number = (byte & 127).astype(np.uint64)
    size = np.ones(len(at), np.int64)
    more = byte >= 128
    place = 1
    while more.any():
        if place == _LONGEST_VARINT:
            return None
        byte = data[at + place]
        number |= np.where(more, (byte & 127).astype(np.uint64) << np.uint64(7 * place), np.uint64(0))
        size += more
        more &= byte >= 128
        place += 1
    return number, size


def _put(walked: Walked, tag: int, rows: NDArray[np.intp], number: Longs) -> None:
    if tag == _ALIAS:
        walked.alias[rows] = number
    elif tag == _TIME:
        walked.time_ms[rows] = number
    elif tag == _DATATYPE:
        walked.datatype[rows] = (number & _UINT32).astype(np.int64)
    elif tag == _NULL:
        walked.null[rows] = number != 0
    elif tag not in _IGNORED:
        walked.kind[rows] = tag
        walked.bits[rows] = number & _UINT32 if tag == INT else number
