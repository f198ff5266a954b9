"""Machines watched by their models, from readings to findings."""

import json
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forewarn.domain.findings import BY_MODEL, BY_SITE, ENSEMBLE, Finding
from forewarn.domain.signal_table import SignalTable
from forewarn.learning.machine_model import MachineModel, learn_machine
from forewarn.learning.machine_watch import MachineWatch
from forewarn.learning.model_source import Refusal
from forewarn.plugins.trained_detectors.robust_z import RobustZ
from tests.learning.test_fleet import DETECTORS, MODELS, SECOND, SIGNALS, START, TABLE, behaviour, readings

MACHINE_B = replace(MODELS[1], version="sha256:1")


class Models:
    """A source that a test changes."""

    def __init__(self, *models: MachineModel) -> None:
        self.revision = 0
        self._models = models

    def models(self) -> tuple[MachineModel, ...]:
        return self._models

    def refused(self) -> dict[str, Refusal]:
        return {}

    def change(self, *models: MachineModel) -> None:
        self.revision, self._models = self.revision + 1, models


def watch(source: Models, table: SignalTable = TABLE) -> MachineWatch:
    new = MachineWatch(source, DETECTORS)
    new.configure(table)
    return new


def told(machines: MachineWatch, plan: dict[str, np.ndarray], cuts: list[int]) -> list[Finding]:
    batch = readings(plan)
    piece = np.searchsorted([START + cut * SECOND for cut in sorted(cuts)], batch.time, side="right")
    return [f for i in range(len(cuts) + 1) for f in machines.score(batch.take(np.flatnonzero(piece == i)))]


def sick(rows: int = 400, first: int = 150, last: int = 280) -> np.ndarray:
    """The flow of b sinks for a while."""
    values = behaviour(201, rows)
    values[first:last, 1] -= 6.0
    return values


@settings(max_examples=8)
@given(st.lists(st.integers(1, 399), max_size=12))
def test_an_episode_begins_and_ends_where_it_did_however_it_is_cut(cuts: list[int]) -> None:
    found = told(watch(Models(MACHINE_B)), {"a": behaviour(200, 400), "b": sick()}, cuts)
    assert {(f.asset_id, f.detector, f.started_at) for f in found} == {("b", ENSEMBLE, found[0].started_at)}
    assert START + 149 * SECOND <= found[0].started_at <= START + 155 * SECOND
    last = found[-1]
    assert last.ended_at is not None
    assert START + 270 * SECOND <= last.ended_at <= START + 320 * SECOND


def test_a_finding_says_which_signal_how_far_in_which_window_and_by_which_model() -> None:
    opened = told(watch(Models(MACHINE_B)), {"b": sick()}, [])[0]
    assert opened.signal_id == "b.flow"
    assert opened.signal_key == TABLE.key_of["b.flow"]
    assert (opened.detector, opened.detected_by) == (ENSEMBLE, BY_SITE)
    assert opened.expected == pytest.approx(opened.value + 6.0, abs=2.5)
    assert "flow is" in opened.reason
    assert "goes with the rest" in opened.reason
    assert opened.evidence is not None
    evidence = opened.evidence
    assert evidence.model == "sha256:1"
    assert evidence.contributions[0].signal_id == "b.flow"
    assert sum(c.share for c in evidence.contributions) == pytest.approx(1.0, abs=0.01)
    assert {name for name, _ in evidence.members} == set(DETECTORS)
    assert evidence.window_end - evidence.window_start >= 30 * SECOND
    assert evidence.ratio > 1
    assert msgspec.json.decode(msgspec.json.encode(evidence), type=type(evidence)) == evidence


def test_a_healthy_machine_is_left_alone() -> None:
    plan = {"a": behaviour(210, 3000), "b": behaviour(211, 3000), "c": behaviour(212, 3000)}
    assert told(watch(Models(*MODELS)), plan, [1000, 2000]) == []


