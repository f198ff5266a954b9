"""The door over a real log, and over a disk that refuses just when told to."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from forewarn.contracts.batch_log import Appended, LogDepth
from forewarn.domain.errors import BatchLogFull, StorageFailed
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.series import Series
from forewarn.domain.verdicts import REASONS, Reason, Verdict
from forewarn.pipeline.door import IntakeDoor
from forewarn.plugins.batch_logs.sqlite_spool import SqliteSpool
from tests.pipeline.plant import NOW, SmallPlant, readings


class MoodyLog:
    """A batch log in memory whose disk answers when told to, well or badly: the moments a real one has no say in."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[ReadingBatch, int, Future[Appended]]] = deque()
        self.written: list[ReadingBatch] = []
        self.names: list[tuple[str, int, int]] = []
        self.full = False

    def append(self, batch: ReadingBatch, content: int = 0) -> "Future[Appended]":
        if self.full:
            raise BatchLogFull("full", retry_after_s=1.0)
        future: Future[Appended] = Future()
        self.waiting.append((batch, content, future))
        return future

    def answer(self, *, well: bool = True) -> None:
        batch, content, future = self.waiting.popleft()
        name = (batch.gateway, batch.sequence, content)
        if not well:
            future.set_exception(StorageFailed("no space left"))
        elif name in self.names:
            future.set_result(Appended(self.names.index(name) + 1, repeated=True))
        else:
            self.names.append(name)
            self.written.append(batch)
            future.set_result(Appended(len(self.written), repeated=False))

    def read(self, after: int, max_readings: int) -> Sequence[tuple[int, ReadingBatch]]:
        return list(enumerate(self.written, 1))[after : after + 1]

    def wait(self, after: int, timeout_s: float) -> bool:
        return len(self.written) > after

    def commit(self, consumer: str, offset: int) -> None: ...

    def committed(self, consumer: str) -> int:
        return 0

    def last_sequence(self, gateway: str) -> int:
        return -1

    def depth(self) -> LogDepth:
        return LogDepth(0, 0, 0, len(self.written), {})

    def close(self) -> None: ...


def new_door(log: MoodyLog | SqliteSpool) -> IntakeDoor:
    return IntakeDoor(log, SmallPlant(), lambda: NOW)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[SqliteSpool]:
    log = SqliteSpool(tmp_path)
    yield log
    log.close()


def test_stored_rows_reach_the_log_and_the_rest_is_told(spool: SqliteSpool) -> None:
    door = new_door(spool)
    submission = door.submit(readings(1, [(1, 10, 1.0), (9, 10, 1.0), (2, 10, 2.0)]))
    assert submission.verdicts.verdict.tolist() == [Verdict.ACCEPTED, Verdict.REJECTED, Verdict.ACCEPTED]
    assert submission.appended.result(10) == Appended(1, repeated=False)
    assert spool.read(0, 10)[0][1].signal.tolist() == [1, 2]


def test_a_batch_with_nothing_to_store_is_known_the_second_time(spool: SqliteSpool) -> None:
    door = new_door(spool)
    assert door.submit(readings(1, [(9, 10, 1.0)])).appended.result(10) == Appended(1, repeated=False)
    assert door.submit(readings(1, [(9, 10, 1.0)])).appended.result(10) == Appended(1, repeated=True)


def test_readings_older_than_what_is_kept_are_refused_by_name(spool: SqliteSpool) -> None:
    hour = 3_600_000_000
    door = IntakeDoor(spool, SmallPlant(), lambda: 10 * hour + 5, keep_us=2 * hour)
    submission = door.submit(readings(1, [(1, 8 * hour - 1, 1.0), (1, 8 * hour, 1.0), (2, -5, 2.0)]))
    assert [REASONS[code] for code in submission.verdicts.reason] == [
        Reason.TIME_BEYOND_RETENTION,
        Reason.NONE,
        Reason.TIME_NEGATIVE,
    ]
    submission.appended.result(10)
    assert spool.read(0, 10)[0][1].time.tolist() == [8 * hour]


def test_a_full_log_changes_nothing() -> None:
    log = MoodyLog()
    door = new_door(log)
    log.full = True
    with pytest.raises(BatchLogFull):
        door.submit(readings(1, [(1, 10, 1.0)]))
    log.full = False
    assert door.submit(readings(1, [(1, 10, 1.0)])).verdicts.count(Verdict.ACCEPTED) == 1


def test_after_a_refusing_disk_the_retry_is_no_duplicate() -> None:
    log = MoodyLog()
    door = new_door(log)
    failed = door.submit(readings(1, [(1, 10, 1.0)]))
    log.answer(well=False)
    assert isinstance(failed.appended.exception(), StorageFailed)
    assert door.submit(readings(1, [(1, 10, 1.0)])).verdicts.count(Verdict.ACCEPTED) == 1
    log.answer()
    again = door.submit(readings(2, [(1, 10, 1.0)])).verdicts
    assert REASONS[again.reason[0]] is Reason.ALREADY_STORED


