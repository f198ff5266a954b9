"""What it takes to train the LSTM autoencoder at its own sizes: seconds, processor time, memory.

Run: `python -m benchmarks.lstm_training [--quick]`, some minutes of one core; needs Linux and the extra `train`. One
network of a simulated pump's fourteen healthy days, a row every 30 s: at most 8,192 windows of 30 steps x 11 signals,
64 units, at most 100 epochs, fewer where 8 in a row brought nothing. A template takes four such networks, however many
machines it has; a machine that is learned alone takes one for each of its regimes, and one more for each block that is
held out (two or more).
"""

import sys
import time
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from forewarn.app.simulated_site import Stretch, live
from forewarn.contracts.trained_detector import Matrix
from forewarn.learning.shared_part import FOLDS
from forewarn.plugins.trained_detectors.lstm_autoencoder import LstmAutoencoder, training

PUMP, STEP_S = "pump-101", 30
NETWORKS = 1 + FOLDS


def past(days: int) -> Matrix:
    lived = live(Stretch(first_days=days, days=0, step_s=STEP_S))
    values = np.where(lived.quality == 0, lived.value, np.nan)
    return np.ascontiguousarray(values[:, lived.columns[PUMP]])


def memory_mb(which: str) -> float:
    """VmRSS: now; VmHWM: the most since the last `forget_peak`."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines[which].split()[0]) / 1e3


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


class Progress:
    """A line every ten epochs; `error` is what the training looks at to find its end."""

    def __init__(self, epochs: int) -> None:
        self._epochs, self._began, self._error = epochs, time.perf_counter(), training.mean_error
        self.errors: list[float] = []
        self.took: list[float] = []

    def error(self, *given: Any) -> float:
        self.errors.append(self._error(*given))
        now = time.perf_counter()
        self.took.append(now - self._began)
        self._began = now
        if (epoch := len(self.errors)) % 10 == 1:
            line = f"epoch {epoch} of at most {self._epochs}: error {self.errors[-1]:.4f}, {sum(self.took):.0f} s"
            print(line, flush=True)
        return self.errors[-1]


def main(quick: bool) -> None:
    if find_spec("jax") is None or find_spec("optax") is None:
        print("left out: JAX and optax are not installed (pip install forewarn[train])")
        return
    windows, epochs, days = (512, 5, 1) if quick else (8_192, 100, 14)
    lstm = LstmAutoencoder(most_windows=windows, epochs=epochs)
    healthy = past(days)
    LstmAutoencoder(most_windows=64, epochs=1).fit(healthy[:600])  # libraries loaded: not a training's own cost
    sample = lstm.sample(healthy)
    held = int(sample["held_out"].sum())
    print(f"JAX {version('jax')}; {len(healthy):,} rows, {healthy.shape[1]} signals", flush=True)
    forget_peak()
    before, progress = memory_mb("VmRSS"), Progress(epochs)
    began, spent = time.perf_counter(), time.process_time()
    with mock.patch.object(training, "mean_error", progress.error):
        part = lstm.fit(healthy)
    took, spent = time.perf_counter() - began, time.process_time() - spent
    size = sum(array.nbytes for array in part.values())
    print(f"{len(sample['windows']):,} windows, {held:,} of them held out; {len(progress.errors)} epochs", end="")
    print(f", best error {min(progress.errors):.4f} after {int(np.argmin(progress.errors)) + 1}")
    print(f"one network: {took:.1f} s, {spent:.1f} s of processor, {np.median(progress.took):.2f} s an epoch")
    print(f"a template's {NETWORKS}: some {NETWORKS * took:.0f} s one after the other; model {size / 1e3:.0f} kB")
    print(f"peak memory {memory_mb('VmHWM'):.0f} MB, {before:.0f} of them before (libraries, a past, its windows)")


if __name__ == "__main__":
    main("--quick" in sys.argv)
