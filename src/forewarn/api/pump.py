"""The specification's pump dialect: ten flat fields in, polled answers out."""

import time
from collections.abc import Sequence
from typing import Annotated, Any, Final

import msgspec
import numpy as np
import orjson
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from forewarn.api.body import read_body
from forewarn.api.gateway_names import spoken_by
from forewarn.api.guard import GuardedRoute, principal_of
from forewarn.api.instruments import Instruments
from forewarn.api.parts import ApiParts, Meters, Parts, parts_of
from forewarn.api.problems import ERROR_RESPONSES, UnsupportedMedia
from forewarn.api.pump_health import SystemHealth, system_health
from forewarn.api.simulation import SimulationView, command
from forewarn.api.telemetry import record_written, submit
from forewarn.api.telemetry_batch import CODE, Telemetry, digest_of
from forewarn.api.telemetry_json import time_us
from forewarn.api.times import Instant, text_of
from forewarn.contracts.anomaly_store import Anomaly, AnomalyQuery
from forewarn.domain.access import PrincipalKind
from forewarn.domain.assets import Signal
from forewarn.domain.errors import InvalidInput, NotFound
from forewarn.domain.findings import BY_CONDITION
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.verdicts import REASONS, Reason, Verdict
from forewarn.kit.clock import DAY
from forewarn.kit.numbers import finite

router = APIRouter(prefix="/api", tags=["pump dialect"], responses=ERROR_RESPONSES, route_class=GuardedRoute)
TEMPLATE: Final = "pump_dialect"
_ENVELOPE: Final = ("asset_id", "timestamp")
_NUMBER: Final[dict[str, Any]] = {"type": ["number", "null"]}
_REQUEST: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {"asset_id": {"type": "string"}, "timestamp": {"type": "string"}},
                    "additionalProperties": _NUMBER,
                }
            }
        },
    }
}


class FieldVerdict(BaseModel):
    field: str
    verdict: str
    reason: str


class IngestAnswer(BaseModel):
    status: str
    asset_id: str
    timestamp: Instant
    readings_accepted: int
    rejected: list[FieldVerdict]


def pump_of(parts: ApiParts, asset_id: str | None) -> tuple[str, Sequence[Signal]]:
    """The asset spoken for and its signals. Raises NotFound."""
    assets = parts.plant.assets
    chosen = parts.pump_asset if parts.pump_asset in assets or parts.scope.everywhere else None
    wanted = asset_id or chosen or next((a.id for a in assets.values() if a.template == TEMPLATE), None)
    if wanted is None:
        raise NotFound(f"the plant has no asset with template {TEMPLATE}; add one to the plant file or name asset_id")
    if wanted not in assets:
        raise NotFound(f"there is no asset {wanted!r}")
    return wanted, parts.plant.signals_of(wanted)


@router.post(
    "/ingest", status_code=202, response_model=IngestAnswer, openapi_extra=_REQUEST, summary="One flat set of readings"
)
async def ingest(request: Request) -> Response:
    """Each field is a signal of the asset; the answer comes once they are durable."""
    parts = parts_of(request)
    meters: Instruments = request.app.state.instruments
    started = time.perf_counter()
    fields = await _fields(request, parts)
    asset_id = fields.pop("asset_id", None)
    if asset_id is not None and not isinstance(asset_id, str):
        raise InvalidInput("asset_id must be text", field="asset_id")
    asset, signals = pump_of(parts, asset_id)
    at = _time(fields.pop("timestamp", None), parts.clock())
    if not fields:
        raise InvalidInput("the body holds no reading; send fields such as Motor_RPM", field="body")
    principal = principal_of(request)
    own = f"{principal.name}/" if principal.kind is PrincipalKind.MACHINE else ""
    telemetry = spoken_by(principal, _telemetry(signals, fields, at, f"{own}pump/{asset}"))
    await record_written(request, parts, telemetry)
    verdicts, appended = await submit(parts, meters, telemetry)
    meters.latencies.add(time.perf_counter() - started)
    refused = [
        {"field": telemetry.sensor_id(row), "verdict": "rejected", "reason": REASONS[verdicts.reason[row]].value}
        for row in np.flatnonzero(verdicts.verdict == Verdict.REJECTED).tolist()
    ]
    stored = 0 if appended.repeated else int(np.count_nonzero(verdicts.stored))
    status = "accepted" if not refused else "rejected" if len(refused) == len(fields) else "partial"
    answer = {
        "status": status,
        "asset_id": asset,
        "timestamp": text_of(at),
        "readings_accepted": stored,
        "rejected": refused,
    }
    return Response(orjson.dumps(answer), 202, media_type="application/json")


async def _fields(request: Request, parts: ApiParts) -> dict[str, Any]:
    media = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if media != "application/json":
        raise UnsupportedMedia(f"Content-Type {media!r} is not understood; send application/json")
    try:
        fields = msgspec.json.decode(await read_body(request, parts.max_body_bytes))
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidInput(f"the body is not JSON: {error}", field="body") from None
    except RecursionError:
        raise InvalidInput("the body is nested too deeply", field="body") from None
    if not isinstance(fields, dict):
        raise InvalidInput("the body must be an object of fields and numbers", field="body")
    return fields


def _time(given: object, now: int) -> int:
    try:
        return now if given is None else time_us(given)
    except ValueError:
        raise InvalidInput("timestamp is neither milliseconds nor RFC 3339", field="timestamp") from None


