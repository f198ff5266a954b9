"""The specification's time series of one sensor."""

import re
from typing import Annotated, Any, Final

import numpy as np
import orjson
from fastapi import APIRouter, Query, Response
from numpy.typing import NDArray
from pydantic import BaseModel

from forewarn.api.parts import ApiParts, Parts
from forewarn.api.problems import ERROR_RESPONSES
from forewarn.api.times import Instant, span_us, text_of
from forewarn.contracts.anomaly_store import AnomalyQuery
from forewarn.domain.errors import InvalidInput, NotFound
from forewarn.domain.findings import Severity
from forewarn.domain.series import Aggregates
from forewarn.domain.status import is_good, severity_name
from forewarn.kit.clock import DAY, HOUR, MINUTE, SECOND

router = APIRouter(prefix="/api/v1/sensors", tags=["readings"], responses=ERROR_RESPONSES)
_UNITS: Final = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
_AGGREGATION: Final = re.compile(r"([1-9][0-9]{0,5})([smhd])")
_MOST_POINTS: Final = 100_000
_MOST_ANOMALIES: Final = 1_000


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


@router.get("/{sensor_id}/timeseries", response_model=Timeseries)
def timeseries(
    sensor_id: str,
    parts: Parts,
    start: str | None = None,
    end: str | None = None,
    aggregation: Annotated[str, Query(max_length=20)] = "1m",
) -> Response:
    """Without start and end the last 24 hours. Statistics are of good readings only."""
    key = parts.plant.table.key_of.get(sensor_id)
    signal = parts.plant.table.signals[key] if key else None
    if key is None or signal is None:
        raise NotFound(f"there is no sensor {sensor_id!r}")
    first, last = span_us(start, end, parts.clock(), DAY)
    bucket = bucket_us(aggregation)
    if bucket is not None and (last - first) // bucket > _MOST_POINTS:
        raise InvalidInput(f"more than {_MOST_POINTS:,} points; choose a longer aggregation", field="aggregation")
    keys = np.array([key], np.int32)
    data, statistics = (
        _raw(parts, keys, first, last) if bucket is None else _aggregated(parts, keys, first, last, bucket)
    )
    answer = {
        "sensor_id": sensor_id,
        "unit": signal.unit,
        "aggregation": aggregation,
        "data_points": len(data),
        "data": data,
        "anomalies": _anomalies(parts, sensor_id, first, last),
        "statistics": statistics,
    }
    return Response(orjson.dumps(answer), media_type="application/json")


def _aggregated(
    parts: ApiParts, keys: NDArray[np.int32], start: int, end: int, bucket: int
) -> tuple[list[dict[str, Any]], dict[str, float | None]]:
    found = parts.historian.aggregate(keys, start, end, bucket)
    rows = zip(
        found.start.tolist(),
        found.mean.tolist(),
        found.minimum.tolist(),
        found.maximum.tolist(),
        found.stddev.tolist(),
        found.count.tolist(),
        found.good.tolist(),
        strict=True,
    )
    # orjson writes NaN as null: a bucket without a good reading says so.
    data = [
        {
            "timestamp": text_of(at),
            "avg": mean,
            "min": low,
            "max": high,
            "stddev": deviation,
            "count": count,
            "good_share": round(good / count, 6) if count else 0.0,
        }
        for at, mean, low, high, deviation, count, good in rows
    ]
    return data, _overall(found)


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


def _raw(
    parts: ApiParts, keys: NDArray[np.int32], start: int, end: int
) -> tuple[list[dict[str, Any]], dict[str, float | None]]:
    raw = parts.historian.raw(keys, start, end, limit=_MOST_POINTS + 1)
    if len(raw) > _MOST_POINTS:
        raise InvalidInput(f"more than {_MOST_POINTS:,} readings; shorten the span or aggregate", field="aggregation")
    rows = zip(raw.time.tolist(), raw.value.tolist(), raw.quality.tolist(), strict=True)
    data = [
        {"timestamp": text_of(at), "value": value, "quality": code, "quality_name": severity_name(code)}
        for at, value, code in rows
    ]
    good = raw.value[is_good(raw.quality)]
    if not len(good):
        return data, dict.fromkeys(Statistics.model_fields)
    return data, {
        "overall_avg": float(good.mean()),
        "overall_min": float(good.min()),
        "overall_max": float(good.max()),
        "overall_stddev": float(good.std(ddof=1)) if len(good) > 1 else None,
    }


def _anomalies(parts: ApiParts, sensor_id: str, start: int, end: int) -> list[dict[str, Any]]:
    found, _ = parts.anomalies.find(AnomalyQuery(signal_id=sensor_id, start=start, end=end, limit=_MOST_ANOMALIES))
    return [
        {
            "timestamp": text_of(a.finding.started_at),
            "value": a.finding.value,
            "anomaly_score": a.finding.score,
            "severity": a.finding.severity.value,
        }
        for a in reversed(found)
    ]
