"""The least a door and a line need around them."""

from collections.abc import Mapping, Sequence

import numpy as np

from forewarn.domain.assets import Asset, Signal
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.signal_table import SignalTable

NOW = 1_750_000_000_000_000


class SmallPlant:
    """PlantView of signals 1 to `size`."""

    revision = 1
    assets: Mapping[str, Asset] = {}

    def __init__(self, size: int = 5) -> None:
        self.table = SignalTable.of(Signal(f"s{k}", "x", f"s{k}", "t", "C", key=k) for k in range(1, size + 1))

    def signals_of(self, asset_id: str) -> Sequence[Signal]:
        return ()


def readings(sequence: int, rows: Sequence[tuple[int, int, float]], gateway: str = "gw") -> ReadingBatch:
    """Rows of (signal, time, value), all good."""
    signal, time, value = zip(*rows, strict=True) if rows else ((), (), ())
    return ReadingBatch(
        np.array(signal, np.int32),
        np.array(time, np.int64),
        np.array(value, np.float64),
        np.zeros(len(rows), np.uint32),
        gateway,
        sequence,
    )
