"""What is counted of models that are tried, and that nothing of it disturbs anybody."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from forewarn.domain.model_delivery import Side, Tally
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.signal_table import SignalTable
from forewarn.learning.machine_model import MachineModel
from forewarn.learning.model_trials import ModelTrials, TrialModels, TrialSide
from forewarn.plugins.trained_detectors.robust_z import RobustZ
from tests.trained import DETECTORS, SECOND, healthy, learned, nervous, signals_of

TABLE = SignalTable.of(signals_of("m1"))
CHAMPION, GOOD, NERVOUS = learned("m1"), learned("m1", 1), nervous(learned("m1", 1), 0.4)


class Source:
    def __init__(self) -> None:
        self.revision, self._trials = 0, ()

    def set(self, *trials: TrialModels) -> None:
        self.revision, self._trials = self.revision + 1, trials

    def trials(self) -> tuple[TrialModels, ...]:
        return self._trials


def side(model: MachineModel, version: str, *refused: str) -> TrialSide:
    return TrialSide((replace(model, version=version),), frozenset(refused))


def trial(challenger: TrialSide, champion: TrialSide | None = None, since: int = 5) -> TrialModels:
    sides = {Side.CHALLENGER: challenger, Side.CHAMPION: champion or side(CHAMPION, "old")}
    return TrialModels("roll", since, sides)


def rows(first: int, last: int) -> ReadingBatch:
    values = healthy(last, 101)[first:]
    n = len(values)
    time = np.tile(1_700_000_000 * SECOND + np.arange(first, last) * SECOND, 3)
    signal = np.repeat(np.arange(1, 4, dtype=np.int32), n)
    return ReadingBatch(signal, time, values.T.ravel().copy(), np.zeros(3 * n, np.uint32), "", 0)


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def trials(source: Source) -> ModelTrials:
    made = ModelTrials(source, DETECTORS, lambda: 77)
    made.configure(TABLE)
    return made


def counted(trials: ModelTrials) -> dict[Side, Tally]:
    return {tally.side: tally for tally in trials.tallies()}


def test_both_sides_are_counted_on_the_same_rows(source: Source, trials: ModelTrials) -> None:
    source.set(trial(side(NERVOUS, "new")))
    for first in range(0, 1000, 100):
        trials.score(rows(first, first + 100))
    new, old = counted(trials)[Side.CHALLENGER], counted(trials)[Side.CHAMPION]
    assert (new.rollout_id, new.since, new.run) == ("roll", 5, 77)
    assert new.rows == old.rows >= 990
    assert new.opinions == old.opinions == new.asset_s > 900
    assert new.alarms > 2
    assert old.alarms == 0
    assert new.calls == old.calls == sum(new.latency) == 10
    assert new.errors == old.errors == 0


def test_what_was_counted_in_one_state_is_not_taken_into_the_next(source: Source, trials: ModelTrials) -> None:
    source.set(trial(side(GOOD, "new")))
    trials.score(rows(0, 300))
    source.set(trial(side(GOOD, "new"), since=9))
    trials.score(rows(300, 400))
    assert {t.since for t in trials.tallies()} == {9}
    assert counted(trials)[Side.CHALLENGER].rows <= 100
    source.set()
    trials.score(rows(400, 500))
    assert trials.tallies() == []


def test_counts_go_on_when_a_machine_joins(source: Source, trials: ModelTrials) -> None:
    source.set(TrialModels("roll", 5, {Side.CHALLENGER: TrialSide((), frozenset({"bad"}))}))
    trials.score(rows(0, 100))
    trials.score(rows(100, 200))
    first = counted(trials)[Side.CHALLENGER]
    assert (first.calls, first.errors, first.rows) == (1, 1, 0)  # one model that cannot be used is one call that failed
    source.set(TrialModels("roll", 5, {Side.CHALLENGER: side(GOOD, "new", "bad")}))
    trials.score(rows(200, 300))
    later = counted(trials)[Side.CHALLENGER]
    assert (later.calls, later.errors, later.run) == (2, 1, 77)
    assert later.rows > 90


class Fails:
    """A detector whose scorer fails after some calls."""

    name = "pca"
    context = 0

    def prepare(self, models: object) -> "Fails":
        return self

    def score(self, blocks: object, models: object) -> object:
        raise ArithmeticError("no")

    explain = score

    def parameters(self) -> object:
        return DETECTORS["pca"].parameters()


def test_a_model_that_fails_is_counted_and_disturbs_nobody(source: Source) -> None:
    trials = ModelTrials(source, {**DETECTORS, "pca": Fails()}, lambda: 0)  # type: ignore[dict-item]
    trials.configure(TABLE)
    source.set(trial(side(GOOD, "new")))
    for first in range(0, 400, 100):
        trials.score(rows(first, first + 100))
    new = counted(trials)[Side.CHALLENGER]
    assert new.errors == new.calls == 4


def test_nobody_is_told_of_one_side_before_the_other(source: Source) -> None:
    seen: list[dict[Side, int]] = []

    class Looks(RobustZ):
        """A heartbeat goes out while it scores."""

        def prepare(self, models: Any) -> Any:
            scorer = super().prepare(models)

            def score(*given: Any) -> Any:
                seen.append({tally.side: tally.rows for tally in trials.tallies()})
                return scorer.score(*given)

            return SimpleNamespace(score=score, explain=scorer.explain)

    trials = ModelTrials(source, {**DETECTORS, "robust_z": Looks()}, lambda: 0)
    trials.configure(TABLE)
    source.set(trial(side(GOOD, "new")))
    for first in range(0, 400, 100):
        trials.score(rows(first, first + 100))
    assert len(seen) >= 8
    assert all(len(set(told.values())) <= 1 for told in seen)
    assert max(max(told.values(), default=0) for told in seen) > 100
