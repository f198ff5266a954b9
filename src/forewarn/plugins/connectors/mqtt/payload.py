"""JSON telemetry to columns. Three shapes are understood, see README.md."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from forewarn.domain.assets import Signal
from forewarn.domain.errors import InvalidInput
from forewarn.domain.status import GOOD, from_name, is_bad
from forewarn.kit.clock import from_rfc3339

_BAD_NO_DATA: Final = 0x809B_0000
_MS: Final = 1_000
_LATEST_MS: Final = 253_402_300_800_000  # the year 10000
_Stamp = int | float | str | None
_Quality = str | int | None


class _Reading(msgspec.Struct, gc=False):
    sensor_id: str
    value: float | bool | None
    timestamp: _Stamp = None
    quality: _Quality = None


class _Envelope(msgspec.Struct, gc=False):
    """Only what tells the shapes apart is read; the rest stays raw."""

    readings: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    sensor_id: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    timestamp: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Columns(msgspec.Struct, gc=False):
    sensor_id: list[str]
    value: list[float | bool | None]
    timestamp: list[_Stamp] | int | float | str | None = None
    quality: list[_Quality] | None = None


_envelope: Final = msgspec.json.Decoder(_Envelope)
_readings: Final = msgspec.json.Decoder(list[_Reading])
_columns: Final = msgspec.json.Decoder(_Columns)
_single: Final = msgspec.json.Decoder(_Reading)
_stamp: Final = msgspec.json.Decoder(_Stamp)
_rows: Final = msgspec.json.Decoder(list[Any])
_flat: Final = msgspec.json.Decoder(dict[str, Any])


class _Malformed(Exception):
    """Why nothing of a message can be used."""


@dataclass(slots=True)
class Gathered:
    """Readings of many messages on their way into one batch, and what was wrong with the others."""

    key: list[int] = field(default_factory=list)
    time: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    quality: list[int] = field(default_factory=list)
    rejected: int = 0
    example: str = ""

    def reject(self, count: int, example: str) -> None:
        self.rejected += count
        self.example = self.example or example

    def columns(self) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.float64], NDArray[np.uint32]]:
        value = np.array(self.value, np.float64)
        quality = np.array(self.quality, np.uint32)
        missing = np.isnan(value) & ~is_bad(quality)
        quality[missing] = _BAD_NO_DATA
        return np.array(self.key, np.int32), np.array(self.time, np.int64), value, quality


def _microseconds(stamp: _Stamp, preset: int) -> int:
    """Milliseconds or RFC 3339 -> microseconds; `preset` when there is none. Raises ValueError."""
    if stamp is None:
        return preset
    if isinstance(stamp, str):
        return from_rfc3339(stamp)
    if isinstance(stamp, bool) or not abs(stamp) < _LATEST_MS:
        raise ValueError(f"{stamp!r} is no time in milliseconds")
    return stamp * _MS if isinstance(stamp, int) else round(stamp * _MS)


def _code(quality: _Quality) -> int:
    """Raises InvalidInput."""
    if quality is None:
        return GOOD
    if isinstance(quality, str):
        return from_name(quality)
    if not 0 <= quality <= 0xFFFF_FFFF:
        raise InvalidInput(f"quality {quality} is no 32-bit status code", field="quality")
    return quality


class Translator:
    """Knows the source's signals by id, by `<asset>.<name>`, by address `<asset>:<key>` and by plain address."""

    def __init__(self, signals: Sequence[Signal]) -> None:
        self._ids: Mapping[str, int] = {signal.id: signal.key for signal in signals}
        self._addresses: Mapping[str, int] = {signal.address: signal.key for signal in signals if signal.address}

    def add(self, asset: str, payload: bytes, received_us: int, into: Gathered) -> None:
        """Whatever is readable in `payload` goes to `into`; what is not is counted there with its reason."""
        try:
            self._add(asset, payload, received_us, into)
        except (_Malformed, msgspec.MsgspecError, ValueError, RecursionError) as error:
            into.reject(1, f"message of {asset or 'no asset'}: {error}")

    def _add(self, asset: str, payload: bytes, received_us: int, into: Gathered) -> None:
        envelope = _envelope.decode(payload)
        if isinstance(envelope.readings, msgspec.Raw):
            raw_stamp = envelope.timestamp
            stamp = _stamp.decode(raw_stamp) if isinstance(raw_stamp, msgspec.Raw) else None
            preset = _microseconds(stamp, received_us)
            for reading in _each(envelope.readings, into):
                self._one(asset, reading.sensor_id, reading.value, reading.timestamp, reading.quality, preset, into)
        elif not isinstance(envelope.sensor_id, msgspec.Raw):
            self._add_flat(asset, payload, received_us, into)
        elif bytes(envelope.sensor_id).startswith(b'"'):
            reading = _single.decode(payload)
            self._one(asset, reading.sensor_id, reading.value, reading.timestamp, reading.quality, received_us, into)
        else:
            self._add_columns(asset, _columns.decode(payload), received_us, into)

    def _add_columns(self, asset: str, columns: _Columns, received_us: int, into: Gathered) -> None:
        n = len(columns.sensor_id)
        stamps = columns.timestamp if isinstance(columns.timestamp, list) else [columns.timestamp] * n
        qualities: Sequence[_Quality] = columns.quality if columns.quality is not None else [None] * n
        if not len(columns.value) == len(stamps) == len(qualities) == n:
            lengths = f"sensor_id {n}, timestamp {len(stamps)}, value {len(columns.value)}, quality {len(qualities)}"
            raise _Malformed(f"columns differ in length: {lengths}")
        for row in zip(columns.sensor_id, columns.value, stamps, qualities, strict=True):
            self._one(asset, *row, received_us, into)

    def _add_flat(self, asset: str, payload: bytes, received_us: int, into: Gathered) -> None:
        fields = _flat.decode(payload)
        time = _microseconds(msgspec.convert(fields.pop("timestamp", None), _Stamp), received_us)
        if not fields:
            raise _Malformed("there is no reading in it")
        for name, value in fields.items():
            if value is not None and not isinstance(value, int | float):
                into.reject(1, f"{asset}.{name}: {value!r} is no number")
            else:
                self._append(asset, name, value, time, GOOD, into)

    def _one(
        self,
        asset: str,
        name: str,
        value: float | None,
        stamp: _Stamp,
        quality: _Quality,
        preset: int,
        into: Gathered,
    ) -> None:
        try:
            self._append(asset, name, value, _microseconds(stamp, preset), _code(quality), into)
        except (ValueError, InvalidInput) as error:
            into.reject(1, f"{name}: {error}")

    def _append(self, asset: str, name: str, value: float | None, time: int, code: int, into: Gathered) -> None:
        key = (
            self._ids.get(name)
            or self._ids.get(f"{asset}.{name}")
            or self._addresses.get(f"{asset}:{name}")
            or self._addresses.get(name)
        )
        if key is None:
            into.reject(1, f"{name!r} of {asset or 'no asset'} is no signal of this source")
            return
        try:
            number = math.nan if value is None else float(value)
        except OverflowError:
            into.reject(1, f"{asset}.{name}: no float holds that number")
            return
        into.key.append(key)
        into.time.append(time)
        into.value.append(number)
        into.quality.append(code)


def _each(raw: msgspec.Raw, into: Gathered) -> Sequence[_Reading]:
    """All readings in one go; one by one, leaving out the broken, only when one of them is broken."""
    try:
        return _readings.decode(raw)
    except msgspec.ValidationError:
        kept = []
        for row in _rows.decode(raw):
            try:
                kept.append(msgspec.convert(row, _Reading))
            except msgspec.ValidationError as error:
                into.reject(1, f"reading {row!r:.80}: {error}")
        return kept


def asset_finder(filters: Sequence[str]) -> Callable[[str], str | None]:
    """Topic -> what stands at the first + of the filter it matches ('' where that has none); None for no match."""
    patterns = [pattern.split("/") for pattern in filters]

    def asset_of(topic: str) -> str | None:
        levels = topic.split("/")
        for pattern in patterns:
            if _matches(pattern, levels):
                return levels[pattern.index("+")] if "+" in pattern else ""
        return None

    return asset_of


def _matches(pattern: Sequence[str], levels: Sequence[str]) -> bool:
    if pattern[-1] == "#":
        pattern = pattern[:-1]
        levels = levels[: len(pattern)]
    return len(pattern) == len(levels) and all(p in ("+", level) for p, level in zip(pattern, levels, strict=True))
