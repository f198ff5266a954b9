"""Signals that change their unit, on simulated machines: named, kept from the model, and over when they are back. No
fault of the simulator is taken for one."""

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from forewarn.domain.assets import Signal
from forewarn.domain.findings import BY_MODEL, ENSEMBLE, Finding, Severity
from forewarn.domain.readings import ReadingBatch
from forewarn.domain.signal_table import SignalTable
from forewarn.learning.fleet import Fleet
from forewarn.learning.machine_artifact import packed, unpacked
from forewarn.learning.machine_model import MachineModel, learn_machine
from forewarn.learning.machine_watch import MachineWatch
from forewarn.learning.unit_watch import UNIT_CHANGED
from forewarn.plugins.trained_detectors.pca import Pca
from forewarn.plugins.trained_detectors.robust_z import RobustZ
from forewarn.policies.model_artifact import pack, unpack
from forewarn.policies.plant_file import parse_plant
from forewarn.policies.unit_change import RETURN
from forewarn.simulator.demo_plant import demo_machines
from forewarn.simulator.faults import FAULTS, fits
from forewarn.simulator.plant import SimulatedPlant
from forewarn.simulator.plant_toml import demo_plant_toml
from tests.learning.test_machine_watch import Models

STEP_S = 5
STEP_US = STEP_S * 1_000_000
START = 1_767_225_600_000_000
HEALTHY, LATER = 2_400, 1_500
DETECTORS: Any = {d.name: d for d in (RobustZ(), Pca())}
PUMP = "pump-101"


@dataclass(frozen=True)
class Lived:
    """time[n], value[n, k], quality[n, k], a column a signal."""

    plant: SimulatedPlant
    signals: tuple[Signal, ...]
    time: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint32]

    def columns(self, asset_id: str) -> list[int]:
        return [c for c, signal in enumerate(self.signals) if signal.asset_id == asset_id]


def lived(plant: SimulatedPlant, signals: tuple[Signal, ...], rows: int) -> Lived:
    blocks = list(plant.run(rows, STEP_US))
    parts = (np.concatenate([getattr(b, name) for b in blocks]) for name in ("time", "value", "quality"))
    return Lived(plant, signals, *parts)


@cache
def past() -> Lived:
    """A healthy past; the plant stands at its end."""
    plant = SimulatedPlant(demo_machines(), 3, START)
    plant.warm_up()
    file = parse_plant(demo_plant_toml("opc.tcp://127.0.0.1:1/x", "127.0.0.1", 2, "127.0.0.1", 3), "demo.toml")
    named = {signal.id: signal for signal in file.signals}
    signals = tuple(replace(named[s], key=key, rate_hz=1 / STEP_S) for key, s in enumerate(plant.signal_ids, 1))
    return lived(plant, signals, HEALTHY)


@cache
def later() -> Lived:
    return lived(past().plant, past().signals, LATER)


@cache
def model(asset_id: str, all_detectors: bool = True) -> MachineModel:
    columns, own = past().columns(asset_id), past()
    rows = np.where(own.quality[:, columns] == 0, own.value[:, columns], np.nan)
    detectors = DETECTORS if all_detectors else {"robust_z": RobustZ()}
    found = learn_machine(asset_id, rows, [own.signals[c] for c in columns], STEP_US, detectors)
    return replace(found, version=asset_id)


def table() -> SignalTable:
    return SignalTable.of(past().signals)


def batch(
    own: Lived, columns: list[int], value: NDArray[np.float64], first: int = 0, last: int = LATER
) -> ReadingBatch:
    part, n = slice(first, last), len(own.time[first:last])
    keys = np.array([own.signals[c].key for c in columns], np.int32)
    readings = ReadingBatch(
        np.repeat(keys, n),
        np.tile(own.time[part], len(keys)),
        value[part].T.ravel(),
        own.quality[part][:, columns].T.ravel(),
        "gw",
        first,
    )
    return readings.take(readings.quality == 0)


def watch(source: Models) -> MachineWatch:
    new = MachineWatch(source, DETECTORS)
    new.configure(table())
    return new


