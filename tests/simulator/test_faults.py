"""Every fault shows in its signature signal, for every template it fits, within 60 s of a 20 s ramp."""

from functools import cache

import numpy as np
import pytest

from forewarn.domain.assets import Limits
from forewarn.domain.status import BAD_SENSOR_FAILURE
from forewarn.kit.clock import SECOND
from forewarn.policies.plant_file import parse_plant
from forewarn.simulator.demo_plant import DEMO_MACHINES, demo_machines
from forewarn.simulator.faults import FAULTS, SENSOR_HIT, fits
from forewarn.simulator.plant import Block, SimulatedPlant
from forewarn.simulator.plant_toml import demo_plant_toml

START = 1_767_225_600 * SECOND
SEVERITIES = (0.8, 1.0)
PAIRS = [(d.machine.id, d.machine.template, f) for d in DEMO_MACHINES for f in FAULTS if fits(f, d.machine.template)]
ALARMING = [p for p in PAIRS if p[2] not in ("sensor_stuck", "sensor_dropout")]


@cache
def _limits() -> dict[str, Limits]:
    plant = parse_plant(demo_plant_toml("opc.tcp://127.0.0.1:4840/forewarn", "127.0.0.1", 5020, "127.0.0.1", 1883), "x")
    return {s.id: s.limits for s in plant.signals}


def _run(asset: str, fault: str | None, severity: float = 1.0, seconds: int = 60) -> tuple[SimulatedPlant, Block]:
    plant = SimulatedPlant([m for m in demo_machines() if m.id == asset], 5, START, 0.0)
    plant.warm_up(1.0)
    plant.advance(10, SECOND)
    if fault is not None:
        plant.inject(asset, fault, severity, 20.0)
    return plant, plant.advance(seconds, SECOND)


def _outside(plant: SimulatedPlant, block: Block) -> list[str]:
    last = np.median(block.value[-5:], axis=0)
    found = []
    for signal, value in zip(plant.signal_ids, last, strict=True):
        limits = _limits()[signal]
        if (limits.high is not None and value > limits.high) or (limits.low is not None and value < limits.low):
            found.append(signal)
    return found


@pytest.mark.parametrize("asset", [d.machine.id for d in DEMO_MACHINES])
def test_a_healthy_machine_keeps_all_limits_at_every_season(asset: str) -> None:
    for month in range(0, 12, 3):
        plant = SimulatedPlant(
            [m for m in demo_machines() if m.id == asset], 5, START + month * 30 * 86400 * SECOND, 0.0
        )
        plant.warm_up()
        block = plant.advance(7 * 144, 600 * SECOND)
        running = block.value[:, 0] > 100.0
        for column, signal in enumerate(plant.signal_ids):
            limits, value = _limits()[signal], block.value[running, column]
            assert limits.high is None or value.max() < limits.high, signal
            settled = value[value > 0.9 * np.median(value)] if limits.low is not None else value
            assert limits.low is None or settled.min() > limits.low, signal
        assert running.mean() > 0.98


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize(("asset", "template", "fault"), ALARMING)
def test_a_severe_fault_passes_a_limit_within_a_minute(asset: str, template: str, fault: str, severity: float) -> None:
    assert _outside(*_run(asset, None)) == []
    assert _outside(*_run(asset, fault, severity)) != []


@pytest.mark.parametrize(("asset", "template", "fault"), [p for p in PAIRS if p[2] == "sensor_stuck"])
def test_a_stuck_sensor_repeats_its_value_and_only_that_one(asset: str, template: str, fault: str) -> None:
    plant, block = _run(asset, fault)
    stuck = plant.signal_ids.index(f"{asset}.{SENSOR_HIT[template][fault]}")
    changes = (np.diff(block.value, axis=0) != 0).sum(axis=0)
    assert changes[stuck] == 0
    assert (
        changes[plant.signal_ids.index(f"{asset}.{'Vibration_mm_s' if template == 'pump_dialect' else 'vibration'}")]
        > 20
    )
    plant.clear(asset, fault)
    assert len(np.unique(plant.advance(60, SECOND).value[:, stuck])) > 2


@pytest.mark.parametrize(("asset", "template", "fault"), [p for p in PAIRS if p[2] == "sensor_dropout"])
def test_a_dropped_sensor_is_bad_for_the_share_of_time_asked_for(asset: str, template: str, fault: str) -> None:
    plant, block = _run(asset, fault)
    bad = block.quality == BAD_SENSOR_FAILURE
    column = plant.signal_ids.index(f"{asset}.{SENSOR_HIT[template][fault]}")
    assert bad[25:, column].all()
    assert bad.sum() == bad[:, column].sum()
    np.testing.assert_array_equal(np.isnan(block.value), bad)
    _, half = _run(asset, fault, 0.5, 4000)
    assert (half.quality[100:, column] != 0).mean() == pytest.approx(0.5, abs=0.05)


def test_severity_orders_the_symptom() -> None:
    peak = [_run("pump-101", "imbalance", s)[1].value[-20:, 6].mean() for s in (0.0, 0.3, 0.6, 1.0)]
    assert peak == sorted(peak)
    assert peak[0] < 1.6


def test_cavitation_makes_the_flow_unsteady() -> None:
    calm, rough = _run("pump-101", None)[1].value[-30:, 1], _run("pump-101", "cavitation", 0.9)[1].value[-30:, 1]
    assert rough.std() > 4.0 * calm.std()


def test_a_ramp_is_a_ramp() -> None:
    shaking = _run("pump-101", "imbalance", 1.0)[1].value[:, 6]
    assert shaking[2] < shaking[9] < shaking[18]
    assert shaking[25:].std() < 0.6


def test_every_fault_has_words_and_a_template() -> None:
    for fault in FAULTS.values():
        assert fault.info.title
        assert fault.info.description.endswith(".")
        assert fault.info.templates
