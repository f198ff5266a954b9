"""One plant, many ways to cut its time."""

from pathlib import Path

import numpy as np
import pytest

from forewarn.domain.errors import InvalidInput, NotFound
from forewarn.kit.clock import DAY, HOUR, SECOND
from forewarn.simulator.demo_plant import demo_machines
from forewarn.simulator.episodes import Episode
from forewarn.simulator.plant import Block, SimulatedPlant

START = 1_767_225_600 * SECOND  # 2026-01-01T00:00Z


def _plant(seed: int = 3, **options: float) -> SimulatedPlant:
    plant = SimulatedPlant(demo_machines(), seed, START, **options)
    plant.warm_up()
    return plant


def _joined(blocks: list[Block]) -> Block:
    return Block(*(np.concatenate([getattr(b, c) for b in blocks]) for c in ("time", "value", "quality")))


def _resolution(plant: SimulatedPlant) -> np.ndarray:
    by_signal = {f"{m.id}.{s.name}": s.resolution for g in plant._groups for m in g.machines for s in g.sensors}
    return np.array([by_signal[s] for s in plant.signal_ids])


def _assert_same(a: Block, b: Block, plant: SimulatedPlant) -> None:
    """Equal but for rounding: at a rounding edge an instrument may show its neighbouring step, very rarely."""
    np.testing.assert_array_equal(a.time, b.time)
    np.testing.assert_array_equal(a.quality, b.quality)
    apart = np.abs(np.nan_to_num(a.value) - np.nan_to_num(b.value))
    assert (apart <= 1.001 * _resolution(plant)).all()
    assert np.mean(apart > 1e-9) < 1e-4


def test_same_seed_same_bits_other_seed_other_data() -> None:
    a, b, c = _plant().advance(500, SECOND), _plant().advance(500, SECOND), _plant(4).advance(500, SECOND)
    assert a.value.tobytes() == b.value.tobytes()
    assert a.quality.tobytes() == b.quality.tobytes()
    assert not np.array_equal(a.value, c.value)


def test_bulk_equals_one_step_at_a_time_with_faults_of_every_kind() -> None:
    bulk, live = _plant(), _plant()
    for plant in (bulk, live):
        plant.inject("pump-101", "cavitation", 0.9, 20.0)
        plant.inject("pump-102", "sensor_stuck", 1.0, 5.0)
        plant.inject("pump-103", "sensor_dropout", 0.5, 5.0)
        plant.inject("compressor-201", "seal_leak", 0.8, 60.0)
    whole = bulk.advance(400, SECOND)
    steps = _joined([live.advance(1, SECOND) for _ in range(400)])
    _assert_same(whole, steps, bulk)


def test_uneven_chunks_equal_the_whole_across_a_planned_stop_and_a_natural_failure() -> None:
    whole, parts = _plant(wear_rate=300.0), _plant(wear_rate=300.0)
    a = whole.advance(7 * 1440, 60 * SECOND)
    b = _joined([parts.advance(n, 60 * SECOND) for n in (1, 63, 64, 65, 999, 4097, 7 * 1440 - 5289)])
    failures = [e for e in whole.labels() if e.functional_failure_at]
    assert failures
    assert whole.labels() == parts.labels()
    _assert_same(a, b, whole)


def test_a_machines_data_does_not_depend_on_its_neighbours() -> None:
    alone = SimulatedPlant([m for m in demo_machines() if m.id == "pump-103"], 3, START)
    alone.warm_up()
    everyone = _plant()
    column = everyone.signal_ids.index("pump-103.speed")
    np.testing.assert_array_equal(
        alone.advance(200, SECOND).value, everyone.advance(200, SECOND).value[:, column : column + 11]
    )


def test_saved_state_goes_on_exactly(tmp_path: Path) -> None:
    plant = _plant()
    plant.inject("pump-101", "sensor_stuck", 1.0, 0.0)
    plant.advance(100, SECOND)
    plant.save(tmp_path / "state.json")
    copy = SimulatedPlant(demo_machines(), 3, 0)
    copy.load(tmp_path / "state.json")
    assert copy.now_us == plant.now_us
    assert copy.advance(100, SECOND).value.tobytes() == plant.advance(100, SECOND).value.tobytes()


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"seed": 9, "machines": []}'])
def test_a_state_that_is_not_ours_is_refused_with_its_path(tmp_path: Path, text: str) -> None:
    (tmp_path / "state.json").write_text(text)
    with pytest.raises(InvalidInput, match=r"state\.json"):
        _plant().load(tmp_path / "state.json")


def test_a_plant_begins_warm_and_steady() -> None:
    block = _plant().advance(1800, SECOND)
    start, end = block.value[:300].mean(axis=0), block.value[-300:].mean(axis=0)
    temperatures = [i for i, s in enumerate(_plant().signal_ids) if "temperature" in s.lower()]
    assert np.abs(end - start)[temperatures].max() < 2.0
    assert block.value[:, temperatures].min() > 15.0


