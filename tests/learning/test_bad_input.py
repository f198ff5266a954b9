"""What comes in wrong, through the watch: clocks that jump, gaps, signals that appear and vanish. Nothing breaks,
nothing is scored from it, and it goes on."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from forewarn.domain.findings import BY_MODEL, ENSEMBLE, Finding
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.signal_table import SignalTable
from forewarn.learning.fleet import Fleet, least_change
from forewarn.learning.machine_model import learn_machine
from forewarn.learning.machine_watch import MachineWatch
from forewarn.learning.regime_watch import READ_TOO_SELDOM
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


@pytest.mark.parametrize("rows", [1, 50])
def test_a_gap_filled_beside_live_readings_ends_no_episode(rows: int) -> None:
    """Eight batches of history between two live readings: a minute of source time within milliseconds."""
    batch, machines, at = readings({"b": sick(4_400, 4_150, 4_400)}), watch(Models(B)), 300
    second = (batch.time - START) // SECOND
    found = told(machines, [batch.take(np.flatnonzero(second == t)) for t in range(4_000, 4_190)])
    assert found[-1].ended_at is None
    before = machines.seen
    for t in range(4_190, 4_260):
        for _ in range(8):
            found += machines.score(batch.take(np.flatnonzero((second >= at) & (second < at + rows))))
            at += rows if at < 3_500 else 0
        found += machines.score(batch.take(np.flatnonzero(second == t)))
    assert {f.started_at for f in found} == {found[0].started_at}
    assert all(f.ended_at is None for f in found)
    assert machines.seen.opinions - before.opinions == 70


def on_change(first: int, rows: int, every: int, speed: float) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Which readings there are: the speed is told each `every` seconds."""
    read = np.ones((rows, 4), np.bool_)
    read[:, 0] = np.arange(rows) % every == 0
    return behaviour(first, rows, speed), read


def of_b(parts: list[tuple[NDArray[np.float64], NDArray[np.bool_]]]) -> tuple[NDArray[np.float64], ReadingBatch]:
    """(rows with what is held in them, readings)."""
    values, read = (np.vstack(side) for side in zip(*parts, strict=True))
    newest = np.maximum.accumulate(np.where(read, np.arange(len(read))[:, None], 0), axis=0)
    return np.take_along_axis(values, newest, axis=0), readings({"b": values}).take(np.flatnonzero(read.T.ravel()))


def test_a_speed_reported_on_change_is_judged_in_each_way_of_running() -> None:
    """Each second at 1450 rpm, each fifth at 900: neither is too seldom."""
    parts = [on_change(seed, 1_500, 5 if speed < 1_000 else 1, speed) for seed, speed in enumerate((1450.0, 900.0) * 2)]
    model = learn_machine("b", of_b(parts)[0], SIGNALS[4:8], SECOND, DETECTORS)
    assert model.regimes.count == 2
    assert model.ensembles.count(None) == 0
    fleet = Fleet([model], TABLE, DETECTORS)
    live = of_b([on_change(7, 400, 1, 1450.0), on_change(8, 900, 5, 900.0)])[1]
    slow = np.concatenate([s.ratio[0][s.time[0] >= START + 600 * SECOND] for s in fleet.score(live)])
    assert len(slow) > 650
    assert np.isfinite(slow).all()


def test_what_counts_is_the_judged_way_of_running_in_which_a_signal_changes_least() -> None:
    way, whole = B.usual[0], B.ensembles[0]
    fast, slow, unjudged, unknown = (
        replace(way, change=np.array(change), spread=np.array([1.0, 1.0, 1.0, spread]))
        for change, spread in (
            ((1.0, 1.0, 0.4, 0.9), 1.0),
            ((1.0, 0.2, 0.0, 0.8), 1.0),
            ((0.1, 0.1, 0.1, 0.1), 1.0),
            ((1.0, 0.5, 0.5, 0.01), np.nan),
        )
    )
    model = replace(B, usual=(fast, slow, unjudged, unknown), ensembles=(whole, whole, None, whole))
    np.testing.assert_array_equal(least_change(model), [1.0, 0.2, 0.0, 0.8])
    tree = replace(model.regimes, column=np.array([0]))
    np.testing.assert_array_equal(least_change(replace(model, regimes=tree)), [0.0, 0.2, 0.0, 0.8])


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
    (began,) = told(machines, parts[:33])
    assert (began.detector, began.anomaly_type, began.ended_at) == (BY_MODEL, READ_TOO_SELDOM, None)
    assert "speed is read far more seldom than when the model was trained" in began.reason
    assert "Read it as often as before" in began.reason
    assert START + 400 * SECOND <= began.started_at <= START + 460 * SECOND
    assert 550 * SECOND <= began.last_at - began.started_at <= 700 * SECOND
    assert not machines.judges(TABLE.size)[5:9].any()
    before = machines.seen.opinions
    assert before < 500
    (ended,) = told(machines, parts[33:])
    assert ended.started_at == began.started_at
    assert ended.ended_at is not None
    assert START + 2_000 * SECOND <= ended.ended_at <= START + 2_060 * SECOND
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
