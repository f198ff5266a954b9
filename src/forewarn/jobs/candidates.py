"""Candidates of trainings brought into a rollout by themselves, those of a job and template together."""

import contextlib
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from secrets import token_hex

import structlog

from forewarn.contracts.job_store import JobStore
from forewarn.contracts.model_registry import ModelRegistry
from forewarn.domain.audit import OWN, AuditAction, Deed
from forewarn.domain.errors import Conflict, NotFound
from forewarn.domain.jobs import Job
from forewarn.domain.model_versions import ModelState, ModelVersion
from forewarn.domain.rollouts import Rollout
from forewarn.jobs.known_models import KnownModels
from forewarn.policies.challenge import weakness

_log = structlog.get_logger(__name__)
_JOBS = 100


@dataclass(frozen=True, slots=True)
class Candidates:
    """`look` is for one thread. budget_per_week: of false alarms of a machine. clock: microseconds UTC."""

    registry: ModelRegistry
    jobs: JobStore
    known: KnownModels
    budget_per_week: float
    clock: Callable[[], int]

    def look(self) -> list[Rollout]:
        """Rollouts that were begun. One that is weaker than the champion is set aside and says why. What a person
        trained not to be promoted is left to people, and so is what no job is known of. Raises StorageFailed."""
        self.known.refresh()
        waiting = [version for version in self.known.newest.values() if self._waits(version)]
        if not waiting:
            return []
        by_result = {item.result: job for job in self.jobs.find("train", _JOBS) for item in job.items if item.result}
        groups: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
        for version in waiting:
            job = by_result.get(version.id)
            if job is not None and _is_free(job) and not self._set_aside(version):
                groups[job.id, version.template][version.asset_id] = version.id
        begun = (self._begun(job_id, versions) for (job_id, _), versions in groups.items())
        return [rollout for rollout in begun if rollout is not None]

    def _waits(self, version: ModelVersion) -> bool:
        champion = self.known.champions.get(version.asset_id)
        if version.state is not ModelState.CANDIDATE or version.reason or version.bytes_deleted_at is not None:
            return False
        return champion is not None and version.asset_id not in self.known.tried

    def _set_aside(self, version: ModelVersion) -> bool:
        champion = self.known.champions[version.asset_id]
        why = weakness(version.card, champion.id, self.budget_per_week)
        if not why:
            return False
        why = f"not rolled out: {why}"
        _log.info("candidate_set_aside", asset=version.asset_id, version=version.id, why=why)
        deed = Deed(AuditAction.MODEL_CHANGED, OWN, version.id, None, {"asset": version.asset_id}, why=why)
        with contextlib.suppress(Conflict, NotFound):  # by hand, since it was read
            self.registry.set_aside(version.id, why, deed)
        return True

    def _begun(self, job_id: str, versions: Mapping[str, str]) -> Rollout | None:
        now = self.clock()
        rollout = Rollout(token_hex(6), versions, now, since=now)
        after = {"state": rollout.state.value, "machines": len(versions), "job": job_id}
        why = f"trained by job {job_id}"
        deed = Deed(AuditAction.MODEL_CHANGED, OWN, f"rollout {rollout.id}", None, after, why=why)
        try:
            self.registry.start(rollout, deed)
        except (Conflict, NotFound) as error:  # somebody took one of the machines first: the next look sees it
            _log.warning("rollout_not_begun", job=job_id, error=str(error))
            return None
        _log.info("rollout_begun", rollout=rollout.id, job=job_id, machines=len(versions))
        return rollout


def _is_free(job: Job) -> bool:
    return job.ended_at is not None and job.settings.get("promote") != "never"
