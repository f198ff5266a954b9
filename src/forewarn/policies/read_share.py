"""Signals that are read far more seldom than when their model was trained: a value that is held stands beside newer
ones of other signals, and what does not go with them would pass for a fault."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Places = NDArray[np.intp]
_LEAST: Final = 1 / 3  # of the share of rows in which the signal changed when it was healthy: it was read as often
_SILENT: Final = 0.001  # what two minutes of rows without it leave of the share
_FADE: Final = 0.95  # what a row leaves of the share before it


class ReadShare:
    """Machines with equally many signals. For one thread."""

    def __init__(self, change: Matrix) -> None:
        """change: float64[machines, m], the share of rows that say another value than the one before, in health; 0 =
        not known, never too seldom."""
        self._least = _LEAST * change
        self._share = np.ones(change.shape)

    def carry(self, before: "ReadShare", theirs: Places, ours: Places) -> None:
        """Go on where machines `theirs` of `before` are."""
        self._share[ours] = before._share[theirs]

    def seldom(self, machine: Places) -> NDArray[np.bool_]:
        """[k, m]: what is read now and then, and too seldom. What is not read at all is silent, and others say so."""
        share = self._share[machine]
        return np.asarray((share < self._least[machine]) & (share > _SILENT))

    def screen(self, machine: Places, value: Matrix, read: NDArray[np.bool_]) -> Matrix:
        """value, read: [k, n, m], as policies/machine_rows.Screen has them. The values, NaN where one is held of a
        signal that is read too seldom."""
        share, least = self._share[machine], self._least[machine]
        screened = value
        if read.all():
            self._share[machine] = 1.0 - (1.0 - share) * _FADE ** read.shape[1]
            return value
        for t in range(read.shape[1]):
            share = _FADE * share + (1.0 - _FADE) * read[:, t]
            seldom = (share < least) & ~read[:, t]
            if seldom.any():
                screened = value.copy() if screened is value else screened
                screened[:, t][seldom] = np.nan
        self._share[machine] = share
        return screened
