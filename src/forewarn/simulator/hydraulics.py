"""Centrifugal pump against a system curve. Flow m3/h, head m, power kW, pressure bar.

Sources: Karassik et al., Pump Handbook, 4th ed., ch. 2 (affinity laws, curves); ISO 9906 / HI 9.6.1 (NPSH3).
"""

import numpy as np

from forewarn.simulator.quantities import (
    ABSOLUTE_BAR_PER_METRE,
    ATMOSPHERE_BAR,
    GRAVITY,
    KILOWATT_PER_M3H_METRE,
    Array,
    Number,
    water_vapour_pressure_bar,
)


def head(flow: Number, ratio: Number, shutoff_head: Number, steepness: Number) -> Number:
    """H = H0 r^2 - k Q^2. With Q ~ r this is the affinity law H ~ r^2 exactly."""
    return shutoff_head * ratio * ratio - steepness * flow * flow


def operating_flow(ratio: Array, shutoff_head: Number, steepness: Number, static: Number, friction: Number) -> Array:
    """Where the pump's curve meets H = static + friction Q^2; 0 while the pump cannot lift the static head
    (the check valve is shut)."""
    surplus = np.maximum(shutoff_head * ratio * ratio - static, 0.0)
    flow: Array = np.sqrt(surplus / (steepness + friction))
    return flow


def efficiency(flow: Number, ratio: Number, best_flow: Number, best_efficiency: Number) -> Array:
    """Parabola through zero and the best efficiency point, in q = Q / (r Q_bep): eta = eta_bep (2 q - q^2)."""
    q = np.clip(flow / np.maximum(best_flow * np.asarray(ratio), 1e-9), 0.0, 1.7)
    result: Array = best_efficiency * (2.0 * q - q * q)
    return result


def shaft_power(flow: Array, lift: Array, ratio: Array, best_flow: Number, best_efficiency: Number) -> Array:
    """rho g Q H / eta with the parabola above, written so that it stays finite at shut-off:
    Q / (2 q - q^2) = r Q_bep / (2 - q). P ~ r^3 along an affinity line."""
    q = np.clip(flow / np.maximum(best_flow * ratio, 1e-9), 0.0, 1.7)
    power: Array = KILOWATT_PER_M3H_METRE * np.maximum(lift, 0.0) * ratio * best_flow / (best_efficiency * (2.0 - q))
    return power


def hydraulic_power(flow: Number, lift: Number) -> Number:
    """rho g Q H."""
    return KILOWATT_PER_M3H_METRE * flow * lift


def npsh_available(suction_gauge_bar: Number, flow: Number, pipe_area: Number, celsius: Number) -> Number:
    """(p_s - p_v) / (rho g) + v^2 / 2g at the suction flange; pipe_area in m2."""
    velocity = flow / 3600.0 / pipe_area
    absolute = suction_gauge_bar + ATMOSPHERE_BAR - water_vapour_pressure_bar(celsius)
    return absolute / ABSOLUTE_BAR_PER_METRE + velocity * velocity / (2.0 * GRAVITY)


def npsh_required(flow: Number, ratio: Number, rated_flow: Number, rated_npsh: Number) -> Number:
    """NPSH3 at speed and flow: half of it goes with r^2, half with Q^2, so it follows the affinity law."""
    q = flow / rated_flow
    return rated_npsh * (0.5 * ratio * ratio + 0.5 * q * q)


def cavitation_head_loss(available: Number, required: Number) -> Array:
    """Share of head lost. NPSH3 is by definition the NPSH at which 3 % of head is gone (ISO 9906); from there
    the loss grows eightfold for each 30 % of NPSH missing, up to 60 %."""
    margin = np.maximum(available, 0.0) / np.maximum(required, 1e-3)
    loss: Array = np.minimum(0.03 * np.exp(7.0 * (1.0 - np.minimum(margin, 5.0))), 0.6)
    return loss
