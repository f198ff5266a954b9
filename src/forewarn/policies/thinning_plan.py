"""How each signal is thinned: the rule a person writes, and the rules of all signals as columns."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.errors import ConfigurationError
from forewarn.domain.signal_table import SignalTable

_SECOND: Final = 1_000_000


class Method(IntEnum):
    """NONE: every reading. DEADBAND: a reading that differs from the last kept one by more than the error; between them
    the last kept one holds. SWINGING_DOOR: so that the straight line between kept readings passes every other one
    within the error. MINUTES: statistics of each minute."""

    NONE = 0
    DEADBAND = 1
    SWINGING_DOOR = 2
    MINUTES = 3


@dataclass(frozen=True, slots=True)
class ThinRule:
    """error: in the signal's unit; None = percent. percent: of the signal's range (range_high - range_low), where it
    has none of the span of its outermost limits, and without two limits of the magnitude of the last kept reading.
    max_gap_s: from a kept reading to the next one, where there are readings. Raises ConfigurationError."""

    method: Method = Method.SWINGING_DOOR
    error: float | None = None
    percent: float = 0.5
    max_gap_s: float = 60.0

    def __post_init__(self) -> None:
        if self.error is not None and not 0.0 <= self.error < np.inf:
            raise ConfigurationError(f"thinning error {self.error} must be a number of 0 or more")
        if not 0.0 <= self.percent <= 100.0:
            raise ConfigurationError(f"thinning percent {self.percent} must be within 0 and 100")
        if not 1.0 <= self.max_gap_s <= 86_400.0:
            raise ConfigurationError(f"thinning max_gap_s {self.max_gap_s} must be within 1 and 86400")


@dataclass(frozen=True, slots=True, eq=False)
class ThinPlan:
    """Columns by signal key. error: absolute, NaN where `relative` (share of the last kept reading's magnitude) counts.
    Keys beyond the columns are not thinned."""

    method: NDArray[np.uint8]
    error: NDArray[np.float64]
    relative: NDArray[np.float64]
    max_gap_us: NDArray[np.int64]

    @property
    def size(self) -> int:
        return len(self.method)

    @staticmethod
    def of(table: SignalTable, default: ThinRule, own: Mapping[str, ThinRule] | None = None) -> "ThinPlan":
        """own: rules by signal id; ids that the table does not know are left out."""
        rules = [default] * table.size
        for signal_id, rule in (own or {}).items():
            if (key := table.key_of.get(signal_id)) is not None:
                rules[key] = rule
        percent = np.array([r.percent for r in rules]) / 100.0
        given = np.array([np.nan if r.error is None else r.error for r in rules])
        error = np.where(np.isnan(given), percent * _span(table), given)
        return ThinPlan(
            np.where(table.known, [r.method for r in rules], Method.NONE).astype(np.uint8),
            error,
            percent,
            np.array([round(r.max_gap_s * _SECOND) for r in rules], np.int64),
        )


def _span(table: SignalTable) -> NDArray[np.float64]:
    """What `percent` is of, by signal; NaN where the signal says nothing of itself."""
    measured = table.range_high - table.range_low
    low = np.fmin(table.low_critical, table.low)
    high = np.fmax(table.high_critical, table.high)
    allowed = high - low
    span: NDArray[np.float64] = np.where(measured > 0, measured, np.where(allowed > 0, allowed, np.nan))
    return span
