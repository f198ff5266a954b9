"""Readings for charts, and as a file."""

import tempfile
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import orjson
from fastapi import APIRouter, Query, Response
from fastapi.responses import FileResponse
from numpy.typing import NDArray
from pydantic import BaseModel
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool

from forewarn.api.chart_columns import ChartColumns, chart_columns
from forewarn.api.parts import ApiParts, Parts
from forewarn.api.problems import ERROR_RESPONSES
from forewarn.api.read_route import ReadRoute
from forewarn.api.times import Instant, span_us, text_of
from forewarn.contracts.historian_reads import HistorianReads
from forewarn.domain.errors import InvalidInput, NotFound, WouldBlock
from forewarn.domain.series import Series
from forewarn.domain.signal_table import SignalTable
from forewarn.domain.status import is_bad
from forewarn.kit.clock import HOUR, MINUTE

router = APIRouter(prefix="/api/v1", tags=["readings"], responses=ERROR_RESPONSES, route_class=ReadRoute)
PARQUET: Final = "application/vnd.apache.parquet"
_MOST_SIGNALS: Final = 50
_MOST_EXPORTED: Final = 1_000
_MOST_RAW: Final = 2_000_000
_SURELY_RAW_US: Final = HOUR


class SignalSeries(BaseModel):
    signal_id: str
    time_ms: list[int]
    value: list[float | None]
    bad: list[tuple[int, int]]
    total: int
    downsampled: bool


class SeriesAnswer(BaseModel):
    start: Instant
    end: Instant
    series: list[SignalSeries]


def keys_of(table: SignalTable, signals: str, most: int) -> list[tuple[str, int]]:
    """(id, key) of the comma-separated ids, each once. Raises InvalidInput, NotFound."""
    ids = list(dict.fromkeys(word for word in signals.split(",") if word))
    if not 1 <= len(ids) <= most:
        raise InvalidInput(f"signals must name 1 to {most} signals, comma-separated; got {len(ids)}", field="signals")
    unknown = [i for i in ids if i not in table.key_of]
    if unknown:
        raise NotFound(f"there is no signal {unknown[0]!r}")
    return [(i, table.key_of[i]) for i in ids]


@router.get("/series", response_model=SeriesAnswer)
async def get_series(
    parts: Parts,
    signals: str,
    start: str | None = None,
    end: str | None = None,
    points: Annotated[int, Query(ge=10, le=20_000)] = 1_200,
) -> Response:
    """Spike-preserving columns; without start and end the last hour."""
    named = keys_of(parts.plant.table, signals, _MOST_SIGNALS)
    first, last = span_us(start, end, parts.clock(), HOUR)
    try:
        return _answer(parts.historian.at_once, named, first, last, points)
    except WouldBlock:
        return await run_in_threadpool(_answer, parts.historian, named, first, last, points)


def _answer(historian: HistorianReads, named: list[tuple[str, int]], first: int, last: int, points: int) -> Response:
    columns = _read(historian, np.array(sorted(key for _, key in named), np.int32), first, last, points)
    answer = {
        "start": text_of(first),
        "end": text_of(last),
        "series": [_series(name, columns.get(key)) for name, key in named],
    }
    return Response(orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")


def _series(name: str, columns: ChartColumns | None) -> dict[str, Any]:
    if columns is None:
        return {"signal_id": name, "time_ms": [], "value": [], "bad": [], "total": 0, "downsampled": False}
    return {
        "signal_id": name,
        "time_ms": columns.time // 1_000,
        "value": columns.value,
        "bad": np.ascontiguousarray(columns.bad // 1_000),
        "total": columns.total,
        "downsampled": columns.downsampled,
    }


def _read(
    historian: HistorianReads, keys: NDArray[np.int32], start: int, end: int, points: int
) -> dict[int, ChartColumns]:
    stored = 1
    if end - start > _SURELY_RAW_US:
        stored = int(historian.aggregate(keys, start, end, HOUR).count.sum())
        if stored > _MOST_RAW:
            return _from_extremes(historian, keys, start, end, points)
    raw = historian.raw(keys, start, end)
    # Fewer than the rollups counted: retention let go of readings and kept the rollups.
    return _from_raw(raw, end, points) if len(raw) >= stored else _from_extremes(historian, keys, start, end, points)


def _slices(signal: NDArray[np.int32]) -> list[tuple[int, slice]]:
    """(key, rows) of each signal in a column ordered by signal."""
    keys, first = np.unique(signal, return_index=True)
    after = [*first[1:], len(signal)]
    return [(int(k), slice(int(a), int(b))) for k, a, b in zip(keys, first, after, strict=True)]


def _from_raw(raw: Series, end: int, points: int) -> dict[int, ChartColumns]:
    bad = is_bad(raw.quality)
    return {
        key: chart_columns(raw.time[rows], raw.value[rows], bad[rows], end, points, rows.stop - rows.start)
        for key, rows in _slices(raw.signal)
    }


def _from_extremes(
    historian: HistorianReads, keys: NDArray[np.int32], start: int, end: int, points: int
) -> dict[int, ChartColumns]:
    """Minimum and maximum of each bucket stand for its rows: no spike is lost, and rollups answer."""
    bucket = max(1, (end - start) // (points * 2) // MINUTE) * MINUTE
    found = historian.aggregate(keys, start, end, bucket)
    columns = {}
    for key, rows in _slices(found.signal):
        at, low, high = found.start[rows], found.minimum[rows], found.maximum[rows]
        time = np.stack([at, at + bucket // 2], axis=1).ravel()
        value = np.stack([low, high], axis=1).ravel()
        bad = np.repeat(found.good[rows] == 0, 2)
        total = int(found.count[rows].sum())
        columns[key] = chart_columns(time, value, bad, end, points, total)
    return columns


@router.get("/export", response_class=FileResponse, responses={200: {"content": {PARQUET: {}}}})
async def export(parts: Parts, signals: str, start: str, end: str) -> Response:
    """signal (int32 key), time, value, quality as Parquet."""
    named = keys_of(parts.plant.table, signals, _MOST_EXPORTED)
    first, last = span_us(start, end, parts.clock(), HOUR)
    keys = np.array(sorted(key for _, key in named), np.int32)
    return await run_in_threadpool(_exported, parts, keys, first, last)


def _exported(parts: ApiParts, keys: NDArray[np.int32], start: int, end: int) -> Response:
    with tempfile.NamedTemporaryFile(dir=parts.directory, prefix="export-", suffix=".parquet", delete=False) as file:
        target = Path(file.name)
    try:
        parts.historian.export(keys, start, end, target)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return FileResponse(
        target, media_type=PARQUET, filename="readings.parquet", background=BackgroundTask(target.unlink, True)
    )
