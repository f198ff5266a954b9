"""Keys of gateways and devices. Every change is recorded in the audit log in the same transaction, or not made."""

from collections.abc import Callable, Sequence
from typing import Protocol

from forewarn.domain.audit import Deed
from forewarn.domain.people import Machine


class MachineStore(Protocol):
    def machines(self) -> Sequence[Machine]:
        """All, revoked ones too, by name."""
        ...

    def add(self, machine: Machine, deed: Deed) -> None:
        """Raises Conflict when a machine that is not revoked has the name."""
        ...

    def change(
        self, machine_id: str, change: Callable[[Machine], Machine], deed: Callable[[Machine, Machine], Deed]
    ) -> Machine:
        """Read, apply `change`, write, in one transaction. Raises NotFound; what `change` raises rolls back."""
        ...

    def seen(self, at: dict[str, int]) -> None:
        """When each machine (by id) was last heard of; not recorded as a deed."""
        ...
