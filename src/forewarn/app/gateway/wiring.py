"""The sole place where a gateway's objects meet: its file in, a running line out."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from forewarn import __version__
from forewarn.app.gateway.collecting import connectors_of, source_runner
from forewarn.app.gateway.drill_clock import machine_clock
from forewarn.app.gateway.edge_line import edge_line
from forewarn.app.gateway.edge_models import EdgeModels, edge_models
from forewarn.app.gateway.file_plant import FilePlantView
from forewarn.app.gateway.reaching_out import origins_of, planned_output, site_link, standby_of, uplink_of
from forewarn.app.gateway.stores import MIB, Stores, open_stores
from forewarn.app.heartbeat import Heartbeat
from forewarn.contracts.connector import Connector
from forewarn.domain.assets import Plant
from forewarn.domain.conditions import GatewayCondition
from forewarn.gateway.board import Board
from forewarn.gateway.conditions import Conditions
from forewarn.gateway.gaps import Gaps
from forewarn.gateway.local.alarms import LocalAlarms
from forewarn.gateway.local.keys import rules_with_keys
from forewarn.gateway.outputs import OutputRunner
from forewarn.gateway.runner import SourceRunner
from forewarn.gateway.standby import Standby
from forewarn.gateway.status import RawBuffer, StatusReport
from forewarn.gateway.uplink.uplink import Uplink
from forewarn.kit.clock import keep_time_by, now_us
from forewarn.kit.steady_clock import SteadyClock
from forewarn.pipeline.line import Line
from forewarn.policies.gateway_settings import GatewaySettings
from forewarn.policies.rules import default_rules


@dataclass(frozen=True, slots=True)
class Gateway:
    """Open, and its line runs. The runners, the uplink and the standby want an event loop; `keep_ring` blocks."""

    settings: GatewaySettings
    stores: Stores
    plant: FilePlantView
    alarms: LocalAlarms
    line: Line
    runner: SourceRunner
    outputs: OutputRunner
    board: Board
    uplink: Uplink | None
    standby: Standby | None
    conditions: Conditions
    heartbeat: Heartbeat
    clock: SteadyClock
    connectors: dict[str, Connector]
    models: EdgeModels

    async def take(self, plant: Plant) -> None:
        """The file was read again: its signals, rules and sources are taken over. Raises StorageFailed, and
        ConfigurationError where a connector cannot be loaded."""
        self.connectors.update(connectors_of([s for s in plant.sources if s.connector not in self.connectors]))
        signals = self.stores.keys.take(plant)
        self.alarms.take(rules_with_keys(default_rules(plant), signals))
        self.plant.take(plant, signals)
        if self.standby is not None:
            self.standby.origins = origins_of(plant.sources, self.connectors, signals)
        await self.runner.update(plant.sources, signals)

    def keep_ring(self) -> None:
        """Let go of raw readings past their time or beyond the budget. Raises StorageFailed."""
        self.stores.ring.keep()
        self.stores.ring.keep_within(self.settings.disk_budget_mib * MIB)


@contextlib.contextmanager
def open_gateway(settings: GatewaySettings, plant: Plant) -> Iterator[Gateway]:
    """Open stores, start the line, and close all in the right order, whatever happens in between.

    Raises ConfigurationError when a plugin or the directory cannot be used, StorageFailed."""
    clock = SteadyClock(machine_clock())
    keep_time_by(clock)
    conditions, of_site = Conditions("", now_us), Conditions("site", now_us)
    with contextlib.ExitStack() as closing:
        stores = open_stores(settings, conditions, closing)
        signals = stores.keys.take(plant)
        view = FilePlantView(plant, signals)
        alarms = LocalAlarms(stores.memory, rules_with_keys(default_rules(plant), signals))
        heartbeat = Heartbeat(settings.directory)
        connectors = connectors_of(plant.sources)
        gaps = Gaps()
        runner = source_runner(plant.sources, signals, connectors, stores, view, heartbeat, gaps, clock.latest)
        closing.callback(lambda: heartbeat.beat(now_us()))
        report = _report(settings, stores, view, alarms, runner)
        board = Board(view, alarms, report, lambda: report.uplink().state)
        outputs = OutputRunner(settings.name, [planned_output(one) for one in settings.outputs], board)

        def all_conditions() -> Sequence[GatewayCondition]:
            found = [*conditions.now(), *of_site.now(), *runner.conditions(), *outputs.conditions()]
            return sorted(found, key=lambda condition: condition.since)

        report.conditions = all_conditions
        link = site_link(settings)
        standby = standby_of(settings, plant.sources, connectors, signals, stores, link, conditions, gaps)
        models = edge_models(settings, stores, link, conditions, standby)
        board.models = lambda: models.local.held
        uplink = uplink_of(settings, link, stores, report, of_site, standby, clock, models.courier)
        if uplink is not None:
            report.uplink = uplink.status
        if standby is not None:
            report.role = lambda: standby.role
        line = edge_line(settings, stores, alarms, view, board, closing, models, report)
        line.start()
        closing.callback(line.stop)
        yield Gateway(
            *(settings, stores, view, alarms, line, runner, outputs, board, uplink, standby, conditions, heartbeat),
            clock,
            connectors,
            models,
        )


def _report(
    settings: GatewaySettings, stores: Stores, view: FilePlantView, alarms: LocalAlarms, runner: SourceRunner
) -> StatusReport:
    return StatusReport(
        settings.name,
        __version__,
        now_us,
        view,
        alarms,
        stores.outbox,
        budget_bytes=settings.disk_budget_mib * MIB,
        directory=settings.directory,
        raw=lambda: RawBuffer(stores.log.depth().bytes, stores.ring.raw_from),
        sources=runner.statuses,
        public_key=stores.outbox.public_key,
        ids=stores.keys.id_of,
    )
