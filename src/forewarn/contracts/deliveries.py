"""What became of readings on their way to the site, step by step."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Tally:
    """What one step of thinning did, in readings: taken out of the log, put into parcels as they are, represented by
    kept ones or by aggregates, still in hand (an open minute: how many now, not how many more)."""

    read: int
    kept: int
    thinned: int
    in_hand: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """The site's answer to a parcel: its readings by verdict. reasons: rejected ones by reason."""

    accepted: int = 0
    late: int = 0
    duplicate: int = 0
    rejected: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is not yet acknowledged in a range of numbers."""

    parcels: int
    readings: int
    bytes: int
    oldest_time: int | None
