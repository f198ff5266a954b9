"""Who of a standby group collects: a lease that the site gives."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Lease:
    """until: by the site's clock, microseconds UTC. epoch: counts up at every change of holder. cover_from: source time
    up to which the one before had come. covered_by_others: spans [start, end) of source time that partners of the one
    who asks have told, oldest first."""

    holder: str
    until: int
    epoch: int
    cover_from: int
    covered_by_others: tuple[tuple[int, int], ...]


class GatewayLeases(Protocol):
    """Thread-safe, over processes too: at any moment a group has at most one holder."""

    def claim(
        self,
        group: str,
        gateway: str,
        covered_until: int,
        duration_us: int,
        newest: Callable[[str], int] = lambda _gateway: 0,
    ) -> Lease:
        """Ask to be, or to stay, the holder; who holds a lease that is not over keeps it.

        covered_until: source time up to which everything of `gateway` is durable here. newest: of a gateway, the
        greatest source time that came from it: one that died told more than it could still report, and its
        successor need not tell that again. Raises StorageFailed."""
        ...
