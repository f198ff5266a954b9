"""What stays in memory between questions: bounded, never out of date, and answered from at once."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from forewarn.domain.errors import WouldBlock
from forewarn.domain.readings import ReadingBatch
from forewarn.plugins.historians.parquet import ParquetHistorian
from forewarn.plugins.historians.parquet.row_groups import Column, GroupCache

SECOND = 1_000_000
MINUTE = 60 * SECOND
BASE = 1_750_000_000 * SECOND // (86_400 * SECOND) * 86_400 * SECOND
SPAN = (BASE, BASE + 600 * SECOND)
ONE = np.array([3], np.int32)


def batch(offset: int, at: int, count: int, value: float) -> tuple[int, ReadingBatch]:
    """`count` readings, a second apart from `at` seconds on, of each of ten signals."""
    signal = np.tile(np.arange(1, 11, dtype=np.int32), count)
    time_us = BASE + np.repeat(np.arange(at, at + count), 10) * SECOND
    return offset, ReadingBatch(
        signal, time_us, np.full(10 * count, value), np.zeros(10 * count, np.uint32), "g", offset
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ParquetHistorian]:
    opened = ParquetHistorian(tmp_path, flush_interval_s=3600, grace_s=0.0)
    opened.append([batch(1, 0, 600, 1.0)])
    opened.flush()
    yield opened
    opened.close()


def test_an_answer_is_at_once_when_it_was_given_before(store: ParquetHistorian) -> None:
    with pytest.raises(WouldBlock):
        store.at_once.raw(ONE, *SPAN)
    with pytest.raises(WouldBlock):
        store.at_once.aggregate(ONE, *SPAN, MINUTE)
    store.raw(ONE, *SPAN)
    store.aggregate(ONE, *SPAN, MINUTE)
    assert len(store.at_once.raw(ONE, *SPAN)) == 600
    assert len(store.at_once.raw(ONE, *SPAN, 5)) == 5
    assert store.at_once.aggregate(ONE, *SPAN, MINUTE).count.tolist() == [60] * 10


@pytest.mark.parametrize("flushed", [False, True])
def test_a_correction_shows_in_the_next_answer(store: ParquetHistorian, flushed: bool) -> None:
    store.raw(ONE, *SPAN)
    store.aggregate(ONE, *SPAN, MINUTE)
    store.append([batch(2, 65, 1, 7.0)])
    if flushed:
        store.flush()
        with pytest.raises(WouldBlock):
            store.at_once.raw(ONE, *SPAN)
    for reads in (store, store.at_once):
        assert reads.raw(ONE, *SPAN).value[65] == 7.0
        assert reads.aggregate(ONE, *SPAN, MINUTE).maximum.tolist() == [1.0, 7.0, *[1.0] * 8]
        assert reads.aggregate(ONE, *SPAN, 7 * SECOND).count.sum() == 600


def test_much_work_is_not_done_at_once(store: ParquetHistorian) -> None:
    many = np.arange(1, 11, dtype=np.int32)
    store.aggregate(many, *SPAN, MINUTE)
    for signals in (many, None):
        with pytest.raises(WouldBlock):
            store.at_once.aggregate(signals, *SPAN, MINUTE)
    store.append([batch(2, 600, 6_000, 1.0)])
    with pytest.raises(WouldBlock):
        store.at_once.raw(ONE, BASE, BASE + 7_000 * SECOND)


def test_readings_being_taken_in_do_not_stop_an_event_loop(store: ParquetHistorian) -> None:
    store.raw(ONE, *SPAN)
    with store._state, pytest.raises(WouldBlock):
        _in_another_thread(lambda: store.at_once.raw(ONE, *SPAN))


def _in_another_thread(work: Callable[[], object]) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(work).result()


def test_memory_is_bounded_and_the_least_used_goes_first() -> None:
    cache, here = GroupCache(capacity=8_000), Path("a")
    for group in range(10):
        cache.put(here, group, {"x": Column(np.zeros(250), None)})
        cache.get(here, 0, ["x"])
    assert cache.bytes == 8_000
    held = [group for group in range(10) if cache.get(here, group, ["x"]) is not None]
    assert held == [0, 7, 8, 9]
    assert cache.get(here, 0, ["x", "y"]) is None
    cache.put(here, 0, {"y": Column(np.zeros(250), np.ones(250, np.bool_))})
    assert cache.get(here, 0, ["x", "y"]) is not None
    assert cache.bytes == 6_250
    cache.put(here, 11, {"x": Column(np.zeros(2_000), None)})
    assert (cache.bytes, cache.get(here, 11, ["x"])) == (0, None)
    cache.put(here, 1, {"x": Column(np.zeros(250), None)})
    cache.forget({here})
    assert cache.bytes == 0


def test_a_kept_column_cannot_be_written_to(store: ParquetHistorian) -> None:
    for _ in range(2):
        times = store.raw(ONE, *SPAN).time
        with pytest.raises(ValueError, match="read-only"):
            times[0] = 0
