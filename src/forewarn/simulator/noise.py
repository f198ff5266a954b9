"""Seeded disturbances that do not depend on how time is cut into calls."""

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from forewarn.simulator.lag import Lags
from forewarn.simulator.quantities import Array


def generator(seed: int, *names: str) -> np.random.Generator:
    """One stream per name, so that one machine's data does not depend on which others are simulated."""
    return np.random.Generator(np.random.PCG64([seed, *(zlib.crc32(n.encode()) for n in names)]))


class Disturbances:
    """Unit-variance AR(1) channels (sampled Ornstein-Uhlenbeck) for each machine of a group.

    taus_s: correlation time of each channel; equal ones should be neighbours, they are filtered together."""

    def __init__(self, seed: int, machines: Sequence[str], taus_s: Sequence[float]) -> None:
        self._streams = [generator(seed, machine, "noise") for machine in machines]
        self._taus = list(taus_s)
        self.lags = Lags()
        first = np.stack([s.standard_normal(len(self._taus)) for s in self._streams])
        for tau in dict.fromkeys(self._taus):
            self.lags.states[f"tau{tau:g}"] = first[:, [t == tau for t in self._taus]].reshape(-1).copy()

    def draw(self, steps: int, step_s: float) -> Array:
        """[steps, machines, channels]; the next `steps` values."""
        channels = len(self._taus)
        white = np.empty((steps, len(self._streams), channels))
        for column, stream in enumerate(self._streams):
            white[:, column] = stream.standard_normal((steps, channels))
        result = np.empty_like(white)
        self.lags.step_s = step_s
        for tau in dict.fromkeys(self._taus):
            chosen = [i for i, t in enumerate(self._taus) if t == tau]
            first, last = chosen[0], chosen[-1] + 1
            a = float(np.exp(-step_s / tau))
            # The filter weighs its input with 1 - a; an AR(1) of unit variance wants sqrt(1 - a^2).
            driven = white[:, :, first:last].reshape(steps, -1) * (np.sqrt(1.0 - a * a) / (1.0 - a))
            result[:, :, first:last] = self.lags(f"tau{tau:g}", driven, tau).reshape(steps, -1, last - first)
        return result

    def snapshot(self) -> dict[str, Any]:
        return {"streams": [s.bit_generator.state for s in self._streams], "lags": self.lags.snapshot()}

    def restore(self, state: dict[str, Any]) -> None:
        for stream, saved in zip(self._streams, state["streams"], strict=True):
            stream.bit_generator.state = saved
        self.lags.restore(state["lags"])
