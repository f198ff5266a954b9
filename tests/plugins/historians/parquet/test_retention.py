"""Retention on real files: what is past its age goes, what is younger answers as before, readers never stumble."""

import threading
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from forewarn.app.settings import Settings
from forewarn.domain.readings import ReadingBatch
from forewarn.jobs.retention import Retention
from forewarn.plugins.historians.parquet import ParquetHistorian, ParquetReader

MINUTE, HOUR, DAY = 60_000_000, 3_600_000_000, 86_400_000_000
BASE = 1_750_000_000_000_000 // (30 * DAY) * 30 * DAY
KEYS = np.array([1, 2], np.int32)


def minutes(first: int, count: int, offset: int, value: float = 1.0) -> ReadingBatch:
    time = np.tile(BASE + (first + np.arange(count, dtype=np.int64)) * MINUTE, 2)
    signal = np.repeat(KEYS, count)
    return ReadingBatch(signal, time, np.full(2 * count, value), np.zeros(2 * count, np.uint32), "gw", offset)


@pytest.fixture
def store(tmp_path: Path) -> ParquetHistorian:
    """Three days of one reading a minute, a flush every eight hours."""
    historian = ParquetHistorian(tmp_path, flush_interval_s=3_600, grace_s=0.0)
    for offset in range(1, 10):
        historian.append([(offset, minutes((offset - 1) * 480, 480, offset))])
        historian.flush()
    return historian


def times(store: ParquetHistorian | ParquetReader) -> tuple[int, int]:
    """Oldest reading, in minutes since BASE, and how many of signal 1 there are."""
    found = store.raw(KEYS[:1], BASE, BASE + 4 * DAY)
    return int(found.time[0] - BASE) // MINUTE, len(found)


def test_readings_go_by_the_hour_and_rollups_stay(store: ParquetHistorian, tmp_path: Path) -> None:
    before = store.size()
    assert store.forget(BASE + DAY + HOUR + 30 * MINUTE, 0) > 0
    assert times(store) == (25 * 60, 3 * 1_440 - 25 * 60)
    rolled = store.aggregate(KEYS, BASE, BASE + 3 * DAY, HOUR)
    assert (len(rolled), int(rolled.count.sum())) == (2 * 72, 2 * 3 * 1_440)
    store.merge()
    assert store.aggregate(KEYS, BASE, BASE + 3 * DAY, HOUR).count.sum() == 2 * 3 * 1_440
    after = store.size()
    assert after.readings < before.readings
    assert after.bytes < before.bytes
    store.close()
    left = {p.parent.name for p in (tmp_path / "raw").rglob("*.parquet") if BASE_DAY in str(p)}
    assert left == set()
    again = ParquetHistorian(tmp_path)
    assert times(again) == (25 * 60, 3 * 1_440 - 25 * 60)
    again.close()


BASE_DAY = str(np.datetime64(BASE, "us").astype("datetime64[D]"))


def test_rollups_go_by_their_folders_too(store: ParquetHistorian) -> None:
    store.forget(BASE + 2 * DAY, BASE + 2 * DAY)
    rolled = store.aggregate(KEYS[:1], BASE, BASE + 3 * DAY, MINUTE)
    assert int(rolled.start[0]) == BASE + 2 * DAY
    hourly = store.aggregate(KEYS[:1], BASE, BASE + 3 * DAY, HOUR)
    assert int(hourly.start[0]) == BASE  # a folder of hour rollups holds 30 days and goes as a whole
    store.close()


def test_forgetting_twice_and_forgetting_nothing_is_harmless(store: ParquetHistorian) -> None:
    assert store.forget(0, 0) == 0
    assert store.forget(BASE + DAY, 0) > 0
    assert store.forget(BASE + DAY, 0) == 0
    assert store.forget(BASE + HOUR, 0) == 0
    assert times(store)[0] == 1_440
    store.close()


def test_a_late_reading_of_a_forgotten_hour_is_not_counted_again(store: ParquetHistorian) -> None:
    store.forget(BASE + DAY, 0)
    store.append([(10, minutes(0, 3_000, 10, value=5.0))])
    store.flush()
    assert times(store) == (1_440, 2 * 1_440)
    daily = store.aggregate(KEYS[:1], BASE, BASE + 3 * DAY, DAY)
    assert daily.count.tolist() == [1_440, 1_440, 1_440]
    assert daily.mean.tolist()[:2] == [1.0, 5.0]
    assert store.watermark == 10
    store.close()


def test_readers_in_and_outside_the_process_go_on_while_files_go(store: ParquetHistorian, tmp_path: Path) -> None:
    other = ParquetReader(tmp_path)
    failures: list[BaseException] = []
    done = threading.Event()

    def read(one: ParquetHistorian | ParquetReader) -> None:
        try:
            while not done.is_set():
                oldest, count = times(one)
                assert oldest + count == 3 * 1_440
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=read, args=(one,)) for one in (store, other)]
    for thread in threads:
        thread.start()
    for hour in range(1, 60):
        store.forget(BASE + hour * HOUR, 0)
        store.merge()
    done.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert times(other) == (59 * 60, 3 * 1_440 - 59 * 60)
    other.close()
    store.close()


def test_the_job_counts_days_back_from_the_clock(store: ParquetHistorian) -> None:
    assert Retention(store, lambda: BASE + 3 * DAY, None, None).run() == 0
    assert Retention(store, lambda: BASE + 3 * DAY, 1.0, None).run() > 0
    assert times(store) == (2_880, 1_440)
    store.close()


def test_rollups_may_not_go_before_readings(tmp_path: Path) -> None:
    for raw, rollups in ((None, 5.0), (10.0, 5.0)):
        with pytest.raises(ValidationError, match="keep_rollup_days may not be less"):
            Settings(directory=tmp_path, keep_raw_days=raw, keep_rollup_days=rollups)
    assert Settings(directory=tmp_path, keep_raw_days=5.0, keep_rollup_days=10.0).keep_raw_days == 5.0