def pump(kind: str) -> tuple[list[int], int]:
    """Columns of the pump in the plant, and the one of its first signal of the kind."""
    columns = past().columns(PUMP)
    return columns, next(i for i, c in enumerate(columns) if past().signals[c].kind == kind)


def changed(kind: str, factor: float, first: int, last: int) -> NDArray[np.float64]:
    columns, i = pump(kind)
    value = later().value[:, columns].copy()
    value[first:last, i] *= factor
    return value


def told(machines: MachineWatch, value: NDArray[np.float64], first: int = 0, last: int = LATER) -> list[Finding]:
    columns = past().columns(PUMP)
    pieces = range(first, last, 60)
    return [f for at in pieces for f in machines.score(batch(later(), columns, value, at, min(at + 60, last)))]


def units(found: list[Finding]) -> list[Finding]:
    return [f for f in found if f.anomaly_type == UNIT_CHANGED]


CASES = [("vibration_velocity", 1000.0, "1,000 times"), ("pressure", 0.001, "a 1,000th"), ("pressure", 14.5038, "psi")]


@pytest.mark.parametrize(("kind", "factor", "names"), CASES)
def test_a_change_of_unit_is_named_and_nothing_is_scored_from_it(kind: str, factor: float, names: str) -> None:
    found = told(watch(Models(model(PUMP))), changed(kind, factor, 500, 1_000))
    began, ended = units(found)
    columns, i = pump(kind)
    signal = past().signals[columns[i]]
    assert (began.asset_id, began.signal_id, began.signal_key) == (PUMP, signal.id, signal.key)
    assert (began.detector, began.severity, began.ended_at) == (BY_MODEL, Severity.MEDIUM, None)
    assert began.started_at == later().time[500]
    assert names in began.reason
    assert "Mend the unit at the device; if it is to stay so, mend it in the plant file" in began.reason
    assert "or mark this wrong and train the model again" in began.reason
    assert signal.unit in began.reason
    assert began.expected == pytest.approx(began.value / factor, rel=1e-4)
    assert ended.started_at == began.started_at
    assert ended.ended_at == later().time[999 + RETURN]
    assert {f.detector for f in found} == {BY_MODEL}


@pytest.mark.parametrize(("kind", "factor", "names"), CASES)
def test_the_other_signals_go_on(kind: str, factor: float, names: str) -> None:
    """Every row is scored as if the signal were missing, with no row of the other unit in any window."""
    value = changed(kind, factor, 500, LATER)
    columns, i = pump(kind)
    missing = value.copy()
    missing[500:, i] = np.nan
    own = [(model(PUMP), value), (model(PUMP), missing)]
    ratios = []
    for one, rows in own:
        (scores,) = Fleet([one], table(), DETECTORS).score(batch(later(), columns, rows))
        ratios.append(scores.ratio[0])
    # One that is missing is held for a while at first.
    np.testing.assert_array_equal(np.delete(ratios[0], slice(500, 507)), np.delete(ratios[1], slice(500, 507)))
    assert np.isfinite(ratios[0][600:]).mean() > 0.95


