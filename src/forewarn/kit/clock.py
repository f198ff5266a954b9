"""Time as the house keeps it: int64 microseconds UTC inside, RFC 3339 outside."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def wall_us() -> int:
    """Microseconds since 1970 UTC by the machine's clock, whatever it does."""
    return time.time_ns() // 1_000


_now: Callable[[], int] = wall_us


def now_us() -> int:
    """Microseconds since 1970 UTC: by the machine's clock, or by what the process keeps instead (`keep_time_by`)."""
    return _now()


def keep_time_by(clock: Callable[[], int]) -> None:
    """For the whole process: what `now_us` answers from now on, microseconds UTC."""
    global _now
    _now = clock


def monotonic_us() -> int:
    """Microseconds of a clock that nobody sets; only differences mean anything."""
    return time.monotonic_ns() // 1_000


def to_rfc3339(us: int) -> str:
    """`2026-01-31T08:00:00.250000Z`; fraction only when there is one. Years 1-9999."""
    return (_EPOCH + timedelta(microseconds=us)).isoformat().replace("+00:00", "Z")


def from_rfc3339(text: str) -> int:
    """Microseconds UTC. A text without offset is read as UTC. Raises ValueError."""
    if text[4:5] != "-":
        # Python reads ISO 8601's basic form too, and takes milliseconds in quotes for a date of the year 1159.
        raise ValueError(f"{text!r:.60} is not like 2026-01-31T08:00:00Z")
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1)
