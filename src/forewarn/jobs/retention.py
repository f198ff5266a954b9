"""Let go of readings past their age, and of models that nobody needs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from forewarn.contracts.anomaly_store import AnomalyStore
from forewarn.contracts.historian import Historian
from forewarn.contracts.model_registry import ModelRegistry
from forewarn.domain.audit import OWN, AuditAction, Deed
from forewarn.kit.clock import DAY


@dataclass(frozen=True, slots=True)
class Retention:
    """Days that raw readings and rollups are kept; None keeps all. clock: microseconds UTC."""

    historian: Historian
    clock: Callable[[], int]
    raw_days: float | None
    rollup_days: float | None

    def run(self) -> int:
        """Drop what is older now; bytes freed. Repeating it is harmless."""
        if self.raw_days is None and self.rollup_days is None:
            return 0
        now = self.clock()
        return self.historian.forget(_before(now, self.raw_days), _before(now, self.rollup_days))


def _before(now: int, days: float | None) -> int:
    return 0 if days is None else now - int(days * DAY)


@dataclass(frozen=True, slots=True)
class ModelRetention:
    """Bytes of models that nobody needs any more; their cards stay. kept: newest versions of each machine, at least."""

    registry: ModelRegistry
    anomalies: AnomalyStore
    kept: int

    def run(self) -> Sequence[str]:
        """Ids of those that went. What findings name stays while people may yet ask what found them, or take it back.
        Repeating it is harmless, and ends what a kill left undone. Raises StorageFailed."""
        return self.registry.prune(self.kept, self.anomalies.models_in_use(), _pruned)


def _pruned(gone: Sequence[str]) -> Deed:
    after = {"models": list(gone[:100]), "count": len(gone)}
    return Deed(AuditAction.MODEL_CHANGED, OWN, "models", None, after, why="their bytes were deleted, their cards stay")
