"""The edge's list of stages: score, judge, show, thin."""

import contextlib
import fnmatch
from collections.abc import Callable
from typing import Final

import structlog

from forewarn.app.gateway.edge_models import EdgeModels
from forewarn.app.gateway.file_plant import FilePlantView
from forewarn.app.gateway.stores import Stores
from forewarn.app.plugins import load
from forewarn.contracts.detector import Detector
from forewarn.contracts.offsets import StageOffsets
from forewarn.contracts.stage import Stage
from forewarn.domain.errors import StorageFailed
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.signal_table import SignalTable
from forewarn.gateway.board import Board, BoardStage
from forewarn.gateway.local.alarms import LocalAlarms, LocalOffsets
from forewarn.gateway.local.findings import LocalFindings
from forewarn.gateway.status import StatusReport
from forewarn.gateway.wire import Wire
from forewarn.kit.clock import monotonic_us, now_us
from forewarn.pipeline.judge import JudgeStage
from forewarn.pipeline.line import Line, RoutedOffsets
from forewarn.pipeline.publish import VolatileOffsets
from forewarn.pipeline.score import ScoreStage
from forewarn.pipeline.shadow import ShadowStage
from forewarn.pipeline.thin import OutboxOffsets, ThinSettings, ThinStage
from forewarn.policies.gateway_settings import GatewaySettings, ThinMethod, ThinWords
from forewarn.policies.thinning_plan import Method, ThinPlan, ThinRule

_log = structlog.get_logger(__name__)
_IDLE_S: Final = 0.02
_MOST_UNJUDGED: Final = 1_000_000
_METHODS: Final = {
    ThinMethod.NONE: Method.NONE,
    ThinMethod.DEADBAND: Method.DEADBAND,
    ThinMethod.SWINGING_DOOR: Method.SWINGING_DOOR,
    ThinMethod.MINUTES: Method.MINUTES,
}


def edge_line(
    settings: GatewaySettings,
    stores: Stores,
    alarms: LocalAlarms,
    view: FilePlantView,
    board: Board,
    closing: contextlib.ExitStack,
    models: EdgeModels,
    report: StatusReport,
) -> Line:
    """Not started. `closing` flushes the thinning after the line has stopped. `report` is told how it thins."""
    detectors: list[Detector] = [load("detectors", name)() for name in settings.detectors]
    score = ScoreStage(detectors, LocalFindings(stores.memory), view, machines=models.watch)
    score.warm(stores.ring, now_us())
    offsets = LocalOffsets(stores.memory)
    judged = offsets.get("judge")
    judge = JudgeStage(alarms, view, now_us, judged, monotonic_us)
    judge.warm(stores.ring, now_us(), _unjudged(stores, judged))
    thin = ThinStage(
        stores.outbox,
        Wire(),
        view,
        lambda table: _thin_plan(settings, table),
        stores.log,
        now_us,
        _thin_settings(settings),
        stores.ring,
        alarms.journal_since,
    )
    report.reductions = lambda: thin.reductions
    closing.callback(_quietly(thin.close))
    # Alarms are shown before the thinning writes: nobody who looks at them waits for a disk.
    stages: list[Stage] = [
        score,
        judge,
        BoardStage(board),
        thin,
        ShadowStage(models.trials, view, counts=models.counts),
    ]
    routes: dict[str, StageOffsets] = {
        "shadow": VolatileOffsets(stores.log.depth().last_offset),
        "thin": OutboxOffsets(stores.outbox),
        "board": VolatileOffsets(stores.log.depth().last_offset),
    }
    return Line(stores.log, stages, RoutedOffsets(offsets, routes), idle_s=_IDLE_S)


def _unjudged(stores: Stores, judged: int) -> list[ReadingBatch]:
    try:
        return [batch for _, batch in stores.log.read(judged, _MOST_UNJUDGED)]
    except StorageFailed as error:
        _log.warning("log_unreadable", error=str(error))  # the line stops there too, and says so
        return []


def _quietly(close: Callable[[], None]) -> Callable[[], None]:
    def closed() -> None:
        try:
            close()
        except StorageFailed as error:
            _log.warning("not_flushed", error=str(error), effect="the next start does it again")

    return closed


def _thin_settings(settings: GatewaySettings) -> ThinSettings:
    thinned = [("*", settings.thin), *((rule.signals, rule.words) for rule in settings.thin_rules)]
    return ThinSettings(
        settings.context_s,
        settings.finding_full_s,
        fill_s=settings.hold_s,
        whole=settings.whole,
        thinned=tuple((pattern, words.method is not ThinMethod.NONE) for pattern, words in thinned),
    )


def _thin_plan(settings: GatewaySettings, table: SignalTable) -> ThinPlan:
    own: dict[str, ThinRule] = {}
    for rule in settings.thin_rules:
        own |= {name: _thin_rule(rule.words) for name in fnmatch.filter(table.key_of, rule.signals)}
    return ThinPlan.of(table, _thin_rule(settings.thin), own)


def _thin_rule(words: ThinWords) -> ThinRule:
    method = _METHODS[words.method]
    if words.error_percent is None:
        return ThinRule(method, words.error, max_gap_s=words.max_gap_s)
    return ThinRule(method, None, words.error_percent, words.max_gap_s)
