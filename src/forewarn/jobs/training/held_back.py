"""What a model does on healthy rows that it never saw: how often it speaks, and how small a shift it finds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.contracts.trained_detector import Matrix, TrainedDetector
from forewarn.learning.ensemble import EnsembleScorer
from forewarn.learning.machine_model import MachineModel
from forewarn.policies.alarm_budget import AlarmBudget, alarms_per_week, healthy_tail
from forewarn.policies.operating_regimes import RegimeSettings, RegimeTrees, breaks_of, settled

# In healthy spreads.
SHIFTS: Final = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0)
FOUND: Final = 0.9  # share of the rows
_MOST_ROWS: Final = 900
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Figures:
    """metrics: by name, see docs/operations/training.md. shifts: by signal id, None where none of SHIFTS is found."""

    metrics: Mapping[str, float]
    shifts: Mapping[str, float | None]


def figures(
    model: MachineModel,
    held: Matrix,
    columns: Sequence[str],
    detectors: Mapping[str, TrainedDetector],
    budget: AlarmBudget,
    regimes: RegimeSettings | None = None,
) -> Figures:
    """held: float64[n, len(columns)], healthy rows; columns: signal ids, those of the model among them. Without rows,
    the figures are those of the cross-fits alone. regimes: by which the model was learned."""
    rows = held[:, [columns.index(signal) for signal in model.signals]]
    settled_rows = _settled(model, rows, regimes or RegimeSettings())
    over, judged = _over(model, rows, settled_rows, detectors)
    metrics = {"threshold": _threshold(model), "alarms_per_week": _alarms(model, budget)}
    if not judged:
        crossed = np.concatenate([_crossed(model, code) for code in range(len(model.ensembles))])
        metrics |= {"held_back_rows": 0.0, "over_threshold": float(np.mean(crossed > 1.0)) if len(crossed) else 0.0}
        return Figures(metrics, {})
    metrics |= {"held_back_rows": float(judged), "over_threshold": over / judged}
    shifts = smallest_shifts(model, rows, settled_rows, detectors)
    known = [shift for shift in shifts.values() if shift is not None]
    if shifts:
        metrics["shifts_found"] = len(known) / len(shifts)
    if known:
        metrics |= {"shift_median": float(np.median(known)), "shift_worst": max(known)}
    return Figures(metrics, shifts)


def ratios(model: MachineModel, blocks: Matrix, detectors: Mapping[str, TrainedDetector]) -> Matrix:
    """blocks: float64[k, n, m] -> float64[k, n] in units of the model's own threshold, as the stream scores them; NaN
    where it has no opinion."""
    k, n, _ = blocks.shape
    ratio = np.full((k, n), np.nan)
    regime = RegimeTrees([model.regimes]).of(blocks, np.zeros(k, np.intp))
    for code, ensemble in enumerate(model.ensembles):
        if ensemble is None or not (regime == code).any():
            continue
        scored = EnsembleScorer(detectors, [ensemble]).ratio(blocks, np.zeros(k, np.intp)) / ensemble.threshold
        ratio = np.where(regime == code, scored, ratio)
    return ratio


def smallest_shifts(
    model: MachineModel, rows: Matrix, settled_rows: Bools, detectors: Mapping[str, TrainedDetector]
) -> dict[str, float | None]:
    """Of each signal that takes part, moved up and down as a whole: what is found either way, of settled rows."""
    some = rows[:_MOST_ROWS]
    usual = settled_rows[:_MOST_ROWS] & ~np.isnan(ratios(model, some[None], detectors)[0])
    found: dict[str, float | None] = {}
    for column, signal in enumerate(model.signals):
        if signal in model.left_out:
            continue
        spread = _spread(rows[:, column])
        if spread > 0 and usual.any():
            found[signal] = _smallest(model, some, column, spread, usual, detectors)
    return found


def _smallest(
    model: MachineModel,
    rows: Matrix,
    column: int,
    spread: float,
    usual: NDArray[np.bool_],
    detectors: Mapping[str, TrainedDetector],
) -> float | None:
    """Looked for by halving: what finds a shift finds greater ones, unless they lead into a regime that nobody knows;
    there the model says nothing, and nothing counts as found."""

    def is_found(shift: float) -> bool:
        blocks = np.repeat(rows[None], 2, axis=0)
        blocks[:, :, column] += np.array([[shift], [-shift]]) * spread
        share = np.mean(np.nan_to_num(ratios(model, blocks, detectors))[:, usual] > 1.0, axis=1)
        return bool((share >= FOUND).all())

    low, high = -1, len(SHIFTS) - 1
    if not is_found(SHIFTS[high]):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_found(SHIFTS[middle]) else (middle, high)
    return SHIFTS[high]


def _spread(values: NDArray[np.float64]) -> float:
    """Half of what two thirds of the rows lie within."""
    known = values[np.isfinite(values)]
    if not len(known):
        return 0.0
    low, high = np.quantile(known, (0.16, 0.84))
    return float(high - low) / 2 or float(known.std())


def _over(
    model: MachineModel, rows: Matrix, settled_rows: Bools, detectors: Mapping[str, TrainedDetector]
) -> tuple[int, int]:
    """Rows over the threshold, of how many with an opinion."""
    if not len(rows):
        return 0, 0
    ratio = ratios(model, rows[None], detectors)[0]
    judged = settled_rows & ~np.isnan(ratio)
    return int(np.count_nonzero(ratio[judged] > 1.0)), int(np.count_nonzero(judged))


def _settled(model: MachineModel, rows: Matrix, regimes: RegimeSettings) -> Bools:
    return settled(model.regimes.of(rows), model.settle_rows, breaks_of(rows, regimes))


def _crossed(model: MachineModel, code: int) -> NDArray[np.floating]:
    ensemble = model.ensembles[code]
    if ensemble is None:
        return np.zeros(0)
    ratio = ensemble.held_out / ensemble.threshold
    return np.asarray(ratio[~np.isnan(ratio)])


def _threshold(model: MachineModel) -> float:
    """Of the regime that was seen most."""
    most = max((e for e in model.ensembles if e is not None), key=lambda e: e.rows)
    return most.threshold


def _alarms(model: MachineModel, budget: AlarmBudget) -> float:
    """To be expected in a week that is run as the past was."""
    known = [e for e in model.ensembles if e is not None]
    rates = [alarms_per_week(healthy_tail(e.held_out, budget), e.threshold, budget) for e in known]
    expected = float(np.average(rates, weights=[_regime_rows(e.held_out) for e in known]))
    return expected if np.isfinite(expected) else budget.per_week


def _regime_rows(held_out: NDArray[np.float32]) -> int:
    return max(int(np.count_nonzero(~np.isnan(held_out))), 1)
