"""Oil-flooded screw compressor that feeds a network at constant pressure.

Sources: ISO 1217 (free air delivery); Stosic, Smith, Kovacevic, Screw Compressors (2005), ch. 2: polytropic
discharge temperature with an effective exponent that stands for oil cooling, isentropic power with an efficiency.
"""

from typing import ClassVar

import numpy as np

from forewarn.simulator import electrical, vibration
from forewarn.simulator.machines import CompressorRatings, stacked
from forewarn.simulator.model import Conditions, Sensor, Truth
from forewarn.simulator.quantities import AIR_ISENTROPIC, ATMOSPHERE_BAR, KELVIN, Array, Number

_NETWORK_TAU_S = 25.0
_OIL_TAU_S = 90.0


def discharge_kelvin(inlet: Number, pressure_ratio: Number, exponent: Number) -> Number:
    """T2 = T1 (p2/p1)^((n-1)/n)."""
    return inlet * np.power(pressure_ratio, (exponent - 1.0) / exponent)


def isentropic_power(inlet_bar: Number, volume: Number, pressure_ratio: Number) -> Number:
    """k/(k-1) p1 V1 ((p2/p1)^((k-1)/k) - 1), kW, for V1 in m3/h at inlet state and p1 in bar absolute."""
    k = AIR_ISENTROPIC
    work = k / (k - 1.0) * inlet_bar * 1e5 * volume / 3600.0
    return work * (np.power(pressure_ratio, (k - 1.0) / k) - 1.0) / 1e3


class Compressor:
    """Template `compressor`."""

    sensors: ClassVar[tuple[Sensor, ...]] = (
        Sensor("speed", "rpm", relative=0.0006, resolution=0.1, floor=0.0),
        Sensor("suction_pressure", "bar", noise=0.0012, resolution=0.001),
        Sensor("discharge_pressure", "bar", noise=0.012, relative=0.001),
        Sensor("discharge_temperature", "degC", noise=0.15),
        Sensor("oil_pressure", "bar", noise=0.012, floor=0.0),
        Sensor("motor_current", "A", relative=0.005, floor=0.0),
        Sensor("vibration", "mm/s", relative=0.035, floor=0.0),
        Sensor("filter_dp", "bar", noise=0.0006, resolution=0.001, floor=0.0),
        Sensor("flow", "m3/h", relative=0.004, floor=0.0),
    )

    def __init__(self, ratings: list[CompressorRatings]) -> None:
        self.ratings = p = stacked(ratings)
        self.drive, self.rotor = p.drive, p.rotor

    def evaluate(self, c: Conditions) -> Truth:
        p, leak, bearing = self.ratings, c.of("seal_leak"), c.of("bearing_wear")
        filter_dp = p.filter_dp * c.ratio * c.ratio * (1.0 + 14.0 * c.of("clogged_filter"))
        inlet = ATMOSPHERE_BAR - filter_dp
        network = p.discharge * (1.0 - 0.25 * leak) * c.running
        discharge = c.lag("network", np.asarray(network), _NETWORK_TAU_S)
        pressure_ratio = np.maximum((discharge + ATMOSPHERE_BAR) / inlet, 1.0)
        exponent = p.exponent + 0.05 * leak + 0.012 * bearing
        hot = discharge_kelvin(c.ambient + 2.0 + KELVIN, pressure_ratio, exponent) - KELVIN
        oil_heat = np.where(c.running > 0.0, hot, c.ambient)
        swept = p.flow * c.ratio
        shaft = isentropic_power(inlet, swept, pressure_ratio) / p.isentropic_efficiency
        shaft = shaft + 0.02 * self.drive.power * c.ratio * (1.0 + 2.0 * bearing)
        values = {
            "speed": self.drive.speed * c.ratio,
            "suction_pressure": -np.asarray(filter_dp),
            "discharge_pressure": discharge,
            "discharge_temperature": c.lag("discharge", oil_heat, _OIL_TAU_S),
            "oil_pressure": np.asarray(p.oil_pressure * np.power(c.ratio, 0.3) * (1.0 - 0.45 * bearing)),
            "motor_current": self._current(c, np.asarray(shaft)),
            "vibration": self._vibration(c),
            "filter_dp": np.asarray(filter_dp),
            "flow": np.asarray(swept * inlet / ATMOSPHERE_BAR * (1.0 - 0.35 * leak)),
        }
        return Truth(values)

    def _current(self, c: Conditions, shaft: Array) -> Array:
        d = self.drive
        power_in = electrical.input_power(shaft, d.power, d.efficiency, c.running)
        return electrical.current(power_in, d.volts * c.grid, d.power, d.efficiency, c.running)

    def _vibration(self, c: Conditions) -> Array:
        r = self.rotor
        return vibration.overall(
            vibration.imbalance(r.imbalance, c.ratio, c.of("imbalance")),
            r.misalignment * c.ratio,
            vibration.bearing(r.scale, c.ratio, c.of("bearing_wear")),
            0.7 * r.scale * c.ratio,
        )
