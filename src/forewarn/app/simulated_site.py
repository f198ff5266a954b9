"""The simulated plant behind the site's own score and judge stages, faster than time: what alarms would have come,
when."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.contracts.alarm_store import Alarm, AlarmKey, Transition
from forewarn.contracts.detector import Detector
from forewarn.contracts.stage import Carriage
from forewarn.contracts.trained_detector import TrainedDetector
from forewarn.domain.alarms import AlarmEvent, AlarmRule, AlarmState, AlarmStatus, Priority
from forewarn.domain.assets import Asset, Plant, Signal
from forewarn.domain.errors import NotEnoughData
from forewarn.domain.findings import BY_MODEL, ENSEMBLE, Finding
from forewarn.domain.model_versions import Span
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.signal_table import SignalTable
from forewarn.kit.clock import DAY, HOUR, SECOND
from forewarn.learning.machine_model import MachineModel, learn_machine
from forewarn.learning.machine_watch import MachineWatch
from forewarn.learning.model_source import Refusal
from forewarn.pipeline.judge import JudgeStage
from forewarn.pipeline.score import ScoreStage
from forewarn.policies.healthy_spans import healthy_spans
from forewarn.policies.plant_file import parse_plant
from forewarn.policies.rules import default_rules
from forewarn.simulator.demo_plant import demo_machines
from forewarn.simulator.episodes import Episode
from forewarn.simulator.fault_plan import plan_episodes
from forewarn.simulator.plant import SimulatedPlant
from forewarn.simulator.plant_toml import demo_plant_toml

_BATCH_US: Final = 900 * SECOND
_END_US: Final = 1_767_225_600 * SECOND  # 2026-01-01: every run is of the same days
_LEARN_FROM_US: Final = 28 * DAY
_LEARN_EVERY_US: Final = 7 * DAY
_MARGIN_US: Final = HOUR
Tick = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Stretch:
    """first_days: without an injected fault, learned from; then `days` with faults. Readings every `step_s` seconds."""

    first_days: int = 14
    days: int = 60
    step_s: int = 30
    seed: int = 1


@dataclass(frozen=True, eq=False)
class LivedPlant:
    """time: int64[n]; value: float64[n, k], quality: uint32[n, k]; a column a signal, keys from 1 on. since: when
    faults may begin, end: of all, microseconds."""

    time: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint32]
    signals: tuple[Signal, ...]
    plant: Plant
    episodes: tuple[Episode, ...]
    since: int
    end: int

    @cached_property
    def columns(self) -> dict[str, list[int]]:
        """Of each machine."""
        columns: dict[str, list[int]] = defaultdict(list)
        for column, signal in enumerate(self.signals):
            columns[signal.asset_id].append(column)
        return dict(columns)


def live(stretch: Stretch) -> LivedPlant:
    """The whole stretch in memory: about a kilobyte a step."""
    start = _END_US - (stretch.first_days + stretch.days) * DAY
    since = start + stretch.first_days * DAY
    machines, step_us = demo_machines(), stretch.step_s * SECOND
    plant = SimulatedPlant(machines, stretch.seed, start)
    plant.warm_up()
    plant.episodes += plan_episodes(machines, stretch.seed, since, _END_US)
    blocks = list(plant.run((_END_US - start) // step_us, step_us))
    text = demo_plant_toml("opc.tcp://127.0.0.1:4840/forewarn", "127.0.0.1", 5020, "127.0.0.1", 1883)
    file = parse_plant(text, "demo.toml")
    named = {signal.id: signal for signal in file.signals}
    rate_hz = 1.0 / stretch.step_s
    signals = tuple(replace(named[s], key=key, rate_hz=rate_hz) for key, s in enumerate(plant.signal_ids, 1))
    return LivedPlant(
        np.concatenate([block.time for block in blocks]),
        np.concatenate([block.value for block in blocks]),
        np.concatenate([block.quality for block in blocks]),
        signals,
        replace(file, signals=signals),
        tuple(e for e in (*plant.finished, *plant.episodes) if e.started_at < _END_US),
        since,
        _END_US,
    )


def without_readings(lived: LivedPlant) -> LivedPlant:
    """What happened, for the scorer: the readings are large."""
    none = np.zeros((0, 0))
    return replace(lived, time=np.zeros(0, np.int64), value=none, quality=none.astype(np.uint32))


@dataclass
class _Findings:
    """The anomaly store of a run, in memory. first: as each was told for the first time."""

    all: dict[tuple[int, str, int], Finding] = field(default_factory=dict)
    first: dict[tuple[int, str, int], Finding] = field(default_factory=dict)

    def upsert(self, findings: Sequence[Finding]) -> None:
        told = {(f.signal_key, f.detector, f.started_at): f for f in findings}
        self.all |= told
        self.first = told | self.first

    def open_episodes(self) -> Sequence[Finding]:
        return ()


class _Alarms:
    """The alarm store of a run, in memory."""

    def __init__(self, rules: Sequence[AlarmRule]) -> None:
        self._standing = {(r.asset_id, r.rule_id): Alarm(f"{r.asset_id}/{r.rule_id}", r, AlarmStatus()) for r in rules}
        self.events: list[AlarmEvent] = []

    def rules(self) -> Sequence[Alarm]:
        return list(self._standing.values())

    def change_all(
        self, changes: Sequence[tuple[AlarmKey, Transition]], stage: str, offset: int
    ) -> Sequence[tuple[Alarm, Sequence[AlarmEvent]]]:
        told = []
        for key, transition in changes:
            if key in self._standing:
                before = self._standing[key]
                status, events = transition(before.rule, before.status)
                self._standing[key] = replace(before, status=status)
                self.events += events
                told.append((self._standing[key], events))
        return told

    def find(
        self, states: Sequence[AlarmState] | None, asset_id: str | None, priorities: Sequence[Priority] | None
    ) -> Sequence[Alarm]:
        return ()


@dataclass
class _View:
    """The plant, which does not change."""

    table: SignalTable
    assets: Mapping[str, Asset]
    revision: int = 1


@dataclass
class _Models:
    """The ModelSource of a run."""

    now: Sequence[MachineModel] = ()
    revision: int = 0

    def models(self) -> Sequence[MachineModel]:
        return self.now

    def refused(self) -> Mapping[str, Refusal]:
        return {}


class SimulatedSite:
    """One run over what was lived. trained: the detectors of each machine's own model, learned anew every week from
    what this site itself found healthy in four weeks; empty = no models."""

    def __init__(
        self, lived: LivedPlant, detectors: Sequence[Detector], trained: Mapping[str, TrainedDetector]
    ) -> None:
        self._lived, self._trained = lived, trained
        assets = {asset.id: asset for asset in lived.plant.assets}
        view = _View(SignalTable.of(lived.signals, assets), assets)
        self._findings, self._alarms = _Findings(), _Alarms(default_rules(lived.plant))
        self._models, self._now = _Models(), lived.since
        self._step_us = int(lived.time[1] - lived.time[0])
        watch = MachineWatch(self._models, trained) if trained else None
        self._score = ScoreStage(detectors, self._findings, view, machines=watch)  # type: ignore[arg-type]
        self._judge = JudgeStage(self._alarms, view, lambda: self._now)  # type: ignore[arg-type]

    def run(self, tick: Tick) -> list[AlarmEvent]:
        """Every alarm event, oldest first. tick: told the share done."""
        learn_at, span = self._lived.since, self._lived.end - self._lived.since
        for number, batch in enumerate(self._batches(), 1):
            self._now = int(batch.time.max())
            if self._trained and self._now >= learn_at:
                self._models.now, self._models.revision = self._learned(learn_at), number
                learn_at += _LEARN_EVERY_US
            self._judge.handle(self._score.handle(Carriage(number, number, [(number, batch)], batch)))
            self._judge.tick(self._now)
            tick((self._now - self._lived.since) / span)
        return self._alarms.events

    def explained(self) -> list[tuple[Finding, Finding]]:
        """What the machines' models found: as first told, and as it stood in the end, with the evidence of its worst
        row; oldest first."""
        own = sorted(key for key, found in self._findings.all.items() if found.detector == ENSEMBLE)
        told = [(self._findings.first[key], self._findings.all[key]) for key in own]
        return sorted(told, key=lambda pair: pair[1].started_at)

    def _batches(self) -> Iterator[ReadingBatch]:
        lived, keys = self._lived, np.array([s.key for s in self._lived.signals], np.int32)
        first = int(np.searchsorted(lived.time, lived.since, side="right"))
        rows = max(_BATCH_US // self._step_us, 1)
        for at in range(first, len(lived.time), rows):
            part = slice(at, at + rows)
            n = len(lived.time[part])
            yield ReadingBatch(
                np.repeat(keys, n),
                np.tile(lived.time[part], len(keys)),
                lived.value[part].T.ravel(),
                lived.quality[part].T.ravel(),
                "simulated",
                at,
            )

    def _learned(self, now: int) -> list[MachineModel]:
        lived, begin = self._lived, max(now - _LEARN_FROM_US, int(self._lived.time[0]))
        part = slice(*np.searchsorted(lived.time, (begin, now)))
        time, models = lived.time[part], []
        for asset_id, columns in lived.columns.items():
            # What a model says of itself is no word on the machine.
            own = [f for f in self._findings.all.values() if f.asset_id == asset_id]
            found = [f for f in own if f.detector != BY_MODEL]
            disturbed = [Span(f.started_at, f.ended_at or f.last_at) for f in found]
            rows = np.where(lived.quality[part][:, columns] == 0, lived.value[part][:, columns], np.nan)
            keep = np.zeros(len(time), np.bool_)
            for span in healthy_spans(begin, now, disturbed, _MARGIN_US, HOUR):
                keep[slice(*np.searchsorted(time, (span.start, span.end)))] = True
            rows[~keep] = np.nan
            signals = [lived.signals[c] for c in columns]
            try:
                models.append(learn_machine(asset_id, rows, signals, self._step_us, self._trained))
            except NotEnoughData:
                models += [model for model in self._models.now if model.asset_id == asset_id]
        return models
