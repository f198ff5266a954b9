"""What a gateway sends: parcels, by number (docs/formats/uplink.md)."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Protocol

from forewarn.domain.alarms import AlarmEvent
from forewarn.domain.findings import Finding
from forewarn.domain.series import Aggregates, Series


class ParcelKind(StrEnum):
    """What a parcel's body is (docs/formats/uplink.md)."""

    READINGS = "readings"
    MINUTES = "minutes"
    FINDINGS = "findings"


class Urgency(IntEnum):
    """FINDING: findings and the raw readings around them; never thinned further. REQUESTED: asked for by the site."""

    FINDING = 0
    NORMAL = 1
    REQUESTED = 2


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """A parcel before it has a number. rows: readings (or aggregates, or findings) in it. first_time, last_time: least
    and greatest source time, microseconds UTC. body: the bytes that go over the wire."""

    kind: ParcelKind
    urgency: Urgency
    rows: int
    first_time: int
    last_time: int
    body: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Parcel:
    """number: counts from 1 without gaps, never reused; the batch sequence at the site."""

    number: int
    packed: Packed


class Packer(Protocol):
    """Makes a parcel's bytes. Nothing given is empty; rows are ordered by (signal, time)."""

    def readings(self, rows: Series, urgency: Urgency) -> Packed: ...

    def minutes(self, minutes: Aggregates) -> Packed: ...

    def findings(self, findings: Sequence[Finding], events: Sequence[AlarmEvent]) -> Packed: ...
