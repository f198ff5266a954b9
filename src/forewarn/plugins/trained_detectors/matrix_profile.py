"""Matrix profile: has the course of the last half minute been seen in health?"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from forewarn.contracts.trained_detector import Blame, Matrix, Parameters
from forewarn.domain.errors import ConfigurationError, InvalidInput
from forewarn.policies.standard_rows import (
    Mask,
    centre_and_spread,
    enough_rows,
    full_score,
    share_of,
    stacked,
    standardised,
    with_opinion,
)

Places = NDArray[np.intp]
_SHAPES: Final = {"centre": "m", "spread": "m", "typical": "m"}
# Rows of one machine compared with its library at once: 256 x 128 x 10 distances are 2.6 MB.
_TOGETHER: Final = 256
_LEAST_TYPICAL: Final = 1e-3
_LARGEST: Final = 1e6


class MatrixProfile:
    """Left matrix profile against a library of healthy windows (Yeh et al. 2016, AB-join): a signal's distance to the
    nearest of them per the healthy windows' own median distance, and the root mean square of that over the signals.

    With `level` a window is taken in healthy spreads as it is, so that a shift of level counts. Without, about its own
    mean and per its own standard deviation, or per `floor` healthy spreads where it varies less: the noise of a signal
    at rest has no shape. The library is `library` windows, evenly spread over the healthy rows. A signal takes part
    where at least half of its window and the newest row have a value; gaps stand at the window's mean.

    >>> import numpy as np
    >>> strokes = np.sin(np.arange(600) / 3.0)[:, None] + np.random.default_rng(1).normal(0, 0.1, (600, 2))
    >>> detector = MatrixProfile()
    >>> scorer = detector.prepare([detector.fit(strokes[:500])])
    >>> usual = strokes[500:].copy()
    >>> odd = usual.copy()
    >>> odd[80:90, 1] = odd[80, 1]
    >>> a, b = scorer.score(np.stack((usual, odd)), np.array([0, 0]))
    >>> bool(b[89] > 1.5 * a[89]), bool(a[79] == b[79])
    (True, True)
    """

    name: ClassVar[str] = "matrix_profile"

    def __init__(self, window: int = 30, library: int = 128, floor: float = 1.0, level: bool = True) -> None:
        if window < 4 or library < 2 or floor <= 0:
            raise ConfigurationError(
                f"matrix_profile: window >= 4, library >= 2, floor > 0 (not {window}, {library}, {floor})"
            )
        self._window, self._library, self._floor, self._level = window, library, floor, level

    @property
    def context(self) -> int:
        return self._window - 1

    @property
    def least_rows(self) -> int:
        return 4 * self._window

    def parameters(self) -> Mapping[str, Any]:
        return {"window": self._window, "library": self._library, "floor": self._floor, "level": self._level}

    def fit(self, healthy: Matrix, seed: int = 0) -> Parameters:
        centre, spread = centre_and_spread(healthy)
        z = standardised(healthy[None], centre[None], spread[None])
        rows = np.flatnonzero(with_opinion(z, ~np.isnan(spread)[None], self.context)[0])
        enough_rows(self.name, len(rows), self.least_rows)
        rows = rows[np.unique(np.linspace(0, len(rows) - 1, self._library).astype(np.intp))]
        shape, _, _ = shapes(z[0], rows, self._window, self._floor, self._level)
        apart = np.abs(rows[:, None] - rows) >= self._window
        typical = np.full(len(centre), np.nan)
        for signal, own in enumerate(shape.transpose(1, 0, 2)):
            norm, filled = _norms(own), np.nan_to_num(own)
            square = np.where(apart, _squares(filled, filled.T, norm), np.inf)
            nearest = np.sqrt(square.min(axis=1))
            nearest = nearest[np.isfinite(nearest) & np.isfinite(norm)]
            if 2 * len(nearest) >= len(rows):
                typical[signal] = max(float(np.median(nearest)), _LEAST_TYPICAL)
        spread, typical = np.where(np.isnan(typical), np.nan, spread), np.where(np.isnan(typical), 1.0, typical)
        kept = np.full((self._library, *shape.shape[1:]), np.nan, np.float32)
        kept[: len(rows)] = shape
        return {"centre": centre, "spread": spread, "typical": typical, "shapes": kept}

    def prepare(self, models: Sequence[Parameters]) -> "MatrixProfileScorer":
        scale = stacked(self.name, models, _SHAPES)
        if not ((scale["typical"] >= _LEAST_TYPICAL) & (scale["typical"] <= _LARGEST)).all():
            message = f"matrix_profile: typical is outside {_LEAST_TYPICAL:g}-{_LARGEST:g}: train the model again"
            raise InvalidInput(message, field="typical")
        shape = (self._library, scale["centre"].shape[1], self._window)
        library = []
        for model in models:
            found = model.get("shapes")
            if not isinstance(found, np.ndarray) or found.shape != shape or found.dtype != np.float32:
                what = f"{found.dtype}{list(found.shape)}" if isinstance(found, np.ndarray) else "missing"
                message = f"matrix_profile: shapes is {what}, not float32{list(shape)}: train the model again"
                raise InvalidInput(message, field="shapes")
            if not (np.isnan(found) | (abs(found) <= _LARGEST)).all():
                raise InvalidInput(
                    f"matrix_profile: shapes holds values beyond {_LARGEST:g}: train again", field="shapes"
                )
            library.append(found.transpose(1, 2, 0))
        return MatrixProfileScorer(scale, library, self._window, self._floor, self._level)


class MatrixProfileScorer:
    """See contracts/trained_detector.py."""

    def __init__(
        self,
        scale: Mapping[str, Matrix],
        library: Sequence[NDArray[np.float32]],
        window: int,
        floor: float,
        level: bool,
    ) -> None:
        """library: a model's healthy windows, float32[m, window, library], NaN where a signal was not known."""
        self._p, self._window, self._floor, self._level = scale, window, floor, level
        self._norm = [_norms(own.transpose(0, 2, 1)) for own in library]
        self._shapes = [np.nan_to_num(own).astype(np.float64) for own in library]

    def score(self, blocks: Matrix, models: Places) -> Matrix:
        z, opinion = self._rows(blocks, models)
        part = np.full(opinion.shape, np.nan)
        for block, model in enumerate(models):
            rows = np.flatnonzero(opinion[block])
            for first in range(0, len(rows), _TOGETHER):
                some = rows[first : first + _TOGETHER]
                square, *_ = self._nearest(z[block], some, int(model))
                taken = ~np.isnan(square)
                count = taken.sum(axis=1)
                mean = np.where(taken, square, 0.0).sum(axis=1) / np.maximum(count, 1)
                known = ~np.isnan(self._p["spread"][model])
                part[block, some] = np.where((count > 0) & (2 * count >= known.sum()), np.sqrt(mean), np.nan)
        return full_score(part, blocks.shape[1])

    def explain(self, blocks: Matrix, models: Places) -> Blame:
        """share: of the mean square; expected: the newest row of the nearest healthy window, put about this mean."""
        blocks = blocks[:, -self._window :]
        z, _ = self._rows(blocks, models)
        spoken = ~np.isnan(self.score(blocks, models)[:, -1])
        weight, expected = np.full(z[:, 0].shape, np.nan), np.full(z[:, 0].shape, np.nan)
        for block in np.flatnonzero(spoken):
            model = int(models[block])
            square, place, mean, scale = self._nearest(z[block], np.array([0]), model)
            newest = self._shapes[model][np.arange(z.shape[2]), -1, place[0]] * scale[0] + mean[0]
            in_units = self._p["centre"][model] + self._p["spread"][model] * newest
            weight[block], expected[block] = square[0], np.where(np.isnan(square[0]), np.nan, in_units)
        return Blame(share_of(weight, spoken), expected)

    def _rows(self, blocks: Matrix, models: Places) -> tuple[Matrix, Mask]:
        spread = self._p["spread"][models]
        z = standardised(blocks, self._p["centre"][models], spread)
        return z, with_opinion(z, ~np.isnan(spread), self._window - 1)

    def _nearest(self, z: Matrix, rows: Places, model: int) -> tuple[Matrix, Places, Matrix, Matrix]:
        """Of the windows of z[n, m] that begin at `rows`: (squared distance per the typical one, NaN where no part is
        taken; place of the nearest in the library; mean; scale), [rows, m] each."""
        shape, mean, scale = shapes(z, rows, self._window, self._floor, self._level)
        own = np.nan_to_num(shape).transpose(1, 0, 2)
        square = _squares(own, self._shapes[model], self._norm[model])
        place = square.argmin(axis=2)
        least = np.take_along_axis(square, place[:, :, None], axis=2)[:, :, 0].T
        taken = ~np.isnan(shape[:, :, 0]) & np.isfinite(least)
        return np.where(taken, least / self._p["typical"][model] ** 2, np.nan), place.T, mean, scale


