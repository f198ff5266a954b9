"""Let go of readings past their age."""

from collections.abc import Callable
from dataclasses import dataclass

from forewarn.contracts.historian import Historian
from forewarn.kit.clock import DAY


@dataclass(frozen=True, slots=True)
class Retention:
    """Days that raw readings and rollups are kept; None keeps all. clock: microseconds UTC."""

    historian: Historian
    clock: Callable[[], int]
    raw_days: float | None
    rollup_days: float | None

    def run(self) -> int:
        """Drop what is older now; bytes freed. Repeating it is harmless."""
        if self.raw_days is None and self.rollup_days is None:
            return 0
        now = self.clock()
        return self.historian.forget(_before(now, self.raw_days), _before(now, self.rollup_days))


def _before(now: int, days: float | None) -> int:
    return 0 if days is None else now - int(days * DAY)
