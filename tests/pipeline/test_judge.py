"""The judge stage on a real catalog: delays, standing machines, findings, silence, shelves, restarts."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from forewarn.catalog import Catalog
from forewarn.domain.alarms import AlarmState
from forewarn.domain.findings import Finding, Severity
from forewarn.pipeline.judge import JudgeStage
from forewarn.plugins.historians.parquet import ParquetHistorian
from forewarn.policies import alarm_lifecycle as machine
from forewarn.policies.rules import default_rules
from tests.pipeline.pump import HEAT, PUMP, SECOND, START, Road, View, pump_catalog, told

HIGH = ("p1", "t.high")


class Bench:
    """A judge with a clock of its own."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog, self.view, self.now = catalog, View(catalog), START
        self.set_by = 0  # how far somebody moved our clock
        self.road = Road(self.view)
        self.judge = self.new_judge()

    def new_judge(self) -> JudgeStage:
        handled = self.catalog.offsets.get("judge")
        return JudgeStage(self.catalog.alarms, self.view, lambda: self.now, handled, lambda: self.now - self.set_by)

    def hears(self, first_s: int, **series: list[float]) -> list[tuple[str, str, int]]:
        return told(self.judge.handle(self.road.carriage(first_s, **series)).alarm_events)

    def finds(self, first_s: int, *findings: Finding) -> list[tuple[str, str, int]]:
        carriage = self.road.carriage(first_s, t=[50.0]).with_findings(findings)
        return told(self.judge.handle(carriage).alarm_events)

    def ticks(self, second: int) -> list[tuple[str, str, int]]:
        self.now = START + second * SECOND
        carriage = self.judge.tick(self.now)
        return [] if carriage is None else told(carriage.alarm_events)

    def state(self, rule_id: str = "t.high") -> AlarmState:
        return self.catalog.alarms.get(("p1", rule_id)).status.state


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with pump_catalog(tmp_path) as catalog:
        yield Bench(catalog)


def finding(first_s: int, last_s: int, ended_s: int | None = None, detector: str = "robust_z") -> Finding:
    key = {"p1.speed": 1, "p1.t": 2, "p1.flow": 3}["p1.t"]
    times = [START + s * SECOND for s in (first_s, last_s)]
    ended = None if ended_s is None else START + ended_s * SECOND
    return Finding(
        key, "p1.t", "p1", detector, "statistical", Severity.LOW, 0.7, 55.0, 50.0, "", *times, ended_at=ended
    )


def test_a_limit_must_hold_for_its_delay_and_be_gone_for_its_delay(bench: Bench) -> None:
    assert bench.hears(0, t=[85.0] * 10) == []
    assert bench.hears(10, t=[85.0] * 5) == [("t.high", "raised", 10)]
    assert bench.hears(15, t=[79.5] * 30) == []  # within the deadband
    assert bench.hears(45, t=[70.0] * 20) == [("t.high", "returned", 55)]
    assert bench.state() is AlarmState.RETURNED


def test_a_short_excursion_raises_nothing_and_both_limits_stand_alone(bench: Bench) -> None:
    assert bench.hears(0, t=[95.0] * 5 + [70.0] * 30) == []
    both = bench.hears(40, t=[95.0] * 20)
    assert sorted(both) == [("t.high", "raised", 50), ("t.high_critical", "raised", 50)]


def test_one_carriage_or_many_give_the_same_journal(bench: Bench, tmp_path: Path) -> None:
    series = ([70.0] * 7 + [85.0] * 13 + [70.0] * 17 + [95.0] * 23) * 2
    whole = bench.hears(0, t=series)
    with pump_catalog(tmp_path / "other") as catalog:
        other = Bench(catalog)
        pieces = [e for s in range(0, len(series), 4) for e in other.hears(s, t=series[s : s + 4])]
    assert whole
    assert sorted(pieces) == sorted(whole)


def test_a_carriage_handled_before_changes_nothing(bench: Bench) -> None:
    carriage = bench.road.carriage(0, t=[85.0] * 20)
    assert told(bench.judge.handle(carriage).alarm_events)
    assert bench.judge.handle(carriage).alarm_events == ()
    assert bench.catalog.offsets.get("judge") == carriage.last
    bench.judge = bench.new_judge()
    assert bench.judge.handle(carriage).alarm_events == ()
    assert len(bench.catalog.alarms.journal(HIGH)) == 1


def test_an_alarm_goes_on_after_a_restart(bench: Bench) -> None:
    bench.hears(0, t=[85.0] * 20)
    bench.judge = bench.new_judge()
    assert bench.hears(20, t=[85.0] * 20) == []
    assert bench.hears(40, t=[70.0] * 11) == [("t.high", "returned", 50)]


