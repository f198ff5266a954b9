"""Which SILENT rules hold, by the time readings arrived here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.alarms import AlarmRule
from forewarn.domain.signal_table import SignalTable

NEVER: Final = -1
_DAY_S: Final = 86_400.0
_PERIODS: Final = 10


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """By signal key, microseconds by our clock but for `started`.

    good_at: arrival of the newest good reading, NEVER if none. failing: it told too much bad quality lately.
    running: its machine is known to run; started: source time of its last start or stop, far back if none was seen.
    rhythm_us: silence that is unusual for the signal, the greatest int64 if not known."""

    good_at: NDArray[np.int64]
    failing: NDArray[np.bool_]
    running: NDArray[np.bool_]
    started: NDArray[np.int64]
    rhythm_us: NDArray[np.int64]


class SilenceWatch:
    """A rule with a signal watches that signal, while the rest of its asset is heard; one without watches the asset.

    What was never heard is not silent: it has not begun. An only_running rule holds only while the machine runs, and
    its silence counts from the machine's start; where such a rule's time is for a signal that should move (less than
    a day), the signal's own rhythm shortens it.
    A signal that mostly says that its value is bad (`policies/bad_spells.py`) is as good as silent, running or not.
    """

    def __init__(self, rules: Sequence[AlarmRule], active: Sequence[bool], table: SignalTable) -> None:
        self.rules = tuple(rules)
        self.active = np.array(active, np.bool_).reshape(len(rules))
        self._place = {(r.asset_id, r.rule_id): i for i, r in enumerate(self.rules)}
        names = sorted({s.asset_id for s in table.signals if s} | {r.asset_id for r in rules})
        number = {name: i for i, name in enumerate(names)}
        self._asset_of = np.array([number[s.asset_id] if s else len(names) for s in table.signals], np.intp)
        self._asset = np.array([number[r.asset_id] for r in rules], np.intp)
        self._signal = np.array([r.signal_key if r.signal_key < table.size else 0 for r in rules], np.intp)
        self._longest_us = np.array([int(r.threshold * 1e6) for r in rules], np.int64)
        self._paced = np.array([r.only_running and r.signal_key > 0 and r.threshold < _DAY_S for r in rules], np.bool_)
        self._least_us = np.array([_PERIODS * _period_us(table, k) for k in self._signal], np.int64)
        self._only_running = np.array([r.only_running for r in rules], np.bool_)
        self._assets = len(names)

    def active_by_signal(self, size: int) -> NDArray[np.bool_]:
        """By signal key below `size`: its own rule's alarm is active."""
        active = np.zeros(size, np.bool_)
        active[self._signal[self.active]] = True
        return active

    def settle(self, standing: Mapping[tuple[str, str], bool]) -> None:
        """Believe the store: (asset, rule) -> active."""
        for key, active in standing.items():
            if (place := self._place.get(key)) is not None:
                self.active[place] = active

    @property
    def paced(self) -> NDArray[np.intp]:
        """Keys of the signals whose rhythm counts."""
        return np.unique(self._signal[self._paced])

    def holds(self, now_us: int, heard: Heard) -> NDArray[np.bool_]:
        """Per rule."""
        of_asset = np.full(self._assets + 1, NEVER, np.int64)
        np.maximum.at(of_asset, self._asset_of, heard.good_at[: len(self._asset_of)])
        asset_heard = of_asset[self._asset]
        own = self._signal > 0
        last = np.where(own, heard.good_at[self._signal], asset_heard)
        pace = np.maximum(heard.rhythm_us[self._signal], self._least_us)
        longest = np.where(self._paced, np.minimum(self._longest_us, pace), self._longest_us)
        begun = np.where(self._only_running, np.maximum(last, heard.started[self._signal]), last)
        silent = (last != NEVER) & (now_us - begun > longest)
        asset_lives = now_us - asset_heard <= longest
        allowed = ~self._only_running | heard.running[self._signal]
        failing = own & heard.failing[self._signal]
        holds: NDArray[np.bool_] = (silent & (~own | asset_lives) & allowed) | failing
        return holds


def _period_us(table: SignalTable, key: int) -> int:
    signal = table.signals[key] if key < table.size else None
    return int(1e6 / signal.rate_hz) if signal is not None and signal.rate_hz > 0 else 0
