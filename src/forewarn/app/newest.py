"""How far each signal was stored by an earlier process, for devices that keep what was missed since."""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.contracts.raw_ring import Recollection
from forewarn.domain.series import Series
from forewarn.domain.status import is_bad
from forewarn.kit.clock import HOUR, now_us

_MARKS: Final = 20
_NEVER: Final = np.iinfo(np.int64).min


def newest_good(past: Recollection, latest: Series) -> Callable[[NDArray[np.int32]], NDArray[np.int64]]:
    """Source time of the newest good reading an earlier process stored: what a device kept since then may be asked
    for. The newest of all is often the mark of a gap."""
    keys, times = latest.signal, latest.time.copy()
    marked = is_bad(latest.quality)
    if marked.any():
        before = past.raw(keys[marked], int(times[marked].min()) - HOUR, now_us() + HOUR, _MARKS)
        good = ~is_bad(before.quality)
        known = dict(zip(before.signal[good].tolist(), before.time[good].tolist(), strict=True))  # the last one stays
        times[marked] = [known.get(int(key), _NEVER) for key in keys[marked]]

    def newest(signal: NDArray[np.int32]) -> NDArray[np.int64]:
        if not len(keys):
            return np.full(len(signal), _NEVER, np.int64)
        row = np.minimum(np.searchsorted(keys, signal), len(keys) - 1)
        return np.where(keys[row] == signal, times[row], _NEVER)

    return newest