def test_a_row_that_repeats_one_in_flight_is_stored_too() -> None:
    log = MoodyLog()
    door = new_door(log)
    door.submit(readings(1, [(1, 10, 1.0)]))
    second = door.submit(readings(2, [(1, 10, 1.0)]))
    assert second.verdicts.stored.all()
    log.answer(well=False)
    log.answer()
    assert log.written[0].time.tolist() == [10]


def test_failures_between_successes_undo_only_themselves() -> None:
    log = MoodyLog()
    door = new_door(log)
    for sequence, rows in enumerate([[(1, 10, 1.0)], [(1, 20, 2.0), (2, 20, 2.0)], [(1, 30, 3.0)], [(2, 15, 9.0)]]):
        door.submit(readings(sequence, rows))
    for well in (True, False, True, False):
        log.answer(well=well)
    verdicts = door.submit(readings(9, [(1, 30, 3.0), (2, 15, 9.0)])).verdicts
    assert verdicts.verdict.tolist() == [Verdict.DUPLICATE, Verdict.ACCEPTED]


def test_another_content_under_a_known_number_is_a_batch_of_its_own(spool: SqliteSpool) -> None:
    door = new_door(spool)
    door.submit(readings(1, [(1, 10, 1.0)])).appended.result(10)
    again = door.submit(readings(1, [(1, 99, 9.0)]))
    assert again.appended.result(10) == Appended(2, repeated=False, renamed=True)
    assert again.verdicts.stored.all()
    assert door.submit(readings(1, [(1, 99, 9.0)])).appended.result(10) == Appended(2, repeated=True)
    assert [b.time.tolist() for _, b in spool.read(0, 100)] == [[10], [99]]


def test_seeded_from_the_historian_and_the_logs_tail(spool: SqliteSpool) -> None:
    spool.append(readings(1, [(2, 70, 7.0), (2, 60, 6.0)])).result(10)
    spool.append(readings(2, [])).result(10)
    door = new_door(spool)
    door.seed(Series(np.array([1, 8], np.int32), np.array([50, 1]), np.array([5.0, 0]), np.zeros(2, np.uint32)))
    door.catch_up(0)
    rows = [(1, 50, 5.0), (1, 40, 4.0), (2, 70, 7.0), (2, 65, 0.0), (3, 1, 1.0)]
    reasons = [REASONS[r] for r in door.submit(readings(3, rows)).verdicts.reason]
    late, known = Reason.OLDER_THAN_LATEST, Reason.ALREADY_STORED
    assert reasons == [known, late, known, late, Reason.NONE]


def test_many_threads_store_every_reading_once(spool: SqliteSpool) -> None:
    door = new_door(spool)

    def send(signal: int) -> None:
        for t in range(1, 101):
            sent = door.submit(readings(t, [(signal, t, 1.0)], gateway=f"g{signal}"))
            assert sent.verdicts.count(Verdict.ACCEPTED) == 1
            sent.appended.result(10)

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(send, range(1, 6)))
    found = [(int(b.signal[0]), int(b.time[0])) for _, b in spool.read(0, 10_000)]
    assert sorted(found) == [(s, t) for s in range(1, 6) for t in range(1, 101)]


class DoorMachine(RuleBasedStateMachine):
    """However the disk answers: a row is called already_stored only when it lies in the log with that value."""

    def __init__(self) -> None:
        super().__init__()
        self.log = MoodyLog()
        self.door = new_door(self.log)
        self.sequence = 0

    @rule(
        rows=st.lists(
            st.tuples(st.integers(1, 3), st.integers(1, 6), st.sampled_from([1.0, 2.0])), min_size=1, max_size=5
        ),
        again=st.booleans(),
    )
    def submit(self, rows: list[tuple[int, int, float]], again: bool) -> None:
        self.sequence += 0 if again else 1
        verdicts = self.door.submit(readings(self.sequence, rows)).verdicts
        newest: dict[tuple[int, int], float] = {}
        for written in self.log.written:
            newest.update(
                zip(zip(written.signal.tolist(), written.time.tolist(), strict=True), written.value, strict=True)
            )
        for (signal, time, value), code in zip(rows, verdicts.reason, strict=True):
            if REASONS[code] is Reason.ALREADY_STORED:
                assert newest.get((signal, time)) == value

    @precondition(lambda self: self.log.waiting)
    @rule(well=st.booleans())
    def answer(self, well: bool) -> None:
        self.log.answer(well=well)

    def teardown(self) -> None:
        """Once all is answered, the door knows exactly what the log holds."""
        while self.log.waiting:
            self.log.answer()
        latest: dict[int, int] = {}
        for written in self.log.written:
            for signal, time in zip(written.signal.tolist(), written.time.tolist(), strict=True):
                latest[signal] = max(time, latest.get(signal, 0))
        known = self.door._latest.time
        assert {k: int(known[k]) for k in range(len(known)) if known[k] > 0} == latest


class TestDoorLaws(DoorMachine.TestCase):  # type: ignore[name-defined,misc]
    settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
