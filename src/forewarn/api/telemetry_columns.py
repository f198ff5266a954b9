"""The specification's JSON -> columns without an object a reading, for bodies whose readings are written alike.

Every token is proven before it is used: ids equal a known signal's, numbers are JSON numbers, literals are the first
reading's. What is not alike, unknown, escaped or odd answers None, and the general decoder (telemetry_json) sees it.
"""

import secrets
import threading
from collections import OrderedDict
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from forewarn.api.sensor_words import SensorWords
from forewarn.api.telemetry_batch import Telemetry, gateway_name, reject_null
from forewarn.api.telemetry_json import EXACT_MS, Reading, batch_of, body_decoder, decode, time_us, times_of
from forewarn.api.telemetry_layout import NAMES, WIDEST, Cut, Offsets, Text, cut, text_of
from forewarn.domain.signal_table import SignalTable
from forewarn.domain.status import BAD, GOOD, UNCERTAIN

_NEEDED: Final = NAMES - {b"quality"}
_QUALITY: Final = {b"good": GOOD, b"uncertain": UNCERTAIN, b"bad": BAD}
_MOST_TABLES: Final = 16
# Below this a struct a reading is cheaper than a dozen array operations (about 400 readings).
_WORTH_IT: Final = 32_768
_ZERO, _MINUS, _POINT, _N = (np.uint8(code) for code in b"0-.n")
_NINE_ABOVE: Final = np.uint8(9)
_LOWER, _X = np.uint8(0x20), np.uint8(ord("x"))
# Stands for the readings while the rest of the body is decoded; nobody outside can send it by chance.
_TOKEN: Final = secrets.token_hex(8)
_STAND_IN: Final = b'{"sensor_id":"%s","timestamp":0,"value":0}' % _TOKEN.encode()
_reading: Final = msgspec.json.Decoder(Reading)

Floats = NDArray[np.float64]


class JsonDecoder:
    """Decodes bodies of gateways that it has met before fastest. Any thread may call it."""

    def __init__(self, least_bytes: int = _WORTH_IT) -> None:
        """least_bytes: of a body that is cut into columns."""
        self._least_bytes = least_bytes
        self._words: OrderedDict[int, SensorWords] = OrderedDict()
        self._lock = threading.Lock()

    def decode(self, body: bytes, table: SignalTable) -> Telemetry:
        """Raises InvalidInput when the body as a whole cannot be read."""
        try:
            telemetry = self._columns(body, table)
        except (msgspec.MsgspecError, pa.ArrowInvalid, UnicodeDecodeError, RecursionError, ValueError):
            telemetry = None
        return decode(body, table) if telemetry is None else telemetry

    def _columns(self, body: bytes, table: SignalTable) -> Telemetry | None:
        text = text_of(body) if len(body) >= self._least_bytes else None
        if text is None or (found := cut(text)) is None or not found[1].keys() >= _NEEDED:
            return None
        first, cuts = _reading.decode(found[0]), found[1]
        rest = body_decoder.decode(body[: text.begin] + _STAND_IN + body[text.end :])
        if len(rest.readings) != 1 or rest.readings[0].sensor_id != _TOKEN:
            return None
        ids = cuts[b"sensor_id"]
        signal = self._words_of(table).keys(text, ids, gateway_name(rest.gateway_id))
        time = _times(text, cuts[b"timestamp"], first.timestamp)
        value = _values(text, cuts[b"value"])
        quality = _qualities(text, cuts.get(b"quality"), len(ids.start))
        if signal is None or time is None or value is None or quality is None:
            return None
        null = np.isnan(value)
        reason = reject_null(value, null, quality, None) if null.any() else None
        batch = batch_of(rest.gateway_id, rest.sequence, signal, time, value, quality)
        return Telemetry(batch, reason, lambda row: body[ids.start[row] : ids.end[row]].decode(), rest.anomalies)

    def _words_of(self, table: SignalTable) -> SensorWords:
        """Senders that may see a part of the plant have a table of their own. The table is kept with its words, so its
        id is no other's."""
        with self._lock:
            words = self._words.get(id(table))
            if words is not None:
                self._words.move_to_end(id(table))
                return words
        words = SensorWords(table)
        with self._lock:
            self._words[id(table)] = words
            if len(self._words) > _MOST_TABLES:
                self._words.popitem(last=False)
        return words


