"""When a gateway sends all of a machine's readings although they are normal: models are learned from these stretches.

Where they lie follows from the asset's id, the source time and two settings, so a gateway, its partner and the site
agree without a word. Machines take turns, which keeps the uplink even; and a machine's place in the period moves by the
golden ratio each time, so that what it does every hour is seen at every part of the hour.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.errors import ConfigurationError
from forewarn.domain.gateways import Reduction
from forewarn.domain.model_versions import Span

LONGEST_S: Final = 3_600
LEAST_EVERY_S, MOST_EVERY_S = 60, 86_400
_SECOND: Final = 1_000_000
_REMEMBERED: Final = 20  # changes of the settings
_BITS: Final = 32
_ALL: Final = (1 << _BITS) - 1
_GOLDEN: Final = 2_654_435_769  # 2**32 / 1.618...: multiples of it fill the circle evenly


@dataclass(frozen=True, slots=True)
class WholeStretches:
    """seconds: that all readings of a machine are sent, once in every `every_s`; whole numbers, 0 = never. Raises
    ConfigurationError."""

    seconds: int = 90
    every_s: int = 3_600

    def __post_init__(self) -> None:
        if not 0 <= self.seconds <= LONGEST_S:
            raise ConfigurationError(f"whole_s must be within 0 and {LONGEST_S}, not {self.seconds}")
        if not LEAST_EVERY_S <= self.every_s <= MOST_EVERY_S:
            raise ConfigurationError(
                f"whole_every_s must be within {LEAST_EVERY_S} and {MOST_EVERY_S}, not {self.every_s}"
            )
        if self.seconds >= self.every_s:
            raise ConfigurationError(
                f"whole_s ({self.seconds}) must be less than whole_every_s ({self.every_s}): to send everything, set "
                'method = "none"'
            )

    def spans(self, asset_id: str, start: int, end: int) -> Iterator[Span]:
        """Those that touch [start, end), whole, ascending; microseconds UTC."""
        if not self.seconds:
            return
        every_us, turn = self.every_s * _SECOND, turn_of(asset_id)
        for number in range(start // every_us, -(-end // every_us)):
            place = (((turn + number * _GOLDEN) & _ALL) * (self.every_s - self.seconds)) >> _BITS
            begin = number * every_us + place * _SECOND
            span = Span(begin, begin + self.seconds * _SECOND)
            if span.start < end and span.end > start:
                yield span

    def inside(self, turn: NDArray[np.int64], time: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of these source times lie in a stretch of the asset whose `turn_of` stands beside them."""
        if not self.seconds:
            return np.zeros(len(time), np.bool_)
        number, since = np.divmod(time, self.every_s * _SECOND)
        place = (((turn + number * _GOLDEN) & _ALL) * (self.every_s - self.seconds)) >> _BITS
        since -= place * _SECOND
        return np.asarray((since >= 0) & (since < self.seconds * _SECOND))


def turn_of(asset_id: str) -> int:
    """0 to 2**32 - 1: where in the period the machine's turn is."""
    return crc32(asset_id.encode())


def turns(assets: Iterable[str]) -> NDArray[np.int64]:
    return np.array([turn_of(asset) for asset in assets], np.int64)


def with_newest(told: Sequence[Reduction], now: Reduction) -> tuple[Reduction, ...]:
    """What was told, and `now` where it is another than the last; oldest first. The oldest are let go of."""
    if told and _alike(told[-1], now):
        return tuple(told)
    now = replace(now, since=max(now.since, told[-1].since + 1)) if told else now  # a clock may be set back
    return (*told, now)[-_REMEMBERED:]


def continued(known: Sequence[Reduction], told: Sequence[Reduction], heard: int, now: int) -> tuple[Reduction, ...]:
    """What a site knows of a gateway that tells `told` now, and told `known` last when it was `heard` (microseconds
    UTC). One that has begun anew, or said nothing before, knows nothing of what it left out until then."""
    if not told:
        return ()
    if not known:
        return (replace(told[-1], since=max(told[-1].since, now)),)
    last = known[-1]
    # What is alike but later is what it went back to: what was between is new.
    for i in reversed(range(len(told))):
        if _alike(told[i], last) and told[i].since <= last.since:
            return (*known, *told[i + 1 :])[-_REMEMBERED:]
    lost = Reduction(max(heard, last.since + 1), (("*", True),), 0, last.whole_every_s)
    anew = replace(told[-1], since=max(told[-1].since, now, lost.since + 1))
    return (*known, lost, anew)[-_REMEMBERED:]


def _alike(one: Reduction, other: Reduction) -> bool:
    return replace(one, since=other.since) == other


def in_both(some: Sequence[Span], others: Sequence[Span]) -> list[Span]:
    """What lies in spans of either; each ascending and disjoint."""
    found: list[Span] = []
    i = j = 0
    while i < len(some) and j < len(others):
        start, end = max(some[i].start, others[j].start), min(some[i].end, others[j].end)
        if start < end:
            found.append(Span(start, end))
        if some[i].end <= others[j].end:
            i += 1
        else:
            j += 1
    return found
