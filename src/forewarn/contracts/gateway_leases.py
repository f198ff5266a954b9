"""Who of a standby group collects: a lease that the site gives."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol


@dataclass(frozen=True, slots=True)
class Missing:
    """What a gateway has not read: (source, start, end) of source time, both exclusive; end None: it lasts. until: how
    far those last so far, None: as far as all else is told. Times in microseconds UTC."""

    spans: tuple[tuple[str, int, int | None], ...] = ()
    until: int | None = None


NOTHING_MISSING: Final = Missing()


@dataclass(frozen=True, slots=True)
class Lease:
    """until: by the site's clock, microseconds UTC. epoch: counts up at every change of holder. cover_from: source time
    up to which the one before had come. covered_by_others: spans [start, end) of source time that partners of the one
    who asks have told, oldest first. missing_by_others: (source, start, end) of what they have not read of it."""

    holder: str
    until: int
    epoch: int
    cover_from: int
    covered_by_others: tuple[tuple[int, int], ...]
    missing_by_others: tuple[tuple[str, int, int], ...] = ()


class GatewayLeases(Protocol):
    """Thread-safe, over processes too: at any moment a group has at most one holder."""

    def claim(
        self,
        group: str,
        gateway: str,
        covered_until: int,
        duration_us: int,
        newest: Callable[[str], int] = lambda _gateway: 0,
        missing: Missing = NOTHING_MISSING,
    ) -> Lease:
        """Ask to be, or to stay, the holder; who holds a lease that is not over keeps it.

        covered_until: source time up to which everything of `gateway` is durable here. newest: of a gateway, the
        greatest source time that came from it: one that died told more than it could still report, and its
        successor need not tell that again. missing: of the time that `gateway` covers; kept where it is the holder, the
        newest 1,000 by (source, start). One that lasted and is not named any more ended where it had last come. What
        was covered more than 31 days ago is forgotten when somebody takes over. Raises StorageFailed."""
        ...
