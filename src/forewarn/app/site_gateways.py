"""A site's care for its edge gateways between their heartbeats."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from forewarn.api.condition_findings import behind
from forewarn.api.edge_findings import keep
from forewarn.api.gateway_views import AWAY_US, away_condition
from forewarn.catalog import Catalog
from forewarn.contracts.edge_intake import EdgeIntake
from forewarn.contracts.gateway_records import GatewayRecord
from forewarn.contracts.plant_view import PlantView
from forewarn.domain.conditions import ConditionCode
from forewarn.domain.findings import Finding
from forewarn.domain.gateways import GatewayRole
from forewarn.kit.clock import DAY, SECOND
from forewarn.policies.gateway_findings import comes_of, findings_of

_EVERY_US: Final = 5 * SECOND
_KEEP_US: Final = 90 * DAY
_FORGET_US: Final = 3_600 * SECOND


class SiteGateways:
    """clock: microseconds UTC. For one thread at a time."""

    def __init__(self, catalog: Catalog, plant: PlantView, edge: EdgeIntake, clock: Callable[[], int]) -> None:
        self._catalog, self._plant, self._edge, self._clock = catalog, plant, edge, clock
        self._began = self._looked = clock()
        self._forgot = 0
        self._away: dict[str, tuple[int, list[Finding]]] | None = None  # since, and what was told, by name

    def resume(self) -> None:
        """What they scored when the last process ended they still score; not those whose machine was revoked."""
        known, standing = self._plant.table.key_of, self._standing()
        for record in self._catalog.gateways.gateways():
            if record.name in standing:
                keys = [known[name] for name in record.scored if name in known]
                self._edge.scores(record.name, np.array(keys, np.int32))

    def look_around(self) -> None:
        """Call it about once a second: note who is away, and take back what a revoked machine scored."""
        now = self._clock()
        if 0 <= now - self._looked < _EVERY_US:
            return
        self._looked = now
        if now - self._began > AWAY_US:
            self._catalog.gateways.note_away(now - AWAY_US)
        standing = self._standing()
        records = self._catalog.gateways.gateways()
        for record in records:
            if record.name not in standing:
                self._edge.scores(record.name, np.zeros(0, np.int32))
        self._tell_away(records, now)
        if now - self._forgot > _FORGET_US:
            self._catalog.gateways.forget(now - _KEEP_US)
            self._forgot = now

    def _tell_away(self, records: Sequence[GatewayRecord], now: int) -> None:
        """Who is away is a finding as well, on the machines behind it, until it is heard again."""
        seen = {r.name: r.last_seen for r in records if r.last_seen is not None}
        if self._away is None:
            self._away = self._told_away(seen)
        for name, (since, found) in list(self._away.items()):
            if seen.get(name) != since:
                self._keep([replace(f, ended_at=max(f.last_at, seen.get(name, now))) for f in found])
                del self._away[name]
        for record in records:
            since = seen.get(record.name, now)
            # Of a standby nothing was sent: its partner tells.
            sends = record.status is not None and record.status.role is not GatewayRole.STANDBY
            if sends and record.name not in self._away and now - max(since, self._began) > AWAY_US:
                there = behind(self._plant, record.name, record.signals, record.status)
                found = findings_of(away_condition(since, since), there)
                self._keep(found)
                self._away[record.name] = since, found

    def _told_away(self, names: Iterable[str]) -> dict[str, tuple[int, list[Finding]]]:
        """By the last process, and not ended."""
        told: dict[str, tuple[int, list[Finding]]] = {}
        standing = self._catalog.anomalies.open_episodes()
        for name in names:
            if found := [f for f in standing if comes_of(f, name, ConditionCode.UNREACHABLE, "")]:
                told[name] = found[0].started_at, found
        return told

    def _keep(self, findings: Sequence[Finding]) -> None:
        keep(self._catalog.anomalies, self._edge, findings)

    def _standing(self) -> set[str]:
        return {machine.name for machine in self._catalog.machines.machines() if not machine.revoked}
