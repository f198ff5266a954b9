"""Models that grow old: a season that shifts, a machine that stays as it was, another speed, a standing fault."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from forewarn.domain.findings import BY_MODEL, ENSEMBLE, Finding
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.signal_table import SignalTable
from forewarn.learning.drift_watch import INPUT_DRIFT, SCORE_DRIFT, DriftWatch
from forewarn.learning.machine_artifact import packed, unpacked
from forewarn.learning.machine_model import MachineModel
from forewarn.learning.machine_watch import MachineWatch
from forewarn.policies.model_drift import DriftSettings
from tests.learning.test_fleet import DETECTORS, MODELS, SECOND, START, TABLE, behaviour, learned, readings
from tests.learning.test_machine_watch import Models

QUICK = DriftSettings(half_life_s=900.0, least_s=600.0, sample_s=5.0, judge_s=60.0)
DEAF = 50.0  # a threshold that nothing reaches


def watching(source: Models) -> MachineWatch:
    machines = MachineWatch(source, DETECTORS, drift=DriftWatch(QUICK))
    machines.configure(TABLE)
    return machines


def deaf(model: MachineModel) -> MachineModel:
    return replace(model, ensembles=tuple(e and replace(e, threshold=DEAF) for e in model.ensembles))


def warmer(seed: int, rows: int, by: float = 2.0) -> NDArray[np.float64]:
    """A season: the temperature moves by so many spreads, slowly."""
    values = behaviour(seed, rows)
    values[:, 3] += by * MODELS[0].usual[0].spread[3] * np.linspace(0.0, 1.0, rows)
    return values


def told(machines: MachineWatch, batch: ReadingBatch, every_s: int = 60) -> list[Finding]:
    piece = (batch.time - START) // (every_s * SECOND)
    return [f for i in np.unique(piece) for f in machines.score(batch.take(np.flatnonzero(piece == i)))]


def drifts(found: list[Finding]) -> list[Finding]:
    return [f for f in found if f.detector == BY_MODEL]


def test_a_season_is_told_once_by_the_signal_that_moved_and_ends_when_it_is_back() -> None:
    plan = {"a": np.vstack((warmer(500, 6_000), behaviour(502, 6_000))), "c": behaviour(503, 12_000)}
    found = drifts(told(watching(Models(deaf(MODELS[0]), deaf(MODELS[2]))), readings(plan)))
    assert {(f.asset_id, f.anomaly_type, f.signal_id, f.started_at) for f in found} == {
        ("a", INPUT_DRIFT, "a.temperature", found[0].started_at)
    }
    assert "temperature has left what the model was trained on (PSI" in found[0].reason
    assert "look at the sensor; if this is how it is to be, mark this wrong and train it again" in found[0].reason
    assert 0.5 <= found[0].score <= 0.65
    assert [f.ended_at is not None for f in found] == [False] * (len(found) - 1) + [True]


def test_what_was_judged_last_is_there_for_anybody_to_ask() -> None:
    drift = DriftWatch(QUICK)
    source = Models(replace(deaf(MODELS[0]), version="one"), deaf(MODELS[2]))
    machines = MachineWatch(source, DETECTORS, drift=drift)
    machines.configure(TABLE)
    quiet_until = START + 500 * SECOND
    plan = readings({"a": warmer(500, 6_000), "c": behaviour(503, 6_000)})
    told(machines, plan.take(np.flatnonzero(plan.time < quiet_until)))
    assert (drift.of("a"), drift.of("c")) == (None, None)  # too short to judge
    found = drifts(told(machines, plan.take(np.flatnonzero(plan.time >= quiet_until))))
    a, c = drift.of("a"), drift.of("c")
    assert a is not None
    assert c is not None
    assert plan.time.max() - a.at <= 120 * SECOND
    psi, mark = a.signals["a.temperature"]
    assert psi > mark > 0
    assert f"PSI {psi:.2f}" not in found[0].reason  # as it was told first, it went on since
    assert all(psi < mark for psi, mark in c.signals.values())
    assert c.over is not None
    assert c.usual is not None
    assert 0 <= c.over <= 0.1 > c.usual > 0
    source.change(replace(deaf(MODELS[0]), version="two"), deaf(MODELS[2]))
    machines.score(readings({"b": behaviour(1, 60)}))
    assert (drift.of("a"), drift.of("c")) == (None, c)  # of another model it says nothing
    machines.let_go(np.ones(TABLE.size, np.bool_))
    assert drift.of("c") is None


def test_signals_without_what_they_are_held_against_are_left_out() -> None:
    drift = DriftWatch(QUICK)
    machines = MachineWatch(Models(replace(deaf(MODELS[0]), inputs=())), DETECTORS, drift=drift)
    machines.configure(TABLE)
    told(machines, readings({"a": behaviour(500, 2_000)}))
    judged = drift.of("a")
    assert judged is not None
    assert judged.signals == {}
    assert judged.over is not None


def test_a_healthy_machine_is_left_alone_for_long() -> None:
    plan = {m: behaviour(600 + i, 20_000) for i, m in enumerate("abc")}
    assert drifts(told(watching(Models(*MODELS)), readings(plan), 300)) == []


def test_another_speed_that_is_known_is_no_drift() -> None:
    plan = {"a": np.vstack((behaviour(700, 2_000), behaviour(701, 6_000, 2900.0)))}
    assert drifts(told(watching(Models(learned((1450.0, 2900.0))[0])), readings(plan))) == []


def test_a_standing_fault_is_no_drift_and_leaves_no_trace() -> None:
    sick = behaviour(800, 9_000)
    sick[1_500:5_000, 1] -= 6.0
    found = told(watching(Models(MODELS[0])), readings({"a": sick}))
    assert ENSEMBLE in {f.detector for f in found}
    assert drifts(found) == []


def test_a_score_that_is_often_high_without_an_alarm_is_told() -> None:
    """What shakes a signal on its place moves its score; here its deciles may move as they like."""
    restless = behaviour(900, 4_000)
    restless[:, 2] += np.random.default_rng(1).normal(0.0, 0.6, 4_000)
    model = deaf(MODELS[0])
    loose = replace(model, inputs=tuple(replace(way, wander=np.full(4, 99.0)) for way in model.inputs))
    found = drifts(told(watching(Models(loose)), readings({"a": restless})))
    assert {f.anomaly_type for f in found} == {SCORE_DRIFT}
    assert len({f.started_at for f in found}) == 1
    assert "over its healthy quantile in" in found[0].reason


def test_the_input_that_moved_takes_the_place_of_the_score_that_told_of_it() -> None:
    values = warmer(7_001, 6_000)
    values[:1_500, 2] += np.random.default_rng(1).normal(0.0, 0.6, 1_500)
    wide = replace(deaf(MODELS[0]), inputs=tuple(replace(way, wander=np.full(4, 1.5)) for way in MODELS[0].inputs))
    found = drifts(told(watching(Models(wide)), readings({"a": values})))
    kinds = [(f.anomaly_type, f.ended_at is None) for f in found]
    assert kinds[0] == (SCORE_DRIFT, True)
    assert kinds[-1] == (INPUT_DRIFT, True)
    ended = kinds.index((SCORE_DRIFT, False))
    assert kinds[ended + 1] == (INPUT_DRIFT, True)
    assert len({(f.signal_key, f.started_at) for f in found}) == 2


def test_an_advisory_ends_with_its_model_and_is_raised_anew_by_the_next_one_that_is_as_old() -> None:
    source = Models(replace(deaf(MODELS[0]), version="one"))
    machines = watching(source)
    batch = readings({"a": warmer(500, 6_000)})
    found = drifts(told(machines, batch))
    assert found[-1].ended_at is None
    later = replace(batch, time=batch.time + 6_000 * SECOND)
    source.change(replace(deaf(MODELS[0]), version="one"))
    assert all(
        f.ended_at is None
        for f in drifts(told(machines, later.take(np.flatnonzero(later.time < START + 6_200 * SECOND))))
    )
    source.change(replace(deaf(MODELS[0]), version="two"))
    rest = drifts(told(machines, later.take(np.flatnonzero(later.time >= START + 6_200 * SECOND))))
    assert rest[0].started_at == found[0].started_at
    assert rest[0].ended_at is not None
    assert {f.started_at for f in rest[1:]} != {found[0].started_at}


def test_what_stood_at_a_restart_goes_on_and_what_has_no_model_any_more_ends() -> None:
    standing = drifts(told(watching(Models(deaf(MODELS[0]))), readings({"a": warmer(500, 6_000)})))[-1]
    again = watching(Models(deaf(MODELS[0])))
    again.resume([standing, replace(standing, asset_id="b", signal_id="b.flow", signal_key=6)])
    found = drifts(told(again, readings({"a": behaviour(1, 1_500)})))
    assert {(f.asset_id, f.started_at) for f in found} == {("a", standing.started_at), ("b", standing.started_at)}
    assert {f.asset_id for f in found if f.ended_at is not None} == {"a", "b"}


def test_what_a_gateway_watches_is_let_go() -> None:
    machines = watching(Models(deaf(MODELS[0])))
    told(machines, readings({"a": warmer(500, 6_000)}))
    (ended,) = machines.let_go(np.ones(TABLE.size, np.bool_))
    assert (ended.anomaly_type, ended.ended_at) == (INPUT_DRIFT, ended.last_at)


@pytest.mark.parametrize(("table", "kinds"), [(TABLE, {SCORE_DRIFT}), (SignalTable.of(()), set())])
def test_a_model_without_what_drift_is_held_against_is_judged_by_its_score(table: SignalTable, kinds: set[str]) -> None:
    machines = MachineWatch(Models(replace(deaf(MODELS[0]), inputs=())), DETECTORS, drift=DriftWatch(QUICK))
    machines.configure(table)
    found = drifts(told(machines, readings({"a": warmer(500, 4_000, 6.0)})))
    assert {f.anomaly_type for f in found} == kinds


def test_what_drift_is_held_against_comes_back_from_the_artifact() -> None:
    before, after = MODELS[0].inputs[0], unpacked(packed(MODELS[0]), "v").inputs[0]
    for name in ("edges", "share", "wander"):
        np.testing.assert_allclose(getattr(after, name), getattr(before, name), rtol=1e-5)
    assert unpacked(packed(replace(MODELS[0], inputs=())), "v").inputs == ()
