"""The demo's plant file, read by the rest of the house, leads to the demo's servers."""

import asyncio
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from forewarn.contracts.connector import Connector, SourceRequest
from forewarn.domain.assets import Plant, Signal
from forewarn.domain.conditions import ConditionCode
from forewarn.domain.status import is_good
from forewarn.kit.clock import SECOND
from forewarn.plugins.connectors.modbus import CONNECTOR as MODBUS
from forewarn.plugins.connectors.mqtt import CONNECTOR as MQTT
from forewarn.plugins.connectors.opcua import CONNECTOR as OPCUA
from forewarn.policies.asset_templates import TEMPLATES
from forewarn.policies.plant_file import parse_plant
from forewarn.simulator.catalogue import SENSORS
from forewarn.simulator.demo_plant import demo_machines
from forewarn.simulator.faults import FAULTS, SENSOR_HIT
from forewarn.simulator.live import LivePlantConfig, PlantServers
from forewarn.simulator.plant import SimulatedPlant
from forewarn.simulator.plant_toml import demo_plant_toml

START = 1_767_225_600 * SECOND
CONNECTORS: dict[str, Connector] = {"opcua": OPCUA, "modbus": MODBUS, "mqtt": MQTT}


class Sink:
    """Keeps the last value of each signal key."""

    def __init__(self) -> None:
        self.last: dict[int, float] = {}

    async def put(
        self,
        signal: NDArray[np.int32],
        time: NDArray[np.int64],
        value: NDArray[np.float64],
        quality: NDArray[np.uint32],
    ) -> None:
        good = is_good(quality)
        self.last |= dict(zip(signal[good].tolist(), value[good].tolist(), strict=True))

    def alive(self) -> None: ...

    def connected(self) -> None: ...

    def rejected(self, count: int, example: str, condition: ConditionCode = ConditionCode.READINGS_REJECTED) -> None:
        raise AssertionError(example)

    def note(self, condition: ConditionCode, text: str) -> None:
        raise AssertionError(text)

    def newest(self, signal: NDArray[np.int32]) -> NDArray[np.int64]:
        return np.full(len(signal), np.iinfo(np.int64).min, np.int64)


def _plant(toml: str) -> Plant:
    return parse_plant(toml, "plant.toml")


def test_signals_and_units_are_those_of_the_templates() -> None:
    for template, sensors in SENSORS.items():
        assert [(s.name, s.unit) for s in sensors] == [(s.name, s.unit) for s in TEMPLATES[template].signals]
    for template, hit in SENSOR_HIT.items():
        assert set(hit) == {f for f in FAULTS if FAULTS[f].of_sensor}
        assert set(hit.values()) <= {s.name for s in SENSORS[template]}


def test_the_plant_file_names_every_simulated_signal_once_with_a_source_and_limits() -> None:
    plant = _plant(demo_plant_toml("opc.tcp://127.0.0.1:4840/forewarn", "127.0.0.1", 5020, "127.0.0.1", 1883))
    assert [s.id for s in plant.signals] == list(SimulatedPlant(demo_machines(), 1, START).signal_ids)
    assert len({(s.source, s.address) for s in plant.signals}) == len(plant.signals)
    assert {a.path[1:3] for a in plant.assets} == {("pune", "water"), ("pune", "utilities"), ("nashik", "dye-house")}
    for signal in plant.signals:
        if signal.kind in ("vibration_velocity", "flow") or signal.name == "discharge_pressure":
            assert signal.limits.high is not None, signal.id
    for source in plant.sources:
        CONNECTORS[source.connector].settings.model_validate(dict(source.settings))


async def test_the_connectors_find_every_signal_with_its_value(tmp_path: Path) -> None:
    physics = SimulatedPlant(demo_machines(), 2, START)
    servers = PlantServers(LivePlantConfig(tmp_path), physics)
    plant = _plant(servers.plant_toml())
    keyed = [_with_key(s, i + 1) for i, s in enumerate(plant.signals)]
    sink = Sink()
    async with servers.listening():
        block = physics.advance(1, SECOND)
        await servers.publish(block)
        jobs = []
        for source in plant.sources:
            connector = CONNECTORS[source.connector]
            settings = connector.settings.model_validate(dict(source.settings))
            mine = [s for s in keyed if s.source == source.name]
            jobs.append(asyncio.create_task(connector.run(SourceRequest(source.name, settings, mine), sink)))
        try:
            async with asyncio.timeout(60):
                while len(sink.last) < len(keyed):
                    assert not any(j.done() for j in jobs)
                    await servers.publish(block)
                    await asyncio.sleep(0.2)
        finally:
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)
    for signal, value in zip(keyed, block.value[0], strict=True):
        wanted = float(np.float32(value)) if signal.source == "utilities-plc" else value
        assert sink.last[signal.key] == wanted, signal.id


def _with_key(signal: Signal, key: int) -> Signal:
    return replace(signal, key=key)
