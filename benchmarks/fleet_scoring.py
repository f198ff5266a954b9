"""Promise: one gateway core scores 1,000 signals on arrival in under 10 ms at p99 with all default detectors, and at
least 100,000 readings/s in bulk; training one asset's ensemble takes under a second.
Run: `python -m benchmarks.fleet_scoring [machines] [seconds]`."""

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray

from benchmarks.scoring import quiet_anomalies
from forewarn.contracts.stage import Carriage
from forewarn.domain.assets import Signal
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.signal_table import SignalTable
from forewarn.learning.drift_watch import DriftWatch
from forewarn.learning.machine_model import MachineModel, learn_machine
from forewarn.learning.machine_watch import MachineWatch
from forewarn.learning.model_source import Refusal
from forewarn.pipeline.score import ScoreStage
from forewarn.plugins.detectors.flatline import Flatline
from forewarn.plugins.detectors.limits import Limits
from forewarn.plugins.detectors.rate_of_change import RateOfChange
from forewarn.plugins.detectors.robust_z import RobustZ as StreamingRobustZ
from forewarn.plugins.trained_detectors.pca import Pca
from forewarn.plugins.trained_detectors.ridge_twin import RidgeTwin
from forewarn.plugins.trained_detectors.robust_z import RobustZ
from forewarn.plugins.trained_detectors.window_mahalanobis import WindowMahalanobis

_WIDTH = 10
_SECOND = 1_000_000
_START = 1_700_000_000 * _SECOND
_DETECTORS = {d.name: d for d in (RobustZ(), Pca(), RidgeTwin(), WindowMahalanobis())}


@dataclass
class _Models:
    """The same few models under many names."""

    all: Sequence[MachineModel]
    revision: int = 1

    def models(self) -> Sequence[MachineModel]:
        return self.all

    def refused(self) -> Mapping[str, Refusal]:
        return {}


def behaviour(rows: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Ten signals that go with two causes."""
    causes = np.cumsum(random.normal(0, 0.05, (rows, 2)), axis=0)
    causes -= causes.mean(axis=0)
    return (
        50
        + np.tanh(causes) @ np.random.default_rng(5).normal(0, 3, (2, _WIDTH))
        + random.normal(0, 0.2, (rows, _WIDTH))
    )


def plant(machines: int) -> list[Signal]:
    """The first signal of each machine is its speed."""
    return [
        Signal(
            id=f"m{m}.s{s}",
            asset_id=f"m{m}",
            name=f"s{s}",
            kind="speed" if s == 0 else "temperature",
            unit="u",
            key=1 + m * _WIDTH + s,
            range_high=150.0,
            max_rate_per_s=1e6,
            flatline_s=60.0,
            running_above=10.0 if s == 0 else None,
        )
        for m in range(machines)
        for s in range(_WIDTH)
    ]


def batch(values: NDArray[np.float64], first: int, number: int) -> ReadingBatch:
    """values: float64[rows, signals], a row a second."""
    rows, signals = values.shape
    signal = np.repeat(np.arange(1, signals + 1, dtype=np.int32), rows)
    when = _START + (first + np.arange(rows, dtype=np.int64)) * _SECOND
    quality = np.zeros(len(signal), np.uint32)
    return ReadingBatch(signal, np.tile(when, signals), values.T.ravel(), quality, "gw", number)


def main(machines: int = 100, seconds: int = 600) -> None:
    random = np.random.default_rng(0)
    signals = plant(machines)
    table = SignalTable.of(signals)
    for rows in (400, 3_600, 86_400):
        healthy = behaviour(rows, random)
        begun = time.perf_counter()
        model = learn_machine("m0", healthy, signals[:_WIDTH], _SECOND, _DETECTORS)
        spent = 1e3 * (time.perf_counter() - begun)
        print(f"training one machine's model, {_WIDTH} signals, {rows:6,} rows: {spent:6.0f} ms")
    own = [[s.id for s in signals[m * _WIDTH : (m + 1) * _WIDTH]] for m in range(machines)]
    models = [replace(model, asset_id=f"m{m}", signals=tuple(own[m])) for m in range(machines)]
    streaming = [Limits(), RateOfChange(), Flatline(), StreamingRobustZ()]
    view = SimpleNamespace(revision=1, table=table)
    watch = MachineWatch(_Models(models), _DETECTORS, drift=DriftWatch())
    stage = ScoreStage(streaming, quiet_anomalies(), view, machines=watch)  # type: ignore[arg-type]
    values = np.hstack([behaviour(seconds + 7_200, random) for _ in range(machines)])
    took = []
    for second in range(seconds):
        one = batch(values[second : second + 1], second, second + 1)
        begun = time.perf_counter()
        stage.handle(Carriage(second + 1, second + 1, (), one))
        took.append(time.perf_counter() - begun)
    p50, p99, worst = (1e3 * np.quantile(took[60:], q) for q in (0.5, 0.99, 1.0))
    title = f"{machines * _WIDTH:,} signals a second, all default detectors"
    print(f"{title}: p50 {p50:.1f}, p99 {p99:.1f}, worst {worst:.1f} ms")
    for hour, rows in enumerate((60, 600)):
        begun, told, start = time.perf_counter(), 0, seconds + hour * 3_600
        for number, first in enumerate(range(start, start + 3_600, rows), (1 + hour) * 10_000):
            one = batch(values[first : first + rows], first, number)
            stage.handle(Carriage(number, number, (), one))
            told += len(one)
        print(f"in bulk, {rows} s a batch: {told / (time.perf_counter() - begun) / 1e6:.2f} M readings/s")


if __name__ == "__main__":
    main(*(int(given) for given in sys.argv[1:] if given.isdigit()))
