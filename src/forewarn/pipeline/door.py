"""The way in: judge a batch against what is known of its signals, and hand it to the log."""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from forewarn.contracts.batch_log import Appended, BatchLog
from forewarn.contracts.door import Submission
from forewarn.contracts.plant_view import PlantView
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.series import Series
from forewarn.domain.signal_table import SignalTable
from forewarn.policies.admission import FUTURE_US, Admission, LatestValues, admit
from forewarn.policies.row_order import by_signal_and_time, last_of_each_signal

_SEED_READINGS = 200_000
_HOUR_US = 3_600_000_000


@dataclass(slots=True, eq=False)
class _Flight:
    """A submission on its way to the disk: its newest rows, and what stood there before the ones that are
    newer than it. The others count as well: they are the latest if what is newer now is never written."""

    newest: Series
    before: Series
    settled: bool = False


class IntakeDoor:
    """Door over one batch log.

    The latest reading of each signal advances when the log has taken a batch, before it is durable, so that
    batches in flight are judged against each other. If the disk then refuses (or the batch turns out to be a
    repeat, of which nothing is stored), exactly that batch's advances are undone. A reading is called
    already_stored only when the one it repeats is durable; one that repeats a batch in flight is stored again,
    because the first may yet fail."""

    def __init__(
        self,
        log: BatchLog,
        plant: PlantView,
        clock: Callable[[], int],
        *,
        future_us: int = FUTURE_US,
        keep_us: int | None = None,
    ) -> None:
        """clock: microseconds UTC. future_us: how far ahead of it a reading's time may lie. keep_us: how far behind
        it readings are kept, in whole hours; None = for ever."""
        self._log = log
        self._plant = plant
        self._clock = clock
        self._future_us, self._keep_us = future_us, keep_us
        self._lock = threading.Lock()
        self._latest = LatestValues()
        self._flights: deque[_Flight] = deque()

    def seed(self, latest: Series) -> None:
        """Take over what is stored already (one row per signal); call it before the first submit.

        Rows older than what the door knows change nothing."""
        with self._lock:
            if len(latest):
                self._latest.grow(int(latest.signal.max()) + 1)
            self._latest.put(self._latest.newer(latest))

    def catch_up(self, after: int) -> None:
        """Seed from the log's own batches beyond offset `after`: what no historian has yet."""
        while batches := self._log.read(after, _SEED_READINGS):
            after = batches[-1][0]
            self.seed(_last_of_each(ReadingBatch.concatenate([batch for _, batch in batches])))

    def submit(self, batch: ReadingBatch, reason: NDArray[np.uint8] | None = None) -> Submission:
        """As Door.submit. Raises BatchLogFull, with nothing changed."""
        table, now_us, content = self._plant.table, self._clock(), batch.checksum()
        with self._lock:
            self._latest.grow(table.size)
            admission = self._admit(batch, reason, table, self._latest, now_us)
            if self._flights and len(admission.repeats):
                admission = self._admit(batch, reason, table, self._durable_at(admission.repeats), now_us)
            appended = self._log.append(admission.stored, content)
            flight = self._take_off(admission)
        # Outside the lock: a future that is done already calls back at once.
        appended.add_done_callback(lambda done: self._settle(flight, done))
        return Submission(admission.verdicts, appended)

    def _admit(
        self,
        batch: ReadingBatch,
        reason: NDArray[np.uint8] | None,
        table: SignalTable,
        latest: LatestValues,
        now_us: int,
    ) -> Admission:
        kept_from = 0 if self._keep_us is None else (now_us - self._keep_us) // _HOUR_US * _HOUR_US
        return admit(batch, reason, table, latest, now_us, self._future_us, kept_from)

    def _take_off(self, admission: Admission) -> _Flight:
        flight = _Flight(admission.newest, self._advance(admission.newest))
        self._flights.append(flight)
        return flight

    def _advance(self, newest: Series) -> Series:
        """Put what is newer; what stood there before."""
        newer = self._latest.newer(newest)
        before = self._latest.at(newer.signal)
        self._latest.put(newer)
        return before

    def _durable_at(self, keys: NDArray[np.int32]) -> LatestValues:
        """The latest values, with those of `keys` as they were before any batch in flight touched them."""
        durable = LatestValues()
        durable.time, durable.value = self._latest.time.copy(), self._latest.value.copy()
        durable.quality = self._latest.quality.copy()
        for flight in reversed(self._flights):
            durable.put(_rows(flight.before, np.isin(flight.before.signal, keys)))
        return durable

    def _settle(self, flight: _Flight, done: "Future[Appended]") -> None:
        stored = done.exception() is None and not done.result().repeated
        with self._lock:
            if stored:
                flight.settled = True
            else:
                self._undo(flight)
            # Only from the head: a flight's `before` is needed while an earlier one may still be undone.
            while self._flights and self._flights[0].settled:
                self._flights.popleft()

    def _undo(self, failed: _Flight) -> None:
        """Wind back to just before `failed`, then let the later ones advance again from there."""
        later: list[_Flight] = []
        while (flight := self._flights.pop()) is not failed:
            self._latest.put(flight.before)
            later.append(flight)
        self._latest.put(failed.before)
        for flight in reversed(later):
            flight.before = self._advance(flight.newest)
            self._flights.append(flight)


def _rows(series: Series, mask: NDArray[np.bool_]) -> Series:
    return Series(series.signal[mask], series.time[mask], series.value[mask], series.quality[mask])


def _last_of_each(batch: ReadingBatch) -> Series:
    order = by_signal_and_time(batch.signal, batch.time)
    ordered = batch if order is None else batch.take(order)
    last = ordered.take(last_of_each_signal(ordered.signal))
    return Series(last.signal, last.time, last.value, last.quality)
