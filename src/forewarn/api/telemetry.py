"""POST /api/v1/telemetry/batch: decode, judge, wait for the disk, answer with a verdict for every reading."""

import asyncio
import time
from typing import Any, Final

import anyio.to_thread
import numpy as np
import orjson
import structlog
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from forewarn.api.body import read_body
from forewarn.api.deeds import deed_of
from forewarn.api.edge_findings import findings_of, keep_found
from forewarn.api.gateway_names import shown, spoken_by
from forewarn.api.guard import GuardedRoute, principal_of
from forewarn.api.instruments import Instruments
from forewarn.api.parts import ApiParts, parts_of
from forewarn.api.problems import ERROR_RESPONSES, UnsupportedMedia
from forewarn.api.telemetry_arrow import MEDIA_TYPE, ArrowDecoder
from forewarn.api.telemetry_batch import Telemetry
from forewarn.api.telemetry_columns import JsonDecoder
from forewarn.api.times import text_of
from forewarn.contracts.batch_log import Appended
from forewarn.domain.access import PrincipalKind
from forewarn.domain.audit import AuditAction
from forewarn.domain.verdicts import REASONS, Verdict, Verdicts


class IngestRoute(GuardedRoute):
    """Calls the endpoint with nothing in between: FastAPI's own way there costs as much as decoding the body."""

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            await super().serve(scope, receive, send)
            return
        response: Response = await self.endpoint(Request(scope, receive))
        await response(scope, receive, send)


router = APIRouter(tags=["ingest"], responses=ERROR_RESPONSES, route_class=IngestRoute)
_log = structlog.get_logger("forewarn.api")
_MAX_LISTED: Final = 1_000
_NEXT_SYNC_MS: Final = 60_000
# A larger JSON body is decoded beside the loop, so that it does not hold up live events.
_LARGE: Final = 1 << 20


class ReadingVerdict(BaseModel):
    index: int
    sensor_id: str
    verdict: str
    reason: str


class BatchAnswer(BaseModel):
    """readings_accepted counts what is stored, late ones among them. batch_repeated: the gateway sent the very same
    batch before. sequence_reused: it used this number for other readings; these are stored all the same."""

    status: str
    readings_accepted: int
    anomalies_accepted: int
    next_sync: int
    late: int
    duplicate: int
    rejected: int
    anomalies_rejected: int
    batch_repeated: bool
    sequence_reused: bool
    verdicts: list[ReadingVerdict]
    verdicts_omitted: int


_TIMESTAMP: Final = {"anyOf": [{"type": "number"}, {"type": "string", "format": "date-time"}]}
_READING: Final = {
    "type": "object",
    "required": ["sensor_id", "timestamp"],
    "properties": {
        "sensor_id": {"type": "string"},
        "timestamp": _TIMESTAMP,
        "value": {"type": ["number", "null"]},
        "quality": {"anyOf": [{"type": "string", "enum": ["good", "uncertain", "bad"]}, {"type": "integer"}]},
    },
}
_ANOMALY: Final = {
    "type": "object",
    "required": ["sensor_id", "timestamp", "value", "anomaly_score"],
    "properties": {
        "sensor_id": {"type": "string"},
        "timestamp": _TIMESTAMP,
        "value": {"type": "number"},
        "anomaly_score": {"type": "number", "minimum": 0, "maximum": 1},
        "reason": {"type": "string"},
    },
}
_BODY: Final = {
    "type": "object",
    "required": ["gateway_id", "readings"],
    "properties": {
        "gateway_id": {"type": "string", "minLength": 1, "maxLength": 128},
        "timestamp": {"type": "integer"},
        "sequence": {"type": "integer", "minimum": 0},
        "readings": {"type": "array", "items": _READING},
        "anomalies": {"type": "array", "items": _ANOMALY},
    },
}
_REQUEST: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": _BODY},
            MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


