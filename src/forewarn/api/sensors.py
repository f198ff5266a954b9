"""The specification's time series of one sensor."""

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, Final

import numpy as np
import orjson
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from forewarn.api.json_rows import instants, named, numbers, rows_json
from forewarn.api.parts import ApiParts, Parts
from forewarn.api.problems import ERROR_RESPONSES
from forewarn.api.read_route import ReadRoute
from forewarn.api.times import Instant, span_us, text_of
from forewarn.contracts.anomaly_store import AnomalyQuery
from forewarn.contracts.historian_reads import HistorianReads
from forewarn.domain.assets import Signal
from forewarn.domain.errors import InvalidInput, NotFound, WouldBlock
from forewarn.domain.findings import Severity
from forewarn.domain.series import Aggregates
from forewarn.domain.status import is_good, severity_name
from forewarn.kit.clock import DAY, HOUR, MINUTE, SECOND

router = APIRouter(prefix="/api/v1/sensors", tags=["readings"], responses=ERROR_RESPONSES, route_class=ReadRoute)
_UNITS: Final = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
_AGGREGATION: Final = re.compile(r"([1-9][0-9]{0,5})([smhd])")
_MOST_POINTS: Final = 100_000
_MOST_ANOMALIES: Final = 1_000
_FEW_ANOMALIES: Final = 20


class Point(BaseModel):
    """avg, min, max, stddev, count, good_share when aggregated; value, quality, quality_name when raw."""

    timestamp: Instant
    avg: float | None = None
    min: float | None = None
    max: float | None = None
    stddev: float | None = None
    count: int | None = None
    good_share: float | None = None
    value: float | None = None
    quality: int | None = None
    quality_name: str | None = None


class AnomalyPoint(BaseModel):
    timestamp: Instant
    value: float | None
    anomaly_score: float
    severity: Severity


class Statistics(BaseModel):
    overall_avg: float | None
    overall_min: float | None
    overall_max: float | None
    overall_stddev: float | None


class Timeseries(BaseModel):
    sensor_id: str
    unit: str
    aggregation: str
    data_points: int
    data: list[Point]
    anomalies: list[AnomalyPoint]
    statistics: Statistics


def bucket_us(aggregation: str) -> int | None:
    """Microseconds of `<n>s|m|h|d`; None for `raw`. Raises InvalidInput."""
    if aggregation == "raw":
        return None
    match = _AGGREGATION.fullmatch(aggregation)
    if match is None:
        raise InvalidInput(
            f"aggregation {aggregation[:20]!r} is neither raw nor like 30s, 1m, 2h, 1d", field="aggregation"
        )
    return int(match[1]) * _UNITS[match[2]]


@dataclass(frozen=True, slots=True)
class _Asked:
    """bucket: None = every reading."""

    sensor: Signal
    start: int
    end: int
    aggregation: str
    bucket: int | None


@router.get("/{sensor_id}/timeseries", response_model=Timeseries)
async def timeseries(
    sensor_id: str,
    parts: Parts,
    start: str | None = None,
    end: str | None = None,
    aggregation: Annotated[str, Query(max_length=20)] = "1m",
) -> Response:
    """Without start and end the last 24 hours. Statistics are of good readings only."""
    asked = _asked(parts, sensor_id, start, end, aggregation)
    # A file's readers wait for nobody; a database server's answer is a round trip away.
    if parts.database == "sqlite":
        with suppress(WouldBlock):
            return _answer(parts, parts.historian.at_once, asked, _FEW_ANOMALIES)
    return await run_in_threadpool(_answer, parts, parts.historian, asked, _MOST_ANOMALIES)


def _asked(parts: ApiParts, sensor_id: str, start: str | None, end: str | None, aggregation: str) -> _Asked:
    key = parts.plant.table.key_of.get(sensor_id)
    signal = parts.plant.table.signals[key] if key else None
    if signal is None:
        raise NotFound(f"there is no sensor {sensor_id!r}")
    first, last = span_us(start, end, parts.clock(), DAY)
    bucket = bucket_us(aggregation)
    if bucket is not None and (last - first) // bucket > _MOST_POINTS:
        raise InvalidInput(f"more than {_MOST_POINTS:,} points; choose a longer aggregation", field="aggregation")
    return _Asked(signal, first, last, aggregation, bucket)


