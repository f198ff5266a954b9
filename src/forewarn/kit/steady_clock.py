"""A clock that does not follow a sudden step of the machine's until somebody confirms it."""

import threading
from collections.abc import Callable
from typing import Final

from forewarn.kit.clock import MINUTE, SECOND, monotonic_us, wall_us

_STEP_US: Final = 2 * SECOND
_BELIEVED_AFTER_US: Final = 15 * MINUTE
_PLAUSIBLE_FROM_US: Final = 1_735_689_600 * SECOND  # 2025: a machine without a battery boots in 1970


class SteadyClock:
    """Microseconds UTC. Slow corrections (NTP slews) are followed; a step of more than 2 s is held back, so that
    nothing is stamped with a time that a slip of the hand made. It is followed when `judge` learns from the site that
    it was right, after 15 minutes in which nobody knew better, or at once where we stood before 2025. Thread-safe."""

    def __init__(self, wall: Callable[[], int] = wall_us, monotonic: Callable[[], int] = monotonic_us) -> None:
        self._wall, self._monotonic = wall, monotonic
        self._lock = threading.Lock()
        self._ahead = wall() - monotonic()  # the machine's clock less the monotonic one, as it was when last looked
        self._held_us = 0
        self._held_since = 0
        self._other_us = 0  # the trusted clock less this one, as it was last told

    def __call__(self) -> int:
        wall, monotonic = self._wall(), self._monotonic()
        if -_STEP_US <= wall - monotonic - self._ahead <= _STEP_US and not self._held_us:
            self._ahead = wall - monotonic
            return wall
        with self._lock:
            step = wall - monotonic - self._ahead
            if not -_STEP_US <= step <= _STEP_US:
                self._held_us += step
                self._held_since = monotonic
            self._ahead = wall - monotonic
            taken_back = -_STEP_US <= self._held_us <= _STEP_US
            believed = monotonic - self._held_since > _BELIEVED_AFTER_US
            if taken_back or believed or wall - self._held_us < _PLAUSIBLE_FROM_US <= wall:
                self._held_us = 0
            return wall - self._held_us

    @property
    def held_us(self) -> int:
        """The machine's clock less this one: a step that is not followed yet; 0 = none."""
        return self._held_us

    def judge(self, other_less_ours_us: int) -> bool:
        """A clock that is trusted differs from this one by so much: follow the step if that brings us nearer to it.
        True when it was followed."""
        with self._lock:
            held = self._held_us
            followed = bool(held) and abs(other_less_ours_us - held) < abs(other_less_ours_us)
            if followed:
                self._held_us = 0
            self._other_us = other_less_ours_us - (held if followed else 0)
            return followed

    def latest(self) -> int:
        """By this clock, the machine's or the trusted one, whichever is ahead: what lies beyond is of the future for
        all of them."""
        return self() + max(0, self._other_us, self._held_us)