def test_an_open_episode_survives_a_restart_and_ends_once() -> None:
    source = Models(MACHINE_B)
    batch = readings({"b": sick()})
    before = watch(source).score(batch.take(np.flatnonzero(batch.time < START + 200 * SECOND)))
    open_now = before[-1]
    assert open_now.ended_at is None
    again = watch(source)
    again.resume([open_now, replace(open_now, detector="limits", signal_key=7)])
    rest = again.score(batch.take(np.flatnonzero(batch.time >= START + 160 * SECOND)))
    assert {f.started_at for f in rest} == {open_now.started_at}
    assert {f.signal_key for f in rest} == {open_now.signal_key}
    assert [f.ended_at is not None for f in rest].count(True) == 1


def test_a_new_model_of_another_machine_changes_no_episode() -> None:
    source = Models(MACHINE_B)
    machines = watch(source)
    batch = readings({"a": behaviour(200, 400), "b": sick()})
    found = machines.score(batch.take(np.flatnonzero(batch.time < START + 200 * SECOND)))
    source.change(MODELS[0], MACHINE_B)
    found += machines.score(batch.take(np.flatnonzero(batch.time >= START + 200 * SECOND)))
    assert {(f.asset_id, f.started_at) for f in found} == {("b", found[0].started_at)}
    assert found[-1].ended_at is not None


def test_a_new_model_of_another_depth_is_no_clock_that_goes_back() -> None:
    """Its rows begin anew, and a source that lags by two seconds makes the first of them once more."""
    shallow = {"robust_z": DETECTORS["robust_z"]}
    other = replace(learn_machine("b", behaviour(10, 900), SIGNALS[4:8], SECOND, shallow), version="sha256:2")
    source, batch = Models(MACHINE_B), readings({"b": sick()})
    machines, found = watch(source), []
    lag = np.where(batch.signal == batch.signal.max(), 2, 0)
    second = (batch.time - START) // SECOND + lag
    for t in range(120, 203):
        if t == 200:
            source.change(other)
        found += machines.score(batch.take(np.flatnonzero(second == t)))
    assert found
    assert all(f.ended_at is None for f in found)
    assert machines.judges(TABLE.size)[5:9].all()


def test_what_a_gateway_scores_is_let_go() -> None:
    machines = watch(Models(MACHINE_B))
    batch = readings({"b": sick()})
    opened = machines.score(batch.take(np.flatnonzero(batch.time < START + 200 * SECOND)))[-1]
    elsewhere = np.zeros(TABLE.size, np.bool_)
    elsewhere[[s.key for s in SIGNALS if s.asset_id == "b"][:2]] = True
    assert machines.let_go(elsewhere) == []
    elsewhere[[s.key for s in SIGNALS if s.asset_id == "b"]] = True
    (ended,) = machines.let_go(elsewhere)
    assert (ended.started_at, ended.ended_at) == (opened.started_at, opened.last_at)


def test_a_machine_that_leaves_the_plant_ends_its_episode_and_nothing_breaks() -> None:
    machines = watch(Models(MACHINE_B))
    batch = readings({"b": sick()})
    opened = machines.score(batch.take(np.flatnonzero(batch.time < START + 200 * SECOND)))[-1]
    machines.configure(SignalTable.of([s for s in SIGNALS if s.asset_id == "a"]))
    (ended,) = machines.score(readings({"a": behaviour(1, 5)}))
    assert (ended.signal_id, ended.started_at) == (opened.signal_id, opened.started_at)
    assert ended.ended_at is not None


def test_an_episode_of_a_machine_that_is_gone_at_a_restart_ends() -> None:
    before = watch(Models(MACHINE_B)).score(readings({"b": sick(200)}))[-1]
    machines = watch(Models(), SignalTable.of(SIGNALS[:4]))
    machines.resume([before])
    machines.configure(SignalTable.of(SIGNALS[:4]))
    (ended,) = machines.score(readings({"a": behaviour(1, 5)}))
    assert (ended.signal_id, ended.ended_at is not None) == (before.signal_id, True)


