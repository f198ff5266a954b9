"""Rollup files: statistics per signal and minute or hour.

A mean of decimal readings has no short decimal form, but its sum has: where readings are whole multiples of
10**-scale, a row is kept as whole numbers relative to its own centre (sum, spread, below, above) that give mean, m2,
low and high back to 1e-11; all other rows as float64. Whole numbers take about a quarter of the room.
"""

from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from forewarn.plugins.historians.parquet.encoding import POWERS, choose, nullable
from forewarn.plugins.historians.parquet.rows import Mask, Rows, run_starts
from forewarn.plugins.historians.parquet.sorted_file import Chunk, ChunkPlan, Layout, Piece
from forewarn.plugins.historians.parquet.statistics import Floats, Statistics

_WHOLE: Final = ("sum", "spread", "below", "above")
_REAL: Final = ("mean", "m2", "low", "high")
_HAS_WHOLE, _HAS_REAL, _HAS_REPLACING, _HAS_BAD = 1, 2, 4, 8
_EXACT: Final = float(1 << 50)
_CLOSE: Final = 1e-11
LAYOUT: Final = Layout(
    schema=pa.schema(
        [
            ("signal", pa.int32()),
            ("start", pa.timestamp("ms", tz="UTC")),
            ("count", pa.int64()),
            ("good", pa.int64()),
            ("scale", pa.int8()),
            *((name, pa.int64()) for name in _WHOLE),
            *((name, pa.float64()) for name in _REAL),
            ("replaces", pa.bool_()),
        ]
    ),
    encodings={
        **dict.fromkeys(("signal", "start", "count", "good", *_WHOLE), "DELTA_BINARY_PACKED"),
        **dict.fromkeys(_REAL, "BYTE_STREAM_SPLIT"),
        "replaces": "RLE",
    },
    dictionary=("scale",),
    group_rows=16_384,
)


def encode(s: Statistics) -> Piece:
    """Rows ordered by (signal, start) as a piece of a rollup file."""
    first = run_starts(s.signal)
    count = np.diff(first, append=len(s))
    scale = np.where(np.isnan(s.low[first]), 0, choose(s.low, count)).astype(np.int8)
    power = np.repeat(POWERS[scale], count)
    with np.errstate(all="ignore"):
        whole, fits = _to_whole(s, power)
        fits &= np.repeat(scale >= 0, count)
    columns: list[Any] = [
        pa.array(s.signal),
        pa.array(s.start // 1000).view(LAYOUT.schema.field("start").type),
        pa.array(s.count),
        pa.array(s.good),
        pa.array(np.repeat(scale, count)),
        *(nullable(np.where(fits, column, 0).astype(np.int64), fits) for column in whole),
        *(nullable(getattr(s, name), ~fits) for name in _REAL),
        pa.array(s.replaces),
    ]
    table = pa.table(columns, schema=LAYOUT.schema)
    masks = (fits, ~fits, s.replaces, s.good != s.count)
    return Piece(table, s.signal[first], count, scale, masks)


def read(plan: ChunkPlan, start: int, end: int) -> Statistics:
    """The plan's rows whose buckets start in [start, end)."""
    flags = plan.flags
    chunk = plan.read(
        [
            "start",
            "count",
            *(["good"] if flags & _HAS_BAD else []),
            *(_WHOLE if flags & _HAS_WHOLE else ()),
            *(_REAL if flags & _HAS_REAL else ()),
            *(["replaces"] if flags & _HAS_REPLACING else []),
        ]
    )
    at: Rows = chunk.column("start")
    count: Rows = chunk.column("count")
    good: Rows = chunk.column("good") if flags & _HAS_BAD else count
    replaces = chunk.column("replaces") if flags & _HAS_REPLACING else np.zeros(len(at), np.bool_)
    mean, m2, low, high = _values(chunk, good)
    rows = Statistics(chunk.row_signals(), at, count, good, mean, m2, low, high, replaces)
    inside = (at >= start) & (at < end)
    return rows if inside.all() else rows.take(inside)


def _values(chunk: Chunk, good: Rows) -> list[Floats]:
    whole: list[Floats] = []
    if chunk.flags & _HAS_WHOLE:
        columns = [chunk.column(name).astype(np.float64) for name in _WHOLE]
        power = np.repeat(POWERS[chunk.scale], chunk.count)
        with np.errstate(all="ignore"):
            whole = _from_whole(columns, good.astype(np.float64), power)
    if not chunk.flags & _HAS_REAL:
        return whole
    real: list[Floats] = [chunk.column(name) for name in _REAL]
    if not whole:
        return real
    present = chunk.present("sum")
    return [np.where(present, w, r) for w, r in zip(whole, real, strict=True)]


def _to_whole(s: Statistics, power: Floats) -> tuple[list[Floats], Mask]:
    """sum, spread, below, above as whole numbers, and the rows that they give back."""
    good = s.good.astype(np.float64)
    total = np.rint(s.mean * good * power)
    centre = np.rint(total / good)
    off = total - good * centre
    spread = np.rint(s.m2 * power * power + off * off / good)
    whole = [total, spread, centre - np.rint(s.low * power), np.rint(s.high * power) - centre]
    mean, m2, low, high = _from_whole(whole, good, power)
    size = np.maximum(np.abs(s.low), np.abs(s.high))
    fits: NDArray[np.bool_] = (low == s.low) & (high == s.high) & (s.good > 0)
    # A zero must come back with its sign, which whole numbers have not.
    fits &= ~(((s.low == 0) & np.signbit(s.low)) | ((s.high == 0) & np.signbit(s.high)))
    fits &= (np.abs(mean - s.mean) <= 1e-14 * size) & (np.abs(mean - s.mean) <= _CLOSE * np.abs(s.mean))
    fits &= np.abs(m2 - s.m2) <= _CLOSE * s.m2
    for column in whole:
        fits &= np.abs(column) < _EXACT
    return whole, fits


def _from_whole(whole: list[Floats], good: Floats, power: Floats) -> list[Floats]:
    total, spread, below, above = whole
    centre = np.rint(total / good)
    off = total - good * centre
    m2 = (spread - off * off / good) / (power * power)
    return [total / good / power, m2, (centre - below) / power, (centre + above) / power]
