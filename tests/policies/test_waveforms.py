"""Windows of waveform: whole, without gaps, and the same however the readings were cut."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from forewarn.domain.assets import Signal
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.signal_table import SignalTable
from forewarn.policies.waveforms import WaveformWindows, fast_length

START = 1_700_000_000_000_000
SENSOR = Signal("m.v", "m", "v", "vibration_acceleration", "g", key=1, rate_hz=1000.0)


def windows(unit: str = "g") -> WaveformWindows:
    """Of 50 readings, 1 ms apart."""
    found = WaveformWindows(0.05)
    found.configure(SignalTable.of([Signal(SENSOR.id, "m", "v", SENSOR.kind, unit, key=1, rate_hz=1000.0)]))
    return found


def batch(milliseconds: NDArray[np.int64]) -> ReadingBatch:
    """A reading's value is its time."""
    n = len(milliseconds)
    return ReadingBatch(
        np.ones(n, np.int32), START + 1000 * milliseconds, milliseconds.astype(float), np.zeros(n, np.uint32), "g", 0
    )


def taken(from_: WaveformWindows, milliseconds: NDArray[np.int64]) -> list[tuple[int, float, float, float]]:
    """(last row's time, first value, last value, rate) of each window, in g."""
    readings = batch(milliseconds)
    return [
        (int(milliseconds[row]), round(float(wave[0]) / 9.80665, 6), round(float(wave[-1]) / 9.80665, 6), float(rate))
        for group in from_.take(readings, np.ones(len(readings), np.bool_))
        for row, wave, rate in zip(group.row, group.wave, group.rate_hz, strict=True)
    ]


def test_windows_follow_one_another_and_tell_their_true_rate() -> None:
    assert taken(windows(), np.arange(120)) == [(49, 0.0, 49.0, 1000.0), (99, 50.0, 99.0, 1000.0)]
    faster = windows()
    found = faster.take(batch(np.arange(60)), np.ones(60, np.bool_))[0]
    half = ReadingBatch(
        np.ones(50, np.int32), START + 60_000 + 500 * np.arange(50), np.ones(50), np.zeros(50, np.uint32), "g", 0
    )
    again = faster.take(half, np.ones(50, np.bool_))[0]
    assert found.rate_hz[0] == 1000.0
    assert 1000.0 < again.rate_hz[0] < 2000.0


def test_a_gap_begins_a_window_anew_within_a_batch_and_between_two() -> None:
    lost = np.r_[np.arange(30), np.arange(32, 100)]
    assert taken(windows(), lost) == [(81, 32.0, 81.0, 1000.0)]
    between = windows()
    assert taken(between, np.arange(30)) == []
    assert taken(between, np.arange(5000, 5030)) == []
    assert taken(between, np.arange(5030, 5060)) == [(5049, 5000.0, 5049.0, 1000.0)]


def test_units_become_metres_per_second_squared() -> None:
    for unit, factor in (("m/s2", 1.0), ("m/s²", 1.0), ("g", 9.80665), ("mg", 0.00980665), ("mm/s2", 0.001)):
        wave = windows(unit).take(batch(np.arange(50)), np.ones(50, np.bool_))[0].wave
        np.testing.assert_allclose(wave[0], factor * np.arange(50))


@given(
    gaps=st.lists(st.integers(0, 399), max_size=4),
    cuts=st.lists(st.integers(1, 399), max_size=6),
    repeat=st.booleans(),
)
def test_however_it_is_cut_the_windows_are_the_same(gaps: list[int], cuts: list[int], repeat: bool) -> None:
    """Also where a batch comes twice."""
    kept = np.setdiff1d(np.arange(400), np.array(gaps, np.int64))
    pieces = np.split(kept, np.searchsorted(kept, sorted(cuts)))
    cut = windows()
    found = []
    for piece in pieces:
        if len(piece):
            found += taken(cut, piece)
            if repeat:
                assert taken(cut, piece) == []
    assert found == taken(windows(), kept)
    assert all(last - first == 49 for _, first, last, _ in found)


@given(st.integers(1, 100_000))
def test_lengths_are_fast_and_hardly_shorter(n: int) -> None:
    length = fast_length(n)
    assert 0.8 * n <= length <= n
    for prime in (2, 3, 5):
        while length % prime == 0:
            length //= prime
    assert length == 1