def _answer(parts: ApiParts, historian: HistorianReads, asked: _Asked, most_anomalies: int) -> Response:
    points, data, statistics = _raw(historian, asked) if asked.bucket is None else _aggregated(historian, asked)
    answer = {
        "sensor_id": asked.sensor.id,
        "unit": asked.sensor.unit,
        "aggregation": asked.aggregation,
        "data_points": points,
        "data": data,
        "anomalies": _anomalies(parts, asked, most_anomalies),
        "statistics": statistics,
    }
    return Response(orjson.dumps(answer), media_type="application/json")


def _aggregated(historian: HistorianReads, asked: _Asked) -> tuple[int, orjson.Fragment, dict[str, float | None]]:
    keys = np.array([asked.sensor.key], np.int32)
    found = historian.aggregate(keys, asked.start, asked.end, asked.bucket or 1)
    # NaN becomes null: a bucket without a good reading says so.
    data = rows_json(
        {
            "timestamp": instants(found.start),
            "avg": numbers(found.mean),
            "min": numbers(found.minimum),
            "max": numbers(found.maximum),
            "stddev": numbers(found.stddev),
            "count": numbers(found.count),
            "good_share": numbers(np.round(found.good / found.count, 6)),
        }
    )
    return len(found), data, _overall(found)


def _overall(found: Aggregates) -> dict[str, float | None]:
    """Exact from the buckets' moments (Chan, Golub, LeVeque 1979)."""
    some = found.good > 0
    n, mean = found.good[some], found.mean[some]
    total = int(n.sum())
    if not total:
        return dict.fromkeys(Statistics.model_fields)
    overall = float((mean * n).sum() / total)
    within = np.where(n > 1, np.nan_to_num(found.stddev[some]) ** 2 * (n - 1), 0.0).sum()
    squares = within + (n * (mean - overall) ** 2).sum()
    return {
        "overall_avg": overall,
        "overall_min": float(found.minimum[some].min()),
        "overall_max": float(found.maximum[some].max()),
        "overall_stddev": float(np.sqrt(squares / (total - 1))) if total > 1 else None,
    }


def _raw(historian: HistorianReads, asked: _Asked) -> tuple[int, orjson.Fragment, dict[str, float | None]]:
    keys = np.array([asked.sensor.key], np.int32)
    raw = historian.raw(keys, asked.start, asked.end, limit=_MOST_POINTS + 1)
    if len(raw) > _MOST_POINTS:
        raise InvalidInput(f"more than {_MOST_POINTS:,} readings; shorten the span or aggregate", field="aggregation")
    data = rows_json(
        {
            "timestamp": instants(raw.time),
            "value": numbers(raw.value),
            "quality": numbers(raw.quality),
            "quality_name": named(raw.quality, severity_name),
        }
    )
    good = raw.value[is_good(raw.quality)]
    if not len(good):
        return len(raw), data, dict.fromkeys(Statistics.model_fields)
    return (
        len(raw),
        data,
        {
            "overall_avg": float(good.mean()),
            "overall_min": float(good.min()),
            "overall_max": float(good.max()),
            "overall_stddev": float(good.std(ddof=1)) if len(good) > 1 else None,
        },
    )


def _anomalies(parts: ApiParts, asked: _Asked, most: int) -> list[dict[str, Any]]:
    """The newest `_MOST_ANOMALIES`, oldest first; WouldBlock when `most` is less and there are more."""
    query = AnomalyQuery(signal_id=asked.sensor.id, start=asked.start, end=asked.end, limit=most)
    found, more = parts.anomalies.find(query)
    if more and most < _MOST_ANOMALIES:
        raise WouldBlock("this is much work")
    return [
        {
            "timestamp": text_of(a.finding.started_at),
            "value": a.finding.value,
            "anomaly_score": a.finding.score,
            "severity": a.finding.severity.value,
        }
        for a in reversed(found)
    ]
