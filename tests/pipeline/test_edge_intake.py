"""What gateways tell beside readings: findings reach judge and store, their signals are not scored here, and a
heartbeat keeps a thinned signal from being called silent."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from forewarn.catalog import Catalog
from forewarn.contracts.anomaly_store import AnomalyQuery
from forewarn.contracts.stage import Carriage
from forewarn.domain.findings import BY_CONDITION, BY_EDGE, Finding, Severity
from forewarn.domain.readings import ReadingBatch
from forewarn.pipeline.edge_intake import EdgeDesk
from forewarn.pipeline.judge import JudgeStage
from forewarn.pipeline.score import ScoreStage
from forewarn.plugins.detectors.limits import Limits
from forewarn.plugins.detectors.robust_z import RobustZ
from forewarn.policies.thinning import Thinning
from forewarn.policies.thinning_plan import Method, ThinPlan, ThinRule
from tests.pipeline.pump import SECOND, START, Road, View, pump_catalog, told

SPEED, HEAT, FLOW = (np.array([key], np.int32) for key in (1, 2, 3))
NONE = np.zeros(0, np.int32)


class Bench:
    """Score and judge as the line has them, with a clock of their own."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog, self.view, self.now = catalog, View(catalog), START
        self.edge, self.road = EdgeDesk(), Road(View(catalog))
        self.restart()

    def restart(self) -> None:
        """New stages over the old catalog."""
        handled = self.catalog.offsets.get("judge")
        self.score = ScoreStage([Limits(), RobustZ()], self.catalog.anomalies, self.view, edge=self.edge)
        self.judge = JudgeStage(self.catalog.alarms, self.view, lambda: self.now, handled, edge=self.edge)

    def walk(self, carriage: Carriage | None) -> list[tuple[str, str, int]]:
        return [] if carriage is None else told(self.judge.handle(carriage).alarm_events)

    def hears(self, first_s: int, **series: list[float]) -> list[tuple[str, str, int]]:
        return self.walk(self.score.handle(self.road.carriage(first_s, **series)))

    def ticks(self, second: int) -> list[tuple[str, str, int]]:
        self.now = START + second * SECOND
        events = self.walk(self.score.tick(self.now))
        silent = self.judge.tick(self.now)
        return events + ([] if silent is None else told(silent.alarm_events))

    def finds(self, *findings: Finding) -> None:
        """As the API does: the catalog first."""
        self.edge.found(self.catalog.anomalies.merge(findings))

    def stored(self) -> list[tuple[str, int | None]]:
        return [(a.finding.detector, a.finding.ended_at) for a in self.catalog.anomalies.find(AnomalyQuery())[0]]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with pump_catalog(tmp_path) as catalog:
        yield Bench(catalog)


def finding(first_s: int, last_s: int, ended_s: int | None = None, detector: str = "robust_z") -> Finding:
    times = [START + s * SECOND for s in (first_s, last_s)]
    ended = None if ended_s is None else START + ended_s * SECOND
    return Finding(
        *(2, "p1.t", "p1", detector, "statistical", Severity.LOW, 0.7, 55.0, 50.0, ""),
        *times,
        ended_at=ended,
        detected_by=BY_EDGE,
    )


def test_a_finding_of_a_gateway_raises_its_alarm_though_no_reading_comes_and_its_end_ends_it(bench: Bench) -> None:
    bench.finds(finding(2, 10))
    assert bench.ticks(11) == [("t.unusual", "raised", 10)]
    bench.finds(finding(2, 30, 30))
    assert bench.ticks(31) == [("t.unusual", "returned", 30)]
    assert bench.ticks(32) == []


def test_it_rides_with_the_next_readings_too(bench: Bench) -> None:
    bench.finds(finding(2, 10))
    assert bench.hears(11, t=[50.0]) == [("t.unusual", "raised", 10)]
    assert bench.hears(12, t=[50.0]) == []


def test_one_that_came_and_went_is_told_once_however_often_it_is_sent(bench: Bench) -> None:
    for second in (20, 21, 22):
        bench.finds(finding(3, 3, 3, "edge"))
        events = bench.ticks(second)
        assert [kind for _, kind, _ in events] == (["raised", "returned"] if second == 20 else [])


def test_after_a_restart_what_is_open_is_told_again_and_what_ended_meanwhile_is_not(bench: Bench) -> None:
    bench.hears(0, t=[50.0])
    bench.finds(finding(2, 10))
    bench.ticks(11)
    bench.restart()
    assert bench.hears(12, t=[50.0]) == []  # still open
    bench.restart()
    bench.catalog.anomalies.merge([finding(2, 20, 20)])  # and the process died before the line heard
    assert [(rule, kind) for rule, kind, _ in bench.hears(21, t=[50.0])] == [("t.unusual", "returned")]


