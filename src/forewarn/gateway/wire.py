"""The bytes of a parcel (docs/formats/uplink.md): small Arrow IPC streams in one zstd frame, JSON for findings."""

import io
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

import msgspec
import numpy as np
import zstandard
from arro3.core import Array, DataType, Field, RecordBatch, Schema, fixed_size_list_array, list_flatten
from arro3.io import read_ipc_stream, write_ipc_stream
from numpy.typing import NDArray

from forewarn.contracts.outbox import Packed, ParcelKind, Urgency
from forewarn.domain.alarms import AlarmEvent
from forewarn.domain.errors import InvalidInput
from forewarn.domain.findings import Finding
from forewarn.domain.series import Aggregates, Series

READINGS: Final = "forewarn.readings.1"
MINUTES: Final = "forewarn.minutes.1"
_FLOAT: Final = "float64"
_DECIMAL: Final = "decimal:"
_MOST_DECIMALS: Final = 6
# 9 wins 1 % of the bytes for 4 times the work, 1 costs up to 9 % more (benchmarks/thinning.py prints them).
_LEVEL: Final = 3
_MOST_BYTES: Final = 256 * 2**20
_CONTINUES: Final = b"\xff\xff\xff\xff"
_STATISTICS: Final = ("mean", "minimum", "maximum", "stddev")
_BYTE: Final = DataType.uint8()


class Wire:
    """The Packer."""

    def readings(self, rows: Series, urgency: Urgency) -> Packed:
        first, last = int(rows.time.min()), int(rows.time.max())
        return Packed(ParcelKind.READINGS, urgency, len(rows), first, last, encode_readings(rows))

    def minutes(self, minutes: Aggregates) -> Packed:
        first, last = int(minutes.start.min()), int(minutes.start.max())
        return Packed(ParcelKind.MINUTES, Urgency.NORMAL, len(minutes), first, last, encode_minutes(minutes))

    def findings(self, findings: Sequence[Finding], events: Sequence[AlarmEvent]) -> Packed:
        times = [*(f.started_at for f in findings), *(f.last_at for f in findings), *(e.at for e in events)]
        body = encode_findings(findings, events)
        return Packed(ParcelKind.FINDINGS, Urgency.FINDING, len(findings) + len(events), min(times), max(times), body)


class Columns(Protocol):
    """n readings, ordered by (signal, time); Series and ReadingBatch are such."""

    @property
    def signal(self) -> NDArray[np.int32]: ...
    @property
    def time(self) -> NDArray[np.int64]: ...
    @property
    def value(self) -> NDArray[np.float64]: ...
    @property
    def quality(self) -> NDArray[np.uint32]: ...


def encode_readings(readings: Columns) -> bytes:
    """Every bit comes back, whatever the value, the time and the quality are."""
    planes = {"signal": _differences(readings.signal), "time": _differences(readings.time)}
    decimals = _as_decimals(readings.value)
    if decimals is None:
        form, planes["value"] = _FLOAT, readings.value.view(np.uint64)
    else:
        form, planes["value"] = f"{_DECIMAL}{decimals[0]}", _differences(decimals[1])
    if readings.quality.any():
        planes["quality"] = readings.quality
    return _compress(_stream(planes, {"format": READINGS, "value": form}))


def decode_readings(body: bytes) -> Series:
    """Raises InvalidInput when the body is not of this format."""
    columns, metadata = _columns(body, READINGS)
    form = metadata.get("value", "")
    raw = columns["value"]
    if form == _FLOAT:
        value = raw.view(np.float64)
    elif form.startswith(_DECIMAL):
        value = _sums(raw) / np.float64(10 ** int(form.removeprefix(_DECIMAL)))
    else:
        raise InvalidInput(f"values in the form {form!r}; known are {_FLOAT} and {_DECIMAL}<scale>", field="value")
    quality = columns.get("quality")
    if quality is None:
        quality = np.zeros(len(raw), np.uint32)
    return Series(_sums(columns["signal"]).astype(np.int32), _sums(columns["time"]), value, quality.astype(np.uint32))


def encode_minutes(minutes: Aggregates) -> bytes:
    planes = {"signal": _differences(minutes.signal), "start": _differences(minutes.start)}
    planes |= {"count": minutes.count.astype(np.uint32), "good": minutes.good.astype(np.uint32)}
    planes |= {name: getattr(minutes, name).view(np.uint64) for name in _STATISTICS}
    return _compress(_stream(planes, {"format": MINUTES}))


def decode_minutes(body: bytes) -> Aggregates:
    """Raises InvalidInput when the body is not of this format."""
    columns, _ = _columns(body, MINUTES)
    mean, minimum, maximum, stddev = (columns[name].view(np.float64) for name in _STATISTICS)
    count, good = (columns[name].astype(np.int64) for name in ("count", "good"))
    signal = _sums(columns["signal"]).astype(np.int32)
    return Aggregates(signal, _sums(columns["start"]), mean, minimum, maximum, stddev, count, good)


def encode_findings(findings: Sequence[Finding], events: Sequence[AlarmEvent]) -> bytes:
    told = [_without_key(finding) for finding in findings]
    return _compress(msgspec.json.encode({"findings": told, "events": list(events)}))


