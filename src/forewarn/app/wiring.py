"""The sole place where objects meet: settings in, a running site out."""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import structlog
from fastapi import FastAPI

from forewarn import __version__
from forewarn.api.application import create_app
from forewarn.api.live import LiveBroadcaster
from forewarn.api.parts import ApiParts
from forewarn.app.plant_view import CatalogPlantView
from forewarn.app.plugins import connectors, load
from forewarn.app.settings import MIB, Settings
from forewarn.catalog import Catalog, open_catalog
from forewarn.contracts.batch_log import BatchLog
from forewarn.contracts.historian import Historian
from forewarn.contracts.offsets import StageOffsets
from forewarn.contracts.simulation import SimulationControl
from forewarn.contracts.stage import Stage
from forewarn.domain.assets import Signal
from forewarn.gateway.runner import SourceRunner
from forewarn.kit.clock import SECOND, now_us
from forewarn.pipeline.door import IntakeDoor
from forewarn.pipeline.judge import JudgeStage
from forewarn.pipeline.line import Line, RoutedOffsets
from forewarn.pipeline.publish import PublishStage, VolatileOffsets
from forewarn.pipeline.record import RecordStage, WatermarkOffsets
from forewarn.pipeline.score import ScoreStage

_log = structlog.get_logger(__name__)
STATIC: Final = Path(__file__).parents[1] / "static"


@dataclass(frozen=True, slots=True)
class Site:
    """A site that is open and whose line runs. `housekeeping` and `runner.run` want an event loop."""

    settings: Settings
    catalog: Catalog
    log: BatchLog
    historian: Historian
    plant: CatalogPlantView
    door: IntakeDoor
    line: Line
    runner: SourceRunner
    feed: LiveBroadcaster
    app: FastAPI

    async def housekeeping(self) -> None:
        """Once a second: take over a plant file that was applied meanwhile, by whatever process."""
        while True:
            await asyncio.sleep(1)
            try:
                if await asyncio.to_thread(self.plant.refresh):
                    sources = await asyncio.to_thread(self.catalog.plant.sources)
                    await self.runner.update(sources, _signals(self.plant))
            except Exception:
                # The catalog may be away for a moment (PostgreSQL restart); the next second asks again.
                _log.exception("plant_refresh_failed")


def _signals(plant: CatalogPlantView) -> Sequence[Signal]:
    return [signal for signal in plant.table.signals if signal is not None]


@contextlib.contextmanager
def open_site(settings: Settings, simulation: SimulationControl | None = None) -> Iterator[Site]:
    """Open stores, start the line, and close all in the right order, whatever happens in between.

    Raises ConfigurationError when the directory, a plugin or the database cannot be used.
    """
    directory = settings.make_directory()
    with contextlib.ExitStack() as closing:
        catalog = closing.enter_context(open_catalog(settings.catalog_url))
        plant = CatalogPlantView(catalog.plant)
        log: BatchLog = load("batch_logs", settings.batch_log)(
            directory / "log", capacity_bytes=settings.log_capacity_mib * MIB
        )
        closing.callback(log.close)
        historian: Historian = load("historians", settings.historian)(
            directory / "historian",
            flush_readings=settings.flush_readings,
            flush_interval_s=settings.flush_interval_s,
        )
        closing.callback(historian.close)
        known = np.flatnonzero(plant.table.known).astype(np.int32)
        door = IntakeDoor(log, plant, now_us, future_us=int(settings.max_future_s * SECOND))
        door.seed(historian.latest(known))
        door.catch_up(historian.watermark)
        feed = LiveBroadcaster()
        line = _line(settings, catalog, plant, log, historian, feed)
        line.start()
        closing.callback(line.stop)
        runner = SourceRunner(catalog.plant.sources(), _signals(plant), connectors(), door, log.last_sequence)
        parts = ApiParts(
            door=door,
            log=log,
            historian=historian,
            plant=plant,
            anomalies=catalog.anomalies,
            alarms=catalog.alarms,
            sources=runner,
            simulation=simulation,
            feed=feed,
            line_health=line.health,
            clock=now_us,
            catalog_alive=catalog.ping,
            version=__version__,
            directory=directory,
            database=catalog.backend,
            max_body_bytes=settings.max_body_mib * MIB,
            static_dir=STATIC if (STATIC / "index.html").is_file() else None,
            pump_asset=settings.pump_asset,
        )
        yield Site(settings, catalog, log, historian, plant, door, line, runner, feed, create_app(parts))


def _line(
    settings: Settings,
    catalog: Catalog,
    plant: CatalogPlantView,
    log: BatchLog,
    historian: Historian,
    feed: LiveBroadcaster,
) -> Line:
    detectors = [load("detectors", name)() for name in settings.detectors]
    score = ScoreStage(detectors, catalog.anomalies, plant)
    score.warm(historian, now_us())
    judge = JudgeStage(catalog.alarms, plant, now_us, catalog.offsets.get("judge"))
    judge.warm(historian, now_us())
    stages: list[Stage] = [RecordStage(historian), score, judge, PublishStage(feed)]
    # Each stage's place is kept where its effects are: with the segments, in the catalog, nowhere.
    routes: dict[str, StageOffsets] = {
        "record": WatermarkOffsets(historian),
        "publish": VolatileOffsets(log.depth().last_offset),
    }
    return Line(log, stages, RoutedOffsets(catalog.offsets, routes))
