"""JSON telemetry to columns. Three shapes are understood, see README.md."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import InvalidInput
from forewarn.domain.status import GOOD
from forewarn.plugins.connectors.mqtt import fast_columns
from forewarn.plugins.connectors.mqtt.gathered import Gathered
from forewarn.plugins.connectors.mqtt.names import Names
from forewarn.plugins.connectors.mqtt.reading import (
    UNCERTAIN_LAST_USABLE,
    Quality,
    Stamp,
    microseconds,
    number,
    status_code,
)


class _Reading(msgspec.Struct, gc=False):
    sensor_id: str
    value: float | bool | None
    timestamp: Stamp = None
    quality: Quality = None


class _Columns(msgspec.Struct, gc=False):
    sensor_id: list[str]
    value: list[float | bool | None]
    timestamp: list[Stamp] | int | float | str | None = None
    quality: list[Quality] | None = None


_readings: Final = msgspec.json.Decoder(list[_Reading])
_columns: Final = msgspec.json.Decoder(_Columns)
_single: Final = msgspec.json.Decoder(_Reading)
_stamp: Final = msgspec.json.Decoder(Stamp)
_rows: Final = msgspec.json.Decoder(list[Any])
_flat: Final = msgspec.json.Decoder(dict[str, Any])


class _Malformed(Exception):
    """Why nothing of a message can be used."""


class Translator:
    """Into columns as a whole where a message is of the common kind; reading by reading, with a reason for each that is
    left out, where it is not."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self._words = fast_columns.Words()

    def add(self, asset: str, payload: bytes, received_us: int, into: Gathered, *, retained: bool = False) -> None:
        """Whatever is readable in `payload` goes to `into`; what is not is counted there with its reason.

        retained: the broker held it from before; then a reading without a time of its own is uncertain."""
        try:
            envelope = fast_columns.open_envelope(payload)
            if not retained:
                columns = fast_columns.read(envelope, asset, self.names, self._words)
                if columns is not None:
                    into.extend(columns)
                    return
            _Message(self.names, asset, received_us, retained, into).add(envelope, payload)
        except (_Malformed, msgspec.MsgspecError, ValueError, RecursionError) as error:
            into.reject(1, f"message of {asset or 'no asset'}: {error}", ConditionCode.NONSENSE)


class _Message:
    """One message, reading by reading."""

    def __init__(self, names: Names, asset: str, received_us: int, retained: bool, into: Gathered) -> None:
        self._known = names.of(asset)
        self._asset = asset
        self._into = into
        self._preset = received_us
        self._presumed = UNCERTAIN_LAST_USABLE if retained else GOOD  # quality of a reading without a time

    def add(self, envelope: fast_columns.Envelope, payload: bytes) -> None:
        if isinstance(envelope.readings, msgspec.Raw):
            raw = envelope.timestamp
            self._share(_stamp.decode(raw) if isinstance(raw, msgspec.Raw) else None)
            for reading in self._each(envelope.readings):
                self._one(reading.sensor_id, reading.value, reading.timestamp, reading.quality)
        elif not isinstance(envelope.sensor_id, msgspec.Raw):
            self._add_flat(payload)
        elif bytes(envelope.sensor_id).startswith(b'"'):
            reading = _single.decode(payload)
            self._one(reading.sensor_id, reading.value, reading.timestamp, reading.quality)
        else:
            self._add_columns(_columns.decode(payload))

    def _share(self, stamp: Stamp) -> None:
        """The message's time is that of every reading without one."""
        if stamp is not None:
            self._preset, self._presumed = microseconds(stamp, 0), GOOD

    def _add_columns(self, columns: _Columns) -> None:
        n = len(columns.sensor_id)
        stamps = columns.timestamp if isinstance(columns.timestamp, list) else [columns.timestamp] * n
        qualities: Sequence[Quality] = columns.quality if columns.quality is not None else [None] * n
        if not len(columns.value) == len(stamps) == len(qualities) == n:
            lengths = f"sensor_id {n}, timestamp {len(stamps)}, value {len(columns.value)}, quality {len(qualities)}"
            raise _Malformed(f"columns differ in length: {lengths}")
        for row in zip(columns.sensor_id, columns.value, stamps, qualities, strict=True):
            self._one(*row)

    def _add_flat(self, payload: bytes) -> None:
        fields = _flat.decode(payload)
        self._share(msgspec.convert(fields.pop("timestamp", None), Stamp))
        if not fields:
            raise _Malformed("there is no reading in it")
        for name, value in fields.items():
            if value is not None and not isinstance(value, int | float):
                self._into.reject(1, f"{self._asset}.{name}: {value!r:.80} is no number", ConditionCode.WRONG_TYPE)
            else:
                self._one(name, value, None, None)

    def _one(self, name: str, value: float | None, stamp: Stamp, quality: Quality) -> None:
        try:
            time, code, value = microseconds(stamp, self._preset), status_code(quality), number(value)
        except (ValueError, InvalidInput) as error:
            self._into.reject(1, f"{self._asset}.{name}: {error}", ConditionCode.NONSENSE)
            return
        key = self._known[name]
        if not key:
            text = f"{name!r} of {self._asset or 'no asset'} is no signal of this source"
            self._into.reject(1, text, ConditionCode.UNKNOWN_ADDRESS)
        else:
            self._into.add(key, time, value, code or (self._presumed if stamp is None else GOOD))

    def _each(self, raw: msgspec.Raw) -> Sequence[_Reading]:
        """All readings in one go; one by one, leaving out the broken, only when one of them is broken."""
        try:
            return _readings.decode(raw)
        except msgspec.ValidationError:
            kept = []
            for row in _rows.decode(raw):
                try:
                    kept.append(msgspec.convert(row, _Reading))
                except msgspec.ValidationError as error:
                    self._into.reject(1, f"reading {row!r:.80}: {error}", ConditionCode.WRONG_TYPE)
            return kept
