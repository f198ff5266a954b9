"""Machines watched by their models, from readings to findings."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forewarn.domain.findings import ENSEMBLE, Finding
from forewarn.domain.signal_table import SignalTable
from forewarn.learning.machine_model import MachineModel
from forewarn.learning.machine_watch import MachineWatch
from forewarn.learning.model_source import Refusal
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
