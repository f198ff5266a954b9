"""What edge gateways send (docs/formats/uplink.md): signal table, parcels, heartbeat, lease. Machines only."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Final

import anyio.to_thread
import msgspec
import numpy as np
import orjson
from fastapi import APIRouter, Request, Response
from numpy.typing import NDArray
from pydantic import BaseModel

from forewarn.api.body import read_as_sent, read_body
from forewarn.api.edge_findings import keep_found, told_findings
from forewarn.api.gateway_desk import GatewayDesk, desk_of
from forewarn.api.gateway_minutes import admit_minutes
from forewarn.api.gateway_parcels import decode_minutes, decode_readings, inflate, is_large
from forewarn.api.gateway_status import decoded, status_of
from forewarn.api.gateway_tables import TooEarly, ids_of, table_name
from forewarn.api.gateway_tallies import told_models
from forewarn.api.guard import principal_of
from forewarn.api.parts import ApiParts, parts_of
from forewarn.api.problems import ERROR_RESPONSES, UnsupportedMedia
from forewarn.api.telemetry import IngestRoute, submit
from forewarn.api.telemetry_batch import Telemetry
from forewarn.contracts.batch_log import Appended
from forewarn.contracts.gateway_leases import Missing
from forewarn.contracts.parcels import ParcelKind
from forewarn.domain.access import PrincipalKind, Scope
from forewarn.domain.errors import InvalidInput, NotAllowed
from forewarn.domain.findings import Finding
from forewarn.domain.gateways import GatewayStatus
from forewarn.domain.model_delivery import Tally, WantedModels
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.verdicts import REASONS, Verdict, Verdicts
from forewarn.kit.clock import DAY, SECOND, to_rfc3339

router = APIRouter(prefix="/api/v1/gateways", tags=["gateways"], responses=ERROR_RESPONSES, route_class=IngestRoute)
_LONGEST_NUMBER: Final = 19
_LATEST: Final = 253_402_300_800_000_000
_AHEAD_US: Final = 300 * SECOND
_WORTH_WAITING_US: Final = DAY


class UnknownSignals(BaseModel):
    """unknown: ids that the site's plant does not have, or that the key may not write."""

    unknown: list[str]


class ParcelAnswer(BaseModel):
    """Rows by verdict; reasons: of the rejected ones. repeated: the very same parcel was here before."""

    accepted: int
    late: int
    duplicate: int
    rejected: int
    reasons: dict[str, int]
    repeated: bool


class AskedRaw(BaseModel):
    """start, end: microseconds UTC, [start, end)."""

    id: str
    signals: list[str]
    start: int
    end: int


class HeartbeatAnswer(BaseModel):
    """time: the site's clock, microseconds UTC. requests: until they are told to be done. models: a name for what
    `GET .../models` answers now. held: the name of what the gateway told last of the models that it holds, empty where
    that is not known here. drift: the number of the newest that it told of how its machines drift, 0 where that is not
    known here."""

    time: int
    requests: list[AskedRaw]
    models: str
    held: str
    drift: int


class LeaseAnswer(BaseModel):
    """Times in microseconds UTC: until by the site's clock, the others of the sources. missing_by_others: (source,
    start, end), both exclusive."""

    holder: str
    until: int
    epoch: int
    cover_from: int
    covered_by_others: list[tuple[int, int]]
    missing_by_others: list[tuple[str, int, int]]


_Time = Annotated[int, msgspec.Meta(ge=0, lt=_LATEST)]
# PostgreSQL keeps no NUL in a text.
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]


class _Claim(msgspec.Struct):
    group: _Name
    covered_until: _Time
    seconds: Annotated[float, msgspec.Meta(ge=1, le=600)]
    missing: Annotated[tuple[tuple[_Name, _Time, _Time | None], ...], msgspec.Meta(max_length=1_000)] = ()
    missing_until: _Time | msgspec.UnsetType = msgspec.UNSET


class _SignalTable(msgspec.Struct):
    table: Annotated[str, msgspec.Meta(max_length=64)]
    signals: dict[str, str]


def _body(schema: dict[str, Any], media: str = "application/json") -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {media: {"schema": schema}}}}


