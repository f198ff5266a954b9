"""What this process remembers of the gateways between their requests."""

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import anyio.to_thread
import numpy as np
from fastapi import Request
from numpy.typing import NDArray

from forewarn.api.condition_findings import ConditionFindings, behind
from forewarn.api.gateway_drift import GatewayDrift, bounded
from forewarn.api.gateway_tables import SignalTables
from forewarn.contracts.edge_intake import EdgeIntake
from forewarn.contracts.gateway_store import GatewayStore
from forewarn.contracts.plant_view import PlantView
from forewarn.domain.errors import NotFound
from forewarn.domain.gateways import GatewayRole, GatewayStatus
from forewarn.domain.model_delivery import DriftNews, HeldModels, WantedModels

# Heartbeats that rates are taken from: a minute of them.
_BEATS: Final = 13


@dataclass(frozen=True, slots=True)
class _Beat:
    at: int
    backlog: int
    readings: dict[str, int]


@dataclass(frozen=True, slots=True)
class ModelsThere:
    """wanted: what the gateway was told last that it should hold. held: what it told of that itself, told_at (our
    clock, microseconds UTC), None where it has not since this process began."""

    wanted: WantedModels
    held: HeldModels | None = None
    told_at: int | None = None


_NO_BEATS: Final[deque[_Beat]] = deque()
_NOTHING: Final[frozenset[str]] = frozenset()


