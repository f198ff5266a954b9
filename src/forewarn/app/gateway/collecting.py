"""From the gateway's sources to its raw log."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.app.gateway.file_plant import FilePlantView
from forewarn.app.gateway.stores import Stores
from forewarn.app.heartbeat import BEAT_US, Heartbeat
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
from forewarn.gateway.ring import SpoolRing
from forewarn.gateway.runner import SourceRunner
from forewarn.gateway.sink import Absence
from forewarn.kit.clock import HOUR, SECOND, now_us
from forewarn.pipeline.door import IntakeDoor

_LEAST_ABSENCE_US: Final = 3 * SECOND
_MARKS: Final = 20
_NEVER: Final = np.iinfo(np.int64).min


def connectors_of(sources: Sequence[SourceConfig]) -> dict[str, Connector]:
    """Only those that are used: each library that is not loaded is memory kept."""
    return {name: load("connectors", name) for name in sorted({source.connector for source in sources})}


def source_runner(
    sources: Sequence[SourceConfig],
    signals: Sequence[Signal],
    stores: Stores,
    view: FilePlantView,
    heartbeat: Heartbeat,
) -> SourceRunner:
    """signals: with their keys."""
    latest = stores.ring.latest(np.array([signal.key for signal in signals], np.int32))
    door = IntakeDoor(stores.log, view, now_us)
    door.seed(latest)
    return SourceRunner(
        sources,
        signals,
        connectors_of(sources),
        CountingDoor(door, stores.outbox),
        stores.log.last_sequence,
        absence=_absence(heartbeat.last(), latest, signals),
        newest=_newest_good(stores.ring, latest),
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


def _newest_good(ring: SpoolRing, latest: Series) -> Callable[[NDArray[np.int32]], NDArray[np.int64]]:
    """Source time of the newest good reading an earlier process stored: what a device kept since then may be asked
    for. The newest of all is often the mark of a gap."""
    keys, times = latest.signal, latest.time.copy()
    marked = is_bad(latest.quality)
    if marked.any():
        before = ring.raw(keys[marked], int(times[marked].min()) - HOUR, now_us() + HOUR, _MARKS)
        good = ~is_bad(before.quality)
        known = dict(zip(before.signal[good].tolist(), before.time[good].tolist(), strict=True))  # the last one stays
        times[marked] = [known.get(int(key), _NEVER) for key in keys[marked]]

    def newest(signal: NDArray[np.int32]) -> NDArray[np.int64]:
        if not len(keys):
            return np.full(len(signal), _NEVER, np.int64)
        row = np.minimum(np.searchsorted(keys, signal), len(keys) - 1)
        return np.where(keys[row] == signal, times[row], _NEVER)

    return newest


def _absence(last_beat: int | None, latest: Series, signals: Sequence[Signal]) -> Absence | None:
    """As for a site: the time from the last beat until now, if it is worth a mark."""
    fastest_hz = max((s.rate_hz for s in signals), default=1.0)
    if last_beat is None or now_us() - last_beat < max(_LEAST_ABSENCE_US, int(3 * SECOND / max(fastest_hz, 1e-3))):
        return None
    return Absence(last_beat + BEAT_US + BEAT_US // 2, latest.signal[~is_bad(latest.quality)])
