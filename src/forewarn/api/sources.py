"""Where readings come from, and how each is doing."""

from fastapi import APIRouter
from pydantic import BaseModel

from forewarn.api.guard import GuardedRoute
from forewarn.api.parts import Meters, Parts
from forewarn.api.problems import ERROR_RESPONSES
from forewarn.api.times import Instant, text_of
from forewarn.domain.sources import SourceState

router = APIRouter(prefix="/api/v1/sources", tags=["operation"], responses=ERROR_RESPONSES, route_class=GuardedRoute)


class SourceView(BaseModel):
    """seconds_since_last: by our clock, null before the first reading. rate: readings per second."""

    name: str
    connector: str
    state: SourceState
    state_since: Instant
    seconds_since_last: float | None
    readings: int
    rate: float
    rejected: int
    reconnects: int
    last_error: str


class SourceList(BaseModel):
    sources: list[SourceView]


@router.get("")
def list_sources(parts: Parts, meters: Meters) -> SourceList:
    """Configured sources, then gateways that push (connector `http`)."""
    now = parts.clock()
    return SourceList(
        sources=[
            SourceView(
                name=s.name,
                connector=s.connector,
                state=s.state,
                state_since=text_of(s.state_since),
                seconds_since_last=None if s.last_reading_at is None else max(0.0, (now - s.last_reading_at) / 1e6),
                readings=s.readings,
                rate=meters.rates.of(s),
                rejected=s.rejected,
                reconnects=s.reconnects,
                last_error=s.last_error,
            )
            for s in [*parts.sources.statuses(), *meters.gateways.statuses(now)]
        ]
    )
