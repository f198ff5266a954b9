"""Limits: is the value outside the band the plant file gives?"""

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
from forewarn.policies.runs import Runs

Column = NDArray[np.float64]


class Limits:
    """Above `high` or below `low` scores from 0.8, beyond the critical limit from 0.95; inside the band 0, rising
    from 0.4 to 0.5 over the deadband before a limit, so that an episode ends only once the value is well back.

    margin: deadband as a share of the band (or of the limit where there is one only), for signals without one.

    >>> from forewarn.domain.assets import Limits as Band, Signal
    >>> import numpy as np
    >>> bearing = Signal("p1.t", "p1", "t", "temperature", "Cel", key=1, limits=Band(high=80.0, high_critical=90.0))
    >>> detector = Limits()
    >>> detector.configure(SignalTable.of([bearing]))
    >>> values = np.array([60.0, 85.0, 95.0])
    >>> batch = ReadingBatch(np.ones(3, np.int32), np.arange(3) * 10**6, values, np.zeros(3, np.uint32), "gw", 0)
    >>> scores = detector.score(batch)
    >>> [round(float(s), 3) for s in scores.score]
    [0.0, 0.875, 0.97]
    >>> detector.explain(1, 95.0, 0.97, 90.0)
    '95 Cel is above the critical limit of 90 Cel'
    """

    name: ClassVar[str] = "limits"
    anomaly_type: ClassVar[str] = "limit"

    def __init__(self, margin: float = 0.02) -> None:
        self._margin = margin
        self.configure(SignalTable.of(()))

    def configure(self, table: SignalTable) -> None:
        """Without `high`, `high_critical` takes its place; the same below."""
        self._signals: tuple[Signal | None, ...] = table.signals
        self._high_critical, self._low_critical = table.high_critical, table.low_critical
        self._high = np.where(np.isnan(table.high), table.high_critical, table.high)
        self._low = np.where(np.isnan(table.low), table.low_critical, table.low)
        given = np.array([s.deadband if s else 0.0 for s in table.signals])
        band = self._high - self._low
        alone = np.abs(np.where(np.isnan(self._high), self._low, self._high))
        self._deadband = np.where(given > 0, given, self._margin * np.where(np.isnan(band), alone, band))
        self._deadband[~(self._deadband > 0)] = 1e-9
        self._limited = ~(np.isnan(self._high) & np.isnan(self._low))
        self._calm_below = np.nan_to_num(self._high - self._deadband, nan=np.inf)
        self._calm_above = np.nan_to_num(self._low + self._deadband, nan=-np.inf)

    def score(self, batch: ReadingBatch) -> Scores:
        runs = Runs.of(batch)
        score = runs.spread(np.where(self._limited[runs.signal], 0.0, np.nan))
        expected = np.full(len(batch), np.nan)
        score[~is_good(batch.quality) | np.isnan(batch.value)] = np.nan
        above = batch.value > runs.spread(self._calm_below[runs.signal])
        below = batch.value < runs.spread(self._calm_above[runs.signal])
        rows = np.flatnonzero((above | below) & (score == 0.0))
        if len(rows):
            score[rows], expected[rows] = self._beyond(batch.signal[rows], batch.value[rows])
        return Scores(score, expected)

    def _beyond(self, signal: NDArray[np.int32], value: Column) -> tuple[Column, Column]:
        deadband = self._deadband[signal]
        high, high_at = _side(value, self._high[signal], self._high_critical[signal], deadband)
        low, low_at = _side(-value, -self._low[signal], -self._low_critical[signal], deadband)
        return np.fmax(high, low), np.where(low > high, -low_at, high_at)

    def explain(self, signal: int, value: float, score: float, expected: float) -> str:
        found = self._signals[signal]
        unit = found.unit if found else ""
        if np.isnan(expected):
            return f"{shown(value, unit)} is within the limits"
        side = "above" if value > expected else "below"
        limit = f"{'critical ' if score >= 0.95 else ''}limit of {shown(expected, unit, apart_from=value)}"
        return f"{shown(value, unit, apart_from=expected)} is {side} the {limit}"

    def baselining(self) -> NDArray[np.bool_]:
        return np.zeros(len(self._limited), np.bool_)

    def parameters(self) -> Mapping[str, Any]:
        return {"margin": self._margin}


def _side(value: Column, limit: Column, critical: Column, deadband: Column) -> tuple[Column, Column]:
    """Score of an upper limit, and the limit that was passed (NaN if none); 0 where there is no limit."""
    past = value - limit
    critical = np.where(np.isnan(critical), np.inf, critical)
    room = np.where(np.isfinite(critical) & (critical > limit), critical - limit, np.maximum(np.abs(limit), deadband))
    inside = 0.5 + 0.1 * np.clip(past / deadband, -1.0, 0.0)
    inside[past < -deadband] = 0.0
    outside = np.minimum(0.8 + 0.15 * past / room, 0.949)
    far = 0.95 + 0.05 * (1.0 - np.exp(-np.maximum(value - critical, 0.0) / room))
    graded = np.where(past > 0, np.where(value >= critical, far, outside), inside)
    passed = np.where(past > 0, np.where(value >= critical, critical, limit), np.nan)
    return np.where(np.isnan(limit), 0.0, graded), passed
