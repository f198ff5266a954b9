"""Whatever the times, slot and jitter add up to them; steady sources give even slots."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forewarn.domain.series import Series
from forewarn.plugins.historians.parquet.manifest import Kind
from forewarn.plugins.historians.parquet.slots import split
from forewarn.plugins.historians.parquet.writing import FilePlace, write_segment
from tests.plugins.historians.parquet.test_encoding import assert_same_bits, read_back

START = 1_750_000_000_000_000
steady = st.tuples(
    st.integers(1, 300),  # readings
    st.sampled_from([1_000, 20_000, 100_000, 1_000_000, 5_000_000, 60_000_000, 333_333]),  # period, us
    st.integers(0, 120),  # jitter, per cent of the period
    st.integers(0, 10_000_000),  # phase, us
    st.sampled_from([0, 0, 7_000_000, 100_000_000]),  # a gap in the middle, us
)


@settings(max_examples=200, deadline=None)
@given(st.lists(steady, min_size=1, max_size=5), st.booleans(), st.integers(0, 2**32))
def test_jittered_times_survive(
    tmp_path_factory: pytest.TempPathFactory, runs: list[tuple[int, ...]], fine: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    times, counts = [], []
    for n, period, jitter, phase, gap in runs:
        at = START + phase + np.arange(n) * period + rng.integers(0, period * jitter // 100 + 1, n)
        at[n // 2 :] += gap
        times.append(np.unique(at if fine else at // 1_000 * 1_000))
        counts.append(len(times[-1]))
    time, count = np.concatenate(times), np.array(counts)
    slot, jitter_of = split(time if fine else time // 1_000, count, 1_000 if fine else 1)
    np.testing.assert_array_equal(slot + jitter_of, time if fine else time // 1_000)
    assert (jitter_of >= 0).all()
    signal = np.repeat(np.arange(1, len(runs) + 1, dtype=np.int32), count)
    told = Series(signal, time, rng.normal(0, 1, len(time)), np.zeros(len(time), np.uint32))
    folder = tmp_path_factory.mktemp("slots")
    entry = write_segment(FilePlace(Path(folder), Kind.RAW, 0, 1, 1), told, overwrites=0)
    assert_same_bits(read_back(folder / entry.path, entry), told)


@pytest.mark.parametrize("ticks_per_ms", [1, 1_000])
def test_a_steady_source_has_even_slots_beside_one_that_has_none(ticks_per_ms: int) -> None:
    rng = np.random.default_rng(1)
    second = 1_000 * ticks_per_ms
    even = 37 + np.arange(3_600) * second + rng.integers(-second // 20, second // 20, 3_600)
    wild = np.sort(rng.choice(3_600 * second, 1_000, replace=False))
    slot, jitter = split(np.concatenate((even, wild)), np.array([3_600, 1_000]), ticks_per_ms)
    assert (np.diff(slot[:3_600]) == second).all()
    assert jitter[:3_600].max() < second // 5
    assert not jitter[3_600:].any()


def test_times_without_jitter_stay_as_they_are() -> None:
    time = np.arange(1_000) * 1_000 + 123
    slot, jitter = split(time, np.array([1_000]), 1)
    np.testing.assert_array_equal(slot, time)
    assert not jitter.any()
