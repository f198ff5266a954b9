"""How an edge gateway is doing: what it tells its site, its local page and its outputs."""

from dataclasses import dataclass
from enum import StrEnum

from forewarn.domain.conditions import EndedCondition, GatewayCondition
from forewarn.domain.sources import SourceStatus


class GatewayRole(StrEnum):
    """ALONE: no partner is configured. ACTIVE collects and sends; STANDBY watches and waits."""

    ALONE = "alone"
    ACTIVE = "active"
    STANDBY = "standby"


class SiteState(StrEnum):
    CONNECTING = "connecting"
    CONNECTED = "connected"
    CATCHING_UP = "catching_up"
    AWAY = "away"
    REFUSED = "refused"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class UplinkStatus:
    """state_since, last_acknowledged_at: microseconds UTC, our clock; None = never. clock_offset_s: the site's clock
    minus ours, uncertain by round_trip_s / 2. live_lag_s: age of the oldest live parcel that is not acknowledged, 0
    when there is none. backlog_*: what waits from before the live data began."""

    state: SiteState
    state_since: int
    url: str = ""
    last_acknowledged_at: int | None = None
    last_error: str = ""
    clock_offset_s: float | None = None
    round_trip_s: float | None = None
    live_lag_s: float = 0.0
    backlog_parcels: int = 0
    backlog_readings: int = 0
    backlog_bytes: int = 0
    oldest_backlog_at: int | None = None
    sent_bytes: int = 0


@dataclass(frozen=True, slots=True)
class BufferStatus:
    """Bytes on disk. raw_from: when the oldest reading still in the raw ring was heard, microseconds UTC. full_in_s:
    at the present rate and without the site, how long until normal data has to be thinned further; None = not soon."""

    budget_bytes: int
    raw_bytes: int
    outbox_bytes: int
    free_disk_bytes: int
    raw_from: int | None = None
    full_in_s: float | None = None


@dataclass(frozen=True, slots=True)
class LedgerSums:
    """Readings since the gateway's first day. read = kept + thinned + in_hand; kept = acknowledged + pending +
    refused + left_to_partner + thinned_early."""

    read: int = 0
    kept: int = 0
    thinned: int = 0
    in_hand: int = 0
    acknowledged: int = 0
    pending: int = 0
    refused: int = 0
    left_to_partner: int = 0
    thinned_early: int = 0
    rejected: int = 0
    duplicate: int = 0

    @property
    def adds_up(self) -> bool:
        """Nothing vanished: every reading that was taken is accounted for."""
        onward = self.acknowledged + self.pending + self.refused + self.left_to_partner + self.thinned_early
        return self.read == self.kept + self.thinned + self.in_hand and self.kept == onward


@dataclass(frozen=True, slots=True)
class Reduction:
    """What a gateway leaves out of what is normal, from `since` (microseconds UTC) until the next one's. thinned: of
    signals by pattern of their ids (fnmatch); the last that fits counts. Of a machine every reading is sent for whole_s
    seconds once in whole_every_s, see policies/whole_stretches.py; whole_s 0: never."""

    since: int
    thinned: tuple[tuple[str, bool], ...] = (("*", True),)
    whole_s: int = 0
    whole_every_s: int = 3_600


@dataclass(frozen=True, slots=True)
class GatewayStatus:
    """at, started_at: microseconds UTC, the gateway's clock. silent: ids of signals that nothing was heard of for
    longer than is usual; all its others are alive. former: ids of its signal table that it no longer collects.
    alarms: active ones. ended: conditions that are over, until the site has heard of it. waits_for_disk: it has not
    begun yet, as its files cannot be opened: nothing is collected, and what lies in them (buffer, ledger, alarms) is
    not known. reductions: oldest first, the last one holds; none where it is of a version that does not say."""

    name: str
    version: str
    at: int
    started_at: int
    role: GatewayRole
    uplink: UplinkStatus
    buffer: BufferStatus
    ledger: LedgerSums
    sources: tuple[SourceStatus, ...] = ()
    conditions: tuple[GatewayCondition, ...] = ()
    silent: tuple[str, ...] = ()
    former: tuple[str, ...] = ()
    signals: int = 0
    alarms: int = 0
    partner: str = ""
    resident_bytes: int = 0
    public_key: str = ""
    ended: tuple[EndedCondition, ...] = ()
    waits_for_disk: bool = False
    reductions: tuple[Reduction, ...] = ()
