"""The signals' parameters as columns, indexed by signal key, for stages that may not loop."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.assets import Asset, Signal

Column = NDArray[np.float64]
_LIMITS: Final = ("low_critical", "low", "high", "high_critical")
_PARAMETERS: Final = ("range_low", "range_high", "max_rate_per_s", "flatline_s", "running_above")


def _column(size: int) -> Column:
    return np.full(size, np.nan)


@dataclass(frozen=True, slots=True, eq=False)
class SignalTable:
    """Struct of arrays of length `size` = highest key + 1. NaN = not given. Row 0 is never a signal.

    known: bool[size]; every float column is in the signal's own unit.
    speed_key: int32[size], the key of the same asset's speed signal (the one with running_above), or 0.
    running_above: float64[size], set on speed signals only.
    assets: the machines by id, for what a nameplate tells a detector; empty where the caller knows none.
    """

    signals: tuple[Signal | None, ...]
    key_of: dict[str, int]
    known: NDArray[np.bool_]
    low_critical: Column
    low: Column
    high: Column
    high_critical: Column
    range_low: Column
    range_high: Column
    max_rate_per_s: Column
    flatline_s: Column
    running_above: Column
    speed_key: NDArray[np.int32]
    assets: Mapping[str, Asset] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return len(self.known)

    @staticmethod
    def of(signals: Iterable[Signal], assets: Mapping[str, Asset] | None = None) -> "SignalTable":
        """Table of applied signals (key > 0)."""
        rows = [s for s in signals if s.key > 0]
        size = max((s.key for s in rows), default=0) + 1
        by_key: list[Signal | None] = [None] * size
        columns = {name: _column(size) for name in (*_LIMITS, *_PARAMETERS)}
        known = np.zeros(size, np.bool_)
        speed_of = {s.asset_id: s.key for s in rows if s.running_above is not None}
        speed_key = np.zeros(size, np.int32)
        for s in rows:
            by_key[s.key] = s
            known[s.key] = True
            speed_key[s.key] = speed_of.get(s.asset_id, 0)
            for name, column in columns.items():
                given = getattr(s.limits if name in _LIMITS else s, name)
                if given is not None:
                    column[s.key] = given
        key_of = {s.id: s.key for s in rows}
        return SignalTable(tuple(by_key), key_of, known, **columns, speed_key=speed_key, assets=assets or {})