def test_values_lie_on_the_instruments_resolution() -> None:
    plant = _plant()
    ratio = plant.advance(300, SECOND).value / _resolution(plant)
    np.testing.assert_allclose(ratio, np.rint(ratio), atol=1e-6)


def test_a_planned_stop_ramps_down_cools_and_starts_again() -> None:
    plant = SimulatedPlant([m for m in demo_machines() if m.id == "pump-104"], 3, START)  # stops Sunday 03:00 local
    sunday = START + 3 * DAY - int(5.5 * HOUR)  # 2026-01-04, local midnight
    plant.now_us = sunday
    plant.warm_up(1.0)
    block = plant.advance(5 * 3600, SECOND)
    speed, warm = block.value[:, 0], block.value[:, plant.signal_ids.index("pump-104.bearing_temperature")]
    stopped = slice(3 * 3600 + 60, 4 * 3600 - 1)  # row i is second i + 1
    assert (speed[stopped] == 0.0).all()
    assert (block.value[stopped, plant.signal_ids.index("pump-104.vibration")] == 0.0).all()
    assert 0.0 < speed[3 * 3600 + 4] < speed[0]
    assert speed[-1] > 1300.0
    assert warm[4 * 3600 - 1] < warm[3 * 3600] - 10.0


def test_a_failed_machine_stands_until_it_is_repaired() -> None:
    plant = _plant(wear_rate=0.0)
    failed, repaired = START + HOUR, START + 2 * HOUR
    plant.episodes.append(Episode("fan-301", "imbalance", "rotor", 1.0, START, 3600.0, failed, repaired))
    block = plant.advance(3 * 3600, SECOND)
    speed = block.value[:, plant.signal_ids.index("fan-301.speed")]
    shaking = block.value[:, plant.signal_ids.index("fan-301.vibration")]
    assert shaking[3500] > 7.1
    assert (speed[3600 + 60 : 7199] == 0.0).all()
    assert shaking[-600:].max() < 2.3
    label = next(e for e in plant.labels() if e.asset_id == "fan-301")
    assert (label.functional_failure_at, label.ended_at) == (failed, repaired)


def test_wear_grows_fails_and_is_repaired_with_labels_in_order() -> None:
    plant = _plant(wear_rate=30.0)
    plant.advance(10 * 1440, 60 * SECOND)
    worn = [e for e in plant.labels() if e.natural and e.ended_at is not None]
    assert len(worn) >= 5
    for e in worn:
        assert e.functional_failure_at is not None
        assert e.ended_at is not None
        assert e.started_at < e.functional_failure_at < e.ended_at
        assert (e.fault, e.component, e.severity) == ("bearing_wear", "bearing", 1.0)


def test_wear_raises_vibration_before_it_fails() -> None:
    plant = _plant(wear_rate=30.0)
    block = plant.advance(10 * 1440, 60 * SECOND)
    e = next(e for e in plant.labels() if e.functional_failure_at and e.asset_id.startswith("pump-10"))
    shaking = block.value[:, plant.signal_ids.index(f"{e.asset_id}.vibration")]
    failed = int(np.searchsorted(block.time, e.functional_failure_at))
    onset = int(np.searchsorted(block.time, e.started_at))
    assert shaking[failed] > 8.5 > 3.2 > shaking[onset]
    assert (shaking[failed + 2 : failed + 60] == 0.0).all()


def test_labels_never_tell_the_future() -> None:
    plant = _plant(wear_rate=0.0)
    plant.episodes.append(
        Episode("fan-301", "imbalance", "rotor", 1.0, START + 10 * SECOND, 5.0, START + HOUR, START + DAY)
    )
    assert plant.labels() == []
    plant.advance(60, SECOND)
    assert [(e.functional_failure_at, e.ended_at) for e in plant.labels()] == [(None, None)]


def test_inject_and_clear_refuse_what_does_not_fit() -> None:
    plant = _plant()
    with pytest.raises(NotFound, match="pump-999"):
        plant.inject("pump-999", "imbalance", 0.5, 1.0)
    with pytest.raises(NotFound, match="gremlins"):
        plant.inject("pump-101", "gremlins", 0.5, 1.0)
    with pytest.raises(InvalidInput, match="does not fit motor-201"):
        plant.inject("motor-201", "cavitation", 0.5, 1.0)
    for severity, ramp in ((1.1, 1.0), (-0.1, 1.0), (float("nan"), 1.0), (0.5, -1.0), (0.5, float("inf"))):
        with pytest.raises(InvalidInput):
            plant.inject("pump-101", "imbalance", severity, ramp)
    assert plant.active() == []
    assert not plant.clear("pump-101", "imbalance")
    plant.inject("pump-101", "imbalance", 0.5, 1.0)
    plant.inject("pump-101", "imbalance", 0.8, 1.0)
    assert [e.severity for e in plant.active()] == [0.8]
    assert plant.clear("pump-101", "imbalance")
    assert plant.active() == []
