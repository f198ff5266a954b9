"""Let go of readings past their age, and of models that nobody needs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from forewarn.contracts.anomaly_store import AnomalyQuery, AnomalyStore
from forewarn.contracts.historian import Historian
from forewarn.contracts.model_registry import ModelRegistry
from forewarn.domain.audit import OWN, AuditAction, Deed
from forewarn.domain.findings import AnomalyStatus
from forewarn.kit.clock import DAY

_PAGE: Final = 500


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
        """Ids of those that went. Repeating it is harmless, and ends what a kill left undone. Raises StorageFailed."""
        return self.registry.prune(self.kept, self._named(), _pruned)

    def _named(self) -> set[str]:
        """By findings that last, or that nobody has dealt with: people may yet ask what found them, or take it back."""
        lasting = {f.evidence.model for f in self.anomalies.open_episodes() if f.evidence is not None}
        return lasting.union(*(self._named_by(status) for status in (AnomalyStatus.OPEN, AnomalyStatus.INVESTIGATING)))

    def _named_by(self, status: AnomalyStatus) -> set[str]:
        named: set[str] = set()
        query = AnomalyQuery(status=status, limit=_PAGE)
        while True:
            page, cursor = self.anomalies.find(query)
            named |= {a.finding.evidence.model for a in page if a.finding.evidence is not None}
            if cursor is None:
                return named
            query = replace(query, cursor=cursor)


def _pruned(gone: Sequence[str]) -> Deed:
    after = {"models": list(gone[:100]), "count": len(gone)}
    return Deed(AuditAction.MODEL_CHANGED, OWN, "models", None, after, why="their bytes were deleted, their cards stay")