@router.post(
    "/api/v1/telemetry/batch",
    status_code=202,
    response_model=BatchAnswer,
    openapi_extra=_REQUEST,
    summary="Ingest a batch of readings; answered once it is durable",
)
async def ingest_batch(request: Request) -> Response:
    parts = parts_of(request)
    meters: Instruments = request.app.state.instruments
    started = time.perf_counter()
    telemetry = spoken_by(principal_of(request), await _decode(request, parts))
    await record_written(request, parts, telemetry)
    findings, refused = findings_of(telemetry.anomalies, parts.plant.table, parts.clock())
    verdicts, appended = await submit(parts, meters, telemetry)
    await keep_found(parts, findings)
    meters.latencies.add(time.perf_counter() - started)
    answer = _answer(telemetry, verdicts, appended, parts.clock() // 1_000 + _NEXT_SYNC_MS)
    answer["anomalies_accepted"], answer["anomalies_rejected"] = len(findings), refused
    return Response(orjson.dumps(answer), 202, media_type="application/json")


async def _decode(request: Request, parts: ApiParts) -> Telemetry:
    media = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if media not in ("application/json", MEDIA_TYPE):
        raise UnsupportedMedia(f"Content-Type {media!r} is not understood; send application/json or {MEDIA_TYPE}")
    body = await read_body(request, parts.max_body_bytes)
    table = parts.plant.table
    if media == MEDIA_TYPE:
        arrow: ArrowDecoder = request.app.state.arrow
        headers = request.headers
        return arrow.decode(body, headers.get("forewarn-gateway"), headers.get("forewarn-sequence"), table)
    json: JsonDecoder = request.app.state.json
    if len(body) > _LARGE:
        return await anyio.to_thread.run_sync(json.decode, body, table)
    return json.decode(body, table)


async def record_written(request: Request, parts: ApiParts, telemetry: Telemetry) -> None:
    """What a person writes by hand is a deed; what a gateway sends is its work."""
    batch = telemetry.batch
    if principal_of(request).kind is PrincipalKind.MACHINE or not (len(batch) or telemetry.anomalies):
        return
    told: dict[str, object] = {"readings": len(batch), "findings": len(telemetry.anomalies)}
    if len(batch):
        told |= {"first": text_of(int(batch.time.min())), "last": text_of(int(batch.time.max()))}
    deed = deed_of(request, AuditAction.READINGS_WRITTEN, f"gateway {shown(batch.gateway)}", after=told)
    await anyio.to_thread.run_sync(parts.audit.record, deed)


async def submit(parts: ApiParts, meters: Instruments, telemetry: Telemetry) -> tuple[Verdicts, Appended]:
    """Through the door, and wait for the disk. Raises BatchLogFull, StorageFailed."""
    batch = telemetry.batch
    if not len(batch):
        none = np.empty(0, np.uint8)
        return Verdicts(none, none), Appended(0, False)
    submission = parts.door.submit(batch, telemetry.reason)
    appended = await asyncio.wrap_future(submission.appended)
    verdicts = submission.verdicts
    rejected = verdicts.count(Verdict.REJECTED)
    stored = 0 if appended.repeated else int(np.count_nonzero(verdicts.stored))
    meters.count(verdicts)
    meters.gateways.record(shown(batch.gateway), stored, rejected, parts.clock())
    return verdicts, appended


def _answer(telemetry: Telemetry, verdicts: Verdicts, appended: Appended, next_sync: int) -> dict[str, Any]:
    n = len(telemetry.batch)
    rejected, duplicate = verdicts.count(Verdict.REJECTED), verdicts.count(Verdict.DUPLICATE)
    late = verdicts.count(Verdict.LATE)
    if appended.repeated:
        late, duplicate = 0, n - rejected
    listed = np.flatnonzero(verdicts.verdict)
    return {
        "status": "accepted" if not rejected else "rejected" if rejected == n else "partial",
        "readings_accepted": n - rejected - duplicate,
        "next_sync": next_sync,
        "late": late,
        "duplicate": duplicate,
        "rejected": rejected,
        "batch_repeated": appended.repeated,
        "sequence_reused": appended.renamed,
        "verdicts": [_listed(telemetry, verdicts, int(row)) for row in listed[:_MAX_LISTED]],
        "verdicts_omitted": max(0, len(listed) - _MAX_LISTED),
    }


def _listed(telemetry: Telemetry, verdicts: Verdicts, row: int) -> dict[str, object]:
    return {
        "index": row,
        "sensor_id": telemetry.sensor_id(row),
        "verdict": Verdict(verdicts.verdict[row]).name.lower(),
        "reason": REASONS[verdicts.reason[row]].value,
    }
