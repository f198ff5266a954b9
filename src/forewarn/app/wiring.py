"""The sole place where objects meet: settings in, a running site out."""

import asyncio
import contextlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import structlog
from fastapi import FastAPI
from numpy.typing import NDArray

from forewarn import __version__
from forewarn.api.access_parts import AccessParts
from forewarn.api.application import create_app
from forewarn.api.live import LiveBroadcaster
from forewarn.api.model_parts import ModelParts
from forewarn.api.parts import ApiParts
from forewarn.app.access import open_access
from forewarn.app.front_door import front_door
from forewarn.app.heartbeat import BEAT_US, Heartbeat
from forewarn.app.model_care import ModelCare, model_care
from forewarn.app.newest import newest_good
from forewarn.app.plant_view import CatalogPlantView
from forewarn.app.plugins import connectors, load
from forewarn.app.settings import MIB, Settings
from forewarn.app.site_catalog import open_site_catalog
from forewarn.app.site_courses import SiteCourses
from forewarn.app.site_gateways import SiteGateways
from forewarn.app.site_models import SiteModels
from forewarn.app.site_rollouts import SiteRollouts, rollout_desk, site_rollouts
from forewarn.app.site_splits import SiteSplits, WholeMachines
from forewarn.app.site_thresholds import site_thresholds
from forewarn.app.site_training import TrainingDesk, model_parts, model_signer, training_desk
from forewarn.app.trained_plugins import InstalledDetectors
from forewarn.catalog import Catalog
from forewarn.contracts.batch_log import BatchLog
from forewarn.contracts.detector import Detector
from forewarn.contracts.historian import Historian
from forewarn.contracts.offsets import StageOffsets
from forewarn.contracts.simulation import SimulationControl
from forewarn.contracts.stage import Stage
from forewarn.domain.assets import Signal
from forewarn.domain.errors import StorageFailed
from forewarn.domain.model_versions import Span
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.series import Series
from forewarn.domain.status import is_bad
from forewarn.gateway.runner import SourceRunner
from forewarn.gateway.sink import Absence
from forewarn.jobs.retention import Retention
from forewarn.jobs.training.whole_past import senders_of, thins_any
from forewarn.kit.clock import DAY, SECOND, monotonic_us, now_us
from forewarn.kit.passwords import PasswordHashing
from forewarn.learning.drift_watch import DriftWatch
from forewarn.learning.machine_watch import MachineWatch
from forewarn.learning.model_source import ModelSource
from forewarn.pipeline.door import IntakeDoor
from forewarn.pipeline.edge_intake import EdgeDesk
from forewarn.pipeline.judge import JudgeStage
from forewarn.pipeline.line import Line, RoutedOffsets
from forewarn.pipeline.publish import PublishStage, VolatileOffsets
from forewarn.pipeline.record import RecordStage, WatermarkOffsets
from forewarn.pipeline.score import ScoreStage
from forewarn.pipeline.shadow import ShadowStage
from forewarn.policies.alarm_budget import AlarmBudget

_log = structlog.get_logger(__name__)
_LEAST_ABSENCE_US: Final = 3 * SECOND
_RETENTION_S: Final = 3_600
_MOST_UNJUDGED: Final = 1_000_000
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
    retention: Retention
    heartbeat: Heartbeat
    gateways: SiteGateways
    models: SiteModels
    training: TrainingDesk
    care: ModelCare
    rollouts: SiteRollouts
    splits: SiteSplits
    access: AccessParts
    first_password: str | None
    app: FastAPI

    async def housekeeping(self) -> None:
        """Once a second: take over a plant file that was applied meanwhile, by whatever process. Once an hour: let go
        of readings past their age."""
        for second in itertools.count(1):
            await asyncio.sleep(1)
            self.heartbeat.beat(now_us())
            try:
                await asyncio.to_thread(self.access.book.refresh)
                await asyncio.to_thread(self.gateways.look_around)
                if second % _RETENTION_S == 0:
                    await asyncio.to_thread(self.retention.run)
                if await asyncio.to_thread(self.plant.refresh):
                    sources = await asyncio.to_thread(self.catalog.plant.sources)
                    await self.runner.update(sources, _signals(self.plant))
            except Exception:
                # The catalog may be away for a moment (PostgreSQL restart); the next round asks again.
                _log.exception("housekeeping_failed")
            # Apart: a model or a rollout that cannot be read must not keep the plant from being followed.
            for look in (self.rollouts.look_around, self.models.refresh, self.splits.look_around):
                try:
                    await asyncio.to_thread(look)
                except Exception:
                    _log.exception("models_not_followed")


def _signals(plant: CatalogPlantView) -> Sequence[Signal]:
    return [signal for signal in plant.table.signals if signal is not None]


