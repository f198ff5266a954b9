"""Models that are tried: scored beside those that act, counted, heard by nobody."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from forewarn.contracts.trained_detector import TrainedDetector
from forewarn.domain.findings import ENSEMBLE
from forewarn.domain.model_delivery import LATENCY_CLASSES, Side, Tally, Trial
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.signal_table import SignalTable
from forewarn.learning.machine_model import MachineModel
from forewarn.learning.machine_watch import MachineWatch
from forewarn.learning.model_source import Refusal
from forewarn.policies.model_delivery import latency_class

_log = structlog.get_logger(__name__)
_MOST_EPISODES = 10_000


@dataclass(frozen=True, slots=True)
class TrialSide:
    """refused: versions that were to be tried and cannot be used; each is a call that failed."""

    models: tuple[MachineModel, ...] = ()
    refused: frozenset[str] = frozenset()

    @property
    def versions(self) -> frozenset[str]:
        return frozenset(model.version for model in self.models)


@dataclass(frozen=True, slots=True)
class TrialModels:
    """Both sides of one rollout in one of its states, on the machines that are here."""

    rollout_id: str
    since: int
    sides: Mapping[Side, TrialSide] = field(default_factory=dict)


def tried(
    trials: Sequence[Trial], loaded: Mapping[str, MachineModel], refused: Collection[str]
) -> tuple[TrialModels, ...]:
    """loaded: models by version id; refused: those that cannot be used. A machine is watched where both sides are here:
    else the one would be seen on others than the other."""
    found = []
    for rollout_id, since in sorted({(t.rollout_id, t.since) for t in trials}):
        mine = [t for t in trials if (t.rollout_id, t.since) == (rollout_id, since)]
        whole = [t for t in mine if t.challenger in loaded and (t.champion is None or t.champion in loaded)]
        new = TrialSide(
            tuple(loaded[t.challenger] for t in whole), frozenset(t.challenger for t in mine if t.challenger in refused)
        )
        old = TrialSide(
            tuple(loaded[t.champion] for t in whole if t.champion is not None),
            frozenset(t.champion for t in mine if t.champion is not None and t.champion in refused),
        )
        found.append(TrialModels(rollout_id, since, {Side.CHALLENGER: new, Side.CHAMPION: old}))
    return tuple(found)


class TrialSource(Protocol):
    """Swapped as a whole."""

    @property
    def revision(self) -> int:
        """Cheap; asked for at every batch."""
        ...

    def trials(self) -> Sequence[TrialModels]: ...


class ModelTrials:
    """`score` and `configure` in one thread, `tallies` in any. Never raises: what fails is counted."""

    def __init__(self, source: TrialSource, detectors: Mapping[str, TrainedDetector], clock: Callable[[], int]) -> None:
        """clock: microseconds UTC."""
        self._source, self._detectors, self._clock = source, detectors, clock
        self._revision: int | None = None
        self._table = SignalTable.of(())
        self._sides: dict[tuple[str, int, Side], _Side] = {}
        self._tallies: list[Tally] = []

    @property
    def any(self) -> bool:
        """There may be something to score."""
        return bool(self._sides) or self._source.revision != self._revision

    def configure(self, table: SignalTable) -> None:
        self._table = table
        for side in self._sides.values():
            side.watch.configure(table)

    def score(self, readings: ReadingBatch) -> None:
        """readings: good ones, ordered by (signal, time)."""
        self._follow()
        for side in self._sides.values():
            side.score(readings)
        # Of all sides at once: one that has seen these rows beside one that has not would be judged for it.
        self._tallies = [side.tally for side in self._sides.values()]

    def tallies(self) -> list[Tally]:
        return list(self._tallies)

    def _follow(self) -> None:
        if self._source.revision == self._revision:
            return
        self._revision = self._source.revision
        sides: dict[tuple[str, int, Side], _Side] = {}
        for trial in self._source.trials():
            for name, wanted in trial.sides.items():
                key = trial.rollout_id, trial.since, name
                running = self._sides.get(key)
                if running is None:
                    first = Tally(trial.rollout_id, trial.since, name, self._clock())
                    running = _Side(first, self._detectors, self._table)
                running.use(wanted)
                sides[key] = running
        self._sides = sides


class _Fixed:
    """The ModelSource of one side."""

    def __init__(self) -> None:
        self.revision = 0
        self.side = TrialSide()

    def models(self) -> Sequence[MachineModel]:
        return self.side.models

    def refused(self) -> Mapping[str, Refusal]:
        return {}


class _Side:
    def __init__(self, first: Tally, detectors: Mapping[str, TrainedDetector], table: SignalTable) -> None:
        self._source = _Fixed()
        self.watch = MachineWatch(self._source, detectors)
        self.watch.configure(table)
        self.tally = first
        self._refused: set[str] = set()  # counted
        self._episodes: set[tuple[str, int]] = set()
        self._latency = [0] * (len(LATENCY_CLASSES) + 1)
        self._calls = self._errors = self._alarms = 0
        self._told = False

    def use(self, wanted: TrialSide) -> None:
        if wanted.models != self._source.side.models:
            self._source.revision += 1
        self._source.side = wanted
        new = wanted.refused - self._refused
        self._refused |= new
        self._calls, self._errors = self._calls + len(new), self._errors + len(new)
        self._count()

    def score(self, readings: ReadingBatch) -> None:
        if not self._source.side.models:
            return
        began = time.perf_counter()
        try:
            found = self.watch.score(readings)
        except Exception as error:
            if not self._told:
                _log.exception("trial_failed", rollout=self.tally.rollout_id, side=self.tally.side.value)
            self._told, failed, found = True, str(error) or "failed", []
        else:
            failed = next(iter(self.watch.failed.values()), "")
        self._latency[latency_class((time.perf_counter() - began) * 1e3)] += 1
        self._calls, self._errors = self._calls + 1, self._errors + bool(failed)
        new = {(f.asset_id, f.started_at) for f in found if f.detector == ENSEMBLE} - self._episodes
        self._alarms += len(new)
        if len(self._episodes) + len(new) > _MOST_EPISODES:
            self._episodes.clear()
        self._episodes |= new
        self._count()

    def _count(self) -> None:
        """As a whole: it is read by another thread."""
        seen, before = self.watch.seen, self.tally
        self.tally = Tally(
            before.rollout_id,
            before.since,
            before.side,
            before.run,
            asset_s=seen.judged_s,
            rows=seen.rows,
            opinions=seen.opinions,
            alarms=self._alarms,
            calls=self._calls,
            errors=self._errors,
            latency=tuple(self._latency) if any(self._latency) else (),
        )