def test_what_came_and_went_before_the_line_heard_of_it_is_an_alarm_after_a_restart(bench: Bench) -> None:
    """The gateway had its acknowledgement, so it does not tell it again."""
    bench.hears(0, t=[50.0])
    bench.catalog.anomalies.merge([finding(2, 6, 6)])  # and the process died
    for second in (21, 22):
        bench.restart()
        events = bench.hears(second, t=[50.0])
        assert [kind for _, kind, _ in events] == (["raised", "returned"] if second == 21 else [])
    bench.finds(finding(24, 29))
    bench.hears(30, t=[50.0])
    bench.finds(finding(24, 35, 35))
    assert [kind for _, kind, _ in bench.hears(36, t=[50.0])] == ["returned"]
    bench.restart()
    assert bench.hears(40, t=[50.0]) == []


def test_after_a_restart_an_older_one_that_ended_does_not_end_what_stands(bench: Bench) -> None:
    bench.hears(0, t=[50.0])
    bench.finds(finding(2, 6, 6))
    bench.hears(7, t=[50.0])
    bench.finds(finding(8, 14))
    assert [kind for _, kind, _ in bench.hears(15, t=[50.0])] == ["raised"]
    bench.restart()
    assert bench.hears(20, t=[50.0]) == []


@pytest.mark.parametrize("ended_s", [None, 60])
def test_a_condition_of_its_gateway_hides_no_finding_of_a_signal_from_a_restart(
    bench: Bench, ended_s: int | None
) -> None:
    """Rules of the plant do not watch it, so it raises nothing and holds nothing up."""
    bench.hears(0, t=[50.0])
    bench.catalog.anomalies.merge([finding(2, 30, 30), finding(40, 50, ended_s, BY_CONDITION)])  # and the process died
    bench.restart()
    assert [kind for _, kind, _ in bench.hears(61, t=[50.0])] == ["raised", "returned"]


def test_an_older_one_that_came_and_went_does_not_end_the_alarm_of_a_newer_one(bench: Bench) -> None:
    bench.hears(0, t=[50.0])
    bench.finds(finding(1, 1, 1, "edge"))
    bench.hears(2, t=[50.0])
    bench.finds(finding(3, 9))
    bench.hears(10, t=[50.0])
    bench.restart()
    bench.finds(finding(3, 20, 20))
    assert bench.ticks(21) == [("t.unusual", "returned", 20)]
    assert bench.hears(22, t=[50.0]) == []


def test_a_restart_that_begins_with_a_tick_returns_nothing_too_early(bench: Bench) -> None:
    bench.hears(0, t=[50.0])
    bench.finds(finding(2, 10), finding(2, 10, detector="edge"))
    assert bench.ticks(11) == [("t.unusual", "raised", 10)]
    bench.restart()
    bench.finds(finding(2, 20, 20, "edge"))
    assert bench.ticks(21) == []  # robust_z still stands
    bench.finds(finding(2, 30, 30))
    assert bench.ticks(31) == [("t.unusual", "returned", 30)]
    assert bench.hears(32, t=[50.0]) == []


def test_a_carriage_tried_again_has_the_findings_again(bench: Bench) -> None:
    bench.finds(finding(2, 10))
    carriage = bench.road.carriage(11, t=[50.0])
    first, second = bench.score.handle(carriage).findings, bench.score.handle(carriage).findings
    assert first == second
    assert {(f.detector, f.started_at) for f in first} == {("robust_z", START + 2 * SECOND)}


def test_the_line_never_writes_a_gateways_finding_over_a_newer_one(bench: Bench) -> None:
    bench.finds(finding(2, 10))
    bench.catalog.anomalies.merge([finding(2, 20, 20)])
    bench.hears(11, t=[50.0])
    assert bench.stored() == [("robust_z", START + 20 * SECOND)]


def test_what_a_gateway_scores_is_not_scored_here(bench: Bench) -> None:
    bench.edge.scores("gw", HEAT)
    assert bench.hears(0, t=[70.0] + [99.0] * 5) == []
    assert bench.stored() == []
    bench.edge.scores("gw", NONE)
    bench.hears(10, t=[99.0] * 2)
    assert bench.stored() == [("limits", None)]


def test_our_own_episodes_end_where_a_gateway_takes_over(bench: Bench) -> None:
    bench.hears(0, t=[99.0] * 3)
    assert bench.stored() == [("limits", None)]
    bench.edge.scores("gw", HEAT)
    bench.hears(5, t=[99.0])
    assert bench.stored() == [("limits", START + 2 * SECOND)]
    bench.edge.scores("gw", NONE)
    bench.hears(20, t=[50.0] * 20)
    assert bench.stored() == [("limits", START + 2 * SECOND)]


def test_what_a_gateway_left_open_goes_on_here_when_it_scores_the_signal_no_more(bench: Bench) -> None:
    bench.edge.scores("gw", HEAT)
    bench.hears(0, t=[99.0] * 3)
    bench.finds(finding(0, 2, detector="limits"))
    bench.hears(3, t=[99.0])
    assert bench.stored() == [("limits", None)]
    bench.edge.scores("gw", NONE)
    bench.hears(5, t=[99.0])
    assert bench.stored() == [("limits", None)]
    bench.hears(20, t=[50.0] * 20)
    assert bench.stored() == [("limits", START + 5 * SECOND)]


