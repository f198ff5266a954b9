"""The line over a real log: nothing skipped, nothing told twice, whatever stage fails and wherever it begins."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from forewarn.contracts.stage import Carriage
from forewarn.domain.errors import ConfigurationError
from forewarn.domain.findings import Finding, Severity
from forewarn.pipeline.line import Line, RoutedOffsets, coalesce
from forewarn.pipeline.publish import VolatileOffsets
from forewarn.plugins.batch_logs.sqlite_spool import SqliteSpool
from tests.pipeline.plant import readings


class Shelf:
    """StageOffsets in memory, as a catalog keeps them on disk."""

    def __init__(self, **at: int) -> None:
        self.at = at

    def get(self, stage: str) -> int:
        return self.at.get(stage, 0)

    def set(self, stage: str, offset: int) -> None:
        assert offset > self.get(stage)
        self.at[stage] = offset


class Witness:
    """A stage that notes what it is given, adds a finding, and fails when told to."""

    def __init__(self, name: str, failures: int = 0) -> None:
        self.name = name
        self.failures = failures
        self.offsets: list[int] = []
        self.carriages: list[Carriage] = []
        self.ticked: list[int] = []
        self.tick_result: Carriage | None = None

    def handle(self, carriage: Carriage) -> Carriage:
        if self.failures:
            self.failures -= 1
            raise OSError("the disk is away")
        self.offsets += [offset for offset, _ in carriage.batches]
        self.carriages.append(carriage)
        return carriage.with_findings([finding(self.name)])

    def tick(self, now_us: int) -> Carriage | None:
        self.ticked.append(now_us)
        found, self.tick_result = self.tick_result, None
        return found


def finding(detector: str) -> Finding:
    return Finding(1, "s1", "x", detector, "spike", Severity.LOW, 0.6, 1.0, None, "why", 1, 1)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SqliteSpool]:
    spool = SqliteSpool(tmp_path)
    yield spool
    spool.close()


def fill(log: SqliteSpool, count: int, first: int = 1) -> None:
    futures = [log.append(readings(s, [(1, s, float(s)), (2, s, 0.0)])) for s in range(first, first + count)]
    for future in futures:
        future.result(10)


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.005)


def run_to(line: Line, offset: int) -> None:
    line.start()
    until(lambda: min(line.health().stages.values()) >= offset)
    line.stop()


def test_every_batch_walks_every_stage_once_and_in_order(log: SqliteSpool) -> None:
    a, b, shelf = Witness("a"), Witness("b"), Shelf()
    line = Line(log, [a, b], shelf, max_readings=14, idle_s=0.001)
    line.start()
    fill(log, 100)
    until(lambda: line.health().last_offset == 100)
    line.stop()
    assert a.offsets == b.offsets == list(range(1, 101))
    assert shelf.at == {"a": 100, "b": 100}
    assert all(len(c.readings) <= 14 for c in a.carriages)
    assert [f.detector for f in b.carriages[0].findings] == ["a"]
    assert log.committed("line") == 100
    health = line.health()
    assert (health.running, health.behind, health.last_error, health.missing) == (False, 0, "", 0)


def test_many_small_batches_make_one_carriage(log: SqliteSpool) -> None:
    fill(log, 50)
    log.append(readings(999, [])).result(10)
    a = Witness("a")
    run_to(Line(log, [a], Shelf()), 51)
    (carriage,) = a.carriages
    assert (carriage.first, carriage.last, len(carriage.batches)) == (1, 51, 51)
    assert carriage.readings.signal.tolist() == [1] * 50 + [2] * 50
    assert carriage.readings.time.tolist() == list(range(1, 51)) * 2


def test_a_stage_that_fails_twice_loses_and_doubles_nothing(log: SqliteSpool) -> None:
    a, b, c = Witness("a"), Witness("b", failures=2), Witness("c")
    line = Line(log, [a, b, c], Shelf(), idle_s=0.001)
    fill(log, 10)
    line.start()
    until(lambda: "b: OSError: the disk is away" in line.health().last_error)
    until(lambda: line.health().last_offset == 10)
    fill(log, 10, first=11)
    until(lambda: line.health().last_offset == 20)
    line.stop()
    assert a.offsets == b.offsets == c.offsets == list(range(1, 21))
    assert all([f.detector for f in carriage.findings] == ["a", "b"] for carriage in c.carriages)
    assert line.health().last_error == ""
    assert line.health().last_error_at is not None


def test_stopped_while_a_stage_fails_it_begins_there_again(log: SqliteSpool) -> None:
    shelf, stuck = Shelf(), Witness("b", failures=10**6)
    fill(log, 5)
    line = Line(log, [Witness("a"), stuck], shelf)
    line.start()
    until(lambda: bool(line.health().last_error))
    line.stop()
    assert shelf.at == {}
    a, b = Witness("a"), Witness("b")
    run_to(Line(log, [a, b], shelf), 5)
    assert a.offsets == b.offsets == [1, 2, 3, 4, 5]


@settings(max_examples=12, deadline=None)
@given(at=st.tuples(*[st.integers(0, 12)] * 3), most=st.integers(1, 9))
def test_stages_begin_at_different_offsets(
    at: tuple[int, int, int], most: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    log = SqliteSpool(tmp_path_factory.mktemp("log"))
    fill(log, 12)
    stages = [Witness(name) for name in "abc"]
    shelf = Shelf(**dict(zip("abc", at, strict=True)))
    run_to(Line(log, stages, shelf, max_readings=most, idle_s=0.001), 12)
    for stage, begun in zip(stages, at, strict=True):
        assert stage.offsets == list(range(begun + 1, 13))
    log.close()


def test_a_stage_durable_later_holds_the_log_back(log: SqliteSpool) -> None:
    class Lagging(VolatileOffsets):
        def set(self, stage: str, offset: int) -> None:
            """Only the disk moves it."""

    slow = RoutedOffsets(Shelf(a=0), {"record": Lagging(3)})
    fill(log, 10)
    record, a = Witness("record"), Witness("a")
    run_to(Line(log, [record, a], slow), 10)
    assert record.offsets == list(range(4, 11))
    assert a.offsets == list(range(1, 11))
    assert log.committed("line") == 3


def test_ticks_walk_through_the_later_stages(log: SqliteSpool) -> None:
    a, b, c = Witness("a"), Witness("b"), Witness("c")
    b.tick_result = Carriage(1, 0, (), readings(0, []), [finding("timer")])
    line = Line(log, [a, b, c], Shelf())
    line.start()
    until(lambda: len(c.ticked) > 1)
    line.stop()
    assert a.carriages == b.carriages == []
    assert [f.detector for f in c.carriages[0].findings] == ["timer"]


def test_a_replaced_log_is_refused(log: SqliteSpool) -> None:
    with pytest.raises(ConfigurationError, match="stage a stands at 7 but the batch log ends at 0"):
        Line(log, [Witness("a")], Shelf(a=7)).start()


def test_batches_trimmed_before_a_stage_saw_them_are_told(log: SqliteSpool) -> None:
    log.commit("line", 0)
    fill(log, 100)
    log.commit("line", 90)
    until(lambda: log.read(0, 1)[0][0] == 91)
    a, b = Witness("a"), Witness("b")
    line = Line(log, [a, b], Shelf(a=20, b=50))
    run_to(line, 100)
    assert a.offsets == b.offsets == list(range(91, 101))
    assert line.health().missing == 70


def test_a_damaged_frame_stops_the_line_and_says_where(log: SqliteSpool, tmp_path: Path) -> None:
    fill(log, 5)
    log.close()
    with sqlite3.connect(tmp_path / "spool.db") as other:
        other.execute("UPDATE frame SET crc = crc + 1 WHERE offset = 3")
    again = SqliteSpool(tmp_path)
    a = Witness("a")
    line = Line(again, [a], Shelf(), idle_s=0.001)
    line.start()
    until(lambda: "frame 3 is damaged" in line.health().last_error)
    assert a.offsets == [1, 2]
    again.discard(3)
    until(lambda: line.health().last_offset == 5)
    line.stop()
    assert a.offsets == [1, 2, 3, 4, 5]
    again.close()


def test_stop_is_quick_and_idempotent(log: SqliteSpool) -> None:
    line = Line(log, [Witness("a")], Shelf())
    line.start()
    line.stop()
    line.stop()
    assert not any(t.name == "line" for t in threading.enumerate())


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.tuples(st.sampled_from([1, 2, 70_000]), st.integers(1, 5)), max_size=8), min_size=1))
def test_coalesced_rows_are_the_stable_sort_of_all(batches: list[list[tuple[int, int]]]) -> None:
    rows = [(s, t, float(i)) for i, (s, t) in enumerate(row for batch in batches for row in batch)]
    parts, begun = [], 0
    for number, batch in enumerate(batches):
        parts.append(readings(number, rows[begun : begun + len(batch)]))
        begun += len(batch)
    joined = coalesce(parts)
    wanted = sorted(rows, key=lambda row: row[:2])
    assert list(zip(joined.signal, joined.time, joined.value, strict=True)) == wanted