@contextlib.contextmanager
def open_site(settings: Settings, simulation: SimulationControl | None = None, *, demo: bool = False) -> Iterator[Site]:
    """Open stores, start the line, and close all in the right order, whatever happens in between.

    demo: the page signs in by itself, if the site listens on loopback. Raises ConfigurationError when the directory, a
    plugin or the database cannot be used."""
    directory = _tidy(settings.make_directory())
    with contextlib.ExitStack() as closing:
        catalog = closing.enter_context(open_site_catalog(settings))
        plant = CatalogPlantView(catalog.plant)
        log, historian = _stores(settings, directory, closing)
        retention, heartbeat = _upkeep(settings, directory, historian, closing)
        door = _door(settings, log, plant, historian, np.flatnonzero(plant.table.known).astype(np.int32))
        feed = LiveBroadcaster()
        detectors: list[Detector] = [load("detectors", name)() for name in settings.detectors]
        edge, gateways = _gateways(catalog, plant)
        rollouts, shadow = site_rollouts(settings, catalog, plant, edge)
        models, whole = _models(settings, catalog, plant, edge, rollouts)
        drift, watch = _watch(whole)
        line = _started(_line(detectors, catalog, plant, log, historian, feed, edge, watch, shadow), closing)
        runner = _runner(catalog, plant, door, log, historian, heartbeat.last())
        training, care = _training(settings, catalog, plant, historian)
        parts = ApiParts(
            door=door,
            log=log,
            historian=historian,
            plant=plant,
            anomalies=catalog.anomalies,
            alarms=catalog.alarms,
            audit=catalog.audit,
            gateways=catalog.gateways,
            leases=catalog.leases,
            edge=edge,
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
            baselining=lambda: _baselining(detectors, edge),
            future_us=int(settings.max_future_s * SECOND),
            models=_model_parts(settings, catalog, plant, historian, training, models, care, drift),
            delivery=rollouts,
        )
        access, password = _access(settings, catalog, demo, closing)
        yield Site(
            *(settings, catalog, log, historian, plant, door, line, runner, feed, retention, heartbeat, gateways),
            *(models, training, care, rollouts, whole.splits, access, password),
            create_app(parts, access, front_door(settings)),
        )


def _training(
    settings: Settings, catalog: Catalog, plant: CatalogPlantView, historian: Historian
) -> tuple[TrainingDesk, ModelCare]:
    desk = training_desk(settings, catalog, plant, historian)
    return desk, model_care(settings, catalog, plant, historian, desk.look)


def _access(
    settings: Settings, catalog: Catalog, demo: bool, closing: contextlib.ExitStack
) -> tuple[AccessParts, str | None]:
    access, password = open_access(settings, catalog, PasswordHashing(), demo=demo)
    closing.callback(access.book.close)
    return access, password


def _started(line: Line, closing: contextlib.ExitStack) -> Line:
    line.start()
    closing.callback(line.stop)
    return line


def _upkeep(
    settings: Settings, directory: Path, historian: Historian, closing: contextlib.ExitStack
) -> tuple[Retention, Heartbeat]:
    retention = Retention(historian, now_us, settings.keep_raw_days, settings.keep_rollup_days)
    retention.run()
    heartbeat = Heartbeat(directory)
    closing.callback(lambda: heartbeat.beat(now_us()))
    return retention, heartbeat


def _runner(
    catalog: Catalog,
    plant: CatalogPlantView,
    door: IntakeDoor,
    log: BatchLog,
    historian: Historian,
    last_beat: int | None,
) -> SourceRunner:
    latest = historian.latest(np.flatnonzero(plant.table.known).astype(np.int32))
    return SourceRunner(
        catalog.plant.sources(),
        _signals(plant),
        connectors(),
        door,
        log.last_sequence,
        absence=_absence(last_beat, latest, plant),
        newest=newest_good(historian, latest),
    )


def _tidy(directory: Path) -> Path:
    """Without the exports of a process that was killed while it wrote them."""
    for left in directory.glob("export-*.parquet"):
        left.unlink(missing_ok=True)
    return directory


def _door(
    settings: Settings, log: BatchLog, plant: CatalogPlantView, historian: Historian, known: NDArray[np.int32]
) -> IntakeDoor:
    """The door, knowing what is stored and what is still in the log."""
    keep_us = None if settings.keep_raw_days is None else int(settings.keep_raw_days * DAY)
    door = IntakeDoor(log, plant, now_us, future_us=int(settings.max_future_s * SECOND), keep_us=keep_us)
    door.seed(historian.latest(known))
    door.catch_up(historian.watermark)
    return door


def _stores(settings: Settings, directory: Path, closing: contextlib.ExitStack) -> tuple[BatchLog, Historian]:
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
    return log, historian


