"""MonitoredItemNotifications (OPC UA Part 4, 7.25) as columns, straight from the wire (Part 6, 5.2.2)."""

import struct
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

# Built-in type id (Part 6, 5.1.2) -> numpy type, struct letter. What is not here is no number.
_NUMBERS: Final = {
    1: ("u1", "B"),
    2: ("i1", "b"),
    3: ("u1", "B"),
    4: ("<i2", "h"),
    5: ("<u2", "H"),
    6: ("<i4", "i"),
    7: ("<u4", "I"),
    8: ("<i8", "q"),
    9: ("<u8", "Q"),
    10: ("<f4", "f"),
    11: ("<f8", "d"),
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


_MIXED: Final = np.dtype([("h", "<u4"), ("v", "<f8"), ("s", "<u4"), ("src", "<i8"), ("srv", "<i8")])
_uniform: dict[tuple[int, int], np.dtype[np.void]] = {}
_layouts: dict[tuple[int, int], tuple[struct.Struct, tuple[int, int, int, int]]] = {}


def status_without_value(status: int) -> int:
    """A reading without a value is bad, whatever the server thinks of it."""
    return status if status & _BAD else _BAD_NO_DATA


def _parts(mask: int) -> list[tuple[str, str, str]]:
    """(field, numpy type, struct letter) of what follows the value."""
    return [
        part
        for bit, part in (
            (_STATUS, ("s", "<u4", "I")),
            (_SOURCE, ("src", "<i8", "q")),
            (_SOURCE_PICO, ("srcp", "<u2", "H")),
            (_SERVER, ("srv", "<i8", "q")),
            (_SERVER_PICO, ("srvp", "<u2", "H")),
        )
        if mask & bit
    ]


def _dtype(mask: int, kind: int) -> "np.dtype[np.void]":
    """The items' layout when all share one."""
    known = _uniform.get((mask, kind))
    if known is None:
        fields = [("h", "<u4"), ("m", "u1")]
        if mask & _VALUE:
            fields += [("k", "u1"), ("v", _NUMBERS[kind][0])]
        fields += [(name, numpy_type) for name, numpy_type, _ in _parts(mask)]
        known = _uniform[mask, kind] = np.dtype(fields)
    return known


def _layout(mask: int, kind: int) -> tuple[struct.Struct, tuple[int, int, int, int]]:
    """Struct of one item, and where value, status, source, server stand in what it unpacks (0 = absent)."""
    known = _layouts.get((mask, kind))
    if known is None:
        letters, names = "<IB", ["h", "m"]
        if mask & _VALUE:
            letters += "B" + _NUMBERS[kind][1]
            names += ["k", "v"]
        for name, _, letter in _parts(mask):
            letters += letter
            names.append(name)
        v, s, src, srv = (names.index(name) if name in names else 0 for name in ("v", "s", "src", "srv"))
        known = _layouts[mask, kind] = struct.Struct(letters), (v, s, src, srv)
    return known


def _kind(data: bytes, at: int) -> tuple[int, int] | None:
    """Mask and value type of the item at `at`; None for what only the library's own decoder understands."""
    mask = data[at + 4]
    if mask & ~_KNOWN:
        return None
    kind = data[at + 5] if mask & _VALUE else 0
    return None if mask & _VALUE and kind not in _NUMBERS else (mask, kind)


def decode_items(data: bytes, at: int, n: int) -> tuple[Items, int] | None:
    """The `n` items at offset `at` and the offset behind them; None when one of them is not a plain number."""
    try:
        first = _kind(data, at) if n else (0, 0)
        if first is None:
            return None
        dtype = _dtype(*first)
        if at + n * dtype.itemsize <= len(data):
            rows = np.frombuffer(data, dtype, n, at)
            if _same(rows, *first):
                return _from_rows(rows, first[1]), at + n * dtype.itemsize
        return _decode_mixed(data, at, n)
    except (struct.error, IndexError):
        return None


def _same(rows: "NDArray[np.void]", mask: int, kind: int) -> bool:
    return bool((rows["m"] == mask).all()) and (not mask & _VALUE or bool((rows["k"] == kind).all()))


def _from_rows(rows: "NDArray[np.void]", kind: int) -> Items:
    n, names = len(rows), rows.dtype.names or ()
    value = rows["v"] if "v" in names else np.full(n, np.nan)
    if kind == _BOOLEAN:
        value = value != 0
    ticks = [rows[name].astype(np.int64) if name in names else np.zeros(n, np.int64) for name in ("src", "srv")]
    status = rows["s"].astype(np.uint32) if "s" in names else np.zeros(n, np.uint32)
    if "v" not in names:
        status = np.where(status & _BAD, status, np.uint32(_BAD_NO_DATA))
    return Items(rows["h"].astype(np.uint32), value.astype(np.float64), status, ticks[0], ticks[1])


def _decode_mixed(data: bytes, at: int, n: int) -> tuple[Items, int] | None:
    """Layouts differ (servers leave out what is zero): one compiled Struct a layout."""
    out: list[tuple[int, float, int, int, int]] = []
    append = out.append
    for _ in range(n):
        key = _kind(data, at)
        if key is None:
            return None
        fields, (v, s, src, srv) = _layout(*key)
        item = fields.unpack_from(data, at)
        at += fields.size
        value = item[v] if v else np.nan
        if key[1] == _BOOLEAN:
            value = value != 0
        status = item[s] if s else 0
        status = status if v else status_without_value(status)
        append((item[0], value, status, item[src] if src else 0, item[srv] if srv else 0))
    rows = np.array(out, _MIXED)
    return Items(rows["h"], rows["v"], rows["s"], rows["src"], rows["srv"]), at
