"""What is so right now at a gateway, for whoever shows it or passes it on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from forewarn.contracts.alarm_store import Alarm
from forewarn.domain.alarms import AlarmEvent
from forewarn.domain.assets import Asset, Signal
from forewarn.domain.findings import Finding
from forewarn.domain.gateways import GatewayStatus
from forewarn.domain.model_delivery import HeldModels
from forewarn.domain.series import Series


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened, by number from 1 upward (anew after a restart): an alarm's event or a finding."""

    number: int
    event: AlarmEvent | None = None
    finding: Finding | None = None


class StatusBoard(Protocol):
    """In memory, for the gateway's event loop; the last 1,000 happenings are kept."""

    @property
    def site_away(self) -> bool:
        """No acknowledgement came from the site for some seconds, so that alarms must go on locally."""
        ...

    async def changed(self, after: int, timeout_s: float) -> int:
        """The newest happening's number once it is greater than `after`, or when the time is over."""
        ...

    def happenings(self, after: int) -> Sequence[Happening]: ...

    def alarms(self) -> Sequence[Alarm]:
        """Every rule with its standing, in a fixed order while the plant stays the same."""
        ...

    def assets(self) -> Sequence[Asset]: ...

    def signals(self) -> Sequence[Signal]: ...

    def latest(self) -> Series:
        """The newest reading of each signal that has one."""
        ...

    def status(self) -> GatewayStatus: ...

    def models(self) -> HeldModels:
        """Which trained models act here."""
        ...
