"""The raw ring finds what was sent or not, and gives room in the order that was promised."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forewarn.contracts.outbox import Tally, Urgency
from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import BatchLogFull
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.series import Series
from forewarn.gateway.outbox import SqliteOutbox
from forewarn.gateway.ring import SpoolRing
from forewarn.gateway.wire import Wire, decode_readings
from forewarn.kit.clock import HOUR, MINUTE, SECOND, now_us
from forewarn.plugins.batch_logs.sqlite_spool import SqliteSpool
from forewarn.policies.thinning_early import extremes

ALL = 2**62


def rows(n: int, first: int, signals: int = 2) -> ReadingBatch:
    """n seconds of `signals` signals, values that do not compress."""
    time = np.tile(now_us() + (first + np.arange(n)) * SECOND, signals)
    signal = np.repeat(np.arange(1, signals + 1, dtype=np.int32), n)
    value = np.random.default_rng(first).normal(size=n * signals)
    return ReadingBatch(signal, time, value, np.zeros(n * signals, np.uint32), "gw", first)


class Site:
    """Raw log, outbox and ring on disk; `thin` keeps all."""

    def __init__(self, folder: Path) -> None:
        self.log = SqliteSpool(folder / "raw", ring_bytes=0, shrink=True)
        self.outbox = SqliteOutbox(folder / "outbox")
        self.told: list[ConditionCode] = []
        self.now: Callable[[], int] = now_us
        self.ring = SpoolRing(self.log, self.outbox, lambda: self.now(), note=lambda code, text: self.told.append(code))

    def put(self, batch: ReadingBatch, thin: bool = True, urgency: Urgency = Urgency.NORMAL) -> None:
        offset = self.log.append(batch).result(10).offset
        if thin:
            series = Series(batch.signal, batch.time, batch.value, batch.quality)
            packed = [Wire().readings(series, urgency)]
            self.outbox.pack(packed, Tally(len(batch), len(batch), 0, 0), b"", offset)

    def settle(self, done: Callable[[], bool]) -> None:
        """Trimming is the log's own thread's."""
        self.log.commit("line", self.log.depth().last_offset)
        for _ in range(1_000):
            if done():
                return
            time.sleep(0.01)
        raise AssertionError("the log did not trim")

    def close(self) -> None:
        self.log.close()
        self.outbox.close()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_what_was_heard_is_found_by_signal_and_time(site: Site) -> None:
    batches = [rows(10, first) for first in range(0, 50, 10)]
    for batch in batches:
        site.put(batch)
    start = int(batches[1].time[3])
    found = site.ring.read(np.array([2], np.int32), start, start + 12 * SECOND)
    whole = ReadingBatch.concatenate(batches)
    wanted = whole.take((whole.signal == 2) & (whole.time >= start) & (whole.time < start + 12 * SECOND))
    np.testing.assert_array_equal(found.time, wanted.time)
    np.testing.assert_array_equal(found.value, wanted.value)
    assert len(site.ring.raw(np.array([1, 2], np.int32), 0, ALL, limit=7)) == 14
    latest = site.ring.latest(np.array([1, 2, 9], np.int32))
    assert latest.signal.tolist() == [1, 2]
    assert latest.time.tolist() == [int(whole.time.max())] * 2
    site.close()


def test_of_a_reading_told_twice_the_last_counts(site: Site) -> None:
    first = rows(3, 0)
    again = ReadingBatch(first.signal, first.time, first.value + 1.0, first.quality, "gw", 77)
    site.put(first)
    site.put(again)
    found = site.ring.read(np.array([1], np.int32), 0, ALL)
    np.testing.assert_array_equal(found.value, again.value[:3])
    site.close()


def test_it_lets_go_after_keep_hours_but_not_of_what_is_not_thinned(site: Site) -> None:
    for first in range(5):
        site.put(rows(10, first))
    site.put(rows(10, 5), thin=False)
    site.ring.keep()
    assert site.log.committed("ring") == 0
    assert site.ring.raw_from is not None
    site.now = lambda: now_us() + 25 * HOUR
    site.ring.keep()
    assert site.log.committed("ring") == 5
    site.settle(lambda: site.log.depth().batches == 1)
    assert len(site.ring.read(np.array([1], np.int32), 0, ALL)) == 10
    site.close()


def test_raw_goes_first_then_normal_is_thinned_then_sources_wait(site: Site) -> None:
    for first in range(0, 600, 10):
        site.put(rows(60, 60 * first), urgency=Urgency.FINDING if first == 300 else Urgency.NORMAL)
    waiting, raw = site.outbox.waiting(), site.log.depth().bytes
    site.ring.keep_within(int(2 * (waiting.bytes + raw)))
    assert site.log.committed("ring") == 0, "there is room"

    site.ring.keep_within(int(1.3 * waiting.bytes))
    assert 0 < site.log.committed("ring") <= 60
    assert site.outbox.waiting() == waiting, "nothing that waits is touched as long as raw batches can go"
    site.settle(lambda: site.log.depth().bytes < 0.3 * raw)

    site.ring.keep_within(int(0.6 * waiting.bytes))
    assert site.outbox.waiting().bytes < 0.6 * waiting.bytes
    assert ConditionCode.THINNED_EARLY in site.told
    sums = site.outbox.sums()
    assert sums.thinned_early > 0
    assert sums.adds_up
    assert sums.pending == sum(p.packed.rows for p in site.outbox.pending(0, ALL, ALL))
    (urgent,) = [p for p in site.outbox.pending(0, ALL, ALL) if p.packed.urgency is Urgency.FINDING]
    assert urgent.packed.rows == 120, "never what is around a finding"

    site.ring.keep_within(100)
    assert site.outbox.sums().adds_up
    assert len([p for p in site.outbox.pending(0, ALL, ALL) if p.packed.urgency is Urgency.FINDING]) == 1
    with pytest.raises(BatchLogFull):
        site.log.append(rows(10, 99_999)).result(10)
    site.ring.keep_within(10**9)
    site.put(rows(10, 99_999))
    site.close()


def test_a_foreign_file_in_the_directory_neither_thins_what_waits_nor_stops_the_sources(tmp_path: Path) -> None:
    site = Site(tmp_path)
    try:
        site.ring = SpoolRing(
            site.log, site.outbox, now_us, note=lambda code, text: site.told.append(code), beside=lambda: 1 << 40
        )
        for n in range(5):
            site.put(rows(1_000, n * 1_000))
        site.ring.keep_within(64 << 20)
        assert site.told == []
        assert site.log.depth().batches == 5
        site.put(rows(1_000, 5_000))
    finally:
        site.close()


def test_the_raw_logs_file_shrinks(site: Site, tmp_path: Path) -> None:
    for first in range(40):
        site.put(rows(20_000, 20_000 * first), thin=False)
    site.outbox.pack([], Tally(40 * 40_000, 0, 40 * 40_000, 0), b"", 40)
    path = tmp_path / "raw" / "spool.db"
    site.close()  # what is in the write-ahead log comes into the file
    full = path.stat().st_size
    again = Site(tmp_path)
    again.ring.keep_within(10**6)
    again.settle(lambda: again.log.depth().bytes < 10**6)
    again.close()
    assert path.stat().st_size < 0.8 * full


@given(st.integers(0, 10_000), st.integers(1, 400))
@settings(deadline=None, max_examples=50)
def test_extremes_of_each_minute_stay(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    signal = np.sort(rng.integers(1, 4, n)).astype(np.int32)
    at = rng.integers(0, 200 * SECOND, n)
    order = np.lexsort((at, signal))
    quality = np.where(rng.random(n) < 0.05, 2**31, 0).astype(np.uint32)
    series = Series(signal, at[order], rng.normal(size=n), quality)
    stay = extremes(series, MINUTE)
    group = list(zip(series.signal.tolist(), (series.time // MINUTE).tolist(), strict=True))
    for name in set(group):
        mine = np.array([g == name for g in group])
        assert stay[np.flatnonzero(mine)[0]]
        good = mine & (quality == 0)
        if good.any():
            kept = series.value[good & stay]
            assert kept.min() == series.value[good].min()
            assert kept.max() == series.value[good].max()
    assert stay.sum() <= 3 * len(set(group)) + 2 * np.count_nonzero(quality)


def test_merged_parcels_can_be_read(site: Site) -> None:
    for first in range(20):
        site.put(rows(60, 60 * first))
    site.ring.keep_within(int(0.3 * site.outbox.waiting().bytes))
    merged = [decode_readings(p.packed.body) for p in site.outbox.pending(0, ALL, ALL)]
    assert sum(map(len, merged)) == site.outbox.sums().pending
    for series in merged:
        assert np.all((np.diff(series.signal) > 0) | (np.diff(series.time) > 0))
    site.close()
