"""Where a connector hands its columns."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.conditions import ConditionCode


class ReadingSink(Protocol):
    """One a source."""

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

    def rejected(self, count: int, example: str, condition: ConditionCode = ConditionCode.READINGS_REJECTED) -> None:
        """`count` things arrived that could not be translated; `example` says what and why, for people, and
        `condition` names it."""
        ...

    def note(self, condition: ConditionCode, text: str) -> None:
        """A state worth telling that stops nothing (failed over to another server, a poll that overran its time).
        It counts as over when it was not noted again for a minute."""
        ...

    def newest(self, signal: NDArray[np.int32]) -> NDArray[np.int64]:
        """Source time of the newest reading that was stored of each signal, across restarts, gap marks apart;
        the least int64 where there is none. For asking a device that keeps history what was missed."""
        ...
