"""Told minutes at the door: what cannot be is refused by name, the rest is kept."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.series import Aggregates
from forewarn.domain.verdicts import Reason
from forewarn.kit.clock import MINUTE
from forewarn.policies.admission import FUTURE_US

# A minute has that many microseconds, so no source has more readings in it.
_MOST: Final = MINUTE


def admit_minutes(told: Aggregates, now_us: int) -> tuple[Aggregates, dict[str, int]]:
    """Those to keep, and how many were refused for which reason. told.signal: our keys, 0 = unknown."""
    some = told.good > 0
    with np.errstate(invalid="ignore"):
        # A mean is a sum: it may miss a constant value by its last bits.
        slack = 1e-9 * np.maximum(np.abs(told.minimum), np.abs(told.maximum))
        ordered = (told.minimum <= told.mean + slack) & (told.mean <= told.maximum + slack)
        ordered &= told.minimum <= told.maximum
        spread = (told.good < 2) | (told.stddev >= 0.0)
    finite = np.isfinite(told.minimum) & np.isfinite(told.maximum)
    whole = (told.start % MINUTE == 0) & (told.count > 0) & (told.count <= _MOST) & (told.good <= told.count)
    faults: tuple[tuple[Reason, NDArray[np.bool_]], ...] = (
        (Reason.UNKNOWN_SIGNAL, told.signal <= 0),
        (Reason.TIME_NEGATIVE, told.start <= 0),
        (Reason.TIME_IN_FUTURE, told.start > now_us + FUTURE_US),
        (Reason.NOT_A_NUMBER, ~whole),
        (Reason.NOT_FINITE, some & ~(ordered & spread & finite)),
    )
    sound = np.ones(len(told), np.bool_)
    reasons: dict[str, int] = {}
    for reason, wrong in faults:
        if n := int(np.count_nonzero(sound & wrong)):
            reasons[reason.value] = n
            sound &= ~wrong
    return (told if sound.all() else told.take(sound)), reasons
