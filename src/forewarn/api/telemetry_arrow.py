"""The batch as an Arrow IPC stream -> columns. A dictionary's words are looked up once, not per row."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from forewarn.api.arrow_bound import decompressed_size
from forewarn.api.problems import BodyTooLarge
from forewarn.api.telemetry_batch import CODE, Telemetry, digest_of, gateway_name, reject_null, sequence_number
from forewarn.domain.errors import InvalidInput
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.signal_table import SignalTable
from forewarn.domain.verdicts import Reason

MEDIA_TYPE: Final = "application/vnd.apache.arrow.stream"
_REMEMBERED: Final = 16
_MAX_REMEMBERED_BYTES: Final = 2 << 20
# Decompressed columns may be this much larger than the body's own bound.
_SWELL: Final = 4


class ArrowDecoder:
    """Keeps the last dictionaries of the gateways, since a gateway sends the same one again and again.

    For one thread at a time. limit: bytes of a request body.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit * _SWELL
        self._known: OrderedDict[str, tuple[SignalTable, pa.Array, NDArray[np.int32]]] = OrderedDict()

    def decode(self, body: bytes, gateway: str | None, sequence: str | None, table: SignalTable) -> Telemetry:
        """gateway, sequence: the headers. Raises InvalidInput for what is no such stream, BodyTooLarge."""
        name = gateway_name(gateway)
        number = sequence_number(_header_number(sequence))
        rows = _read(body, self._limit)
        codes, words = _dictionary(_column(rows, "sensor_id"))
        keys = self._keys(name, words, table)
        signal = np.where(codes >= 0, keys[codes], 0).astype(np.int32) if len(keys) else np.zeros(len(codes), np.int32)
        time, no_time = _times(_column(rows, "timestamp"))
        value, null = _floats(_column(rows, "value"))
        quality, odd = _qualities(rows)
        reason: NDArray[np.uint8] | None = None
        for wrong, why in ((odd, Reason.QUALITY_UNKNOWN), (no_time, Reason.TIME_MISSING)):
            if wrong is not None and wrong.any():
                reason = np.zeros(len(signal), np.uint8) if reason is None else reason
                reason[wrong] = CODE[why]
        if null is not None:
            reason = reject_null(value, null, quality, reason)
        number = digest_of(signal, time, value, quality) if number is None else number
        return Telemetry(ReadingBatch(signal, time, value, quality, name, number), reason, _namer(codes, words))

    def _keys(self, gateway: str, words: pa.Array, table: SignalTable) -> NDArray[np.int32]:
        known = self._known.get(gateway)
        if known is not None and known[0] is table and known[1].equals(words):
            return known[2]
        given = words.to_pylist()
        keys = np.fromiter([table.key_of.get(w, 0) for w in given], np.int32, len(given))
        if words.nbytes <= _MAX_REMEMBERED_BYTES:
            # A copy: the array itself would keep the whole body alive.
            self._known[gateway] = (table, pa.array(given, words.type), keys)
            self._known.move_to_end(gateway)
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return keys


def _header_number(sequence: str | None) -> int | None:
    if sequence is None:
        return None
    if not sequence.isascii() or not sequence.isdigit() or len(sequence) > 19:
        raise InvalidInput("Forewarn-Sequence must be an integer from 0 to 2^63-1", field="Forewarn-Sequence")
    return int(sequence)


def _read(body: bytes, limit: int) -> pa.Table:
    if not body:
        raise InvalidInput("the body is empty; an Arrow IPC stream was expected", field="body")
    try:
        check_size(body, limit)
        with pa.ipc.open_stream(body, options=pa.ipc.IpcReadOptions(use_threads=False)) as reader:
            rows = reader.read_all()
        rows.validate(full=True)
        _ = rows.schema.names  # read here: one that is no UTF-8 raises ValueError
    except (pa.ArrowException, OSError, ValueError) as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InvalidInput(f"the body is no complete Arrow IPC stream: {text}", field="body") from None
    return rows


