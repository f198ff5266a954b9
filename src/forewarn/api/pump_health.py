"""The pump dialect's performance metrics."""

from pathlib import Path
from typing import Final

import psutil
from pydantic import BaseModel

from forewarn.api.instruments import Instruments
from forewarn.api.parts import ApiParts, lag_s

_process: Final = psutil.Process()


class Latency(BaseModel):
    """Request to durable acknowledgement, the last 4,096 requests, milliseconds."""

    p50_ms: float
    p95_ms: float
    p99_ms: float


class SystemHealth(BaseModel):
    """memory_bytes: resident. cpu_percent: of one core, since the last call."""

    status: str
    queue_depth: int
    queue_bytes: int
    processing_lag_s: float
    readings_total: int
    readings_per_second: float
    ingest_latency: Latency | None
    memory_bytes: int
    cpu_percent: float
    uptime_s: float
    detail: str


def resident_bytes() -> int:
    return int(_process.memory_info().rss)


def free_bytes(directory: Path) -> int:
    return int(psutil.disk_usage(str(directory)).free)


def total_rate(parts: ApiParts, meters: Instruments) -> float:
    """Readings per second of every source."""
    return sum(meters.rates.of(s) for s in [*parts.sources.statuses(), *meters.gateways.statuses(parts.clock())])


def system_health(parts: ApiParts, meters: Instruments) -> SystemHealth:
    line, depth, size = parts.line_health(), parts.log.depth(), parts.historian.size()
    quantiles = meters.latencies.quantiles()
    latency = None
    if quantiles is not None:
        p50, p95, p99 = (1e3 * q for q in quantiles)
        latency = Latency(p50_ms=p50, p95_ms=p95, p99_ms=p99)
    return SystemHealth(
        status="healthy" if line.running and not line.last_error else "degraded",
        queue_depth=line.behind,
        queue_bytes=depth.bytes,
        processing_lag_s=lag_s(line, parts.clock()),
        readings_total=size.readings + size.tail_readings,
        readings_per_second=total_rate(parts, meters),
        ingest_latency=latency,
        memory_bytes=resident_bytes(),
        cpu_percent=_process.cpu_percent(),
        uptime_s=(parts.clock() - meters.started_at) / 1e6,
        detail=line.last_error,
    )
