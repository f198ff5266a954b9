"""Readings to Parquet columns and back, bit for bit.

A value is kept as `mantissa` where mantissa / POWERS[scale], a power of ten or two, is the very same float64 (scale is
chosen per signal and file), else in `real32` where float32 is the same number, else in `real64`. Exactly one of the
three is not null. A time is `time` + `jitter_ms` or `jitter_us` (see slots.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from forewarn.domain.series import Series
from forewarn.plugins.historians.parquet import slots
from forewarn.plugins.historians.parquet.rows import Mask, Rows
from forewarn.plugins.historians.parquet.sorted_file import Chunk, Layout, Piece

NO_SCALE: Final = -1
MAX_SCALE: Final = 9
TIME: Final = pa.timestamp("us", tz="UTC")
_MILLISECONDS: Final = pa.timestamp("ms", tz="UTC")
# Scale 0-9 is 10**scale, 10-69 is 2**(scale - 9); [-1] is what NO_SCALE finds.
POWERS: Final = np.concatenate((10.0 ** np.arange(MAX_SCALE + 1), 2.0 ** np.arange(1, 61), [1.0]))
_LAST_SCALE: Final = len(POWERS) - 2
_SAMPLES: Final = 8
_ENOUGH: Final = 0.9
_EXACT: Final = float(1 << 53)
_INT32: Final = float((1 << 31) - 1)

# One bit per column that a row group cannot be read without.
HAS_NO_MANTISSA, HAS_REAL32, HAS_REAL64, NOT_ALL_ZERO_QUALITY, HAS_JITTER_MS, HAS_JITTER_US = 1, 2, 4, 8, 16, 32


@dataclass(frozen=True, slots=True)
class Shape:
    """wide: mantissas need 64 bits. fine: times need microseconds; else milliseconds do."""

    wide: bool
    fine: bool

    @staticmethod
    def of(schemas: Sequence[pa.Schema]) -> "Shape":
        """What holds the rows of files with these schemas."""
        return Shape(
            any(schema.field("mantissa").type == pa.int64() for schema in schemas),
            any(schema.field("time").type.unit == "us" for schema in schemas),
        )


def layout(shape: Shape) -> Layout:
    """Columns of a segment."""
    mantissa = pa.int64() if shape.wide else pa.int32()
    time = TIME if shape.fine else _MILLISECONDS
    return Layout(
        schema=pa.schema(
            [
                ("signal", pa.int32()),
                ("time", time),
                ("jitter_ms", pa.int32()),
                ("jitter_us", pa.int32()),
                ("scale", pa.int8()),
                ("mantissa", mantissa),
                ("real32", pa.float32()),
                ("real64", pa.float64()),
                ("quality", pa.uint32()),
            ]
        ),
        encodings={
            "signal": "DELTA_BINARY_PACKED",
            "time": "DELTA_BINARY_PACKED",
            "jitter_ms": "BYTE_STREAM_SPLIT",
            "jitter_us": "BYTE_STREAM_SPLIT",
            "mantissa": "DELTA_BINARY_PACKED",
            "real32": "BYTE_STREAM_SPLIT",
            "real64": "BYTE_STREAM_SPLIT",
        },
        dictionary=("scale", "quality"),
        group_rows=65_536,
    )


def choose(value: NDArray[np.float64], count: Rows) -> NDArray[np.int8]:
    """The scale of each signal's run of `value`, from a sample of it: the smallest decimal that serves, else a
    binary one if its whole numbers take less room than reals, else NO_SCALE."""
    first = np.cumsum(count) - count
    picks = first[:, None] + count[:, None] * np.arange(_SAMPLES) // _SAMPLES
    sample = value[picks]
    after = np.minimum(picks + 1, (first + count - 1)[:, None])
    scale = _binary(sample, value[after])
    for candidate in range(MAX_SCALE, -1, -1):
        fits = _same(sample, POWERS[candidate])[1] | np.isnan(sample)
        scale[fits.mean(axis=1) >= 0.75] = candidate
    return scale


def _binary(sample: NDArray[np.float64], after: NDArray[np.float64]) -> NDArray[np.int8]:
    """Scale by which each row of `sample` becomes whole, NO_SCALE where that is dearer than the reals.

    `after`: the readings that follow, as what is stored is the difference."""
    with np.errstate(all="ignore"):
        fraction, exponent = np.frexp(np.where(np.isfinite(sample), sample, 0.0))
        digits = np.abs(fraction * _EXACT).astype(np.int64)
        lowest = (digits & -digits).astype(np.float64)  # the lowest set bit
        power = np.where(digits > 0, 53 - exponent - np.log2(np.where(digits > 0, lowest, 1.0)), 0).max(axis=1)
        single = (sample.astype(np.float32) == sample).all(axis=1)
        # 32 differences span about twice the greatest of eight.
        bits = np.log2(np.nanmax(np.abs(after - sample), axis=1, initial=0.0)) + power + 1.2
        serves = (power >= 1) & (power + MAX_SCALE <= _LAST_SCALE) & (bits < np.where(single, 24, 60))
    return np.where(serves, power + MAX_SCALE, NO_SCALE).astype(np.int8)


def encode(series: Series, count: Rows, shape: Shape | None = None) -> tuple[Piece, Shape]:
    """The rows as one piece of a segment file, and its shape. `count`: rows of each signal in turn.

    `shape` None = as the rows need; not wide = mantissas of more than 32 bits go to the real columns."""
    value = np.ascontiguousarray(series.value)
    with np.errstate(all="ignore"):
        scale = choose(value, count)
        power = np.repeat(POWERS[scale], count)
        mantissa, fits = _same(value, power)
        scale, fits, mantissa = _raise_scales(value, count, scale, fits, mantissa)
        if shape is None:
            shape = Shape(bool((np.abs(mantissa) * fits > _INT32).any()), bool((series.time % 1000).any()))
        if not shape.wide:
            fits &= np.abs(mantissa) <= _INT32
        fits &= np.repeat(scale != NO_SCALE, count)
        whole = np.where(fits, mantissa, 0).astype(np.int64 if shape.wide else np.int32)
        real32 = value.astype(np.float32)
        small = ~fits & (real32.astype(np.float64).view(np.int64) == value.view(np.int64))
    large = ~(fits | small)
    slot, jitter = _split(series.time, count, shape)
    none = np.zeros(len(jitter), np.int32)
    table = pa.table(
        [
            pa.array(series.signal),
            pa.array(slot).view(TIME if shape.fine else _MILLISECONDS),
            pa.array(none if shape.fine else jitter),
            pa.array(jitter if shape.fine else none),
            pa.array(np.repeat(scale, count)),
            nullable(whole, fits),
            nullable(real32, small),
            nullable(value, large),
            pa.array(series.quality),
        ],
        schema=layout(shape).schema,
    )
    signal = series.signal[np.cumsum(count) - count]
    late = jitter != 0
    masks = (~fits, small, large, series.quality != 0, late & (not shape.fine), late & shape.fine)
    return Piece(table, signal, count, scale, masks), shape


def _split(time: Rows, count: Rows, shape: Shape) -> tuple[Rows, NDArray[np.int32]]:
    return slots.split(time, count, 1000) if shape.fine else slots.split(time // 1000, count, 1)


def decode(chunk: Chunk) -> Series:
    """The chunk's rows as they were appended."""
    return Series(chunk.row_signals(), times(chunk), values(chunk), qualities(chunk))


