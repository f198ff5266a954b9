"""Induction motor on the mains, with a load that follows the demand."""

from typing import ClassVar

import numpy as np

from forewarn.simulator import electrical, thermal, vibration
from forewarn.simulator.machines import MotorRatings, stacked
from forewarn.simulator.model import Conditions, Sensor, Truth


class Motor:
    """Template `induction_motor`."""

    sensors: ClassVar[tuple[Sensor, ...]] = (
        Sensor("speed", "rpm", relative=0.0003, resolution=0.1, floor=0.0),
        Sensor("current", "A", relative=0.005, floor=0.0),
        Sensor("voltage", "V", relative=0.0008, resolution=0.1, floor=0.0),
        Sensor("power", "kW", relative=0.005, floor=0.0),
        Sensor("winding_temperature", "degC", noise=0.15),
        Sensor("bearing_temperature", "degC", noise=0.12),
        Sensor("vibration", "mm/s", relative=0.035, floor=0.0),
    )

    def __init__(self, ratings: list[MotorRatings]) -> None:
        self.ratings = p = stacked(ratings)
        self.drive, self.rotor = p.drive, p.rotor
        self._rated_current = electrical.rated_current(p.drive.power, p.drive.efficiency, p.drive.volts)

    def evaluate(self, c: Conditions) -> Truth:
        p, d, bearing = self.ratings, self.drive, c.of("bearing_wear")
        shaft = d.power * (c.demand * c.ratio * c.ratio + 0.01 * c.ratio * (1.0 + 2.0 * bearing))
        load = shaft / d.power
        power_in = electrical.input_power(shaft, d.power, d.efficiency, c.running)
        amps = electrical.current(power_in, d.volts * c.grid, d.power, d.efficiency, c.running)
        winding = thermal.winding_steady(c.ambient, p.winding_rise, amps / self._rated_current, c.running)
        warm = thermal.bearing_steady(c.ambient, p.rotor.bearing_rise, c.ratio, load, bearing)
        r = self.rotor
        shaking = vibration.overall(
            vibration.imbalance(r.imbalance, c.ratio, c.of("imbalance")),
            r.misalignment * c.ratio,
            vibration.bearing(r.scale, c.ratio, bearing),
        )
        return Truth(
            {
                "speed": np.asarray(d.speed * c.ratio * (1.0 - electrical.slip(load, p.slip, c.grid))),
                "current": amps,
                "voltage": d.volts * c.grid,
                "power": np.asarray(power_in),
                "winding_temperature": c.lag("winding", np.asarray(winding), thermal.WINDING_TAU_S),
                "bearing_temperature": c.lag("bearing", np.asarray(warm), thermal.BEARING_TAU_S),
                "vibration": shaking,
            }
        )
