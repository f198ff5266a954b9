"""A restart at any moment changes no alarm: running delays and starts are read back from the historian."""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from forewarn.contracts.stage import Carriage
from forewarn.domain.alarms import AlarmOverride
from forewarn.pipeline.judge import JudgeStage
from forewarn.plugins.historians.parquet import ParquetHistorian
from tests.pipeline.pump import PUMP, START, Road, View, pump_catalog, told

SLOW = AlarmOverride("p1", "t.high", on_delay_s=100.0, off_delay_s=40.0)
PLANT = replace(PUMP, alarm_overrides=(SLOW,))
Journal = list[tuple[str, str, int]]


def lives(carriages: Callable[[Road], list[Carriage]], dies_after: int, unjudged: int) -> Journal:
    """The journal of a site whose process dies after some carriages; the last `unjudged` of them were only stored."""
    with tempfile.TemporaryDirectory() as folder, pump_catalog(Path(folder), PLANT) as catalog:
        view = View(catalog)
        road = carriages(Road(view))
        historian = ParquetHistorian(Path(folder) / "historian")
        judge = JudgeStage(catalog.alarms, view, lambda: START, 0)
        journal: Journal = []
        for number, carriage in enumerate(road[:dies_after]):
            historian.append(carriage.batches)
            if number < dies_after - unjudged:
                journal += told(judge.handle(carriage).alarm_events)
        left = road[max(dies_after - unjudged, 0) :]
        again = JudgeStage(catalog.alarms, view, lambda: START, road[dies_after - unjudged - 1].last)
        again.warm(historian, START, [c.readings for c in road[dies_after - unjudged : dies_after]])
        for carriage in left:
            journal += told(again.handle(carriage).alarm_events)
        historian.close()
        return sorted(journal)


def uninterrupted(carriages: Callable[[Road], list[Carriage]]) -> Journal:
    with tempfile.TemporaryDirectory() as folder, pump_catalog(Path(folder), PLANT) as catalog:
        judge = JudgeStage(catalog.alarms, View(catalog), lambda: START, 0)
        return sorted(e for c in carriages(Road(View(catalog))) for e in told(judge.handle(c).alarm_events))


def spells(values: list[tuple[float, int]], seconds: int) -> list[float]:
    series = [value for value, length in values for _ in range(length)]
    return (series + [50.0] * seconds)[:seconds]


def pieces(t: list[float], speed: list[float], flow: list[float], step: int) -> Callable[[Road], list[Carriage]]:
    return lambda road: [
        road.carriage(i, t=t[i : i + step], speed=speed[i : i + step], flow=flow[i : i + step])
        for i in range(0, len(t), step)
    ]


def test_a_long_delay_is_not_begun_anew() -> None:
    road = pieces([50.0] * 10 + [85.0] * 140, [1450.0] * 150, [40.0] * 150, 10)
    expected = [("t.high", "raised", 110)]
    assert uninterrupted(road) == expected
    for dies_after in range(1, 15):
        assert lives(road, dies_after, 0) == expected, dies_after


def test_a_machine_that_had_just_started_keeps_its_grace() -> None:
    speed, flow = [0.0] * 60 + [1450.0] * 90, [0.0] * 85 + [40.0] * 65
    road = pieces([50.0] * 150, speed, flow, 5)
    assert uninterrupted(road) == []
    assert lives(road, 14, 0) == []


SPELL = st.lists(st.tuples(st.sampled_from([50.0, 79.5, 85.0, 95.0]), st.integers(1, 70)), max_size=8)
RUN = st.lists(st.tuples(st.sampled_from([0.0, 1450.0]), st.integers(5, 90)), max_size=5)
FLOWS = st.lists(st.tuples(st.sampled_from([10.0, 20.5, 40.0]), st.integers(1, 60)), max_size=8)


@settings(max_examples=25, deadline=None)
@given(t=SPELL, run=RUN, flow=FLOWS, step=st.integers(1, 40), where=st.floats(0, 1), unjudged=st.integers(0, 3))
def test_a_restart_leaves_no_trace_in_the_journal(
    t: list[tuple[float, int]],
    run: list[tuple[float, int]],
    flow: list[tuple[float, int]],
    step: int,
    where: float,
    unjudged: int,
) -> None:
    seconds = 260
    road = pieces(spells(t, seconds), spells(run, seconds), spells(flow, seconds), step)
    count = -(-seconds // step)
    dies_after = 1 + int(where * (count - 1))
    assert lives(road, dies_after, min(unjudged, dies_after - 1)) == uninterrupted(road)
