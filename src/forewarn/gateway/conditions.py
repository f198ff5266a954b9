"""The conditions that one subject is in."""

import threading
from collections.abc import Callable, Sequence
from typing import Final

from forewarn.domain.conditions import ConditionCode, EndedCondition, GatewayCondition
from forewarn.kit.clock import MINUTE

_OVER_AFTER_US: Final = MINUTE
_MOST_ENDED: Final = 200


class Conditions:
    """Those of `subject`. A lasting one says why it does not work as a whole: it holds until it is ended, or another
    one takes its place; any other until it was not named for a minute. Thread-safe."""

    def __init__(self, subject: str, clock: Callable[[], int]) -> None:
        """clock: microseconds UTC."""
        self._subject = subject
        self._clock = clock
        self._lock = threading.Lock()
        self._held: dict[ConditionCode, GatewayCondition] = {}
        self._lasting: set[ConditionCode] = set()

    def enter(self, code: ConditionCode, text: str, *, lasting: bool = False, count: int = 1) -> None:
        now = self._clock()
        with self._lock:
            before = self._held.get(code)
            if before is not None and self._is_over(before, now):
                before = None
            since, times = (now, 0) if before is None else (before.since, before.count)
            self._held[code] = GatewayCondition(code, self._subject, since, now, text, times + count)
            if lasting:
                for other in self._lasting - {code}:
                    del self._held[other]
                self._lasting = {code}

    def end(self, *codes: ConditionCode) -> None:
        """They are over; what did not hold stays so."""
        with self._lock:
            for code in codes:
                self._held.pop(code, None)
                self._lasting.discard(code)

    def end_lasting(self) -> None:
        self.end(*self._lasting)

    def now(self) -> Sequence[GatewayCondition]:
        """What holds, the oldest first."""
        now = self._clock()
        with self._lock:
            return sorted((c for c in self._held.values() if not self._is_over(c, now)), key=lambda c: c.since)

    def _is_over(self, held: GatewayCondition, now: int) -> bool:
        return held.code not in self._lasting and not -_OVER_AFTER_US <= now - held.last_at <= _OVER_AFTER_US


class EndedConditions:
    """What is over and not told yet, the newest 200: the site's journal has a gap otherwise where it was away.
    Thread-safe."""

    def __init__(self, clock: Callable[[], int]) -> None:
        """clock: microseconds UTC."""
        self._clock = clock
        self._lock = threading.Lock()
        self._held: dict[tuple[ConditionCode, str, int], GatewayCondition] = {}
        self._ended: list[EndedCondition] = []

    def follow(self, held: Sequence[GatewayCondition]) -> tuple[EndedCondition, ...]:
        """What holds now, of all subjects; what ended, the oldest first."""
        now = self._clock()
        with self._lock:
            before, self._held = self._held, {(c.code, c.subject, c.since): c for c in held}
            over = [EndedCondition(c, now) for name, c in before.items() if name not in self._held]
            self._ended = [*self._ended, *over][-_MOST_ENDED:]
            return tuple(self._ended)

    def told(self, ended: Sequence[EndedCondition]) -> None:
        """The site has these."""
        gone = set(ended)
        with self._lock:
            self._ended = [each for each in self._ended if each not in gone]
