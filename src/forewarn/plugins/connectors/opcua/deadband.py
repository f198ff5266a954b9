"""Our own deadband: what changed too little against the last value that was reported is not reported."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.status import BAD_OUT_OF_RANGE

# What a value that is no number is stored as, if the server calls it good.
NOT_A_NUMBER: Final = np.uint32(BAD_OUT_OF_RANGE)
_NO_BAND: Final = -1.0


class Reported:
    """band: float64, one a row, 0 = report everything.

    A change of status is always reported. Compared is with what was last reported, never with what was last seen: a
    value that creeps is reported as often as it has crept the band. A value that is not a number is reported once."""

    def __init__(self, band: NDArray[np.float64]) -> None:
        self._band = np.where(band > 0, band, _NO_BAND)
        self._any = bool((band > 0).any())
        self._seen = np.zeros(len(band), np.bool_)
        self._value = np.zeros(len(band))
        self._status = np.zeros(len(band), np.uint32)
        self._not_numbers = False

    def keep(
        self, row: NDArray[np.intp], value: NDArray[np.float64], status: NDArray[np.uint32]
    ) -> NDArray[np.bool_] | None:
        """Which of these (in the order they came) are to be reported; None = all."""
        if not (self._any or self._not_numbers or bool((status == NOT_A_NUMBER).any())):
            return None
        kept = np.zeros(len(row), np.bool_)
        order = np.argsort(row, kind="stable")
        for turn in _turns(row[order]):
            one = order[turn]  # at most one of each row: the next depends on what becomes of it
            kept[one] = self._take(row[one], value[one], status[one])
        self._not_numbers = bool((self._status[self._seen] == NOT_A_NUMBER).any())
        return kept

    def not_numbers(self) -> NDArray[np.intp]:
        """Rows whose last value was no number."""
        return (
            np.flatnonzero(self._seen & (self._status == NOT_A_NUMBER)) if self._not_numbers else np.zeros(0, np.intp)
        )

    def _take(self, row: NDArray[np.intp], value: NDArray[np.float64], status: NDArray[np.uint32]) -> NDArray[np.bool_]:
        band, last = self._band[row], self._value[row]
        both_missing = np.isnan(value) & np.isnan(last) & ((band > 0) | (status == NOT_A_NUMBER))
        with np.errstate(invalid="ignore"):
            near = np.abs(value - last) <= band
        report: NDArray[np.bool_] = ~self._seen[row] | (status != self._status[row]) | ~(near | both_missing)
        told = row[report]
        self._seen[told] = True
        self._value[told] = value[report]
        self._status[told] = status[report]
        return report


def _turns(row: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Positions of the first of each row, of the second, and so on; `row` is sorted."""
    n = len(row)
    place = np.arange(n)
    begins = np.r_[True, row[1:] != row[:-1]] if n else np.zeros(0, np.bool_)
    rank = place - np.maximum.accumulate(np.where(begins, place, 0))
    most = int(rank.max()) + 1 if n else 0
    return [np.flatnonzero(rank == turn) for turn in range(most)]
