"""The append-only record of what was done."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from forewarn.domain.audit import AuditAction, AuditEntry, Deed


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Filters; None = any. text: in actor, target or why. Newest first, `limit` entries below number `before`."""

    actions: tuple[AuditAction, ...] = ()
    actor: str | None = None
    text: str | None = None
    start: int | None = None
    end: int | None = None
    before: int | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True)
class AuditReport:
    """faults: what is wrong, in words, with the number of the entry; empty = nothing was rewritten or removed."""

    entries: int
    last: int
    faults: tuple[str, ...]


class AuditLog(Protocol):
    """Entries form a chain: each digest is an HMAC over the entry and the digest before it, under a key that is not in
    the database. The newest (number, digest) also lies in a file beside, so that a cut end is seen."""

    def record(self, deed: Deed) -> AuditEntry:
        """Durable on return. Raises StorageFailed: what cannot be recorded must not be done."""
        ...

    def find(self, query: AuditQuery) -> Sequence[AuditEntry]: ...

    def pieces(self, query: AuditQuery) -> Iterator[Sequence[AuditEntry]]:
        """All that match, oldest first, whatever `limit`; no transaction is open between two pieces."""
        ...

    def verify(self, progress: Callable[[int, int], None] | None = None) -> AuditReport:
        """Walk the whole chain; `progress` is told (entries done, of how many)."""
        ...
