"""Who of two partners collects and sends, by leases that the site or a broker keeps."""

from dataclasses import dataclass

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


def claim(current: Lease | None, name: str, now: int, seconds: float, unchanged_s: float) -> Lease | None:
    """The lease to leave at a broker: renewed, taken over because the holder's ran out, or None: it is another's.

    unchanged_s: for how long, by our own clock that nobody sets, the holder has not renewed what lies there. Its
    `until` is by its own clock, which may be hours from ours, and says nothing here."""
    until = now + int(seconds * SECOND)
    if current is None:
        return Lease(name, until, 1)
    if current.holder == name:
        return Lease(name, until, current.epoch)
    return Lease(name, until, current.epoch + 1) if unchanged_s > seconds else None