_SIGNALS: Final = {
    "type": "object",
    "required": ["table", "signals"],
    "properties": {
        "table": {"type": "string"},
        "signals": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}
_CLAIM: Final = {
    "type": "object",
    "required": ["group", "covered_until", "seconds"],
    "properties": {
        "group": {"type": "string", "minLength": 1, "maxLength": 200},
        "covered_until": {"type": "integer", "minimum": 0},
        "seconds": {"type": "number", "minimum": 1, "maximum": 600},
        "missing": {
            "type": "array",
            "maxItems": 1_000,
            "items": {
                "type": "array",
                "prefixItems": [
                    {"type": "string", "minLength": 1, "maxLength": 200},
                    {"type": "integer", "minimum": 0},
                    {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}]},
                ],
                "minItems": 3,
                "maxItems": 3,
            },
        },
        "missing_until": {"type": "integer", "minimum": 0},
    },
}


@router.put(
    "/{gateway}/signals",
    response_model=UnknownSignals,
    openapi_extra=_body(_SIGNALS),
    summary="A gateway's signal table",
)
async def put_signals(request: Request) -> Response:
    gateway = request.path_params["gateway"]
    parts, desk = speaker(request, gateway), desk_of(request)
    given = decoded(await read_body(request, parts.max_body_bytes), _SignalTable)
    ids = ids_of(given.signals)
    if given.table != table_name(ids):
        raise InvalidInput(
            f"the table is called {given.table!r}, but its signals make {table_name(ids)!r}", field="table"
        )
    desk.tables.put(gateway, given.table, ids)
    _, keys = desk.tables.newest(gateway, parts.plant.table)
    scored = desk.scored(gateway, ids, keys, parts.edge)
    await anyio.to_thread.run_sync(parts.gateways.keep_signals, gateway, given.table, ids, scored)
    return _answer({"unknown": [ids[i] for i in np.flatnonzero(keys[1:] == 0).tolist()]})


@router.post(
    "/{gateway}/parcels/{number}",
    response_model=ParcelAnswer,
    openapi_extra=_body({"type": "string", "format": "binary"}, "application/octet-stream"),
    summary="One parcel of a gateway; answered once it is durable",
)
async def take_parcel(request: Request) -> Response:
    gateway = request.path_params["gateway"]
    parts = speaker(request, gateway)
    number = _number(request.path_params["number"])
    if request.headers.get("content-encoding", "").strip().lower() != "zstd":
        raise UnsupportedMedia("a parcel is one zstd frame: send Content-Encoding: zstd")
    _check_clock(request.headers.get("forewarn-newest", ""), parts)
    body = await read_as_sent(request, parts.max_body_bytes)
    kind = request.headers.get("forewarn-parcel", "")
    if kind == ParcelKind.READINGS:
        return await _take_readings(request, parts, gateway, number, body)
    if kind == ParcelKind.FINDINGS:
        return await _take_findings(parts, body)
    if kind == ParcelKind.MINUTES:
        return await _take_minutes(request, parts, gateway, body)
    raise InvalidInput(f"a parcel of kind {kind!r}; known are {', '.join(ParcelKind)}", field="forewarn-parcel")


def _check_clock(newest: str, parts: ApiParts) -> None:
    """A gateway that says how new its parcel is keeps one that comes from our future: its clock or ours is wrong, and
    what we rejected for that would be lost. Beyond a day rows are rejected by name. Raises TooEarly."""
    at = int(newest) if newest.isascii() and newest.isdigit() and len(newest) <= _LONGEST_NUMBER else 0
    now = parts.clock()
    if parts.future_us < at - now <= _WORTH_WAITING_US:
        ahead_s = (at - now) / SECOND
        raise TooEarly(f"its newest reading is {ahead_s:,.0f} s ahead of this site's clock, {to_rfc3339(now)}")


