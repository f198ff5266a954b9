"""Steady temperatures of heat balances, degC. `lag.Lags` gives them their inertia: C dT/dt = P - (T - T_amb) / R."""

import numpy as np

from forewarn.simulator.quantities import WATER_DENSITY, WATER_HEAT_CAPACITY, Array, Number

BEARING_TAU_S = 420.0
CASING_TAU_S = 900.0
WINDING_TAU_S = 1200.0


def bearing_steady(ambient: Number, rated_rise: Number, ratio: Number, load: Number, wear: Number) -> Number:
    """Friction power is torque times speed. Part of the torque is viscous and constant, part follows the load,
    and damaged raceways multiply it (Harris and Kotzalas, Rolling Bearing Analysis, 5th ed., ch. 10)."""
    return ambient + rated_rise * ratio * (0.6 + 0.4 * load) * (1.0 + 2.0 * wear)


def casing_steady(ambient: Number, fluid: Number, loss_kw: Number, flow: Number) -> Array:
    """Between fluid and air, plus the pump's losses that stay in the water: dT = P / (rho c Q), at most 40 K."""
    carried = WATER_DENSITY * WATER_HEAT_CAPACITY * np.maximum(flow, 1e-3) / 3600.0
    rise: Array = np.minimum(np.maximum(loss_kw, 0.0) * 1e3 / carried, 40.0)
    return ambient + 0.8 * (fluid - ambient) + rise


def winding_steady(ambient: Number, rated_rise: Number, current_ratio: Number, running: Number) -> Number:
    """Copper losses go with current squared; iron losses are there whenever the motor runs."""
    return ambient + rated_rise * (0.75 * current_ratio * current_ratio + 0.25 * running)
