"""What this gateway has not read, for a partner that may have: spans of source time, by source."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from forewarn.kit.clock import HOUR, SECOND, now_us

Gap = tuple[str, int, int | None]  # source, start, end (both exclusive); None while it lasts
MOST_GAPS: Final = 1_000
# Whoever's clock the readings bear, those of a cut may be so much older or newer than we know.
MARGIN_US: Final = 5 * SECOND
# A device may say any time at all; what lies further ahead is rejected, here and there.
_AHEAD_US: Final = HOUR


class SourceGaps:
    """Of one source. It begins with a gap: nothing was read since an earlier process did.

    exact: its readings bear the time of our own poll, so that partners have different ones for the same moment: a gap
    is from the last one before it to the first one after it. Otherwise the device's time: a gap is wider than what is
    missing, and the site drops what comes twice."""

    def __init__(self, newest: int, exact: bool, clock: Callable[[], int]) -> None:
        """newest: greatest source time that an earlier process stored, 0 if none; microseconds UTC."""
        self.exact = exact
        self._clock = clock
        self._newest = newest
        self._ahead = 0
        self._closed: deque[tuple[int, int]] = deque(maxlen=MOST_GAPS)
        self._since: int | None = None
        self.lost()

    def took(self, least: int, newest: int) -> None:
        """A batch came from the device; least and greatest source time in it. Before it is stored: what is told of a
        gap must not reach beyond what was read after it."""
        now = self._clock()
        if self.exact and self._newest > now + MARGIN_US:  # our clock was set back
            self._newest = newest
        self._newest = max(self._newest, min(newest, now + _AHEAD_US))
        self._ahead = min(max(self._newest - now, 0), _AHEAD_US)
        if self._since is not None:
            # Of a device's time the least is no end: a first answer tells old values anew.
            self._close(self._since, least if self.exact else now + self._ahead + MARGIN_US)
            self._since = None

    def lost(self) -> None:
        """From now on nothing is read, until `took`. Again without effect."""
        if self._since is None:
            now = self._clock()
            self._since = self._newest if self.exact else max(min(self._newest, now) - MARGIN_US, 0)

    def _close(self, start: int, end: int) -> None:
        if end <= start:
            return
        if self._closed and start < self._closed[-1][1] and self._closed[-1][0] < end:
            before = self._closed.pop()
            start, end = min(start, before[0]), max(end, before[1])
        self._closed.append((start, end))

    def spans(self) -> Sequence[tuple[int, int | None]]:
        """Oldest first."""
        return [*self._closed] if self._since is None else [*self._closed, (self._since, None)]


class Gaps:
    """Of all sources; those that are no longer collected stay lost. For one event loop."""

    def __init__(self, clock: Callable[[], int] = now_us) -> None:
        self._clock = clock
        self._of: dict[str, SourceGaps] = {}

    def of(self, source: str, exact: bool, newest: Callable[[], int] = lambda: 0) -> SourceGaps:
        """newest: asked where the source is new to this process."""
        gaps = self._of.get(source)
        if gaps is None:
            gaps = self._of[source] = SourceGaps(newest(), exact, self._clock)
        gaps.exact = exact
        return gaps

    def spans(self) -> Sequence[Gap]:
        """The newest 1,000; those that last are the last."""
        found = [(name, start, end) for name, gaps in self._of.items() for start, end in gaps.spans()]
        found.sort(key=lambda gap: (gap[2] is None, gap[2] or 0, gap[1]))
        return found[-MOST_GAPS:]

    def until(self) -> int:
        """Source time up to which those that last do so far: what is on its way to us may be as old."""
        return self._clock() - MARGIN_US
