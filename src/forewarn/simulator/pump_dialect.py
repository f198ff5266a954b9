"""The pump of the ten flat fields: the same equations, other names and units, and an oil pressure."""

from typing import ClassVar

import numpy as np

from forewarn.simulator.machines import PumpRatings
from forewarn.simulator.model import Conditions, Sensor, Truth
from forewarn.simulator.pump import Pump

_LITRE_PER_MINUTE = 1000.0 / 60.0
_OIL_PRESSURE = 4.2  # bar at rated speed


class PumpDialect(Pump):
    """Template `pump_dialect`."""

    sensors: ClassVar[tuple[Sensor, ...]] = (
        Sensor("Motor_RPM", "rpm", relative=0.0006, resolution=0.1, floor=0.0),
        Sensor("Bearing_Temperature_C", "degC", noise=0.12),
        Sensor("Oil_Pressure_bar", "bar", noise=0.01, floor=0.0),
        Sensor("Vibration_mm_s", "mm/s", relative=0.035, floor=0.0),
        Sensor("Flow_Rate_L_min", "L/min", relative=0.004, floor=0.0, unsteady=True),
        Sensor("Suction_Pressure_bar", "bar", noise=0.008, unsteady=True),
        Sensor("Discharge_Pressure_bar", "bar", noise=0.012, relative=0.001, unsteady=True),
        Sensor("Motor_Current_A", "A", relative=0.005, floor=0.0),
        Sensor("Casing_Temperature_C", "degC", noise=0.12),
        Sensor("Ambient_Temperature_C", "degC", noise=0.06),
    )

    def __init__(self, ratings: list[PumpRatings]) -> None:
        super().__init__(ratings)

    def evaluate(self, c: Conditions) -> Truth:
        truth = super().evaluate(c)
        v = truth.values
        # A worn bearing lets the oil through: the pump holds less pressure in front of it.
        oil = _OIL_PRESSURE * np.power(c.ratio, 0.3) * (1.0 - 0.4 * c.of("bearing_wear"))
        values = {
            "Motor_RPM": v["speed"],
            "Bearing_Temperature_C": v["bearing_temperature"],
            "Oil_Pressure_bar": oil,
            "Vibration_mm_s": v["vibration"],
            "Flow_Rate_L_min": v["flow"] * _LITRE_PER_MINUTE,
            "Suction_Pressure_bar": v["suction_pressure"],
            "Discharge_Pressure_bar": v["discharge_pressure"],
            "Motor_Current_A": v["motor_current"],
            "Casing_Temperature_C": v["casing_temperature"],
            "Ambient_Temperature_C": v["ambient_temperature"],
        }
        return Truth(values, truth.unsteadiness)
