"""How far the site's clock is from ours, from the heartbeats' round trips (as NTP does, RFC 5905, 8)."""

from collections import deque
from typing import Final

from forewarn.kit.clock import SECOND

_KEPT: Final = 8
_DRIFT_US: Final = SECOND


class ClockOffset:
    """Of the last eight round trips the shortest is believed: the way there and back was least unequal then."""

    def __init__(self) -> None:
        self._samples: deque[tuple[int, int]] = deque(maxlen=_KEPT)

    def add(self, sent_at: int, site_at: int, heard_at: int) -> None:
        """sent_at, heard_at: by our clock; site_at: by the site's; microseconds UTC."""
        if heard_at < sent_at:
            return
        sample = (heard_at - sent_at, site_at - (sent_at + heard_at) // 2)
        if self._samples and not _agree(min(self._samples), sample):
            self._samples.clear()  # one of the clocks was set
        self._samples.append(sample)

    def forget(self) -> None:
        """Our clock was set."""
        self._samples.clear()

    @property
    def offset_s(self) -> float | None:
        """The site's clock minus ours; None before the first answer."""
        return min(self._samples)[1] / SECOND if self._samples else None

    @property
    def round_trip_s(self) -> float | None:
        return min(self._samples)[0] / SECOND if self._samples else None


def _agree(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Each is uncertain by half its round trip."""
    return abs(one[1] - other[1]) <= (one[0] + other[0]) // 2 + _DRIFT_US
