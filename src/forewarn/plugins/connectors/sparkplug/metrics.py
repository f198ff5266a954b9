"""The metrics of one edge node or device as its birth told them, and reading its payloads by them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from forewarn.plugins.connectors.sparkplug.batch import Columns
from forewarn.plugins.connectors.sparkplug.values import (
    BAD_NO_DATA,
    BAD_OUT_OF_RANGE,
    TYPE_NAMES,
    bits_to_float,
    quality_of,
    to_float,
)
from forewarn.plugins.connectors.sparkplug.wire import Walked

_US_PER_MS: Final = 1_000
_LATEST_MS: Final = 253_402_300_800_000  # the year 10000
_DEEPEST: Final = 8
_UNKNOWN: Final = -1


@dataclass(frozen=True, slots=True)
class Read:
    """columns: of our signals. unknown: metrics that the birth did not tell. strange: of ours, what is no number
    (key, name and type); wrong: of ours, how many are out of their type's range or at an impossible time."""

    columns: Columns
    unknown: int = 0
    strange: tuple[tuple[int, str], ...] = ()
    wrong: int = 0


class MetricTable:
    """index: alias or name -> row; key: of our signals, 0 for others."""

    def __init__(self, metrics: Sequence[Any], wanted: Mapping[str, int]) -> None:
        idents, flat, _ = _flatten(metrics, [m.name for m in metrics])
        self.names = [str(ident) for ident in idents]
        self.index: dict[int | str, int] = {name: row for row, name in enumerate(self.names)}
        for row, metric in enumerate(flat):
            if metric.HasField("alias"):
                self.index[metric.alias] = row
        aliases = sorted((alias, row) for alias, row in self.index.items() if isinstance(alias, int))
        self._alias = np.array([alias for alias, _ in aliases], np.uint64)
        self._row = np.array([row for _, row in aliases], np.intp)
        self._templates = {m.alias: m.name for m in metrics if m.WhichOneof("value") == "template_value"}
        # The row past the end is read by what the birth did not tell.
        self.key = np.array([*(wanted.get(name, 0) for name in self.names), 0], np.int32)
        self.type = np.array([*(metric.datatype for metric in flat), 0], np.int64)
        self.keys = np.unique(self.key[self.key > 0])
        self.missing = [name for name in wanted if name not in self.index]

    def read(self, payload: Any, received_us: int) -> Read:
        """payload: parsed. received_us: time of what has none."""
        metrics = list(payload.metrics)
        kinds = [m.WhichOneof("value") for m in metrics]
        shared_ms = payload.timestamp or received_us // _US_PER_MS
        if "template_value" in kinds:
            named = [self._name_of(m) for m in metrics]
            idents, metrics, stamps = _flatten(metrics, named)
            kinds = [m.WhichOneof("value") for m in metrics]
        else:
            idents = [_ident(m) for m in metrics]
            stamps = [m.timestamp for m in metrics]
        find = self.index.get
        row = np.array([find(ident, _UNKNOWN) for ident in idents], np.intp)
        key, told = self.key[row], np.array([m.datatype for m in metrics], np.int64)
        types = np.where(told == 0, self.type[row], told)
        ours = key > 0
        if not ours.all():
            chosen = np.flatnonzero(ours).tolist()
            metrics, kinds, stamps = ([held[i] for i in chosen] for held in (metrics, kinds, stamps))
        unknown = int((row == _UNKNOWN).sum())
        if not metrics:
            return Read(_nothing(), unknown)
        read = _columns(metrics, kinds, stamps, key[ours], types[ours], shared_ms)
        odd = zip(row[ours][read[1]].tolist(), types[ours][read[1]].tolist(), strict=True)
        strange = tuple((int(self.key[r]), f"{self.names[r]} ({_type_name(t)})") for r, t in odd)
        return Read(read[0], unknown, strange, read[2])

    def read_walked(self, walked: Walked, shared_ms: NDArray[np.uint64]) -> Read:
        """As `read`, of messages of the common kind. shared_ms: time of the message each metric was in."""
        row = self._rows_of(walked.alias)
        key = self.key[row]
        ours = slice(None) if (key > 0).all() else key > 0
        types = np.where(walked.datatype == 0, self.type[row], walked.datatype)[ours]
        value, quality = bits_to_float(walked.kind[ours], walked.bits[ours], types)
        null = walked.null[ours]
        value, quality = np.where(null, np.nan, value), np.where(null, BAD_NO_DATA, quality).astype(np.uint32)
        numeric = np.ones(len(value), np.bool_)
        columns, wrong = _finish(key[ours], value, quality, numeric, walked.time_ms[ours], shared_ms[ours])
        return Read(columns, int((row == _UNKNOWN).sum()), (), wrong)

    def _rows_of(self, alias: NDArray[np.uint64]) -> NDArray[np.intp]:
        if not len(self._alias):
            return np.full(len(alias), _UNKNOWN, np.intp)
        place = np.minimum(np.searchsorted(self._alias, alias), len(self._alias) - 1)
        return np.where(self._alias[place] == alias, self._row[place], _UNKNOWN)

    def _name_of(self, metric: Any) -> str | int:
        """The name of a template, also where only its alias was sent; of another metric, what `index` knows it by."""
        if metric.WhichOneof("value") == "template_value":
            return str(metric.name or self._templates.get(metric.alias, ""))
        return _ident(metric)


