"""One time, one quality, one value, as messages write them."""

import math
from typing import Final

from forewarn.domain.errors import InvalidInput
from forewarn.domain.status import GOOD, from_name
from forewarn.kit.clock import from_rfc3339

Stamp = int | float | str | None
Quality = str | int | None
MS: Final = 1_000
LATEST_US: Final = 253_402_300_800_000_000  # the year 10000
# OPC UA Part 8: what was valid once, from before we listened, and nobody says since when.
UNCERTAIN_LAST_USABLE: Final = 0x4090_0000
PER_UNIT: Final = {"s": 1_000_000, "ms": MS, "us": 1}


def microseconds(stamp: Stamp, preset: int, unit_us: int = MS) -> int:
    """A number in units of `unit_us`, or RFC 3339 -> microseconds; `preset` when there is none. Raises ValueError."""
    if stamp is None:
        return preset
    if isinstance(stamp, str):
        return from_rfc3339(stamp)
    if isinstance(stamp, bool) or not abs(stamp) < LATEST_US // unit_us:
        raise ValueError(f"{stamp!r} is no time in milliseconds" if unit_us == MS else f"{stamp!r} is no time")
    return stamp * unit_us if isinstance(stamp, int) else round(stamp * unit_us)


def status_code(quality: Quality) -> int:
    """Raises InvalidInput."""
    if quality is None:
        return GOOD
    if isinstance(quality, str):
        return from_name(quality)
    if not 0 <= quality <= 0xFFFF_FFFF:
        raise InvalidInput(f"quality {quality} is no 32-bit status code", field="quality")
    return int(quality)


def number(value: float | None) -> float:
    """null is NaN. Raises ValueError."""
    try:
        return math.nan if value is None else float(value)
    except OverflowError:
        raise ValueError("no float holds that number") from None
