"""At which multiples of the shaft speed a rolling bearing's damage is struck.

Source: Randall and Antoni, Rolling element bearing diagnostics - a tutorial, Mechanical Systems and Signal Processing
25 (2011) 485-520, equations 1-4 (also Harris and Kotzalas, Essential Concepts of Bearing Technology, 5th ed., ch. 1).
Inner race turns with the shaft, outer race stands, rolling without slip; real bearings slip, so that what is measured
lies up to about 2 % beside.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from forewarn.domain.errors import InvalidInput

Specifications = Mapping[str, str | float | int | bool]
_KEYS: Final = ("bearing_balls", "bearing_pitch_mm", "bearing_ball_mm")
_ANGLE: Final = "bearing_contact_deg"


@dataclass(frozen=True, slots=True)
class BearingOrders:
    """Multiples of the shaft speed. outer: BPFO; inner: BPFI; spin: BSF, a ball's own turns (its damage meets a race
    at twice that); cage: FTF."""

    outer: float
    inner: float
    spin: float
    cage: float


@dataclass(frozen=True, slots=True)
class BearingGeometry:
    """balls: rolling elements in the row; pitch_mm: diameter of the circle of their centres; ball_mm: their diameter;
    contact_deg: contact angle, 0 for a deep groove ball or cylindrical roller bearing under radial load.

    >>> orders = BearingGeometry(9, 39.04, 7.94).orders  # the 6205 of many public test beds
    >>> round(orders.outer, 2), round(orders.inner, 2), round(2 * orders.spin, 2), round(orders.cage, 3)
    (3.58, 5.42, 4.71, 0.398)
    """

    balls: int
    pitch_mm: float
    ball_mm: float
    contact_deg: float = 0.0

    @property
    def orders(self) -> BearingOrders:
        ratio = self.ball_mm / self.pitch_mm * math.cos(math.radians(self.contact_deg))
        cage = 0.5 * (1.0 - ratio)
        return BearingOrders(
            outer=self.balls * cage,
            inner=self.balls * 0.5 * (1.0 + ratio),
            spin=self.pitch_mm / (2.0 * self.ball_mm) * (1.0 - ratio * ratio),
            cage=cage,
        )


def bearing_geometry(specifications: Specifications) -> BearingGeometry | None:
    """From bearing_balls, bearing_pitch_mm, bearing_ball_mm and bearing_contact_deg (0 where absent); None where the
    first three are all absent. Raises InvalidInput that names the specification (in `field`) that is missing or cannot
    be."""
    if not any(key in specifications for key in _KEYS):
        return None
    balls, pitch, ball = (_number(specifications, key) for key in _KEYS)
    angle = _number(specifications, _ANGLE) if _ANGLE in specifications else 0.0
    if balls != int(balls) or not 3 <= balls <= 200:
        raise InvalidInput(f"bearing_balls is {balls:g}: a whole number from 3 to 200", field="bearing_balls")
    if not 0.0 <= angle < 90.0:
        raise InvalidInput(f"{_ANGLE} is {angle:g}: degrees from 0 to below 90", field=_ANGLE)
    if not 0.0 < ball < pitch:
        raise InvalidInput(
            f"bearing_ball_mm is {ball:g} and bearing_pitch_mm {pitch:g}: both above 0, the ball the smaller",
            field="bearing_ball_mm",
        )
    if balls * ball > math.pi * pitch:
        raise InvalidInput(
            f"{balls:g} balls of {ball:g} mm do not fit on a circle of {pitch:g} mm: correct bearing_balls,"
            " bearing_ball_mm or bearing_pitch_mm",
            field="bearing_balls",
        )
    return BearingGeometry(int(balls), pitch, ball, angle)


def _number(specifications: Specifications, key: str) -> float:
    value = specifications.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        said = "is missing" if value is None else f"is {value!r}"
        raise InvalidInput(
            f"specifications.{key} {said}: bearing frequencies need {', '.join(_KEYS)} as numbers", field=key
        )
    return float(value)
