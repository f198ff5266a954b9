"""What is known of one source: state, times and counts."""

from collections.abc import Callable

from forewarn.domain.sources import SourceState, SourceStatus


class SourceHealth:
    """Written by the runner's loop, read by any thread. A connected source silent for `stale_after_us` is stale."""

    def __init__(self, name: str, connector: str, stale_after_us: int, clock: Callable[[], int]) -> None:
        self.name = name
        self.connector = connector
        self._stale_after_us = stale_after_us
        self._clock = clock
        self._state = SourceState.STARTING
        self._since = self._heard_at = clock()
        self._last_reading_at: int | None = None
        self._readings = self._rejected = self._reconnects = 0
        self._last_error = ""

    def enter(self, state: SourceState, error: str | None = None) -> None:
        if state is not self._state:
            self._since = self._clock()
            self._state = state
        if error is not None:
            self._last_error = error

    def connected(self, again: bool) -> None:
        self._heard_at = self._clock()
        self._reconnects += again
        self.enter(SourceState.CONNECTED, "")

    def heard(self) -> None:
        self._heard_at = self._clock()

    def took(self, readings: int) -> None:
        """`readings` came and are durable."""
        self._heard_at = self._last_reading_at = self._clock()
        self._readings += readings

    def waiting(self, why: str) -> None:
        """The source is well; we cannot store. Its silence meanwhile is ours."""
        self._heard_at = self._clock()
        self._last_error = why

    def rejected(self, count: int, example: str) -> None:
        self._rejected += count
        self._last_error = example

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
        )
