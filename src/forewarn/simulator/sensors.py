"""From the truth to what the instruments say: noise, drift, resolution, a stuck or failing sensor."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.status import BAD_SENSOR_FAILURE
from forewarn.kit.clock import SECOND
from forewarn.simulator.faults import DRIFT_AT_FULL_SEVERITY, SENSOR_HIT
from forewarn.simulator.model import Sensor, Truth
from forewarn.simulator.quantities import Array

Quality = NDArray[np.uint32]
_DROPOUT_BLOCK = 5 * SECOND


class Instruments:
    """The sensors of one group. Holds only what a stuck sensor last said."""

    def __init__(self, template: str, sensors: Sequence[Sensor], machines: int) -> None:
        self._sensors = sensors
        hit = SENSOR_HIT[template]
        self._column = {fault: [s.name for s in sensors].index(name) for fault, name in hit.items()}
        self._held: list[float | None] = [None] * machines

    def measure(
        self, times: NDArray[np.int64], truth: Truth, noise: Array, severity: Mapping[str, Array]
    ) -> tuple[Array, Quality]:
        """value, quality [steps, machines, sensors]; noise: unit variance, same shape. NaN where a sensor is bad."""
        value = np.empty_like(noise)
        for column, sensor in enumerate(self._sensors):
            value[:, :, column] = self._reading(sensor, column, truth, noise[:, :, column], severity)
        quality = np.zeros(value.shape, np.uint32)
        if "sensor_stuck" in severity or any(h is not None for h in self._held):
            self._hold(value[:, :, self._column["sensor_stuck"]], severity.get("sensor_stuck"))
        if "sensor_dropout" in severity:
            self._drop(times, value, quality, severity["sensor_dropout"])
        return value, quality

    def _reading(self, sensor: Sensor, column: int, truth: Truth, noise: Array, severity: Mapping[str, Array]) -> Array:
        exact = truth.values[sensor.name]
        sigma = sensor.noise + sensor.relative * np.abs(exact)
        reading = exact + noise * (sigma * truth.unsteadiness if sensor.unsteady else sigma)
        if column == self._column["sensor_drift"] and "sensor_drift" in severity:
            reading = reading + DRIFT_AT_FULL_SEVERITY * severity["sensor_drift"]
        if sensor.floor is not None:
            reading = np.maximum(reading, sensor.floor)
        # Dividing by a whole number gives the float64 nearest to the decimal, which stores best.
        per_unit = round(1.0 / sensor.resolution)
        shown: Array = np.rint(reading * per_unit) / per_unit + 0.0
        return shown

    def _hold(self, value: Array, severity: Array | None) -> None:
        for machine in range(value.shape[1]):
            stuck = np.flatnonzero(severity[:, machine] > 0.0) if severity is not None else np.empty(0, np.intp)
            if not len(stuck):
                self._held[machine] = None
                continue
            held = self._held[machine]
            if held is None or stuck[0] > 0:
                held = float(value[stuck[0], machine])
            value[stuck, machine] = held
            self._held[machine] = held if stuck[-1] == len(value) - 1 else None

    def _drop(self, times: NDArray[np.int64], value: Array, quality: Quality, severity: Array) -> None:
        """Bad in whole blocks of 5 s, as a loose contact is; the share of bad blocks is the severity."""
        block = (times // _DROPOUT_BLOCK).astype(np.uint64) * np.uint64(2654435761) % np.uint64(2**32)
        bad = (block / 2.0**32)[:, None] < severity
        column = self._column["sensor_dropout"]
        value[:, :, column][bad] = np.nan
        quality[:, :, column][bad] = BAD_SENSOR_FAILURE

    def snapshot(self) -> list[Any]:
        return list(self._held)

    def restore(self, held: list[Any]) -> None:
        self._held = list(held)
