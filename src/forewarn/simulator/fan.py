"""Fan that moves air through ducts and a filter (fan laws: Q ~ N, dp ~ N^2, P ~ N^3). Pressures in Pa."""

from typing import ClassVar

import numpy as np

from forewarn.simulator import electrical, thermal, vibration
from forewarn.simulator.machines import FanRatings, stacked
from forewarn.simulator.model import Conditions, Sensor, Truth
from forewarn.simulator.quantities import Array, Number

_SHUTOFF = 1.35


class Fan:
    """Template `fan`."""

    sensors: ClassVar[tuple[Sensor, ...]] = (
        Sensor("speed", "rpm", relative=0.0006, resolution=0.1, floor=0.0),
        Sensor("flow", "m3/h", relative=0.005, resolution=0.1, floor=0.0, unsteady=True),
        Sensor("dp", "Pa", relative=0.005, resolution=0.1, unsteady=True),
        Sensor("motor_current", "A", relative=0.005, floor=0.0),
        Sensor("bearing_temperature", "degC", noise=0.12),
        Sensor("vibration", "mm/s", relative=0.035, floor=0.0),
    )

    def __init__(self, ratings: list[FanRatings]) -> None:
        self.ratings = p = stacked(ratings)
        self.drive, self.rotor = p.drive, p.rotor
        square = p.flow * p.flow
        self._steepness = (_SHUTOFF - 1.0) * p.pressure / square
        self._resistance = p.pressure / square

    def evaluate(self, c: Conditions) -> Truth:
        d, r, bearing, wear = self.drive, self.rotor, c.of("bearing_wear"), c.of("impeller_wear")
        flow, rise = self._operating_point(c, wear)
        shaft = self._shaft_power(c, flow, rise, wear) + 0.01 * d.power * c.ratio * (1.0 + 2.0 * bearing)
        power_in = electrical.input_power(shaft, d.power, d.efficiency, c.running)
        warm = thermal.bearing_steady(c.ambient, r.bearing_rise, c.ratio, shaft / d.power, bearing)
        shaking = vibration.overall(
            vibration.imbalance(r.imbalance, c.ratio, np.minimum(c.of("imbalance") + 0.15 * wear, 1.0)),
            r.misalignment * c.ratio,
            vibration.bearing(r.scale, c.ratio, bearing),
            0.5 * r.scale * c.ratio,
        )
        return Truth(
            {
                "speed": d.speed * c.ratio,
                "flow": flow,
                "dp": rise,
                "motor_current": electrical.current(power_in, d.volts * c.grid, d.power, d.efficiency, c.running),
                "bearing_temperature": c.lag("bearing", np.asarray(warm), thermal.BEARING_TAU_S),
                "vibration": shaking,
            }
        )

    def _operating_point(self, c: Conditions, wear: Number) -> tuple[Array, Array]:
        """Flow m3/h and pressure rise Pa; a blocked filter multiplies the resistance of the ducts."""
        shutoff = _SHUTOFF * self.ratings.pressure * (1.0 - 0.3 * wear)
        resistance = self._resistance * (1.0 + 6.0 * c.of("clogged_filter"))
        flow: Array = c.ratio * np.sqrt(shutoff / (self._steepness + resistance))
        return flow, resistance * flow * flow

    def _shaft_power(self, c: Conditions, flow: Array, rise: Array, wear: Number) -> Array:
        """Q dp / eta with the parabola eta_bep (2 q - q^2), as in `hydraulics.shaft_power`."""
        p = self.ratings
        q = np.clip(flow / np.maximum(p.flow * c.ratio, 1e-9), 0.0, 1.7)
        best = p.best_efficiency * (1.0 - 0.2 * wear)
        power: Array = rise * p.flow * c.ratio / 3600.0 / 1e3 / (best * (2.0 - q))
        return power
