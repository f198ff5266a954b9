"""The bytes of a gateway's parcel -> columns (docs/formats/uplink.md). Bounded before memory is taken."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import zstandard
from numpy.typing import NDArray

from forewarn.api.problems import BodyTooLarge
from forewarn.api.telemetry_arrow import check_size
from forewarn.domain.errors import InvalidInput
from forewarn.domain.series import Aggregates

_READINGS: Final = "forewarn.readings.1"
_MINUTES: Final = "forewarn.minutes.1"
_DECIMAL: Final = "decimal:"
_SCALES: Final = {f"{_DECIMAL}{scale}": np.float64(10**scale) for scale in range(7)}
# A parcel's columns may be this much larger than the bound of a request's body.
_SWELL: Final = 4
_LARGE: Final = 1 << 18
_STATISTICS: Final = ("mean", "minimum", "maximum", "stddev")
_OPTIONS: Final = pa.ipc.IpcReadOptions(use_threads=False)


@dataclass(frozen=True, slots=True, eq=False)
class ParcelReadings:
    """Rows as they came. signal: the gateway's keys, not checked yet."""

    signal: NDArray[np.int64]
    time: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint32]


def is_large(body: bytes) -> bool:
    """Whether reading it takes long enough to do so beside the loop: 1 kB may stand for a million rows."""
    try:
        return max(len(body), zstandard.frame_content_size(body)) > _LARGE
    except zstandard.ZstdError:
        return False


def inflate(body: bytes, limit: int) -> bytes:
    """The content of the one zstd frame that a parcel is. Raises InvalidInput, BodyTooLarge above 4 * `limit` bytes."""
    try:
        size = zstandard.frame_content_size(body)
        if size < 0:
            raise InvalidInput("the parcel's zstd frame does not state its content's size", field="body")
        if size > limit * _SWELL:
            raise BodyTooLarge(f"the parcel takes {size:,} bytes in memory; at most {limit * _SWELL:,}")
        return zstandard.ZstdDecompressor().decompress(body, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise InvalidInput(f"the parcel is not one whole zstd frame: {error}", field="body") from None


def decode_readings(body: bytes, limit: int) -> ParcelReadings:
    """body: as sent. Raises InvalidInput, naming the column, and BodyTooLarge."""
    rows, metadata = _read(inflate(body, limit), _READINGS, limit)
    n = rows.num_rows
    quality = _plain(rows, "quality", 4) if "quality" in rows.schema.names else np.zeros(n, np.uint32)
    return ParcelReadings(
        _sums(_plain(rows, "signal", 4)), _sums(_plain(rows, "time", 8)), _values(rows, metadata), quality
    )


def decode_minutes(body: bytes, limit: int) -> Aggregates:
    """As `decode_readings`. signal: the gateway's keys, wrapped to int32."""
    rows, _ = _read(inflate(body, limit), _MINUTES, limit)
    mean, minimum, maximum, stddev = (_plain(rows, name, 8).view(np.float64) for name in _STATISTICS)
    count, good = (_plain(rows, name, 4).astype(np.int64) for name in ("count", "good"))
    signal, start = _sums(_plain(rows, "signal", 4)), _sums(_plain(rows, "start", 8))
    return Aggregates(signal.astype(np.int32), start, mean, minimum, maximum, stddev, count, good)


def _values(rows: pa.RecordBatch, metadata: dict[str, str]) -> NDArray[np.float64]:
    form = metadata.get("value", "")
    raw = _plain(rows, "value", 8)
    if form == "float64":
        return raw.view(np.float64)
    if form not in _SCALES:
        raise InvalidInput(f"column value: its form {form!r} is none of float64, decimal:0 to decimal:6", field="value")
    return np.asarray(_sums(raw) / _SCALES[form])


def _read(plain: bytes, wanted: str, limit: int) -> tuple[pa.RecordBatch, dict[str, str]]:
    try:
        check_size(plain, limit * _SWELL)
        with pa.ipc.open_stream(plain, options=_OPTIONS) as reader:
            rows = reader.read_next_batch()
            if next(iter(reader), None) is not None:
                raise InvalidInput("the parcel holds more than one record batch", field="body")
        rows.validate(full=True)
        _ = rows.schema.names  # read here: one that is no UTF-8 raises ValueError
        given = rows.schema.metadata or {}
        metadata = {key.decode(): value.decode() for key, value in given.items()}
    except StopIteration:
        raise InvalidInput("the parcel holds no record batch", field="body") from None
    except (pa.ArrowException, OSError, ValueError) as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InvalidInput(f"the parcel is no complete Arrow IPC stream: {text}", field="body") from None
    if metadata.get("format") != wanted:
        raise InvalidInput(f"the parcel's format is {metadata.get('format')!r}, wanted {wanted!r}", field="format")
    return rows, metadata


def _plain(rows: pa.RecordBatch, name: str, width: int) -> NDArray[Any]:
    """uint32 or uint64[n]: a split column put together again."""
    names = rows.schema.names
    if names.count(name) != 1:
        raise InvalidInput(f"the parcel has {names.count(name) or 'no'} columns {name}, wanted one", field=name)
    column = rows.column(names.index(name))
    kind = column.type
    if not (pa.types.is_fixed_size_list(kind) and kind.list_size == width and kind.value_type == pa.uint8()):
        raise InvalidInput(f"column {name} is {kind}, wanted fixed_size_list<uint8>[{width}]", field=name)
    child = column.flatten()
    if column.null_count or child.null_count or len(child) != len(column) * width:
        raise InvalidInput(f"column {name} has nulls; it may have none", field=name)
    split = child.to_numpy(zero_copy_only=True).reshape(width, len(column))
    joined: NDArray[Any] = np.ascontiguousarray(split.T).view(f"<u{width}").ravel()
    return joined


def _sums(zigzag: NDArray[Any]) -> NDArray[np.int64]:
    """What a difference column stands for; sums wrap."""
    wide = zigzag.astype(np.uint64, copy=False)
    step = (wide >> np.uint64(1)).view(np.int64) ^ -(wide & np.uint64(1)).view(np.int64)
    return np.cumsum(step, dtype=np.int64)
