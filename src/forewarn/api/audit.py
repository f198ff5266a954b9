"""The audit log: who did what, read and exported."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any, Final, Self

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from forewarn.api.deeds import deed_of
from forewarn.api.guard import GuardedRoute
from forewarn.api.parts import Parts
from forewarn.api.problems import ERROR_RESPONSES
from forewarn.api.times import Instant, at_us, text_of
from forewarn.contracts.audit_log import AuditLog, AuditQuery
from forewarn.domain.audit import AuditAction, AuditEntry

router = APIRouter(prefix="/api/v1/audit", tags=["access"], responses=ERROR_RESPONSES, route_class=GuardedRoute)

_NDJSON: Final = "application/x-ndjson"
_STREAM: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "An entry a line", "content": {_NDJSON: {"schema": {"type": "string"}}}}
}
Sought = Annotated[str | None, Query(max_length=500)]


class AuditEntryView(BaseModel):
    """digest: HMAC over the entry and the digest of the one before it."""

    number: int
    at: Instant
    action: AuditAction
    actor: str
    target: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    address: str
    why: str
    trace_id: str
    digest: str

    @classmethod
    def of(cls, entry: AuditEntry) -> Self:
        deed = entry.deed
        return cls(
            number=entry.number,
            at=text_of(entry.at),
            action=deed.action,
            actor=deed.actor,
            target=deed.target,
            before=None if deed.before is None else dict(deed.before),
            after=None if deed.after is None else dict(deed.after),
            address=deed.address,
            why=deed.why,
            trace_id=deed.trace_id,
            digest=entry.digest,
        )


class AuditPage(BaseModel):
    """next: give it as `before` for the entries that follow; null at the log's beginning."""

    entries: list[AuditEntryView]
    next: int | None


def _query(
    action: Annotated[list[AuditAction] | None, Query()] = None,
    actor: Sought = None,
    text: Sought = None,
    start: str | None = None,
    end: str | None = None,
    before: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
) -> AuditQuery:
    begin, until = at_us(start, "start"), at_us(end, "end")
    return AuditQuery(tuple(action or ()), actor or None, text or None, begin, until, before)


Filters = Annotated[AuditQuery, Depends(_query)]


@router.get("")
def read_audit(parts: Parts, query: Filters, limit: Annotated[int, Query(ge=1, le=1_000)] = 100) -> AuditPage:
    """Newest first. `text` is looked for in actor, target and why."""
    found = parts.audit.find(replace(query, limit=limit + 1))
    page = [AuditEntryView.of(entry) for entry in found[:limit]]
    return AuditPage(entries=page, next=page[-1].number if len(found) > limit else None)


@router.get("/export", response_class=StreamingResponse, responses=_STREAM)
def export_audit(request: Request, parts: Parts, query: Filters) -> StreamingResponse:
    """Oldest first, a JSON object a line. The export is itself recorded; its own entry may be the last line."""
    entry = parts.audit.record(deed_of(request, AuditAction.AUDIT_EXPORTED, "audit log", after=_named(query)))
    # What is recorded while the export runs is not part of it: a busy site's export has an end.
    last = entry.number + 1 if query.before is None else min(query.before, entry.number + 1)
    lines = _lines(parts.audit, replace(query, before=last))
    headers = {"Content-Disposition": 'attachment; filename="forewarn-audit.ndjson"', "Cache-Control": "no-store"}
    return StreamingResponse(lines, media_type=_NDJSON, headers=headers)


def _named(query: AuditQuery) -> dict[str, object]:
    """The filters that are set."""
    given: dict[str, object] = {
        "action": [action.value for action in query.actions],
        "actor": query.actor,
        "text": query.text,
        "start": None if query.start is None else text_of(query.start),
        "end": None if query.end is None else text_of(query.end),
        "before": query.before,
    }
    return {name: value for name, value in given.items() if value not in (None, [])}


def _lines(audit: AuditLog, query: AuditQuery) -> Iterator[bytes]:
    for piece in audit.pieces(query):
        yield b"".join(AuditEntryView.of(entry).model_dump_json().encode() + b"\n" for entry in piece)
