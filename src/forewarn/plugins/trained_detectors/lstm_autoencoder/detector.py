"""LSTM autoencoder: can the last half minute be rebuilt from what a healthy half minute is like?"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from forewarn.contracts.trained_detector import Matrix, Parameters
from forewarn.domain.errors import ConfigurationError, InvalidInput
from forewarn.plugins.trained_detectors.lstm_autoencoder.network import Sizes, checked, quantised, unpacked
from forewarn.plugins.trained_detectors.lstm_autoencoder.runtimes import RUNTIMES, Network, network
from forewarn.plugins.trained_detectors.lstm_autoencoder.scorer import LstmScorer
from forewarn.plugins.trained_detectors.lstm_autoencoder.training import Schedule, Windows, trained
from forewarn.plugins.trained_detectors.lstm_autoencoder.windows import (
    filled_forward,
    healthy_range,
    scaled,
    whole_windows,
)
from forewarn.policies.standard_rows import Mask, enough_rows, stacked

_LEAST_WINDOWS = 10  # of one machine, however many share
_SCALE = {"low": "m", "spread": "m", "middle": "m"}


class LstmAutoencoder:
    """Mean absolute error between a window of `steps` rows and its reconstruction by an LSTM autoencoder: encoder and
    decoder of `units` each, MinMax on the machine's healthy range, gaps filled forward for `fill` rows at most.

    A signal that is not known throughout the window stands at its healthy mean and its error does not count. Values
    beyond the healthy range are not clipped. Weights are stored as int8 with a float32 scale per column.

    Training needs the extra `train` (JAX, optax); scoring runs in ONNX Runtime where that is installed, else in numpy:
    `runtime` is auto, numpy or onnx. Machines of one template may share a network, each on its own range (`sample`,
    `fit_shared`, `calibrate`); a scorer runs them together.

    >>> swing = np.sin(np.arange(300) / 4.0)[:, None] * [1.0, -2.0, 0.5]
    >>> healthy = swing + np.random.default_rng(1).normal(0, 0.05, swing.shape)
    >>> detector = LstmAutoencoder(steps=8, units=8, epochs=30, learning_rate=0.01)
    >>> scorer = detector.prepare([detector.fit(healthy[:250])])
    >>> broken = healthy[250:].copy()
    >>> broken[30:, 1] = 4.0
    >>> usual, odd = scorer.score(np.stack((healthy[250:], broken)), np.array([0, 0]))[:, -1]
    >>> bool(odd > 1.5 * usual)
    True
    """

    name: ClassVar[str] = "lstm_autoencoder"

    def __init__(
        self,
        steps: int = 30,
        units: int = 64,
        fill: int = 5,
        epochs: int = 100,
        batch: int = 32,
        learning_rate: float = 0.003,
        patience: int = 8,
        most_windows: int = 8192,
        runtime: str = "auto",
    ) -> None:
        self._parameters = {k: v for k, v in locals().items() if k != "self"}
        if runtime not in RUNTIMES:
            raise ConfigurationError(f"lstm_autoencoder: runtime is {runtime!r}, not one of {', '.join(RUNTIMES)}")
        if min(steps, units, epochs, batch, patience, most_windows) < 1 or fill < 0:
            raise ConfigurationError(f"lstm_autoencoder: sizes are 1 or more, fill 0 or more: {self._parameters}")
        self._steps, self._units, self._fill, self._runtime = steps, units, fill, runtime
        self._schedule, self._most_windows = Schedule(epochs, batch, learning_rate, patience), most_windows

    @property
    def context(self) -> int:
        return self._steps - 1 + self._fill

    @property
    def least_rows(self) -> int:
        return 4 * self._steps

    def parameters(self) -> Mapping[str, Any]:
        return dict(self._parameters)

    def fit(self, healthy: Matrix, seed: int = 0) -> Parameters:
        return self.calibrate(self.fit_shared([self.sample(healthy)], seed), healthy)

    def sample(self, healthy: Matrix, share: float = 1.0) -> Parameters:
        """See contracts/shared_detector.py. Windows on this machine's own range; held out is the last tenth of them,
        and what overlaps it is in neither part."""
        scale = self._scale(healthy)
        x, first, present = self._learnable(healthy, scale)
        stride = -(-len(first) // max(int(self._most_windows * share), _LEAST_WINDOWS))
        chosen = first[::stride]
        cut = chosen[-max(len(chosen) // 10, 1)]
        later = chosen >= cut
        kept = later | (chosen <= cut - self._steps)
        if not kept[~later].any():
            kept[:] = True
        there = present[::stride][kept]
        rows = x[chosen[kept, None] + np.arange(self._steps)]
        values = np.where(there[:, None], rows, scale["middle"]).astype(np.float32)
        return {"windows": values, "present": there, "held_out": later[kept]}

    def fit_shared(self, samples: Sequence[Parameters], seed: int = 0) -> Parameters:
        """One network for machines of the same signals. See contracts/shared_detector.py."""
        windows = _pooled(self.name, samples)
        weights = trained(windows, self._sizes(windows.values.shape[2]), self._schedule, seed)
        return {**quantised(weights), "steps": np.array([self._steps], np.int64)}

    def calibrate(self, part: Parameters, healthy: Matrix) -> Parameters:
        """The network on this machine's own range. See contracts/shared_detector.py."""
        scale = self._scale(healthy)
        self._learnable(healthy, scale)
        network = checked(self.name, part, self._sizes(healthy.shape[1]))
        return {**scale, **network, "steps": np.array([self._steps], np.int64)}

    def prepare(self, models: Sequence[Parameters]) -> LstmScorer:
        scale = stacked(self.name, models, _SCALE)
        _sensible(self.name, scale)
        sizes = self._sizes(scale["low"].shape[1])
        places: dict[bytes, int] = {}
        networks: list[Network] = []
        of_model: list[int] = []
        for model in models:
            stored = checked(self.name, model, sizes)
            steps = np.asarray(model.get("steps", ()))
            if steps.tolist() != [self._steps]:
                raise InvalidInput(
                    f"{self.name}: a model of {steps.tolist()} steps where {self._steps} are set: train it again",
                    field="steps",
                )
            digest = hashlib.sha256(b"".join(stored[name].tobytes() for name in sorted(stored))).digest()
            if digest not in places:
                places[digest] = len(networks)
                networks.append(network(unpacked(self.name, stored, sizes), sizes, self._runtime))
            of_model.append(places[digest])
        return LstmScorer(scale, networks, np.array(of_model, np.intp), self._steps, self._fill)

    def _sizes(self, signals: int) -> Sizes:
        return Sizes(signals, self._steps, self._units)

    def _scale(self, healthy: Matrix) -> dict[str, Matrix]:
        return dict(zip(_SCALE, healthy_range(healthy), strict=True))

    def _learnable(self, healthy: Matrix, scale: Mapping[str, Matrix]) -> tuple[Matrix, NDArray[np.intp], Mask]:
        """(rows scaled and filled; the first row of every window that allows an opinion; who takes part in it). Raises
        NotEnoughData."""
        raw = scaled(healthy[None], scale["low"][None], scale["spread"][None])
        x = filled_forward(raw, self._fill)
        present, opinion = whole_windows(x, raw, ~np.isnan(scale["spread"])[None], self._steps)
        first = np.flatnonzero(opinion[0])
        enough_rows(self.name, len(first), self.least_rows)
        return x[0], first, present[0, first]


def _sensible(detector: str, scale: Mapping[str, Matrix]) -> None:
    if not ((scale["middle"] >= 0) & (scale["middle"] <= 1)).all():
        raise InvalidInput(f"{detector}: middle holds a mean outside its range: train the model again", field="middle")


def _pooled(detector: str, samples: Sequence[Parameters]) -> Windows:
    """In an order that is the samples' own, whatever the machines' was."""
    if len({np.shape(sample["windows"])[1:] for sample in samples}) != 1:
        raise InvalidInput(f"{detector}: a network is learned from samples of the same signals", field="samples")
    ordered = sorted(samples, key=lambda sample: hashlib.sha256(sample["windows"].tobytes()).digest())
    return Windows(*(np.concatenate([one[name] for one in ordered]) for name in ("windows", "present", "held_out")))
