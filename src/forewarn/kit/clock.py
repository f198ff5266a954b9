"""Time as the house keeps it: int64 microseconds UTC inside, RFC 3339 outside."""

import time
from datetime import UTC, datetime, timedelta
from typing import Final

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def now_us() -> int:
    """Microseconds since 1970 UTC by the machine's clock."""
    return time.time_ns() // 1_000


def monotonic_us() -> int:
    """Microseconds of a clock that nobody sets; only differences mean anything."""
    return time.monotonic_ns() // 1_000


def to_rfc3339(us: int) -> str:
    """`2026-01-31T08:00:00.250000Z`; fraction only when there is one. Years 1-9999."""
    return (_EPOCH + timedelta(microseconds=us)).isoformat().replace("+00:00", "Z")


def from_rfc3339(text: str) -> int:
    """Microseconds UTC. A text without offset is read as UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1)
