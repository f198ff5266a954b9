"""GET /api/v1/live: the stream of server-sent events."""

import contextlib
from collections import Counter
from collections.abc import AsyncGenerator
from typing import Annotated, Final

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse

from forewarn.api.access_book import AccessBook
from forewarn.api.access_parts import Access
from forewarn.api.guard import GuardedRoute, principal_of
from forewarn.api.live_events import Filter
from forewarn.api.parts import Parts
from forewarn.api.problems import ERROR_RESPONSES, TooMany
from forewarn.domain.access import Principal
from forewarn.domain.errors import NotFound

router = APIRouter(tags=["live"], responses=ERROR_RESPONSES, route_class=GuardedRoute)
MOST_LISTENERS: Final = 1_000
MOST_OF_ONE: Final = 50
# By session; for the event loop's thread.
open_streams: Final[Counter[str]] = Counter()
_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


@router.get(
    "/api/v1/live",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def live(
    parts: Parts,
    request: Request,
    access: Access,
    asset_id: str | None = None,
    signals: Annotated[str | None, Query(max_length=20_000)] = None,
    last_event_id: Annotated[str | None, Header()] = None,
) -> StreamingResponse:
    """hello, readings, anomaly, alarm, lost; without filter every reading. Ends with the session. See docs/api.md."""
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
    who = principal_of(request)
    if open_streams[who.session_id] >= MOST_OF_ONE:
        raise TooMany(f"{MOST_OF_ONE} live streams of this session are open; close some")
    if parts.feed.listeners >= MOST_LISTENERS:
        raise TooMany(f"{MOST_LISTENERS:,} live streams are open, as many as a site carries; try again later")
    stream = parts.feed.stream(Filter(asset_id, wanted, parts.scope), last)
    stream = _while_standing(stream, access.book, who)
    return StreamingResponse(stream, media_type="text/event-stream", headers=_HEADERS)


async def _while_standing(
    stream: AsyncGenerator[bytes, None], book: AccessBook, listener: Principal
) -> AsyncGenerator[bytes, None]:
    """Nothing more is told to somebody who was signed out, revoked, or given other roles."""
    if open_streams[listener.session_id] >= MOST_OF_ONE:
        return  # many were asked for at once; the route looked before any of them began
    open_streams[listener.session_id] += 1
    try:
        async with contextlib.aclosing(stream):
            async for chunk in stream:
                if not book.stands(listener):
                    return
                yield chunk
    finally:
        open_streams[listener.session_id] -= 1
        if not open_streams[listener.session_id]:
            del open_streams[listener.session_id]
