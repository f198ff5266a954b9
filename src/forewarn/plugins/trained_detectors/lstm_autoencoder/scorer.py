"""Windows of many machines through their networks; machines that share a network go through it together."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forewarn.contracts.trained_detector import Blame, Matrix
from forewarn.plugins.trained_detectors.lstm_autoencoder.network import Floats
from forewarn.plugins.trained_detectors.lstm_autoencoder.runtimes import Network
from forewarn.plugins.trained_detectors.lstm_autoencoder.windows import filled_forward, gathered, scaled, whole_windows
from forewarn.policies.standard_rows import Mask, full_score, share_of

Places = NDArray[np.intp]
# Windows gathered at once: 16 MB of float32 at 30 steps x 10 signals.
_AT_ONCE: Final = 1 << 14


class LstmScorer:
    """See contracts/trained_detector.py."""

    def __init__(
        self, scale: Mapping[str, Matrix], networks: Sequence[Network], of_model: Places, steps: int, fill: int
    ) -> None:
        """scale: low, spread (most less least) and middle, float64[models, m]. of_model: the network of each."""
        self._p, self._networks, self._of_model = scale, networks, of_model
        self._steps, self._fill = steps, fill

    def score(self, blocks: Matrix, models: Places) -> Matrix:
        k, n, _ = blocks.shape
        context = self._steps - 1 + self._fill
        if n <= context:
            return np.full((k, n), np.nan)
        x, present, opinion = self._windows(blocks, models)
        part = np.full(opinion.shape, np.nan)
        block, place = np.nonzero(opinion)
        for first in range(0, len(block), _AT_ONCE):
            at = (block[first : first + _AT_ONCE], place[first : first + _AT_ONCE])
            away, _ = self._away(x, at, present[at], models[at[0]])
            part[at] = away.sum(axis=1) / present[at].sum(axis=1)
        return full_score(part, n)

    def explain(self, blocks: Matrix, models: Places) -> Blame:
        """share: of the reconstruction's error; expected: the last step as reconstructed."""
        k, _, m = blocks.shape
        x, present, opinion = self._windows(blocks[:, -self._steps - self._fill :], models)
        share, expected = np.full((k, m), np.nan), np.full((k, m), np.nan)
        spoken = np.flatnonzero(opinion[:, -1])
        there, model = present[spoken, -1], models[spoken]
        at = (spoken, np.full(len(spoken), opinion.shape[1] - 1))
        away, rebuilt = self._away(x, at, there, model)
        share[spoken] = share_of(np.where(there, away, np.nan), np.ones(len(spoken), np.bool_))
        in_units = self._p["low"][model] + self._p["spread"][model] * rebuilt[:, -1].astype(np.float64)
        expected[spoken] = np.where(there, in_units, np.nan)
        return Blame(share, expected)

    def _windows(self, blocks: Matrix, models: Places) -> tuple[Matrix, Mask, Mask]:
        """(x[k, n, m], scaled and filled; present[k, n - context, m]; opinion[k, n - context])."""
        width = self._p["spread"][models]
        raw = scaled(blocks, self._p["low"][models], width)
        x = filled_forward(raw, self._fill)
        present, opinion = whole_windows(x, raw, ~np.isnan(width), self._steps)
        return x, present[:, self._fill :], opinion[:, self._fill :]

    def _away(self, x: Matrix, at: tuple[Places, Places], present: Mask, models: Places) -> tuple[Matrix, Floats]:
        """(mean absolute error by signal, 0 where it takes no part; reconstruction) of windows `at` (block, place)."""
        end = (at[0], at[1] + self._steps - 1 + self._fill)
        windows = gathered(x, end, self._steps)
        stand_in = self._p["middle"][models].astype(np.float32)
        windows = np.where(present[:, None], windows, stand_in[:, None])
        rebuilt = np.empty_like(windows)
        network = self._of_model[models]
        for which in np.unique(network):
            chosen = network == which
            rebuilt[chosen] = self._networks[which](windows[chosen])
        away = np.abs(rebuilt - windows).mean(axis=1, dtype=np.float64)
        return np.where(present, away, 0.0), rebuilt
