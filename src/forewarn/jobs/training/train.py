"""One machine's model from its stored past."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from forewarn.contracts.anomaly_store import AnomalyStore
from forewarn.contracts.historian_reads import HistorianReads
from forewarn.contracts.plant_view import PlantView
from forewarn.contracts.raw_ring import Recollection
from forewarn.contracts.trained_detector import Matrix, TrainedDetector
from forewarn.domain.assets import Signal
from forewarn.domain.errors import NotEnoughData, NotFound
from forewarn.domain.model_versions import ModelCard, Span
from forewarn.jobs.training.healthy_past import disturbing, length, read_spans, told, without
from forewarn.jobs.training.lesson import Champion, Learned, Lesson, TrainingSettings, learn, learn_card
from forewarn.jobs.training.past_rows import joined, past_rows, step_of
from forewarn.jobs.training.template import Form, form_of
from forewarn.jobs.training.whole_past import LEAST_ROWS, Sender, Senders, whole_past
from forewarn.kit.clock import DAY, SECOND
from forewarn.learning.machine_model import MachineModel


class Past(Recollection, HistorianReads, Protocol):
    """The reading half of a historian."""


def _no_senders(signals: Sequence[str]) -> Sequence[Sender]:
    return ()


def _no_champion(asset_id: str) -> Champion | None:
    return None


class Trainer:
    """Reads what is learned from and learns it; keeps nothing. Thread-safe as its parts are."""

    def __init__(
        self,
        past: Past,
        plant: PlantView,
        anomalies: AnomalyStore,
        detectors: Mapping[str, TrainedDetector],
        clock: Callable[[], int],
        settings: TrainingSettings | None = None,
        champion: Callable[[str], Champion | None] = _no_champion,
        senders: Senders = _no_senders,
    ) -> None:
        """clock: microseconds UTC, where the past ends. champion: of an asset, what a new model is measured against.
        senders: gateways that collect signals; what they thin is learned from in whole stretches."""
        self._past, self._plant, self._anomalies, self.detectors = past, plant, anomalies, detectors
        self._clock, self.settings, self._champion = clock, settings or TrainingSettings(), champion
        self._senders = senders

    def learn(self, asset_id: str, end: int | None = None) -> tuple[MachineModel, ModelCard]:
        """end: of the past that is looked at, microseconds UTC; None: now. Raises NotFound, NotEnoughData (what there
        is and how much is needed), StorageFailed."""
        return learn_card(self.lesson(asset_id, end), self.detectors)

    def learned(self, asset_id: str, end: int | None = None) -> Learned:
        return learn(self.lesson(asset_id, end), self.detectors)

    def lesson(self, asset_id: str, end: int | None = None, settings: TrainingSettings | None = None) -> Lesson:
        """What `asset_id` is learned from. Errors as of `learn`."""
        s, end = settings or self.settings, self._clock() if end is None else end
        begun = time.perf_counter()
        signals = self._signals(asset_id)
        step_us = step_of(signals)
        start = end - round(s.days * DAY)
        keys = np.array(sorted(x.key for x in signals), np.int32)
        read = read_spans(self._past, keys, start, end)
        faults = disturbing(self._anomalies, asset_id, start, end)
        healthy = without(read, faults, end, round(s.margin_s * SECOND), round(s.least_s * SECOND))
        what = told(read, healthy, faults, end)
        if length(healthy) < LEAST_ROWS * step_us:
            least = LEAST_ROWS * step_us / SECOND / 60
            raise NotEnoughData(
                f"the last {s.days:g} days hold {what}; {least:.0f} minutes of health are the least. Mark findings "
                "wrong that were no fault, or look at more days"
            )
        senders = self._senders([x.id for x in signals])
        context = max((d.context for d in self.detectors.values()), default=0)
        whole = whole_past(senders, self._past, asset_id, healthy, Span(start, end), signals, step_us, context, s)
        s, past = whole.settings, whole.past
        rows = [past_rows(past, signals, step_us, [part]) for part in whole.parts]
        kept, back = _parted(rows, s.held_back, len(signals))
        return Lesson(
            asset_id,
            self._plant.assets[asset_id].template,
            signals,
            step_us,
            healthy,
            kept,
            back,
            at_pace(s, step_us),
            self._champion(asset_id),
            tuple(note for note in (f"The last {s.days:g} days hold {what}.", whole.note) if note),
            time.perf_counter() - begun,
        )

    def form(self, asset_id: str) -> Form | None:
        """Machines of one form may share what is learned of them; None: it is learned alone."""
        asset = self._plant.assets.get(asset_id)
        signals = tuple(signal for signal in self._plant.signals_of(asset_id) if signal.key > 0)
        return None if asset is None else form_of(asset.template, signals)

    def _signals(self, asset_id: str) -> tuple[Signal, ...]:
        if asset_id not in self._plant.assets:
            raise NotFound(f"there is no asset {asset_id!r}")
        signals = tuple(signal for signal in self._plant.signals_of(asset_id) if signal.key > 0)
        if not signals:
            raise NotEnoughData(f"{asset_id} has no signals: describe them in the plant file")
        return signals


def at_pace(settings: TrainingSettings, step_us: int) -> TrainingSettings:
    """The budget counts rows of that step."""
    machine = settings.machine
    budget = replace(machine.ensemble.budget, row_s=step_us / SECOND)
    return replace(settings, machine=replace(machine, ensemble=replace(machine.ensemble, budget=budget)))


def _parted(parts: Sequence[Matrix], every: int, width: int) -> tuple[Matrix, Matrix]:
    """Of stretches of rows: what is learned from, and every so many-th that has readings, which is not."""
    seen = [part for part in parts if np.isfinite(part).any()]
    back = range(every // 2, len(seen), every)
    kept = [part for i, part in enumerate(seen) if i not in back]
    return joined(kept, width), joined([seen[i] for i in back], width)
