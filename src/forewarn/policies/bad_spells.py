"""How much bad quality a signal has told lately: a loose contact is bad most of the time and good in between."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.signal_table import SignalTable
from forewarn.policies.runs import resized

BAD_US: Final = 30_000_000
_PERIODS: Final = 10
_CLEAR_SHARE: Final = 2


class BadSpells:
    """By signal, a level in microseconds by our clock: it rises while the newest reading is bad and falls half as fast
    while it is good, from 0 to one and a half times the limit: a signal that is bad for more than a third of the time
    gets there. The limit is BAD_US, or ten of the signal's periods if that is longer."""

    def __init__(self) -> None:
        self._bad = np.zeros(0, np.bool_)
        self._level = np.zeros(0, np.int64)
        self._at = np.zeros(0, np.int64)
        self._limit = np.zeros(0, np.int64)

    def configure(self, table: SignalTable) -> None:
        self._bad, self._level = resized(self._bad, table.size, False), resized(self._level, table.size, 0)
        self._at = resized(self._at, table.size, 0)
        rate = np.array([s.rate_hz if s and s.rate_hz > 0 else np.inf for s in table.signals])
        self._limit = np.maximum(BAD_US, (_PERIODS * 1e6 / rate).astype(np.int64))

    def note(self, signals: NDArray[np.int32], bad: NDArray[np.bool_], now_us: int) -> None:
        """The newest reading of each of `signals` (unique), heard now."""
        turned = bad != self._bad[signals]
        keys = signals[turned]
        if len(keys):
            self._level[keys] = self._now(now_us)[keys]
            self._at[keys], self._bad[keys] = now_us, bad[turned]

    def holds(self, now_us: int, before: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """By signal: bad beyond the limit; where it was so before, until the level is down to half of it."""
        level = self._now(now_us)
        failing: NDArray[np.bool_] = (level > self._limit) | (before & (level > self._limit // _CLEAR_SHARE))
        return failing

    def _now(self, now_us: int) -> NDArray[np.int64]:
        spent = np.maximum(now_us - self._at, 0)
        size = len(self._limit)
        level: NDArray[np.int64] = self._level[:size] + np.where(self._bad, spent, -spent // 2)[:size]
        return np.clip(level, 0, self._limit + self._limit // 2)