def _baselining(detectors: Sequence[Detector], edge: EdgeDesk) -> NDArray[np.bool_]:
    """By signal key: some detector still learns what is normal; of what a gateway scores, none of ours ever will.
    Called while the line's thread scores."""
    learning = [detector.baselining() for detector in detectors]
    # Between two `configure` calls of a plant that grows, one detector knows more signals than the next.
    some = np.zeros(max((len(one) for one in learning), default=0), np.bool_)
    for one in learning:
        some[: len(one)] |= one
    return some & ~edge.scored(len(some))


def _absence(last_beat: int | None, latest: Series, plant: CatalogPlantView) -> Absence | None:
    """The time from the last beat until now, if it is worth a mark, for the signals that did not end with one."""
    fastest_hz = max((s.rate_hz for s in _signals(plant)), default=1.0)
    if last_beat is None or now_us() - last_beat < max(_LEAST_ABSENCE_US, int(3 * SECOND / max(fastest_hz, 1e-3))):
        return None
    # A beat is up to a second old when the process dies; what it read in that second comes before the mark.
    return Absence(last_beat + BEAT_US + BEAT_US // 2, latest.signal[~is_bad(latest.quality)])


def _unjudged(log: BatchLog, judged: int) -> list[ReadingBatch]:
    """What lies behind the judge's place, or the beginning of it: it knows the rest only as later."""
    try:
        return [batch for _, batch in log.read(judged, _MOST_UNJUDGED)]
    except StorageFailed as error:
        _log.warning("log_unreadable", error=str(error))  # the line stops there too, and says so
        return []


def _gateways(catalog: Catalog, plant: CatalogPlantView) -> tuple[EdgeDesk, SiteGateways]:
    edge = EdgeDesk()
    gateways = SiteGateways(catalog, plant, edge, now_us)
    gateways.resume()
    return edge, gateways


def _models(
    settings: Settings, catalog: Catalog, plant: CatalogPlantView, edge: EdgeDesk, rollouts: SiteRollouts
) -> tuple[SiteModels, WholeMachines]:
    """And those of them that the site's own line may use. Trusted is what this site signed."""
    own = frozenset({model_signer(settings).public_key})
    budget = AlarmBudget(per_week=settings.false_alarms_per_week)
    models = SiteModels(
        *(catalog.models, catalog.anomalies, InstalledDetectors(), lambda: own, budget, rollouts.canaries),
        changes=catalog.revisions.read,
    )
    models.refresh()
    rollouts.thresholds = site_thresholds(settings, catalog, models).of
    rollouts.refresh()
    splits = SiteSplits(catalog.anomalies, plant, edge, lambda: rollouts.judged, now_us)
    splits.look_around()  # before the line judges a part
    return models, WholeMachines(models, splits)


def _watch(models: ModelSource) -> tuple[DriftWatch, MachineWatch]:
    drift = DriftWatch()
    return drift, MachineWatch(models, InstalledDetectors(), drift=drift)


def _model_parts(
    settings: Settings,
    catalog: Catalog,
    plant: CatalogPlantView,
    historian: Historian,
    training: TrainingDesk,
    models: SiteModels,
    care: ModelCare,
    drift: DriftWatch,
) -> ModelParts:
    courses = _courses(settings, catalog, plant, historian)
    return model_parts(catalog, training, models, courses, care, rollout_desk(settings, catalog), drift.of)


def _courses(settings: Settings, catalog: Catalog, plant: CatalogPlantView, historian: Historian) -> SiteCourses:
    own = frozenset({model_signer(settings).public_key})
    senders = senders_of(catalog.gateways)

    def thins(signals: Sequence[str], span: Span) -> bool:
        return thins_any(senders(signals), span)

    return SiteCourses(catalog.models, plant, historian, InstalledDetectors(), lambda: own, thins)


def _line(
    detectors: Sequence[Detector],
    catalog: Catalog,
    plant: CatalogPlantView,
    log: BatchLog,
    historian: Historian,
    feed: LiveBroadcaster,
    edge: EdgeDesk,
    watch: MachineWatch,
    shadow: ShadowStage,
) -> Line:
    score = ScoreStage(detectors, catalog.anomalies, plant, edge=edge, machines=watch)
    score.warm(historian, now_us())
    judged = catalog.offsets.get("judge")
    judge = JudgeStage(catalog.alarms, plant, now_us, judged, monotonic_us, edge)
    judge.warm(historian, now_us(), _unjudged(log, judged))
    stages: list[Stage] = [RecordStage(historian, log.depth), score, judge, PublishStage(feed), shadow]
    # Each stage's place is kept where its effects are: with the segments, in the catalog, nowhere.
    routes: dict[str, StageOffsets] = {
        "record": WatermarkOffsets(historian),
        "publish": VolatileOffsets(log.depth().last_offset),
        "shadow": VolatileOffsets(log.depth().last_offset),
    }
    return Line(log, stages, RoutedOffsets(catalog.offsets, routes))
