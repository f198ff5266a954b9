"""What a broker may say of us: rights, retained messages, last will."""

import asyncio
import base64
import hashlib
import json
import threading
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from forewarn.contracts.browser import Browser
from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import SourceUnreachable
from forewarn.plugins.connectors.mqtt import CONNECTOR
from tests.peers.processes import Peer, collector, free_port, mosquitto
from tests.plugins.connectors.recording import RecordingSink, eventually, request_for, running, signals_at

PLUGIN = Path("/usr/lib/x86_64-linux-gnu/mosquitto_dynamic_security.so")
PROTOCOLS = ["3.1.1", "5"]


def publish(port: int, topic: str, payload: bytes, *, retain: bool = False, user: str | None = None) -> None:
    client = paho.Client(CallbackAPIVersion.VERSION2)
    if user:
        client.username_pw_set(user, "secret")
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(10)
    client.disconnect()
    client.loop_stop()


def rights(folder: Path, allowed: list[str]) -> Path:
    """Accounts `device` (may do anything) and `gateway` (may subscribe to `allowed` only), password `secret`."""
    folder.mkdir(parents=True, exist_ok=True)
    salt = b"0123456789ab"
    hashed = hashlib.pbkdf2_hmac("sha512", b"secret", salt, 101)

    def account(name: str) -> dict[str, object]:
        return {
            "username": name,
            "password": base64.b64encode(hashed).decode(),
            "salt": base64.b64encode(salt).decode(),
            "iterations": 101,
            "roles": [{"rolename": name}],
        }

    def allow(kind: str, topic: str) -> dict[str, object]:
        return {"acltype": kind, "topic": topic, "allow": True}

    gateway = [allow("subscribeLiteral", topic) for topic in allowed]
    roles = [
        {"rolename": "device", "acls": [allow("publishClientSend", "#")]},
        {"rolename": "gateway", "acls": [*gateway, allow("publishClientReceive", "#")]},
    ]
    access = {"publishClientSend": False, "publishClientReceive": True, "subscribe": False, "unsubscribe": True}
    file = folder / "rights.json"
    file.write_text(
        json.dumps({"clients": [account("device"), account("gateway")], "roles": roles, "defaultACLAccess": access})
    )
    return file


def guarded(folder: Path, *allowed: str) -> Peer:
    if not PLUGIN.is_file():
        pytest.skip("NOT RUN: Mosquitto's dynamic security plugin is not installed (Debian: apt install mosquitto)")
    file = rights(folder, list(allowed))
    return mosquitto(folder, free_port(), f"plugin {PLUGIN}", f"plugin_opt_config_file {file}")


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_forbidden_topic_is_named_and_the_others_go_on(protocol, tmp_path, monkeypatch):
    monkeypatch.setenv("BROKER_PASSWORD", "secret")
    with guarded(tmp_path / "broker", "open/+") as broker:
        settings = {
            "host": "127.0.0.1",
            "port": broker.port,
            "protocol": protocol,
            "user": "gateway",
            "password_env": "BROKER_PASSWORD",
            "topics": ["open/+", "closed/+"],
        }
        sink = RecordingSink()
        async with running(CONNECTOR, request_for(CONNECTOR, settings, signals_at(None)), sink) as task:
            await eventually(lambda: bool(sink.notes), "the note", task)
            await asyncio.to_thread(publish, broker.port, "closed/pump", b'{"s1": 1, "timestamp": 1}', user="device")
            await asyncio.to_thread(publish, broker.port, "open/pump", b'{"s1": 2, "timestamp": 2}', user="device")
            await eventually(lambda: sink.values(1) == [2.0], "what is allowed", task)
        [(code, text)] = sink.notes
        assert code is ConditionCode.CREDENTIALS_REFUSED
        assert "closed/+" in text
        assert "open/+" not in text
        only = request_for(CONNECTOR, {**settings, "topics": ["closed/+"]}, signals_at(None))
        with pytest.raises(SourceUnreachable, match=r"closed/\+") as refused:
            await CONNECTOR.run(only, RecordingSink())
        assert refused.value.condition is ConditionCode.CREDENTIALS_REFUSED


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_retained_readings(protocol, tmp_path):
    with mosquitto(tmp_path / "broker", free_port()) as broker:
        publish(broker.port, "digital_twin/pump/telemetry", b'{"s1": 1, "timestamp": 1}', retain=True)
        publish(broker.port, "digital_twin/pump2/telemetry", b'{"pump.s2": 2}', retain=True)
        settings = {"host": "127.0.0.1", "port": broker.port, "protocol": protocol}
        sink = RecordingSink()
        async with running(CONNECTOR, request_for(CONNECTOR, settings, signals_at(None, None)), sink) as task:
            await eventually(lambda: len(sink.rows) == 2, "both", task)
            await asyncio.to_thread(publish, broker.port, "digital_twin/pump/telemetry", b'{"s2": 3}')
            await eventually(lambda: len(sink.rows) == 3, "a live one", task)
        assert sink.qualities(1) == {0}
        assert sink.times(1) == [1_000]
        assert [row[2:] for row in sink.rows if row[0] == 2] == [(2.0, 0x40900000), (3.0, 0)]
        ignoring = RecordingSink()
        settings |= {"retained": "ignore", "client_id": "another"}
        async with running(CONNECTOR, request_for(CONNECTOR, settings, signals_at(None, None)), ignoring) as task:
            await eventually(lambda: ignoring.connects == 1, "connected", task)
            await asyncio.to_thread(publish, broker.port, "digital_twin/pump/telemetry", b'{"s2": 4}')
            await eventually(lambda: ignoring.values(2) == [4.0], "only the live one", task)
        assert ignoring.values(1) == []


