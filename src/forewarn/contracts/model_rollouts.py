"""How new models come to act: the half of a model registry that rollouts are kept in."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from forewarn.domain.audit import Deed
from forewarn.domain.model_versions import ModelState, ModelVersion
from forewarn.domain.rollouts import Candidate, Reign, Rollout


class ModelRollouts(Protocol):
    """A machine is in one open rollout at most."""

    def start(self, rollout: Rollout, deed: Deed) -> None:
        """Keep a new rollout of versions that are here. Raises NotFound, Conflict (one of its machines is in another
        rollout that is under way, or the bytes of a version were deleted)."""
        ...

    def set_aside(self, version_id: str, reason: str, deed: Deed) -> ModelVersion:
        """A candidate that no rollout is begun of by itself, and why. Raises NotFound, Conflict (it is none, or a
        rollout of that machine is under way)."""
        ...

    def candidates(self) -> Sequence[Candidate]:
        """The newest of each machine that may be rolled out now, by asset id: no older than its champion, with its
        bytes, its machine in no rollout under way."""
        ...

    def reigns(self) -> Mapping[str, Reign]:
        """Who is champion since when and in whose place, by asset id: what `champions` tells, without their cards."""
        ...

    def rollout(self, rollout_id: str) -> Rollout:
        """Raises NotFound."""
        ...

    def rollouts(self, states: Collection[ModelState] | None = None, limit: int = 100) -> Sequence[Rollout]:
        """Newest first; None = any state."""
        ...

    def change_rollout(
        self, rollout_id: str, change: Callable[[Rollout], Rollout], deed: Callable[[Rollout, Rollout], Deed]
    ) -> Rollout:
        """`change` (policies/rollout.py) is given the rollout as it is in the database now. Its versions and champions
        follow, also back; another rollout under way of a machine whose champion is another one by that begins its step
        anew, with a deed of its own. What `change` leaves alone leaves no deed. Raises NotFound and what `change`
        raises."""
        ...
