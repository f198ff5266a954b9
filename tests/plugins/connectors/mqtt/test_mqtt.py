"""The MQTT connector against nats-server and Mosquitto: kill, restart, redelivery, both versions of the protocol."""

import asyncio
import json
from dataclasses import replace

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import ConfigurationError, SourceUnreachable
from forewarn.plugins.connectors.mqtt import CONNECTOR
from tests.peers.processes import Peer, free_port, mosquitto, nats_mqtt
from tests.plugins.connectors.recording import RecordingSink, eventually, request_for, running, signals_at

TOPIC = "digital_twin/pump/telemetry"


@pytest.fixture(params=[("nats", "3.1.1"), ("mosquitto", "3.1.1"), ("mosquitto", "5")], ids=lambda p: "-".join(p))
def broker(request, tmp_path):
    name, protocol = request.param
    peer = (nats_mqtt if name == "nats" else mosquitto)(tmp_path / "broker", free_port())
    peer.protocol = protocol
    with peer:
        yield peer


def settings_for(peer: Peer, **more: object) -> dict[str, object]:
    return {"host": "127.0.0.1", "port": peer.port, "protocol": getattr(peer, "protocol", "3.1.1"), **more}


class Publisher:
    """A device: publishes with QoS 1 and waits until the broker has it."""

    def __init__(self, peer: Peer) -> None:
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.connect("127.0.0.1", peer.port)
        self._client.loop_start()

    def send(self, payload: object, topic: str = TOPIC, qos: int = 1) -> None:
        raw = payload if isinstance(payload, bytes) else json.dumps(payload)
        self._client.publish(topic, raw, qos=qos).wait_for_publish(10)

    def __enter__(self) -> "Publisher":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def count(n: int) -> dict[str, object]:
    return {"s1": n, "timestamp": 1_700_000_000_000 + n}


async def test_readings_flow_and_the_broken_do_not_come_back(broker):
    sink = RecordingSink()
    async with running(CONNECTOR, request_for(CONNECTOR, settings_for(broker), signals_at(None, None)), sink) as task:
        await eventually(lambda: sink.connects == 1, "connected", task)
        with Publisher(broker) as device:
            await asyncio.to_thread(device.send, b"{broken")
            await asyncio.to_thread(device.send, {"sensor_id": ["pump.s1", "s2"], "timestamp": [1, 2], "value": [3, 4]})
            await asyncio.to_thread(device.send, {"s2": 5}, "digital_twin/fan/telemetry")
            await asyncio.to_thread(device.send, {"s2": 6}, TOPIC, 0)
            await eventually(lambda: 6.0 in sink.values(2), "all four", task)
    assert sink.rows[:2] == [(1, 1_000, 3.0, 0), (2, 2_000, 4.0, 0)]
    assert sink.rejected_count == 2  # the broken one, and the fan's, which this source does not know
    again = RecordingSink()
    async with running(CONNECTOR, request_for(CONNECTOR, settings_for(broker), signals_at(None, None)), again) as task:
        with Publisher(broker) as device:
            await eventually(lambda: again.connects == 1, "connected", task)
            await asyncio.to_thread(device.send, count(99))
            await eventually(lambda: 99.0 in again.values(1), "the last one", task)
    assert again.values(1) == [99.0]
    assert again.rejections == []


async def test_what_was_not_durable_is_sent_again(broker):
    """The sink never says durable; the next session gets everything, in spite of having received it once."""
    request = request_for(CONNECTOR, settings_for(broker), signals_at(None))
    stuck = RecordingSink()
    stuck.open.clear()
    async with running(CONNECTOR, request, stuck) as task:
        await eventually(lambda: stuck.connects == 1, "connected", task)
        with Publisher(broker) as device:
            for n in range(5):
                await asyncio.to_thread(device.send, count(n))
        await asyncio.sleep(0.2)
    assert stuck.rows == []
    sink = RecordingSink()
    async with running(CONNECTOR, request, sink) as task:
        await eventually(lambda: {0.0, 1.0, 2.0, 3.0, 4.0} <= set(sink.values(1)), "all sent again", task)


async def test_messages_wait_at_the_broker_while_we_are_away(broker):
    request = request_for(CONNECTOR, settings_for(broker), signals_at(None))
    sink = RecordingSink()
    async with running(CONNECTOR, request, sink) as task:
        await eventually(lambda: sink.connects == 1, "connected", task)
    with Publisher(broker) as device:
        for n in range(10):
            await asyncio.to_thread(device.send, count(n))
    async with running(CONNECTOR, request, sink) as task:
        await eventually(lambda: set(sink.values(1)) == {float(n) for n in range(10)}, "the ten", task)


