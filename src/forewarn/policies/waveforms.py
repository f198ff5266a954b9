"""From readings of fast signals to whole windows of waveform, in memory bounded by the number of signals."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.readings import ReadingBatch
from forewarn.domain.signal_table import SignalTable
from forewarn.policies.regimes import LONG_AGO
from forewarn.policies.runs import Runs, new_rows, resized

KIND: Final = "vibration_acceleration"
LEAST_RATE_HZ: Final = 1000.0
_STANDARD_GRAVITY: Final = 9.80665
PER_UNIT: Final = {
    **dict.fromkeys(("m/s2", "m/s²", "m/s^2", "m/s**2"), 1.0),
    **dict.fromkeys(("g", "gn", "g_n"), _STANDARD_GRAVITY),
    "mg": _STANDARD_GRAVITY / 1000.0,
    **dict.fromkeys(("mm/s2", "mm/s²", "mm/s^2"), 0.001),
}
_GAP_PERIODS: Final = 1.5


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Windows of one length n that a batch completed, in the order of their last rows.

    signal: int32[k]; row: intp[k], the row of the batch that completed it; wave: float64[k, n], m/s2; rate_hz:
    float64[k], from the readings' own times."""

    signal: NDArray[np.int32]
    row: NDArray[np.intp]
    wave: NDArray[np.float64]
    rate_hz: NDArray[np.float64]


class WaveformWindows:
    """Follows the signals of kind vibration_acceleration that are read at 1,000 Hz or more. A window holds readings
    without a gap; one that is interrupted (a lost or bad reading) is given up. Windows do not overlap."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._buffer: dict[int, NDArray[np.float64]] = {}
        self._filled = np.zeros(0, np.intp)
        self._begun = np.zeros(0, np.int64)
        self._seen = np.zeros(0, np.int64)
        self.configure(SignalTable.of(()))

    def configure(self, table: SignalTable) -> None:
        fast = [s for s in table.signals if s and s.kind == KIND and s.rate_hz >= LEAST_RATE_HZ and s.unit in PER_UNIT]
        self.follows = np.zeros(table.size, np.bool_)
        self.follows[[s.key for s in fast]] = True
        self._per_unit = {s.key: PER_UNIT[s.unit] for s in fast}
        self._gap_us = {s.key: int(_GAP_PERIODS * 1e6 / s.rate_hz) + 1 for s in fast}
        self._filled = resized(self._filled, table.size, 0)
        self._begun = resized(self._begun, table.size, 0)
        self._seen = resized(self._seen, table.size, LONG_AGO)
        kept: dict[int, NDArray[np.float64]] = {}
        for signal in fast:
            length = fast_length(int(signal.rate_hz * self._window_s))
            buffer = self._buffer.get(signal.key)
            if buffer is None or len(buffer) != length:
                buffer, self._filled[signal.key] = np.zeros(length), 0
            kept[signal.key] = buffer
        self._buffer = kept

    def take(self, batch: ReadingBatch, usable: NDArray[np.bool_]) -> list[Windows]:
        """Fill in the usable readings (of followed signals only) and hand out what became whole."""
        rows = new_rows(batch, usable & self.follows[batch.signal], self._seen)
        if not len(rows):
            return []
        found: dict[int, list[tuple[int, int, NDArray[np.float64], float]]] = {}
        part = batch.take(rows)
        runs = Runs.of(part)
        for signal, start, length in zip(runs.signal.tolist(), runs.start.tolist(), runs.length.tolist(), strict=True):
            span = slice(start, start + length)
            for last, wave, rate in self._fill(signal, part.time[span], part.value[span]):
                found.setdefault(len(wave), []).append((signal, int(rows[start + last]), wave, rate))
        return [_stacked(found[length]) for length in sorted(found)]

    def _fill(
        self, signal: int, time: NDArray[np.int64], value: NDArray[np.float64]
    ) -> list[tuple[int, NDArray[np.float64], float]]:
        """(last row, wave, rate) of each window completed. Only stretches that can hold a whole window, and the last,
        are looked at, so that a signal full of gaps costs no more."""
        buffer, filled = self._buffer[signal], int(self._filled[signal])
        begun, n = int(self._begun[signal]), len(self._buffer[signal])
        before = np.concatenate((self._seen[signal : signal + 1], time[:-1]))
        edges = np.flatnonzero(time - before > self._gap_us[signal])
        bounds = np.concatenate(([0], edges[edges > 0], [len(time)]))
        carried = np.diff(bounds)
        if len(edges) and edges[0] == 0:
            filled = 0
        carried[0] += filled
        whole: list[tuple[int, NDArray[np.float64], float]] = []
        for stretch in np.flatnonzero((carried >= n) | (np.arange(len(carried)) == len(carried) - 1)).tolist():
            at, end = int(bounds[stretch]), int(bounds[stretch + 1])
            filled = filled if stretch == 0 else 0
            while at < end:
                if filled == 0:
                    begun = int(time[at])
                taken = min(n - filled, end - at)
                buffer[filled : filled + taken] = value[at : at + taken]
                filled, at = filled + taken, at + taken
                if filled == n:
                    rate = (n - 1) * 1e6 / (int(time[at - 1]) - begun)
                    whole.append((at - 1, buffer * self._per_unit[signal], rate))
                    filled = 0
        self._filled[signal], self._begun[signal], self._seen[signal] = filled, begun, time[-1]
        return whole


def fast_length(n: int) -> int:
    """The greatest number <= n (at least 1) without a prime factor above 5: transforms of such lengths are fast.

    >>> fast_length(25_600), fast_length(1023)
    (25600, 1000)
    """
    for length in range(max(n, 1), 0, -1):
        rest = length
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return length
    return 1


def _stacked(windows: list[tuple[int, int, NDArray[np.float64], float]]) -> Windows:
    signal, row, wave, rate = zip(*windows, strict=True)
    return Windows(np.array(signal, np.int32), np.array(row, np.intp), np.stack(wave), np.array(rate))