def _columns(
    metrics: Sequence[Any],
    kinds: Sequence[str | None],
    stamps: Sequence[int],
    key: NDArray[np.int32],
    types: NDArray[np.int64],
    shared_ms: int,
) -> tuple[Columns, NDArray[np.bool_], int]:
    """Columns of what is a number at a possible time, which were no numbers, and how many were otherwise wrong."""
    held = [getattr(m, kind) if kind else None for m, kind in zip(metrics, kinds, strict=True)]
    value, quality, numeric = to_float(kinds, held, types)
    null = np.array([m.is_null for m in metrics], np.bool_)
    value[null], quality[null], numeric[null] = np.nan, BAD_NO_DATA, True
    if any([m.HasField("properties") for m in metrics]):  # noqa: C419 - faster than a generator
        said = np.array([quality_of(m.properties) if m.HasField("properties") else 0 for m in metrics], np.uint32)
        quality = np.where(quality == 0, said, quality)
    columns, wrong = _finish(key, value, quality, numeric, np.array(stamps, np.uint64), np.uint64(shared_ms))
    return columns, ~numeric, wrong


def _finish(
    key: NDArray[np.int32],
    value: NDArray[np.float64],
    quality: NDArray[np.uint32],
    numeric: NDArray[np.bool_],
    given_ms: NDArray[np.uint64],
    shared_ms: NDArray[np.uint64] | np.uint64,
) -> tuple[Columns, int]:
    """Columns of what is a number at a possible time, and how many are otherwise wrong."""
    quality[np.isnan(value) & (quality < 0x8000_0000)] = BAD_NO_DATA
    given = np.where(given_ms == 0, shared_ms, given_ms)
    possible = given < _LATEST_MS
    keep = numeric & possible
    time = np.where(possible, given, 0).astype(np.int64) * _US_PER_MS
    wrong = int((numeric & ~possible).sum()) + int((quality == BAD_OUT_OF_RANGE).sum())
    if keep.all():
        return (key, time, value, quality), wrong
    return (key[keep], time[keep], value[keep], quality[keep]), wrong


def _flatten(
    metrics: Sequence[Any], idents: Sequence[str | int], deep: int = 0
) -> tuple[list[str | int], list[Any], list[int]]:
    """Members of a template become metrics `<template>/<member>`; a member without a time has its template's."""
    names: list[str | int] = []
    flat: list[Any] = []
    stamps: list[int] = []
    for metric, ident in zip(metrics, idents, strict=True):
        if metric.WhichOneof("value") != "template_value" or metric.template_value.is_definition or deep >= _DEEPEST:
            names.append(ident)
            flat.append(metric)
            stamps.append(metric.timestamp)
            continue
        members = list(metric.template_value.metrics)
        inner = _flatten(members, [f"{ident}/{member.name}" for member in members], deep + 1)
        names += inner[0]
        flat += inner[1]
        stamps += [own or shared for own, shared in zip(inner[2], repeat(metric.timestamp))]
    return names, flat, stamps


def _ident(metric: Any) -> str | int:
    ident: str | int = metric.alias or metric.name or 0
    return ident


def _nothing() -> Columns:
    return np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0), np.empty(0, np.uint32)


def _type_name(code: int) -> str:
    return TYPE_NAMES[code] if 0 <= code < len(TYPE_NAMES) else f"type {code}"
