"""Where a site keeps what its edge gateways told of themselves, and what is asked of them."""

from collections.abc import Sequence
from typing import Protocol

from forewarn.contracts.gateway_records import GatewayRecord, PastCondition, RawRequest
from forewarn.domain.audit import Deed
from forewarn.domain.gateways import GatewayStatus


class GatewayStore(Protocol):
    """Thread-safe. Raises StorageFailed when the database refuses."""

    def gateways(self) -> Sequence[GatewayRecord]:
        """In name order."""
        ...

    def gateway(self, name: str) -> GatewayRecord:
        """Raises NotFound."""
        ...

    def keep_signals(self, name: str, table: str, signals: Sequence[str], scored: Sequence[str]) -> None: ...

    def keep_scored(self, name: str, scored: Sequence[str]) -> None:
        """Of a gateway that is known."""
        ...

    def beat(self, status: GatewayStatus, done: Sequence[str]) -> Sequence[RawRequest]:
        """A heartbeat: the status, its conditions into the journal (what it no longer names is over), `done` requests;
        in one transaction. What is still asked of it, oldest first."""
        ...

    def note_away(self, since: int) -> None:
        """Write down that gateways without a heartbeat since `since` are away (`unreachable`), once each."""
        ...

    def conditions(self, name: str, limit: int) -> Sequence[PastCondition]:
        """Newest first, those that hold before all others."""
        ...

    def ask(self, request: RawRequest, deed: Deed) -> None:
        """Raises NotFound for a gateway that never came, Conflict when too much is asked of it already."""
        ...

    def requests(self, name: str, limit: int) -> Sequence[RawRequest]:
        """Newest first."""
        ...

    def cancel(self, name: str, request_id: str, deed: Deed) -> None:
        """A request that is not done yet is no longer asked. Raises NotFound; Conflict for one that is done."""
        ...

    def retire(self, name: str, deed: Deed) -> None:
        """As if it had never come: its conditions and requests go with it. Raises NotFound."""
        ...

    def forget(self, before: int) -> None:
        """Conditions that ended, and requests that were asked, before then."""
        ...
