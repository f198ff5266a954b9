"""The plant behind real servers, asked by independent clients."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import paho.mqtt.client as mqtt
import psutil
import pytest
from asyncua import Client, ua
from paho.mqtt.enums import CallbackAPIVersion
from pymodbus.client import AsyncModbusTcpClient

from forewarn.domain.errors import ConfigurationError
from forewarn.domain.status import BAD_SENSOR_FAILURE
from forewarn.kit.clock import HOUR, SECOND, now_us
from forewarn.simulator.addresses import registers
from forewarn.simulator.batches import STATE_FILE
from forewarn.simulator.deathbed import free_port
from forewarn.simulator.demo_plant import DEMO_MACHINES, Wire, demo_machines
from forewarn.simulator.live import LivePlantConfig, PlantServers, live_plant
from forewarn.simulator.modbus_server import PlantModbusServer
from forewarn.simulator.mqtt_broker import PlantMqttBroker
from forewarn.simulator.opcua_server import PlantOpcUaServer
from forewarn.simulator.plant import Block, SimulatedPlant

START = 1_767_225_600 * SECOND
SERVE = (
    "import asyncio, sys; from pathlib import Path; from forewarn.simulator.live import LivePlantConfig, run_live;"
    "asyncio.run(run_live(LivePlantConfig(Path(sys.argv[1]), tick_s=0.2)))"
)


class Listener:
    """A paho client that keeps what arrives on a topic."""

    def __init__(self, port: int, topic: str) -> None:
        self.messages: list[mqtt.MQTTMessage] = []
        self.subscribed = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe(topic, qos=1)
        self._client.on_subscribe = lambda *_: self.subscribed.set()
        self._client.on_message = lambda _client, _data, message: self.messages.append(message)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self.subscribed.wait(60)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[tuple[SimulatedPlant, PlantServers]]:
    plant = SimulatedPlant(demo_machines(), 2, START)
    plant.warm_up(1.0)
    servers = PlantServers(LivePlantConfig(tmp_path), plant)
    async with servers.listening():
        yield plant, servers


def _value(plant: SimulatedPlant, block: Block, signal_id: str) -> float:
    return float(block.value[-1, plant.signal_ids.index(signal_id)])


async def test_opcua_reads_equal_the_physics(served: tuple[SimulatedPlant, PlantServers]) -> None:
    plant, servers = served
    plant.inject("pump-103", "sensor_dropout", 1.0, 0.0)
    block = plant.advance(5, SECOND)
    await servers.publish(block)
    ids = [s for s in plant.signal_ids if s.startswith("pump-10")]
    async with Client(servers.opcua.url) as client:
        nodes = [client.get_node(f"ns=2;s={s}") for s in ids]
        answers = await client.uaclient.read_attributes([n.nodeid for n in nodes], ua.AttributeIds.Value)
    assert len(ids) == 55
    for signal_id, answer in zip(ids, answers, strict=True):
        if signal_id == "pump-103.flow":
            assert answer.StatusCode.value == BAD_SENSOR_FAILURE
            assert answer.Value.Value is None
        else:
            assert answer.Value.Value == _value(plant, block, signal_id)
            assert answer.StatusCode.value == 0
        assert answer.SourceTimestamp.timestamp() == block.time[-1] / SECOND


async def test_modbus_registers_equal_the_physics_as_float32(served: tuple[SimulatedPlant, PlantServers]) -> None:
    plant, servers = served
    plant.inject("compressor-201", "sensor_dropout", 1.0, 0.0)
    block = plant.advance(5, SECOND)
    await servers.publish(block)
    client = AsyncModbusTcpClient("127.0.0.1", port=servers.ports[1])
    assert await client.connect()
    for signal_id, register in registers([d.machine for d in DEMO_MACHINES if d.wire is Wire.MODBUS]).items():
        words = (await client.read_holding_registers(register, count=2, device_id=1)).registers
        got = np.array(words, ">u2").view(">f4")[0]
        np.testing.assert_equal(got, np.float32(_value(plant, block, signal_id)))
    whole = await client.read_holding_registers(0, count=125, device_id=1)
    assert len(whole.registers) == 125
    assert (await client.write_register(0, 1, device_id=1)).isError()
    client.close()


async def test_mqtt_messages_equal_the_physics(served: tuple[SimulatedPlant, PlantServers]) -> None:
    plant, servers = served
    listener = await asyncio.to_thread(Listener, servers.ports[2], "digital_twin/+/telemetry")
    plant.inject("fan-301", "sensor_dropout", 1.0, 0.0)
    block = plant.advance(5, SECOND)
    await servers.publish(block)
    async with asyncio.timeout(20):
        while len(listener.messages) < 3:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    await asyncio.to_thread(listener.close)
    assert sorted(m.topic for m in listener.messages) == [
        f"digital_twin/{a}/telemetry" for a in ("fan-301", "pump-301", "pump-302")
    ]
    seen = {}
    for message in listener.messages:
        assert message.qos == 1
        body = json.loads(message.payload)
        assert body["timestamp"] * 1000 == block.time[-1]
        seen |= {r["sensor_id"]: r for r in body["readings"]}
    assert len(seen) == 11 + 10 + 6
    for signal_id, reading in seen.items():
        bad = signal_id == "fan-301.flow"
        assert reading["value"] == (None if bad else _value(plant, block, signal_id))
        assert reading["quality"] == (BAD_SENSOR_FAILURE if bad else "good")


async def test_a_taken_port_is_named(tmp_path: Path, served: tuple[SimulatedPlant, PlantServers]) -> None:
    _, servers = served
    with pytest.raises(ConfigurationError, match=f"OPC UA .*{servers.ports[0]}"):
        await PlantOpcUaServer("127.0.0.1", servers.ports[0], []).start()
    with pytest.raises(ConfigurationError, match=f"Modbus .*{servers.ports[1]}"):
        await PlantModbusServer("127.0.0.1", servers.ports[1], [], {}).start()
    with pytest.raises(ConfigurationError, match=r"broker .*address already in use"):
        await PlantMqttBroker("127.0.0.1", servers.ports[2], tmp_path / "second").start()


def test_live_goes_on_from_the_saved_state_and_repairs_what_was_injected(tmp_path: Path) -> None:
    before = SimulatedPlant(demo_machines(), 1, now_us() // SECOND * SECOND - 2 * HOUR)
    before.warm_up()
    before.inject("pump-101", "imbalance", 1.0, 0.0)
    last = before.advance(60, SECOND)
    before.save(tmp_path / STATE_FILE)
    plant = live_plant(LivePlantConfig(tmp_path))
    assert abs(plant.now_us - now_us()) < 60 * SECOND
    assert plant.active() == []
    assert [(e.asset_id, e.ended_at) for e in plant.labels()] == [("pump-101", int(last.time[-1]))]


@pytest.mark.parametrize("text", ["", "null", '{"seed": 1}'])
def test_a_broken_state_means_a_warm_start(tmp_path: Path, text: str) -> None:
    (tmp_path / STATE_FILE).write_text(text)
    plant = live_plant(LivePlantConfig(tmp_path))
    warm = plant.signal_ids.index("pump-101.bearing_temperature")
    assert plant.advance(1, SECOND).value[0, warm] > 35.0


def _listen_to_ctrl_c() -> None:
    """A test run that a shell started in the background ignores SIGINT, and so would its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Served:
    """`run_live` in a process of its own, with its control lines."""

    def __init__(self, state: Path) -> None:
        command = [sys.executable, "-c", SERVE, str(state)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=_listen_to_ctrl_c
        )
        self.ready = self.line()

    def line(self) -> dict[str, object]:
        assert self.process.stdout is not None
        answer: dict[str, object] = json.loads(self.process.stdout.readline())
        return answer

    def ask(self, **request: object) -> dict[str, object]:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"id": 1, **request}) + "\n")
        self.process.stdin.flush()
        return self.line()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Served]:
    served = Served(tmp_path)
    yield served
    served.process.kill()
    served.process.wait()