def test_our_own_episodes_end_also_when_it_took_over_while_we_were_down(bench: Bench) -> None:
    bench.hears(0, t=[99.0] * 3)
    bench.restart()
    bench.edge.scores("gw", HEAT)
    bench.hears(5, t=[99.0])
    assert bench.stored() == [("limits", START + 2 * SECOND)]


def test_a_plant_that_grows_keeps_what_gateways_score() -> None:
    edge = EdgeDesk()
    edge.scores("a", np.array([2, 5], np.int32))
    edge.scores("b", np.array([3], np.int32))
    assert np.flatnonzero(edge.scored(4)).tolist() == [2, 3]
    assert np.flatnonzero(edge.scored(9)).tolist() == [2, 3, 5]
    edge.scores("a", np.array([1], np.int32))
    assert np.flatnonzero(edge.scored(9)).tolist() == [1, 3]


def beat(bench: Bench, second: int, *silent: int) -> None:
    keys = np.array([k for k in (1, 2, 3) if k not in silent], np.int32)
    bench.edge.heard(keys, np.array(silent, np.int32), START + second * SECOND)


def test_a_thinned_signal_is_not_silent_while_its_gateway_vouches_for_it(bench: Bench) -> None:
    for first in range(0, 1_200, 100):
        bench.now = START + (first + 100) * SECOND
        flow = list(np.random.default_rng(first).normal(40.0, 0.3, 100))
        bench.hears(first, speed=[1450.0] * 100, flow=flow, t=[50.0] * 100)
    for second in range(1_200, 2_400, 5):  # from here on a reading a minute
        if second % 60 == 0:
            bench.now = START + second * SECOND
            bench.hears(second, speed=[1450.0], flow=[40.0], t=[50.0])
        beat(bench, second)
        assert bench.ticks(second) == []
        assert bench.ticks(second + 4) == []


def test_what_the_gateway_calls_silent_is_silent(bench: Bench) -> None:
    bench.hears(0, speed=[1450.0], flow=[30.0], t=[50.0])
    events = []
    for second in range(0, 120, 5):
        beat(bench, second, *((3,) if second >= 20 else ()))
        events += bench.ticks(second)
    assert [(rule, kind) for rule, kind, _ in events] == [("flow.silent", "raised")]
    for second in range(120, 130, 5):
        beat(bench, second)
        events += bench.ticks(second)
    assert [(rule, kind) for rule, kind, _ in events] == [("flow.silent", "raised"), ("flow.silent", "returned")]


def test_when_heartbeats_stop_the_site_says_silence_itself(bench: Bench) -> None:
    bench.hears(0, speed=[1450.0], t=[50.0])
    for second in range(0, 200, 5):
        beat(bench, second)
        assert bench.ticks(second) == []
    assert [rule for rule, _, _ in bench.ticks(300)] == ["silent"]
    beat(bench, 301)
    assert bench.ticks(301) == [("silent", "returned", 301)]


def raw_and_thin(folder: Path, method: Method, heat: np.ndarray, sent_raw: tuple[int, int]) -> list[list[object]]:
    """The journals of one that sees every reading, and of one that sees a thinned stream, a heartbeat every 20 s, and
    everything of the seconds [first, last) besides."""
    journals: list[list[object]] = []
    for thinned in (False, True):
        with pump_catalog(folder / str(thinned)) as catalog:
            bench, told_of = Bench(catalog), []
            thinning = Thinning(ThinPlan.of(bench.view.table, ThinRule(method=method, error=2.0)))
            for first in range(0, len(heat), 20):
                carriage = bench.road.carriage(first, t=heat[first : first + 20].tolist(), speed=[1450.0] * 20)
                rows, second = carriage.readings, first + 20
                if thinned:
                    at = (rows.time - START) // SECOND
                    kept = thinning.take(rows, (at >= sent_raw[0]) & (at < sent_raw[1]), bench.now).kept
                    rows = ReadingBatch(kept.signal, kept.time, kept.value, kept.quality, "gw", carriage.last)
                    beat(bench, second)
                told_of += bench.walk(replace(carriage, batches=((carriage.last, rows),), readings=rows))
                told_of += bench.ticks(second)
            journals.append(list(told_of))
    return journals


@pytest.mark.parametrize("method", [Method.SWINGING_DOOR, Method.DEADBAND, Method.MINUTES])
def test_a_thinned_stream_with_raw_context_raises_the_alarm_of_the_raw_stream(tmp_path: Path, method: Method) -> None:
    """A limit is passed for 40 s; the gateway's finding makes it send everything from 10 s before to 10 s after."""
    heat = 70.0 + np.random.default_rng(7).normal(0.0, 0.4, 400)
    heat[200:240] = 85.0
    raw, thin = raw_and_thin(tmp_path, method, heat, (190, 250))
    assert raw == [("t.high", "raised", 210), ("t.high", "returned", 250)]
    assert thin == raw


def test_a_finding_that_lasts_keeps_its_alarm(tmp_path: Path) -> None:
    """All of it is sent while the finding is open: the heartbeat alone ends nothing."""
    heat = np.full(600, 70.0)
    heat[200:] = 85.0
    raw, thin = raw_and_thin(tmp_path, Method.MINUTES, heat, (190, 600))
    assert thin == raw == [("t.high", "raised", 210)]
