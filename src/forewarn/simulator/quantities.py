"""Array types and the physical constants the models share (SI unless the name says otherwise)."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Number = float | Array

WATER_DENSITY: Final = 998.2  # kg/m3 at 20 degC
GRAVITY: Final = 9.80665  # m/s2
ATMOSPHERE_BAR: Final = 1.01325
WATER_HEAT_CAPACITY: Final = 4182.0  # J/(kg K)
AIR_ISENTROPIC: Final = 1.4
KELVIN: Final = 273.15
ABSOLUTE_BAR_PER_METRE: Final = WATER_DENSITY * GRAVITY / 1e5  # pressure of one metre of water, bar
KILOWATT_PER_M3H_METRE: Final = WATER_DENSITY * GRAVITY / 3.6e6  # hydraulic power of 1 m3/h lifted by 1 m, kW


def water_vapour_pressure_bar(celsius: Number) -> Number:
    """Saturation pressure of water in bar absolute, 1-100 degC (Antoine; constants of Stull 1947, NIST WebBook)."""
    mmhg = np.power(10.0, 8.07131 - 1730.63 / (233.426 + celsius))
    return mmhg * 133.322e-5
