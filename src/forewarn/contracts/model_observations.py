"""What gateways and the site itself have seen of models that are being tried."""

from collections.abc import Collection, Sequence
from typing import Protocol

from forewarn.domain.model_delivery import Tally


class ModelObservations(Protocol):
    """Durable on return. Of the whole site."""

    def keep(self, teller: str, tallies: Sequence[Tally]) -> None:
        """What `teller` (a gateway's name, '' for the site) told; the same (rollout, since, side, run) is replaced.
        What is of no rollout, or of a state that it is not in any more, is left out, and what was kept of such goes. Of
        each side the teller's 32 newest runs are kept, and what was told just now; what older ones counted is lost."""
        ...

    def tallies(self, rollout_ids: Collection[str]) -> Sequence[Tally]: ...
