"""Overall vibration velocity, mm/s RMS, as the root sum of squares of independent causes.

Gains are chosen so that a healthy machine lies in ISO zone A and a fault of severity 0.8 leaves zone B.
"""

import numpy as np

from forewarn.simulator.quantities import Array, Number


def overall(*causes: Number) -> Array:
    """RMS of causes at different frequencies adds in power."""
    total: Number = 0.0
    for cause in causes:
        total = total + cause * cause
    result: Array = np.sqrt(total)
    return result


def imbalance(healthy: Number, ratio: Number, severity: Number) -> Number:
    """A rotating mass pulls with m e w^2: ~ N^2. Severity 1 is about ten times the residual imbalance of G 6.3."""
    return healthy * ratio * ratio * (1.0 + 9.0 * severity)


def bearing(healthy: Number, ratio: Number, severity: Number) -> Number:
    """Defects excite broadband response with the rate of overrolling, late and then steeply (P-F curve)."""
    return healthy * ratio * (0.3 + 9.0 * np.power(severity, 1.5))


def cavitation(healthy: Number, head_loss: Number) -> Number:
    """Collapsing bubbles: broadband, grows with the head lost and levels off."""
    return healthy * 7.5 * np.tanh(np.asarray(head_loss) / 0.08)