def _telemetry(signals: Sequence[Signal], fields: dict[str, Any], at: int, gateway: str) -> Telemetry:
    key_of = {signal.name: signal.key for signal in signals}
    n = len(fields)
    signal = np.array([key_of.get(name, 0) for name in fields], np.int32)
    value = np.full(n, np.nan)
    reason = np.zeros(n, np.uint8)
    for row, given in enumerate(fields.values()):
        if (number := finite(given)) is not None:
            value[row] = number
        else:
            reason[row] = CODE[Reason.NOT_A_NUMBER]
    reason[signal == 0] = CODE[Reason.UNKNOWN_SIGNAL]
    when = np.full(n, at, np.int64)
    batch = ReadingBatch(signal, when, value, np.zeros(n, np.uint32), gateway, digest_of(signal, when, value))
    names = list(fields)
    return Telemetry(batch, reason, names.__getitem__)


class LiveData(BaseModel):
    """sensors: latest value; sensor_states: NORMAL or ANOMALY; sensor_anomaly_counts: of the last 24 hours."""

    asset_id: str
    timestamp: Instant | None
    status: str
    sensors: dict[str, float | None]
    sensor_states: dict[str, str]
    sensor_anomaly_counts: dict[str, int]
    is_anomaly: bool
    anomalies: int


@router.get("/live-data")
def live_data(parts: Parts, asset_id: str | None = None) -> LiveData:
    """The latest readings and what is out of the ordinary."""
    asset, signals = pump_of(parts, asset_id)
    newest = parts.historian.latest(np.array(sorted(s.key for s in signals), np.int32))
    values = dict(zip(newest.signal.tolist(), newest.value.tolist(), strict=True))
    standing = [f for f in parts.anomalies.open_episodes() if f.asset_id == asset]
    abnormal = {f.signal_key for f in standing if f.detector != BY_CONDITION}
    abnormal |= {a.rule.signal_key for a in parts.alarms.find(None, asset, None) if a.status.active}
    day, _ = parts.anomalies.find(AnomalyQuery(asset_id=asset, start=parts.clock() - DAY, limit=1_000))
    counts = {s.name: sum(a.finding.signal_key == s.key for a in day) for s in signals}
    return LiveData(
        asset_id=asset,
        timestamp=text_of(int(newest.time.max())) if len(newest) else None,
        status="ANOMALY" if abnormal else "NORMAL",
        sensors={s.name: _finite(values.get(s.key)) for s in signals},
        sensor_states={s.name: "ANOMALY" if s.key in abnormal else "NORMAL" for s in signals},
        sensor_anomaly_counts=counts,
        is_anomaly=bool(abnormal),
        anomalies=len(day),
    )


def _finite(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None


class SensorHistory(BaseModel):
    """One row an instant, newest first: timestamp, machine_status and the fields measured then."""

    asset_id: str
    count: int
    readings: list[dict[str, str | float | None]]


@router.get("/sensor-history")
def sensor_history(
    parts: Parts, limit: Annotated[int, Query(ge=1, le=10_000)] = 100, asset_id: str | None = None
) -> SensorHistory:
    """The newest `limit` instants."""
    asset, signals = pump_of(parts, asset_id)
    name_of = {s.key: s.name for s in signals}
    now = parts.clock()
    raw = parts.historian.raw(np.array(sorted(name_of), np.int32), now - 30 * DAY, now + DAY, limit=limit)
    found, _ = parts.anomalies.find(AnomalyQuery(asset_id=asset, limit=1_000))
    instants = np.unique(raw.time)[::-1][:limit]
    table: dict[int, dict[str, str | float | None]] = {
        at: {"timestamp": text_of(at), "machine_status": _status_at(at, found)} for at in instants.tolist()
    }
    for key, at, value in zip(raw.signal.tolist(), raw.time.tolist(), raw.value.tolist(), strict=True):
        if at in table:
            table[at][name_of[key]] = _finite(value)
    return SensorHistory(asset_id=asset, count=len(table), readings=list(table.values()))


def _status_at(at: int, found: Sequence[Anomaly]) -> str:
    own = (a.finding for a in found if a.finding.detector != BY_CONDITION)
    return "ANOMALY" if any(f.started_at <= at <= f.last_at for f in own) else "NORMAL"


class PumpAnomaly(BaseModel):
    timestamp: Instant
    sensor_name: str
    value: float | None
    anomaly_score: float
    severity: str
    description: str
    resolved: bool


class AnomalyHistory(BaseModel):
    asset_id: str
    count: int
    anomalies: list[PumpAnomaly]


@router.get("/anomaly-history")
def anomaly_history(
    parts: Parts, limit: Annotated[int, Query(ge=1, le=1_000)] = 100, asset_id: str | None = None
) -> AnomalyHistory:
    """Newest first."""
    asset, signals = pump_of(parts, asset_id)
    name_of = {s.id: s.name for s in signals}
    found, _ = parts.anomalies.find(AnomalyQuery(asset_id=asset, limit=limit))
    rows = [
        PumpAnomaly(
            timestamp=text_of(a.finding.started_at),
            sensor_name=name_of.get(a.finding.signal_id, a.finding.signal_id),
            value=_finite(a.finding.value),
            anomaly_score=a.finding.score,
            severity=a.finding.severity.value.upper(),
            description=a.finding.reason,
            resolved=a.resolved_at is not None,
        )
        for a in found
    ]
    return AnomalyHistory(asset_id=asset, count=len(rows), anomalies=rows)


@router.get("/system-health")
def get_system_health(parts: Parts, meters: Meters) -> SystemHealth:
    """Queue, rates, latency, memory and processor."""
    return system_health(parts, meters)


@router.post("/start-simulation")
def start_simulation(parts: Parts, request: Request) -> SimulationView:
    """Start the simulated plant."""
    return command(parts, request, "start")


@router.post("/stop-simulation")
def stop_simulation(parts: Parts, request: Request) -> SimulationView:
    """Stop the simulated plant."""
    return command(parts, request, "stop")
