"""Rows of a machine in spreads from each signal's healthy median, and where they allow an opinion."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from forewarn.domain.errors import InvalidInput, NotEnoughData

Matrix = NDArray[np.float64]
Mask = NDArray[np.bool_]
FARTHEST: Final = 20.0  # one wrong row moves a mean of ten by two spreads at most
_LEAST_VALUES: Final = 20
_MAY_BE_NAN: Final = ("spread", "mean")


def centre_and_spread(healthy: Matrix) -> tuple[Matrix, Matrix]:
    """(median[m], spread[m]) of each column; the spread is NaN where a signal is constant or hardly ever known, so that
    it takes no part.

    Spread: 1.4826 MAD (Iglewicz & Hoaglin 1993); where more than half of the values are alike half of the mean absolute
    deviation, as a standard deviation; the instrument's own step at the least."""
    if not len(healthy):
        return np.zeros(healthy.shape[1]), np.full(healthy.shape[1], np.nan)
    rows = np.where(np.isfinite(healthy), healthy, np.nan)
    ordered = np.sort(rows, axis=0)
    count = np.sum(~np.isnan(rows), axis=0)
    some = np.maximum(count, 1)
    centre = _middle(ordered, some)
    with np.errstate(all="ignore"):
        away = np.sort(np.abs(rows - centre), axis=0)
        mean_away = np.nansum(away, axis=0) / some
        steps = np.diff(ordered, axis=0)
        step = np.min(np.where(steps > 0, steps, np.inf), axis=0, initial=np.inf)
        spread = np.max((1.4826 * _middle(away, some), 0.6267 * mean_away, np.where(step < np.inf, step, 0.0)), axis=0)
        largest = np.max(np.where(np.isnan(rows), 0.0, np.abs(rows)), axis=0, initial=0.0)
        useful = (count >= _LEAST_VALUES) & (spread > 1e-12 * largest) & np.isfinite(spread)
    return np.where(count > 0, centre, 0.0), np.where(useful, spread, np.nan)


def _middle(ordered: Matrix, count: NDArray[np.intp]) -> Matrix:
    """Median of each column sorted with the unknown values last."""
    column = np.arange(ordered.shape[1])
    return np.asarray((ordered[(count - 1) // 2, column] + ordered[count // 2, column]) / 2)


def standardised(blocks: Matrix, centre: Matrix, spread: Matrix) -> Matrix:
    """blocks[k, n, m] in spreads from the centre ([k, m] each), within +-FARTHEST; NaN where nothing is known."""
    with np.errstate(all="ignore"):
        z = (blocks - centre[:, None, :]) / spread[:, None, :]
        z[~np.isfinite(blocks)] = np.nan
    return np.clip(z, -FARTHEST, FARTHEST, out=z)


def with_opinion(z: Matrix, known: Mask, context: int) -> Mask:
    """[k, n - context]: rows on which at least half of the known signals ([k, m]) have a value, with no break (a row
    without any value) among the `context` rows before."""
    if z.shape[1] <= context:
        return np.zeros((len(z), 0), np.bool_)
    present = np.sum(~np.isnan(z), axis=2)
    enough = (present > 0) & (2 * present >= np.sum(known, axis=1)[:, None])
    if context == 0:
        return np.asarray(enough)
    gone = np.cumsum(present == 0, axis=1)
    before = np.concatenate((np.zeros((len(z), 1), gone.dtype), gone), axis=1)[:, : z.shape[1] - context]
    return np.asarray(enough[:, context:] & (gone[:, context:] == before))


def causal_mean(values: Matrix, rows: int) -> Matrix:
    """[k, n, m] -> [k, n - rows + 1, m]: mean over each row and the rows - 1 before it of what is known; NaN where the
    row itself is not."""
    if values.shape[1] < rows:
        return values[:, :0]
    windows = np.lib.stride_tricks.sliding_window_view(values, rows, axis=1)
    known = ~np.isnan(values)
    if known.all():
        return np.asarray(windows.mean(axis=-1))
    count = np.lib.stride_tricks.sliding_window_view(known, rows, axis=1).sum(axis=-1)
    total = np.lib.stride_tricks.sliding_window_view(np.where(known, values, 0.0), rows, axis=1).sum(axis=-1)
    return np.where(known[:, rows - 1 :], total / np.maximum(count, 1), np.nan)


def full_score(part: Matrix, n: int) -> Matrix:
    """Scores of the last rows of blocks of n rows, NaN before them."""
    score = np.full((len(part), n), np.nan)
    score[:, n - part.shape[1] :] = part
    return score


def share_of(weight: Matrix, opinion: Mask) -> Matrix:
    """weight[k, m] >= 0, NaN for signals that take no part, as shares of its row's sum; NaN without an opinion."""
    total = np.nansum(weight, axis=1, keepdims=True)
    part = ~np.isnan(weight)
    alike = part / np.maximum(part.sum(axis=1, keepdims=True), 1)
    share = np.where(total > 0, np.nan_to_num(weight) / np.where(total > 0, total, 1.0), alike)
    return np.where(opinion[:, None], share, np.nan)


def enough_rows(detector: str, rows: int, least: int) -> None:
    """Raises NotEnoughData."""
    if rows < least:
        raise NotEnoughData(f"{detector} learns from {least} healthy rows and more; there are {rows}: let it run on")


def stacked(
    detector: str, models: Sequence[Mapping[str, NDArray[Any]]], shapes: Mapping[str, str | int]
) -> dict[str, Matrix]:
    """Parameters of several models side by side: float64[models, ...] by name. shapes: a letter per axis, the same
    letter for the same length everywhere, NaN only where it means "takes no part" (spread, mean); or a number of axes,
    NaN taken. Raises InvalidInput."""
    if not models:
        raise InvalidInput(f"{detector}: there is no model to prepare", field="models")
    found: dict[str, Matrix] = {}
    lengths: dict[str, int] = {}
    for name, shape in shapes.items():
        axes = list(shape) if isinstance(shape, str) else [f"{name}{axis}" for axis in range(shape)]
        arrays = [np.asarray(_named(detector, model, name)) for model in models]
        for array in arrays:
            fits = array.ndim == len(axes) and array.dtype.kind in "fiu"
            if not fits or any(lengths.setdefault(a, n) != n for a, n in zip(axes, array.shape, strict=True)):
                raise _unfit(detector, name, f"is {array.dtype}{list(array.shape)}, not numbers of {axes}")
        found[name] = np.stack(arrays).astype(np.float64)
        whole = isinstance(shape, str) and name not in _MAY_BE_NAN
        if np.isinf(found[name]).any() or (whole and np.isnan(found[name]).any()):
            raise _unfit(detector, name, "holds what is no finite number")
    if "spread" in found and (found["spread"] <= 0).any():
        raise _unfit(detector, "spread", "is not above 0")
    return found


def _unfit(detector: str, name: str, why: str) -> InvalidInput:
    return InvalidInput(f"{detector}: {name} {why}: train the model again", field=name)


def _named(detector: str, model: Mapping[str, NDArray[Any]], name: str) -> NDArray[Any]:
    try:
        return model[name]
    except KeyError:
        raise InvalidInput(f"{detector}: the model has no {name}: train it again", field=name) from None
