"""Thresholds that were moved elsewhere: used at once, without a window that begins anew."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forewarn.domain.errors import InvalidInput
from forewarn.domain.model_delivery import Side
from forewarn.domain.signal_table import SignalTable
from forewarn.learning.machine_watch import MachineWatch
from forewarn.learning.model_trials import ModelTrials, TrialModels
from forewarn.learning.moved_models import MovedModels, all_moved, thresholds_of, with_thresholds
from tests.learning.test_fleet import DETECTORS, MODELS, START, TABLE, behaviour, learned, readings
from tests.learning.test_machine_watch import Models
from tests.learning.test_model_trials import Source, rows, side, trial
from tests.trained import DETECTORS as THREE
from tests.trained import SECOND, signals_of
from tests.trained import learned as learned_of_three

MODEL = replace(MODELS[0], version="5a")
TWO_SPEEDS = replace(learned((1450.0, 2900.0))[0], version="77")


def last(first: int, end: int) -> dict[str, np.ndarray]:
    return {"a": behaviour(900, end)[first:]}


@given(st.lists(st.none() | st.floats(0.001, 1_000), min_size=2, max_size=2))
def test_what_is_told_of_a_model_makes_it_there_what_it_is_here(told: list[float | None]) -> None:
    moved = with_thresholds(TWO_SPEEDS, tuple(told))
    assert with_thresholds(TWO_SPEEDS, thresholds_of(moved, TWO_SPEEDS) or (None, None)).ensembles[0] is not None
    for after, before, threshold in zip(moved.ensembles, TWO_SPEEDS.ensembles, told, strict=True):
        assert after is not None
        assert before is not None
        assert after.threshold == (before.threshold if threshold is None else threshold)
    assert thresholds_of(TWO_SPEEDS, TWO_SPEEDS) is None


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ((1.5,), "1 thresholds were told for its 2 regimes"),
        ((1.5, 0.0), "regime 1 is 0"),
        ((float("nan"), None), "regime 0 is nan"),
        ((None, 1e30), "regime 1 is 1e"),
    ],
)
def test_what_is_no_threshold_is_refused_by_name(told: tuple[float | None, ...], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        with_thresholds(TWO_SPEEDS, told)
    now, refused = all_moved({"77": TWO_SPEEDS, "5a": MODEL}, {"77": told, "5a": (2.5,)}, MovedModels())
    assert now["77"] is TWO_SPEEDS
    assert list(refused) == ["77"]
    assert said in refused["77"]
    ensemble = now["5a"].ensembles[0]
    assert ensemble is not None
    assert ensemble.threshold == 2.5


def test_it_is_the_same_model_for_as_long_as_nothing_changes() -> None:
    known = MovedModels()
    first = known.of(MODEL, (2.5,))
    assert known.of(MODEL, (2.5,)) is first
    assert known.of(MODEL, None) is MODEL
    assert known.of(MODEL, (2.75,)) is not first
    assert known.of(replace(MODEL), (2.75,)) is not known.of(MODEL, (2.75,))


def test_a_moved_threshold_silences_no_window_and_ends_no_finding() -> None:
    source = Models(MODEL)
    watch = MachineWatch(source, DETECTORS)
    watch.configure(TABLE)
    batch = readings(last(0, 600))
    second = (batch.time - START) // SECOND
    found = watch.score(batch.take(np.flatnonzero(second < 400)))
    before = watch.seen
    source.change(with_thresholds(MODEL, (0.01,)))
    found = watch.score(batch.take(np.flatnonzero((second >= 400) & (second < 500))))
    assert watch.seen.opinions - before.opinions == watch.seen.rows - before.rows == 100
    (finding,) = {f.started_at: f for f in found}.values()
    assert finding.evidence is not None
    assert finding.evidence.threshold == 0.01
    source.change(MODEL)
    found = watch.score(batch.take(np.flatnonzero(second >= 500)))
    assert {(f.started_at, f.ended_at is not None) for f in found[-1:]} == {(finding.started_at, True)}


def test_a_trial_goes_on_with_the_moved_threshold_and_its_counts() -> None:
    source = Source()
    trials = ModelTrials(source, THREE, lambda: 7)
    trials.configure(SignalTable.of(signals_of("m1")))
    new = side(learned_of_three("m1", 1), "new")
    source.set(trial(new))
    trials.score(rows(0, 400))
    calm = {t.side: t for t in trials.tallies()}
    assert calm[Side.CHALLENGER].alarms == 0
    moved = replace(new, models=(with_thresholds(new.models[0], (0.01,)),))
    source.set(TrialModels("roll", 5, trial(moved).sides))
    trials.score(rows(400, 500))
    after = {t.side: t for t in trials.tallies()}
    assert after[Side.CHALLENGER].alarms > 0
    assert after[Side.CHAMPION].alarms == 0
    assert all(after[s].opinions - calm[s].opinions == after[s].rows - calm[s].rows == 100 for s in Side)
