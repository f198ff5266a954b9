"""Robust z-score: is the value unusual for this signal in this regime?"""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from forewarn.contracts.detector import Scores
from forewarn.domain.assets import Signal
from forewarn.domain.quantity import shown
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.signal_table import SignalTable
from forewarn.domain.status import is_good
from forewarn.policies.baselines import Baselines, BaselineSettings
from forewarn.policies.regimes import COUNT, LONG_AGO, NAMES, UNKNOWN, RegimeRows, Regimes
from forewarn.policies.runs import Runs, new_rows, resized
from forewarn.policies.scoring import ratio_score

Slots = NDArray[np.int32]
Rows = NDArray[np.intp]
_SECOND = 1_000_000


class RobustZ:
    """Modified z-score 0.6745 (x - median) / MAD (Iglewicz & Hoaglin 1993) of each signal in each regime of its
    machine, as r / (1 + r) of |z| over the slot's own limit. `expected` is the median.

    The limit follows a false-alarm budget: max(`limit`, `headroom` x third largest |z| of the healthy readings) x
    (1 + 5 / independent readings); the textbook's 3.5 is passed several times a day by a healthy 1 Hz signal.
    No opinion during the first `warm_up` readings of a regime (at most two a second count), while more than
    `slow_share` of the variance is slower than a sixteenth of what was seen (it drifts, so that any limit
    would be false), within `settle_s` of a start or stop, and before the speed signal was heard.

    Memory: `window` readings, thinned as they age to one per `longest_stride_s` (36 h). While a reading is over the
    limit it teaches nothing; a level that has lasted `absorb_s` becomes the new normal (warm-up begins
    anew). A drift is seen while it is faster than the median can follow; slower wear is for the twin.

    range_floor: least spread, as a share of the instrument's range (of the limits' span, else 1e-6 unit).

    >>> from forewarn.domain.assets import Signal
    >>> import numpy as np
    >>> flow = Signal("p1.flow", "p1", "flow", "flow", "m3/h", key=1)
    >>> detector = RobustZ()
    >>> detector.configure(SignalTable.of([flow]))
    >>> values = 50 + np.random.default_rng(1).normal(0, 0.2, 500)
    >>> values[450:] += 3.0
    >>> batch = ReadingBatch(np.ones(500, np.int32), np.arange(500) * 10**6, values, np.zeros(500, np.uint32), "gw", 0)
    >>> score = detector.score(batch).score
    >>> bool(np.isnan(score[:400]).all()), bool((score[400:450] < 0.5).all()), bool((score[450:] > 0.5).all())
    (True, True, True)
    >>> detector.explain(1, 53.0, 0.76, 50.0)
    '53 m3/h where 50 m3/h is usual at any speed: 3.2 times as far off as this signal ever goes'
    """

    name: ClassVar[str] = "robust_z"
    anomaly_type: ClassVar[str] = "statistical"

    def __init__(
        self,
        limit: float = 5.0,
        headroom: float = 1.5,
        warm_up: int = 400,
        window: int = 512,
        refresh: int = 32,
        settle_s: float = 120.0,
        absorb_s: float = 86_400.0,
        longest_stride_s: float = 256.0,
        slow_share: float = 0.9,
        range_floor: float = 0.0005,
    ) -> None:
        self._parameters = {k: v for k, v in locals().items() if k != "self"}
        self._settle_us = int(settle_s * _SECOND)
        self._range_floor = range_floor
        self._baselines = Baselines(
            BaselineSettings(
                limit=limit,
                headroom=headroom,
                warm_up=warm_up,
                window=window,
                refresh=refresh,
                stride=_SECOND // 2,
                longest_stride=int(longest_stride_s * _SECOND),
                absorb=int(absorb_s * _SECOND),
                slow_share=slow_share,
            )
        )
        self._regimes = Regimes()
        self._slot_of: Slots = np.zeros(0, np.int32)
        self._time = np.zeros(0, np.int64)
        self.configure(SignalTable.of(()))

    def configure(self, table: SignalTable) -> None:
        self._signals: tuple[Signal | None, ...] = table.signals
        self._regimes.configure(table)
        self._slot_of = resized(self._slot_of, table.size * COUNT, -1)
        self._time = resized(self._time, table.size, LONG_AGO)
        rate = np.array([s.rate_hz if s and s.rate_hz > 0 else 1.0 for s in table.signals])
        self._period_us = (_SECOND / rate).astype(np.int64)
        span = np.fmax(table.range_high - table.range_low, table.high - table.low)
        self._floor = np.maximum(np.nan_to_num(self._range_floor * span, nan=0.0), 1e-6)

    def score(self, batch: ReadingBatch) -> Scores:
        n = len(batch)
        score, expected = np.full(n, np.nan), np.full(n, np.nan)
        if n:
            whole = Runs.of(batch)
            view = self._regimes.follow(batch, whole)
            runs, regime = self._by_regime(batch, view)
            slot = self._slots(runs.signal, regime)
            usable = is_good(batch.quality) & np.isfinite(batch.value) & self._settled(batch, view)
            usable &= runs.spread(slot >= 0)
            self._judge(batch, runs, slot, usable, score, expected)
            self._learn(batch, runs, slot, usable, score, expected)
            newest = np.maximum.reduceat(np.where(is_good(batch.quality), batch.time, LONG_AGO), whole.start)
            self._time[whole.signal] = np.maximum(self._time[whole.signal], newest)
        return Scores(score, expected)

    def _by_regime(self, batch: ReadingBatch, view: RegimeRows) -> tuple[Runs, NDArray[np.uint8]]:
        """Runs cut where the regime changes too, and the regime of each."""
        if not view.mixed.any():
            return view.runs, view.regime
        differs = (batch.signal[1:] != batch.signal[:-1]) | (view.row_regime[1:] != view.row_regime[:-1])
        runs = Runs.between(batch, np.flatnonzero(differs) + 1)
        return runs, view.row_regime[runs.start]

    def _settled(self, batch: ReadingBatch, view: RegimeRows) -> NDArray[np.bool_]:
        first, latest = batch.time[view.runs.start], view.since + self._settle_us
        if not view.mixed.any() and not (first < latest).any():
            return np.ones(len(batch), np.bool_)
        settled: NDArray[np.bool_] = batch.time >= view.row_since + self._settle_us
        return settled

    def _slots(self, signal: NDArray[np.int32], regime: NDArray[np.uint8]) -> Slots:
        """Slot of each run, made on first sight; -1 where the speed is unknown."""
        place = signal.astype(np.intp) * COUNT + regime
        new = np.unique(place[(self._slot_of[place] < 0) & (regime != UNKNOWN)])
        if len(new):
            owner = new // COUNT
            self._slot_of[new] = self._baselines.allocate(self._floor[owner], self._period_us[owner], owner)
        slots: Slots = self._slot_of[place]
        return slots

    def _judge(
        self,
        batch: ReadingBatch,
        runs: Runs,
        slot: Slots,
        usable: NDArray[np.bool_],
        score: NDArray[np.float64],
        expected: NDArray[np.float64],
    ) -> None:
        c = self._baselines.columns
        if len(self._baselines) == 0:
            return
        median = runs.spread(c["median"][slot])
        per_unit = runs.spread(1.0 / (c["spread"][slot] * c["limit"][slot]))
        score[:] = ratio_score(np.abs(batch.value - median) * per_unit)
        score[~usable] = np.nan
        expected[:] = np.where(np.isnan(score), np.nan, median)

    def _learn(
        self,
        batch: ReadingBatch,
        runs: Runs,
        slot: Slots,
        usable: NDArray[np.bool_],
        score: NDArray[np.float64],
        expected: NDArray[np.float64],
    ) -> None:
        """Offer what is due; where that changed a baseline, score the later rows again, until none is left."""
        c = self._baselines.columns
        if len(self._baselines) == 0:
            return
        due = (slot >= 0) & (batch.time[runs.last] >= c["due"][slot])
        if not due.any():
            return
        rows = new_rows(batch, usable & runs.spread(due), self._time)
        of_run = np.repeat(np.arange(len(runs)), runs.length)[rows]
        row_slot = slot[of_run]
        while len(rows):
            ready = np.flatnonzero(batch.time[rows] >= self._baselines.columns["due"][row_slot])
            if not len(ready):
                return
            ready = ready[np.argsort(row_slot[ready], kind="stable")]
            offered = rows[ready]
            calm = ~(score[offered] > 0.5)
            cut_slot, cut = self._baselines.learn(
                row_slot[ready], offered, batch.time[offered], batch.value[offered], calm
            )
            rows, row_slot = _beyond(rows, row_slot, cut_slot, cut, len(self._baselines))
            self._judge_again(batch, rows, row_slot, score, expected)

    def _judge_again(
        self,
        batch: ReadingBatch,
        rows: Rows,
        slot: Slots,
        score: NDArray[np.float64],
        expected: NDArray[np.float64],
    ) -> None:
        c = self._baselines.columns
        ratio = np.abs(batch.value[rows] - c["median"][slot]) * (1.0 / (c["spread"][slot] * c["limit"][slot]))
        score[rows] = ratio_score(ratio)
        expected[rows] = np.where(np.isnan(ratio), np.nan, c["median"][slot])

    def explain(self, signal: int, value: float, score: float, expected: float) -> str:
        found = self._signals[signal]
        unit = found.unit if found else ""
        times = score / max(1.0 - score, 1e-9)
        regime = NAMES[int(self._regimes.of_signal(signal))]
        seen, usual = shown(value, unit, apart_from=expected), shown(expected, unit, apart_from=value)
        return f"{seen} where {usual} is usual at {regime}: {times:.1f} times as far off as this signal ever goes"

    def baselining(self) -> NDArray[np.bool_]:
        # Slots before their columns: the line may grow both meanwhile, and a slot is given once its columns are there.
        slot_of, size = self._slot_of, len(self._signals)
        regime = self._regimes.codes(size)
        place = np.arange(len(regime)) * COUNT + regime
        slot = slot_of[place[place < len(slot_of)]]
        unknown = np.ones(size, np.bool_)
        if len(self._baselines):
            median = self._baselines.columns["median"]
            unknown[: len(slot)] = (slot < 0) | np.isnan(median[np.maximum(slot, 0)])
        return unknown

    def parameters(self) -> Mapping[str, Any]:
        return dict(self._parameters)


def _beyond(rows: Rows, slot: Slots, cut_slot: Slots, cut: Rows, slots: int) -> tuple[Rows, Slots]:
    """The rows of slots that were cut, behind the cut."""
    last = np.full(slots, np.iinfo(np.intp).max, np.intp)
    last[cut_slot] = cut
    kept = rows > last[slot]
    return rows[kept], slot[kept]
