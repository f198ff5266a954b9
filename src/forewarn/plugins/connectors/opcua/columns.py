"""MonitoredItemNotifications (OPC UA Part 4, 7.25) as columns, straight from the wire (Part 6, 5.2.2)."""

import struct
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

# Built-in type id (Part 6, 5.1.2) -> numpy type. What is not here is no number.
_NUMBERS: Final = {
    1: "u1",
    2: "i1",
    3: "u1",
    4: "<i2",
    5: "<u2",
    6: "<i4",
    7: "<u4",
    8: "<i8",
    9: "<u8",
    10: "<f4",
    11: "<f8",
}
_BOOLEAN: Final = 1
# DataValue's encoding mask: which parts follow (Part 6, 5.2.2.17), in this order.
_VALUE, _STATUS, _SOURCE, _SERVER, _SOURCE_PICO, _SERVER_PICO = 1, 2, 4, 8, 16, 32
_KNOWN: Final = 63
_BAD_NO_DATA: Final = 0x809B_0000
_BAD: Final = 0x8000_0000


@dataclass(frozen=True, slots=True, eq=False)
class Items:
    """n notifications. handle: uint32 client handle; value: float64, NaN where none was sent; status: uint32,
    BadNoData where no value came under a better one; source, server: int64 ticks of 100 ns since 1601 UTC, 0
    where not sent."""

    handle: NDArray[np.uint32]
    value: NDArray[np.float64]
    status: NDArray[np.uint32]
    source: NDArray[np.int64]
    server: NDArray[np.int64]


_HANDLE: Final = 4  # bytes of the client handle before each value; history has none
_dtypes: dict[tuple[int, int], "np.dtype[np.void]"] = {}


def status_without_value(status: int) -> int:
    """A reading without a value is bad, whatever the server thinks of it."""
    return status if status & _BAD else _BAD_NO_DATA


def _parts(mask: int) -> list[tuple[str, str]]:
    """(field, numpy type) of what follows the value."""
    parts = (
        (_STATUS, ("s", "<u4")),
        (_SOURCE, ("src", "<i8")),
        (_SOURCE_PICO, ("srcp", "<u2")),
        (_SERVER, ("srv", "<i8")),
        (_SERVER_PICO, ("srvp", "<u2")),
    )
    return [part for bit, part in parts if mask & bit]


def _dtype(key: int, head: int) -> "np.dtype[np.void]":
    """The layout of an item. key: its mask, and its value's type times 256."""
    known = _dtypes.get((key, head))
    if known is None:
        fields = [("h", "<u4")] if head else []
        fields.append(("m", "u1"))
        if key & _VALUE:
            fields += [("k", "u1"), ("v", _NUMBERS[key >> 8])]
        known = _dtypes[key, head] = np.dtype([*fields, *_parts(key)])
    return known


def _sizes() -> list[int]:
    """Bytes of an item without its handle, by mask and the byte after it; 0 for what only the library understands."""
    sizes = [0] * 65536
    for mask in range(_KNOWN + 1):
        for kind in range(256):
            if not mask & _VALUE:
                sizes[mask | kind << 8] = _dtype(mask, 0).itemsize
            elif kind in _NUMBERS:
                sizes[mask | kind << 8] = _dtype(mask | kind << 8, 0).itemsize
    return sizes


_SIZES: Final = _sizes()


def decode_items(data: bytes, at: int, n: int) -> tuple[Items, int] | None:
    """The `n` items at offset `at` and the offset behind them; None when one of them is not a plain number."""
    return _decode(data, at, n, _HANDLE)


def decode_values(data: bytes, at: int, n: int) -> tuple[Items, int] | None:
    """The same for plain DataValues, as history has them; every handle is 0."""
    return _decode(data, at, n, 0)


def _decode(data: bytes, at: int, n: int, head: int) -> tuple[Items, int] | None:
    if n <= 0:
        return _empty(0), at
    try:
        return _uniform(data, at, n, head) or _mixed(data, at, n, head)
    except (struct.error, IndexError):
        return None


def _key(data: bytes, at: int) -> int:
    """Mask and value type of what stands at `at`."""
    mask = data[at]
    return mask | data[at + 1] << 8 if mask & _VALUE else mask


def _uniform(data: bytes, at: int, n: int, head: int) -> tuple[Items, int] | None:
    """All items share the first one's layout, or None."""
    key = _key(data, at + head)
    if not _SIZES[key]:
        return None
    dtype = _dtype(key, head)
    end = at + n * dtype.itemsize
    if end > len(data):
        return None
    rows = np.frombuffer(data, dtype, n, at)
    alike = bool((rows["m"] == key & 0xFF).all()) and (not key & _VALUE or bool((rows["k"] == key >> 8).all()))
    return (_from_rows(rows, key), end) if alike else None


def _mixed(data: bytes, at: int, n: int, head: int) -> tuple[Items, int] | None:
    """Layouts differ (servers leave out what is zero): where each item begins is found one by one, and the items
    of each layout are then read together."""
    starts, keys, sizes = [], [], _SIZES
    for _ in range(n):
        key = data[at + head] | data[at + head + 1] << 8
        size = sizes[key]
        if not size:
            return None
        starts.append(at)
        keys.append(key)
        at += size + head
    if at > len(data):
        return None
    start, key_of = np.array(starts, np.intp), np.array(keys, np.int32)
    key_of[(key_of & _VALUE) == 0] &= 0xFF
    items = _empty(n)
    for key in np.unique(key_of).tolist():
        dtype, which = _dtype(key, head), np.flatnonzero(key_of == key)
        # A window at every byte: those that begin where an item does are copied out.
        windows = np.ndarray(len(data) - dtype.itemsize + 1, dtype, data, 0, (1,))
        part = _from_rows(windows[start[which]], key)
        items.handle[which], items.value[which], items.status[which] = part.handle, part.value, part.status
        items.source[which], items.server[which] = part.source, part.server
    return items, at


def _empty(n: int) -> Items:
    return Items(
        np.zeros(n, np.uint32), np.full(n, np.nan), np.zeros(n, np.uint32), np.zeros(n, np.int64), np.zeros(n, np.int64)
    )


def _from_rows(rows: "NDArray[np.void]", key: int) -> Items:
    n, names = len(rows), rows.dtype.names or ()
    value = rows["v"] if "v" in names else np.full(n, np.nan)
    if key >> 8 == _BOOLEAN and key & _VALUE:
        value = value != 0
    ticks = [rows[name].astype(np.int64) if name in names else np.zeros(n, np.int64) for name in ("src", "srv")]
    status = rows["s"].astype(np.uint32) if "s" in names else np.zeros(n, np.uint32)
    if "v" not in names:
        status = np.where(status & _BAD, status, np.uint32(_BAD_NO_DATA))
    handle = rows["h"].astype(np.uint32) if "h" in names else np.zeros(n, np.uint32)
    return Items(handle, value.astype(np.float64), status, ticks[0], ticks[1])
