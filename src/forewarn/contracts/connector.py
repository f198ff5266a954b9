"""A source of readings: speaks one protocol, translates, never filters, alarms or decides."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from pydantic import BaseModel

from forewarn.contracts.reading_sink import ReadingSink as ReadingSink
from forewarn.domain.assets import Signal
from forewarn.domain.sources import SourceTimes


@dataclass(frozen=True, slots=True)
class SourceRequest:
    """What the supervisor asks of a connector: its parsed settings and the signals that name this source.

    look_only: nothing will be stored. What waits at the peer for the real run must be left there, and nobody may take
    this one for it (another session, no words to third parties)."""

    name: str
    settings: BaseModel
    signals: Sequence[Signal]
    look_only: bool = False


class Connector(Protocol):
    """Exported as CONNECTOR by `plugins/connectors/<name>`, entry point group `forewarn.connectors`.

    `settings` validates the source's table in the plant file, documents it and draws its form."""

    name: ClassVar[str]
    settings: ClassVar[type[BaseModel]]
    times: ClassVar[SourceTimes]

    async def run(self, request: SourceRequest, sink: ReadingSink) -> None:
        """Connect, subscribe or poll, and put readings until cancelled.

        Raises SourceUnreachable when the peer cannot be reached or is lost (the supervisor backs off and
        calls again: no reconnect loop in here), ConfigurationError when only a person can help
        (it is tried again, but seldom).
        Source timestamps are the peer's; where a protocol has none, the time of reception.
        On cancellation all sockets are closed before it returns."""
        ...
