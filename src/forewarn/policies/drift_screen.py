"""Which signals may have fixed limits: one that drifts in health would pass any of them one day."""

from dataclasses import dataclass

import numpy as np

from forewarn.policies.joint_drift import unexplained
from forewarn.policies.slow_part import Matrix, slow_part, slow_window, weights
from forewarn.policies.standard_rows import centre_and_spread, standardised


@dataclass(frozen=True, slots=True)
class ScreenedSignal:
    """One signal's verdict. slow_share: of its healthy variance, 0-1, NaN where it has none. reason: why it takes no
    part, or little, or only beside the others; "" where it takes part in full."""

    takes_part: bool
    slow_share: float
    reason: str


def screen(healthy: Matrix) -> tuple[ScreenedSignal, ...]:
    """A verdict per column of healthy[n, m]: whether it is steady, or the others explain what is slow in it."""
    z = _in_spreads(healthy)
    share, beside, window = slow_part(z), unexplained(z), slow_window(len(healthy))
    verdicts = []
    for own, joint, s, left in zip(weights(share, 0), beside.weight, share, beside.slow_share, strict=True):
        reason = _reason(float(own), float(joint), float(s), float(left), window)
        verdicts.append(ScreenedSignal(bool(max(own, joint) > 0), float(s), reason))
    return tuple(verdicts)


def steadiness(healthy: Matrix) -> Matrix:
    """[m]: the weight of each signal's deviations from its own level (slow_part.weights)."""
    return weights(slow_share(healthy))


def slow_share(healthy: Matrix) -> Matrix:
    """[m]: of each column's variance in robust spreads; NaN where it is constant or hardly ever known."""
    return slow_part(_in_spreads(healthy))


def _in_spreads(healthy: Matrix) -> Matrix:
    centre, spread = centre_and_spread(healthy)
    return np.asarray(standardised(healthy[None], centre[None], spread[None])[0])


def _reason(own: float, joint: float, share: float, left: float, window: int) -> str:
    if np.isnan(share):
        return "constant, or hardly ever known"
    slow = f"{share:.0%} of its healthy variance is slower than {window} rows"
    rest = f"{left:.0%} of what the other signals leave of it"
    if max(own, joint) == 0:
        return f"drifts in health: {slow}, and {rest}"
    if own == 0:
        return f"follows other signals, and is judged beside them alone: {slow}, but {rest}"
    return f"drifts a little in health: {slow}, and {rest}" if min(own, joint) < 1 else ""