async def _take_readings(request: Request, parts: ApiParts, gateway: str, number: int, body: bytes) -> Response:
    keys = await _keys(request, parts, gateway)
    if is_large(body):
        rows = await anyio.to_thread.run_sync(decode_readings, body, parts.max_body_bytes)
    else:
        rows = decode_readings(body, parts.max_body_bytes)
    signal = _looked_up(keys, rows.signal)
    batch = ReadingBatch(signal, rows.time, rows.value, rows.quality, gateway, number)
    verdicts, appended = await submit(parts, request.app.state.instruments, Telemetry(batch, None, lambda row: ""))
    stored = rows.time[verdicts.verdict < Verdict.REJECTED]
    desk_of(request).told_until(gateway, int(stored.max(initial=0)))
    return _answer(_counts(verdicts, appended))


def _counts(verdicts: Verdicts, appended: Appended) -> dict[str, object]:
    n = len(verdicts.verdict)
    by_verdict = np.bincount(verdicts.verdict, minlength=len(Verdict)).tolist()
    rejected = by_verdict[Verdict.REJECTED]
    reasons: dict[str, int] = {}
    if rejected:
        told = np.bincount(verdicts.reason[verdicts.verdict == Verdict.REJECTED])
        reasons = {REASONS[code].value: int(told[code]) for code in np.flatnonzero(told)}
    if appended.repeated:
        by_verdict = [0, 0, n - rejected, rejected]
    return {
        "accepted": by_verdict[Verdict.ACCEPTED],
        "late": by_verdict[Verdict.LATE],
        "duplicate": by_verdict[Verdict.DUPLICATE],
        "rejected": rejected,
        "reasons": reasons,
        "repeated": appended.repeated,
    }


async def _keys(request: Request, parts: ApiParts, gateway: str) -> NDArray[np.int32]:
    """Ours by the gateway's, of the table that the parcel names. Raises SignalTableUnknown."""
    desk = desk_of(request)
    await desk.load(gateway, parts.gateways)
    return desk.tables.keys(gateway, request.headers.get("forewarn-signals", ""), parts.plant.table)


def _looked_up(keys: NDArray[np.int32], signal: NDArray[np.integer[Any]]) -> NDArray[np.int32]:
    if len(signal) and not 0 < int(signal.min()) <= int(signal.max()) < len(keys):
        raise InvalidInput(f"column signal: keys are 1 to {len(keys) - 1} in this signal table", field="signal")
    ours: NDArray[np.int32] = keys[signal]
    return ours


async def _take_minutes(request: Request, parts: ApiParts, gateway: str, body: bytes) -> Response:
    keys = await _keys(request, parts, gateway)
    told = await anyio.to_thread.run_sync(decode_minutes, body, parts.max_body_bytes)
    minutes, reasons = admit_minutes(replace(told, signal=_looked_up(keys, told.signal)), parts.clock())
    fresh = await anyio.to_thread.run_sync(parts.historian.append_minutes, minutes) if len(minutes) else 0
    rejected = sum(reasons.values())
    return _answer(
        {
            "accepted": fresh,
            "late": 0,
            "duplicate": len(minutes) - fresh,
            "rejected": rejected,
            "reasons": reasons,
            "repeated": bool(len(minutes)) and not fresh,
        }
    )


async def _take_findings(parts: ApiParts, body: bytes) -> Response:
    # Beside the loop: the body is bounded, but a thousand findings are a thousand objects.
    findings, reasons = await anyio.to_thread.run_sync(_read_findings, parts, body)
    fresh = await keep_found(parts, findings)
    rejected = sum(reasons.values())
    return _answer(
        {
            "accepted": fresh,
            "late": 0,
            "duplicate": len(findings) - fresh,
            "rejected": rejected,
            "reasons": reasons,
            "repeated": bool(findings) and not fresh,
        }
    )


def _read_findings(parts: ApiParts, body: bytes) -> tuple[list[Finding], dict[str, int]]:
    return told_findings(inflate(body, parts.max_body_bytes), parts.plant.table, parts.clock())


