"""What trained detectors cost: training a machine's ensemble, and scoring a fleet on arrival and in bulk, on one core.

Run: `OMP_NUM_THREADS=1 python -m benchmarks.trained_scoring`. Machines of ten signals, rows of a second; the four
default detectors. On arrival: one new row of each of a hundred machines in one call, that is a thousand signals.
"""

import time
from collections.abc import Callable

import numpy as np

from forewarn.contracts.trained_detector import Matrix, TrainedDetector
from forewarn.learning.ensemble import EnsembleScorer, fit_ensemble
from forewarn.plugins.trained_detectors.pca import Pca
from forewarn.plugins.trained_detectors.ridge_twin import RidgeTwin
from forewarn.plugins.trained_detectors.robust_z import RobustZ
from forewarn.plugins.trained_detectors.window_mahalanobis import WindowMahalanobis

SIGNALS = 10
MACHINES = 100
DETECTORS: dict[str, TrainedDetector] = {d.name: d for d in (RobustZ(), Pca(), RidgeTwin(), WindowMahalanobis())}


def machine(seed: int, rows: int) -> Matrix:
    random = np.random.default_rng(seed)
    load = random.normal(0, 1, rows)[:, None]
    return np.asarray(load * random.uniform(1, 2, SIGNALS) + random.normal(0, 1, (rows, SIGNALS)) + 20)


def timed(work: Callable[[], object], repeats: int) -> np.ndarray:
    """Milliseconds of each."""
    spent = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        spent.append(1000 * (time.perf_counter() - began))
    return np.array(spent)


def main() -> None:
    print("training one machine's ensemble, ms")
    for rows in (400, 3_600, 86_400):
        past = machine(1, rows)
        spent = timed(lambda past=past: fit_ensemble(past, DETECTORS), 3)  # type: ignore[misc]
        print(f"  {rows:>7,} rows x {SIGNALS}: {np.median(spent):8.1f}")
    ensembles = [fit_ensemble(machine(seed, 600), DETECTORS) for seed in range(MACHINES)]
    scorer = EnsembleScorer(DETECTORS, ensembles)
    every = np.arange(MACHINES)
    blocks = np.stack([machine(seed, scorer.context + 1) for seed in range(MACHINES)])
    gappy = blocks.copy()
    gappy[np.random.default_rng(1).random(gappy.shape) < 0.02] = np.nan
    gappy[:, :, 3] = np.nan
    print(f"on arrival: one row of {MACHINES} machines x {SIGNALS} signals, ms: p50, p99")
    for name, rows in (("complete", blocks), ("a signal gone, gaps", gappy)):
        spent = timed(lambda rows=rows: scorer.ratio(rows, every), 300)  # type: ignore[misc]
        print(f"  {name:22s} {np.percentile(spent, 50):6.2f} {np.percentile(spent, 99):6.2f}")
    spent = timed(lambda: scorer.explain(blocks, every), 50)
    print(f"  {'explained':22s} {np.percentile(spent, 50):6.2f} {np.percentile(spent, 99):6.2f}")
    print("in bulk, readings/s")
    long = machine(1, 20_000)[None]
    for name, block, models in (
        ("one machine, 20,000 rows", long, np.zeros(1, np.intp)),
        ("100 machines, 600 rows", np.stack([machine(seed, 600) for seed in range(MACHINES)]), every),
    ):
        spent = timed(lambda block=block, models=models: scorer.ratio(block, models), 5)  # type: ignore[misc]
        print(f"  {name:26s} {block.size / np.median(spent) * 1000:12,.0f}")


if __name__ == "__main__":
    main()