def check_size(body: bytes, limit: int) -> None:
    """Raises BodyTooLarge for a stream whose buffers take more than `limit` bytes once decompressed."""
    size = 0
    reader = pa.ipc.MessageReader.open_stream(body)
    while True:
        try:
            message = reader.read_next_message()
        except StopIteration:
            return
        if message.body is not None:
            size += decompressed_size(memoryview(message.metadata), memoryview(message.body))
        if size > limit:
            raise BodyTooLarge(f"the Arrow columns take more than {limit:,} bytes in memory; send smaller batches")


def _column(rows: pa.Table, name: str) -> pa.Array:
    try:
        index = rows.schema.names.index(name)
    except ValueError:
        raise InvalidInput(f"the Arrow stream has no column {name}", field=name) from None
    column = rows.column(index)
    if pa.types.is_dictionary(column.type):
        column = column.unify_dictionaries()
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _dictionary(column: pa.Array) -> tuple[NDArray[np.int64], pa.Array]:
    """Codes (-1 = null) and the words they stand for."""
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        column = column.dictionary_encode()
    elif not (pa.types.is_dictionary(kind) and pa.types.is_string(kind.value_type)):
        raise InvalidInput(f"column sensor_id is {kind}, wanted string or dictionary of string", field="sensor_id")
    codes = column.indices
    if codes.null_count:
        codes = codes.fill_null(-1) if pa.types.is_signed_integer(codes.type) else codes.cast(pa.int64()).fill_null(-1)
    return codes.to_numpy(zero_copy_only=False).astype(np.int64, copy=False), column.dictionary


def _namer(codes: NDArray[np.int64], words: pa.Array) -> Callable[[int], str]:
    def name(row: int) -> str:
        return "" if codes[row] < 0 else words[int(codes[row])].as_py() or ""

    return name


def _times(column: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.bool_] | None]:
    kind = column.type
    if pa.types.is_timestamp(kind):
        column = _cast(column, pa.timestamp("us", tz=kind.tz), "timestamp", safe=kind.unit != "ns").view(pa.int64())
    elif not pa.types.is_integer(kind):
        raise InvalidInput(f"column timestamp is {kind}, wanted timestamp or int64 microseconds", field="timestamp")
    return _filled(_cast(column, pa.int64(), "timestamp"), 0)


def _floats(column: pa.Array) -> tuple[NDArray[np.float64], NDArray[np.bool_] | None]:
    if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
        raise InvalidInput(f"column value is {column.type}, wanted float64 or float32", field="value")
    return _filled(_cast(column, pa.float64(), "value", safe=False), np.nan)


def _qualities(rows: pa.Table) -> tuple[NDArray[np.uint32], NDArray[np.bool_] | None]:
    if "quality" not in rows.schema.names:
        return np.zeros(rows.num_rows, np.uint32), None
    column = _column(rows, "quality")
    if not pa.types.is_integer(column.type):
        raise InvalidInput(f"column quality is {column.type}, wanted uint32 status codes", field="quality")
    if column.type == pa.uint32():
        return _filled(column, 0)[0], None
    wide, _ = _filled(_cast(column, pa.int64(), "quality"), 0)
    odd = (wide < 0) | (wide > 0xFFFF_FFFF)
    return np.where(odd, 0, wide).astype(np.uint32), odd


def _cast(column: pa.Array, kind: pa.DataType, name: str, *, safe: bool = True) -> pa.Array:
    try:
        return column.cast(kind, safe=safe)
    except pa.ArrowException as error:
        raise InvalidInput(f"column {name}: {str(error).splitlines()[0]}", field=name) from None


def _filled(column: pa.Array, blank: Any) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """The column with nulls replaced, and where they were."""
    if not column.null_count:
        return column.to_numpy(zero_copy_only=False), None
    null = column.is_null().to_numpy(zero_copy_only=False)
    return column.fill_null(blank).to_numpy(zero_copy_only=False), null
