"""Edge gateways for people: how each is doing, and raw readings on demand."""

import secrets
from typing import Annotated, Final

import anyio.to_thread
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from forewarn.api.deeds import deed_of
from forewarn.api.gateway_desk import desk_of
from forewarn.api.gateway_views import GatewayDetail, GatewaySummary, RawRequestView, detail, instant, summary
from forewarn.api.guard import LONGEST_REQUEST, GuardedRoute, principal_of
from forewarn.api.parts import Parts
from forewarn.api.problems import ERROR_RESPONSES
from forewarn.api.times import Instant, at_us, text_of
from forewarn.contracts.gateway_records import RawRequest
from forewarn.domain.audit import AuditAction
from forewarn.domain.errors import InvalidInput
from forewarn.kit.clock import DAY

router = APIRouter(
    prefix="/api/v1/gateways",
    tags=["gateways"],
    responses=ERROR_RESPONSES,
    route_class=GuardedRoute,
    max_body_size=LONGEST_REQUEST,
)
_JOURNAL: Final = 200
_REQUESTS: Final = 50
_UNKNOWN: Final = 100
_LONGEST_US: Final = 7 * DAY


class GatewayList(BaseModel):
    gateways: list[GatewaySummary]


class RequestList(BaseModel):
    requests: list[RawRequestView]


class NewRequest(BaseModel):
    """[start, end), a week at the most."""

    model_config = ConfigDict(extra="forbid")

    signals: Annotated[list[Annotated[str, Field(max_length=500)]], Field(min_length=1, max_length=1_000)]
    start: Instant
    end: Instant


@router.get("")
def list_gateways(parts: Parts, request: Request) -> GatewayList:
    """By name."""
    desk, now = desk_of(request), parts.clock()
    return GatewayList(gateways=[summary(record, desk, now) for record in parts.gateways.gateways()])


@router.get("/{gateway}")
def one_gateway(gateway: str, parts: Parts, request: Request) -> GatewayDetail:
    """One, with its connectors, its conditions and the newest of those that ended."""
    record = parts.gateways.gateway(gateway)
    table, journal = parts.plant.table, parts.gateways.conditions(gateway, _JOURNAL)
    unknown = [name for name in record.signals if name not in table.key_of][:_UNKNOWN]
    signals = (table.signals[table.key_of[name]] for name in record.signals if name in table.key_of)
    assets = {signal.asset_id for signal in signals if signal is not None}
    return detail(record, journal, unknown, desk_of(request), parts.clock(), assets)


@router.delete("/{gateway}", status_code=204)
async def retire_gateway(gateway: str, parts: Parts, request: Request) -> None:
    """Forget a gateway that is no more, with its conditions and requests; its findings are over, its readings stay. One
    that still speaks comes back with its next heartbeat: it is kept out by revoking its machine."""
    desk = desk_of(request)
    record = await anyio.to_thread.run_sync(parts.gateways.gateway, gateway)
    before = {"signals": len(record.signals), "last_seen": instant(record.last_seen)}
    deed = deed_of(request, AuditAction.COMMAND_GIVEN, f"gateway {gateway}", before=before, after={"retired": True})
    await anyio.to_thread.run_sync(desk.findings.retire, gateway, parts.clock())
    await anyio.to_thread.run_sync(parts.gateways.retire, gateway, deed)
    desk.retire(gateway, parts.edge)


@router.get("/{gateway}/requests")
def list_requests(gateway: str, parts: Parts) -> RequestList:
    """Raw readings that were asked for, newest first."""
    return RequestList(requests=[RawRequestView.of(r) for r in parts.gateways.requests(gateway, _REQUESTS)])


@router.post("/{gateway}/requests", status_code=201)
def ask_for_raw(gateway: str, body: NewRequest, parts: Parts, request: Request) -> RawRequestView:
    """Ask for what the gateway's ring holds in a span; it sends with its next heartbeats."""
    record, now = parts.gateways.gateway(gateway), parts.clock()
    start, end = at_us(body.start, "start"), at_us(body.end, "end")
    if start is None or end is None or not 0 <= start < end:
        raise InvalidInput("start and end are both needed, and start is before end", field="start")
    if end - start > _LONGEST_US:
        raise InvalidInput("at most 7 days are asked for at once", field="end")
    if strangers := sorted(set(body.signals) - set(record.signals)):
        raise InvalidInput(f"gateway {gateway} does not have {', '.join(strangers[:5])}", field="signals")
    signals = tuple(dict.fromkeys(body.signals))
    asked = RawRequest(secrets.token_hex(8), gateway, signals, start, end, principal_of(request).label, now)
    after = {"raw": len(signals), "signals": list(signals[:20]), "start": text_of(start), "end": text_of(end)}
    parts.gateways.ask(asked, deed_of(request, AuditAction.COMMAND_GIVEN, f"gateway {gateway}", after=after))
    return RawRequestView.of(asked)


@router.delete("/{gateway}/requests/{request_id}", status_code=204)
def cancel_request(gateway: str, request_id: str, parts: Parts, request: Request) -> None:
    """Ask no more for raw readings that have not come; what a gateway was told of already it may still send."""
    cancelled = deed_of(request, AuditAction.COMMAND_GIVEN, f"gateway {gateway}", after={"cancelled": request_id})
    parts.gateways.cancel(gateway, request_id, cancelled)
