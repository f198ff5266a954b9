"""Servers that die for any length of time: values flow again with no restart of ours, and the gap is marked."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator

import numpy as np
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from forewarn.domain.sources import SourceState
from forewarn.domain.status import BAD_NO_COMMUNICATION
from forewarn.gateway.runner import SourceRunner
from forewarn.plugins.connectors import modbus, mqtt, opcua
from tests.gateway.scripted import MemoryDoor, Started, signal, source
from tests.peers.processes import Peer, free_port, nats_mqtt, node_peer
from tests.plugins.connectors.recording import eventually

CONNECTORS = {module.CONNECTOR.name: module.CONNECTOR for module in (opcua, modbus, mqtt)}
SPEED = "ns=1;s=pump.speed"


def opcua_source(port: int):
    settings = {"publishing_interval_ms": 50, "keepalive_s": 0.6}
    return source("plc", "opcua", url=f"opc.tcp://127.0.0.1:{port}/forewarn", **settings)


def check_gap(rows: list[tuple[int, float, int]]) -> None:
    """Good readings, one bad one that is later than all before it, then good ones that are later again."""
    marks = [i for i, (_, _, quality) in enumerate(rows) if quality == BAD_NO_COMMUNICATION]
    assert len(marks) == 1
    at = marks[0]
    assert 0 < at < len(rows) - 1
    assert np.isnan(rows[at][1])
    assert max(time for time, _, _ in rows[:at]) < rows[at][0] < max(time for time, _, _ in rows[at + 1 :])
    assert {quality for i, (_, _, quality) in enumerate(rows) if i != at} == {0}


async def lose_and_find(peer, runner, door, *, down_s: float, freeze: bool = False) -> None:
    await eventually(lambda: len(door.rows(1)) >= 5, "values before")
    if freeze:
        peer.freeze()
    else:
        peer.kill()
    await eventually(lambda: runner.statuses()[0].state is SourceState.RECONNECTING, "the loss is seen")
    await asyncio.sleep(down_s)
    if freeze:
        peer.thaw()
    else:
        await asyncio.to_thread(peer.start)
    marked = len(door.rows(1))
    await eventually(lambda: len(door.rows(1)) >= marked + 5, "values again")
    assert runner.statuses()[0].reconnects == 1


@contextlib.contextmanager
def publishing(port: int) -> Iterator[None]:
    """A machine that tells its speed ten times a second, whenever there is a broker."""
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.reconnect_delay_set(0.1, 0.1)
    client.connect_async("127.0.0.1", port)
    client.loop_start()
    over = threading.Event()

    def publish() -> None:
        while not over.wait(0.1):
            if client.is_connected():
                client.publish("digital_twin/pump/telemetry", '{"speed": 1480}', qos=0)

    thread = threading.Thread(target=publish)
    thread.start()
    yield
    over.set()
    thread.join()
    client.disconnect()
    client.loop_stop()


@pytest.fixture(scope="module")
def opcua_peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    with node_peer("opcua_server.js", str(tmp_path_factory.mktemp("pki")), port=free_port()) as peer:
        yield peer


@pytest.mark.parametrize("down_s", [1.0, pytest.param(30.0, marks=pytest.mark.slow)])
async def test_node_opcua_killed_and_restarted(opcua_peer, down_s):
    door = MemoryDoor()
    plc = opcua_source(opcua_peer.port)
    runner = SourceRunner([plc], [signal(1, "plc", SPEED)], CONNECTORS, door, lambda _: -1)
    async with Started(runner):
        await lose_and_find(opcua_peer, runner, door, down_s=down_s)
    check_gap(door.rows(1))


async def test_node_opcua_frozen_and_thawed(opcua_peer):
    door = MemoryDoor()
    plc = opcua_source(opcua_peer.port)
    runner = SourceRunner([plc], [signal(1, "plc", SPEED)], CONNECTORS, door, lambda _: -1)
    async with Started(runner):
        await lose_and_find(opcua_peer, runner, door, down_s=1.0, freeze=True)
    check_gap([row for row in door.rows(1) if row[2] == BAD_NO_COMMUNICATION or row[1] > 0])


async def test_mqtt_broker_killed_and_restarted(tmp_path):
    door = MemoryDoor()
    with nats_mqtt(tmp_path, free_port()) as peer:
        config = source("broker", "mqtt", host="127.0.0.1", port=peer.port, timeout_s=2.0)
        runner = SourceRunner([config], [signal(1, "broker", "pump:speed")], CONNECTORS, door, lambda _: -1)
        with publishing(peer.port):
            async with Started(runner):
                await lose_and_find(peer, runner, door, down_s=1.0)
    check_gap(door.rows(1))


async def test_modbus_device_killed_and_restarted():
    door = MemoryDoor()
    with node_peer("modbus_server.js", port=free_port()) as peer:
        config = source("plc", "modbus", host="127.0.0.1", port=peer.port, poll_interval_s=0.05, timeout_s=1.0)
        runner = SourceRunner([config], [signal(1, "plc", "holding:7:uint16")], CONNECTORS, door, lambda _: -1)
        async with Started(runner):
            await lose_and_find(peer, runner, door, down_s=1.0)
    check_gap(door.rows(1))


async def test_a_dead_server_does_not_touch_the_other(opcua_peer):
    door = MemoryDoor()
    dead = source("absent", "opcua", url=f"opc.tcp://127.0.0.1:{free_port()}/none")
    signals = [signal(1, "plc", SPEED), signal(2, "absent", SPEED)]
    runner = SourceRunner([opcua_source(opcua_peer.port), dead], signals, CONNECTORS, door, lambda _: -1)
    async with Started(runner):
        await eventually(lambda: len(door.rows(1)) >= 20, "values of the living")
        states = {status.name: status.state for status in runner.statuses()}
    assert states == {"plc": SourceState.CONNECTED, "absent": SourceState.RECONNECTING}
    assert door.rows(2) == []
