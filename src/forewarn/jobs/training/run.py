"""Training as a durable job: a machine at a time is learned, kept and told; whoever comes after a crash goes on."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from secrets import token_hex
from typing import Final

from forewarn.contracts.job_store import JobStore
from forewarn.contracts.model_registry import ModelRegistry
from forewarn.domain.audit import AuditAction, Deed
from forewarn.domain.errors import Conflict, ForewarnError, InvalidInput, NotEnoughData, StorageFailed
from forewarn.domain.jobs import ItemState, Job, JobItem
from forewarn.domain.model_versions import ModelState, ModelVersion
from forewarn.jobs.training.lesson import Learned, Lesson
from forewarn.jobs.training.train import Trainer
from forewarn.jobs.training.workers import Outcome, Workers, learn_all
from forewarn.kit.clock import SECOND
from forewarn.policies.model_signature import Signer, content_id, sign

KIND: Final = "train"
LEASE_S: Final = 30.0
PROMOTE: Final = ("first", "always", "never")
_DIED: Final = (
    "the process that learned it died, most likely for lack of memory: train with fewer workers "
    "(FOREWARN_TRAINING_WORKERS)"
)
Tick = Callable[[JobItem], None]


def training_job(
    assets: Sequence[str], by: str, now: int, days: float, promote: str = "first", end: int | None = None
) -> Job:
    """A job that is yet to be added. end: where the past ends, so that a repetition learns from the same; None: now.
    promote: whether a model becomes champion at once, where it is the machine's first, always or never."""
    if promote not in PROMOTE:
        raise InvalidInput(f"promote is one of {', '.join(PROMOTE)}, not {promote!r}", field="promote")
    if not 0 < days <= 3_660:
        raise InvalidInput(f"days must be above 0 and at most 3660, not {days:g}", field="days")
    items = tuple(JobItem(asset) for asset in dict.fromkeys(assets))
    settings = {"days": days, "promote": promote, "end": now if end is None else end}
    return Job(token_hex(8), KIND, by, now, items, settings)


@dataclass(frozen=True, slots=True)
class TrainingRuns:
    """Does jobs of training. owner: of this process, unlike any other's. Thread-safe; one job at a time each call."""

    trainer: Trainer
    jobs: JobStore
    registry: ModelRegistry
    signer: Signer
    clock: Callable[[], int]
    workers: Workers
    owner: str
    lease_s: float = LEASE_S

    def run(
        self, job_id: str | None = None, tick: Tick = lambda item: None, stop: threading.Event | None = None
    ) -> Job | None:
        """Take the oldest job that nobody holds (or this one) and do what is left of it; None where there is none.
        stop: set, it is let go of as it is. Raises StorageFailed, ConfigurationError; the job stays to be done."""
        job = self.jobs.claim(KIND, self.owner, self._until(), job_id)
        if job is None:
            return None
        stop = stop or threading.Event()
        with self._held(job.id) as lost:
            for item in self._done(job, lambda: lost.is_set() or stop.is_set()):
                if lost.is_set() or not self.jobs.told(job.id, self.owner, item):
                    break
                tick(item)
            if stop.is_set():
                return self.jobs.get(job.id)
            return self.jobs.finish(job.id, self.owner)

    def _done(self, job: Job, is_over: Callable[[], bool]) -> Iterator[JobItem]:
        """What is left of it. A process that dies takes the machines with it that were under way, and no others."""
        left = [item.asset_id for item in job.items if item.state is ItemState.WAITING]
        while left and not is_over():
            begun: list[str] = []
            ended: set[str] = set()
            try:
                lessons = self._lessons(job, left, begun, is_over)
                for outcome in learn_all(lessons, self.trainer.detectors, self.workers):
                    ended.add(outcome.asset_id)
                    yield self._kept(job, outcome)
                return
            except BrokenProcessPool:
                for asset_id in begun:
                    if asset_id not in ended:
                        yield JobItem(asset_id, ItemState.FAILED, _DIED)
                left = [asset_id for asset_id in left if asset_id not in begun]

    def _lessons(
        self, job: Job, assets: Sequence[str], begun: list[str], is_over: Callable[[], bool]
    ) -> Iterator[Lesson | Outcome]:
        days, end = job.settings["days"], job.settings["end"]
        assert isinstance(days, float | int), "training_job() made it"
        assert isinstance(end, int), "training_job() made it"
        settings = replace(self.trainer.settings, days=float(days))
        for asset_id in assets:
            if is_over():
                return
            begun.append(asset_id)
            try:
                yield self.trainer.lesson(asset_id, end, settings)
            except NotEnoughData as error:
                yield Outcome(asset_id, None, str(error))
            except StorageFailed:
                raise  # the job stays to be done
            except ForewarnError as error:
                yield Outcome(asset_id, None, str(error), is_fault=True)

    def _kept(self, job: Job, outcome: Outcome) -> JobItem:
        if outcome.learned is None:
            state = ItemState.FAILED if outcome.is_fault else ItemState.NOT_ENOUGH
            return JobItem(outcome.asset_id, state, outcome.why)
        try:
            version = self._stored(job, outcome.learned)
            text = self._raised(job, version)
        except (Conflict, InvalidInput) as error:
            return JobItem(outcome.asset_id, ItemState.FAILED, str(error))
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
        promote = job.settings.get("promote", "first")
        if promote == "never" or (promote == "first" and before is not None):
            return "candidate" if before is None else f"candidate beside champion {before.id[:12]}"
        self.registry.promote(version.id, lambda was, now: promoted(job.by, was, now, f"trained by job {job.id}"))
        return "champion: the first of this machine" if before is None else f"champion in place of {before.id[:12]}"

    @contextmanager
    def _held(self, job_id: str) -> Iterator[threading.Event]:
        """The lease renewed meanwhile; given back at the end, whatever happens. The event: it is ours no more."""
        lost, over = threading.Event(), threading.Event()

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
        finally:
            over.set()
            thread.join()
            self.jobs.renew(job_id, self.owner, self.clock())

    def _until(self) -> int:
        return self.clock() + round(self.lease_s * SECOND)


def promoted(by: str, was: ModelVersion | None, now: ModelVersion | None, why: str) -> Deed:
    """The deed of a change of champion."""
    asset = now.asset_id if now is not None else was.asset_id if was is not None else ""
    before = None if was is None else {"champion": was.id}
    after = None if now is None else {"champion": now.id}
    return Deed(AuditAction.MODEL_CHANGED, by, asset, before, after, why=why)
