"""A way of running that nobody has seen: said after ten minutes of it, over when the model has an opinion again."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from forewarn.domain.findings import BY_MODEL, Finding, Severity
from forewarn.domain.signal_table import SignalTable
from forewarn.learning.machine_watch import MachineWatch
from forewarn.learning.regime_watch import UNSEEN_REGIME
from tests.learning.test_fleet import MODELS, SECOND, SIGNALS, START, TABLE, behaviour, learned, readings
from tests.learning.test_machine_watch import Models, watch

A = MODELS[0]
TWO_SPEEDS = cache(lambda: learned((1450.0, 2900.0))[0])
TEN_MINUTES = 600


def told(machines: MachineWatch, rows: NDArray[np.float64], first: int = 0, every: int = 50) -> list[Finding]:
    batch = readings({"a": rows})
    second = (batch.time - START) // SECOND
    parts = [
        batch.take(np.flatnonzero((second >= at) & (second < at + every))) for at in range(first, len(rows), every)
    ]
    return [f for part in parts for f in machines.score(part) if f.detector == BY_MODEL]


def unseen(before: int, fast: int, after: int, speed: float = 1950.0) -> NDArray[np.float64]:
    parts = [behaviour(1, before), behaviour(2, fast, speed), behaviour(3, after)]
    return np.vstack(parts)


def test_it_is_said_after_ten_minutes_by_which_signal_and_ends_with_an_opinion() -> None:
    found = told(watch(Models(A)), unseen(200, 1_000, 400))
    began, ended = found
    assert (began.detector, began.anomaly_type, began.severity) == (BY_MODEL, UNSEEN_REGIME, Severity.LOW)
    assert (began.asset_id, began.signal_id) == ("a", "a.speed")
    assert abs(began.started_at - START - 200 * SECOND) <= SECOND
    assert (TEN_MINUTES - 1) * SECOND <= began.last_at - began.started_at <= (TEN_MINUTES + 1) * SECOND
    assert "speed is 19" in began.reason
    assert "knows 1" in began.reason
    assert "robust z" in began.reason
    assert "Train it again when" in began.reason
    assert ended.started_at == began.started_at
    assert ended.ended_at is not None
    assert START + 1_200 * SECOND <= ended.ended_at <= START + 1_400 * SECOND


def test_it_is_the_same_row_by_row_and_in_one_piece() -> None:
    rows = unseen(100, 700, 60)
    one, many = (told(watch(Models(A)), rows, every=every) for every in (1, 860))
    assert [(f.started_at, f.last_at, f.ended_at, f.reason) for f in one] == [
        (f.started_at, f.last_at, f.ended_at, f.reason) for f in many
    ]
    assert [f.ended_at is not None for f in one] == [False, True]
    assert one[0].last_at == START + (100 + TEN_MINUTES - 1) * SECOND


@pytest.mark.parametrize("what", ["short", "no readings", "no speed", "known"])
def test_what_is_short_or_for_want_of_readings_is_not_said(what: str) -> None:
    model = TWO_SPEEDS() if what != "short" else A
    rows = unseen(200, 500 if what == "short" else 1_500, 100, 2900.0 if what == "known" else 700.0)
    if what == "no readings":
        rows[200:1_700] = np.nan
    elif what == "no speed":
        rows[200:1_700, 0] = np.nan
    assert told(watch(Models(model)), rows) == []


def test_a_machine_that_stands_does_not_run_so() -> None:
    rows = unseen(200, 1_500, 100)
    rows[200:1_700, 0] = 0.0
    machines = watch(
        Models(A), SignalTable.of([replace(s, running_above=50.0 if s.kind == "speed" else None) for s in SIGNALS])
    )
    assert told(machines, rows) == []
    assert [f.anomaly_type for f in told(watch(Models(A)), rows)][:1] == [UNSEEN_REGIME]


def test_too_little_of_a_way_of_running_is_said_too() -> None:
    model = TWO_SPEEDS()
    slow = int(model.regimes.of(behaviour(1, 5))[0])
    partly = replace(model, ensembles=tuple(None if code == slow else e for code, e in enumerate(model.ensembles)))
    found = told(watch(Models(partly)), behaviour(1, 900))
    assert [f.anomaly_type for f in found] == [UNSEEN_REGIME]
    assert "too little was seen" in found[0].reason


def test_another_unit_of_the_speed_is_told_as_that_alone() -> None:
    rows = unseen(200, 900, 100, 1450.0)
    table = SignalTable.of([replace(s, unit="rpm") if s.kind == "speed" else s for s in SIGNALS])
    model = replace(A, units=("rpm", *A.units[1:]))
    rows[200:1_100, 0] /= 60.0
    found = told(watch(Models(model), table), rows)
    assert {f.anomaly_type for f in found} == {"model_unit_changed"}


def test_it_goes_on_over_a_restart_and_of_two_the_older_ends() -> None:
    rows = unseen(200, 1_400, 400)
    (standing,) = told(watch(Models(A)), rows[:1_200])
    older = replace(standing, started_at=standing.started_at - SECOND)
    again = watch(Models(A))
    again.resume([standing, older])
    assert [(f.started_at, f.ended_at) for f in again.ended()] == [(older.started_at, older.last_at)]
    (ended,) = told(again, rows, 1_200)
    assert ended.started_at == standing.started_at
    assert ended.ended_at is not None


def test_it_ends_with_its_model_and_where_a_gateway_takes_over() -> None:
    rows = unseen(200, 1_400, 0)
    source = Models(A)
    machines = watch(source)
    told(machines, rows[:1_000])
    source.change()
    (ended,) = told(machines, rows[:1_050], 1_000)
    assert ended.ended_at is not None
    machines = watch(Models(A))
    told(machines, rows[:1_000])
    (ended,) = machines.let_go(np.ones(TABLE.size, np.bool_))
    assert (ended.anomaly_type, ended.ended_at) == (UNSEEN_REGIME, ended.last_at)
