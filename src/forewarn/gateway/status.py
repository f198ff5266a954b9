"""A gateway's status, put together from those who know."""

import resource
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from forewarn.contracts.alarm_store import Alarm, AlarmStore
from forewarn.contracts.outbox import Outbox
from forewarn.contracts.plant_view import PlantView
from forewarn.domain.alarms import Condition
from forewarn.domain.conditions import GatewayCondition
from forewarn.domain.gateways import BufferStatus, GatewayRole, GatewayStatus, Reduction, SiteState, UplinkStatus
from forewarn.domain.sources import SourceState, SourceStatus
from forewarn.gateway.conditions import EndedConditions
from forewarn.kit.clock import SECOND

_PAGE: Final = resource.getpagesize()
_LEAST_RATE_US: Final = 15 * SECOND


@dataclass(frozen=True, slots=True)
class RawBuffer:
    """What the raw ring says of itself; raw_from: when its oldest reading was heard, microseconds UTC."""

    bytes: int
    raw_from: int | None


class StatusReport:
    """Thread-safe; memory only, but for the free disk. Who wires it sets `conditions`, `uplink`, `role` and
    `reductions`."""

    def __init__(
        self,
        name: str,
        version: str,
        clock: Callable[[], int],
        plant: PlantView,
        alarms: AlarmStore,
        outbox: Outbox,
        *,
        budget_bytes: int,
        directory: Path,
        raw: Callable[[], RawBuffer],
        sources: Callable[[], Sequence[SourceStatus]],
        public_key: str = "",
        ids: Callable[[], Mapping[int, str]] = dict,
    ) -> None:
        """ids: every key that was ever given, with its signal's id."""
        self._name, self._version = name, version
        self._clock = clock
        self._started_at = started_at = clock()
        self._plant = plant
        self._alarms = alarms
        self._outbox = outbox
        self._budget_bytes = budget_bytes
        self._directory = directory
        self._raw = raw
        self._sources = sources
        self._public_key = public_key
        self._ids = ids
        self._rate: tuple[int, int] = (started_at, 0)
        self._ended = EndedConditions(clock)
        self.conditions: Callable[[], Sequence[GatewayCondition]] = lambda: ()
        self.uplink: Callable[[], UplinkStatus] = lambda: UplinkStatus(SiteState.NONE, started_at)
        self.role: Callable[[], tuple[GatewayRole, str]] = lambda: (GatewayRole.ALONE, "")
        self.reductions: Callable[[], tuple[Reduction, ...]] = lambda: ()

    def __call__(self) -> GatewayStatus:
        sources, rules = tuple(self._sources()), self._alarms.rules()
        role, partner = self.role()
        conditions = tuple(self.conditions())
        return GatewayStatus(
            name=self._name,
            version=self._version,
            at=self._clock(),
            started_at=self._started_at,
            role=role,
            uplink=self.uplink(),
            buffer=self._buffer(),
            ledger=self._outbox.sums(),
            sources=sources,
            conditions=conditions,
            silent=tuple(self._silent(sources, rules)),
            former=self._former(),
            signals=int(self._plant.table.known.sum()),
            alarms=sum(alarm.status.active for alarm in rules),
            partner=partner,
            resident_bytes=resident_bytes(),
            public_key=self._public_key,
            ended=self._ended.follow(conditions),
            reductions=self.reductions(),
        )

    def told(self, status: GatewayStatus) -> None:
        """The site has this status."""
        self._ended.told(status.ended)

    def _buffer(self) -> BufferStatus:
        raw, waiting_bytes = self._raw(), self._outbox.waiting().bytes
        return BufferStatus(
            budget_bytes=self._budget_bytes,
            raw_bytes=raw.bytes,
            outbox_bytes=self._outbox.size(),
            free_disk_bytes=shutil.disk_usage(self._directory).free,
            raw_from=raw.raw_from,
            full_in_s=self._full_in_s(waiting_bytes),
        )

    def _full_in_s(self, waiting_bytes: int) -> float | None:
        """By how fast what waits for the site has grown since it began to; raw readings give way to it."""
        began, before = self._rate
        now = self._clock()
        if waiting_bytes <= before or not waiting_bytes or now <= began:
            self._rate = (now, waiting_bytes)
            return None
        a_second = (waiting_bytes - before) / ((now - began) / SECOND)
        left_s = max(self._budget_bytes - waiting_bytes, 0) / a_second
        return left_s if now - began > _LEAST_RATE_US else None

    def _silent(self, sources: Sequence[SourceStatus], rules: Sequence[Alarm]) -> list[str]:
        """Signals whose own or whose asset's silence stands here, and those of sources that are away."""
        away = {source.name for source in sources if source.state is not SourceState.CONNECTED}
        quiet = [a.rule for a in rules if a.rule.condition is Condition.SILENT and a.status.active]
        assets = {rule.asset_id for rule in quiet if not rule.signal_key}
        keys = {rule.signal_key for rule in quiet if rule.signal_key}
        return [
            signal.id
            for signal in self._plant.table.signals
            if signal is not None and (signal.source in away or signal.asset_id in assets or signal.key in keys)
        ]

    def _former(self) -> tuple[str, ...]:
        known, given = self._plant.table.key_of, self._ids()
        return () if len(known) == len(given) else tuple(name for name in given.values() if name not in known)


def resident_bytes() -> int:
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return 0
