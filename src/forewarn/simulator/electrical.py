"""Three-phase induction motor in steady state. Power kW, current A, voltage V (line to line).

Source: Chapman, Electric Machinery Fundamentals, 5th ed., ch. 6 (losses, slip, magnetising current).
"""

import numpy as np

from forewarn.simulator.quantities import Array, Number

_FIXED_LOSS_SHARE = 0.4
_MAGNETISING_SHARE = 0.35


def input_power(shaft: Number, rated: Number, rated_efficiency: Number, running: Number) -> Number:
    """Shaft power plus losses: a fixed share (iron, windage) and one that grows with load squared (copper)."""
    rated_loss = rated * (1.0 / rated_efficiency - 1.0)
    load = shaft / rated
    return shaft + running * rated_loss * (_FIXED_LOSS_SHARE + (1.0 - _FIXED_LOSS_SHARE) * load * load)


def rated_current(rated: Number, rated_efficiency: Number, volts: Number) -> Number:
    """Current at rated load and voltage, magnetising part included."""
    active = rated / rated_efficiency * 1e3 / (3.0**0.5 * volts)
    result: Number = active * float(np.sqrt(1.0 + _magnetising_ratio() ** 2))
    return result


def _magnetising_ratio() -> float:
    return _MAGNETISING_SHARE / float(np.sqrt(1.0 - _MAGNETISING_SHARE**2))


def current(power_in: Number, volts: Number, rated: Number, rated_efficiency: Number, running: Number) -> Array:
    """Active and magnetising current at right angles; the power factor falls by itself at low load."""
    active = power_in * 1e3 / (np.sqrt(3.0) * np.maximum(volts, 1.0))
    rated_active = rated / rated_efficiency * 1e3 / (np.sqrt(3.0) * np.maximum(volts, 1.0))
    magnetising = running * rated_active * _magnetising_ratio()
    result: Array = np.sqrt(active * active + magnetising * magnetising)
    return result


def slip(load: Number, rated_slip: Number, voltage_ratio: Number) -> Number:
    """Proportional to torque and to 1/V^2 in the stable range."""
    return rated_slip * load / (voltage_ratio * voltage_ratio)
