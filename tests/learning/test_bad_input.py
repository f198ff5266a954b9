"""What comes in wrong, through the watch: clocks that jump, gaps, signals that appear and vanish. Nothing breaks,
nothing is scored from it, and it goes on."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from forewarn.domain.findings import ENSEMBLE, Finding
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.signal_table import SignalTable
from forewarn.learning.fleet import Fleet
from forewarn.learning.machine_watch import MachineWatch
from tests.learning.test_fleet import DETECTORS, MODELS, SECOND, SIGNALS, START, TABLE, behaviour, readings
from tests.learning.test_machine_watch import Models, watch

DAY = 86_400 * SECOND
YEAR = 365 * DAY
B = MODELS[1]


def moved(batch: ReadingBatch, first: int, last: int, by: int) -> ReadingBatch:
    """The readings of seconds first to last say another time."""
    second = (batch.time - START) // SECOND
    return replace(batch, time=np.where((second >= first) & (second < last), batch.time + by, batch.time))


def pieces(batch: ReadingBatch, rows: int, every: int = 10) -> list[ReadingBatch]:
    """In the order in which they came, whatever time they say."""
    second = np.tile(np.arange(rows), len(batch) // rows)
    cut = [batch.take(np.flatnonzero((second >= at) & (second < at + every))) for at in range(0, rows, every)]
    return [one.sorted_by_signal() for one in cut]


def told(machines: MachineWatch, batches: list[ReadingBatch]) -> list[Finding]:
    return [f for one in batches for f in machines.score(one)]


def sick(rows: int, first: int, last: int) -> NDArray[np.float64]:
    values = behaviour(201, rows)
    values[first:last, 1] -= 6.0
    return values


@pytest.mark.parametrize(
    "by", [DAY, -DAY, 30 * YEAR, -30 * YEAR, 250 * YEAR], ids=["+d", "-d", "+30y", "-30y", "+250y"]
)
@pytest.mark.parametrize("length", [1, 20, 200])
def test_a_clock_that_jumps_and_comes_back_breaks_nothing_and_the_machine_is_judged_again(by: int, length: int) -> None:
    """200 s of another time, then the old one; long after that a fault is found as ever."""
    rows = 900
    values = sick(rows, 650, 800)
    machines = watch(Models(B))
    found = told(machines, pieces(moved(readings({"b": values}), 200, 200 + length, by), rows))
    real = [f for f in found if f.detector == ENSEMBLE]
    assert real, "the fault afterwards is found"
    assert all(START + 645 * SECOND <= f.started_at <= START + 655 * SECOND for f in real)
    assert real[-1].ended_at is not None
    assert machines.seen.rows < rows + 400
    assert machines.judges(TABLE.size)[5:9].all()


@pytest.mark.parametrize("by", [DAY, -DAY, 10 * YEAR, -10 * YEAR])
def test_a_clock_that_stays_where_it_jumped_is_followed(by: int) -> None:
    rows = 900
    machines = watch(Models(B))
    found = told(machines, pieces(moved(readings({"b": sick(rows, 650, 800)}), 200, rows, by), rows))
    assert {f.detector for f in found} == {ENSEMBLE}
    assert all(abs(f.started_at - by - START - 650 * SECOND) <= 5 * SECOND for f in found)
    assert found[-1].ended_at is not None


@pytest.mark.parametrize("by", [DAY, -DAY, 30 * YEAR])
def test_no_window_reaches_over_a_jump(by: int) -> None:
    """The last row before it, and rows of after it, are never of one window: there is no opinion until it is full."""
    rows = 500
    fleet = Fleet([B], TABLE, DETECTORS)
    found: dict[int, float] = {}
    for one in pieces(moved(readings({"b": behaviour(5, rows)}), 200, rows, by), rows):
        for scores in fleet.score(one):
            found |= {
                int(t - by - START) // SECOND: float(r) for t, r in zip(scores.time[0], scores.ratio[0], strict=True)
            }
    after = sorted(second for second, ratio in found.items() if second >= 195 and np.isfinite(ratio))
    assert after
    turned = 200 if by > 0 else 240  # a clock that went back is followed when it has done so for a minute
    assert after[0] >= turned + fleet_context(fleet) - 20
    assert len(found) < rows + 400


def fleet_context(fleet: Fleet) -> int:
    return max(squad.context for squad in fleet._all)


def test_an_episode_that_stands_when_the_clock_goes_back_ends_and_a_later_one_is_told() -> None:
    rows = 900
    values = sick(rows, 100, 320)
    values[700:800, 1] -= 6.0
    found = told(watch(Models(B)), pieces(moved(readings({"b": values}), 200, rows, -DAY), rows))
    begun = sorted({f.started_at for f in found})
    assert len(begun) >= 2
    assert abs(begun[-1] - (START + 100 * SECOND)) <= 5 * SECOND
    last = {f.started_at: f for f in found}
    assert all(f.ended_at is not None for f in last.values())
    assert any(abs(f.started_at + DAY - START - 700 * SECOND) <= 5 * SECOND for f in found)


def test_what_is_told_late_beside_what_is_in_time_turns_no_clock() -> None:
    """An outage of a gateway: an hour of the past comes minute by minute while the present goes on."""
    now, past = readings({"b": behaviour(1, 600)}), readings({"b": behaviour(2, 600)})
    past = replace(past, time=past.time - 3_600 * SECOND)
    machines, alone = watch(Models(B)), watch(Models(B))
    first, *rest = pieces(now, 600, 30)
    for both in (machines, alone):
        both.score(first)
    for one, other in zip(rest, pieces(past, 600, 30), strict=False):
        machines.score(ReadingBatch.concatenate([one, other]).sorted_by_signal())
        alone.score(one)
    assert machines.seen == alone.seen


def test_a_backlog_in_one_batch_turns_no_clock() -> None:
    now, past = readings({"b": behaviour(1, 300)}), readings({"b": behaviour(2, 300)})
    machines = watch(Models(B))
    machines.score(now)
    before = machines.seen
    assert machines.score(replace(past, time=past.time - 3_600 * SECOND)) == []
    assert machines.seen == before


@pytest.mark.parametrize("fault", [False, True])
def test_with_nine_of_ten_readings_missing_there_is_no_opinion_until_they_are_back(fault: bool) -> None:
    """Old values beside new ones would be taken for a fault: the model is silent and says so, so that the streaming
    detectors speak."""
    batch = readings({"b": sick(3_000, 600, 1_900 if fault else 600)})
    second = (batch.time - START) // SECOND
    kept = (np.random.default_rng(1).random(len(batch)) < 0.1) | (second < 400) | (second >= 2_000)
    batch = batch.take(np.flatnonzero(kept))
    machines = watch(Models(B))
    parts = [batch.take(np.flatnonzero((batch.time - START) // (60 * SECOND) == at)) for at in range(50)]
    assert told(machines, parts[:33]) == []
    assert not machines.judges(TABLE.size)[5:9].any()
    before = machines.seen.opinions
    assert before < 500
    assert told(machines, parts[33:]) == []
    assert machines.seen.opinions - before > 900
    assert machines.judges(TABLE.size)[5:9].all()


@pytest.mark.parametrize("lost", [1, 3])
def test_signals_that_fall_silent_take_no_part_and_too_many_leave_no_opinion(lost: int) -> None:
    batch = readings({"b": behaviour(8, 1_200)})
    gone = np.isin(batch.signal, [6, 7, 8][:lost]) & (batch.time >= START + 300 * SECOND)
    machines = watch(Models(B))
    assert told(machines, [batch.take(np.flatnonzero(~gone))]) == []
    assert machines.judges(TABLE.size)[5:9].all() == (lost == 1)  # else robust z watches them one by one
    assert machines.seen.opinions > 1_000 if lost == 1 else machines.seen.opinions < 320


def test_a_signal_that_appears_is_left_to_the_streaming_detectors_and_the_model_goes_on() -> None:
    new = replace(SIGNALS[4], id="b.vibration", name="vibration", kind="vibration_velocity", key=13)
    wider = SignalTable.of([*SIGNALS, new])
    source = Models(B)
    machines = watch(source)
    batch = readings({"b": sick(600, 400, 500)})
    first = told(machines, [batch.take(np.flatnonzero(batch.time < START + 200 * SECOND))])
    machines.configure(wider)
    rest = batch.take(np.flatnonzero(batch.time >= START + 200 * SECOND))
    n = 400
    extra = ReadingBatch(
        np.full(n, 13, np.int32),
        START + (200 + np.arange(n)) * SECOND,
        np.full(n, 1e6),
        np.zeros(n, np.uint32),
        "gw",
        1,
    )
    found = told(machines, [ReadingBatch.concatenate([rest, extra]).sorted_by_signal()])
    assert first == []
    assert {f.signal_id for f in found} == {"b.flow"}
    assert found[0].started_at >= START + 395 * SECOND
    judged = machines.judges(wider.size)
    assert judged[5:9].all()
    assert not judged[13]
