"""The first pass of a training job: what machines of one template share is learned once, before each is learned."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import structlog

from forewarn import __version__
from forewarn.contracts.shared_detector import SharedDetector
from forewarn.contracts.trained_detector import Parameters
from forewarn.domain.errors import ForewarnError, NotEnoughData, StorageDamaged, StorageFailed
from forewarn.domain.jobs import Job
from forewarn.domain.model_versions import SharedLearning
from forewarn.jobs.training.clusters import Call, Lost
from forewarn.jobs.training.kept_parts import KeptParts
from forewarn.jobs.training.lesson import Lesson, Shared, TrainingSettings, rows_of
from forewarn.jobs.training.template import Form, evenly, in_order
from forewarn.jobs.training.train import Trainer
from forewarn.jobs.training.workers import DIED, Workers, carried_out
from forewarn.learning.shared_part import FOLDS, SharedPart
from forewarn.learning.template_sample import PartName, machine_samples, part_names

_log = structlog.get_logger(__name__)
MOST_MACHINES: Final = 64  # a template is known by then
Samples = dict[PartName, list[Parameters]]


@dataclass(frozen=True, slots=True)
class Phase:
    """What a job does now. template: '' while each machine is learned; done, of: machines read, or parts learned."""

    template: str
    what: str
    done: int
    of: int

    @property
    def words(self) -> str:
        """For a person; '' while each machine is learned."""
        return f"{self.template}: {self.what}, {self.done} of {self.of}" if self.template else ""


@dataclass(frozen=True, slots=True, eq=False)
class _Sampled:
    """Of one machine."""

    samples: Samples
    spans: int
    rows: int


def never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class TemplatePass:
    """kept: None: nothing outlives the process."""

    trainer: Trainer
    workers: Workers
    kept: KeptParts | None
    told: Callable[[Phase], None]
    is_over: Callable[[], bool] = never

    def shared(self, job: Job, left: Sequence[str], end: int, settings: TrainingSettings) -> dict[str, Shared | str]:
        """By machine that is left to learn: what it shares, or why it is learned alone though there are others like
        it. Raises StorageFailed, ConfigurationError."""
        detectors = {n: d for n, d in self.trainer.detectors.items() if isinstance(d, SharedDetector)}
        found: dict[str, Shared | str] = {}
        for form, assets in self._alike([item.asset_id for item in job.items] if detectors else []).items():
            if self.is_over() or not set(assets) & set(left):
                continue
            template = _OneTemplate(self, job.id, form, evenly(assets, MOST_MACHINES), detectors, end, settings)
            try:
                shared = template.learned()
            except BrokenProcessPool:
                shared = DIED
            found |= dict.fromkeys(assets, shared)
        return found

    def _alike(self, assets: Sequence[str]) -> Mapping[Form, list[str]]:
        """Of two machines and more."""
        alike: dict[Form, list[str]] = {}
        for asset_id in assets:
            form = self.trainer.form(asset_id)
            if form is not None:
                alike.setdefault(form, []).append(asset_id)
        return {form: alike[form] for form in sorted(alike) if len(alike[form]) > 1}


@dataclass(frozen=True, slots=True)
class _OneTemplate:
    whole: TemplatePass
    job_id: str
    form: Form
    assets: Sequence[str]
    detectors: Mapping[str, SharedDetector]
    end: int
    settings: TrainingSettings
    failed: list[str] = field(default_factory=list)

    def learned(self) -> Shared | str:
        """Or why there is nothing to share."""
        names = part_names(self.detectors)
        parts = {name: part for name in names if (part := self._kept(name)) is not None}
        missing = [name for name in names if name not in parts]
        if missing:
            machines = self._sampled(missing)
            if len(machines) < 2:
                return "fewer than two of them have enough healthy data"
            parts |= self._learned(missing, machines, len(names))
            if len(parts) < len(names):
                return self.failed[0] if self.failed else "it was called off"
        shared = {
            name: SharedPart(
                parts[PartName(name)].part, tuple(parts[PartName(name, fold)].part for fold in range(FOLDS))
            )
            for name in self.detectors
        }
        first = parts[names[0]]
        seconds = round(sum(part.seconds for part in parts.values()), 1)
        told = SharedLearning(
            self.form.template, tuple(self.detectors), first.machines, first.spans, first.rows, seconds
        )
        return Shared(shared, told)

    def _sampled(self, wanted: Sequence[PartName]) -> list[_Sampled]:
        """What each machine brings that has enough."""
        detectors = {name.detector: self.detectors[name.detector] for name in wanted}
        share = 1.0 / len(self.assets)
        calls: Iterator[Call] = ((sampled, (in_order(lesson), detectors, wanted, share)) for lesson in self._lessons())
        found: list[_Sampled] = []
        for done, result in enumerate(carried_out(calls, self.whole.workers), 1):
            if self.whole.is_over():
                return []
            self._tell("machines read", done, len(self.assets))
            if isinstance(result, _Sampled):
                found.append(result)
        return found

    def _lessons(self) -> Iterator[Lesson]:
        for asset_id in self.assets:
            if self.whole.is_over():
                return
            try:
                yield self.whole.trainer.lesson(asset_id, self.end, self.settings)
            except ForewarnError as error:
                if isinstance(error, StorageFailed) and not isinstance(error, StorageDamaged):
                    raise
                continue  # the second pass says it of the machine
            except Exception:  # of which the second pass says it too
                _log.exception("past_not_read", asset=asset_id)

    def _learned(self, names: Sequence[PartName], machines: Sequence[_Sampled], of: int) -> dict[PartName, "_Part"]:
        """Each kept as it ends; of what is missing `failed` says why."""
        already = of - len(names)
        self._tell("networks", already, of)
        calls: Iterator[Call] = (
            (
                part_of,
                (
                    name,
                    self.detectors[name.detector],
                    [s for machine in machines for s in machine.samples[name]],
                    self.settings.seed,
                ),
            )
            for name in names
        )
        parts = {}
        for result in carried_out(calls, self.whole.workers):
            if self.whole.is_over():
                break
            if isinstance(result, Lost | str):
                self.failed.append(DIED if isinstance(result, Lost) else result)
                continue
            name, part, seconds = result
            parts[name] = _Part(
                part, len(machines), sum(m.spans for m in machines), sum(m.rows for m in machines), seconds
            )
            self._keep(name, parts[name])
            self._tell("networks", already + len(parts), of)
        return parts

    def _tell(self, what: str, done: int, of: int) -> None:
        self.whole.told(Phase(self.form.template, what, done, of))

    def _kept(self, name: PartName) -> "_Part | None":
        found = None if self.whole.kept is None else self.whole.kept.get(self.job_id, self._key(name))
        try:
            return None if found is None else msgspec.convert({**found[0], "part": found[1]}, _Part)
        except msgspec.ValidationError:
            return None

    def _keep(self, name: PartName, part: "_Part") -> None:
        if self.whole.kept is not None:
            about = {"machines": part.machines, "spans": part.spans, "rows": part.rows, "seconds": part.seconds}
            self.whole.kept.put(self.job_id, self._key(name), about, part.part)

    def _key(self, name: PartName) -> str:
        """Of all that the part depends on, but for the readings and what people say of findings."""
        told = msgspec.to_builtins(
            {
                "form": self.form,
                "assets": self.assets,
                "part": name,
                "detector": dict(self.detectors[name.detector].parameters()),
                "end": self.end,
                "settings": self.settings,
                "forewarn": __version__,
            }
        )
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """machines, spans, rows: what it was learned from; seconds: it took."""

    part: Any
    machines: int
    spans: int
    rows: int
    seconds: float


def sampled(
    lesson: Lesson, detectors: Mapping[str, SharedDetector], wanted: Sequence[PartName], share: float
) -> "_Sampled | None":
    """On a worker. None: too little."""
    s = lesson.settings
    try:
        samples = machine_samples(lesson.healthy, lesson.signals, detectors, wanted, s.machine, share)
    except NotEnoughData:
        return None
    return _Sampled(samples, len(lesson.spans), rows_of(lesson.healthy))


def part_of(
    name: PartName, detector: SharedDetector, samples: Sequence[Parameters], seed: int
) -> tuple[PartName, Parameters, float] | str:
    """On a worker. Or why not."""
    began = time.perf_counter()
    try:
        return name, detector.fit_shared(samples, seed), round(time.perf_counter() - began, 3)
    except ForewarnError as error:
        return str(error)
