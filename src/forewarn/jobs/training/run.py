"""Training as a durable job: a machine at a time is learned, kept and told; whoever comes after a crash goes on."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from secrets import token_hex
from typing import Final

import structlog

from forewarn.contracts.job_store import JobStore
from forewarn.contracts.model_registry import ModelRegistry
from forewarn.domain.audit import AuditAction, Deed
from forewarn.domain.errors import (
    Conflict,
    ForewarnError,
    InvalidInput,
    NotEnoughData,
    NotFound,
    StorageDamaged,
    StorageFailed,
)
from forewarn.domain.jobs import ItemState, Job, JobItem
from forewarn.domain.model_versions import ModelState, ModelVersion
from forewarn.jobs.training.kept_parts import KeptParts
from forewarn.jobs.training.lesson import Learned, Lesson, Shared, TrainingSettings
from forewarn.jobs.training.template import in_order
from forewarn.jobs.training.template_pass import Phase, TemplatePass
from forewarn.jobs.training.train import Trainer
from forewarn.jobs.training.workers import DIED, Outcome, Workers, learn_all
from forewarn.kit.clock import SECOND
from forewarn.policies.model_signature import Signer, content_id, sign

_log = structlog.get_logger(__name__)
KIND: Final = "train"
LEASE_S: Final = 30.0
REST_S: Final = 60.0
INSTEAD_OF: Final = "instead_of"
PROMOTE: Final = ("first", "always", "never")
Tick = Callable[[JobItem], None]
Told = Callable[[Phase], None]


def training_job(
    assets: Sequence[str], by: str, now: int, days: float, promote: str = "first", end: int | None = None
) -> Job:
    """A job that is yet to be added. end: where the past ends, so that a repetition learns from the same; None: now.
    promote: whether a model becomes champion at once, where it is the machine's first, always or never. Settings may
    name INSTEAD_OF, versions by asset id: `always` replaces no others."""
    if promote not in PROMOTE:
        raise InvalidInput(f"promote is one of {', '.join(PROMOTE)}, not {promote!r}", field="promote")
    if not 0 < days <= 3_660:
        raise InvalidInput(f"days must be above 0 and at most 3660, not {days:g}", field="days")
    items = tuple(JobItem(asset) for asset in dict.fromkeys(assets))
    settings = {"days": days, "promote": promote, "end": now if end is None else end}
    return Job(token_hex(8), KIND, by, now, items, settings)


@dataclass(frozen=True, slots=True)
class TrainingRuns:
    """Does jobs of training. owner: of this process, unlike any other's. parts: where what a template shares is kept
    while its job lasts; None: nowhere. Thread-safe; one job at a time each call."""

    trainer: Trainer
    jobs: JobStore
    registry: ModelRegistry
    signer: Signer
    clock: Callable[[], int]
    workers: Workers
    owner: str
    lease_s: float = LEASE_S
    rest_s: float = REST_S
    parts: KeptParts | None = None

    def run(
        self,
        job_id: str | None = None,
        tick: Tick = lambda item: None,
        stop: threading.Event | None = None,
        told: Told = lambda phase: None,
    ) -> Job | None:
        """Take the oldest job that nobody holds (or this one) and do what is left of it; None where there is none.
        stop: set, it is let go of as it is. told: what it does now. Raises StorageFailed, ConfigurationError; the job
        stays to be done."""
        job = self.jobs.claim(KIND, self.owner, self._until(), job_id)
        if job is None:
            return None
        stop = stop or threading.Event()
        with self._held(job.id) as lost:

            def tell(phase: Phase) -> None:
                told(phase)
                if not self.jobs.at(job.id, self.owner, phase.words):
                    lost.set()

            for item in self._done(job, lambda: lost.is_set() or stop.is_set(), tell):
                if lost.is_set() or not self.jobs.told(job.id, self.owner, item):
                    break
                tick(item)
            if stop.is_set():
                return self.jobs.get(job.id)
            ended = self.jobs.finish(job.id, self.owner)
        if self.parts is not None:
            self.parts.drop(self._is_over)
        return ended

    def _is_over(self, job_id: str) -> bool:
        try:
            return self.jobs.get(job_id).ended_at is not None
        except NotFound:
            return True

    def _done(self, job: Job, is_over: Callable[[], bool], told: Told) -> Iterator[JobItem]:
        """What is left of it: what templates share, then machine by machine. A process that dies takes the machines
        with it that were under way, and no others."""
        left = [item.asset_id for item in job.items if item.state is ItemState.WAITING]
        first = TemplatePass(self.trainer, self.workers, self.parts, told, is_over)
        shared = first.shared(job, left, *self._past_of(job))
        told(Phase("", "machines", job.done, len(job.items)))
        while left and not is_over():
            begun: list[str] = []
            ended: set[str] = set()
            try:
                lessons = self._lessons(job, left, begun, is_over, shared)
                for outcome in learn_all(lessons, self.trainer.detectors, self.workers):
                    ended.add(outcome.asset_id)
                    yield self._kept(job, outcome)
                return
            except BrokenProcessPool:
                for asset_id in begun:
                    if asset_id not in ended:
                        yield JobItem(asset_id, ItemState.FAILED, DIED)
                left = [asset_id for asset_id in left if asset_id not in begun]

    def _past_of(self, job: Job) -> tuple[int, TrainingSettings]:
        """(where the past ends, how it is learned from)."""
        days, end = job.settings["days"], job.settings["end"]
        assert isinstance(days, float | int), "training_job() made it"
        assert isinstance(end, int), "training_job() made it"
        return end, replace(self.trainer.settings, days=float(days))

    def _lessons(
        self,
        job: Job,
        assets: Sequence[str],
        begun: list[str],
        is_over: Callable[[], bool],
        shared: Mapping[str, Shared | str],
    ) -> Iterator[Lesson | Outcome]:
        end, settings = self._past_of(job)
        for asset_id in assets:
            if is_over():
                return
            begun.append(asset_id)
            try:
                lesson = self.trainer.lesson(asset_id, end, settings)
                yield _with(lesson, shared.get(asset_id))
            except NotEnoughData as error:
                yield Outcome(asset_id, None, str(error))
            except StorageFailed as error:
                if not isinstance(error, StorageDamaged):
                    raise  # the job stays to be done
                yield Outcome(asset_id, None, str(error), is_fault=True)
            except ForewarnError as error:
                yield Outcome(asset_id, None, str(error), is_fault=True)
            except Exception as error:  # a fault of ours in one machine's past does not hold up the others
                _log.exception("past_not_read", asset=asset_id, job=job.id)
                yield Outcome(asset_id, None, f"its past cannot be learned from: {error!r}", is_fault=True)

    def _kept(self, job: Job, outcome: Outcome) -> JobItem:
        if outcome.learned is None:
            state = ItemState.FAILED if outcome.is_fault else ItemState.NOT_ENOUGH
            return JobItem(outcome.asset_id, state, outcome.why)
        made = ""
        try:
            version = self._stored(job, outcome.learned)
            made = version.id
            text = self._raised(job, version)
        except (Conflict, InvalidInput) as error:
            return JobItem(outcome.asset_id, ItemState.FAILED, str(error), made)
        cost = outcome.learned.card.cost
        return JobItem(outcome.asset_id, ItemState.DONE, text, version.id, 0.0 if cost is None else cost.seconds)

    def _stored(self, job: Job, learned: Learned) -> ModelVersion:
        version = ModelVersion(
            content_id(learned.payload),
            learned.asset_id,
            learned.template,
            learned.detectors,
            self.clock(),
            learned.card,
            self.signer.public_key,
            0,
        )
        after = {"asset": learned.asset_id, "rows": learned.card.rows, "job": job.id}
        deed = Deed(AuditAction.MODEL_CHANGED, job.by, version.id, None, after, why="trained")
        return self.registry.add(version, sign(learned.payload, self.signer), deed)

    def _raised(self, job: Job, version: ModelVersion) -> str:
        """What it is now, in words: champion where the job says so, else what it was when it was kept."""
        if version.state is not ModelState.CANDIDATE:
            return f"the same as model {version.id[:12]}, which is {version.state.value.replace('_', ' ')}"
        before = self.registry.champions().get(version.asset_id)
        if not _is_crowned(job, version.asset_id, before):
            return "candidate" if before is None else f"candidate beside champion {before.id[:12]}"

        def deed(was: ModelVersion | None, now: ModelVersion | None) -> Deed:
            if not _is_crowned(job, version.asset_id, was):
                raise Conflict(f"{version.asset_id} has another champion meanwhile: this one stays a candidate")
            return promoted(job.by, was, now, f"trained by job {job.id}")

        self.registry.promote(version.id, deed)
        return "champion: the first of this machine" if before is None else f"champion in place of {before.id[:12]}"

    @contextmanager
    def _held(self, job_id: str) -> Iterator[threading.Event]:
        """The lease renewed meanwhile; given back at the end, whatever happens, after a rest where a disk failed. The
        event: it is ours no more."""
        lost, over = threading.Event(), threading.Event()
        rests_us = 0

        def renew() -> None:
            while not over.wait(self.lease_s / 3):
                try:
                    if not self.jobs.renew(job_id, self.owner, self._until()):
                        lost.set()
                except ForewarnError:
                    continue  # the catalog may be away for a moment

        thread = threading.Thread(target=renew, name="training-lease", daemon=True)
        thread.start()
        try:
            yield lost
        except StorageFailed:
            rests_us = round(self.rest_s * SECOND)  # others come first meanwhile
            raise
        finally:
            over.set()
            thread.join()
            self.jobs.renew(job_id, self.owner, self.clock() + rests_us)

    def _until(self) -> int:
        return self.clock() + round(self.lease_s * SECOND)


def _is_crowned(job: Job, asset_id: str, before: ModelVersion | None) -> bool:
    """before: the machine's champion."""
    promote = job.settings.get("promote", "first")
    if promote == "never":
        return False
    judged = job.settings.get(INSTEAD_OF)
    at_once = promote == "always" and (judged is None or (before is not None and _told(judged, asset_id) == before.id))
    return at_once or (before is None and not _told(judged, asset_id))


def _told(judged: object, asset_id: str) -> object:
    return judged.get(asset_id) if isinstance(judged, Mapping) else None


def _with(lesson: Lesson, shared: Shared | str | None) -> Lesson:
    if isinstance(shared, str):
        why = f"Learned alone, though there are machines like it: {shared}."
        return replace(lesson, notes=(*lesson.notes, why))
    return lesson if shared is None else replace(in_order(lesson), shared=shared)


def promoted(by: str, was: ModelVersion | None, now: ModelVersion | None, why: str) -> Deed:
    """The deed of a change of champion."""
    asset = now.asset_id if now is not None else was.asset_id if was is not None else ""
    before = None if was is None else {"champion": was.id}
    after = None if now is None else {"champion": now.id}
    return Deed(AuditAction.MODEL_CHANGED, by, asset, before, after, why=why)
