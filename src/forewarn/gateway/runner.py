"""Every source in a task of its own: none waits for, or falls with, another."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from forewarn.contracts.connector import Connector
from forewarn.contracts.door import Door
from forewarn.domain.assets import Signal, SourceConfig
from forewarn.domain.conditions import GatewayCondition
from forewarn.domain.sources import SourceState, SourceStatus, SourceTimes
from forewarn.gateway.gaps import Gaps, SourceGaps
from forewarn.gateway.health import SourceHealth
from forewarn.gateway.sink import Absence, BatchNumbers, DoorSink, Newest, gateway_of
from forewarn.gateway.supervisor import mark, supervise
from forewarn.kit.clock import SECOND, now_us
from forewarn.kit.retry import Backoff

_CANCEL_AGAIN_S: Final = 5.0
_PERIODS: Final = 3


@dataclass(frozen=True, slots=True)
class _Plan:
    """A source and its signals."""

    config: SourceConfig
    signals: tuple[Signal, ...]

    def collects_as(self, other: "_Plan | None") -> bool:
        """Nothing differs that collecting depends on: a new alarm limit is no reason to drop a session."""
        return other is not None and self.config == other.config and self._wiring() == other._wiring()

    def _wiring(self) -> list[tuple[object, ...]]:
        return [(s.id, s.asset_id, s.key, s.unit, s.rate_hz, s.address) for s in self.signals]


def _plans(sources: Sequence[SourceConfig], signals: Sequence[Signal]) -> dict[str, _Plan]:
    of: dict[str, list[Signal]] = {source.name: [] for source in sources}
    for signal in signals:
        if signal.source in of and signal.key > 0:
            of[signal.source].append(signal)
    return {source.name: _Plan(source, tuple(of[source.name])) for source in sources}


class SourceRunner:
    """Runs the sources' connectors; a SourceMonitor.

    absence: what was not collected before this process; each source marks its own part before it begins.
    newest: source times of the newest readings stored so far, for devices that keep history.
    gaps: told what is not read; for a standby partner.
    first_sequence: the last batch number the log has seen for a gateway, -1 if none; a source's go on from there.
    `run`, `update` and `stop` belong to one event loop; `statuses` may be called from any thread.
    """

    def __init__(
        self,
        sources: Sequence[SourceConfig],
        signals: Sequence[Signal],
        connectors: Mapping[str, Connector],
        door: Door,
        first_sequence: Callable[[str], int],
        clock: Callable[[], int] = now_us,
        *,
        absence: Absence | None = None,
        newest: Newest | None = None,
        gaps: Gaps | None = None,
        stale_after_s: float = 30.0,
        backoff: Backoff | None = None,
        misconfigured_again_s: float = 30.0,
    ) -> None:
        self._connectors = connectors
        self._door = door
        self._first_sequence = first_sequence
        self._clock = clock
        self._stale_after_us = int(stale_after_s * SECOND)
        self._backoff = backoff or Backoff()
        self._misconfigured_again_s = misconfigured_again_s
        self._absence = absence
        self._newest = newest
        self._gaps = gaps or Gaps(clock)
        self._plans = _plans(sources, signals)
        for plan in self._plans.values():
            self._gaps_of(plan)
        self._health = {name: self._fresh_health(plan) for name, plan in self._plans.items()}
        self._absent = set(self._plans)
        self._numbers: dict[str, BatchNumbers] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stopping = asyncio.Event()
        self._running = False
        self._changing = asyncio.Lock()

    def statuses(self) -> Sequence[SourceStatus]:
        health = self._health
        return [health[name].status() for name in sorted(health)]

    def conditions(self) -> Sequence[GatewayCondition]:
        """What is wrong with which source, the oldest first. Thread-safe."""
        health = self._health
        return sorted((c for each in health.values() for c in each.conditions()), key=lambda c: c.since)

    async def run(self) -> None:
        """Keep all sources going until `stop`, or until cancelled; both close every connection first."""
        self._running = True
        try:
            async with self._changing:
                for name in self._plans:
                    self._start(name)
            await self._stopping.wait()
        finally:
            self._running = False
            await self._cancel(list(self._tasks))

    async def update(self, sources: Sequence[SourceConfig], signals: Sequence[Signal]) -> None:
        """The plant changed: restart the sources whose settings or signals differ, and those that are misconfigured,
        for what was wrong may lie in another file; leave the others be."""
        async with self._changing:
            new = _plans(sources, signals)
            gone = [name for name in self._plans if name not in new]
            changed = [
                name
                for name, plan in new.items()
                if not plan.collects_as(self._plans.get(name))
                or self._health[name].status().state is SourceState.MISCONFIGURED
            ]
            await self._cancel([*gone, *changed])
            kept = {name: self._health[name] for name in new if name not in changed}
            self._health = kept | {name: self._fresh_health(new[name]) for name in changed}
            self._plans = new
            if self._running:
                for name in changed:
                    self._start(name)

    async def stop(self) -> None:
        self._stopping.set()
        await self._cancel(list(self._tasks))

    def _fresh_health(self, plan: _Plan) -> SourceHealth:
        connector = self._connectors.get(plan.config.connector)
        fastest_hz = max((s.rate_hz for s in plan.signals), default=1.0) or 1.0
        return SourceHealth(
            plan.config.name,
            plan.config.connector,
            max(self._stale_after_us, int(_PERIODS * SECOND / fastest_hz)),
            self._clock,
            tells_of_now=connector is None or connector.times is not SourceTimes.PAST,
        )

    def _gaps_of(self, plan: _Plan) -> SourceGaps:
        connector = self._connectors.get(plan.config.connector)
        keys = np.array([signal.key for signal in plan.signals], np.int32)

        def stored() -> int:
            return 0 if self._newest is None else max(0, int(self._newest(keys).max(initial=0)))

        exact = connector is not None and connector.times is SourceTimes.RECEPTION
        return self._gaps.of(plan.config.name, exact, stored)

    def _start(self, name: str) -> None:
        plan, health = self._plans[name], self._health[name]
        ids = {signal.key: signal.id for signal in plan.signals}
        if name not in self._numbers:
            self._numbers[name] = BatchNumbers(self._first_sequence(gateway_of(name)))
        gaps = self._gaps_of(plan)
        sink = DoorSink(health, self._door, self._numbers[name], ids, self._clock, gaps, self._newest)
        # Once a source: a restart of ours within this process is no absence.
        absence = self._absence if name in self._absent else None
        self._absent.discard(name)
        self._tasks[name] = asyncio.create_task(self._work(plan, health, sink, absence), name=f"source {name}")

    async def _work(self, plan: _Plan, health: SourceHealth, sink: DoorSink, absence: Absence | None) -> None:
        if absence is not None:
            await mark(plan.config.name, sink.mark_absence(absence))
        again_s = self._misconfigured_again_s
        await supervise(plan.config, plan.signals, self._connectors, sink, health, self._backoff, again_s)

    async def _cancel(self, names: Sequence[str]) -> None:
        tasks = {name: self._tasks.pop(name) for name in names if name in self._tasks}
        left = set(tasks.values())
        while left:
            # More than once: a library may swallow a cancellation (asyncio.wait_for does, before Python 3.12).
            for task in left:
                task.cancel()
            _, left = await asyncio.wait(left, timeout=_CANCEL_AGAIN_S)
        for name in tasks:
            self._health[name].enter(SourceState.STOPPED)
            self._gaps_of(self._plans[name]).lost()
