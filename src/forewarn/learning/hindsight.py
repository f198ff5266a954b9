"""What a machine's model made of a stretch of its past, row by row, and what it would have expected of the signals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.contracts.trained_detector import TrainedDetector
from forewarn.domain.evidence import Evidence
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.series import Series
from forewarn.domain.signal_table import SignalTable
from forewarn.learning.ensemble import EnsembleScorer
from forewarn.learning.fleet import Fleet, FleetScores, holds
from forewarn.learning.machine_model import MachineModel
from forewarn.policies.machine_rows import GRACE
from forewarn.policies.read_fully import read_fully

ROWS: Final = 240  # that a stretch is told with at the most
BINS: Final = 40


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """time: int64[n], microseconds UTC, the beginning of each row. ratio: float64[n], over the machine's threshold, 1 =
    at it; NaN = no opinion. signals: ids. measured, expected: float64[n, len(signals)], in the signals' units; NaN =
    not known, or nothing in particular expected. step_us: of the rows, of which each told one is the worst of its
    part of the stretch. is_thinned: rows that were not read in full are not judged."""

    time: NDArray[np.int64]
    ratio: NDArray[np.float64]
    signals: tuple[str, ...]
    measured: NDArray[np.float64]
    expected: NDArray[np.float64]
    step_us: int
    is_thinned: bool = False


def lead_us(model: MachineModel, table: SignalTable, detectors: Mapping[str, TrainedDetector]) -> int:
    """How long before a stretch readings are needed, for its first row to be judged as it was then. Raises
    InvalidInput."""
    context = context_of(model, detectors)
    signals = [table.signals[table.key_of[s]] for s in model.signals]
    rows = context + model.settle_rows + int(holds(signals, model.step_us).max(initial=0))
    return (rows + 2) * model.step_us


def context_of(model: MachineModel, detectors: Mapping[str, TrainedDetector]) -> int:
    """Rows before a row that its ratio depends on. Raises InvalidInput."""
    return max((EnsembleScorer(detectors, [e]).context for e in model.ensembles if e is not None), default=0)


def read_in_full(course: Course, readings: Series, table: SignalTable, keys: Sequence[int], context: int) -> Course:
    """Without an opinion on rows of which a gateway sent a part: a model never scores what lacks the machine's noise.
    keys: of the model's signals."""
    rates = {key: signal.rate_hz for key in keys if (signal := table.signals[key]) is not None}
    whole = read_fully(course.time, readings, rates, course.step_us, context)
    expected = np.where(whole[:, None], course.expected, np.nan)
    return replace(course, ratio=np.where(whole, course.ratio, np.nan), expected=expected, is_thinned=True)


def as_of(model: MachineModel, evidence: Evidence) -> MachineModel:
    """With the threshold that the machine had when the finding was made."""
    ensembles = [
        replace(e, threshold=evidence.threshold) if e is not None and code == evidence.regime else e
        for code, e in enumerate(model.ensembles)
    ]
    return replace(model, ensembles=tuple(ensembles))


def hindsight(
    model: MachineModel,
    table: SignalTable,
    detectors: Mapping[str, TrainedDetector],
    readings: Series,
    span: tuple[int, int],
    signals: Sequence[str],
) -> Course:
    """readings: of the model's signals, from `lead_us` before the span to its end. span: [start, end), microseconds.
    signals: ids, of the model. Scored by the same code as the stream. Raises InvalidInput for a model that cannot be
    scored."""
    fleet = Fleet([model], table, detectors)
    columns = [model.signals.index(s) for s in signals]
    told: list[tuple[int, float, NDArray[np.float64], NDArray[np.float64]]] = []
    end = min(span[1], int(readings.time.max(initial=0)) + 1)  # of what comes after, nobody knows yet
    for scores in _scored(fleet, model, table, readings, end):
        n = scores.time.shape[1]
        within = (scores.time[0] >= span[0]) & (scores.time[0] < end)
        for row in _worst(scores, within, max(-(-(span[1] - span[0]) // ROWS), model.step_us)):
            expected = np.full(len(columns), np.nan)
            if np.isfinite(scores.ratio[0, row]):
                expected = fleet.explain(scores, (0, row)).blame.expected[0, columns]
            value = scores.blocks[0, scores.blocks.shape[1] - n + row, columns]
            told.append((int(scores.time[0, row]), float(scores.ratio[0, row]), value, expected))
    told.sort(key=lambda row: row[0])
    width = len(columns)
    return Course(
        np.array([row[0] for row in told], np.int64),
        np.array([row[1] for row in told], np.float64),
        tuple(signals),
        np.array([row[2] for row in told], np.float64).reshape(len(told), width),
        np.array([row[3] for row in told], np.float64).reshape(len(told), width),
        model.step_us,
    )


def _scored(fleet: Fleet, model: MachineModel, table: SignalTable, readings: Series, end: int) -> list[FleetScores]:
    if not len(readings) or not fleet.models:
        return []
    batch = ReadingBatch(readings.signal, readings.time, readings.value, readings.quality, "", 0)
    found = list(fleet.score(batch))
    # A reading beyond the end closes the last row.
    key = np.array([table.key_of[model.signals[0]]], np.int32)
    beyond = np.array([max(end, int(readings.time.max())) + (GRACE + 1) * model.step_us])
    close = ReadingBatch(key, beyond, np.zeros(1), np.zeros(1, np.uint32), "", 0)
    return found + list(fleet.score(close))


def _worst(scores: FleetScores, within: NDArray[np.bool_], part_us: int) -> list[int]:
    """Of each part of the stretch the row with the greatest ratio."""
    rows = np.flatnonzero(within)
    part = scores.time[0, rows] // part_us
    order = np.lexsort((np.nan_to_num(scores.ratio[0, rows], nan=-1.0), part))
    last = np.r_[part[order][1:] != part[order][:-1], True] if len(order) else np.zeros(0, np.bool_)
    return [int(row) for row in np.sort(rows[order[last]])]


@dataclass(frozen=True, slots=True, eq=False)
class HealthyScores:
    """Of one regime: how the ratios of healthy rows lie that no fit had seen, in units of the healthy quantile. width:
    of a bin, the first begins at 0. share: of `rows` in each bin. threshold: as learned."""

    regime: int
    rows: int
    threshold: float
    width: float
    share: tuple[float, ...]


def healthy_scores(model: MachineModel) -> tuple[HealthyScores, ...]:
    """Of every regime that is judged."""
    told = []
    for code, ensemble in enumerate(model.ensembles):
        if ensemble is None:
            continue
        ratio = ensemble.held_out[np.isfinite(ensemble.held_out)].astype(np.float64)
        top = 1.1 * max(float(ratio.max(initial=0.0)), ensemble.threshold)
        count, _ = np.histogram(ratio, bins=BINS, range=(0.0, top))
        share = tuple(round(float(c) / max(len(ratio), 1), 6) for c in count)
        told.append(HealthyScores(code, len(ratio), ensemble.threshold, top / BINS, share))
    return tuple(told)
