"""What one machine is learned from, and learning it: a function of its argument alone, for any process."""

import hashlib
import json
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import msgspec
import numpy as np

from forewarn import __version__
from forewarn.contracts.shared_detector import SharedDetector
from forewarn.contracts.trained_detector import Matrix, TrainedDetector
from forewarn.domain.assets import Signal
from forewarn.domain.errors import ForewarnError, NotEnoughData
from forewarn.domain.model_versions import ModelCard, SharedLearning, Span, TrainingCost
from forewarn.jobs.training.healthy_past import hours_seen
from forewarn.jobs.training.held_back import Figures, figures
from forewarn.kit.clock import DAY
from forewarn.kit.peak_memory import peak_bytes
from forewarn.learning.machine_artifact import packed, unpacked
from forewarn.learning.machine_model import MachineModel, MachineSettings, learn_machine
from forewarn.learning.shared_part import Calibrated, SharedPart

PLAIN: Final = "robust_z"  # what a signal alone says: the baseline where there is no champion


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """days: of the past that is looked at. most_rows: of the grid. margin_s: before and after what was disturbed,
    which is left out too. least_s: shorter healthy spans are none. stretch_rows: looked at in a row. held_back: of so
    many stretches one is not learned from."""

    days: float = 14.0
    most_rows: int = 20_000
    margin_s: float = 3_600.0
    least_s: float = 900.0
    stretch_rows: int = 600
    held_back: int = 8
    seed: int = 0
    machine: MachineSettings = field(default_factory=MachineSettings)

    @property
    def most_stretches(self) -> int:
        return max(self.most_rows // self.stretch_rows, 1)


@dataclass(frozen=True, slots=True, eq=False)
class Champion:
    """The payload of the artifact that acts on a machine now."""

    version: str
    payload: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Shared:
    """parts: by detector, what was learned of the machine's template."""

    parts: Mapping[str, SharedPart]
    learning: SharedLearning


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """Everything that is learned from. healthy, held_back: float64[n, len(signals)]. read_s: it took to read them.
    shared: None: the machine is learned alone."""

    asset_id: str
    template: str
    signals: tuple[Signal, ...]
    step_us: int
    spans: tuple[Span, ...]
    healthy: Matrix
    held_back: Matrix
    settings: TrainingSettings
    champion: Champion | None = None
    notes: tuple[str, ...] = ()
    read_s: float = 0.0
    shared: Shared | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """payload: of an artifact, what `unpacked` takes; detectors: names of its members."""

    asset_id: str
    template: str
    detectors: tuple[str, ...]
    payload: bytes
    card: ModelCard


def learn(lesson: Lesson, detectors: Mapping[str, TrainedDetector]) -> Learned:
    """The same lesson gives the same payload. Raises NotEnoughData."""
    model, card = learn_card(lesson, detectors)
    return Learned(lesson.asset_id, lesson.template, model.members, packed(model), card)


def learn_card(lesson: Lesson, detectors: Mapping[str, TrainedDetector]) -> tuple[MachineModel, ModelCard]:
    """Raises NotEnoughData."""
    begun, spent = time.perf_counter(), time.process_time()
    model = _learned(lesson, calibrated(detectors, lesson.shared))
    judged = _judged(model, lesson, detectors)
    baseline, baseline_of = _baseline(lesson, detectors)
    notes = [*lesson.notes, *_notes(lesson, judged, baseline_of)]
    card = ModelCard(
        trained=lesson.spans,
        rows=rows_of(lesson.healthy),
        signals=model.signals,
        metrics=judged.metrics,
        baseline=baseline.metrics,
        baseline_of=baseline_of,
        settings=told_settings(lesson.settings, {name: detectors[name] for name in model.members}),
        seed=lesson.settings.seed,
        software=f"forewarn {__version__}, numpy {np.__version__}, Python {platform.python_version()}",
        config_hash=config_hash(lesson),
        notes=tuple(notes),
        left_out=dict(model.left_out),
        regimes=tuple(0 if e is None else e.rows for e in model.ensembles),
        shifts=judged.shifts,
        baseline_shifts=baseline.shifts,
        shared=None if lesson.shared is None else lesson.shared.learning,
    )
    seconds = round(lesson.read_s + time.perf_counter() - begun, 3)
    return model, replace(card, cost=TrainingCost(seconds, round(time.process_time() - spent, 3), peak_bytes()))


def calibrated(detectors: Mapping[str, TrainedDetector], shared: Shared | None) -> Mapping[str, TrainedDetector]:
    """Those with a shared part have only to be calibrated."""
    if shared is None:
        return detectors
    return {
        name: Calibrated(detector, part.whole, part.without)
        if (part := shared.parts.get(name)) is not None and isinstance(detector, SharedDetector)
        else detector
        for name, detector in detectors.items()
    }


def _learned(lesson: Lesson, detectors: Mapping[str, TrainedDetector]) -> MachineModel:
    s = lesson.settings
    return learn_machine(lesson.asset_id, lesson.healthy, lesson.signals, lesson.step_us, detectors, s.machine, s.seed)


def _judged(model: MachineModel, lesson: Lesson, detectors: Mapping[str, TrainedDetector]) -> Figures:
    columns = [signal.id for signal in lesson.signals]
    machine = lesson.settings.machine
    return figures(model, lesson.held_back, columns, detectors, machine.ensemble.budget, machine.regimes)


def _baseline(lesson: Lesson, detectors: Mapping[str, TrainedDetector]) -> tuple[Figures, str]:
    """The champion's where it knows these signals and can be read; else of each signal by itself."""
    nothing = Figures({}, {})
    if lesson.champion is not None:
        try:
            champion = unpacked(lesson.champion.payload, lesson.champion.version)
            if set(champion.signals) <= {s.id for s in lesson.signals}:
                return _judged(champion, lesson, detectors), f"the champion {lesson.champion.version[:12]}"
        except ForewarnError:
            pass  # a champion that cannot be read speaks for nothing
    if PLAIN not in detectors:
        return nothing, ""
    try:
        plain = {PLAIN: detectors[PLAIN]}
        return _judged(_learned(lesson, plain), lesson, plain), "each signal by itself (robust z)"
    except NotEnoughData:
        return nothing, ""


def _notes(lesson: Lesson, judged: Figures, baseline_of: str) -> list[str]:
    notes = []
    if not judged.metrics.get("held_back_rows"):
        notes.append("Too little to hold rows back: its figures are of cross-fits, which are kinder.")
    if hours_seen(lesson.spans) < DAY:
        notes.append("It has not seen a whole day: expect false alarms until it is learned anew.")
    unseen = [signal for signal, shift in judged.shifts.items() if shift is None]
    if unseen:
        notes.append(f"No lasting shift of {', '.join(unseen)} alone is found in nine of ten rows.")
    if lesson.champion is not None and baseline_of.startswith("the champion"):
        notes.append("The champion may have learned from the rows held back here, which flatters it.")
    return notes


def config_hash(lesson: Lesson) -> str:
    """Of what the plant file says of the machine and its signals, as far as learning depends on it."""
    told = [lesson.template, lesson.step_us]
    told += [[s.id, s.kind, s.unit, s.rate_hz, s.running_above] for s in lesson.signals]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


def told_settings(settings: TrainingSettings, detectors: Mapping[str, TrainedDetector]) -> dict[str, Any]:
    """As JSON values."""
    parameters = {name: dict(detector.parameters()) for name, detector in detectors.items()}
    built: dict[str, Any] = msgspec.to_builtins({"training": settings, "detectors": parameters})
    return built


def rows_of(rows: Matrix) -> int:
    return int(np.count_nonzero(np.isfinite(rows).any(axis=1)))
