"""Rollouts as people begin, follow and end them."""

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from forewarn.domain.access import Scope
from forewarn.domain.audit import Deed
from forewarn.domain.rollouts import Candidate, Rollout, RolloutProgress

Moved = Callable[[Rollout | None, Rollout], Deed]


class RolloutDesk(Protocol):
    """Any thread. `deed` is told the rollout before (None: it is new) and after."""

    def within(self, scope: Scope) -> "RolloutDesk":
        """The same desk for who may see a part of the plant: of each rollout the machines there, with the counts and
        steps of the whole; rollouts without any do not exist, and none is begun or ended (NotAllowed)."""
        ...

    def newest(self, limit: int) -> Sequence[RolloutProgress]:
        """Newest first; those under way beyond `limit` as well. Raises StorageFailed."""
        ...

    def get(self, rollout_id: str) -> RolloutProgress:
        """Raises NotFound, StorageFailed."""
        ...

    def candidates(self) -> Sequence[Candidate]:
        """The newest of each machine that may be rolled out now, by asset id: no older than its champion, with its
        bytes, its machine in no rollout under way. Those that were set aside say why in `reason`. Raises
        StorageFailed."""
        ...

    def start(self, assets: Collection[str], share: float, deed: Moved) -> RolloutProgress:
        """A rollout of the candidates of these machines, in the shadow already; of none named: of all that were not set
        aside. share: of the machines, that the canary acts on, (0, 1]. Raises NotAllowed, NotFound (no candidate),
        Conflict (a machine is in another rollout, or nothing is there to begin), StorageFailed."""
        ...

    def roll_back(self, rollout_id: str, reason: str, deed: Moved) -> RolloutProgress:
        """The champions before act again. Raises NotAllowed, NotFound, Conflict (it was rolled back already),
        StorageFailed."""
        ...
