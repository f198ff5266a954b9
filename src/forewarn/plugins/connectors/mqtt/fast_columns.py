"""The common kind of message as whole columns: every name is a signal, every time a whole number, every value a number.

What is of any other kind gives None, and the general reader says reading by reading what is wrong with it."""

from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from forewarn.plugins.connectors.mqtt.gathered import Columns
from forewarn.plugins.connectors.mqtt.names import Names
from forewarn.plugins.connectors.mqtt.reading import LATEST_US, MS

_MOST_LISTS: Final = 2_000
_LONGEST_LIST: Final = 65_536
_QUALITY: Final = {"good": 0, "uncertain": 0x4000_0000, "bad": 0x8000_0000}


class Envelope(msgspec.Struct, gc=False):
    """Only what tells the shapes apart is read; the rest stays raw."""

    readings: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    sensor_id: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    timestamp: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    value: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    quality: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Plain(msgspec.Struct, gc=False):
    sensor_id: str
    timestamp: int
    value: float
    quality: str | int | None = None


_envelope: Final = msgspec.json.Decoder(Envelope)
_plain: Final = msgspec.json.Decoder(list[_Plain])
_texts: Final = msgspec.json.Decoder(list[str])
_floats: Final = msgspec.json.Decoder(list[float])
_integers: Final = msgspec.json.Decoder(list[int])
_integer: Final = msgspec.json.Decoder(int)
_codes: Final = msgspec.json.Decoder(list[str | int])


class Words:
    """A device sends the same list of names in every message: it is read once."""

    def __init__(self) -> None:
        self._keys: dict[tuple[str, bytes], NDArray[np.int32]] = {}

    def keys(self, asset: str, raw: bytes, names: Names) -> NDArray[np.int32] | None:
        """None when a name is no signal."""
        found = self._keys.get((asset, raw))
        if found is None:
            known = names.of(asset)
            found = np.array([known[name] for name in _texts.decode(raw)], np.int32)
            if not found.all():
                return None
            if len(raw) <= _LONGEST_LIST:
                if len(self._keys) >= _MOST_LISTS:
                    self._keys.clear()
                self._keys[asset, raw] = found
        return found


def open_envelope(payload: bytes) -> Envelope:
    """Raises MsgspecError."""
    return _envelope.decode(payload)


def read(envelope: Envelope, asset: str, names: Names, words: Words) -> Columns | None:
    try:
        if isinstance(envelope.readings, msgspec.Raw):
            return _of_readings(envelope.readings, asset, names)
        return _of_columns(envelope, asset, names, words)
    except (msgspec.ValidationError, OverflowError):
        return None


def _of_columns(envelope: Envelope, asset: str, names: Names, words: Words) -> Columns | None:
    if not (
        isinstance(envelope.timestamp, msgspec.Raw)
        and isinstance(envelope.sensor_id, msgspec.Raw)
        and isinstance(envelope.value, msgspec.Raw)
    ):
        return None
    raw = bytes(envelope.sensor_id)
    if not raw.startswith(b"["):
        return None
    key = words.keys(asset, raw, names)
    if key is None:
        return None
    value = np.array(_floats.decode(envelope.value), np.float64)
    if bytes(envelope.timestamp).startswith(b"["):
        given = np.array(_integers.decode(envelope.timestamp), np.int64)
    else:
        given = np.full(len(key), _integer.decode(envelope.timestamp), np.int64)
    if isinstance(envelope.quality, msgspec.Raw):
        quality = _quality(_codes.decode(envelope.quality))
    else:
        quality = np.zeros(len(key), np.uint32)
    if quality is None or not len(key) == len(value) == len(given) == len(quality):
        return None
    return _timed(key, given, value, quality)


def _of_readings(raw: msgspec.Raw, asset: str, names: Names) -> Columns | None:
    rows = _plain.decode(raw)
    known = names.of(asset)
    key = np.array([known[row.sensor_id] for row in rows], np.int32)
    if not key.all():
        return None
    qualities = [row.quality for row in rows]
    quality = np.zeros(len(rows), np.uint32) if qualities.count(None) == len(rows) else _quality(qualities)
    if quality is None:
        return None
    given = np.array([row.timestamp for row in rows], np.int64)
    return _timed(key, given, np.array([row.value for row in rows], np.float64), quality)


def _quality(codes: list[Any]) -> NDArray[np.uint32] | None:
    numbers = [_QUALITY.get(code, -1) if isinstance(code, str) else code or 0 for code in codes]
    if min(numbers, default=0) < 0:
        return None
    return np.array(numbers, np.uint32)


def _timed(
    key: NDArray[np.int32], given: NDArray[np.int64], value: NDArray[np.float64], quality: NDArray[np.uint32]
) -> Columns | None:
    """given: milliseconds."""
    latest = LATEST_US // MS
    if len(given) and not -latest < given.min() <= given.max() < latest:
        return None
    return key, given * MS, value, quality
