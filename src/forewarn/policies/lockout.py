"""How long somebody who gave wrong passwords waits before the next one is looked at."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from forewarn.kit.clock import MINUTE, SECOND
from forewarn.policies.person_names import folded


class Counted(StrEnum):
    """What failures are counted by."""

    PAIR = "pair"
    ADDRESS = "address"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class Limit:
    """free: failures without a wait; then 1 s, doubling with each up to longest_us."""

    free: int
    longest_us: int


# A name from everywhere waits little: who guesses from afar must not keep its owner out.
LIMITS: Final = {
    Counted.PAIR: Limit(5, 15 * MINUTE),
    Counted.ADDRESS: Limit(20, 15 * MINUTE),
    Counted.NAME: Limit(50, 30 * SECOND),
}


@dataclass(frozen=True, slots=True)
class Failures:
    """last_at: microseconds UTC."""

    by: Counted
    count: int
    last_at: int


def key_of(by: Counted, name: str, address: str) -> str:
    """Under which the failures are counted."""
    parts = {Counted.PAIR: f"{address} {folded(name)}", Counted.ADDRESS: address, Counted.NAME: folded(name)}
    return f"{by.value} {parts[by]}"


def delay_us(by: Counted, count: int) -> int:
    """How long to wait after the last of `count` failures."""
    limit = LIMITS[by]
    over = count - limit.free
    if over < 0:
        return 0
    return min(limit.longest_us, SECOND << min(over, 32))


def wait_s(failures: Iterable[Failures], now: int) -> float:
    """Seconds until the next attempt is looked at; 0: now. A last failure in the future (a clock that was set back)
    makes nobody wait longer than the delay itself."""
    waits = [delay_us(f.by, f.count) - max(0, now - f.last_at) for f in failures]
    return max((0, *waits)) / SECOND
