"""A real site on loopback: spool, door, line, historian, catalog and uvicorn; only the sources are none."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from argon2 import PasswordHasher

from forewarn.api.access_book import AccessBook
from forewarn.api.access_parts import AccessParts
from forewarn.api.access_tokens import TokenSigner
from forewarn.api.application import create_app
from forewarn.api.live import LiveBroadcaster
from forewarn.api.parts import ApiParts
from forewarn.app.plant_view import CatalogPlantView
from forewarn.catalog import Seal, open_catalog
from forewarn.contracts.simulation import ActiveFault, FaultInfo, SimulationStatus
from forewarn.domain.access import Grant
from forewarn.domain.alarms import AlarmRule, Condition, Priority
from forewarn.domain.assets import Asset, Component, Limits, Plant, Signal
from forewarn.domain.errors import NotFound
from forewarn.domain.sources import SourceState, SourceStatus
from forewarn.kit.clock import DAY, now_us
from forewarn.kit.passwords import PasswordHashing
from forewarn.pipeline.door import IntakeDoor
from forewarn.pipeline.edge_intake import EdgeDesk
from forewarn.pipeline.judge import JudgeStage
from forewarn.pipeline.line import Line, RoutedOffsets
from forewarn.pipeline.publish import PublishStage, VolatileOffsets
from forewarn.pipeline.record import RecordStage, WatermarkOffsets
from forewarn.pipeline.score import ScoreStage
from forewarn.plugins.batch_logs.sqlite_spool import SqliteSpool
from forewarn.plugins.historians.parquet import ParquetHistorian
from tests.credentials import Bearer, Credentials

SEAL = Seal(b"0" * 32)
# Of the least cost: what is tested is who gets in, not how long a hash takes.
QUICK = PasswordHashing(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
PATH = ("acme", "nashik", "utilities", "cooling")
SECOND_PATH = ("acme", "goa", "utilities", "cooling")
DIALECT = (
    *("Motor_RPM", "Bearing_Temperature_C", "Oil_Pressure_bar", "Vibration_mm_s", "Flow_Rate_L_min"),
    *("Suction_Pressure_bar", "Discharge_Pressure_bar", "Motor_Current_A", "Casing_Temperature_C"),
    "Ambient_Temperature_C",
)


def plant_of() -> tuple[Plant, list[AlarmRule]]:
    """p1 with three signals and two alarm rules, p2 with 200, the pump of the dialect, and q1 on another site."""
    assets = (
        Asset("p1", "Pump one", PATH, "centrifugal_pump", components=(Component("bearing", ("VIB",)),)),
        Asset("p2", "Pump two", PATH),
        Asset("p9", "Dialect pump", PATH, "pump_dialect"),
        Asset("q1", "Pump far away", SECOND_PATH, "centrifugal_pump"),
    )
    signals = (
        Signal("p1.vibration", "p1", "vibration", "vibration_velocity", "mm/s", limits=Limits(high=4.5)),
        Signal("p1.temperature", "p1", "temperature", "temperature", "degC"),
        Signal("p1.speed", "p1", "speed", "speed", "rpm", running_above=100.0),
        *(Signal(f"p2.s{i}", "p2", f"s{i}", "pressure", "bar") for i in range(200)),
        Signal("q1.vibration", "q1", "vibration", "vibration_velocity", "mm/s"),
        *(Signal(f"p9.{name}", "p9", name, "temperature", "") for name in DIALECT),
    )
    rules = [
        AlarmRule("p1", "vib-high", 0, "p1.vibration", Condition.ABOVE, 4.5, Priority.HIGH, "Vibration high"),
        AlarmRule("p1", "temp-high", 0, "p1.temperature", Condition.ABOVE, 90, Priority.CRITICAL, "Too hot"),
    ]
    return Plant(assets, signals), rules


class OneSource:
    """SourceMonitor of a plant with one OPC UA server."""

    def statuses(self) -> Sequence[SourceStatus]:
        return [SourceStatus("line-1", "opcua", SourceState.CONNECTED, 1_000_000, now_us(), 12, 1, 2, "")]


class TwoFaults:
    """SimulationControl that keeps its state in memory."""

    def __init__(self) -> None:
        faults = (FaultInfo("imbalance", "Imbalance", "Mass off centre", ("centrifugal_pump",)),)
        self._status = SimulationStatus(True, False, ("p1",), faults)

    def status(self) -> SimulationStatus:
        return self._status

    def start(self) -> SimulationStatus:
        self._status = replace(self._status, running=True)
        return self._status

    def stop(self) -> SimulationStatus:
        self._status = replace(self._status, running=False, active=())
        return self._status

    def inject(self, asset_id: str, fault: str, severity: float, ramp_s: float) -> SimulationStatus:
        if asset_id not in self._status.assets:
            raise NotFound(f"there is no simulated asset {asset_id!r}")
        self._status = replace(self._status, active=(ActiveFault(asset_id, fault, severity, now_us()),))
        return self._status

    def clear(self, asset_id: str, fault: str) -> SimulationStatus:
        self._status = replace(self._status, active=())
        return self._status


@dataclass(frozen=True)
class Opened:
    """Everything that a server is made of, with somebody who may do everything."""

    parts: ApiParts
    access: AccessParts
    credentials: Credentials
    admin: Bearer
    gateways: dict[str, Bearer] = field(default_factory=dict)

    def but(self, **changes: Any) -> "Opened":
        """The same with other parts."""
        return replace(self, parts=replace(self.parts, **changes))

    def gateway(self, name: str) -> Bearer:
        """The key of the gateway of that name."""
        if name not in self.gateways:
            self.gateways[name] = self.credentials.machine(name)
        return self.gateways[name]


@dataclass(frozen=True)
class Site:
    """client: an admin's."""

    url: str
    client: httpx.Client
    opened: Opened
    server: uvicorn.Server

    @property
    def parts(self) -> ApiParts:
        return self.opened.parts

    def post(self, readings: Sequence[object], gateway: str = "gw", **more: object) -> httpx.Response:
        body = {"gateway_id": gateway, "readings": list(readings), **more}
        return self.client.post("/api/v1/telemetry/batch", json=body, auth=self.opened.gateway(gateway))

    def as_person(self, name: str, *grants: Grant) -> httpx.Client:
        """A client of somebody new."""
        return httpx.Client(base_url=self.url, timeout=30, auth=self.opened.credentials.person(name, *grants))

    def settle(self) -> None:
        """Wait until the line has recorded what was acknowledged."""
        last = self.parts.log.depth().last_offset
        until = time.monotonic() + 60
        while time.monotonic() < until:
            if self.parts.line_health().behind == 0 and self.parts.log.depth().last_offset == last:
                return
            time.sleep(0.01)
        raise AssertionError(f"the line stands still: {self.parts.line_health()}")


