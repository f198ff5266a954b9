"""Findings of models that cannot be used: one a machine, and none that stays open for ever."""

from dataclasses import replace

import numpy as np

from forewarn.domain.findings import BY_MODEL, Finding
from forewarn.learning.drift_watch import INPUT_DRIFT, SCORE_DRIFT, DriftWatch
from forewarn.learning.machine_watch import MachineWatch
from forewarn.learning.model_findings import ModelFindings
from forewarn.learning.model_source import Refusal
from forewarn.policies.severity import severity_of
from tests.learning.test_fleet import DETECTORS, MODELS, START, TABLE, behaviour, readings
from tests.learning.test_machine_watch import Models, watch


def stood(kind: str, at: int, asset_id: str = "a", signal: int = 1) -> Finding:
    name = f"{asset_id}.speed"
    return Finding(
        signal,
        name,
        asset_id,
        BY_MODEL,
        kind,
        severity_of(0.5),
        0.5,
        float("nan"),
        None,
        "why",
        START + at,
        START + at + 5,
    )


def test_of_several_that_stand_of_one_machine_the_newest_goes_on() -> None:
    findings = ModelFindings()
    mine = [
        stood("model_truncated", 9),
        stood("model_damaged", 3),
        stood("model_truncated", 1),
        stood("model_failed", 2, "b", 5),
    ]
    ended = findings.resume(mine)
    assert sorted(f.started_at - START for f in ended) == [1, 3]
    assert all(f.ended_at == f.last_at for f in ended)
    refused = {"a": Refusal("truncated", "cut off"), "b": Refusal("failed", "no")}
    assert findings.follow(refused, TABLE, START + 50) == []
    over = findings.follow({}, TABLE, START + 60)
    assert sorted((f.asset_id, f.started_at - START) for f in over) == [("a", 9), ("b", 2)]


def test_the_same_finding_told_twice_is_one() -> None:
    findings, one = ModelFindings(), stood("model_truncated", 9)
    assert findings.resume([one, replace(one, count=2)]) == []
    assert findings.resume([one]) == []
    assert len(findings.follow({}, TABLE, START + 60)) == 1


def test_of_several_drifts_of_one_machine_the_newest_goes_on() -> None:
    machines = MachineWatch(Models(*MODELS), DETECTORS, drift=DriftWatch())
    machines.configure(TABLE)
    machines.resume(
        [stood(INPUT_DRIFT, 9), stood(SCORE_DRIFT, 3), stood(INPUT_DRIFT, 1), stood(INPUT_DRIFT, 4, "b", 5)]
    )
    assert sorted(f.started_at - START for f in machines.ended()) == [1, 3]
    gone = machines.let_go(np.ones(TABLE.size, np.bool_))
    assert sorted((f.asset_id, f.started_at - START) for f in gone) == [("a", 9), ("b", 4)]


def test_whoever_resumes_everything_leaves_nothing_open_for_ever() -> None:
    """Every kind twice, at a watch that has no model: each of them ends once."""
    kinds = ["model_truncated", "model_failed", "model_unit_changed", "model_unseen_regime"]
    mine = [stood(kind, at + 10 * i) for i, kind in enumerate(kinds) for at in (1, 2)]
    machines = watch(Models())
    machines.resume(mine)
    ended = machines.ended() + machines.score(readings({"a": behaviour(1, 5)}))
    assert sorted((f.anomaly_type, f.started_at) for f in ended) == sorted((f.anomaly_type, f.started_at) for f in mine)
    assert all(f.ended_at is not None for f in ended)
