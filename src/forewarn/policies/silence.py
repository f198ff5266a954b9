"""Which SILENT rules hold, by the time readings arrived here."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.alarms import AlarmRule
from forewarn.domain.signal_table import SignalTable

NEVER: Final = -1
BAD_US: Final = 30_000_000


class SilenceWatch:
    """A rule with a signal watches that signal, while the rest of its asset is heard; one without watches the asset.

    What was never heard is not silent: it has not begun. An only_running rule holds only while the machine runs.
    A signal that says for BAD_US that its value is bad is as good as silent, running or not.
    """

    def __init__(self, rules: Sequence[AlarmRule], active: Sequence[bool], table: SignalTable) -> None:
        self.rules = tuple(rules)
        self.active = np.array(active, np.bool_).reshape(len(rules))
        names = sorted({s.asset_id for s in table.signals if s} | {r.asset_id for r in rules})
        number = {name: i for i, name in enumerate(names)}
        self._asset_of = np.array([number[s.asset_id] if s else len(names) for s in table.signals], np.intp)
        self._asset = np.array([number[r.asset_id] for r in rules], np.intp)
        self._signal = np.array([r.signal_key if r.signal_key < table.size else 0 for r in rules], np.intp)
        self._longest_us = np.array([int(r.threshold * 1e6) for r in rules], np.int64)
        self._only_running = np.array([r.only_running for r in rules], np.bool_)
        self._assets = len(names)

    def holds(
        self, now_us: int, heard: NDArray[np.int64], bad_since: NDArray[np.int64], running: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """Per rule. By signal key: arrival of the newest good reading, NEVER if none; arrival since when only bad
        ones come, NEVER if not so; whether its machine runs."""
        of_asset = np.full(self._assets + 1, NEVER, np.int64)
        np.maximum.at(of_asset, self._asset_of, heard[: len(self._asset_of)])
        asset_heard = of_asset[self._asset]
        own = self._signal > 0
        last = np.where(own, heard[self._signal], asset_heard)
        silent = (last != NEVER) & (now_us - last > self._longest_us)
        asset_lives = now_us - asset_heard <= self._longest_us
        allowed = ~self._only_running | running[self._signal]
        since = bad_since[self._signal]
        failing = own & (since != NEVER) & (now_us - since > BAD_US)
        holds: NDArray[np.bool_] = (silent & (~own | asset_lives) & allowed) | failing
        return holds
