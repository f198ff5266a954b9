"""The faults that can be put into a machine, and the templates each fits."""

from dataclasses import dataclass
from typing import Final

from forewarn.contracts.simulation import FaultInfo

_PUMPS: Final = ("centrifugal_pump", "pump_dialect")
_ALL: Final = (*_PUMPS, "induction_motor", "compressor", "fan")


@dataclass(frozen=True, slots=True)
class Fault:
    """`info` is what people see; `component` is what the label blames ('' = the sensor hit, see SENSOR_HIT)."""

    info: FaultInfo
    component: str

    @property
    def of_sensor(self) -> bool:
        return not self.component


def _fault(name: str, title: str, component: str, templates: tuple[str, ...], description: str) -> Fault:
    return Fault(FaultInfo(name, title, description, templates), component)


FAULTS: Final[dict[str, Fault]] = {
    f.info.name: f
    for f in (
        _fault(
            "bearing_wear",
            "Bearing wear",
            "bearing",
            _ALL,
            "Damaged raceways: vibration, friction torque and heat rise.",
        ),
        _fault(
            "imbalance", "Imbalance", "rotor", _ALL, "Mass off the axis: vibration at running speed, with N squared."
        ),
        _fault(
            "cavitation",
            "Cavitation",
            "suction",
            _PUMPS,
            "Suction pressure falls until NPSH is short: head drops, flow is unsteady, broadband vibration.",
        ),
        _fault(
            "seal_leak",
            "Seal leak",
            "seal",
            ("centrifugal_pump", "compressor"),  # none of the ten fields of pump_dialect would show it
            "The seal gap opens: leakage grows with its cube (pump), or gas runs back and heats up (compressor).",
        ),
        _fault(
            "impeller_wear",
            "Impeller wear",
            "impeller",
            (*_PUMPS, "fan"),
            "Worn vanes and rings: head, flow and efficiency fall.",
        ),
        _fault(
            "clogged_filter",
            "Clogged filter",
            "filter",
            (*_PUMPS, "compressor", "fan"),
            "The strainer or inlet filter blocks: pressure before the machine and flow fall.",
        ),
        _fault("sensor_stuck", "Sensor stuck", "", _ALL, "One sensor repeats its last value."),
        _fault("sensor_drift", "Sensor drift", "", _ALL, "One sensor's reading creeps away from the truth."),
        _fault(
            "sensor_dropout", "Sensor dropout", "", _ALL, "One sensor reports bad quality, for a share of the time."
        ),
    )
}

# Which sensor a sensor fault hits: stuck, drift, dropout; and how far severity 1 drifts, in the signal's unit.
SENSOR_HIT: Final[dict[str, dict[str, str]]] = {
    "centrifugal_pump": {
        "sensor_stuck": "discharge_pressure",
        "sensor_drift": "bearing_temperature",
        "sensor_dropout": "flow",
    },
    "pump_dialect": {
        "sensor_stuck": "Discharge_Pressure_bar",
        "sensor_drift": "Bearing_Temperature_C",
        "sensor_dropout": "Flow_Rate_L_min",
    },
    "induction_motor": {
        "sensor_stuck": "current",
        "sensor_drift": "bearing_temperature",
        "sensor_dropout": "vibration",
    },
    "compressor": {
        "sensor_stuck": "discharge_pressure",
        "sensor_drift": "discharge_temperature",
        "sensor_dropout": "oil_pressure",
    },
    "fan": {"sensor_stuck": "dp", "sensor_drift": "bearing_temperature", "sensor_dropout": "flow"},
}
DRIFT_AT_FULL_SEVERITY: Final = 45.0  # K; every drifting sensor is a thermometer


def fits(fault: str, template: str) -> bool:
    return fault in FAULTS and template in FAULTS[fault].info.templates


def component(fault: str, template: str) -> str:
    """What the label blames: a component, or `sensor:<signal name>`."""
    known = FAULTS[fault]
    return f"sensor:{SENSOR_HIT[template][fault]}" if known.of_sensor else known.component