def test_a_store_that_fails_once_loses_no_alarm(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    carriage = bench.road.carriage(0, t=[85.0] * 20)
    with monkeypatch.context() as broken:
        broken.setattr(type(bench.catalog.alarms), "change_all", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
        with pytest.raises(OSError, match="disk full"):
            bench.judge.handle(carriage)
    assert told(bench.judge.handle(carriage).alarm_events) == [("t.high", "raised", 10)]


def test_a_standing_machine_has_no_low_alarm_and_a_start_gets_its_time(bench: Bench) -> None:
    assert bench.hears(0, speed=[0.0] * 60, flow=[0.0] * 60) == []
    assert bench.hears(60, speed=[1450.0] * 25, flow=[5.0] * 25) == []
    assert bench.hears(85, speed=[1450.0] * 30, flow=[5.0] * 30) == [("flow.low", "raised", 95)]


def test_a_low_alarm_steps_aside_while_the_machine_stands_and_comes_back(bench: Bench) -> None:
    assert bench.hears(0, speed=[1450.0] * 60, flow=[5.0] * 60) == [("flow.low", "raised", 5)]
    assert bench.hears(60, speed=[0.0] * 10, flow=[5.0] * 10) == [("flow.low", "suppressed", 69)]
    assert bench.state("flow.low") is AlarmState.SUPPRESSED
    bench.judge = bench.new_judge()
    assert bench.hears(70, speed=[0.0] + [1450.0] * 19, flow=[5.0] * 20) == []
    assert bench.hears(90, speed=[1450.0] * 20, flow=[5.0] * 20) == [("flow.low", "unsuppressed", 109)]
    assert bench.state("flow.low") is AlarmState.UNACKNOWLEDGED


def test_a_finding_is_an_advisory_as_long_as_one_is_open(bench: Bench) -> None:
    assert bench.finds(10, finding(2, 10)) == [("t.unusual", "raised", 10)]
    assert bench.finds(11, finding(5, 11, detector="rate_of_change"), finding(5, 11, detector="limits")) == []
    assert bench.finds(60, finding(2, 30, 30)) == []
    assert bench.finds(61, finding(5, 40, 41, "rate_of_change")) == [("t.unusual", "returned", 41)]


def test_a_finding_that_came_and_went_in_one_carriage_is_told(bench: Bench) -> None:
    assert bench.finds(40, finding(3, 3, 3, "rate_of_change")) == [
        ("t.unusual", "raised", 3),
        ("t.unusual", "returned", 3),
    ]
    assert bench.state("t.unusual") is AlarmState.RETURNED


def test_after_a_restart_an_alarm_that_no_finding_holds_up_returns(bench: Bench) -> None:
    bench.finds(10, finding(2, 10))
    bench.judge = bench.new_judge()
    assert bench.finds(50, finding(2, 50)) == []
    bench.judge = bench.new_judge()
    assert bench.finds(60) == [("t.unusual", "returned", 60)]


def test_silence_is_noticed_by_arrival_and_ends_with_the_next_reading(bench: Bench) -> None:
    assert bench.ticks(0) == []
    bench.hears(0, t=[50.0])
    assert bench.ticks(30) == []
    assert bench.ticks(31) == [("silent", "raised", 31)]
    assert bench.ticks(32) == []
    bench.hears(1, t=[float("nan")])
    assert bench.ticks(33) == []
    bench.hears(2, t=[50.0])
    assert bench.ticks(34) == [("silent", "returned", 34)]


def test_a_clock_that_is_set_is_no_silence(bench: Bench) -> None:
    bench.hears(0, t=[50.0])
    for step_s in (3_600, -7_200):
        bench.set_by += step_s * SECOND
        bench.now += step_s * SECOND
        judge_now = (bench.now - START) // SECOND
        assert bench.ticks(judge_now + 1) == []
    assert ("silent", "raised", judge_now + 40) in bench.ticks(judge_now + 40)


def test_a_restart_returns_no_silence_that_nothing_ended(bench: Bench, tmp_path: Path) -> None:
    historian = ParquetHistorian(tmp_path / "historian")
    carriage = bench.road.carriage(0, t=[50.0])
    historian.append(carriage.batches)
    bench.judge.handle(carriage)
    assert ("silent", "raised", 40) in bench.ticks(40)
    bench.judge = bench.new_judge()
    bench.judge.warm(historian, bench.now)
    assert bench.ticks(41) == []
    assert bench.ticks(80) == []
    bench.hears(81, t=[50.0])
    assert ("silent", "returned", 82) in bench.ticks(82)
    historian.close()


def test_late_readings_change_no_alarm(bench: Bench) -> None:
    assert bench.hears(1_000, t=[85.0] * 15) == [("t.high", "raised", 1_010)]
    assert bench.hears(0, t=[50.0] * 60) == []  # normal, but long ago
    assert bench.hears(1_015, t=[50.0] * 30) == [("t.high", "returned", 1_025)]
    assert bench.hears(200, t=[95.0] * 60) == []  # high, but long ago
    assert bench.state() is AlarmState.RETURNED


def test_one_silent_signal_of_a_running_machine_is_named(bench: Bench) -> None:
    bench.hears(0, t=[50.0], flow=[30.0], speed=[1450.0])
    bench.now = START + 50 * SECOND
    bench.hears(50, t=[50.0], speed=[1450.0])
    assert bench.ticks(61) == [("flow.silent", "raised", 61)]
    bench.hears(62, t=[50.0], speed=[0.0])
    assert bench.ticks(62) == [("flow.silent", "returned", 62)]


def test_a_signal_that_says_it_is_bad_is_named_though_the_machine_stands(bench: Bench) -> None:
    bench.hears(0, t=[50.0], speed=[0.0])
    bench.hears(1, t=[float("nan")], speed=[0.0])
    assert bench.ticks(30) == []
    bench.hears(31, t=[float("nan")], speed=[0.0])
    assert bench.ticks(31) == [("t.silent", "raised", 31)]
    bench.hears(32, t=[50.0], speed=[0.0])
    assert bench.ticks(60) == []
    bench.hears(61, t=[50.0], speed=[0.0])
    assert bench.ticks(64) == [("t.silent", "returned", 64)]


def test_a_loose_contact_raises_one_alarm_and_a_minute_of_good_ends_it(bench: Bench) -> None:
    """Bad for four seconds of five: the good ones between neither hide nor repeat it."""
    told_of = []
    for second in range(200):
        bench.now = START + second * SECOND
        bench.hears(second, t=[50.0 if second % 5 == 0 else float("nan")], speed=[0.0])
        told_of += bench.ticks(second)
    ((rule, kind, raised_at),) = told_of
    assert (rule, kind) == ("t.silent", "raised")
    assert 38 <= raised_at <= 48
    for second in range(200, 270):
        bench.now = START + second * SECOND
        bench.hears(second, t=[50.0], speed=[0.0])
        told_of += bench.ticks(second)
    assert [kind for _, kind, _ in told_of] == ["raised", "returned"]


def test_a_sensor_that_is_bad_now_and_then_is_let_be(bench: Bench) -> None:
    for second in range(300):
        bench.now = START + second * SECOND
        bench.hears(second, t=[50.0 if second % 5 else float("nan")], speed=[0.0])
        assert bench.ticks(second) == []


def test_a_shelf_ends_by_the_clock(bench: Bench) -> None:
    bench.hears(0, t=[85.0] * 20)
    until = START + 100 * SECOND
    bench.catalog.alarms.change(HIGH, lambda rule, status: machine.shelve(rule, status, START, "Asha", until))
    assert ("t.high", "expired", 99) not in bench.ticks(99)
    assert ("t.high", "expired", 100) in bench.ticks(100)
    assert bench.state() is AlarmState.UNACKNOWLEDGED


def test_new_rules_are_followed_and_old_alarms_kept(bench: Bench) -> None:
    bench.hears(0, t=[85.0] * 20)
    hotter = replace(PUMP, signals=(*PUMP.signals, replace(HEAT, id="p1.t2", name="t2")))
    bench.catalog.plant.apply(hotter, default_rules(hotter))
    bench.view.refresh()
    offset, bench.road = bench.road.offset, Road(bench.view)
    bench.road.offset = offset
    assert bench.hears(20, t=[85.0] * 20, t2=[85.0] * 20) == [("t2.high", "raised", 30)]


def steps(seed: int, seconds: int) -> list[float]:
    """A noisy flow, a reading a second."""
    return list(np.random.default_rng(seed).normal(40.0, 0.3, seconds))


def test_a_signal_that_always_moved_and_comes_no_more_is_silent_soon(bench: Bench) -> None:
    """Only changes are reported: a stuck sensor of a running machine is one that no longer reports."""
    for first in range(0, 1_200, 100):
        bench.now = START + (first + 100) * SECOND
        bench.hears(first, speed=[1450.0] * 100, flow=steps(first, 100))
    for second in range(1_200, 1_230, 5):
        bench.hears(second, speed=[1450.0] * 5)
        assert bench.ticks(second) == []
    bench.hears(1_230, speed=[1450.0] * 5)
    assert bench.ticks(1_235) == [("flow.silent", "raised", 1_235)]
    bench.hears(1_235, speed=[1450.0] * 5, flow=[40.1] * 5)
    assert bench.ticks(1_240) == [("flow.silent", "returned", 1_240)]


def test_a_signal_of_a_machine_that_stood_is_not_silent_when_it_starts(bench: Bench) -> None:
    for first in range(0, 1_200, 100):
        bench.now = START + (first + 100) * SECOND
        bench.hears(first, speed=[1450.0] * 100, flow=steps(first, 100))
    for second in range(1_200, 1_800, 20):
        bench.now = START + (second + 20) * SECOND
        bench.hears(second, speed=[0.0] * 20)
        assert bench.ticks(second + 20) == []
    bench.now = START + 1_805 * SECOND
    bench.hears(1_800, speed=[1450.0] * 5)
    assert bench.ticks(1_805) == []
    bench.now = START + 1_845 * SECOND
    bench.hears(1_805, speed=[1450.0] * 40)
    assert bench.ticks(1_845) == [("flow.silent", "raised", 1_845)]
