"""Which model computes which template."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from forewarn.simulator.compressor import Compressor
from forewarn.simulator.fan import Fan
from forewarn.simulator.machines import CompressorRatings, FanRatings, Machine, MotorRatings, PumpRatings, Ratings
from forewarn.simulator.model import Model, Sensor
from forewarn.simulator.motor import Motor
from forewarn.simulator.pump import Pump
from forewarn.simulator.pump_dialect import PumpDialect

_MODELS: Final[dict[str, tuple[type[Any], Callable[[list[Any]], Model]]]] = {
    "centrifugal_pump": (PumpRatings, Pump),
    "pump_dialect": (PumpRatings, PumpDialect),
    "induction_motor": (MotorRatings, Motor),
    "compressor": (CompressorRatings, Compressor),
    "fan": (FanRatings, Fan),
}
SENSORS: Final[dict[str, tuple[Sensor, ...]]] = {
    "centrifugal_pump": Pump.sensors,
    "pump_dialect": PumpDialect.sensors,
    "induction_motor": Motor.sensors,
    "compressor": Compressor.sensors,
    "fan": Fan.sensors,
}


def build_model(machines: Sequence[Machine]) -> Model:
    """The model of machines of one template. Raises ValueError when ratings do not belong to the template."""
    wanted, model = _MODELS[machines[0].template]
    ratings: list[Ratings] = []
    for machine in machines:
        if not isinstance(machine.ratings, wanted):
            raise ValueError(f"machine {machine.id}: template {machine.template} wants {wanted.__name__}")
        ratings.append(machine.ratings)
    return model(ratings)
