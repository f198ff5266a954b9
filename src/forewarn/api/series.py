"""Readings for charts, and as a file."""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final

import numpy as np
import orjson
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from numpy.typing import NDArray
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from forewarn.api.chart_columns import ChartColumns, chart_columns
from forewarn.api.deeds import deed_of
from forewarn.api.parts import ApiParts, Parts
from forewarn.api.problems import ERROR_RESPONSES
from forewarn.api.read_route import ReadRoute
from forewarn.api.times import Instant, span_us, text_of
from forewarn.contracts.historian_reads import HistorianReads
from forewarn.domain.audit import AuditAction
from forewarn.domain.errors import InvalidInput, NotFound, WouldBlock
from forewarn.domain.signal_table import SignalTable
from forewarn.domain.status import is_bad
from forewarn.kit.clock import HOUR, MINUTE

router = APIRouter(prefix="/api/v1", tags=["readings"], responses=ERROR_RESPONSES, route_class=ReadRoute)
PARQUET: Final = "application/vnd.apache.parquet"
_MOST_SIGNALS: Final = 50
_PIECE: Final = 1 << 18
_MOST_EXPORTED: Final = 1_000
_MOST_RAW: Final = 2_000_000
_SURELY_RAW_US: Final = HOUR
_NEARLY_NONE: Final = 10


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
        return _answer(parts.historian.at_once, parts.historian.raw_from, named, first, last, points)
    except WouldBlock:
        return await run_in_threadpool(_answer, parts.historian, parts.historian.raw_from, named, first, last, points)


def _answer(
    historian: HistorianReads, raw_from: int, named: list[tuple[str, int]], first: int, last: int, points: int
) -> Response:
    columns = _read(historian, raw_from, np.array(sorted(key for _, key in named), np.int32), first, last, points)
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


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """What a chart is drawn from, ordered by (signal, time). bad: not drawn. readings: how many a row stands for."""

    signal: NDArray[np.int32]
    time: NDArray[np.int64]
    value: NDArray[np.float64]
    bad: NDArray[np.bool_]
    readings: NDArray[np.int64]

    @staticmethod
    def joined(older: "_Rows", newer: "_Rows") -> "_Rows":
        columns = [np.concatenate(pair) for pair in zip(older._columns(), newer._columns(), strict=True)]
        order = np.lexsort((columns[1], columns[0]))
        return _Rows(*(column[order] for column in columns))

    def _columns(self) -> tuple[NDArray[Any], ...]:
        return self.signal, self.time, self.value, self.bad, self.readings


def _read(
    historian: HistorianReads, raw_from: int, keys: NDArray[np.int32], start: int, end: int, points: int
) -> dict[int, ChartColumns]:
    """raw_from: before it retention has let go of readings, and rollups stand for them."""
    border = min(max(start, raw_from), end)
    if end - start > _SURELY_RAW_US:
        counts = historian.aggregate(keys, start, end, HOUR)
        if int(counts.count.sum()) > _MOST_RAW:
            border = end
    rows = _with_told(historian, keys, border, end, _readings(historian, keys, border, end))
    if border > start:
        rows = _Rows.joined(_extremes(historian, keys, start, border, (end - start) // (points * 2)), rows)
    return {
        key: chart_columns(rows.time[at], rows.value[at], rows.bad[at], end, points, int(rows.readings[at].sum()))
        for key, at in _slices(rows.signal)
    }


def _slices(signal: NDArray[np.int32]) -> list[tuple[int, slice]]:
    """(key, rows) of each signal in a column ordered by signal."""
    if not len(signal):
        return []
    keys, first = np.unique(signal, return_index=True)
    after = [*first[1:], len(signal)]
    return [(int(k), slice(int(a), int(b))) for k, a, b in zip(keys, first, after, strict=True)]


def _readings(historian: HistorianReads, keys: NDArray[np.int32], start: int, end: int) -> _Rows:
    raw = historian.raw(keys, start, end)
    return _Rows(raw.signal, raw.time, raw.value, is_bad(raw.quality), np.ones(len(raw), np.int64))


def _with_told(historian: HistorianReads, keys: NDArray[np.int32], start: int, end: int, raw: _Rows) -> _Rows:
    """Minutes that were told, and of which (nearly) no reading is here, by their minimum and maximum."""
    told = historian.told_minutes(keys, start, end)
    if not len(told):
        return raw
    minute = np.searchsorted(_cells(told.signal, told.start), _cells(raw.signal, raw.time))
    minute = np.minimum(minute, len(told) - 1)
    mine = (told.signal[minute] == raw.signal) & (told.start[minute] == raw.time // MINUTE * MINUTE)
    here = np.bincount(minute[mine], minlength=len(told))
    drawn = told.take(here * _NEARLY_NONE < told.count)
    time = np.stack([drawn.start, drawn.start + MINUTE // 2], axis=1).ravel()
    value = np.stack([drawn.minimum, drawn.maximum], axis=1).ravel()
    readings = np.stack([drawn.count, np.zeros_like(drawn.count)], axis=1).ravel()
    return _Rows.joined(_Rows(np.repeat(drawn.signal, 2), time, value, np.repeat(drawn.good == 0, 2), readings), raw)


def _cells(signal: NDArray[np.int32], time: NDArray[np.int64]) -> NDArray[np.int64]:
    """One number a (signal, minute), in their order."""
    return (signal.astype(np.int64) << 32) + time // MINUTE


def _extremes(historian: HistorianReads, keys: NDArray[np.int32], start: int, end: int, bucket_us: int) -> _Rows:
    """Minimum and maximum of each bucket stand for its rows: no spike is lost, and rollups answer."""
    bucket = max(1, bucket_us // MINUTE) * MINUTE
    found = historian.aggregate(keys, start, end, bucket)
    time = np.stack([found.start, found.start + bucket // 2], axis=1).ravel()
    value = np.stack([found.minimum, found.maximum], axis=1).ravel()
    readings = np.stack([found.count, np.zeros_like(found.count)], axis=1).ravel()
    return _Rows(np.repeat(found.signal, 2), time, value, np.repeat(found.good == 0, 2), readings)


@router.get("/export", response_class=StreamingResponse, responses={200: {"content": {PARQUET: {}}}})
async def export(parts: Parts, request: Request, signals: str, start: str, end: str) -> Response:
    """signal (int32 key), time, value, quality as Parquet."""
    named = keys_of(parts.plant.table, signals, _MOST_EXPORTED)
    first, last = span_us(start, end, parts.clock(), HOUR)
    keys = np.array(sorted(key for _, key in named), np.int32)
    asked = {"signals": [name for name, _ in named], "start": text_of(first), "end": text_of(last)}
    deed = deed_of(request, AuditAction.READINGS_EXPORTED, f"{len(named)} signals", after=asked)
    await run_in_threadpool(parts.audit.record, deed)
    return await run_in_threadpool(_exported, parts, keys, first, last)


def _exported(parts: ApiParts, keys: NDArray[np.int32], start: int, end: int) -> Response:
    with tempfile.NamedTemporaryFile(dir=parts.directory, prefix="export-", suffix=".parquet", delete=False) as file:
        target = Path(file.name)
    try:
        parts.historian.export(keys, start, end, target)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    # Nameless from here on: whatever becomes of the answer, nothing is left on the disk.
    nameless = target.open("rb")
    target.unlink()
    headers = {"Content-Disposition": 'attachment; filename="readings.parquet"'}
    headers["Content-Length"] = str(os.fstat(nameless.fileno()).st_size)
    return StreamingResponse(_pieces(nameless), media_type=PARQUET, headers=headers)


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while piece := file.read(_PIECE):
            yield piece