@contextlib.contextmanager
def open_parts(directory: Path, **settings: Any) -> Iterator[Opened]:
    with contextlib.ExitStack() as closing:
        catalog = closing.enter_context(open_catalog(f"sqlite:///{directory / 'catalog.db'}", seal=SEAL))
        catalog.plant.apply(*plant_of())
        plant = CatalogPlantView(catalog.plant)
        log = SqliteSpool(directory / "log")
        closing.callback(log.close)
        historian = ParquetHistorian(directory / "historian")
        closing.callback(historian.close)
        feed = LiveBroadcaster()
        routes = {
            RecordStage.name: WatermarkOffsets(historian),
            PublishStage.name: VolatileOffsets(log.depth().last_offset),
        }
        edge = EdgeDesk()
        stages = [
            RecordStage(historian, log.depth),
            ScoreStage([], catalog.anomalies, plant, edge=edge),
            JudgeStage(catalog.alarms, plant, now_us, 0, edge=edge),
            PublishStage(feed),
        ]
        line = Line(log, stages, RoutedOffsets(catalog.offsets, routes))
        line.start()
        closing.callback(line.stop)
        parts = ApiParts(
            door=IntakeDoor(log, plant, now_us),
            log=log,
            historian=historian,
            plant=plant,
            anomalies=catalog.anomalies,
            alarms=catalog.alarms,
            audit=catalog.audit,
            gateways=catalog.gateways,
            leases=catalog.leases,
            edge=edge,
            sources=OneSource(),
            simulation=TwoFaults(),
            feed=feed,
            line_health=line.health,
            clock=now_us,
            catalog_alive=catalog.ping,
            version="1.2.3",
            directory=directory,
        )
        signer = TokenSigner(b"1" * 32, now_us)
        book = AccessBook(catalog.people, catalog.machines, signer, now_us)
        access = AccessParts(
            catalog.people,
            catalog.machines,
            book,
            signer,
            QUICK,
            now_us,
            demo=False,
            secure_cookies=False,
            session_us=DAY,
        )
        credentials = Credentials(catalog, signer, book.changed)
        opened = replace(parts, **settings)
        yield Opened(opened, access, credentials, credentials.person("anna"))


@contextlib.contextmanager
def serving(opened: Opened) -> Iterator[Site]:
    """uvicorn on a free port, as `forewarn serve` runs it."""
    bound = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        create_app(opened.parts, opened.access), log_config=None, access_log=False, timeout_graceful_shutdown=5
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([bound],), daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.005)
    url = f"http://127.0.0.1:{bound.getsockname()[1]}"
    try:
        with httpx.Client(base_url=url, timeout=30, auth=opened.admin) as client:
            yield Site(url, client, opened, server)
    finally:
        opened.parts.feed.close()
        server.should_exit = True
        thread.join(60)
        bound.close()
        assert not thread.is_alive(), "the server did not shut down"
