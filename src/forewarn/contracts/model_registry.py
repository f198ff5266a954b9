"""Where trained models are kept, and which of them acts on a machine."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from forewarn.contracts.model_rollouts import ModelRollouts
from forewarn.domain.access import Scope
from forewarn.domain.audit import Deed
from forewarn.domain.model_versions import ModelState, ModelVersion

Judged = Callable[[ModelVersion | None, ModelVersion | None], Deed]


class ModelRegistry(ModelRollouts, Protocol):
    """A version's state follows its rollout. An asset has one champion at most, and is in one open rollout at most; who
    is champion is one row, changed in one transaction with the states, the rollout and the deed."""

    def within(self, scope: Scope) -> "ModelRegistry":
        """The same registry, in which what lies outside `scope` does not exist. Rollouts are changed by who sees
        everything (NotAllowed)."""
        ...

    def add(self, version: ModelVersion, artifact: bytes, deed: Deed | None = None) -> ModelVersion:
        """Keep a candidate and its signed artifact; durable on return. What is known by that id stays as it is, its
        file is mended. Raises ArtifactRefused for bytes that are not those of `version.id`, NotFound for a machine that
        the plant does not have, StorageFailed, Conflict (it is another machine's)."""
        ...

    def get(self, version_id: str) -> ModelVersion:
        """Raises NotFound."""
        ...

    def artifact(self, version_id: str) -> bytes:
        """As it was signed. Raises NotFound (also where the file is gone), Conflict (its bytes were deleted),
        StorageDamaged, and StorageFailed."""
        ...

    def find(
        self, asset_id: str | None = None, states: Collection[ModelState] | None = None, limit: int = 100
    ) -> Sequence[ModelVersion]:
        """Newest first; None = any."""
        ...

    def champions(self) -> Mapping[str, ModelVersion]:
        """By asset id."""
        ...

    def newest(self) -> Mapping[str, ModelVersion]:
        """The version that was trained last, whatever became of it, by asset id."""
        ...

    def formers(self) -> Mapping[str, str]:
        """Id of the version that a champion replaced, by the champion's id; absent where there was none."""
        ...

    def promote(self, version_id: str, deed: Judged) -> ModelVersion:
        """Champion of its asset from now on, by hand; the one before is retired. `deed` is told who was and who is.
        Raises NotFound, Conflict (it is so already, its bytes were deleted, or a rollout of that machine is under
        way)."""
        ...

    def demote(self, version_id: str, reason: str, deed: Judged) -> ModelVersion | None:
        """The champion is rolled back by hand; the one before it acts again, if there was one, and is returned. Raises
        NotFound, Conflict (it is not the champion, or a rollout of that machine is under way)."""
        ...

    def prune(self, kept: int, named: Collection[str], deed: Callable[[Sequence[str]], Deed]) -> Sequence[str]:
        """Delete artifacts beyond the newest `kept` of each machine: never those of champions, of who was champion
        before them, of open rollouts, or `named`. Their cards stay. Ids of those that went, which `deed` is told.
        Repeating it ends what a kill left undone. Raises StorageFailed."""
        ...
