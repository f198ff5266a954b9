"""What the watermark promises: nothing up to it is lost, nothing is there twice, whenever the process dies."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from forewarn.domain.errors import StorageFailed
from forewarn.domain.readings import ReadingBatch
from forewarn.plugins.historians.parquet import ParquetHistorian, ParquetReader
from forewarn.plugins.historians.parquet.sorted_file import SegmentDamaged

SECOND = 1_000_000
BASE = 1_750_000_000 * SECOND // (86_400 * SECOND) * 86_400 * SECOND
SIGNALS = 50
ALWAYS = (BASE, BASE + 86_400 * SECOND)


def batch_of(offset: int) -> ReadingBatch:
    """One reading of each signal; every fifth batch corrects one of a while ago, so that repair runs too."""
    instant = offset if offset % 5 else max(1, offset - 42)
    signal = np.arange(1, SIGNALS + 1, dtype=np.int32)
    time_us = np.full(SIGNALS, BASE + instant * SECOND, np.int64)
    return ReadingBatch(signal, time_us, signal + offset / 100, np.zeros(SIGNALS, np.uint32), "gw", offset)


def expected(last: int) -> dict[int, int]:
    """Instant to the offset whose reading is the one that counts."""
    return {offset if offset % 5 else max(1, offset - 42): offset for offset in range(1, last + 1)}


def assert_holds_exactly(store: ParquetHistorian, last: int) -> None:
    keys = np.arange(1, SIGNALS + 1, dtype=np.int32)
    want = sorted(expected(last).items())
    found = store.raw(keys, *ALWAYS)
    np.testing.assert_array_equal(found.time, np.tile([BASE + i * SECOND for i, _ in want], SIGNALS))
    np.testing.assert_array_equal(
        found.value, np.concatenate([key + np.array([o for _, o in want]) / 100 for key in keys])
    )
    for bucket in (60 * SECOND, 3600 * SECOND):
        rolled = store.aggregate(None, *ALWAYS, bucket)
        assert rolled.count.sum() == len(found)
        np.testing.assert_allclose((rolled.mean * rolled.good).sum(), found.value.sum(), rtol=1e-9)


def test_killed_at_any_moment_keeps_all_up_to_the_watermark_once(tmp_path: Path) -> None:
    root = Path(__file__).parents[4]
    rng = np.random.default_rng(11)
    told = 0
    for _ in range(10):
        writer = subprocess.Popen(
            [sys.executable, "-m", "tests.plugins.historians.parquet.killed_writer", str(tmp_path)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=root,
        )
        assert writer.stdout is not None
        first = int(writer.stdout.readline())
        assert first >= told
        time.sleep(rng.uniform(0.02, 0.5))
        writer.kill()
        lines = writer.stdout.read().split("\n")
        writer.wait()
        # The last line may be torn.
        told = max([first, *(int(line) for line in lines[:-1])])
        store = ParquetHistorian(tmp_path, flush_interval_s=3600, grace_s=0.0)
        assert store.watermark >= told
        told = store.watermark
        assert_holds_exactly(store, told)
        store.close()
        size = store.size()
        assert len([p for p in tmp_path.rglob("*.parquet*") if p.is_file()]) == size.segments + size.rollup_files
    assert told > 100


def test_a_file_that_no_manifest_lists_is_swept_at_opening(tmp_path: Path) -> None:
    ParquetHistorian(tmp_path).close()
    stray = tmp_path / "raw" / "2026-01-01" / "00" / "00000001.parquet"
    stray.parent.mkdir(parents=True)
    stray.write_bytes(b"half")
    ParquetHistorian(tmp_path).close()
    assert not stray.exists()


@pytest.mark.parametrize("harm", ["cut", "gone"])
def test_a_damaged_file_is_named_at_opening_and_nothing_is_deleted(tmp_path: Path, harm: str) -> None:
    store = ParquetHistorian(tmp_path)
    store.append([(1, batch_of(1))])
    store.close()
    (segment,) = (tmp_path / "raw").rglob("*.parquet")
    data = segment.read_bytes()
    segment.unlink()
    if harm == "cut":
        segment.write_bytes(data[:-10])
    with pytest.raises(SegmentDamaged, match=segment.name):
        ParquetHistorian(tmp_path)
    segment.write_bytes(data)
    ParquetHistorian(tmp_path).close()


def test_two_writers_are_refused(tmp_path: Path) -> None:
    store = ParquetHistorian(tmp_path)
    with pytest.raises(StorageFailed, match="another process"):
        ParquetHistorian(tmp_path)
    store.close()
    ParquetHistorian(tmp_path).close()


def test_readers_see_every_reading_exactly_once_while_flushes_and_merges_run(tmp_path: Path) -> None:
    """The model: after batch k returned, an answer holds k batches, or more, never a part of one twice."""
    store = ParquetHistorian(tmp_path, flush_readings=1000, flush_interval_s=3600, grace_s=0.0)
    elsewhere = ParquetReader(tmp_path)
    appended, done, wrong = [0], threading.Event(), []
    signal = np.arange(1, SIGNALS + 1, dtype=np.int32)

    def read() -> None:
        while not done.is_set():
            before = appended[0]
            for bucket in (60 * SECOND, 3600 * SECOND, 7 * SECOND):
                counted = store.aggregate(None, *ALWAYS, bucket).count.sum()
                if not before * SIGNALS <= counted <= (appended[0] + 1) * SIGNALS:
                    wrong.append((bucket, before, counted, appended[0]))
            for source in (store, elsewhere):
                times = source.raw(signal[3:5], *ALWAYS).time
                if not np.array_equal(times, np.tile(BASE + np.arange(1, len(times) // 2 + 1) * SECOND, 2)):
                    wrong.append(("raw", source, times))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    zero = np.zeros(SIGNALS, np.uint32)
    for k in range(1, 1201):
        time_us = np.full(SIGNALS, BASE + k * SECOND, np.int64)
        store.append([(k, ReadingBatch(signal, time_us, signal + 0.5, zero, "gw", k))])
        appended[0] = k
    done.set()
    for reader in readers:
        reader.join()
    store.flush()
    assert not wrong
    assert elsewhere.watermark == 1200
    assert elsewhere.aggregate(None, *ALWAYS, 60 * SECOND).count.sum() == 1200 * SIGNALS
    assert elsewhere.latest(signal).time.tolist() == [BASE + 1200 * SECOND] * SIGNALS
    elsewhere.close()
    store.close()


def test_merging_leaves_few_files_and_the_same_answers(tmp_path: Path) -> None:
    store = ParquetHistorian(tmp_path, flush_interval_s=3600, grace_s=0.0)
    for offset in range(1, 101):
        store.append([(offset, batch_of(offset))])
        store.flush()
    store.merge()
    size = store.size()
    assert size.segments < 20
    assert_holds_exactly(store, 100)
    # A reading two hours later closes the hour: what is left of it becomes one file.
    late = ReadingBatch(*(c[:1] for c in _columns(batch_of(7200))), "gw", 101)
    store.append([(101, late)])
    store.flush()
    store.merge()
    # Corrections reach back 42 seconds, so they are in the same hour: it and the later one are left, and at most one
    # small remainder that is not worth writing the hour again.
    assert store.size().segments <= 3
    store.close()


def _columns(batch: ReadingBatch) -> tuple[np.ndarray, ...]:
    return batch.signal, batch.time + 300 * SECOND, batch.value, batch.quality


def test_corrections_merged_among_themselves_still_win_over_the_older_file(tmp_path: Path) -> None:
    store = ParquetHistorian(tmp_path, flush_interval_s=3600, grace_s=0.0)
    signal = np.repeat(np.array([1, 2], np.int32), 1500)
    time_us = np.tile(BASE + np.arange(1500) * SECOND, 2)
    zero = np.zeros(3000, np.uint32)
    store.append([(1, ReadingBatch(signal, time_us, np.ones(3000), zero, "gw", 1))])
    store.flush()
    for k in range(8):
        rows = slice(k * 10, k * 10 + 5)
        part = ReadingBatch(signal[rows], time_us[rows], np.full(5, 9.0 + k), zero[rows], "gw", 2 + k)
        store.append([(2 + k, part)])
        store.flush()
    assert store.size().readings == 3000
    store.merge()
    assert store.size().segments == 2
    assert store.size().readings == 3000
    found = store.aggregate(None, *ALWAYS, 7 * SECOND)
    assert found.count.sum() == 3000
    assert (found.mean * found.good).sum() == pytest.approx(3000 - 40 + 5 * sum(range(9, 17)))
    store.close()
