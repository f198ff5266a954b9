"""What a simulated machine is: its ratings, its duty and where it stands."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

import numpy as np

from forewarn.simulator.duty import Climate, Duty
from forewarn.simulator.quantities import Number


@dataclass(frozen=True, slots=True)
class Drive:
    """The electric motor in front: rated shaft power kW, voltage V, efficiency, speed rpm at ratio 1.

    lowest_ratio: speed ratio at zero load asked for; a speed controller goes from there to 1."""

    power: Number
    volts: Number = 400.0
    efficiency: Number = 0.92
    speed: Number = 1480.0
    lowest_ratio: Number = 0.75


@dataclass(frozen=True, slots=True)
class Rotor:
    """Healthy vibration mm/s: imbalance at rated speed, misalignment, and the scale of the other causes;
    bearing_rise: K above ambient at rated load."""

    imbalance: Number = 1.0
    misalignment: Number = 0.55
    scale: Number = 1.0
    bearing_rise: Number = 24.0


@dataclass(frozen=True, slots=True)
class PumpRatings:
    """Rated point m3/h and m; static: share of the rated head that is height and back pressure;
    supply: suction vessel, bar gauge; fluid degC; npsh: NPSH3 at the rated point, m; leakage mL/h when healthy."""

    flow: Number
    head: Number
    best_efficiency: Number
    drive: Drive
    rotor: Rotor = field(default_factory=Rotor)
    static: Number = 0.4
    supply: Number = 1.9
    fluid: Number = 24.0
    npsh: Number = 3.5
    leakage: Number = 4.0


@dataclass(frozen=True, slots=True)
class MotorRatings:
    """slip at rated load; winding_rise: K above ambient at rated current. Speed of the drive is synchronous."""

    drive: Drive
    rotor: Rotor = field(default_factory=Rotor)
    slip: Number = 0.016
    winding_rise: Number = 62.0


@dataclass(frozen=True, slots=True)
class CompressorRatings:
    """Oil-flooded screw, single stage. flow: free air m3/h at rated speed; discharge: network bar gauge;
    exponent: effective polytropic exponent with oil cooling; filter_dp: bar across the clean inlet filter."""

    flow: Number
    drive: Drive
    rotor: Rotor = field(default_factory=Rotor)
    discharge: Number = 7.2
    exponent: Number = 1.095
    isentropic_efficiency: Number = 0.72
    filter_dp: Number = 0.02
    oil_pressure: Number = 4.6


@dataclass(frozen=True, slots=True)
class FanRatings:
    """Rated point m3/h and Pa."""

    flow: Number
    pressure: Number
    best_efficiency: Number
    drive: Drive
    rotor: Rotor = field(default_factory=Rotor)


Ratings = PumpRatings | MotorRatings | CompressorRatings | FanRatings
R = TypeVar("R", PumpRatings, MotorRatings, CompressorRatings, FanRatings, Drive, Rotor)


@dataclass(frozen=True, slots=True)
class Machine:
    """One simulated asset. life_hours: characteristic life of its bearing at rated load."""

    id: str
    template: str
    ratings: Ratings
    duty: Duty = field(default_factory=Duty)
    climate: Climate = field(default_factory=Climate)
    life_hours: float = 1400.0


def stacked(ratings: Sequence[R]) -> R:
    """The same ratings as columns [machines], so that a whole group is computed at once."""
    first = ratings[0]
    columns: dict[str, Any] = {}
    for each in fields(first):
        values = [getattr(r, each.name) for r in ratings]
        columns[each.name] = stacked(values) if isinstance(values[0], Drive | Rotor) else np.array(values, float)
    return type(first)(**columns)