def _constant(text: Text, column: Cut) -> bool:
    """Whether every row says what the first says."""
    length = column.end - column.start
    token = text.padded[column.start[0] : column.end[0]]
    return len(token) <= WIDEST and bool((length == len(token)).all()) and text.alike(column.start, token)


def _times(text: Text, column: Cut, first: int | float | str) -> NDArray[np.int64] | None:
    if _constant(text, column):
        return np.full(len(column.start), time_us(first), np.int64)
    if column.field.quoted:
        return None
    whole = isinstance(first, int)
    given = _numbers(text, column, pa.int64() if whole else pa.float64())
    # Among numbers with a point may be great whole ones, which a double would round.
    return None if given is None or not (whole or np.abs(given).max() < EXACT_MS) else times_of(given)


def _values(text: Text, column: Cut) -> Floats | None:
    if column.field.quoted:
        return None
    given = _numbers(text, column, pa.float64())
    # A number beyond the doubles is for the general decoder, which rejects that one reading.
    return None if given is None or np.isinf(given).any() else given


def _qualities(text: Text, column: Cut | None, n: int) -> NDArray[np.uint32] | None:
    if column is None:
        return np.zeros(n, np.uint32)
    if not column.field.quoted:
        return _numbers(text, column, pa.uint32())
    length = column.end - column.start
    quality, known = np.zeros(n, np.uint32), np.zeros(n, np.bool_)
    for word, code in _QUALITY.items():
        rows = (length == len(word)) & text.equal(column.start, word)
        quality[rows] = code
        known |= rows
        if known.all():
            return quality
    return None


def _numbers(text: Text, column: Cut, kind: pa.DataType) -> NDArray[Any] | None:
    """The column as `kind`; null is NaN where kind is float64. None unless every token is a JSON number of that kind.

    Raises ArrowInvalid likewise."""
    start, end = column.start, column.end
    null = text.bytes_at(start) == _N
    if null.any() and not (pa.types.is_floating(kind) and text.alike(start[null], b"null") and _all4(column, null)):
        return None
    if not _well_formed(text, start, end, null) or (pa.types.is_integer(kind) and not _decimal(text, start)):
        return None
    # Every second string lies between the tokens; it is masked, so that the body itself is the array's data.
    n = len(start)
    offsets = np.empty(2 * n, np.int32)
    offsets[0::2], offsets[1::2] = start, end
    shown = np.zeros(2 * n, np.bool_)
    shown[0::2] = ~null
    valid = np.packbits(shown, bitorder="little")
    buffers = [pa.py_buffer(valid), pa.py_buffer(offsets), pa.py_buffer(text.padded)]
    parsed = pa.Array.from_buffers(pa.string(), 2 * n - 1, buffers).cast(kind)
    column_of = np.frombuffer(parsed.buffers()[1], kind.to_pandas_dtype(), 2 * n - 1)[::2]
    return np.where(null, np.nan, column_of) if null.any() else np.ascontiguousarray(column_of)


def _all4(column: Cut, rows: NDArray[np.bool_]) -> bool:
    return bool((column.end[rows] - column.start[rows] == 4).all())


def _decimal(text: Text, start: Offsets) -> bool:
    """Arrow reads 0x1f as a whole number."""
    return not ((text.bytes_at(start + 1) | _LOWER) == _X).any()


def _well_formed(text: Text, start: Offsets, end: Offsets, null: NDArray[np.bool_]) -> bool:
    """Not what JSON forbids and Arrow would take (01, .5, 5., 5.e3, inf, nan, blanks), nor -0, which is a whole 0."""
    minus = text.bytes_at(start) == _MINUS
    lead = start + minus
    first, second, last = text.bytes_at(lead), text.bytes_at(lead + 1), text.bytes_at(end - 1)
    sound = _digit(first) & _digit(last) & ~((first == _ZERO) & _digit(second))
    if not (sound | null).all() or (minus & (first == _ZERO) & (end - start == 2)).any():
        return False
    inside = np.frombuffer(text.padded, np.uint8)[text.begin : text.end]
    odd = np.flatnonzero((inside[:-1] == _POINT) & ~_digit(inside[1:])) + text.begin
    row = np.searchsorted(start, odd, "right") - 1
    return not ((row >= 0) & (odd < end[np.maximum(row, 0)])).any()


def _digit(code: NDArray[np.uint8]) -> NDArray[np.bool_]:
    digit: NDArray[np.bool_] = (code - _ZERO) <= _NINE_ABOVE
    return digit
