"""Who of two partners collects and sends, by leases that the site or a broker keeps."""

from dataclasses import dataclass

from forewarn.domain.gateways import GatewayRole
from forewarn.kit.clock import SECOND


@dataclass(frozen=True, slots=True)
class Lease:
    """holder: a gateway's name. until: microseconds UTC, writer's clock. epoch: grows with every change of hands."""

    holder: str
    until: int
    epoch: int

    def before(self, other: "Lease") -> bool:
        """Two claims crossed: the higher epoch stands, and of equal ones the name that comes first."""
        return (-self.epoch, self.holder) < (-other.epoch, other.holder)


def claim(current: Lease | None, name: str, now: int, seconds: float) -> Lease | None:
    """The lease to leave at a broker: renewed, taken over because the holder's ran out, or None: it is another's."""
    until = now + int(seconds * SECOND)
    if current is None:
        return Lease(name, until, 1)
    if current.holder == name:
        return Lease(name, until, current.epoch)
    # A clock that is far ahead must not hold a lease for ever.
    if current.until < now or current.until > now + int(10 * seconds * SECOND):
        return Lease(name, until, current.epoch + 1)
    return None


def without_anybody(role: GatewayRole) -> GatewayRole:
    """Neither site nor broker answers: who was active goes on, who waited waits. The other way round, a gateway that
    is cut off alone would take its partner for dead."""
    return role
