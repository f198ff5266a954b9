"""The shaft speed of each signal's machine as of a source time."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.readings import ReadingBatch
from forewarn.domain.signal_table import SignalTable
from forewarn.domain.status import is_good
from forewarn.policies.regimes import LONG_AGO
from forewarn.policies.runs import resized

Hertz = NDArray[np.float64]
HERTZ_PER_UNIT: Final = {
    **dict.fromkeys(("rpm", "1/min", "r/min", "min-1", "U/min", "rev/min"), 1.0 / 60.0),
    **dict.fromkeys(("Hz", "1/s", "r/s", "rps"), 1.0),
    "rad/s": 1.0 / (2.0 * np.pi),
}


class ShaftSpeed:
    """Follows the speed signals; state per speed signal only. A machine without one turns at its rated_speed_rpm if
    that is stated; where nothing is known, or the unit is no rotational speed, the answer is NaN."""

    def __init__(self) -> None:
        self._time = np.zeros(0, np.int64)
        self._value = np.zeros(0)
        self.configure(SignalTable.of(()))

    def configure(self, table: SignalTable) -> None:
        self._speed_key = table.speed_key
        self._is_speed = ~np.isnan(table.running_above)
        self._per_unit = np.array([HERTZ_PER_UNIT.get(s.unit, np.nan) if s else np.nan for s in table.signals])
        self._rated = np.array([_rated_hz(table, s.asset_id) if s else np.nan for s in table.signals])
        self._time = resized(self._time, table.size, LONG_AGO)
        self._value = resized(self._value, table.size, np.nan)

    def as_of(self, batch: ReadingBatch, signal: NDArray[np.int32], time: NDArray[np.int64]) -> Hertz:
        """Hz, of the last good speed reading at or before `time` of each asked signal; then remember the batch's
        speeds."""
        rows = np.flatnonzero(self._is_speed[batch.signal])
        rows = rows[is_good(batch.quality[rows]) & np.isfinite(batch.value[rows])]
        rows = rows[batch.time[rows] > self._time[batch.signal[rows]]]
        answer = self._joined(batch, rows, self._speed_key[signal], time)
        last = rows[np.append(batch.signal[rows][1:] != batch.signal[rows][:-1], True)] if len(rows) else rows
        self._time[batch.signal[last]], self._value[batch.signal[last]] = batch.time[last], batch.value[last]
        return np.where(self._speed_key[signal] == 0, self._rated[signal], answer)

    def _joined(
        self, batch: ReadingBatch, rows: NDArray[np.intp], speed: NDArray[np.int32], time: NDArray[np.int64]
    ) -> Hertz:
        value = self._value[speed].copy()
        for key in np.unique(speed[speed > 0]).tolist():  # machines, not readings
            mine = rows[batch.signal[rows] == key]
            asked = np.flatnonzero(speed == key)
            place = np.searchsorted(batch.time[mine], time[asked], side="right") - 1
            heard = place >= 0
            value[asked[heard]] = batch.value[mine[place[heard]]]
        return np.asarray(np.abs(value) * self._per_unit[speed])


def _rated_hz(table: SignalTable, asset_id: str) -> float:
    asset = table.assets.get(asset_id)
    rated = asset.specifications.get("rated_speed_rpm") if asset else None
    return float(rated) / 60.0 if isinstance(rated, int | float) and not isinstance(rated, bool) else np.nan
