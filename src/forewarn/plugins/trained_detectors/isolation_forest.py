"""Isolation forest: how few random cuts set this row apart from the healthy ones?"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from forewarn.contracts.trained_detector import Blame, Matrix, Parameters
from forewarn.domain.errors import ConfigurationError, InvalidInput
from forewarn.policies.standard_rows import (
    FARTHEST,
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
_EULER = 0.5772156649015329
# Walkers (row x tree) moved together: their arrays stay in the processor's cache.
_TOGETHER = 1 << 15


class IsolationForest:
    """Isolation forest (Liu, Ting & Zhou 2008): score 2^(-E[path length] / c(sample)), about 0.5 for the ordinary and
    towards 1 the fewer cuts a row needs. The score is the median of `smooth` rows' own.

    A cut on a signal without a value is taken both ways, each weighted by its share of the healthy rows: the path's
    expected length where nothing is known. A signal's blame is what the score falls by when its value is withheld.
    Constant signals are never cut. Trees are complete binary trees in arrays, walked together level by level.

    >>> import numpy as np
    >>> healthy = np.random.default_rng(0).normal(50.0, 1.0, (400, 3))
    >>> detector = IsolationForest(trees=20)
    >>> scorer = detector.prepare([detector.fit(healthy)])
    >>> block = np.full((2, 5, 3), 50.0)
    >>> block[1, :, 1] = 58.0
    >>> usual, odd = scorer.score(block, np.array([0, 0]))[:, 4]
    >>> bool(usual < 0.5 < odd), int(scorer.explain(block, np.array([0, 0])).share[1].argmax())
    (True, 1)
    """

    name: ClassVar[str] = "isolation_forest"

    def __init__(self, trees: int = 100, sub_sample: int = 256, smooth: int = 5) -> None:
        if trees < 1 or sub_sample < 8 or smooth < 1:
            raise ConfigurationError(
                f"isolation_forest: trees >= 1, sub_sample >= 8, smooth >= 1 (not {trees}, {sub_sample}, {smooth})"
            )
        self._trees, self._sub_sample, self._smooth = trees, sub_sample, smooth
        self._depth = int(np.ceil(np.log2(sub_sample)))

    @property
    def context(self) -> int:
        return self._smooth - 1

    @property
    def least_rows(self) -> int:
        return max(self._sub_sample // 2, 8)

    def parameters(self) -> Mapping[str, Any]:
        return {"trees": self._trees, "sub_sample": self._sub_sample, "smooth": self._smooth}

    def fit(self, healthy: Matrix, seed: int = 0) -> Parameters:
        centre, spread = centre_and_spread(healthy)
        z = standardised(healthy[None], centre[None], spread[None])
        opinion = with_opinion(z, ~np.isnan(spread)[None], 0)[0]
        enough_rows(self.name, int(opinion.sum()), self.least_rows)
        rows = z[0][opinion]
        random = np.random.default_rng(seed)
        sample = min(self._sub_sample, len(rows))
        drawn = np.stack([random.choice(len(rows), sample, replace=False) for _ in range(self._trees)])
        forest = _Growth(rows[drawn], self._depth, random).parameters()
        return {"centre": centre, "spread": spread, **forest}

    def prepare(self, models: Sequence[Parameters]) -> "ForestScorer":
        scale = stacked(self.name, models, {"centre": "m", "spread": "m"})
        for p in models:
            self._check(p, scale["centre"].shape[1])
        return ForestScorer(models, scale, self._depth, self._smooth)

    def _check(self, p: Parameters, signals: int) -> None:
        cuts, leaves = (self._trees, 2**self._depth - 1), (self._trees, 2**self._depth)
        feature = _array(p, "feature", cuts, "i")
        if feature.min() < 0 or feature.max() >= signals:
            raise InvalidInput(
                f"isolation_forest: a cut is on a signal beyond the {signals} there are", field="feature"
            )
        threshold = _array(p, "threshold", cuts, "f")
        if not (np.isnan(threshold) | (abs(threshold) <= 2 * FARTHEST)).all():
            raise InvalidInput(
                "isolation_forest: a cut where no value can be: train the model again", field="threshold"
            )
        share = _array(p, "left_share", cuts, "f")
        if not ((share >= 0) & (share <= 1)).all():
            raise InvalidInput("isolation_forest: a share lies outside 0-1: train the model again", field="left_share")
        path = _array(p, "path", leaves, "f")
        if not ((path >= 0) & np.isfinite(path)).all():
            raise InvalidInput("isolation_forest: a path's length is below 0 or not finite: train again", field="path")
        if int(_array(p, "sample", (1,), "i")[0]) < 2:
            raise InvalidInput("isolation_forest: a sample of less than 2 rows: train the model again", field="sample")


class ForestScorer:
    """Forests side by side: cut j of tree t of model i lies at (i * trees + t) * cuts + j."""

    def __init__(self, models: Sequence[Parameters], scale: Mapping[str, Matrix], depth: int, smooth: int) -> None:
        self._centre, self._spread, self._depth, self._smooth = scale["centre"], scale["spread"], depth, smooth
        self._trees = len(models[0]["feature"])
        self._feature, self._threshold, self._left_share, self._path = (
            np.concatenate([p[name].ravel() for p in models]) for name in ("feature", "threshold", "left_share", "path")
        )
        # Whatever kind of NaN was stored: no cut.
        self._threshold = np.where(np.isnan(self._threshold), np.nan, self._threshold)
        self._usual = _average_path(np.array([float(p["sample"][0]) for p in models]))

    def score(self, blocks: Matrix, models: Places) -> Matrix:
        n = blocks.shape[1]
        if n < self._smooth:
            return full_score(np.empty((len(blocks), 0)), n)
        z, enough, opinion = self._z(blocks, models)
        each = np.full(enough.shape, np.nan)
        each[enough] = self._rows(z[enough], np.broadcast_to(models[:, None], enough.shape)[enough])
        return full_score(np.where(opinion, _causal_median(each, self._smooth), np.nan), n)

    def explain(self, blocks: Matrix, models: Places) -> Blame:
        """What the scores of the last `smooth` rows fall by when a signal's value is withheld, as a share."""
        z, enough, opinion = self._z(blocks[:, -self._smooth :], models)
        k, _, m = z.shape
        row, block = z[enough], np.nonzero(enough)[0]
        withheld = np.repeat(row[:, None], m, axis=1)
        withheld[:, np.arange(m), np.arange(m)] = np.nan
        without = self._rows(withheld.reshape(-1, m), np.repeat(models[block], m)).reshape(-1, m)
        fall = np.maximum(self._rows(row, models[block])[:, None] - without, 0.0)
        total = np.zeros((k, m))
        np.add.at(total, block, np.where(np.isnan(row), 0.0, fall))
        taken = ~np.isnan(z).all(axis=1)
        return Blame(share_of(np.where(taken, total, np.nan), opinion[:, -1]), np.full((k, m), np.nan))

    def _z(self, blocks: Matrix, models: Places) -> tuple[Matrix, Mask, Mask]:
        """(z[k, n, m]; enough[k, n]: half of the signals are known; opinion[k, n - context]: and no break before)."""
        spread = self._spread[models]
        known = ~np.isnan(spread)
        z = standardised(blocks, self._centre[models], spread)
        return z, with_opinion(z, known, 0), with_opinion(z, known, self._smooth - 1)

    def _rows(self, rows: Matrix, of_model: Places) -> Matrix:
        """float64[rows] of rows float64[rows, m]; a row's score is the same whatever stands beside it."""
        mean_path = np.empty(len(rows))
        # A signal that takes no part is never cut, so that its absence makes no row gappy.
        gap = (np.isnan(rows) & ~np.isnan(self._spread[of_model])).any(axis=1)
        # A walker of a gappy row may become many.
        for walk, chosen, many in ((self._whole, np.flatnonzero(~gap), 1), (self._gappy, np.flatnonzero(gap), 8)):
            step = max(_TOGETHER // (many * self._trees), 1)
            for first in range(0, len(chosen), step):
                part = chosen[first : first + step]
                mean_path[part] = walk(rows[part], of_model[part])
        return np.asarray(2.0 ** (-mean_path / self._usual[of_model]), np.float64)

    def _whole(self, rows: Matrix, of_model: Places) -> Matrix:
        n, m = rows.shape
        tree = of_model[:, None] * self._trees + np.arange(self._trees)
        first_cut, value = tree * (2**self._depth - 1), np.ascontiguousarray(rows).ravel()
        row_start = (np.arange(n) * m)[:, None]
        node = np.zeros((n, self._trees), np.intp)
        for _ in range(self._depth):
            at = first_cut + node
            right = value.take(self._feature.take(at) + row_start) > self._threshold.take(at)
            node += node
            node += 1
            node += right
        leaf = node - (2**self._depth - 1) + tree * 2**self._depth
        return np.asarray(self._path.take(leaf).mean(axis=1, dtype=np.float64))

    def _gappy(self, rows: Matrix, of_model: Places) -> Matrix:
        """As _whole, but a walker whose cut has no value becomes two, each with its share of the weight."""
        row = np.repeat(np.arange(len(rows)), self._trees)
        tree = np.repeat(of_model * self._trees, self._trees) + np.tile(np.arange(self._trees), len(rows))
        node, weight = np.zeros(len(row), np.intp), np.ones(len(row))
        for _ in range(self._depth):
            at = tree * (2**self._depth - 1) + node
            value, share = rows[row, self._feature[at]], self._left_share[at].astype(np.float64)
            unknown = np.isnan(value)
            both = unknown & (share > 0) & (share < 1)
            right = np.where(unknown, share == 0, value > self._threshold[at])
            weight = np.concatenate((np.where(both, weight * share, weight), weight[both] * (1 - share[both])))
            node = np.concatenate((2 * node + 1 + right, 2 * node[both] + 2))
            row, tree = np.concatenate((row, row[both])), np.concatenate((tree, tree[both]))
        leaf = node - (2**self._depth - 1) + tree * 2**self._depth
        return np.bincount(row, weight * self._path[leaf], len(rows)) / self._trees


class _Growth:
    """All trees grown together, one level at a time. A node that is done sends everything left to the last level."""

    def __init__(self, samples: Matrix, depth: int, random: np.random.Generator) -> None:
        trees, size, _ = samples.shape
        self._samples, self._random, self._depth = samples, random, depth
        self._node = np.zeros((trees, size), np.intp)
        self._feature = np.zeros((trees, 2**depth - 1), np.int16)
        self._threshold = np.full((trees, 2**depth - 1), np.nan, np.float32)
        self._left_share = np.ones((trees, 2**depth - 1), np.float32)
        self._ended = np.full((trees, 1), -1)
        for level in range(depth):
            self._grow(level)

    def parameters(self) -> Parameters:
        size = self._samples.shape[1]
        last = 2**self._depth
        count = _counts(self._node, last)
        depth = np.where(self._ended >= 0, self._ended, self._depth)
        path = (depth + _average_path(count)).astype(np.float32)
        return {
            "feature": self._feature,
            "threshold": self._threshold,
            "left_share": self._left_share,
            "path": path,
            "sample": np.array([size], np.int64),
        }

    def _grow(self, level: int) -> None:
        width = 2**level
        low, high = self._extent(width)
        moves = (high > low) & (self._ended < 0)[:, :, None]
        signal = np.where(moves, self._random.random(moves.shape), -1.0).argmax(axis=2)
        at = (*np.indices(signal.shape), signal)
        alive = moves[at]
        with np.errstate(invalid="ignore"):
            cut = low[at] + self._random.random(signal.shape) * (high[at] - low[at])
        cut = np.where(alive, cut, np.nan).astype(np.float32)
        trees = np.arange(len(signal))[:, None]
        value = np.take_along_axis(self._samples, signal[trees, self._node][:, :, None], axis=2)[:, :, 0]
        right = value > cut[trees, self._node]
        known = ~np.isnan(value)
        total, of_right = _counts(self._node, width, known), _counts(self._node, width, known & right)
        share = np.where(alive, 1 - of_right / np.maximum(total, 1), 1.0)
        chance = self._random.random(value.shape) >= share[trees, self._node]
        self._node = 2 * self._node + np.where(known, right, chance & alive[trees, self._node])
        here = slice(width - 1, 2 * width - 1)
        self._feature[:, here] = np.where(alive, signal, 0)
        self._threshold[:, here], self._left_share[:, here] = cut, share
        ended = np.where((self._ended < 0) & ~alive, level, self._ended)
        self._ended = np.repeat(ended, 2, axis=1)

    def _extent(self, width: int) -> tuple[Matrix, Matrix]:
        """Least and largest value by (tree, node, signal); an empty node has none (inf, -inf)."""
        trees, _, m = self._samples.shape
        place = (np.arange(trees)[:, None] * width + self._node).ravel()
        order = np.argsort(place, kind="stable")
        ordered = self._samples.reshape(-1, m)[order]
        starts = np.flatnonzero(np.r_[True, np.diff(place[order]) > 0])
        low, high = np.full((trees * width, m), np.inf), np.full((trees * width, m), -np.inf)
        low[place[order][starts]] = np.fmin.reduceat(ordered, starts)
        high[place[order][starts]] = np.fmax.reduceat(ordered, starts)
        return low.reshape(trees, width, m), high.reshape(trees, width, m)


def _causal_median(score: Matrix, rows: int) -> Matrix:
    """[k, n] -> [k, n - rows + 1]: median of each and the rows - 1 before it, of those that are known."""
    ordered = np.sort(np.lib.stride_tricks.sliding_window_view(score, rows, axis=1), axis=2)
    count = np.maximum(rows - np.isnan(ordered).sum(axis=2, keepdims=True), 1)
    low, high = (np.take_along_axis(ordered, at, axis=2)[:, :, 0] for at in ((count - 1) // 2, count // 2))
    return np.asarray((low + high) / 2)


def _counts(node: Places, width: int, chosen: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
    """Samples by (tree, node), of those chosen."""
    place = np.arange(len(node))[:, None] * width + node
    flat = place.ravel() if chosen is None else place[chosen]
    return np.bincount(flat, minlength=len(node) * width).reshape(len(node), width).astype(np.float64)


def _average_path(count: NDArray[np.float64]) -> NDArray[np.float64]:
    """c(n): mean length of an unsuccessful search in a binary tree of n keys (Liu 2008, eq. 1)."""
    more = np.maximum(count, 2.0)
    length = 2.0 * (np.log(more - 1.0) + _EULER) - 2.0 * (more - 1.0) / more
    return np.where(count > 2, length, np.where(count == 2, 1.0, 0.0))


def _array(p: Parameters, name: str, shape: tuple[int, ...], kind: str) -> NDArray[Any]:
    found = p.get(name)
    if not isinstance(found, np.ndarray) or found.shape != shape or found.dtype.kind != kind:
        what = f"{found.dtype}{list(found.shape)}" if isinstance(found, np.ndarray) else "nothing"
        raise InvalidInput(
            f"isolation_forest: '{name}' is {what}, not {kind}{list(shape)}: train the model again", field=name
        )
    return found
