"""A source of readings: speaks one protocol, translates, never filters, alarms or decides."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from forewarn.domain.assets import Signal


class ReadingSink(Protocol):
    """Where a connector hands its columns. One sink a source."""

    async def put(
        self,
        signal: NDArray[np.int32],
        time: NDArray[np.int64],
        value: NDArray[np.float64],
        quality: NDArray[np.uint32],
    ) -> None:
        """Take n readings (columns as in ReadingBatch); returns once they are durable.

        Waiting here is the back pressure: a connector acknowledges its own peer only afterwards."""
        ...

    def alive(self) -> None:
        """The peer answered though no value changed; keeps the source from being called stale."""
        ...

    def connected(self) -> None:
        """The session stands and values are expected from now on."""
        ...

    def rejected(self, count: int, example: str) -> None:
        """`count` things arrived that could not be translated; `example` says what and why, for people."""
        ...


@dataclass(frozen=True, slots=True)
class SourceRequest:
    """What the supervisor asks of a connector: its parsed settings and the signals that name this source."""

    name: str
    settings: BaseModel
    signals: Sequence[Signal]


class Connector(Protocol):
    """Exported as CONNECTOR by `plugins/connectors/<name>`, entry point group `forewarn.connectors`.

    `settings` validates the source's table in the plant file, documents it and draws its form."""

    name: ClassVar[str]
    settings: ClassVar[type[BaseModel]]

    async def run(self, request: SourceRequest, sink: ReadingSink) -> None:
        """Connect, subscribe or poll, and put readings until cancelled.

        Raises SourceUnreachable when the peer cannot be reached or is lost (the supervisor backs off and
        calls again: no reconnect loop in here), ConfigurationError when trying again cannot help.
        Source timestamps are the peer's; where a protocol has none, the time of reception.
        On cancellation all sockets are closed before it returns."""
        ...
