"""The specification's JSON batch -> columns.

For bodies that telemetry_columns does not take. The fast path decodes into structs; whatever it refuses goes
through the tolerant path, which finds for each reading what is wrong with it and keeps the rest.
"""

import json
import math
from typing import Any, Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from forewarn.api.telemetry_batch import (
    CODE,
    MAX_MS,
    Telemetry,
    digest_of,
    gateway_name,
    reject_null,
    sequence_number,
)
from forewarn.domain.errors import InvalidInput
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.signal_table import SignalTable
from forewarn.domain.status import BAD, GOOD, UNCERTAIN, is_bad
from forewarn.domain.verdicts import Reason
from forewarn.kit.clock import from_rfc3339
from forewarn.kit.numbers import finite

_QUALITY: Final[dict[str | int, int]] = {"good": GOOD, "uncertain": UNCERTAIN, "bad": BAD}
_MAX_CODE: Final = 0xFFFF_FFFF
# Above this a double no longer holds every millisecond times 1000.
EXACT_MS: Final = 9e12


class Reading(msgspec.Struct, gc=False):
    sensor_id: str
    timestamp: int | float | str
    value: float | None
    quality: Literal["good", "uncertain", "bad"] | int = "good"


class Body(msgspec.Struct):
    gateway_id: str
    readings: list[Reading]
    sequence: int | None = None
    timestamp: Any = None
    anomalies: list[Any] = []


class _Odd(ValueError):
    """The fast path met something it does not know; the tolerant path decides."""


body_decoder: Final = msgspec.json.Decoder(Body)


def decode(body: bytes, table: SignalTable) -> Telemetry:
    """Raises InvalidInput when the body as a whole cannot be read."""
    try:
        return _fast(body_decoder.decode(body), table)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, _Odd):
        return decode_tolerant(body, table)


def _fast(body: Body, table: SignalTable) -> Telemetry:
    readings = body.readings
    n = len(readings)
    get = table.key_of.get
    signal = np.fromiter([get(r.sensor_id, 0) for r in readings], np.int32, n)
    time = times_of([r.timestamp for r in readings])
    value = np.fromiter([r.value for r in readings], np.float64, n)
    quality = _qualities([r.quality for r in readings])
    null = np.isnan(value)
    reason = reject_null(value, null, quality, None) if null.any() else None
    batch = batch_of(body.gateway_id, body.sequence, signal, time, value, quality)
    return Telemetry(batch, reason, lambda row: readings[row].sensor_id, body.anomalies)


def times_of(given: list[Any] | NDArray[Any]) -> NDArray[np.int64]:
    column = np.array(given) if len(given) else np.empty(0, np.int64)
    if column.dtype.kind == "i":
        return np.clip(column, -MAX_MS, MAX_MS).astype(np.int64) * 1_000
    if column.dtype.kind == "f" and np.abs(column).max() < EXACT_MS:
        return np.rint(column * 1_000.0).astype(np.int64)
    try:
        return np.fromiter(map(time_us, given), np.int64, len(given))
    except ValueError:
        raise _Odd from None


def _qualities(given: list[str | int]) -> NDArray[np.uint32]:
    n = len(given)
    if given.count("good") == n:
        return np.zeros(n, np.uint32)
    codes = [_QUALITY.get(q, q) if isinstance(q, str) else q for q in given]
    if not all(isinstance(c, int) and 0 <= c <= _MAX_CODE for c in codes):
        raise _Odd
    return np.array(codes, np.int64).astype(np.uint32)


def time_us(given: object) -> int:
    """Microseconds UTC of the wire's timestamp. Raises ValueError for what is none."""
    if isinstance(given, str):
        return from_rfc3339(given)
    if isinstance(given, int) and not isinstance(given, bool):
        return max(-MAX_MS, min(MAX_MS, given)) * 1_000  # exact, however long
    if (number := finite(given)) is None:
        raise ValueError(f"{given!r:.40} is no timestamp")
    return round(max(-MAX_MS, min(MAX_MS, number)) * 1_000)


