"""Machines learned from a healthy past and scored as their readings come."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from forewarn.domain.assets import Signal
from forewarn.domain.errors import NotEnoughData
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.signal_table import SignalTable
from forewarn.learning.fleet import Fleet
from forewarn.learning.machine_model import MachineModel, learn_machine
from forewarn.plugins.trained_detectors.pca import Pca
from forewarn.plugins.trained_detectors.ridge_twin import RidgeTwin
from forewarn.plugins.trained_detectors.robust_z import RobustZ
from forewarn.plugins.trained_detectors.window_mahalanobis import WindowMahalanobis

SECOND = 1_000_000
START = 1_700_000_000 * SECOND
KINDS = ("speed", "flow", "pressure", "temperature")
DETECTORS = {d.name: d for d in (RobustZ(), Pca(), RidgeTwin(), WindowMahalanobis())}
MACHINES = ("a", "b", "c")
SIGNALS = [
    Signal(f"{m}.{kind}", m, kind, kind, "u", key=1 + 4 * i + j)
    for i, m in enumerate(MACHINES)
    for j, kind in enumerate(KINDS)
]
TABLE = SignalTable.of(SIGNALS)


def behaviour(seed: int, rows: int, speed: float = 1450.0) -> NDArray[np.float64]:
    """Flow goes with speed and load, pressure against flow, the temperature with both."""
    random = np.random.default_rng(seed)
    load = np.convolve(random.normal(0, 1, rows + 20), np.ones(20) / 20, "valid")[:rows] * 4
    turns = speed + random.normal(0, 2, rows)
    flow = speed / 30 + load + random.normal(0, 0.3, rows)
    pressure = 8 - 0.4 * load + random.normal(0, 0.05, rows)
    return np.column_stack((turns, flow, pressure, 60 + 0.5 * load + random.normal(0, 0.2, rows)))


def learned(speeds: tuple[float, ...] = (1450.0,)) -> list[MachineModel]:
    models = []
    for i, machine in enumerate(MACHINES):
        healthy = np.vstack([behaviour(10 * i + s, 1500, speed) for s, speed in enumerate(speeds)])
        models.append(learn_machine(machine, healthy, SIGNALS[4 * i : 4 * i + 4], SECOND, DETECTORS))
    return models


MODELS = learned()


@dataclass
class Told:
    """Ratio and regime by machine and second."""

    ratio: dict[tuple[str, int], float]
    regime: dict[tuple[str, int], int]


def readings(behaviours: dict[str, NDArray[np.float64]]) -> ReadingBatch:
    signal, time, value = [], [], []
    for i, machine in enumerate(MACHINES):
        for j in range(len(KINDS)):
            rows = behaviours.get(machine, np.zeros((0, 4)))
            signal.append(np.full(len(rows), 1 + 4 * i + j, np.int32))
            time.append(START + np.arange(len(rows)) * SECOND + 1000 * j)
            value.append(rows[:, j])
    values = np.concatenate(value)
    quality = np.zeros(len(values), np.uint32)
    return ReadingBatch(np.concatenate(signal), np.concatenate(time), values, quality, "gw", 0)


def run(fleet: Fleet, batch: ReadingBatch, cuts: list[int]) -> Told:
    piece = np.searchsorted([START + cut * SECOND for cut in sorted(cuts)], batch.time, side="right")
    told = Told({}, {})
    for number in range(len(cuts) + 1):
        for scores in fleet.score(batch.take(np.flatnonzero(piece == number))):
            for k, place in enumerate(scores.machine):
                name = fleet.models[place].asset_id
                for row, time in enumerate(scores.time[k]):
                    at = name, int(time - START) // SECOND
                    told.ratio[at], told.regime[at] = float(scores.ratio[k, row]), int(scores.regime[k, row])
    return told


@settings(max_examples=10)
@given(st.lists(st.integers(1, 199), max_size=20), st.integers(0, 50))
def test_cutting_changes_no_score(cuts: list[int], seed: int) -> None:
    batch = readings({m: behaviour(100 + seed + i, 120 + 30 * i) for i, m in enumerate(MACHINES)})
    whole, cut_up = run(Fleet(MODELS, TABLE, DETECTORS), batch, []), run(Fleet(MODELS, TABLE, DETECTORS), batch, cuts)
    assert whole.ratio.keys() == cut_up.ratio.keys()
    for at, ratio in whole.ratio.items():
        assert cut_up.ratio[at] == pytest.approx(ratio, rel=1e-9, nan_ok=True)


def test_a_fault_shows_in_its_machine_alone_and_says_where() -> None:
    sick = behaviour(201, 400)
    sick[200:, 1] -= 6.0  # flow sinks while load, pressure and temperature stay
    fleet = Fleet(MODELS, TABLE, DETECTORS)
    blamed = {}
    ratio: dict[str, list[float]] = {m: [] for m in MACHINES}
    for scores in fleet.score(readings({"a": behaviour(200, 400), "b": sick, "c": behaviour(202, 400)})):
        for k, place in enumerate(scores.machine):
            name = fleet.models[place].asset_id
            ratio[name] += scores.ratio[k].tolist()
            blamed[name] = fleet.explain(scores, (k, -1))
    before, after = np.array(ratio["b"])[60:190], np.array(ratio["b"])[240:]
    assert (after > 1).mean() > 0.95
    assert (before > 1).mean() < 0.05
    assert max((np.array(ratio[m])[60:] > 1).mean() for m in "ac") < 0.05
    why = blamed["b"]
    assert np.argmax(why.blame.share[0]) == 1
    assert why.blame.expected[0, 1] == pytest.approx(why.rows[-1, 1] + 6.0, abs=2.0)
    assert max(why.members.values()) > 1


def test_a_model_serves_each_speed_of_its_machine_and_none_that_it_never_ran_at() -> None:
    fleet = Fleet(learned((1450.0, 2900.0)), TABLE, DETECTORS)
    speeds = np.vstack((behaviour(300, 300, 1450), behaviour(301, 300, 2900), behaviour(302, 300, 700)))
    told = run(fleet, readings({"a": speeds}), [100, 310, 350])
    ratio = np.array([told.ratio["a", second] for second in range(895)])
    regime = np.array([told.regime["a", second] for second in range(895)])
    assert len({*regime[:300]}) == len({*regime[300:600]}) == 1
    assert regime[0] != regime[400]
    assert np.isnan(ratio[302:420]).all()  # it settles
    assert np.isnan(ratio[601:]).all()
    for part in (ratio[150:300], ratio[430:600]):
        assert np.isfinite(part).all()
        assert (part > 1).mean() < 0.05


def test_a_model_of_signals_that_are_gone_is_passed_over() -> None:
    fleet = Fleet(MODELS, SignalTable.of(SIGNALS[:7]), DETECTORS)
    assert [model.asset_id for model in fleet.models] == ["a"]


def test_too_little_is_said_with_the_machine() -> None:
    with pytest.raises(NotEnoughData, match="pump-7"):
        learn_machine("pump-7", behaviour(0, 12), SIGNALS[:4], SECOND, DETECTORS)
