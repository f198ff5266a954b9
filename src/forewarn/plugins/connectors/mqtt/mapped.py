"""Messages of other makers: what a mapping of the plant file says is where."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import InvalidInput
from forewarn.domain.status import GOOD
from forewarn.plugins.connectors.mqtt.gathered import Gathered
from forewarn.plugins.connectors.mqtt.names import Names
from forewarn.plugins.connectors.mqtt.reading import (
    PER_UNIT,
    UNCERTAIN_LAST_USABLE,
    Quality,
    Stamp,
    microseconds,
    number,
    status_code,
)
from forewarn.plugins.connectors.mqtt.settings import MappingSettings

_ABSENT: Final = object()
_WORDS: Final = {"true": 1.0, "false": 0.0, "on": 1.0, "off": 0.0}
_LONGEST_NUMBER: Final = 64


class Mapped:
    """Reads the messages of one mapping."""

    def __init__(self, rule: MappingSettings, names: Names) -> None:
        self._rule = rule
        self._names = names
        sensor = ":{sensor}" if rule.payload == "fields" or rule.sensor else ""
        self._template = rule.signal or "{topic}" + sensor
        self._keys: dict[tuple[str, str], int] = {}
        self._unit_us = PER_UNIT.get(rule.time_unit, 0)
        self._value, self._time, self._quality = _path(rule.value), _path(rule.time), _path(rule.quality)
        self._sensor, self._each = _path(rule.sensor), _path(rule.each)

    def add(
        self, topic: str, named: Mapping[str, str], payload: bytes, received_us: int, retained: bool, into: Gathered
    ) -> None:
        """As Translator.add."""
        message = _Taken(self, {**named, "topic": topic, "sensor": ""}, received_us, retained, into)
        try:
            if self._rule.payload == "number":
                message.put("", _from_text(payload), None, None)
            elif self._rule.payload == "fields":
                self._add_fields(message, msgspec.json.decode(payload))
            else:
                self._add_json(message, msgspec.json.decode(payload))
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            into.reject(1, f"{topic}: {error}", ConditionCode.NONSENSE)

    def _add_fields(self, message: "_Taken", body: Any) -> None:
        fields = _at(body, self._value)
        if not isinstance(fields, dict):
            raise ValueError(f"there is no object of numbers at {self._rule.value or 'the top'!r}")
        stamp = _at(body, self._time) if self._time else None
        for name, value in fields.items():
            if fields is not body or (name,) != self._time:
                message.put(name, value, stamp, None)

    def _add_json(self, message: "_Taken", body: Any) -> None:
        items = _at(body, self._each) if self._each else [body]
        if not isinstance(items, list):
            raise ValueError(f"there is no list at {self._rule.each!r}")
        for item in items:
            value = _at(item, self._value)
            if value is _ABSENT:
                raise ValueError(f"there is no value at {self._rule.value!r}")
            message.put(
                _text(_at(item, self._sensor)) if self._sensor else "",
                value,
                _or_shared(item, body, self._time),
                _or_shared(item, body, self._quality),
            )

    def key_of(self, named: Mapping[str, str], sensor: str) -> int:
        """0 for what is no signal of this source."""
        known = self._keys.get((named["topic"], sensor))
        if known is None:
            known = self._names.of(named.get("asset", ""))[self.name_of({**named, "sensor": sensor})]
            if known:  # only what exists, so that nonsense takes no memory
                self._keys[named["topic"], sensor] = known
        return known

    def name_of(self, named: Mapping[str, str]) -> str:
        return self._template.format_map(named)

    def time_us(self, stamp: Any, preset: int) -> int:
        """Raises ValueError."""
        if stamp is None or stamp is _ABSENT:
            return preset
        if not self._unit_us or not isinstance(stamp, int | float | str):
            if not isinstance(stamp, str):
                raise ValueError(f"{stamp!r:.40} is no time ({self._rule.time_unit})")
            return microseconds(stamp, preset)
        if isinstance(stamp, str):  # a number in quotes
            stamp = int(stamp) if stamp.lstrip("-").isascii() and stamp.lstrip("-").isdecimal() else float(stamp)
        return microseconds(stamp, preset, self._unit_us)


class _Taken:
    """One message's readings on their way in."""

    def __init__(self, mapped: Mapped, named: dict[str, str], received_us: int, retained: bool, into: Gathered) -> None:
        self._mapped, self._named, self._into = mapped, named, into
        self._received_us, self._retained = received_us, retained

    def put(self, sensor: str, value: Any, stamp: Stamp | object, quality: Quality | object) -> None:
        try:
            taken = _number(value)
            time = self._mapped.time_us(stamp, self._received_us)
            code = _code(quality)
        except (ValueError, InvalidInput) as error:
            self._into.reject(1, f"{self._name(sensor)}: {error}", ConditionCode.WRONG_TYPE)
            return
        key = self._mapped.key_of(self._named, sensor)
        if not key:
            text = f"{self._name(sensor)!r} is no signal of this source (topic {self._named['topic']})"
            self._into.reject(1, text, ConditionCode.UNKNOWN_ADDRESS)
            return
        timeless = stamp is None or stamp is _ABSENT
        self._into.add(key, time, taken, code or (UNCERTAIN_LAST_USABLE if timeless and self._retained else GOOD))

    def _name(self, sensor: str) -> str:
        return self._mapped.name_of({**self._named, "sensor": sensor})


def _path(text: str) -> tuple[str, ...]:
    return tuple(text.split(".")) if text else ()


def _at(value: Any, path: Iterable[str]) -> Any:
    """What lies there; _ABSENT if nothing does. A number is a place in a list."""
    for step in path:
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isascii() and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return _ABSENT
    return value


def _or_shared(item: Any, body: Any, path: tuple[str, ...]) -> Any:
    """Of the reading, or of the message as a whole."""
    if not path:
        return None
    own = _at(item, path)
    return _at(body, path) if own is _ABSENT else own


def _text(value: Any) -> str:
    if isinstance(value, str | int) and not isinstance(value, bool):
        return str(value)
    raise ValueError("a reading names no sensor")


def _number(value: Any) -> float:
    """Raises ValueError."""
    if value is None or isinstance(value, int | float):
        return number(value)
    if isinstance(value, str):
        return _from_text(value.encode())
    raise ValueError(f"{value!r:.80} is no number")


def _from_text(raw: bytes) -> float:
    """Raises ValueError."""
    text = raw[: _LONGEST_NUMBER + 1].decode("utf-8", "replace").strip()
    if len(raw) <= _LONGEST_NUMBER and text.lower() in _WORDS:
        return _WORDS[text.lower()]
    try:
        if len(raw) > _LONGEST_NUMBER or "_" in text:
            raise ValueError
        return float(text)
    except ValueError:
        raise ValueError(f"{text[:40]!r} is no number") from None


def _code(quality: Any) -> int:
    """Raises ValueError, InvalidInput."""
    if quality is None or quality is _ABSENT:
        return GOOD
    if isinstance(quality, bool):
        return GOOD if quality else 0x8000_0000
    if isinstance(quality, str | int):
        return status_code(quality.lower() if isinstance(quality, str) else quality)
    raise ValueError(f"{quality!r:.40} is no quality")
