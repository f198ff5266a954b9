"""What one request brought, on its way to the disk."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import InvalidInput
from forewarn.domain.status import GOOD, from_name, is_bad
from forewarn.kit.clock import from_rfc3339

Columns = tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.float64], NDArray[np.uint32]]
TimeUnit = Literal["auto", "s", "ms", "us", "ns"]
_BAD_NO_DATA: Final = 0x809B_0000
_PER_SECOND: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_LATEST_S: Final = 253_402_300_800  # the year 10000


@dataclass(frozen=True, slots=True)
class Refused:
    """A reading that was not taken. index: its place among the request's readings. field: what of it is wrong."""

    index: int
    sensor_id: str
    reason: str
    field: str
    condition: ConditionCode


@dataclass(slots=True)
class Gathered:
    key: list[int] = field(default_factory=list)
    time: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    quality: list[int] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)

    def add(self, key: int, time: int, value: float, quality: int) -> None:
        self.key.append(key)
        self.time.append(time)
        self.value.append(value)
        self.quality.append(quality)

    def refuse(
        self,
        index: int,
        sensor_id: str,
        reason: str,
        field: str,
        condition: ConditionCode = ConditionCode.WRONG_TYPE,
    ) -> None:
        self.refused.append(Refused(index, sensor_id, reason, field, condition))

    @property
    def missing(self) -> int:
        """How many are null, without being called bad."""
        value, quality = np.array(self.value, np.float64), np.array(self.quality, np.uint32)
        return int((np.isnan(value) & ~is_bad(quality)).sum())

    def columns(self) -> Columns:
        value, quality = np.array(self.value, np.float64), np.array(self.quality, np.uint32)
        quality[np.isnan(value) & ~is_bad(quality)] = _BAD_NO_DATA
        return np.array(self.key, np.int32), np.array(self.time, np.int64), value, quality


def concatenated(parts: Sequence[Columns]) -> Columns:
    if len(parts) == 1:
        return parts[0]
    signal, time, value, quality = zip(*parts, strict=True)
    return np.concatenate(signal), np.concatenate(time), np.concatenate(value), np.concatenate(quality)


def number(given: Any, field: str) -> float:
    """A number, true or false, or the text of a number; NaN for null. Raises InvalidInput."""
    if given is None:
        return math.nan
    if isinstance(given, int | float | str):
        try:
            found = float(given)
        except (ValueError, OverflowError):
            found = math.nan
        if math.isfinite(found):
            return found
    raise InvalidInput(f"{field} is {given!r:.60}, and no finite number", field=field)


def microseconds(given: Any, unit: TimeUnit, field: str) -> int:
    """RFC 3339 text, or a number since 1970. Raises InvalidInput."""
    if isinstance(given, str) and given.isdecimal():
        given = float(given)  # before it is taken for a date: 1768122012300 ms would be the year 1768
    if isinstance(given, str):
        try:
            return from_rfc3339(given)
        except ValueError:
            pass
        try:
            given = float(given)
        except ValueError:
            raise InvalidInput(f"{field} is {given!r:.60}: write 2026-01-31T08:00:00Z", field=field) from None
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
        raise InvalidInput(f"{field} is {given!r:.60}, and no time", field=field)
    per_second = _PER_SECOND[_by_size(abs(given)) if unit == "auto" else unit]
    if abs(given) >= _LATEST_S * per_second:
        raise InvalidInput(f"{field} is {given!r:.60}, which lies beyond the year 9999 in {unit}", field=field)
    return given * 1_000_000 // per_second if isinstance(given, int) else round(given * (1_000_000 / per_second))


def _by_size(given: float) -> str:
    """Seconds below 1e11 (the year 5138), and so on by thousands: up to then they never meet."""
    return "s" if given < 1e11 else "ms" if given < 1e14 else "us" if given < 1e17 else "ns"


def status_code(given: Any, field: str) -> int:
    """good, uncertain, bad or a 32-bit StatusCode; good for null. Raises InvalidInput."""
    if given is None:
        return GOOD
    if isinstance(given, str):
        return from_name(given)
    if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given <= 0xFFFF_FFFF:
        raise InvalidInput(f"{field} is {given!r:.60}, and no 32-bit status code", field=field)
    return given
