"""From the gateway's sources to its raw log."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.app.gateway.file_plant import FilePlantView
from forewarn.app.gateway.stores import Stores
from forewarn.app.heartbeat import BEAT_US, Heartbeat
from forewarn.app.newest import newest_good
from forewarn.app.plugins import load
from forewarn.contracts.batch_log import Appended
from forewarn.contracts.connector import Connector
from forewarn.contracts.door import Door, Submission
from forewarn.contracts.outbox import Outbox
from forewarn.domain.assets import Signal, SourceConfig
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.series import Series
from forewarn.domain.status import is_bad
from forewarn.domain.verdicts import Verdict
from forewarn.gateway.gaps import Gaps
from forewarn.gateway.runner import SourceRunner
from forewarn.gateway.sink import Absence
from forewarn.kit.clock import SECOND, now_us
from forewarn.pipeline.door import IntakeDoor

_LEAST_ABSENCE_US: Final = 3 * SECOND


def connectors_of(sources: Sequence[SourceConfig]) -> dict[str, Connector]:
    """Only those that are used: each library that is not loaded is memory kept."""
    return {name: load("connectors", name) for name in sorted({source.connector for source in sources})}


def source_runner(
    sources: Sequence[SourceConfig],
    signals: Sequence[Signal],
    connectors: Mapping[str, Connector],
    stores: Stores,
    view: FilePlantView,
    heartbeat: Heartbeat,
    gaps: Gaps,
    latest_clock: Callable[[], int],
) -> SourceRunner:
    """signals: with their keys. gaps: told what is not read. latest_clock: microseconds UTC, beyond which a reading
    is of the future."""
    latest = stores.ring.latest(np.array([signal.key for signal in signals], np.int32))
    door = IntakeDoor(stores.log, view, latest_clock)
    door.seed(latest)
    return SourceRunner(
        sources,
        signals,
        connectors,
        CountingDoor(door, stores.outbox),
        stores.log.last_sequence,
        absence=_absence(heartbeat.last(), latest, signals),
        newest=newest_good(stores.ring, latest),
        gaps=gaps,
    )


class CountingDoor:
    """Tells the ledger of readings that never come into the log."""

    def __init__(self, door: Door, outbox: Outbox) -> None:
        self._door, self._outbox = door, outbox

    def submit(self, batch: ReadingBatch, reason: NDArray[np.uint8] | None = None) -> Submission:
        submission = self._door.submit(batch, reason)
        rejected = submission.verdicts.count(Verdict.REJECTED)
        duplicate = submission.verdicts.count(Verdict.DUPLICATE)
        if rejected or duplicate:
            submission.appended.add_done_callback(lambda done: self._count(done, rejected, duplicate))
        return submission

    def _count(self, done: "Future[Appended]", rejected: int, duplicate: int) -> None:
        if done.exception() is None and not done.result().repeated:
            self._outbox.count(rejected=rejected, duplicate=duplicate)


def _absence(last_beat: int | None, latest: Series, signals: Sequence[Signal]) -> Absence | None:
    """As for a site: the time from the last beat until now, if it is worth a mark."""
    fastest_hz = max((s.rate_hz for s in signals), default=1.0)
    if last_beat is None or now_us() - last_beat < max(_LEAST_ABSENCE_US, int(3 * SECOND / max(fastest_hz, 1e-3))):
        return None
    return Absence(last_beat + BEAT_US + BEAT_US // 2, latest.signal[~is_bad(latest.quality)])
