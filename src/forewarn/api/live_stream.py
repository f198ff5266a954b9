"""GET /api/v1/live: the stream of server-sent events."""

from typing import Annotated, Final

from fastapi import APIRouter, Header, Query
from fastapi.responses import StreamingResponse

from forewarn.api.live import Filter
from forewarn.api.parts import Parts
from forewarn.api.problems import ERROR_RESPONSES, TooMany
from forewarn.domain.errors import NotFound

router = APIRouter(tags=["live"], responses=ERROR_RESPONSES)
MOST_LISTENERS: Final = 1_000
_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


@router.get(
    "/api/v1/live",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def live(
    parts: Parts,
    asset_id: str | None = None,
    signals: Annotated[str | None, Query(max_length=20_000)] = None,
    last_event_id: Annotated[str | None, Header()] = None,
) -> StreamingResponse:
    """hello, readings, anomaly, alarm, lost; without filter every reading. See docs/api.md."""
    wanted = None
    if signals:
        wanted = frozenset(word for word in signals.split(",") if word)
        unknown = sorted(wanted - parts.plant.table.key_of.keys())
        if unknown:
            raise NotFound(f"there is no signal {unknown[0]!r}")
    if asset_id is not None and asset_id not in parts.plant.assets:
        raise NotFound(f"there is no asset {asset_id!r}")
    known = last_event_id or ""
    last = int(known) if known.isascii() and known.isdigit() and len(known) < 19 else None
    if parts.feed.listeners >= MOST_LISTENERS:
        raise TooMany(f"{MOST_LISTENERS:,} live streams are open, as many as a site carries; try again later")
    stream = parts.feed.stream(Filter(asset_id, wanted), last)
    return StreamingResponse(stream, media_type="text/event-stream", headers=_HEADERS)
