"""The demo plant: eleven machines on two sites, and the plant file that describes them to Forewarn."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from forewarn.simulator.duty import Climate, Duty, WeeklyStop
from forewarn.simulator.machines import (
    CompressorRatings,
    Drive,
    FanRatings,
    Machine,
    MotorRatings,
    PumpRatings,
    Rotor,
)

Specifications = Mapping[str, str | float]


class Wire(StrEnum):
    """How a machine's readings leave the plant."""

    OPCUA = "opcua"
    MODBUS = "modbus"
    MQTT = "mqtt"


@dataclass(frozen=True, slots=True)
class DemoMachine:
    """A machine with what the plant file says of it beyond its ratings.

    low_limits: process alarms tighter than the template's, by signal, as a share of the rated value given."""

    machine: Machine
    name: str
    path: str
    wire: Wire
    specifications: Specifications
    low_limits: Mapping[str, float] = field(default_factory=dict)


_WATER: Final = "forewarn/pune/water/line-1"
_UTILITIES: Final = "forewarn/pune/utilities/line-1"
_DYE_HOUSE: Final = "forewarn/nashik/dye-house/line-1"
_NASHIK: Final = Climate(mean=25.5, seasonal=4.0, daily=3.0)
_PUMP_LIMITS: Final[Specifications] = {
    "iso_class": "II",
    "max_bearing_temperature_c": 85.0,
    "max_casing_temperature_c": 70.0,
    "max_seal_leakage_ml_h": 100.0,
}


def _pump(
    asset: str, name: str, ratings: PumpRatings, duty: Duty, path: str = _WATER, wire: Wire = Wire.OPCUA
) -> DemoMachine:
    climate = _NASHIK if path == _DYE_HOUSE else Climate()
    machine = Machine(asset, "centrifugal_pump", ratings, duty, climate)
    discharge = float(ratings.supply) + float(ratings.head) * 0.09789
    return DemoMachine(machine, name, path, wire, _PUMP_LIMITS, {"discharge_pressure": round(0.85 * discharge, 2)})


def _water_line() -> list[DemoMachine]:
    """Shaft power at the rated point is 75-90 % of the drive's; wire to water 68-75 %."""
    return [
        _pump(
            "pump-101",
            "Raw water pump A",
            PumpRatings(90.0, 48.0, 0.78, Drive(18.5, efficiency=0.924), Rotor(1.0, 0.55)),
            Duty(0.86),
        ),
        _pump(
            "pump-102",
            "Raw water pump B",
            PumpRatings(90.0, 48.0, 0.77, Drive(18.5, efficiency=0.924), Rotor(1.25, 0.7, 1.1)),
            Duty(0.82, stops=(WeeklyStop(2, 4.0, 0.5),)),
        ),
        _pump(
            "pump-103",
            "High lift pump",
            PumpRatings(160.0, 72.0, 0.80, Drive(45.0, efficiency=0.942, speed=2960.0), Rotor(1.3, 0.6, 1.2), npsh=4.2),
            Duty(0.88, daily=0.06),
        ),
        _pump(
            "pump-104",
            "Filter backwash pump",
            PumpRatings(280.0, 22.0, 0.81, Drive(24.0, efficiency=0.930), Rotor(1.1, 0.5), static=0.3, supply=1.2),
            Duty(0.80, stops=(WeeklyStop(6, 3.0, 1.0),)),
        ),
        _pump(
            "pump-105",
            "Booster pump",
            PumpRatings(60.0, 60.0, 0.74, Drive(15.0, efficiency=0.918, speed=2950.0), Rotor(0.95, 0.5), supply=2.4),
            Duty(0.90, daily=0.04),
        ),
    ]


def _motor(asset: str, name: str, power: float, efficiency: float, duty: Duty) -> DemoMachine:
    ratings = MotorRatings(Drive(power, efficiency=efficiency, speed=1500.0, lowest_ratio=1.0), Rotor(0.7, 0.4, 0.75))
    specifications: Specifications = {
        "mounting": "rigid",
        "insulation_class": "F",
        "max_bearing_temperature_c": 85.0,
    }
    return DemoMachine(Machine(asset, "induction_motor", ratings, duty), name, _UTILITIES, Wire.MODBUS, specifications)


def _utilities() -> list[DemoMachine]:
    screw = CompressorRatings(
        600.0, Drive(75.0, efficiency=0.947, speed=2970.0, lowest_ratio=0.55), Rotor(1.0, 0.6, 0.9)
    )
    return [
        _motor("motor-201", "Mixer motor", 45.0, 0.942, Duty(0.78)),
        _motor("motor-202", "Sludge conveyor motor", 30.0, 0.936, Duty(0.70, stops=(WeeklyStop(6, 5.0, 1.5),))),
        DemoMachine(
            Machine("compressor-201", "compressor", screw, Duty(0.85)),
            "Instrument air compressor",
            _UTILITIES,
            Wire.MODBUS,
            {
                "compressor_type": "screw",
                "mounting": "flexible",
                "rated_discharge_pressure_bar": 7.2,
                "max_discharge_temperature_c": 120.0,
                "max_filter_dp_bar": 0.1,
                "min_oil_pressure_bar": 2.8,
            },
            {"discharge_pressure": 6.5},
        ),
    ]


def _dye_house() -> list[DemoMachine]:
    circulation = PumpRatings(120.0, 36.0, 0.79, Drive(18.5, efficiency=0.924), Rotor(1.2, 0.55), fluid=32.0)
    # The ten-field document's sample with its flow times ten: 145 L/min would mean 7 % wire to water.
    dialect = PumpRatings(87.0, 48.0, 0.78, Drive(17.5, efficiency=0.922), Rotor(1.4, 0.7, 1.1), supply=1.8)
    fan = FanRatings(36000.0, 1800.0, 0.80, Drive(30.0, efficiency=0.936), Rotor(1.0, 0.5, 0.9))
    return [
        _pump("pump-301", "Dye bath circulation pump", circulation, Duty(0.84), _DYE_HOUSE, Wire.MQTT),
        DemoMachine(
            Machine("pump-302", "pump_dialect", dialect, Duty(0.86), _NASHIK),
            "Rinse water pump",
            _DYE_HOUSE,
            Wire.MQTT,
            {k: v for k, v in _PUMP_LIMITS.items() if k != "max_seal_leakage_ml_h"} | {"min_oil_pressure_bar": 2.6},
            {"Discharge_Pressure_bar": 5.6},
        ),
        DemoMachine(
            Machine("fan-301", "fan", fan, Duty(0.84), _NASHIK),
            "Exhaust air fan",
            _DYE_HOUSE,
            Wire.MQTT,
            {"mounting": "flexible", "max_bearing_temperature_c": 85.0},
            {"dp": 1350.0},
        ),
    ]


DEMO_MACHINES: Final = (*_water_line(), *_utilities(), *_dye_house())


def demo_machines(wear: bool = True) -> list[Machine]:
    """The machines for `SimulatedPlant`; without `wear` their bearings last for ever."""
    machines = [d.machine for d in DEMO_MACHINES]
    return machines if wear else [replace(m, life_hours=1e12) for m in machines]
