"""The server itself: sizes, rates, and whether it lives."""

from collections.abc import Callable
from typing import Final

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from forewarn.api.guard import GuardedRoute
from forewarn.api.parts import ApiParts, Meters, Parts, lag_s
from forewarn.api.problems import ERROR_RESPONSES
from forewarn.api.pump_health import free_bytes, resident_bytes, total_rate
from forewarn.api.times import Instant, text_of

router = APIRouter(tags=["operation"], responses=ERROR_RESPONSES, route_class=GuardedRoute)
_MOST_LAG_S: Final = 60.0
_FULL: Final = 0.95
_LEAST_FREE: Final = 256 << 20


class Queue(BaseModel):
    batches: int
    bytes: int
    capacity_bytes: int
    behind: dict[str, int]


class HistorianView(BaseModel):
    segments: int
    rollup_files: int
    bytes: int
    readings: int
    tail_readings: int


class System(BaseModel):
    version: str
    started_at: Instant
    uptime_s: float
    readings_total: int
    rate: float
    queue: Queue
    historian: HistorianView
    resident_bytes: int
    disk_free_bytes: int
    database: str


class Check(BaseModel):
    name: str
    ok: bool
    detail: str


class Readiness(BaseModel):
    status: str
    checks: list[Check]


@router.get("/api/v1/system")
def get_system(parts: Parts, meters: Meters) -> System:
    """Sizes and rates."""
    depth, size, now = parts.log.depth(), parts.historian.size(), parts.clock()
    return System(
        version=parts.version,
        started_at=text_of(meters.started_at),
        uptime_s=(now - meters.started_at) / 1e6,
        readings_total=size.readings + size.tail_readings,
        rate=total_rate(parts, meters),
        queue=Queue(batches=depth.batches, bytes=depth.bytes, capacity_bytes=depth.capacity_bytes, behind=depth.behind),
        historian=HistorianView(
            segments=size.segments,
            rollup_files=size.rollup_files,
            bytes=size.bytes,
            readings=size.readings,
            tail_readings=size.tail_readings,
        ),
        resident_bytes=resident_bytes(),
        disk_free_bytes=free_bytes(parts.directory),
        database=parts.database,
    )


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process lives."""
    return {"status": "ok"}


def _log_writable(parts: ApiParts) -> str:
    depth = parts.log.depth()
    if depth.bytes >= _FULL * depth.capacity_bytes:
        raise RuntimeError(
            "the batch log is full or nearly so; see what holds the line up, or raise FOREWARN_LOG_CAPACITY_MIB"
        )
    free = free_bytes(parts.directory)
    if free < _LEAST_FREE:
        raise RuntimeError(f"only {free >> 20} MiB are free on the disk of {parts.directory}")
    return f"{depth.bytes} of {depth.capacity_bytes} bytes used"


def _catalog(parts: ApiParts) -> str:
    parts.catalog_alive()
    return "answers"


def _line(parts: ApiParts) -> str:
    line = parts.line_health()
    if not line.running:
        raise RuntimeError(line.last_error or "the line does not run; see the log")
    if line.last_error:
        raise RuntimeError(line.last_error)
    lag = lag_s(line, parts.clock())
    if lag > _MOST_LAG_S:
        raise RuntimeError(f"the line has not moved for {lag:.0f} s and is {line.behind} batches behind")
    return f"{line.behind} batches behind"


_CHECKS: Final[tuple[tuple[str, Callable[[ApiParts], str]], ...]] = (
    ("log", _log_writable),
    ("catalog", _catalog),
    ("line", _line),
)


def _checked(name: str, check: Callable[[ApiParts], str], parts: ApiParts) -> Check:
    try:
        return Check(name=name, ok=True, detail=check(parts))
    except Exception as error:
        return Check(name=name, ok=False, detail=str(error).splitlines()[0] if str(error) else type(error).__name__)


@router.get("/readyz", responses={503: {"model": Readiness}})
def readyz(parts: Parts, response: Response) -> Readiness:
    """Log writable, catalog reachable, line keeps up; 503 names what fails."""
    checks = [_checked(name, check, parts) for name, check in _CHECKS]
    ready = all(check.ok for check in checks)
    response.status_code = 200 if ready else 503
    return Readiness(status="ready" if ready else "not ready", checks=checks)


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics(meters: Meters) -> Response:
    """Prometheus text format."""
    return Response(generate_latest(meters.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})
