"""What happens now, told to whoever listens. Best effort: a slow listener loses, the road never waits."""

from collections.abc import Sequence
from typing import Protocol

from forewarn.domain.alarms import AlarmEvent
from forewarn.domain.findings import Finding
from forewarn.domain.readings import ReadingBatch


class LiveFeed(Protocol):
    """Called by the publish stage from the line's thread; never blocks, never raises."""

    def publish(
        self,
        offset: int,
        readings: ReadingBatch,
        findings: Sequence[Finding],
        alarm_events: Sequence[AlarmEvent],
    ) -> None:
        """Tell listeners. `offset` is the log offset up to which this was judged."""
        ...
