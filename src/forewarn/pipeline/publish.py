"""The stage that tells listeners what happens now."""

from forewarn.contracts.live_feed import LiveFeed
from forewarn.contracts.stage import Carriage


class PublishStage:
    """Hands each carriage to the live feed; empty ones are not worth an event."""

    name = "publish"

    def __init__(self, feed: LiveFeed) -> None:
        self._feed = feed

    def handle(self, carriage: Carriage) -> Carriage:
        if len(carriage.readings) or carriage.findings or carriage.alarm_events:
            self._feed.publish(carriage.last, carriage.readings, carriage.findings, carriage.alarm_events)
        return carriage

    def tick(self, now_us: int) -> Carriage | None:
        """Nothing of this stage depends on the clock."""
        return None


class VolatileOffsets:
    """StageOffsets of a stage that begins at `start` (the log's end) each time the process does."""

    def __init__(self, start: int) -> None:
        self._offset = start

    def get(self, stage: str) -> int:
        return self._offset

    def set(self, stage: str, offset: int) -> None:
        self._offset = offset