def times(chunk: Chunk) -> Rows:
    at: Rows = chunk.column("time")
    jitter: Rows
    if chunk.flags & HAS_JITTER_MS:
        jitter = chunk.column("jitter_ms").astype(np.int64)
        return at + jitter * 1000
    if chunk.flags & HAS_JITTER_US:
        jitter = chunk.column("jitter_us").astype(np.int64)
        return at + jitter
    return at


def qualities(chunk: Chunk) -> NDArray[np.uint32]:
    if not chunk.flags & NOT_ALL_ZERO_QUALITY:
        return np.zeros(chunk.rows, np.uint32)
    return chunk.column("quality")


def values(chunk: Chunk) -> NDArray[np.float64]:
    mantissa = chunk.column("mantissa").astype(np.float64)
    scales = np.unique(chunk.scale)
    if len(scales) == 1:
        value = mantissa if scales[0] == 0 else mantissa / POWERS[scales[0]]
    else:
        value = mantissa / np.repeat(POWERS[chunk.scale], chunk.count)
    for name, flag in (("real32", HAS_REAL32), ("real64", HAS_REAL64)):
        if chunk.flags & flag:
            present = chunk.present(name)
            value[present] = chunk.column(name)[present]
    return value


def time_columns(flags: int) -> list[str]:
    """Columns without which `times` cannot answer."""
    wanted = ((HAS_JITTER_MS, "jitter_ms"), (HAS_JITTER_US, "jitter_us"))
    return ["time", *(name for flag, name in wanted if flags & flag)]


def value_columns(flags: int) -> list[str]:
    """Columns without which `values` and `qualities` cannot answer, for row groups with these flags."""
    wanted = ((HAS_REAL32, "real32"), (HAS_REAL64, "real64"), (NOT_ALL_ZERO_QUALITY, "quality"))
    return ["mantissa", *(name for flag, name in wanted if flags & flag)]


def _same(value: NDArray[np.float64], power: NDArray[np.float64] | float) -> tuple[NDArray[np.float64], Mask]:
    """Mantissas, and where they give back the very same bits (so -0.0 and NaN do not fit)."""
    with np.errstate(all="ignore"):
        mantissa = np.rint(value * power)
        # The int64 detour turns -0.0 into 0, as the file will.
        fits = np.abs(mantissa) <= _EXACT
        whole = np.where(fits, mantissa, 0.0) + 0.0
        fits &= (whole / power).view(np.int64) == value.view(np.int64)
    return whole, fits


def _raise_scales(
    value: NDArray[np.float64], count: Rows, scale: NDArray[np.int8], fits: Mask, mantissa: NDArray[np.float64]
) -> tuple[NDArray[np.int8], Mask, NDArray[np.float64]]:
    """Where the sample misled, try the next scales on that signal's rows until nine in ten fit or none is left."""
    first = np.cumsum(count) - count
    for attempt in range(MAX_SCALE + 1):
        tolerable = fits | np.isnan(value)
        poor = (np.add.reduceat(tolerable, first, dtype=np.int64) < _ENOUGH * count) & (scale != NO_SCALE)
        if not poor.any():
            break
        scale = scale.copy()
        last = (scale == MAX_SCALE) | (scale == _LAST_SCALE) | (attempt == MAX_SCALE)
        scale[poor] = np.where(last, NO_SCALE, scale + 1)[poor]
        rows = np.repeat(poor, count)
        mantissa[rows], fits[rows] = _same(value[rows], np.repeat(POWERS[scale[poor]], count[poor]))
    return scale, fits, mantissa


def nullable(values: NDArray[Any], valid: Mask) -> pa.Array:
    if valid.all():
        return pa.array(values)
    bits = pa.py_buffer(np.packbits(valid, bitorder="little"))
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [bits, pa.py_buffer(values)])