def _text(file: object) -> str:
    return Path(str(file)).read_text(encoding="utf-8")


async def _until_above(url: str, signal_id: str, limit: float) -> float:
    async with Client(url) as client, asyncio.timeout(60):
        node = client.get_node(f"ns=2;s={signal_id}")
        while (value := await node.read_value()) <= limit:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    return float(value)


async def test_an_injected_fault_is_seen_by_an_opcua_client(running: Served) -> None:
    ready = running.ready
    assert ready["ready"] is True
    assert _text(ready["plant_file"]).count("[[source]]") == 3
    assert await asyncio.to_thread(running.ask, op="inject", asset_id="pump-101", fault="nope", severity=1) != {}
    answer = await asyncio.to_thread(
        running.ask, op="inject", asset_id="pump-101", fault="imbalance", severity=0.9, ramp_s=1.0
    )
    assert answer["ok"] is True
    assert await _until_above(str(ready["opcua_url"]), "pump-101.vibration", 5.1) > 5.1
    assert "imbalance" in _text(ready["labels_file"])


def _gone(processes: list[psutil.Process]) -> bool:
    deadline = time.monotonic() + 60.0
    while time.monotonic() < deadline:
        if not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes):
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("way", ["stop", "stdin closes", "SIGTERM", "SIGINT"])
def test_an_orderly_end_takes_the_broker_along_and_keeps_the_state(running: Served, tmp_path: Path, way: str) -> None:
    children = psutil.Process(running.process.pid).children(recursive=True)
    assert any("nats-server" in c.name() for c in children)
    assert running.process.stdin is not None
    if way == "stop":
        assert running.ask(op="stop")["ok"] is True
    elif way == "stdin closes":
        running.process.stdin.close()
    else:
        running.process.send_signal(getattr(signal, way))
    ended = running.process.wait(60)
    assert (ended == 0) == (way != "SIGINT")  # asyncio.run raises KeyboardInterrupt for its caller to handle
    assert _gone(children)
    assert (tmp_path / STATE_FILE).exists()


def test_kill_9_of_the_plant_takes_the_broker_with_it(running: Served) -> None:
    children = psutil.Process(running.process.pid).children(recursive=True)
    assert children
    os.kill(running.process.pid, signal.SIGKILL)
    running.process.wait()
    assert _gone(children)


def test_the_plant_does_not_go_on_without_its_broker(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SERVE, str(tmp_path)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["ready"] is True
    psutil.Process(process.pid).children()[0].kill()
    assert process.wait(60) != 0
    _, errors = process.communicate()
    assert "the MQTT broker ended" in errors


def test_kill_9_of_the_parent_takes_plant_and_broker_with_it(tmp_path: Path) -> None:
    parent = (
        "import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', sys.argv[1], sys.argv[2]],"
        " stdin=subprocess.PIPE); p.wait()"
    )
    process = subprocess.Popen([sys.executable, "-c", parent, SERVE, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["ready"] is True
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) == 2
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert _gone(family)


def test_stdin_that_cannot_be_watched_is_refused_with_a_remedy(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", SERVE, str(tmp_path)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode != 0
    assert "watch_stdin" in result.stderr


def test_free_ports_are_free() -> None:
    assert 0 < free_port() < 65536
