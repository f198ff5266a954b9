"""What a gateway has yet to deliver, on disk, and the sums that show that nothing vanished."""

from collections.abc import Sequence
from typing import Protocol

from forewarn.contracts.deliveries import Delivery, Tally, Waiting
from forewarn.contracts.parcels import Packed, Packer, Parcel, ParcelKind, Urgency
from forewarn.domain.gateways import LedgerSums

__all__ = ["Delivery", "Outbox", "Packed", "Packer", "Parcel", "ParcelKind", "Tally", "Urgency", "Waiting"]


class Outbox(Protocol):
    """Thread-safe. Survives kill -9 and power loss from the moment a call returns."""

    @property
    def offset(self) -> int:
        """The raw log's offset up to which everything was thinned and packed."""
        ...

    @property
    def state(self) -> bytes:
        """What the thinning had in its hands at `offset`; b'' at first."""
        ...

    @property
    def last_number(self) -> int: ...

    def pack(self, packed: Sequence[Packed], tally: Tally, state: bytes, offset: int) -> None:
        """All in one transaction: the parcels, the ledger's line, the state and the offset. Raises StorageFailed, with
        nothing changed. An offset below the stored one changes nothing, nor does the stored one itself unless
        tally.read is 0 and the state is another (a timer ran out)."""
        ...

    def add(self, packed: Sequence[Packed]) -> None:
        """Parcels beside the road (raw readings the site asked for). They count as kept and as read again."""
        ...

    def pending(self, after: int, up_to: int, most_bytes: int) -> Sequence[Parcel]:
        """Parcels not acknowledged with after < number <= up_to, in order: one if there is any, 256 at most."""
        ...

    def acknowledge(self, number: int, delivery: Delivery) -> None:
        """The site has it, durably. Rows that it rejected count as refused. Unknown or known already: no effect; nor
        where the parcel became another since `pending` handed it out."""
        ...

    def leave_to_partner(self, number: int, readings: int, rest: Packed | None) -> None:
        """`readings` of the parcel are covered by the standby partner; `rest` (None: nothing) is sent in its place."""
        ...

    def waiting(self, up_to: int | None = None) -> Waiting:
        """All that is not acknowledged (numbers <= up_to); no I/O beyond memory."""
        ...

    def count(self, *, rejected: int = 0, duplicate: int = 0) -> None:
        """Readings that never came into the log, by the door's verdict; written with the next `pack`."""
        ...

    def sums(self) -> LedgerSums: ...

    def size(self) -> int:
        """Bytes on disk."""
        ...

    def close(self) -> None:
        """Idempotent."""
        ...
