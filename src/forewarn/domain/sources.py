"""How a source of readings is doing."""

from dataclasses import dataclass
from enum import StrEnum


class SourceState(StrEnum):
    STARTING = "starting"
    CONNECTED = "connected"
    STALE = "stale"
    RECONNECTING = "reconnecting"
    MISCONFIGURED = "misconfigured"
    STOPPED = "stopped"


class SourceTimes(StrEnum):
    """Whose clock a connector's readings bear: the DEVICE's, as they happen; that of our own RECEPTION; or one of the
    PAST, which says nothing of how a clock stands (files, late deliveries)."""

    DEVICE = "device"
    RECEPTION = "reception"
    PAST = "past"


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """state_since, last_reading_at: microseconds UTC by our clock; last_error: text for people, '' if none.

    delay_s: our clock at arrival minus the newest source time, the least of the last minute: the way here plus what the
    device's clock is behind ours (negative: it runs ahead). None where nothing arrived."""

    name: str
    connector: str
    state: SourceState
    state_since: int
    last_reading_at: int | None = None
    readings: int = 0
    rejected: int = 0
    reconnects: int = 0
    last_error: str = ""
    delay_s: float | None = None
