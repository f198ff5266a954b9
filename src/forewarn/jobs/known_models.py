"""Champions and newest models, read again when something changed."""

from collections.abc import Callable, Mapping

from forewarn.contracts.model_registry import ModelRegistry
from forewarn.domain.model_versions import ModelVersion
from forewarn.domain.rollouts import Rollout
from forewarn.policies.rollout import OPEN

_MOST = 1_000


class KnownModels:
    """For one thread."""

    def __init__(self, registry: ModelRegistry, revision: Callable[[], int]) -> None:
        """revision: another number whenever versions, champions or rollouts changed."""
        self.registry, self._revision = registry, revision
        self._read: int | None = None
        self.champions: Mapping[str, ModelVersion] = {}
        self.newest: Mapping[str, ModelVersion] = {}
        self.tried: Mapping[str, Rollout] = {}  # open rollouts, by asset id

    def refresh(self) -> None:
        """Raises StorageFailed."""
        now = self._revision()
        if now == self._read:
            return
        self.champions, self.newest = self.registry.champions(), self.registry.newest()
        self.tried = {a: rollout for rollout in self.registry.rollouts(OPEN, _MOST) for a in rollout.versions}
        self._read = now