class GatewayDesk:
    """One per application, for the event loop's thread."""

    def __init__(self, started_at: int, findings: ConditionFindings) -> None:
        """started_at: microseconds UTC; before that nobody could have come. findings: of the whole plant."""
        self.started_at = started_at
        self.findings = findings
        self.tables, self.drift = SignalTables(), GatewayDrift()
        self._told: dict[str, tuple[NDArray[np.int32], frozenset[str]]] = {}
        self._former: dict[str, frozenset[str]] = {}
        self._beats: dict[str, deque[_Beat]] = {}
        self._newest: dict[str, int] = {}
        self._models: dict[str, ModelsThere] = {}

    def told_until(self, gateway: str, time: int) -> None:
        """A parcel of its readings is durable; `time` is the greatest source time in it, microseconds UTC."""
        self._newest[gateway] = max(time, self._newest.get(gateway, 0))

    def newest(self, gateway: str) -> int:
        """The greatest source time that came from it since this process began, 0 if nothing did. Any thread."""
        return self._newest.get(gateway, 0)

    def told_models(self, gateway: str, wanted: WantedModels, held: HeldModels | None, now: int) -> str:
        """With a heartbeat. held: None where it said nothing new. The name of what is known of it."""
        before = self._models.get(gateway, ModelsThere(wanted))
        known = ModelsThere(wanted, before.held, before.told_at) if held is None else ModelsThere(wanted, held, now)
        self._models[gateway] = known
        return "" if known.held is None else known.held.name

    def models(self, gateway: str) -> ModelsThere:
        return self._models.get(gateway, ModelsThere(WantedModels()))

    def told_drift(
        self, gateway: str, news: DriftNews | None, collected: Collection[str], plant: PlantView, latest: int
    ) -> int:
        """With a heartbeat, after `told_models`. collected: ids. latest: as in `bounded`. The number of the newest that
        is known of it."""

        def own(asset_id: str) -> list[str]:
            return [signal.id for signal in plant.signals_of(asset_id) if signal.id in collected]

        there = self.models(gateway)
        kept = None if news is None else bounded(news, own, latest)
        return self.drift.told(gateway, kept, there.wanted.acting, None if there.held is None else there.held.acting)

    async def load(self, gateway: str, store: GatewayStore) -> None:
        """The table that it sent before this process began."""
        if self.tables.knows(gateway):
            return
        try:
            record = await anyio.to_thread.run_sync(store.gateway, gateway)
        except NotFound:
            return
        if record.signals and not self.tables.knows(gateway):
            self.tables.put(gateway, record.table, record.signals)
            if record.status is not None:
                self._former.setdefault(gateway, frozenset(record.status.former))

    def told(self, gateway: str, keys: NDArray[np.int32]) -> bool:
        """Whether these were the newest that `scored` was told, and what the gateway gave up is still the same."""
        before = self._told.get(gateway)
        return before is not None and before[0] is keys and before[1] == self._former.get(gateway, _NOTHING)

    def scored(self, gateway: str, ids: Sequence[str], keys: NDArray[np.int32], edge: EdgeIntake) -> list[str]:
        """Tell the line. keys: row 0 is none. The ids of the signals that it scores."""
        collected = self._collected(gateway, ids, keys)
        edge.scores(gateway, keys[1:][collected])
        self._told[gateway] = keys, self._former.get(gateway, _NOTHING)
        return [ids[i] for i in np.flatnonzero(collected).tolist()]

    def collects(self, gateway: str, plant: PlantView) -> list[str]:
        """Ids of the signals that it collects now; after `load`."""
        ids, keys = self.tables.newest(gateway, plant.table)
        return [ids[i] for i in np.flatnonzero(self._collected(gateway, ids, keys)).tolist()]

    def _collected(self, gateway: str, ids: Sequence[str], keys: NDArray[np.int32]) -> NDArray[np.bool_]:
        return (keys[1:] > 0) & ~_named(self._former.get(gateway, _NOTHING), ids)

    def vouch(
        self, status: GatewayStatus, ids: Sequence[str], keys: NDArray[np.int32], edge: EdgeIntake, now: int
    ) -> None:
        """A standby does not collect, so it knows nothing of the signals; nor does anyone of those that it gave up."""
        former = self._former[status.name] = frozenset(status.former)
        if status.role is GatewayRole.STANDBY:
            return
        silent = _named(frozenset(status.silent), ids)
        known = (keys[1:] > 0) & ~_named(former, ids)
        edge.heard(keys[1:][known & ~silent], keys[1:][known & silent], now)

    async def follow(self, status: GatewayStatus, plant: PlantView, now: int) -> None:
        """Its conditions as findings; after `load`."""
        ids, keys = self.tables.newest(status.name, plant.table)
        mark = keys if ids else None
        if self.findings.is_news(status, mark):
            there = partial(behind, plant, status.name, ids, status)
            await anyio.to_thread.run_sync(self.findings.follow, status, there, mark, now)

    def retire(self, gateway: str, edge: EdgeIntake) -> None:
        """As if it had never come: its parcels are asked for the signal table, as a new one's are."""
        self.tables.forget(gateway)
        edge.scores(gateway, np.zeros(0, np.int32))
        for of_gateway in (self._told, self._former, self._beats, self._newest, self._models):
            of_gateway.pop(gateway, None)
        self.drift.forget(gateway)

    def noted(self, status: GatewayStatus, now: int) -> None:
        beats = self._beats.setdefault(status.name, deque(maxlen=_BEATS))
        beats.append(_Beat(now, status.uplink.backlog_readings, {s.name: s.readings for s in status.sources}))

    def catch_up_s(self, gateway: str) -> float | None:
        """How long the backlog lasts at the pace of the last minute; None where it does not shrink."""
        beats = self._beats.get(gateway, _NO_BEATS)
        if len(beats) < 2 or beats[-1].at <= beats[0].at:
            return None
        pace = (beats[0].backlog - beats[-1].backlog) / ((beats[-1].at - beats[0].at) / 1e6)
        return beats[-1].backlog / pace if pace > 0 else None

    def rate(self, gateway: str, source: str) -> float | None:
        """Readings per second over the last minute; None before the second heartbeat."""
        beats = self._beats.get(gateway, _NO_BEATS)
        if len(beats) < 2 or beats[-1].at <= beats[0].at:
            return None
        gained = beats[-1].readings.get(source, 0) - beats[0].readings.get(source, 0)
        return max(0.0, gained / ((beats[-1].at - beats[0].at) / 1e6))


def _named(names: frozenset[str], ids: Sequence[str]) -> NDArray[np.bool_]:
    """By place in `ids`."""
    return np.fromiter((name in names for name in ids), np.bool_, len(ids)) if names else np.zeros(len(ids), np.bool_)


def desk_of(request: Request) -> GatewayDesk:
    desk: GatewayDesk = request.app.state.gateways
    return desk
