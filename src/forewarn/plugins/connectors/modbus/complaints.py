"""What is wrong is told once and kept alive as a condition while it lasts."""

from collections.abc import Callable, Hashable
from typing import Final

from forewarn.contracts.connector import ReadingSink
from forewarn.domain.conditions import ConditionCode

# A condition that was not named for a minute is over (ReadingSink.note).
_AGAIN_S: Final = 20.0


class Complaints:
    def __init__(self, sink: ReadingSink, clock: Callable[[], float]) -> None:
        """clock: seconds, monotonic."""
        self._sink = sink
        self._clock = clock
        self._told_at: dict[Hashable, float] = {}

    def reject(self, about: Hashable, condition: ConditionCode, text: str, count: int = 1) -> None:
        """Counted as rejected the first time."""
        if about in self._told_at:
            self.note(about, condition, text)
        else:
            self._told_at[about] = self._clock()
            self._sink.rejected(count, text, condition)

    def note(self, about: Hashable, condition: ConditionCode, text: str) -> None:
        now = self._clock()
        if now - self._told_at.get(about, -_AGAIN_S) >= _AGAIN_S:
            self._told_at[about] = now
            self._sink.note(condition, text)

    def over(self, about: Hashable) -> bool:
        """True when it had been told: the next time counts anew."""
        return self._told_at.pop(about, None) is not None

    def holds(self, about: Hashable) -> bool:
        return about in self._told_at
