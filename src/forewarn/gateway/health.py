"""What is known of one source: state, times, counts and the conditions it is in."""

from collections.abc import Callable, Sequence
from typing import Final

from forewarn.domain.conditions import ConditionCode, GatewayCondition
from forewarn.domain.sources import SourceState, SourceStatus
from forewarn.gateway.conditions import Conditions
from forewarn.kit.clock import MINUTE, SECOND

# A device's clock that is off by more than this is told; less is what networks and polls take.
_CLOCK_WRONG_US: Final = 60 * SECOND
_FAR: Final = 2**62
_ENOUGH: Final = 5


class SourceHealth:
    """Written by the runner's loop, read by any thread. A connected source silent for `stale_after_us` is stale."""

    def __init__(
        self, name: str, connector: str, stale_after_us: int, clock: Callable[[], int], *, tells_of_now: bool = True
    ) -> None:
        """tells_of_now: the times of its readings show how its clock stands."""
        self.name = name
        self.connector = connector
        self._stale_after_us = stale_after_us
        self._clock = clock
        self._state = SourceState.STARTING
        self._since = self._heard_at = clock()
        self._last_reading_at: int | None = None
        self._readings = self._rejected = self._reconnects = 0
        self._last_error = ""
        self._tells_of_now = tells_of_now
        self._conditions = Conditions(name, clock)
        self._delay_us: int | None = None
        self._least_us, self._batches, self._delay_from = _FAR, 0, clock()
        self._clock_text = ""

    def enter(self, state: SourceState, error: str | None = None) -> None:
        if state is not self._state:
            self._since = self._clock()
            self._state = state
        if error is not None:
            self._last_error = error

    def connected(self, again: bool) -> None:
        self._heard_at = self._clock()
        self._reconnects += again
        self._conditions.end_lasting()
        self.enter(SourceState.CONNECTED, "")

    def lost(self, why: str, condition: ConditionCode) -> None:
        """It is away, or never was there; holds until it is connected."""
        self._conditions.enter(condition, why, lasting=True)
        self.enter(SourceState.RECONNECTING, why)

    def misconfigured(self, why: str, condition: ConditionCode) -> None:
        self._conditions.enter(condition, why, lasting=True)
        self.enter(SourceState.MISCONFIGURED, why)

    def note(self, condition: ConditionCode, text: str) -> None:
        self._conditions.enter(condition, text)

    def heard(self) -> None:
        self._heard_at = self._clock()

    def took(self, readings: int, newest: int) -> None:
        """`readings` came and are durable; `newest` is the greatest source time among them."""
        now = self._heard_at = self._last_reading_at = self._clock()
        self._readings += readings
        if self._tells_of_now:
            self._follow_clock(now, now - newest)

    def _follow_clock(self, now: int, delay: int) -> None:
        """Old values are often told anew (a first answer, history): only the youngest of a minute's batches says how
        far behind a clock is. What lies ahead of us cannot be old."""
        self._least_us = min(self._least_us, delay)
        self._batches += 1
        if abs(self._least_us) <= _CLOCK_WRONG_US:
            self._clock_text = ""
        elif self._clock_text and self._least_us > 0:  # until a reading shows otherwise, not only once a minute
            self.note(ConditionCode.CLOCK_WRONG, self._clock_text)
        if self._least_us < -_CLOCK_WRONG_US or now - self._delay_from > MINUTE:
            if abs(self._least_us) > _CLOCK_WRONG_US and (self._least_us < 0 or self._batches >= _ENOUGH):
                behind = "behind" if self._least_us > 0 else "ahead of"
                self._clock_text = (
                    f"its newest readings are {abs(self._least_us) / SECOND:,.0f} s {behind} our clock: set the clock "
                    "of the device or of this machine (NTP)"
                )
                self.note(ConditionCode.CLOCK_WRONG, self._clock_text)
            self._delay_us, self._least_us, self._batches, self._delay_from = self._least_us, _FAR, 0, now
        elif self._delay_us is None or self._least_us < self._delay_us:
            self._delay_us = self._least_us

    def waiting(self, why: str) -> None:
        """The source is well; we cannot store. Its silence meanwhile is ours."""
        self._heard_at = self._clock()
        self._last_error = why

    def rejected(self, count: int, example: str, condition: ConditionCode = ConditionCode.READINGS_REJECTED) -> None:
        self._rejected += count
        self._last_error = example
        self._conditions.enter(condition, example, count=count)

    def conditions(self) -> Sequence[GatewayCondition]:
        """What holds now, the oldest first."""
        found = list(self._conditions.now())
        status = self.status()
        if status.state is SourceState.STALE:
            text = f"connected, but silent for {(self._clock() - self._heard_at) / SECOND:,.0f} s"
            found.append(GatewayCondition(ConditionCode.SILENT, self.name, status.state_since, self._clock(), text))
        return found

    def status(self) -> SourceStatus:
        state, since = self._state, self._since
        silent_from = self._heard_at + self._stale_after_us
        if state is SourceState.CONNECTED and self._clock() > silent_from:
            state, since = SourceState.STALE, max(since, silent_from)
        return SourceStatus(
            self.name,
            self.connector,
            state,
            since,
            self._last_reading_at,
            self._readings,
            self._rejected,
            self._reconnects,
            self._last_error,
            None if self._delay_us is None else self._delay_us / SECOND,
        )
