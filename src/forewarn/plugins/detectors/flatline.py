"""Flatline: has a live signal stopped moving?"""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from forewarn.contracts.detector import Scores
from forewarn.domain.assets import Signal
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.signal_table import SignalTable
from forewarn.domain.status import is_good
from forewarn.policies.regimes import LONG_AGO, STANDING, UNKNOWN, Regimes
from forewarn.policies.runs import Runs, new_rows, resized, since_last
from forewarn.policies.scoring import ratio_score

Times = NDArray[np.int64]


class Flatline:
    """Seconds without any change against the signal's `flatline_s`, as r / (1 + r) of their ratio.

    Counts only while readings arrive (a gap of more than `gap_periods` nominal periods starts anew) and only
    while the machine runs, from its last start; the regime is read from the asset's speed signal.
    `expected` is NaN: anything but this very value.

    >>> from forewarn.domain.assets import Signal
    >>> import numpy as np
    >>> flow = Signal("p1.flow", "p1", "flow", "flow", "m3/h", key=1, flatline_s=2.0)
    >>> detector = Flatline()
    >>> detector.configure(SignalTable.of([flow]))
    >>> values = np.array([7.0, 7.5, 7.5, 7.5, 7.5, 7.5])
    >>> batch = ReadingBatch(np.ones(6, np.int32), np.arange(6) * 10**6, values, np.zeros(6, np.uint32), "gw", 0)
    >>> [round(float(s), 3) for s in detector.score(batch).score]
    [0.0, 0.0, 0.333, 0.5, 0.6, 0.667]
    >>> detector.explain(1, 7.5, 0.667, float("nan"))
    'exactly 7.5 m3/h for 4 s while the machine runs; readings normally differ within 2 s'
    """

    name: ClassVar[str] = "flatline"
    anomaly_type: ClassVar[str] = "flatline"

    def __init__(self, gap_periods: float = 10.0) -> None:
        self._gap_periods = gap_periods
        self._regimes = Regimes()
        self._time = np.zeros(0, np.int64)
        self._since = np.zeros(0, np.int64)
        self._value = np.zeros(0)
        self.configure(SignalTable.of(()))

    def configure(self, table: SignalTable) -> None:
        self._signals: tuple[Signal | None, ...] = table.signals
        self._longest_s = table.flatline_s
        self._gap_us = np.array(
            [self._gap_periods * 1e6 / (s.rate_hz if s and s.rate_hz > 0 else 1.0) for s in table.signals]
        )
        self._regimes.configure(table)
        self._time = resized(self._time, table.size, LONG_AGO)
        self._since = resized(self._since, table.size, LONG_AGO)
        self._value = resized(self._value, table.size, np.nan)

    def score(self, batch: ReadingBatch) -> Scores:
        score = np.full(len(batch), np.nan)
        if len(batch):
            speeds = self._regimes.follow(batch, Runs.of(batch))
            usable = is_good(batch.quality) & np.isfinite(batch.value) & (self._longest_s[batch.signal] > 0)
            rows = new_rows(batch, usable, self._time)
            if len(rows):
                flat_s = self._flat_s(batch.take(rows), speeds.row_since[rows])
                idle = np.isin(speeds.row_regime[rows], (STANDING, UNKNOWN))
                ratio = np.where(idle, np.nan, flat_s / self._longest_s[batch.signal[rows]])
                score[rows] = ratio_score(ratio)
        return Scores(score, np.full(len(batch), np.nan))

    def _flat_s(self, batch: ReadingBatch, started: Times) -> NDArray[np.float64]:
        """Seconds each reading's value has stood, in a batch of readings that are all new."""
        runs = Runs.of(batch)
        before_value, before_time = np.roll(batch.value, 1), np.roll(batch.time, 1)
        before_value[runs.start], before_time[runs.start] = self._value[runs.signal], self._time[runs.signal]
        gap = batch.time - runs.spread(self._gap_us[runs.signal]) > before_time
        fresh = (batch.value != before_value) | gap
        first = np.zeros(len(batch), np.bool_)
        first[runs.start] = True
        newest = since_last(first | fresh)
        since = np.where(fresh[newest], batch.time[newest], runs.spread(self._since[runs.signal]))
        last, owner = runs.last, runs.signal
        self._time[owner], self._value[owner], self._since[owner] = batch.time[last], batch.value[last], since[last]
        return np.asarray((batch.time - np.maximum(since, started)) / 1e6)

    def explain(self, signal: int, value: float, score: float, expected: float) -> str:
        found = self._signals[signal]
        unit = f" {found.unit}" if found and found.unit else ""
        longest = float(self._longest_s[signal])
        flat = longest * score / max(1.0 - score, 1e-9)
        seen = f"exactly {value:.6g}{unit} for {flat:.0f} s while the machine runs"
        return f"{seen}; readings normally differ within {longest:.0f} s"

    def parameters(self) -> Mapping[str, Any]:
        return {"gap_periods": self._gap_periods}
