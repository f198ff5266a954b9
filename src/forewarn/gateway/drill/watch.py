"""What a gateway told of itself while something was done to it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from forewarn.domain.gateways import GatewayStatus, SiteState
from forewarn.domain.sources import SourceState
from forewarn.kit.clock import SECOND

_LOOK_S: Final = 0.2
Look = Callable[[], Awaitable[GatewayStatus | None]]


@dataclass(slots=True)
class Seen:
    """named: conditions that were told, as `code` or `code of subject`. late: readings that had to wait at the most.
    longest_wait_s: age of the oldest of them. live_lag_s: of what was sent live."""

    named: set[str] = field(default_factory=set)
    late: int = 0
    longest_wait_s: float = 0.0
    live_lag_s: float = 0.0
    unanswered_s: float = 0.0

    def add(self, status: GatewayStatus) -> None:
        uplink = status.uplink
        self.named |= {f"{c.code}{f' of {c.subject}' if c.subject else ''}" for c in status.conditions}
        self.late = max(self.late, uplink.backlog_readings)
        if uplink.oldest_backlog_at is not None:
            self.longest_wait_s = max(self.longest_wait_s, (status.at - uplink.oldest_backlog_at) / SECOND)
        self.live_lag_s = max(self.live_lag_s, uplink.live_lag_s)


def is_well(status: GatewayStatus) -> bool:
    """Every source that can be is connected, the site has everything but what is under way."""
    uplink = status.uplink
    return (
        uplink.state is SiteState.CONNECTED
        and uplink.backlog_parcels == 0
        and uplink.live_lag_s < 2.0
        and all(source.state is SourceState.CONNECTED for source in status.sources)
    )


class Watch:
    """Looks five times a second while it is open; `seen` is filled meanwhile."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._task: asyncio.Task[None] | None = None
        self._looks = 0
        self.seen = Seen()
        self.last: GatewayStatus | None = None

    async def __aenter__(self) -> "Watch":
        self._task = asyncio.create_task(self._keep_looking())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def until(self, holds: Callable[[GatewayStatus], bool], limit_s: float) -> float | None:
        """Seconds until a status fits that was asked for after now; None when none did within `limit_s`."""
        began, asked = time.monotonic(), self._looks + 1  # the look under way may have begun before
        while time.monotonic() - began < limit_s:
            if self.last is not None and self._looks > asked and holds(self.last):
                return time.monotonic() - began
            await asyncio.sleep(_LOOK_S / 4)
        return None

    async def _keep_looking(self) -> None:
        while True:
            status = await self._look()
            self.last = status
            self._looks += 1
            if status is None:
                self.seen.unanswered_s += _LOOK_S
            else:
                self.seen.add(status)
            await asyncio.sleep(_LOOK_S)