@router.post(
    "/{gateway}/heartbeat",
    response_model=HeartbeatAnswer,
    openapi_extra=_body({"type": "object"}),
    summary="How a gateway is; answered with what the site wants of it",
)
async def beat(request: Request) -> Response:
    gateway = request.path_params["gateway"]
    parts, desk = speaker(request, gateway), desk_of(request)
    body = await read_body(request, parts.max_body_bytes)
    status, done = status_of(body, gateway)
    tallies, held, drift = told_models(body)
    await desk.load(gateway, parts.gateways)
    asked = await anyio.to_thread.run_sync(parts.gateways.beat, status, done)
    await _vouch(parts, desk, status)
    await desk.follow(status, parts.plant, parts.clock())
    requests = [{"id": r.id, "signals": r.signals, "start": r.start, "end": r.end} for r in asked]
    collected = desk.collects(gateway, parts.plant)
    wanted = await anyio.to_thread.run_sync(_models, parts, gateway, collected, tallies)
    known = desk.told_models(gateway, wanted, held, parts.clock())
    # A clock far ahead must not make a judgement the newest for good.
    newest = desk.told_drift(gateway, drift, frozenset(collected), parts.plant, parts.clock() + parts.future_us)
    told = {"models": wanted.revision, "held": known, "drift": newest}
    return _answer({"time": parts.clock(), "requests": requests, **told})


def _models(parts: ApiParts, gateway: str, collected: Sequence[str], tallies: Sequence[Tally]) -> WantedModels:
    """What it has seen of models that are tried is kept; which ones it should hold now."""
    if tallies:
        parts.delivery.tell(gateway, tallies, collected)
    return parts.delivery.wanted(collected)


async def _vouch(parts: ApiParts, desk: GatewayDesk, status: GatewayStatus) -> None:
    """Tell the line which signals live, and which are scored out there."""
    ids, keys = desk.tables.newest(status.name, parts.plant.table)
    desk.noted(status, parts.clock())
    if not ids:
        return
    desk.vouch(status, ids, keys, parts.edge, parts.clock())
    kept = desk.told(status.name, keys)
    scored = desk.scored(status.name, ids, keys, parts.edge)
    if not kept:
        await anyio.to_thread.run_sync(parts.gateways.keep_scored, status.name, scored)


@router.post(
    "/{gateway}/lease",
    response_model=LeaseAnswer,
    openapi_extra=_body(_CLAIM),
    summary="Ask to be, or to stay, the one of a standby pair that collects",
)
async def claim_lease(request: Request) -> Response:
    gateway = request.path_params["gateway"]
    parts = speaker(request, gateway)
    claim = decoded(await read_body(request, parts.max_body_bytes), _Claim)
    # A clock far ahead must not make the partner leave out what nobody has told yet.
    covered = min(claim.covered_until, parts.clock() + _AHEAD_US)
    group, length_us = _group(claim.group, parts.scope), int(claim.seconds * SECOND)
    lease = await anyio.to_thread.run_sync(
        parts.leases.claim, group, gateway, covered, length_us, desk_of(request).newest, _missing(claim)
    )
    return _answer(msgspec.to_builtins(lease))


def _missing(claim: _Claim) -> Missing:
    for row, (source, start, end) in enumerate(claim.missing):
        if end is not None and end <= start:
            text = f"missing[{row}], source {source!r}: it ends at {end} and starts at {start}; leave out what is empty"
            raise InvalidInput(text, field="missing")
    return Missing(claim.missing, None if claim.missing_until is msgspec.UNSET else claim.missing_until)


def _group(name: str, scope: Scope) -> str:
    """A group is among those who may write the same part of the plant: no key of another hall takes its lease."""
    return name if scope.everywhere else "\t".join((*scope.paths, name))


def speaker(request: Request, gateway: str) -> ApiParts:
    """Raises NotAllowed unless the gateway itself asks."""
    principal = principal_of(request)
    if principal.kind is not PrincipalKind.MACHINE or principal.name != gateway:
        raise NotAllowed(f"only the key of gateway {gateway!r} speaks for it; this is {principal.label}")
    return parts_of(request)


def _number(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER else 0
    if not 1 <= number < 1 << 63:
        raise InvalidInput("a parcel's number is an integer from 1 to 2^63-1", field="number")
    return number


def _answer(content: object) -> Response:
    return Response(orjson.dumps(content), media_type="application/json")
