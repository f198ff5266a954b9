"""Promise: the LSTM autoencoder rebuilds 10,000 windows/s and more on one core, an isolation forest needs no library.

Run: `python -m benchmarks.onnx_inference [--quick]`. One thread each. LSTM: 30 steps x 10 signals, 64 units, with
random weights (speed does not depend on them). ONNX Runtime is left out where it is not installed.
"""

import os
import sys

# Before numpy is loaded: its BLAS takes as many threads as there are cores otherwise.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec

import numpy as np

from forewarn.contracts.trained_detector import Matrix, Parameters, TrainedDetector
from forewarn.plugins.trained_detectors.isolation_forest import IsolationForest
from forewarn.plugins.trained_detectors.lstm_autoencoder import LstmAutoencoder
from forewarn.plugins.trained_detectors.lstm_autoencoder.network import Sizes, quantised
from forewarn.plugins.trained_detectors.lstm_autoencoder.runtimes import network
from forewarn.plugins.trained_detectors.lstm_autoencoder.training import first_weights
from forewarn.plugins.trained_detectors.matrix_profile import MatrixProfile

MACHINES, SIGNALS = 100, 10
SIZES = Sizes(SIGNALS, 30, 64)


def seconds(work: Callable[[], object], budget_s: float) -> Matrix:
    """Wall seconds of each run, as many as fit in the budget, three at the least."""
    work()
    spent: list[float] = []
    while sum(spent) < budget_s or len(spent) < 3:
        started = time.perf_counter()
        work()
        spent.append(time.perf_counter() - started)
    return np.array(spent)


def lstm_models(random: np.random.Generator, networks: int) -> list[Parameters]:
    """Models of MACHINES machines that share so many networks, on the range 0-1."""
    scale = {"low": np.zeros(SIGNALS), "spread": np.ones(SIGNALS), "middle": np.full(SIGNALS, 0.5)}
    own = [{**quantised(first_weights(SIZES, random)), "steps": np.array([SIZES.steps])} for _ in range(networks)]
    return [{**scale, **own[i % networks]} for i in range(MACHINES)]


def windows_per_second(budget_s: float) -> None:
    random = np.random.default_rng(0)
    weights = first_weights(SIZES, random)
    print(f"\n{'LSTM windows/s':34s}" + "".join(f"{f'batch {n}':>14s}" for n in (1, 16, 100, 256, 4096)))
    for runtime in ("numpy", "onnx"):
        if runtime == "onnx" and find_spec("onnxruntime") is None:
            continue
        run = network(weights, SIZES, runtime)
        rates = []
        for n in (1, 16, 100, 256, 4096):
            windows = random.random((n, SIZES.steps, SIGNALS)).astype(np.float32)
            rates.append(n / np.median(seconds(partial(run, windows), budget_s)))
        print(f"{runtime:34s}" + "".join(f"{rate:14,.0f}" for rate in rates))


def rows_per_second(name: str, detector: TrainedDetector, models: list[Parameters], budget_s: float) -> None:
    """One machine's rows at 1, 100 and 10,000 together; then a row each of 100 machines, as it arrives."""
    random = np.random.default_rng(1)
    scorer, alone = detector.prepare(models), np.zeros(1, np.intp)
    line = f"{name:34s}"
    for n in (1, 100, 10_000):
        block = random.random((1, detector.context + n, SIGNALS))
        line += f"{n / np.median(seconds(partial(scorer.score, block, alone), budget_s)):12,.0f}"
    blocks, order = random.random((MACHINES, detector.context + 1, SIGNALS)), np.arange(MACHINES)
    spent = 1e3 * seconds(partial(scorer.score, blocks, order), 2 * budget_s)
    size = sum(array.nbytes for array in models[0].values()) / 1e3
    print(f"{line}{np.median(spent):10.2f}{np.quantile(spent, 0.99):10.2f}{size:10.0f}", flush=True)


def main(budget_s: float) -> None:
    windows_per_second(budget_s)
    random = np.random.default_rng(2)
    healthy = random.random((400, SIGNALS))
    print(f"\n{'':34s}{'rows/s of one machine, together':>36s}{'1,000 signals arrive':>20s}{'model':>10s}")
    print(f"{'':34s}{'1':>12s}{'100':>12s}{'10,000':>12s}{'p50 ms':>10s}{'p99 ms':>10s}{'kB':>10s}")
    for smooth, name in ((1, "isolation forest, row by row"), (5, "isolation forest, median of 5")):
        forest = IsolationForest(smooth=smooth)
        rows_per_second(name, forest, [forest.fit(healthy, i) for i in range(MACHINES)], budget_s)
    profile = MatrixProfile()
    rows_per_second("matrix profile", profile, [profile.fit(healthy)] * MACHINES, budget_s)
    for runtime in ("numpy", *(("onnx",) if find_spec("onnxruntime") else ())):
        lstm = LstmAutoencoder(runtime=runtime)
        rows_per_second(f"LSTM, {runtime}, one network for all", lstm, lstm_models(random, 1), budget_s)
        rows_per_second(f"LSTM, {runtime}, a network each", lstm, lstm_models(random, MACHINES), budget_s)


if __name__ == "__main__":
    main(0.1 if "--quick" in sys.argv else 1.0)
