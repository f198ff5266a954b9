"""Which limit rules might change at a batch, found without looking at one rule at a time."""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.alarms import AlarmRule, Condition
from forewarn.policies.condition import Holding

RUNNING: Final = 0
STANDING: Final = 1
Values = NDArray[np.float64]
Keys = NDArray[np.int32]


class ValueWatch:
    """The ABOVE and BELOW rules with their timers, and for each signal the band of values that changes none of them.

    There are two bands a signal: one for a running machine, and one for a standing one, in which only_running
    rules that are not active do not count.
    """

    def __init__(self, rules: Sequence[AlarmRule], holdings: Sequence[Holding], size: int) -> None:
        """size: highest signal key + 1. Holdings are aligned with rules."""
        self.rules = tuple(rules)
        self._holdings = list(holdings)
        self._alive = {i for i, h in enumerate(self._holdings) if h.active}
        self._of_signal: dict[int, list[int]] = {}
        self._low = np.full((2, size), -np.inf)
        self._high = np.full((2, size), np.inf)
        self.designed = np.zeros(size, np.bool_)
        for index, rule in enumerate(self.rules):
            if 0 < rule.signal_key < size:
                self._of_signal.setdefault(rule.signal_key, []).append(index)
                self.designed[rule.signal_key] |= rule.only_running
        self._draw(self._of_signal)

    @property
    def active(self) -> set[int]:
        """Rules whose condition holds."""
        return set(self._alive)

    def of_signal(self, signal: int) -> Sequence[int]:
        return self._of_signal.get(signal, ())

    def holding(self, index: int) -> Holding:
        return self._holdings[index]

    def hold(self, changed: Iterable[tuple[int, Holding]]) -> None:
        """Remember new timers and redraw the bands of their signals."""
        signals = set()
        for index, holding in changed:
            self._holdings[index] = holding
            if holding.active:
                self._alive.add(index)
            else:
                self._alive.discard(index)
            signals.add(self.rules[index].signal_key)
        self._draw(s for s in signals if s in self._of_signal)

    def may_change(
        self, signal: Keys, lowest: Values, highest: Values, standing: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """Per signal of a batch: whether a value from `lowest` to `highest` could change one of its rules."""
        band = standing.astype(np.intp)
        outside: NDArray[np.bool_] = (lowest < self._low[band, signal]) | (highest > self._high[band, signal])
        return outside

    def _draw(self, signals: Iterable[int]) -> None:
        for signal in signals:
            for band in (RUNNING, STANDING):
                self._low[band, signal], self._high[band, signal] = self._band(signal, band)

    def _band(self, signal: int, band: int) -> tuple[float, float]:
        low, high = -np.inf, np.inf
        for index in self._of_signal[signal]:
            rule, holding = self.rules[index], self._holdings[index]
            if holding.since is not None or holding.raw != holding.active:
                return np.inf, -np.inf
            if band == STANDING and rule.only_running and not holding.active:
                continue
            if rule.condition is Condition.ABOVE and holding.active:
                low = max(low, float(np.nextafter(rule.threshold - rule.deadband, np.inf)))
            elif rule.condition is Condition.ABOVE:
                high = min(high, rule.threshold)
            elif holding.active:
                high = min(high, float(np.nextafter(rule.threshold + rule.deadband, -np.inf)))
            else:
                low = max(low, rule.threshold)
        return low, high