class Watcher:
    """Remembers what is published on one topic, retained or not."""

    def __init__(self, port: int, topic: str) -> None:
        self.heard: list[bytes] = []
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = lambda _c, _d, message: self.heard.append(bytes(message.payload))
        hears = threading.Event()
        self._client.on_connect = lambda client, *_: client.subscribe(topic, 1)
        self._client.on_subscribe = lambda *_: hears.set()
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert hears.wait(90), "the broker did not answer the subscription"

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_last_will_tells_whether_we_are_there(protocol, tmp_path):
    with mosquitto(tmp_path / "broker", free_port()) as broker:
        watcher = Watcher(broker.port, "gateways/+")
        settings = {
            "host": "127.0.0.1",
            "port": broker.port,
            "protocol": protocol,
            "will": {"topic": "gateways/a", "offline": "gone", "online": "here"},
        }
        async with running(CONNECTOR, request_for(CONNECTOR, settings, signals_at(None)), RecordingSink()) as task:
            await eventually(lambda: watcher.heard == [b"here"], "that we are there", task)
        await eventually(lambda: watcher.heard == [b"here", b"gone"], "that we left")
        with collector(tmp_path / "spool", "mqtt", settings, [None]):
            await eventually(lambda: watcher.heard[2:] == [b"here"], "the other process")
        await eventually(lambda: watcher.heard[3:] == [b"gone"], "the broker's word for it")
        watcher.close()
        late = Watcher(broker.port, "gateways/+")
        await eventually(lambda: late.heard == [b"gone"], "the retained one")
        late.close()


async def test_mappings_of_several_kinds_side_by_side(tmp_path):
    with mosquitto(tmp_path / "broker", free_port()) as broker:
        settings = {
            "host": "127.0.0.1",
            "port": broker.port,
            "topics": ["digital_twin/+/telemetry"],
            "mapping": [
                {"topic": "plain/{asset}/{signal}", "payload": "number", "signal": "{asset}.{signal}", "qos": 0},
                {"topic": "json/#", "signal": "pump.s3", "value": "d.v", "time": "d.t", "time_unit": "us"},
            ],
        }
        sink = RecordingSink()
        signals = signals_at(None, None, None)
        async with running(CONNECTOR, request_for(CONNECTOR, settings, signals), sink) as task:
            await eventually(lambda: sink.connects == 1, "connected", task)
            for topic, payload in (
                ("digital_twin/pump/telemetry", b'{"s1": 1, "timestamp": 1}'),
                ("plain/pump/s2", b"nonsense"),
                ("plain/pump/s2", b"2.5"),
                ("json/a/b", b'{"d": {"v": 3, "t": 3}}'),
            ):
                await asyncio.to_thread(publish, broker.port, topic, payload)
            await eventually(lambda: len(sink.rows) == 3, "three", task)
        assert [sink.values(key) for key in (1, 2, 3)] == [[1.0], [2.5], [3.0]]
        assert sink.conditions == [ConditionCode.NONSENSE]
        assert sink.times(3) == [3]


async def test_looking_around_lists_what_is_published(tmp_path):
    with mosquitto(tmp_path / "broker", free_port()) as broker:
        given = {
            "host": "127.0.0.1",
            "port": broker.port,
            "topics": ["digital_twin/+/telemetry"],
            "mapping": [{"topic": "plain/#", "payload": "number"}],
        }
        for topic, payload in (
            ("digital_twin/pump/telemetry", b'{"sensor_id": ["s1", "s2"], "value": [1.5, 2], "timestamp": [1, 2]}'),
            ("digital_twin/pump/telemetry", b'{"s3": 7}'),
            ("plain/fan/speed", b"1480"),
        ):
            publish(broker.port, topic, payload, retain=True)
        publish(broker.port, "digital_twin/fan/telemetry", b'{"s1": 9}', retain=True)
        settings = CONNECTOR.settings.model_validate(given)
        found = [point async for point in CONNECTOR.browse(settings, ["pump:*", "plain/*"], 2)]
        assert isinstance(CONNECTOR, Browser)
        assert {(point.address, point.value) for point in found} == {("pump:s3", "7"), ("plain/fan/speed", "1480")}
        signals = signals_at("pump:s3", "plain/fan/speed")
        sink = RecordingSink()
        async with running(CONNECTOR, request_for(CONNECTOR, given, signals), sink) as task:
            await eventually(lambda: (sink.values(1), sink.values(2)) == ([7.0], [1480.0]), "as they were found", task)
