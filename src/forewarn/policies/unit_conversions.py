"""What a signal's numbers become when somebody changes its unit, as far as no machine's fault looks like it.

A fault multiplies or divides a level by a few, a heavy one by ten. So conversions by less than 14 (psi to kPa 6.9,
m/s2 to g 9.8) are none here: a fault would pass for them. Downward anything can fall to next to nothing at once: a
stop, a broken wire. So a hundredth is looked for only where the unit has one (kPa to bar, per cent to a share), while a
hundredfold is beyond any fault. A vibration that grows 25 times at once may be a blade that is gone, and is no inch.
Temperatures change by an offset; no mass of metal does that from one row to the next.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

LEAST_FACTOR: Final = 14.0
CLEAR_FACTOR: Final = 99.0  # from here on nothing that a machine does comes near
_MANY: Final = (1e3, 1e6)  # SI prefixes; and 100, upward
# A unit in units of the first of its kind.
_SCALES: Final[tuple[Mapping[str, float], ...]] = (
    {"bar": 1.0, "psi": 0.0689476, "kPa": 0.01, "MPa": 10.0, "Pa": 1e-5, "mbar": 1e-3, "hPa": 1e-3, "atm": 1.01325},
    {
        "m3/h": 1.0,
        "L/s": 3.6,
        "L/min": 0.06,
        "L/h": 1e-3,
        "mL/h": 1e-6,
        "mL/min": 6e-5,
        "m3/s": 3600.0,
        "m3/min": 60.0,
        "gpm": 0.2271247,
        "cfm": 1.699011,
    },
    {"rpm": 1.0, "1/min": 1.0, "Hz": 60.0, "1/s": 60.0, "rad/s": 9.549297},
    {"mm/s": 1.0, "m/s": 1000.0, "um/s": 1e-3, "in/s": 25.4},
    {"m/s2": 1.0, "mm/s2": 1e-3, "g": 9.80665, "mg": 9.80665e-3},
    {"mm": 1.0, "um": 1e-3, "m": 1000.0, "cm": 10.0, "in": 25.4, "mil": 0.0254},
    {"A": 1.0, "mA": 1e-3, "kA": 1e3},
    {"V": 1.0, "mV": 1e-3, "kV": 1e3},
    {"kW": 1.0, "W": 1e-3, "MW": 1e3},
    {"kWh": 1.0, "Wh": 1e-3, "MWh": 1e3},
    {"Nm": 1.0, "kNm": 1e3},
    {"N": 1.0, "kN": 1e3},
    {"kg": 1.0, "t": 1e3},
    {"%": 1.0, "1": 100.0},
)
_SAME: Final = {
    "l/s": "L/s",
    "l/min": "L/min",
    "l/h": "L/h",
    "ml/h": "mL/h",
    "ml/min": "mL/min",
    "m³/h": "m3/h",
    "m³/s": "m3/s",
    "m/s²": "m/s2",
    "r/min": "rpm",
    "rps": "1/s",
    "N·m": "Nm",
    "µm": "um",
    "µm/s": "um/s",
    "°C": "degC",
    "°F": "degF",
    "C": "degC",
    "F": "degF",
}
# Kelvins in a degree, and where its zero lies.
_DEGREES: Final = {"degC": (1.0, 273.15), "K": (1.0, 0.0), "degF": (5 / 9, 459.67 * 5 / 9)}
_SHAKEN: Final = ("vibration", "acceleration", "displacement")


@dataclass(frozen=True, slots=True)
class Conversion:
    """A value x becomes factor * x + offset, in `unit` (empty where it is not known). room: how far from where it was
    a value may lie when the offset is taken away, in the signal's unit; 0 = by the factor."""

    factor: float
    offset: float = 0.0
    unit: str = ""
    room: float = 0.0

    @property
    def words(self) -> str:
        """How many times, or how much more."""
        if self.offset:
            return "what another scale of temperature would show"
        factor = self.factor if self.factor > 1 else 1 / self.factor
        shown = f"{factor:,.0f}" if abs(factor - round(factor)) < 1e-3 * factor else f"{factor:,.4g}"
        return f"{shown} times too much" if self.factor > 1 else f"a {shown}th of it"


@cache
def conversions(unit: str, kind: str) -> tuple[Conversion, ...]:
    """Of a signal in `unit`: what its values may become. Each factor once."""
    own = _SAME.get(unit, unit)
    if own in _DEGREES:
        return tuple(_of_degrees(own, other) for other in _DEGREES if other != own)
    found: dict[float, Conversion] = {}
    for other, scale in _others(own).items():
        found.setdefault(_rounded(scale), Conversion(scale, unit=other))
    for factor in (100.0, *_MANY, *(1 / many for many in _MANY)):
        found.setdefault(_rounded(factor), Conversion(factor))
    shaken = kind.startswith(_SHAKEN)
    return tuple(c for c in found.values() if not (shaken and LEAST_FACTOR <= c.factor < CLEAR_FACTOR))


def _others(unit: str) -> dict[str, float]:
    scale = next((scale for scale in _SCALES if unit in scale), {})
    factors = {other: scale[unit] / size for other, size in scale.items() if other != unit}
    return {other: f for other, f in factors.items() if max(f, 1 / f) >= LEAST_FACTOR}


def _of_degrees(unit: str, other: str) -> Conversion:
    (size, zero), (theirs, their_zero) = _DEGREES[unit], _DEGREES[other]
    return Conversion(size / theirs, (zero - their_zero) / theirs, other, 5.0 / size)


def _rounded(factor: float) -> float:
    return round(math.log(factor), 3)