async def test_a_look_takes_nothing_that_waits_for_the_real_run(broker):
    request = request_for(CONNECTOR, settings_for(broker, will={"topic": "state"}), signals_at(None))
    sink, look = RecordingSink(), RecordingSink()
    async with running(CONNECTOR, request, sink) as task:
        await eventually(lambda: sink.connects == 1, "connected", task)
    with Publisher(broker) as device:
        for n in range(5):
            await asyncio.to_thread(device.send, count(n))
        async with running(CONNECTOR, replace(request, look_only=True), look) as task:
            await eventually(lambda: look.connects == 1, "connected", task)
            await asyncio.to_thread(device.send, count(9))
            await eventually(lambda: look.values(1) == [9.0], "the live one", task)
    async with running(CONNECTOR, request, sink) as task:
        await eventually(lambda: set(sink.values(1)) == {0.0, 1.0, 2.0, 3.0, 4.0, 9.0}, "all", task)


async def test_a_killed_broker_keeps_what_was_not_stored(broker):
    request = request_for(CONNECTOR, settings_for(broker), signals_at(None))
    stuck = RecordingSink()
    stuck.open.clear()
    task = asyncio.create_task(CONNECTOR.run(request, stuck))
    await eventually(lambda: stuck.connects == 1, "connected", task)
    with Publisher(broker) as device:
        for n in range(3):
            await asyncio.to_thread(device.send, count(n))
    await asyncio.sleep(2.5)  # Mosquitto writes its store every second
    broker.kill()
    stuck.open.set()
    with pytest.raises(SourceUnreachable):
        await asyncio.wait_for(task, 60)
    broker.start()
    sink = RecordingSink()
    async with running(CONNECTOR, request, sink) as task:
        await eventually(lambda: {0.0, 1.0, 2.0} <= set(sink.values(1)), "sent again after the restart", task)


async def test_a_frozen_broker_is_noticed(broker):
    sink = RecordingSink()
    request = request_for(CONNECTOR, settings_for(broker, keepalive_s=1), signals_at(None))
    task = asyncio.create_task(CONNECTOR.run(request, sink))
    await eventually(lambda: sink.alives >= 1, "a heartbeat without readings", task)
    broker.freeze()
    try:
        with pytest.raises(SourceUnreachable):
            await asyncio.wait_for(task, 60)
    finally:
        broker.thaw()


async def test_messages_share_a_batch(broker):
    sink = RecordingSink()
    async with running(CONNECTOR, request_for(CONNECTOR, settings_for(broker), signals_at(None)), sink) as task:
        await eventually(lambda: sink.connects == 1, "connected", task)
        with Publisher(broker) as device:
            await asyncio.to_thread(lambda: [device.send(count(n)) for n in range(300)])
        await eventually(lambda: len(sink.values(1)) >= 300, "all", task)
    assert sorted(set(sink.values(1))) == [float(n) for n in range(300)]
    assert len(sink.batches) < 300


async def test_a_wrong_password_is_said(tmp_path, monkeypatch):
    passwords = tmp_path / "passwords"
    passwords.write_text("")
    monkeypatch.setenv("BROKER_PASSWORD", "wrong")
    with mosquitto(tmp_path / "broker", free_port(), "allow_anonymous false", f"password_file {passwords}") as peer:
        settings = settings_for(peer, user="gateway", password_env="BROKER_PASSWORD")
        with pytest.raises(SourceUnreachable, match="refuses user 'gateway'") as refused:
            await CONNECTOR.run(request_for(CONNECTOR, settings, signals_at(None)), RecordingSink())
        assert refused.value.condition is ConditionCode.CREDENTIALS_REFUSED


@pytest.mark.parametrize(
    "answer",
    [
        b"\x20\x02\x00\x00" + b"\x32\xff\xff\xff\xff\xff",  # connected, then a length without an end
        b"\x20\x02\x00\x00" + b"\x90\x01\x00",  # a SUBACK without a number
        b"\x20\x02\x00\x00" + b"\x32\x02\x00\xff",  # a PUBLISH whose topic is longer than itself
        b"\x00\x00\x00\x00",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        bytes(range(256)) * 4,
    ],
)
@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
async def test_what_is_no_broker_is_named_and_waits_for_nothing(answer, protocol):
    async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1_000)
        writer.write(answer)
        await reader.read()

    server = await asyncio.start_server(answering, "127.0.0.1", 0)
    settings = {"host": "127.0.0.1", "port": server.sockets[0].getsockname()[1], "protocol": protocol, "timeout_s": 1}
    with pytest.raises((SourceUnreachable, ConfigurationError)):
        await asyncio.wait_for(CONNECTOR.run(request_for(CONNECTOR, settings, signals_at(None)), RecordingSink()), 60)
    server.close()