def batch_of(
    gateway: object,
    sequence: object,
    signal: NDArray[np.int32],
    time: NDArray[np.int64],
    value: NDArray[np.float64],
    quality: NDArray[np.uint32],
) -> ReadingBatch:
    name, number = gateway_name(gateway), sequence_number(sequence)
    return ReadingBatch(
        signal, time, value, quality, name, digest_of(signal, time, value, quality) if number is None else number
    )


def decode_tolerant(body: bytes, table: SignalTable) -> Telemetry:
    """As `decode`, one Python object a reading: only for bodies that the fast path refuses."""
    whole = _loads(body)
    if not isinstance(whole, dict):
        raise InvalidInput("the body must be an object with gateway_id and readings", field="body")
    readings = whole.get("readings")
    if not isinstance(readings, list):
        raise InvalidInput("readings must be a list of objects", field="readings")
    anomalies = whole.get("anomalies", [])
    if not isinstance(anomalies, list):
        raise InvalidInput("anomalies must be a list of objects", field="anomalies")
    rows = [_row(r, table.key_of) for r in readings]
    n = len(rows)
    signal = np.fromiter([r[0] for r in rows], np.int32, n)
    time = np.fromiter([r[1] for r in rows], np.int64, n)
    value = np.fromiter([r[2] for r in rows], np.float64, n)
    quality = np.fromiter([r[3] for r in rows], np.uint32, n)
    reason = np.fromiter([CODE[r[4]] for r in rows], np.uint8, n)
    batch = batch_of(whole.get("gateway_id"), whole.get("sequence"), signal, time, value, quality)
    return Telemetry(batch, reason if reason.any() else None, lambda row: sensor_word(readings[row]), anomalies)


def _loads(body: bytes) -> Any:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"the body is not UTF-8 at byte {error.start}", field="body") from None
    try:
        return json.loads(text, parse_int=_parse_int)
    except RecursionError:
        raise InvalidInput("the body is nested too deeply", field="body") from None
    except json.JSONDecodeError as error:
        raise InvalidInput(
            f"the body is not JSON: {error.msg} at line {error.lineno} column {error.colno}", field="body"
        ) from None


def _parse_int(digits: str) -> int | float:
    return int(digits) if len(digits) < 20 else float(digits)


def sensor_word(reading: object) -> str:
    """The sender's sensor_id as text that can be sent back; '' when there is none."""
    word = reading.get("sensor_id", "") if isinstance(reading, dict) else ""
    return word.encode("utf-8", "replace").decode() if isinstance(word, str) else ""


def _row(reading: object, key_of: dict[str, int]) -> tuple[int, int, float, int, Reason]:
    """signal, time, value, quality, and the first thing that is wrong."""
    if not isinstance(reading, dict):
        return 0, 0, math.nan, GOOD, Reason.UNKNOWN_SIGNAL
    signal = key_of.get(sensor_word(reading), 0)
    try:
        time = time_us(reading.get("timestamp"))
    except ValueError:
        return signal, 0, math.nan, GOOD, Reason.TIME_MISSING
    quality = _quality(reading.get("quality", "good"))
    if quality is None:
        return signal, time, math.nan, GOOD, Reason.QUALITY_UNKNOWN
    value, reason = _value(reading.get("value"), quality)
    return signal, time, value, quality, reason


def _quality(given: object) -> int | None:
    if isinstance(given, str):
        return _QUALITY.get(given)
    if isinstance(given, int) and not isinstance(given, bool) and 0 <= given <= _MAX_CODE:
        return given
    return None


def _value(given: object, quality: int) -> tuple[float, Reason]:
    if given is None:
        bad = bool(is_bad(np.array([quality], np.uint32))[0])
        return math.nan, Reason.NONE if bad else Reason.NOT_A_NUMBER
    if isinstance(given, bool) or not isinstance(given, int | float):
        return math.nan, Reason.NOT_A_NUMBER
    value = finite(given)
    return (math.nan, Reason.NOT_FINITE) if value is None else (value, Reason.NONE)
