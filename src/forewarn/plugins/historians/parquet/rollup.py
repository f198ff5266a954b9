"""Rollup files: statistics per signal and minute or hour."""

from typing import Final

import numpy as np
import pyarrow as pa

from forewarn.plugins.historians.parquet.encoding import TIME
from forewarn.plugins.historians.parquet.rows import run_starts
from forewarn.plugins.historians.parquet.sorted_file import ChunkPlan, Layout, Piece
from forewarn.plugins.historians.parquet.statistics import Statistics

_COLUMNS: Final = ("start", "count", "good", "mean", "m2", "low", "high", "replaces")
LAYOUT: Final = Layout(
    schema=pa.schema(
        [
            ("signal", pa.int32()),
            ("start", TIME),
            ("count", pa.int64()),
            ("good", pa.int64()),
            ("mean", pa.float64()),
            ("m2", pa.float64()),
            ("low", pa.float64()),
            ("high", pa.float64()),
            ("replaces", pa.bool_()),
        ]
    ),
    encodings={
        "signal": "DELTA_BINARY_PACKED",
        "start": "DELTA_BINARY_PACKED",
        "count": "DELTA_BINARY_PACKED",
        "good": "DELTA_BINARY_PACKED",
        "mean": "BYTE_STREAM_SPLIT",
        "m2": "BYTE_STREAM_SPLIT",
        "low": "BYTE_STREAM_SPLIT",
        "high": "BYTE_STREAM_SPLIT",
        "replaces": "RLE",
    },
    dictionary=(),
    group_rows=16_384,
)


def encode(s: Statistics) -> Piece:
    """Rows ordered by (signal, start) as a piece of a rollup file."""
    first = run_starts(s.signal)
    count = np.diff(first, append=len(s))
    columns = [s.signal, s.start, s.count, s.good, s.mean, s.m2, s.low, s.high, s.replaces]
    arrays = [pa.array(column) for column in columns]
    arrays[1] = arrays[1].view(TIME)
    table = pa.table(arrays, schema=LAYOUT.schema)
    return Piece(table, s.signal[first], count, np.zeros(len(first), np.int8))


def read(plan: ChunkPlan, start: int, end: int) -> Statistics:
    """The plan's rows whose buckets start in [start, end)."""
    chunk = plan.read(_COLUMNS)
    at = chunk.column("start").view(np.int64)
    inside = (at >= start) & (at < end)
    rest = (chunk.column(name)[inside] for name in _COLUMNS[1:])
    return Statistics(chunk.row_signals()[inside], at[inside], *rest)