def test_a_model_that_changes_leaves_the_windows_of_all_full() -> None:
    source = Models(*MODELS)
    machines = watch(source)
    batch = readings({"a": behaviour(200, 200), "b": sick(200, 105, 200)})
    machines.score(batch.take(np.flatnonzero(batch.time < START + 100 * SECOND)))
    source.change(MODELS[0], replace(MODELS[1], version="next"))  # as after a word on a finding
    found = machines.score(batch.take(np.flatnonzero(batch.time >= START + 100 * SECOND)))
    assert found
    assert found[0].started_at <= START + 110 * SECOND


class Speechless(RobustZ):
    """Scores, and fails when it is asked why."""

    def prepare(self, models):
        scorer: Any = super().prepare(models)
        scorer.explain = lambda blocks, which: 1 / 0
        return scorer


def test_a_detector_that_cannot_say_why_does_not_hold_up_the_line() -> None:
    machines = MachineWatch(Models(MACHINE_B), {**DETECTORS, "robust_z": Speechless()})
    machines.configure(TABLE)
    batch = readings({"a": behaviour(200, 400), "b": sick()})
    half = machines.score(batch.take(np.flatnonzero(batch.time < START + 200 * SECOND)))
    rest = machines.score(batch.take(np.flatnonzero(batch.time >= START + 200 * SECOND)))
    found = [f for f in half + rest if f.detector == ENSEMBLE]
    assert found[0].evidence is None
    assert found[-1].ended_at is not None
    assert {f.anomaly_type for f in half + rest if f.detector == BY_MODEL} == {"model_failed"}


def test_after_a_gap_those_speak_that_can_and_what_is_told_can_be_kept() -> None:
    """Half a minute is not full again when the fault comes: that detector has no opinion, which is no number."""
    values = sick(200, 100, 200)
    kept = np.arange(200) < 110
    kept[60:95] = False
    batch = readings({"b": values})
    second = (batch.time - START) // SECOND
    found = watch(Models(MACHINE_B)).score(batch.take(np.flatnonzero(kept[second])))
    evidence = found[0].evidence
    assert evidence is not None
    assert len(evidence.members) < len(DETECTORS)
    assert "NaN" not in json.dumps(msgspec.to_builtins(evidence), allow_nan=False)


def test_a_standing_episode_of_a_machine_without_a_model_ends_at_the_restart() -> None:
    open_now = watch(Models(MACHINE_B)).score(readings({"b": sick(200)}))[-1]
    machines = watch(Models(MODELS[0]))
    machines.resume([open_now, replace(open_now, started_at=open_now.started_at - SECOND)])
    ended = machines.ended()
    assert [(f.asset_id, f.ended_at) for f in ended] == [("b", open_now.last_at)] * 2
    again = watch(Models(MACHINE_B))
    again.resume([open_now, replace(open_now, started_at=open_now.started_at + SECOND)])
    assert [f.started_at for f in again.ended()] == [open_now.started_at + SECOND]  # one of two is enough


def test_a_model_speaks_for_its_signals_only_while_it_has_an_opinion() -> None:
    machines = watch(Models(*MODELS))
    assert not machines.judges(TABLE.size).any()
    machines.score(readings({"a": behaviour(1, 90)}))
    assert machines.judges(TABLE.size)[1:5].all()
    assert not machines.judges(TABLE.size)[5:].any()
    batch = readings({"a": np.vstack((behaviour(1, 90), behaviour(2, 400) * [3.0, 1, 1, 1]))})  # a speed never seen
    machines.score(batch.take(np.flatnonzero(batch.time >= START + 90 * SECOND)))
    assert not machines.judges(TABLE.size).any()


@pytest.mark.parametrize("change", ["unit", "gone"])
def test_a_model_that_does_not_fit_the_plant_any_more_is_named_and_not_asked(change: str) -> None:
    others = [replace(s, unit="mbar") if s.id == "b.pressure" else s for s in SIGNALS]
    table = SignalTable.of(others if change == "unit" else [s for s in SIGNALS if s.id != "b.pressure"])
    found = watch(Models(MACHINE_B), table).score(readings({"a": behaviour(1, 5), "b": sick()}))
    (told,) = [f for f in found if f.asset_id == "b"]
    assert (told.detector, told.anomaly_type) == (BY_MODEL, "model_signals_changed")
    assert "b.pressure" in told.reason