def test_without_the_watch_it_would_be_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the tests above hold against."""
    monkeypatch.setattr(
        "forewarn.policies.unit_change.UnitChanges.screen", lambda self, machine, time, value, read: value
    )
    found = told(watch(Models(model(PUMP))), changed("vibration_velocity", 1000.0, 500, 1_000))
    assert ENSEMBLE in {f.detector for f in found}


def test_a_spike_of_a_few_readings_is_no_change_of_unit() -> None:
    found = told(watch(Models(model(PUMP))), changed("pressure", 1000.0, 500, 503))
    assert found == []


def test_it_goes_on_over_a_restart_and_ends_once() -> None:
    value = changed("pressure", 0.001, 300, 900)
    before = told(watch(Models(model(PUMP))), value, 0, 600)
    (standing,) = units(before)
    again = watch(Models(model(PUMP)))
    again.resume([standing, replace(standing, detector="limits", signal_key=7)])
    found = told(again, value, 600)
    (ended,) = units(found)
    assert (ended.started_at, ended.ended_at) == (standing.started_at, later().time[899 + RETURN])
    assert ENSEMBLE not in {f.detector for f in found}


def test_a_restart_in_its_first_readings_loses_nothing() -> None:
    """The rows of the past that warm a new process bring it as far as the old one was, and it tells what they told."""
    value, columns = changed("pressure", 0.001, 300, 900), past().columns(PUMP)
    machines = watch(Models(model(PUMP)))
    machines.warm(batch(later(), columns, value, 100, 400))
    (began,) = units(told(machines, value, 400, 500))
    assert began.started_at == later().time[300]


def test_of_two_that_stand_of_one_signal_the_older_ends() -> None:
    (standing,) = units(told(watch(Models(model(PUMP))), changed("pressure", 0.001, 300, 900), 0, 600))
    older = replace(standing, started_at=standing.started_at - 60_000_000)
    again = watch(Models(model(PUMP)))
    again.resume([standing, older])
    assert [(f.started_at, f.ended_at) for f in again.ended()] == [(older.started_at, older.last_at)]


def test_it_ends_with_its_model_and_where_a_gateway_takes_over() -> None:
    value = changed("pressure", 1000.0, 300, LATER)
    source = Models(model(PUMP))
    machines = watch(source)
    told(machines, value, 0, 600)
    source.change(replace(model(PUMP), version="next"))
    assert units(told(machines, value, 600, 700)) == []  # the next one knows the same unit
    source.change()
    (ended,) = units(told(machines, value, 700, 800))
    assert ended.ended_at is not None
    machines = watch(Models(model(PUMP)))
    told(machines, value, 0, 600)
    (ended,) = machines.let_go(np.ones(table().size, np.bool_))
    assert (ended.anomaly_type, ended.ended_at) == (UNIT_CHANGED, ended.last_at)


def test_a_model_that_says_nothing_of_its_range_watches_with_a_guess() -> None:
    header, arrays = unpack(packed(model(PUMP)))
    arrays = {name: a for name, a in arrays.items() if name not in ("usual.low", "usual.high", "usual.change")}
    gaps = [n for n, a in arrays.items() if a.dtype.kind == "f" and np.isnan(a).any()]
    old = unpacked(pack(header, arrays, gaps), "old")
    assert len(units(told(watch(Models(old)), changed("pressure", 1000.0, 500, LATER)))) == 1
    again = unpacked(packed(model(PUMP)), "v").usual[0]
    np.testing.assert_array_equal(again.low, model(PUMP).usual[0].low)


def faults() -> list[tuple[str, str]]:
    return [(machine.id, fault) for machine in demo_machines() for fault in FAULTS if fits(fault, machine.template)]


@pytest.mark.parametrize("severity", [0.3, 1.0])
def test_no_fault_of_the_simulator_is_a_change_of_unit(severity: float) -> None:
    """Every fault of every machine, in full from one reading to the next, and its repair."""
    plant, signals = SimulatedPlant(demo_machines(), 4, START), past().signals
    plant.warm_up()
    machines = [model(machine.id, False) for machine in demo_machines()]
    fleet = Fleet(machines, table(), DETECTORS)
    waiting: dict[str, list[str]] = {}
    for asset_id, fault in faults():
        waiting.setdefault(asset_id, []).append(fault)
    everything = list(range(len(signals)))
    count = 0
    while any(waiting.values()):
        now = [(asset_id, own.pop()) for asset_id, own in waiting.items() if own]
        for asset_id, fault in now:
            plant.inject(asset_id, fault, severity, 0.0)
        count += len(now)
        for _ in range(2):
            part = lived(plant, signals, 60)
            for _ in fleet.score(batch(part, everything, part.value, 0, 60)):
                pass
            for asset_id, fault in now:
                plant.clear(asset_id, fault)
    assert fleet.unit_events() == []
    assert count == len(faults()) >= 40