def encode_told_findings(findings: Sequence[Mapping[str, Any]]) -> bytes:
    """As `decode_findings` gave them, without events."""
    return _compress(msgspec.json.encode({"findings": list(findings), "events": []}))


def _without_key(finding: Finding) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(finding)
    del fields["signal_key"]  # the gateway's own; the site knows the signal by its id
    return fields


def decode_findings(body: bytes) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(findings, events) as the JSON has them. Raises InvalidInput."""
    try:
        told = msgspec.json.decode(_decompress(body), type=dict[str, list[dict[str, Any]]])
        return told["findings"], told["events"]
    except (msgspec.DecodeError, KeyError) as error:
        raise InvalidInput(f"the parcel's findings cannot be read: {error}") from error


def _differences(column: NDArray[Any]) -> NDArray[Any]:
    """Each row less the one before, zigzag: small either way means few bytes that are not 0."""
    step = np.diff(column, prepend=column.dtype.type(0))  # wraps, and so does the sum that undoes it
    bits = 8 * column.dtype.itemsize
    zigzag: NDArray[Any] = ((step << 1) ^ (step >> (bits - 1))).view(f"u{column.dtype.itemsize}")
    return zigzag


def _sums(zigzag: NDArray[Any]) -> NDArray[np.int64]:
    wide = zigzag.astype(np.uint64)
    step = (wide >> np.uint64(1)).view(np.int64) ^ -(wide & np.uint64(1)).view(np.int64)
    return np.cumsum(step, dtype=np.int64)


def _as_decimals(value: NDArray[np.float64]) -> tuple[int, NDArray[np.int64]] | None:
    """(scale, value * 10**scale) where dividing gives every value back bit for bit, else None."""
    bits = value.view(np.int64)
    for scale in range(_MOST_DECIMALS + 1):
        power = np.float64(10**scale)
        with np.errstate(all="ignore"):
            whole = np.rint(value * power)
        if not np.all(np.abs(whole) < 2.0**53):  # NaN and infinity are not either
            return None
        if np.array_equal((whole.astype(np.int64) / power).view(np.int64), bits):
            return scale, whole.astype(np.int64)
        if scale == 0 and len(value) > 64 and _as_decimals(value[:64]) is None:
            return None  # most float data says so at once
    return None


def _stream(planes: Mapping[str, NDArray[Any]], metadata: dict[str, str]) -> bytes:
    arrays = [_split(column) for column in planes.values()]
    fields = [Field(name, array.type, nullable=False) for name, array in zip(planes, arrays, strict=True)]
    out = io.BytesIO()
    write_ipc_stream(
        RecordBatch.from_arrays(arrays, schema=Schema(fields, metadata=metadata)),
        out,
        compression=None,
    )
    return out.getvalue()


def _split(column: NDArray[Any]) -> Array:
    """Byte-stream split: all lowest bytes, then all second lowest, and so on; equal bytes come to lie together."""
    width = column.dtype.itemsize
    rows = np.ascontiguousarray(column.astype(f"<u{width}", copy=False)).view(np.uint8).reshape(-1, width)
    return fixed_size_list_array(Array.from_numpy(np.ascontiguousarray(rows.T).ravel()), width)


def _joined(array: Array) -> NDArray[Any]:
    width = array.type.list_size
    if width not in (4, 8) or array.type.value_type != _BYTE or array.null_count:
        raise InvalidInput(f"a parcel's column is {array.type}, wanted lists of 4 or 8 bytes without nulls")
    flat = np.asarray(list_flatten(array).to_numpy(), np.uint8)
    return np.ascontiguousarray(flat.reshape(width, -1).T).view(f"<u{width}").ravel()


def _columns(body: bytes, wanted: str) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    plain = _decompress(body)
    if plain[:4] != _CONTINUES or int.from_bytes(plain[4:8], "little") > len(plain):
        # arro3 would make room for whatever length stands there.
        raise InvalidInput("the parcel is no Arrow stream: it does not begin as one")
    try:
        rows = read_ipc_stream(io.BytesIO(plain)).read_all().combine_chunks()
        metadata = {k.decode(): v.decode() for k, v in rows.schema.metadata.items()}
        if metadata.get("format") != wanted:
            raise InvalidInput(f"the parcel's format is {metadata.get('format')!r}, wanted {wanted!r}", field="format")
        return {name: _joined(rows[name].combine_chunks()) for name in rows.column_names}, metadata
    except InvalidInput:
        raise
    except Exception as error:  # arro3 raises a bare Exception for what it cannot read
        raise InvalidInput(f"the parcel is no Arrow stream: {error}") from error


def _compress(plain: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=_LEVEL).compress(plain)


def _decompress(body: bytes) -> bytes:
    try:
        size = zstandard.frame_content_size(body)
        if not 0 <= size <= _MOST_BYTES:
            raise InvalidInput(f"a parcel of {size} bytes; at most {_MOST_BYTES} and it must say how many")
        return zstandard.ZstdDecompressor().decompress(body)
    except zstandard.ZstdError as error:
        raise InvalidInput(f"the parcel is not one zstd frame: {error}") from error
