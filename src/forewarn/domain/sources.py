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


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """state_since, last_reading_at: microseconds UTC by our clock; last_error: text for people, '' if none."""

    name: str
    connector: str
    state: SourceState
    state_since: int
    last_reading_at: int | None = None
    readings: int = 0
    rejected: int = 0
    reconnects: int = 0
    last_error: str = ""
