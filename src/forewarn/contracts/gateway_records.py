"""What a site knows of its edge gateways."""

from dataclasses import dataclass

from forewarn.domain.conditions import GatewayCondition
from forewarn.domain.gateways import GatewayStatus


@dataclass(frozen=True, slots=True)
class GatewayRecord:
    """Times by the site's clock, microseconds UTC. last_seen: of the newest heartbeat, None before the first. status:
    what it said, None before. signals: by the gateway's key, less one. scored: those of them that it scores for us."""

    name: str
    first_seen: int
    last_seen: int | None
    status: GatewayStatus | None
    table: str
    signals: tuple[str, ...]
    scored: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PastCondition:
    """A condition as the site's journal has it; ended_at: by the site's clock, by the gateway's where it
    ended before the site heard of it; None while it holds."""

    condition: GatewayCondition
    ended_at: int | None


@dataclass(frozen=True, slots=True)
class RawRequest:
    """Raw readings that somebody wants from a gateway's ring: [start, end), microseconds UTC. told_at: when the gateway
    was first told; done_at: when it said that it had sent what it holds."""

    id: str
    gateway: str
    signals: tuple[str, ...]
    start: int
    end: int
    asked_by: str
    asked_at: int
    told_at: int | None = None
    done_at: int | None = None