def shapes(z: Matrix, rows: Places, window: int, floor: float, level: bool) -> tuple[Matrix, Matrix, Matrix]:
    """Windows of z[n, m] that begin at `rows`: (normalised, per square root of their length, float64[rows, m, window],
    NaN where a signal takes no part; what was subtracted; what was divided by)."""
    view = np.lib.stride_tricks.sliding_window_view(z, window, axis=0)[rows]
    known = ~np.isnan(view)
    count = known.sum(axis=2)
    some = np.maximum(count, 1)
    mean = np.where(known, view, 0.0).sum(axis=2) / some
    away = np.where(known, view - mean[:, :, None], 0.0)
    scale = np.maximum(np.sqrt((away * away).sum(axis=2) / some), floor)
    if level:
        away = away + mean[:, :, None]
        mean, scale = np.zeros_like(mean), np.full_like(scale, floor)
    taken = (2 * count >= window) & known[:, :, -1]
    normal = away / (scale[:, :, None] * np.sqrt(window))
    return np.where(taken[:, :, None], normal, np.nan), mean, scale * np.sqrt(window)


def _norms(shape: NDArray[Any]) -> Matrix:
    """Square of each window's length (last axis); infinite where it is not known, so that it is nobody's nearest."""
    square = np.asarray((shape * shape).sum(axis=-1), np.float64)
    return np.where(np.isnan(square), np.inf, square)


def _squares(own: Matrix, library: NDArray[Any], norm: Matrix) -> Matrix:
    """[..., rows, library]: squared distance of own[..., rows, window] to library[..., window, library] of `norm`."""
    square = (own * own).sum(axis=-1)[..., None] - 2 * (own @ library) + norm[..., None, :]
    return np.asarray(np.maximum(square, 0.0))
