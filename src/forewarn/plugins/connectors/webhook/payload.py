"""From a request's JSON to columns. Three dialects are understood, see README.md."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from forewarn.domain.assets import Signal
from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import InvalidInput
from forewarn.plugins.connectors.webhook.columns import Gathered, microseconds, number, status_code
from forewarn.plugins.connectors.webhook.json_path import MISSING, first_of, look_up, parse_path, parse_template
from forewarn.plugins.connectors.webhook.settings import HookSettings


class _Reading(msgspec.Struct, gc=False):
    sensor_id: str
    value: Any
    timestamp: Any = None
    quality: Any = None


class _Batch(msgspec.Struct, gc=False):
    readings: list[_Reading]
    timestamp: Any = None
    anomalies: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Pushed(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    value: Any
    timestamp: Any = None
    quality: Any = None


_REJECTED: Final = ConditionCode.READINGS_REJECTED
_UNKNOWN: Final = ConditionCode.UNKNOWN_ADDRESS
_batch: Final = msgspec.json.Decoder(_Batch)
_pushed: Final = msgspec.json.Decoder(_Pushed | list[_Pushed] | float | None)
_anything: Final = msgspec.json.Decoder()


class Signals:
    """Signals by address and by id."""

    def __init__(self, signals: Sequence[Signal]) -> None:
        self._keys: Mapping[str, int] = {s.id: s.key for s in signals} | {
            s.address: s.key for s in signals if s.address
        }

    def key(self, name: str) -> int | None:
        return self._keys.get(name)


def batch_of(body: bytes, signals: Signals, received_us: int) -> Gathered:
    """The specification's batch: {"readings": [{"sensor_id", "timestamp", "value", "quality"}], "timestamp"}.

    Raises InvalidInput when nothing of it can be read; a reading that cannot is refused by itself."""
    batch = _decoded(_batch, body)
    preset = received_us if batch.timestamp is None else microseconds(batch.timestamp, "ms", "timestamp")
    gathered = Gathered()
    for index, reading in enumerate(batch.readings):
        _add(gathered, signals, index, reading.sensor_id, reading, preset, "ms")
    if isinstance(batch.anomalies, msgspec.Raw) and bytes(batch.anomalies) not in (b"[]", b"null"):
        gathered.refuse(-1, "", "anomalies are not taken here: send them to the site", "anomalies", _REJECTED)
    return gathered


def pushed_at(address: str, body: bytes, signals: Signals, received_us: int) -> Gathered:
    """{"value", "timestamp", "quality"}, a list of such, or a bare number. Raises InvalidInput."""
    given = _decoded(_pushed, body)
    gathered = Gathered()
    for index, one in enumerate(given if isinstance(given, list) else [given]):
        reading = one if isinstance(one, _Pushed) else _Pushed(one)
        _add(gathered, signals, index, address, reading, received_us, "auto")
    return gathered


def _add(
    into: Gathered, signals: Signals, index: int, name: str, reading: _Reading | _Pushed, preset: int, unit: Any
) -> None:
    key = signals.key(name)
    if key is None:
        into.refuse(index, name, f"{name!r} is no address and no id of a signal of this source", "sensor_id", _UNKNOWN)
        return
    try:
        time = preset if reading.timestamp is None else microseconds(reading.timestamp, unit, "timestamp")
        into.add(key, time, number(reading.value, "value"), status_code(reading.quality, "quality"))
    except InvalidInput as error:
        into.refuse(index, name, str(error), error.field or "value")


class Hook:
    """One kind of foreign webhook."""

    def __init__(self, settings: HookSettings) -> None:
        self._each = parse_path(settings.each)
        self._each_text = settings.each
        self._time = parse_path(settings.time)
        self._time_text = settings.time
        self._unit = settings.time_unit
        self._values = [
            (where, parse_path(where), parse_template(address)) for where, address in settings.values.items()
        ]

    def readings_of(self, body: bytes, signals: Signals, received_us: int) -> Gathered:
        """What is not in it is left out: many a webhook tells only what changed. Raises InvalidInput."""
        document = _decoded(_anything, body)
        gathered = Gathered()
        for element in self._elements(document):
            time = self._time_of(element, document, received_us)
            for where, steps, address in self._values:
                found = look_up(element, steps)
                if found is not MISSING:
                    self._add(gathered, signals, where, found, time, address(element, document))
        if not gathered.key and not gathered.refused:
            wanted = ", ".join(where for where, *_ in self._values)
            raise InvalidInput(f"none of {wanted} is in it", field=wanted.partition(",")[0])
        return gathered

    def _elements(self, document: Any) -> Sequence[Any]:
        found = look_up(document, self._each)
        if not self._each_text:
            return found if isinstance(found, list) else [found]
        if not isinstance(found, list):
            raise InvalidInput(f"{self._each_text} is not there, or is no list", field=self._each_text)
        return found

    def _time_of(self, element: Any, document: Any, received_us: int) -> int:
        if not self._time:
            return received_us
        found = first_of(self._time, element, document)
        if found is MISSING or found is None:
            raise InvalidInput(f"{self._time_text} is not there, and it is the time", field=self._time_text)
        return microseconds(found, self._unit, self._time_text)

    def _add(self, into: Gathered, signals: Signals, where: str, found: Any, time: int, address: str) -> None:
        index = len(into.key) + len(into.refused)
        key = signals.key(address)
        if key is None:
            into.refuse(index, address, f"{address!r} is no address of a signal of this source", where, _UNKNOWN)
            return
        try:
            into.add(key, time, number(found, where), 0)
        except InvalidInput as error:
            into.refuse(index, address, str(error), where)


def _decoded(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `")
        field = where.rstrip("`").removeprefix("$").removeprefix(".")
        raise InvalidInput(f"{what} at {field or 'the top'}", field=field or None) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"the body is no JSON: {error}") from None
