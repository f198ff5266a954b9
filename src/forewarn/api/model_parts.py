"""What the API calls of trained models and their training."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from forewarn.contracts.job_store import JobStore
from forewarn.contracts.model_registry import ModelRegistry
from forewarn.contracts.rollout_desk import RolloutDesk
from forewarn.domain.access import Scope
from forewarn.domain.errors import Conflict
from forewarn.domain.findings import Finding
from forewarn.domain.jobs import Job, NextTraining
from forewarn.domain.model_delivery import MachineDrift
from forewarn.learning.hindsight import Course, HealthyScores
from forewarn.learning.thresholds import ThresholdNow

Thresholds = Callable[[str], Sequence[ThresholdNow]]


def _nothing(asset_id: str) -> str:
    return ""


def _unmoved(asset_id: str) -> Sequence[ThresholdNow]:
    return ()


def _forgotten(finding: Finding) -> Course:
    raise Conflict("this server keeps no models to score the past with")


def _unplanned(asset_id: str) -> NextTraining | None:
    return None


def _unjudged(asset_id: str) -> MachineDrift | None:
    return None


def _unscored(model_id: str) -> Sequence[HealthyScores]:
    raise Conflict("this server keeps no models' files")


@dataclass(frozen=True, slots=True)
class ModelParts:
    """job_of: (machines, by whom, days) -> a job of training that is yet to be added; raises InvalidInput. look: there
    is a new job; any thread. thresholds: of a machine's champion, by regime, after feedback; no I/O, any thread.
    course: what a finding's model made of the time around it; raises Conflict with the reason where that cannot be
    told. scores: how the healthy rows lie that set a model's threshold; raises NotFound, Conflict. waits: what a
    machine's first model waits for, in words, '' for nothing. next_training: of those that the site begins by itself.
    drift: of a machine that the site itself judges. These three no I/O, any thread."""

    registry: ModelRegistry
    jobs: JobStore
    job_of: Callable[[Sequence[str], str, float], Job]
    look: Callable[[], None]
    thresholds: Thresholds = _unmoved
    course: Callable[[Finding], Course] = _forgotten
    scores: Callable[[str], Sequence[HealthyScores]] = _unscored
    waits: Callable[[str], str] = _nothing
    next_training: Callable[[str], NextTraining | None] = _unplanned
    drift: Callable[[str], MachineDrift | None] = _unjudged
    rollouts: RolloutDesk | None = None

    def within(self, scope: Scope) -> "ModelParts":
        rollouts = None if self.rollouts is None else self.rollouts.within(scope)
        return replace(self, registry=self.registry.within(scope), jobs=self.jobs.within(scope), rollouts=rollouts)
