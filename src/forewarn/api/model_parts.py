"""What the API calls of trained models and their training."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from forewarn.contracts.job_store import JobStore
from forewarn.contracts.model_registry import ModelRegistry
from forewarn.domain.access import Scope
from forewarn.domain.jobs import Job
from forewarn.learning.thresholds import ThresholdNow

Thresholds = Callable[[str], Sequence[ThresholdNow]]


def _unmoved(asset_id: str) -> Sequence[ThresholdNow]:
    return ()


@dataclass(frozen=True, slots=True)
class ModelParts:
    """job_of: (machines, by whom, days) -> a job of training that is yet to be added; raises InvalidInput. look: there
    is a new job; any thread. thresholds: of a machine's champion, by regime, after feedback; no I/O, any thread."""

    registry: ModelRegistry
    jobs: JobStore
    job_of: Callable[[Sequence[str], str, float], Job]
    look: Callable[[], None]
    thresholds: Thresholds = _unmoved

    def within(self, scope: Scope) -> "ModelParts":
        return replace(self, registry=self.registry.within(scope), jobs=self.jobs.within(scope))
