"""What the API asks for edge gateways: which models they should hold, and the bytes of one."""

from collections.abc import Collection, Sequence
from typing import Protocol

from forewarn.domain.errors import NotFound
from forewarn.domain.model_delivery import Tally, WantedModels


class ModelDelivery(Protocol):
    """Of the whole site: the caller has asked who speaks for the gateway."""

    def wanted(self, collected: Collection[str]) -> WantedModels:
        """For a gateway that collects these signals (ids). Memory only."""
        ...

    def artifact(self, version_id: str, collected: Collection[str]) -> bytes:
        """As it was signed. Raises NotFound for what `wanted` does not name, and StorageFailed."""
        ...

    def tell(self, gateway: str, tallies: Sequence[Tally], collected: Collection[str]) -> None:
        """Durable on return. Raises StorageFailed."""
        ...


class NoDelivery:
    """Of a site without models."""

    def wanted(self, collected: Collection[str]) -> WantedModels:
        return WantedModels()

    def artifact(self, version_id: str, collected: Collection[str]) -> bytes:
        raise NotFound(f"there is no model {version_id[:80]!r}")

    def tell(self, gateway: str, tallies: Sequence[Tally], collected: Collection[str]) -> None:
        pass
