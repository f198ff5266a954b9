"""Laws every historian keeps, whatever it is built on: it answers like a plain dict of the last reading told."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from forewarn.contracts.historian import Historian
from forewarn.domain.errors import WouldBlock
from forewarn.domain.readings import ReadingBatch
from forewarn.plugins.historians.parquet import ParquetHistorian
from tests.plugins.historians.model_store import ModelStore, assert_same_aggregates, batch, bits, series_bits

SECOND = 1_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86_400 * SECOND
BASE = 1_750_000_000 * SECOND // DAY * DAY + 22 * HOUR  # two hours before midnight, so that days change
SIGNALS = [1, 2, 3, 70_000]

# How to open each historian over a directory that may already hold its files.
OPENERS: dict[str, Callable[[Path], Historian]] = {
    "parquet": lambda directory: ParquetHistorian(directory, flush_interval_s=3600, grace_s=0.0),
}

times = st.one_of(
    st.integers(0, 40).map(lambda i: BASE + i * SECOND),
    st.integers(0, 300).map(lambda i: BASE + i * 37 * SECOND),
    st.integers(0, 5 * HOUR).map(lambda i: BASE + i),
)
values = st.one_of(
    st.integers(-5000, 5000).map(lambda i: i / 100),
    st.floats(-1e6, 1e6).map(lambda v: v if abs(v) > 1e-100 else 0.0),  # squares of less underflow
    st.sampled_from([-0.0, 0.0, 2.0**53 + 2, 16_777_217.0]),
)
good = st.tuples(values, st.sampled_from([0, 0, 0, 0x00960000, 0x40000000]))
bad = st.tuples(st.one_of(st.just(float("nan")), values), st.sampled_from([0x80000000, 0x80310000]))
readings = st.tuples(st.sampled_from(SIGNALS), times, st.one_of(good, good, good, bad)).map(
    lambda r: (r[0], r[1], r[2][0], r[2][1])
)
batches = st.lists(readings, max_size=60)
spans = st.tuples(times, times).map(lambda pair: (min(pair), max(pair) + 1))
buckets = st.sampled_from([MINUTE, HOUR, 7 * SECOND, 90 * SECOND, DAY, 2 * MINUTE, 2 * HOUR, 1])
some = st.one_of(st.none(), st.lists(st.sampled_from([*SIGNALS, 9]), min_size=1, max_size=4))


class HistorianLaws(RuleBasedStateMachine):
    """The log is kept beside it, so that a reopened historian is told again all it may have lost, and more."""

    opener: Callable[[Path], Historian]

    @initialize()
    def begin(self) -> None:
        self.folder = TemporaryDirectory()
        self.model = ModelStore()
        self.log: list[tuple[int, ReadingBatch]] = []
        self.store = self._open()

    def _open(self) -> Historian:
        return type(self).opener(Path(self.folder.name))

    @rule(rows=st.lists(batches, min_size=1, max_size=3))
    def append(self, rows: list[list[tuple[int, int, float, int]]]) -> None:
        new = [(len(self.log) + 1 + i, batch(part, i)) for i, part in enumerate(rows)]
        self.log += new
        self.store.append(new)
        for _, part in new:
            self.model.append(part)

    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """The same readings in a batch of another number: late, and told twice."""
        if self.log:
            at = data.draw(st.integers(0, len(self.log) - 1))
            new = (len(self.log) + 1, self.log[at][1])
            self.log.append(new)
            self.store.append([new])
            self.model.append(new[1])

    @rule()
    def flush(self) -> None:
        self.store.flush()
        assert self.store.watermark == len(self.log)
        assert self.store.size().readings == len(self.model.readings)

    @rule()
    def merge(self) -> None:
        merge: Any = getattr(self.store, "merge", None)
        if merge is not None:
            merge()
            if self.store.watermark == len(self.log):
                assert self.store.size().readings == len(self.model.readings)

    @rule(again=st.integers(0, 3))
    def crash_and_replay(self, again: int) -> None:
        """What closing flushed is told again too: offsets up to the watermark must be ignored."""
        self.store.close()
        self.store = self._open()
        self.store.append(self.log[max(0, self.store.watermark - again) :])

    @rule(signals=some, span=spans, limit=st.one_of(st.none(), st.integers(1, 5)))
    def raw(self, signals: list[int] | None, span: tuple[int, int], limit: int | None) -> None:
        keys = signals or SIGNALS
        expected = bits(self.model.raw(keys, *span, limit))
        # Before and after the answer that may wait: it may leave something in memory.
        for reads in (self.store.at_once, self.store, self.store.at_once):
            with suppress(WouldBlock):
                assert series_bits(reads.raw(np.array(keys, np.int32), *span, limit)) == expected

    @rule(signals=some, span=spans, bucket=buckets)
    def aggregate(self, signals: list[int] | None, span: tuple[int, int], bucket: int) -> None:
        keys = None if signals is None else np.array(signals, np.int32)
        expected = self.model.aggregate(signals, *span, bucket)
        for reads in (self.store.at_once, self.store, self.store.at_once):
            with suppress(WouldBlock):
                assert_same_aggregates(reads.aggregate(keys, *span, bucket), expected)

    @invariant()
    def latest(self) -> None:
        if hasattr(self, "store"):
            found = self.store.latest(np.array([*SIGNALS, 9], np.int32))
            assert series_bits(found) == bits(self.model.latest(SIGNALS))

    @invariant()
    def whole_days(self) -> None:
        if hasattr(self, "store"):
            span = (BASE - DAY, BASE + 2 * DAY)
            for bucket in (MINUTE, HOUR):
                assert_same_aggregates(
                    self.store.aggregate(None, *span, bucket), self.model.aggregate(None, *span, bucket)
                )

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            self.folder.cleanup()


@pytest.mark.parametrize("name", OPENERS)
def test_answers_like_a_dict(name: str) -> None:
    laws = type("Laws", (HistorianLaws,), {"opener": staticmethod(OPENERS[name])}).TestCase
    laws.settings = settings(
        max_examples=40,
        stateful_step_count=25,
        deadline=None,
        phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.target),
        suppress_health_check=list(HealthCheck),
    )
    laws().runTest()


@pytest.fixture(params=OPENERS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    opened = OPENERS[request.param](tmp_path / "store")
    yield opened
    opened.close()


def test_late_and_corrected_readings_of_any_age_reach_every_rollup(store: Historian) -> None:
    model = ModelStore()
    day = [(1, BASE + i * 10 * SECOND, i / 10, 0) for i in range(8640)]
    late = [(1, BASE + i * 977 * SECOND + 1, 500.0, 0) for i in range(80)]
    corrected = [(1, BASE + i * 1230 * SECOND, -7.25, 0) for i in range(60)]
    for offset, rows in enumerate((day, late, corrected), 1):
        store.append([(offset, batch(rows, offset))])
        model.append(batch(rows))
        store.flush()
        for bucket in (MINUTE, HOUR, DAY, 90 * SECOND):
            span = (BASE, BASE + DAY)
            assert_same_aggregates(store.aggregate(None, *span, bucket), model.aggregate(None, *span, bucket))


def test_append_ignores_offsets_up_to_the_watermark(store: Historian) -> None:
    store.append([(1, batch([(1, BASE, 1.0, 0)]))])
    store.flush()
    store.append([(1, batch([(1, BASE, 2.0, 0)])), (2, batch([(2, BASE, 3.0, 0)]))])
    assert store.raw(np.array([1, 2], np.int32), BASE, BASE + 1).value.tolist() == [1.0, 3.0]


def test_an_empty_historian_answers_with_nothing(store: Historian) -> None:
    keys = np.array([1, 2], np.int32)
    assert len(store.latest(keys)) == len(store.raw(keys, 0, DAY)) == len(store.aggregate(None, 0, DAY, MINUTE)) == 0
    store.flush()
    assert store.watermark == 0


def test_exports_what_raw_answers(store: Historian, tmp_path: Path) -> None:
    rows = [(s, BASE + i * SECOND, i / 7, 0) for s in (1, 2, 3) for i in range(500)]
    store.append([(1, batch(rows[:700])), (2, batch(rows[700:]))])
    store.flush()
    store.append([(3, batch([(1, BASE, 9.0, 0x80000000)]))])
    keys, span = np.array([1, 3], np.int32), (BASE, BASE + 300 * SECOND)
    assert store.export(keys, *span, tmp_path / "out.parquet") == 600
    table = pq.read_table(tmp_path / "out.parquet")
    expected = store.raw(keys, *span)
    assert str(table.schema.field("time").type) == "timestamp[us, tz=UTC]"
    assert table["value"].to_pylist() == expected.value.tolist()
    assert table["signal"].to_pylist() == expected.signal.tolist()
    assert table["quality"].to_pylist() == expected.quality.tolist()
    assert table["time"].cast("int64").to_pylist() == expected.time.tolist()
