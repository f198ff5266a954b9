"""Values of Sparkplug metrics to float64, a column at a time."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from forewarn.plugins.connectors.sparkplug import wire

BAD_NO_DATA: Final = 0x809B_0000
BAD_OUT_OF_RANGE: Final = 0x803C_0000
UNCERTAIN_LAST_USABLE: Final = 0x4090_0000
UNCERTAIN: Final = 0x4000_0000
BAD: Final = 0x8000_0000
# Sparkplug data types (specification 6.4.16) that integers carry: bits, and whether signed.
_INTEGERS: Final = {
    1: (8, True), 2: (16, True), 3: (32, True), 4: (64, True),
    5: (8, False), 6: (16, False), 7: (32, False), 8: (64, False),
    11: (1, False), 13: (64, False),
}  # fmt: skip
_KNOWN_TYPES: Final = 35
_BITS: Final = np.array([_INTEGERS.get(code, (64, False))[0] for code in range(_KNOWN_TYPES)], np.uint64)
_SIGNED: Final = np.array([_INTEGERS.get(code, (64, False))[1] for code in range(_KNOWN_TYPES)], np.bool_)
# fmt: off
TYPE_NAMES: Final = (
    "Unknown", "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float", "Double", "Boolean",
    "String", "DateTime", "Text", "UUID", "DataSet", "Bytes", "File", "Template", "PropertySet", "PropertySetList",
)
# fmt: on
_FLOATS: Final = frozenset(("double_value", "float_value", "boolean_value"))
_WHOLE: Final = ("int_value", "long_value")


def to_float(
    kinds: Sequence[str | None], values: Sequence[Any], types: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.uint32], NDArray[np.bool_]]:
    """(value, quality, whether it is a number at all). kinds: which field of the payload's `value` is set; None: none
    is, which is BadNoData."""
    n = len(kinds)
    quality, numeric = np.zeros(n, np.uint32), np.ones(n, np.bool_)
    present = set(kinds)
    if present <= _FLOATS:
        return np.array(values, np.float64), quality, numeric
    value = np.full(n, np.nan)
    code_of = {kind: code for code, kind in enumerate(present)}
    code = np.array([code_of[kind] for kind in kinds], np.int8)
    for kind in present:
        rows = np.flatnonzero(code == code_of[kind])
        if kind is None:
            quality[rows] = BAD_NO_DATA
            continue
        mine = values if len(rows) == n else [values[row] for row in rows.tolist()]
        if kind in _FLOATS:
            value[rows] = np.array(mine, np.float64)
        elif kind in _WHOLE:
            value[rows], quality[rows] = _integers(np.array(mine, np.uint64), types[rows])
        else:
            numeric[rows] = False
    return value, quality, numeric


def bits_to_float(
    kind: NDArray[np.uint8], bits: NDArray[np.uint64], types: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.uint32]]:
    """(value, quality) of what `wire.walk` read."""
    if (kind == wire.DOUBLE).all():
        return bits.view(np.float64), np.zeros(len(kind), np.uint32)
    value, quality = np.full(len(kind), np.nan), np.zeros(len(kind), np.uint32)
    for tag in np.unique(kind).tolist():
        rows = np.flatnonzero(kind == tag)
        if tag == wire.DOUBLE:
            value[rows] = bits[rows].view(np.float64)
        elif tag == wire.FLOAT:
            value[rows] = bits[rows].astype(np.uint32).view(np.float32)
        elif tag == wire.BOOLEAN:
            value[rows] = bits[rows] != 0
        elif tag:
            value[rows], quality[rows] = _integers(bits[rows], types[rows])
        else:
            quality[rows] = BAD_NO_DATA
    return value, quality


def _integers(raw: NDArray[np.uint64], types: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.uint32]]:
    """Signed integers travel in unsigned fields: as their own bits, or sign-extended to the field's 32 or 64."""
    known = np.where((types >= 0) & (types < _KNOWN_TYPES), types, 0)
    bits, signed = _BITS[known], _SIGNED[known]
    one = np.uint64(1)
    shift = np.uint64(64) - bits
    negative = one << (bits - one)  # also as a bound: what lies within `negative` below zero
    fits = ((raw << shift) >> shift) == raw
    extended_64 = raw >= np.uint64(0) - negative
    extended_32 = (bits <= 32) & (raw < np.uint64(2**32)) & (raw >= np.uint64(2**32) - np.minimum(negative, 2**31))
    sound = fits | (signed & (extended_64 | extended_32))
    below = ((raw << shift).view(np.int64) >> shift.astype(np.int64)).astype(np.float64)
    value = np.where(signed, below, raw.astype(np.float64))
    return np.where(sound, value, np.nan), np.where(sound, 0, BAD_OUT_OF_RANGE).astype(np.uint32)


def quality_of(properties: Any) -> int:
    """The `Quality` property (specification 6.4.12): 0 bad, 192 good, 500 stale; any other is uncertain."""
    for key, held in zip(properties.keys, properties.values, strict=False):
        if key == "Quality" and held.WhichOneof("value") in _WHOLE:
            code = held.int_value or held.long_value
            return {0: BAD, 192: 0, 500: UNCERTAIN_LAST_USABLE}.get(code, UNCERTAIN)
    return 0
