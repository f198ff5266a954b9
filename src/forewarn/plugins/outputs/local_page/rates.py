"""Readings a second of each source, from counts that only grow."""

from collections import deque
from collections.abc import Sequence
from typing import Final

from forewarn.domain.sources import SourceStatus
from forewarn.kit.clock import SECOND

_WINDOW_US: Final = 10 * SECOND


class Rates:
    """Over the last ten seconds that somebody looked."""

    def __init__(self) -> None:
        self._counts: dict[str, deque[tuple[int, int]]] = {}

    def update(self, at: int, sources: Sequence[SourceStatus]) -> None:
        """at: microseconds."""
        self._counts = {source.name: self._counts.get(source.name, deque()) for source in sources}
        for source in sources:
            known = self._counts[source.name]
            if known and (source.readings < known[-1][1] or at < known[-1][0]):
                known.clear()
            known.append((at, source.readings))
            while len(known) > 2 and known[1][0] <= at - _WINDOW_US:
                known.popleft()

    def of(self, name: str) -> float | None:
        """None until two looks are a moment apart."""
        known = self._counts.get(name)
        if not known or known[-1][0] - known[0][0] < SECOND // 2:
            return None
        (start, before), (end, now) = known[0], known[-1]
        return (now - before) / ((end - start) / SECOND)
