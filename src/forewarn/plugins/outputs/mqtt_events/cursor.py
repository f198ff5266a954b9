"""Which happenings are still to be told."""

from collections import deque
from collections.abc import Sequence
from typing import Final

from forewarn.contracts.status_board import Happening, StatusBoard
from forewarn.kit.clock import MINUTE, SECOND

_BEFORE_US: Final = 2 * MINUTE
_MARGIN_US: Final = 2 * SECOND
_MOST_MARKS: Final = 1_000


class Cursor:
    """Outlives connections, so that nothing is told twice. While the site is there, what happens is its affair; what
    happened since its last acknowledgement is not, for it may not have got it."""

    def __init__(self, always: bool) -> None:
        self._always = always
        self._told = 0
        self._marks: deque[tuple[int, int]] = deque(maxlen=_MOST_MARKS)
        self.missed = 0

    def due(self, board: StatusBoard, now_us: int) -> Sequence[Happening]:
        """What to tell now, the oldest first; each is told by calling `told`."""
        if not self._always:
            if not board.site_away:
                self._pass_over(board, now_us)
                return ()
            self._marks.clear()
        found = board.happenings(self._told)
        if found and found[0].number > self._told + 1:
            self.missed += found[0].number - self._told - 1
            self._told = found[0].number - 1
        return found

    def told(self, number: int) -> None:
        self._told = max(self._told, number)

    def _pass_over(self, board: StatusBoard, now_us: int) -> None:
        """As told counts what the site acknowledged after it happened, or what is minutes old."""
        newest = self._marks[-1][0] if self._marks else self._told
        fresh = board.happenings(newest)
        if fresh:
            self._marks.append((fresh[-1].number, now_us))
        acknowledged = board.status().uplink.last_acknowledged_at or 0
        while self._marks:
            number, seen_us = self._marks[0]
            if seen_us + _MARGIN_US > acknowledged and now_us - seen_us < _BEFORE_US:
                break
            self._told = max(self._told, number)
            self._marks.popleft()
