"""The ways a machine is run (speeds, loads, standing), found in its healthy past and kept apart.

A regime is a leaf of a small tree of splits `signal > value`. A split is made in the widest valley of a signal that
says how the machine is run: a tenth of its range at least with next to nothing in it, enough rows on either side, and
seldom crossed. A fault that shifts a load a little does not cross a valley; a setting as it never was is of a regime
that nobody knows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Codes = NDArray[np.intp]

# By signal kind: what an operator or a controller sets, rather than what the machine answers.
SETTING_KINDS: Final = ("speed", "frequency", "position", "state")
LOAD_KINDS: Final = ("power", "current", "torque")
UNKNOWN: Final = -1
_LOST: Final = -(2**31)  # in place of a node: the signal that decides has no value
_BINS: Final = 256
_EMPTY: Final = 0.001  # share of the rows that a bin of a valley may hold: starts and stops pass through


@dataclass(frozen=True, slots=True)
class RegimeSettings:
    """valley: least width, in ranges. least_rows: of a regime that is kept apart. least_stay: rows that half of the
    stays in a heap must last. settle_rows: after a change of regime nothing is said. beyond: how far outside its
    regime's range, in ranges, a setting is unknown. settled_at_breaks: the rows are of stretches so short that nothing
    would be left of them if each had to settle first."""

    valley: float = 0.1
    least_rows: int = 300
    least_stay: int = 30
    most: int = 6
    settle_rows: int = 120
    beyond: float = 0.25
    settled_at_breaks: bool = False


@dataclass(frozen=True, slots=True)
class Beyond:
    """A setting outside of low to high, which is what was seen of it and some room."""

    column: int
    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class RegimeTree:
    """columns: intp[splits], threshold: float64[splits]; above, below: intp[splits], the next split, or -1 - regime.
    lowest, highest: float64[regimes, m], what a setting said in it; NaN for signals that are none."""

    column: Codes
    threshold: Matrix
    below: Codes
    above: Codes
    lowest: Matrix
    highest: Matrix

    @property
    def count(self) -> int:
        return len(self.lowest)

    def of(self, values: Matrix) -> Codes:
        """values: float64[n, m] -> intp[n]; UNKNOWN where a signal that decides has no value, or a setting is far from
        all that was seen."""
        found: Codes = RegimeTrees([self]).of(values[None], np.zeros(1, np.intp))[0]
        return found

    def is_beyond(self, values: Matrix) -> NDArray[np.bool_]:
        """values: float64[n, m]. Where a setting is far from all that was seen; not where one that decides has no
        value."""
        return np.asarray(self._far(values).any(axis=1))

    def beyond(self, row: Matrix) -> Beyond | None:
        """row: float64[m]. The first setting that is far from what was seen."""
        far = self._far(row[None])[0]
        if not far.any():
            return None
        column, leaf = int(np.argmax(far)), int(self._leaves(row[None])[0])
        return Beyond(column, float(self.lowest[leaf, column]), float(self.highest[leaf, column]))

    def _leaves(self, values: Matrix) -> Codes:
        leaves: Codes = RegimeTrees([self]).leaves(values[None], np.zeros(1, np.intp))[0]
        return leaves

    def _far(self, values: Matrix) -> NDArray[np.bool_]:
        leaf = self._leaves(values)
        place = np.maximum(leaf, 0)
        with np.errstate(invalid="ignore"):
            far = (values < self.lowest[place]) | (values > self.highest[place])
        return np.asarray(far & (leaf >= 0)[:, None])


class RegimeTrees:
    """Those of many machines with equally many signals, asked in one call."""

    def __init__(self, trees: Sequence[RegimeTree]) -> None:
        splits = max((len(tree.column) for tree in trees), default=0)
        regimes = max((tree.count for tree in trees), default=1)
        self._splits = splits
        self._root = np.array([0 if len(tree.column) else UNKNOWN for tree in trees], np.intp)
        self._column = _stacked([tree.column for tree in trees], splits, 0)
        self._threshold = _stacked([tree.threshold for tree in trees], splits, np.nan)
        self._next = np.stack(
            [_stacked([t.below for t in trees], splits, -1), _stacked([t.above for t in trees], splits, -1)]
        )
        self._lowest = _stacked([tree.lowest for tree in trees], regimes, np.nan)
        self._highest = _stacked([tree.highest for tree in trees], regimes, np.nan)

    def of(self, values: Matrix, tree: Codes) -> Codes:
        """values: float64[k, n, m], block i judged by tree[i] -> intp[k, n]."""
        regime = self.leaves(values, tree)
        known = regime >= 0
        place = np.where(known, regime, 0)
        with np.errstate(invalid="ignore"):
            far = (values < self._lowest[tree[:, None], place]) | (values > self._highest[tree[:, None], place])
        return np.where(known & ~far.any(axis=2), regime, UNKNOWN)

    def leaves(self, values: Matrix, tree: Codes) -> Codes:
        """The regimes before a look at how far the settings are from them; UNKNOWN where one that decides has no
        value."""
        node = np.broadcast_to(self._root[tree][:, None], values.shape[:2])  # < 0: regime -1 - node
        for _ in range(self._splits):
            at = np.maximum(node, 0)
            column = self._column[tree[:, None], at]
            value = np.take_along_axis(values, column[:, :, None], axis=2)[:, :, 0]
            with np.errstate(invalid="ignore"):
                above = (value > self._threshold[tree[:, None], at]).astype(np.intp)
            after = np.where(np.isfinite(value), self._next[above, tree[:, None], at], _LOST)
            node = np.where(node >= 0, after, node)
        return np.where(node == _LOST, UNKNOWN, -1 - node)


def _stacked(columns: Sequence[NDArray[Any]], length: int, fill: float) -> NDArray[Any]:
    """Side by side, each with `fill` up to `length`."""
    out = np.full((len(columns), length, *columns[0].shape[1:]), fill, columns[0].dtype)
    for row, column in zip(out, columns, strict=True):
        row[: len(column)] = column
    return out


def one_regime(width: int) -> RegimeTree:
    """All is one regime."""
    none = np.zeros(0, np.intp)
    return RegimeTree(none, np.zeros(0), none, none, np.full((1, width), np.nan), np.full((1, width), np.nan))


def find_regimes(healthy: Matrix, kinds: Sequence[str], settings: RegimeSettings | None = None) -> RegimeTree:
    """healthy: float64[n, m]; kinds: of its columns. Settings are split by before loads."""
    settings = settings or RegimeSettings()
    order = [kind for kinds_ in (SETTING_KINDS, LOAD_KINDS) for kind in kinds_]
    columns = sorted((c for c, kind in enumerate(kinds) if kind in order), key=lambda c: order.index(kinds[c]))
    grown = _Grown(healthy, columns, settings)
    grown.split(np.arange(len(healthy)))
    settable = np.array([kind in SETTING_KINDS for kind in kinds], np.bool_)
    return grown.tree(settable)


def settled(regime: Codes, rows: int, breaks: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
    """regime: intp[n]. Where the last `rows` rows, and this one, were of one known regime. breaks: bool[n], rows of
    nothing; the first regime that is known after one counts as settled."""
    line = np.arange(len(regime))
    changed = np.r_[True, regime[1:] != regime[:-1]]
    begun = np.maximum.accumulate(np.where(changed, line, 0))
    # What came before the first row is not known: it counts as settled.
    first = begun == 0
    if breaks is not None:
        last_break = np.maximum.accumulate(np.where(breaks, line, -1))
        last_known = np.r_[-1, np.maximum.accumulate(np.where(regime >= 0, line, -1))]  # before each row
        first |= last_known[begun] <= last_break[begun]
    return np.asarray((regime >= 0) & (first | (line - begun >= rows)))


def breaks_of(rows: Matrix, settings: RegimeSettings) -> NDArray[np.bool_] | None:
    """What `settled` takes."""
    return np.asarray(np.isnan(rows).all(axis=1)) if settings.settled_at_breaks else None


class _Grown:
    """The tree while it grows; regimes in the order in which they are found."""

    def __init__(self, healthy: Matrix, columns: Sequence[int], settings: RegimeSettings) -> None:
        self._healthy, self._columns, self._s = healthy, columns, settings
        self._nodes: list[list[float]] = []
        self._regimes: list[Codes] = []
        self._leaves = 1

    def split(self, rows: Codes) -> int:
        """Node number of these rows: >= 0 a split, < 0 a regime."""
        found = self._cut(rows) if self._leaves < self._s.most else None
        if found is None:
            self._regimes.append(rows)
            return -len(self._regimes)
        self._leaves += 1
        column, threshold = found
        node = len(self._nodes)
        self._nodes.append([column, threshold, 0, 0])
        value = self._healthy[rows, column]
        self._nodes[node][2] = self.split(rows[value <= threshold])
        self._nodes[node][3] = self.split(rows[value > threshold])
        return node

    def _cut(self, rows: Codes) -> tuple[int, float] | None:
        for column in self._columns:
            value = self._healthy[rows, column]
            value = value[np.isfinite(value)]
            if len(value) >= 2 * self._s.least_rows:
                threshold = _valley(value, self._s)
                if threshold is not None:
                    return column, threshold
        return None

    def tree(self, settable: NDArray[np.bool_]) -> RegimeTree:
        nodes = np.array(self._nodes, float).reshape(-1, 4)
        shape = (len(self._regimes), self._healthy.shape[1])
        lowest, highest = np.full(shape, np.nan), np.full(shape, np.nan)
        for i, rows in enumerate(self._regimes):
            for c in np.flatnonzero(settable):
                value = self._healthy[rows, c]
                value = value[np.isfinite(value)]
                if len(value):
                    room = self._s.beyond * max(float(np.ptp(value)), 0.1 * float(np.abs(value).max()))
                    lowest[i, c], highest[i, c] = value.min() - room, value.max() + room
        column, below, above = (nodes[:, i].astype(np.intp) for i in (0, 2, 3))
        return RegimeTree(column, nodes[:, 1].copy(), below, above, lowest, highest)


def _valley(value: Matrix, settings: RegimeSettings) -> float | None:
    """Middle of the widest valley with enough on either side, each often enough stayed in; None where there is none."""
    low, high = float(value.min()), float(value.max())
    if not high > low:
        return None
    count, edge = np.histogram(value, _BINS, (low, high))
    is_empty = count <= _EMPTY * len(value)
    step = np.diff(np.r_[False, is_empty, False].astype(np.int8))
    first, end = np.flatnonzero(step == 1), np.flatnonzero(step == -1)
    below = np.r_[0, np.cumsum(count)]
    enough = np.minimum(below[first], len(value) - below[end]) >= settings.least_rows
    width = np.where(enough, end - first, 0)
    if not len(width) or width.max() < settings.valley * _BINS:
        return None
    widest = int(np.argmax(width))
    threshold = float((edge[first[widest]] + edge[end[widest]]) / 2)
    is_above = value > threshold
    stays = np.diff(np.flatnonzero(np.r_[True, is_above[1:] != is_above[:-1], True]))
    return threshold if np.median(stays) >= settings.least_stay else None
