"""Which symptoms a fault of a kind of machine has.

The form is that of ISO 13379-1:2012 (fault, symptom, how strongly they go together). Which go together is general
knowledge, written from memory of, and not copied from, ISO 17359:2018 annex B, Karassik et al., Pump Handbook, 4th ed.
(trouble-shooting), MIL-HDBK-1164 section 6.4, McKee et al., A review of major centrifugal pump failure modes (ICOMS
2011), and Bloch and Geitner, Machinery Failure Analysis and Troubleshooting, 4th ed. Weights are rounded judgement: 3
always, 2 usually, 1 often. Nothing here was fitted to data, nor to what the simulator puts out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Sign(StrEnum):
    """How a signal departs from its healthy self in the same regime. UNSTEADY: it moves about more than it did."""

    UP = "high"
    DOWN = "low"
    UNSTEADY = "unsteady"


@dataclass(frozen=True, slots=True)
class Symptom:
    """role: of policies/signal_roles.py; weight: 1-3."""

    role: str
    sign: Sign
    weight: float


@dataclass(frozen=True, slots=True)
class Fault:
    """`name` as in labels; `title` for people."""

    name: str
    title: str
    symptoms: tuple[Symptom, ...]


def _fault(name: str, title: str, **symptoms: float | tuple[float, float]) -> Fault:
    """role=weight: above 0 up, below down; role=(weight, unsteady)."""
    found: list[Symptom] = []
    for role, told in symptoms.items():
        level, unsteady = told if isinstance(told, tuple) else (told, 0.0)
        if level:
            found.append(Symptom(role, Sign.UP if level > 0 else Sign.DOWN, abs(level)))
        if unsteady:
            found.append(Symptom(role, Sign.UNSTEADY, unsteady))
    return Fault(name, title, tuple(found))


_ROTATING: Final = (
    _fault("imbalance", "imbalance", vibration=3, vibration_1x=3),
    _fault("misalignment", "misalignment", vibration=3, vibration_2x=3, bearing_temperature=1, current=1),
    _fault(
        "bearing_wear",
        "bearing damage",
        vibration=3,
        bearing_temperature=3,
        oil_temperature=1,
        oil_pressure=-1,
        current=1,
        power=1,
    ),
)
_OIL: Final = _fault(
    "lubrication", "poor lubrication", oil_pressure=-3, bearing_temperature=2, oil_temperature=2, vibration=1
)
_PUMP: Final = (
    *_ROTATING,
    _OIL,
    _fault(
        "cavitation",
        "cavitation",
        suction_pressure=(-3, 1),
        discharge_pressure=(-2, 2),
        flow=(-2, 2),
        vibration=3,
        current=-1,
        power=-1,
    ),
    _fault(
        "clogged_filter",
        "clogged suction strainer",
        suction_pressure=-3,
        flow=-2,
        discharge_pressure=-1,
        current=-1,
        power=-1,
        filter_dp=3,
    ),
    _fault(
        "impeller_wear", "worn impeller or wear rings", discharge_pressure=-3, flow=-3, pressure_rise=-3, vibration=1
    ),
    _fault("seal_leak", "leaking shaft seal", leakage=3),
    _fault(
        "blocked_discharge",
        "discharge throttled or blocked",
        discharge_pressure=2,
        pressure_rise=2,
        flow=-3,
        current=-2,
        power=-2,
        casing_temperature=2,
        vibration=1,
    ),
)
_MOTOR: Final = (
    *_ROTATING,
    _fault("overload", "overload", current=3, power=3, winding_temperature=2, speed=-1),
    _fault("poor_cooling", "poor cooling", winding_temperature=3, bearing_temperature=1),
    _fault("undervoltage", "low voltage", voltage=-3, current=2, winding_temperature=1, speed=-1),
)
_FAN: Final = (
    *_ROTATING,
    _fault("impeller_wear", "worn or eroded impeller", pressure_rise=-3, flow=-2, current=-1, power=-1, vibration=1),
    _fault("clogged_filter", "clogged filter or duct", flow=-3, pressure_rise=2, filter_dp=3, current=-1, power=-1),
    _fault("belt_slip", "slipping belt", speed=-3, flow=-2, pressure_rise=-2, current=-1, power=-1),
)
_COMPRESSOR: Final = (
    *_ROTATING,
    _OIL,
    _fault(
        "seal_leak",
        "internal leakage (seal, rotors or valves)",
        flow=-3,
        discharge_temperature=2,
        discharge_pressure=-2,
    ),
    _fault(
        "clogged_filter", "clogged inlet filter", filter_dp=3, suction_pressure=-3, flow=-1, discharge_temperature=1
    ),
    _fault(
        "poor_cooling", "fouled cooler or too little oil", discharge_temperature=3, oil_temperature=3, oil_pressure=-1
    ),
)
_CONVEYOR: Final = (
    *_ROTATING,
    _fault("belt_slip", "slipping belt", speed=-3, tension=-2),
    _fault("overload", "overload or jam", current=3, power=3, tension=2, speed=-1),
)
_GEARBOX: Final = (
    *_ROTATING,
    _OIL,
    _fault("gear_wear", "gear damage", vibration=3, oil_temperature=2),
    _fault("overload", "overload", torque=3, power=3, oil_temperature=2),
)

FAULTS: Final[Mapping[str, tuple[Fault, ...]]] = {
    "centrifugal_pump": _PUMP,
    "pump_dialect": _PUMP,
    "induction_motor": _MOTOR,
    "fan": _FAN,
    "compressor": _COMPRESSOR,
    "conveyor": _CONVEYOR,
    "gearbox": _GEARBOX,
    "": _ROTATING,
}
"""By template; a machine without one has only what every rotating machine can have."""
