"""The host application against Mosquitto and an edge node of another maker (Eclipse Tahu's JavaScript)."""

import asyncio
import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from forewarn.contracts.browser import Browser
from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import SourceUnreachable
from forewarn.domain.sources import SourceState
from forewarn.gateway.runner import SourceRunner
from forewarn.kit.retry import Backoff
from forewarn.plugins.connectors.sparkplug import CONNECTOR
from forewarn.plugins.connectors.sparkplug.messages import Payload
from tests.gateway.scripted import MemoryDoor, Started, signal, source
from tests.peers.processes import Peer, collector, free_port, mosquitto, node_peer
from tests.plugins.connectors.recording import RecordingSink, eventually, request_for, running, signals_at

COUNT, VOLTS = "plant/edge/pump/count", "plant/edge/-/Supply/Voltage"
STATE = "spBv1.0/STATE/forewarn"
STALE = 0x80310000
PROTOCOLS = ["3.1.1", "5"]
OUTAGES = [
    pytest.param(5.0, id="5s"),
    pytest.param(60.0, id="60s", marks=pytest.mark.slow),
    pytest.param(600.0, id="10min", marks=[pytest.mark.nightly, pytest.mark.timeout(1500)]),
]


@pytest.fixture
def broker(tmp_path: Path):
    with mosquitto(tmp_path / "broker", free_port()) as peer:
        yield peer


def edge_node(broker: Peer) -> Peer:
    return node_peer("sparkplug_node.js", "plant", "edge", port=broker.port)


def settings_for(broker: Peer, **more: object) -> dict[str, object]:
    return {"host": "127.0.0.1", "port": broker.port, "keepalive_s": 1, "rebirth_interval_s": 0.5, **more}


class Watcher:
    """Remembers (topic, payload, qos, retained) of what is published, and publishes."""

    def __init__(self, port: int, topic: str = "spBv1.0/#") -> None:
        self.heard: list[tuple[str, bytes, int, bool]] = []
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = lambda _c, _d, m: self.heard.append((m.topic, bytes(m.payload), m.qos, m.retain))
        hears = threading.Event()
        self._client.on_connect = lambda client, *_: client.subscribe(topic, 1)
        self._client.on_subscribe = lambda *_: hears.set()
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert hears.wait(90), "the broker did not answer the subscription"

    def of(self, part: str) -> list[bytes]:
        return [raw for topic, raw, *_ in self.heard if part in topic]

    def send(self, topic: str, raw: bytes, *, retain: bool = False) -> None:
        self._client.publish(topic, raw, qos=1, retain=retain).wait_for_publish(10)

    def order(self, what: str) -> None:
        """Tell the edge node's device to do something (see the peer)."""
        made = Payload(timestamp=int(time.time() * 1_000))
        made.metrics.add(name="do", datatype=12, string_value=what.encode())
        self.send("spBv1.0/plant/DCMD/edge/pump", made.SerializeToString())

    def __enter__(self) -> "Watcher":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()


async def until(holds: Callable[[], bool], what: str) -> None:
    await eventually(holds, what)


async def test_every_type_of_another_makers_edge_node(broker):
    whole = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
    names = [*whole, "float", "double", "boolean", "datetime", "motor/speed", "motor/trips"]
    wanted = [-5, -300, -70000, -5e9, 250, 65000, 4e9, 9007199254740991, 1.5, -2.25, 1, 1.7e12, 1480.5, -3]
    addresses = [f"plant/edge/pump/{name}" for name in names]
    sink = RecordingSink()
    with edge_node(broker):
        request = request_for(CONNECTOR, settings_for(broker), signals_at(*addresses, VOLTS, "plant/edge/pump/text"))
        async with running(CONNECTOR, request, sink) as task:
            await eventually(lambda: bool(sink.values(len(names) + 1)) and len(sink.rows) > len(names), "births", task)
    assert [sink.values(key)[0] for key in range(1, len(names) + 1)] == [float(value) for value in wanted]
    assert sink.values(len(names) + 1)[0] == 230.5
    assert sink.times(names.index("motor/speed") + 1)[0] == 1_700_000_000_123_000
    assert sink.qualities(1) == {0}
    assert ConditionCode.WRONG_TYPE in sink.conditions
    assert any("(text (String))" in text for text in sink.rejections)


async def test_data_by_alias_nulls_and_historical_values(broker):
    sink = RecordingSink()
    addresses = (COUNT, "plant/edge/pump/double", "plant/edge/pump/float")
    request = request_for(CONNECTOR, settings_for(broker), signals_at(*addresses))
    with edge_node(broker), Watcher(broker.port) as watcher:
        async with running(CONNECTOR, request, sink) as task:
            await eventually(lambda: len(sink.values(1)) > 20, "counting", task)
            await asyncio.to_thread(watcher.order, "late")
            await asyncio.to_thread(watcher.order, "null")
            await eventually(lambda: -9.5 in sink.values(2) and 0x809B0000 in sink.qualities(3), "both", task)
            born, late = sink.times(2)[0], sink.times(2)[-1]
            assert born - late > 3_000_000_000
    assert ConditionCode.NOT_A_NUMBER in {condition for condition, _ in sink.notes}
    counted = list(dict.fromkeys(sink.values(1)))  # a birth tells the last one again
    assert counted == [counted[0] + i for i in range(len(counted))]


async def test_a_missing_number_leads_to_a_rebirth_and_nothing_else_is_lost(broker):
    sink = RecordingSink()
    settings = settings_for(broker, reorder_timeout_s=0.3)
    with edge_node(broker), Watcher(broker.port) as watcher:
        async with running(CONNECTOR, request_for(CONNECTOR, settings, signals_at(COUNT)), sink) as task:
            await eventually(lambda: len(sink.values(1)) > 10, "counting", task)
            births = len(watcher.of("/NBIRTH/"))
            await asyncio.to_thread(watcher.order, "skip")
            await eventually(lambda: len(watcher.of("/NBIRTH/")) > births, "a rebirth", task)
            seen = len(sink.values(1))
            await eventually(lambda: len(sink.values(1)) > seen + 10, "counting on", task)
    command = Payload.FromString(watcher.of("/NCMD/")[-1])
    assert [(m.name, m.boolean_value) for m in command.metrics] == [("Node Control/Rebirth", True)]
    assert {(qos, retained) for topic, _, qos, retained in watcher.heard if "/NCMD/" in topic} == {(0, False)}
    counted = set(sink.values(1))
    assert counted >= set(map(float, range(int(min(counted)), int(max(counted)) + 1)))


async def test_a_device_that_dies_is_stale_until_it_is_born_again(broker):
    sink = RecordingSink()
    with edge_node(broker), Watcher(broker.port) as watcher:
        request = request_for(CONNECTOR, settings_for(broker), signals_at(COUNT, VOLTS))
        async with running(CONNECTOR, request, sink) as task:
            await eventually(lambda: len(sink.values(1)) > 10, "counting", task)
            await asyncio.to_thread(watcher.order, "die")
            await eventually(lambda: STALE in sink.qualities(1), "stale", task)
            assert STALE not in sink.qualities(2)
            before = len(sink.values(1))
            await asyncio.to_thread(watcher.order, "birth")
            await eventually(lambda: sum(row[3] == 0 for row in sink.rows if row[0] == 1) > 20, "counting on", task)
            assert len(sink.values(1)) > before


@pytest.mark.parametrize("outage_s", OUTAGES)
@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_an_edge_node_killed_or_frozen_is_stale_and_comes_back(broker, how: str, outage_s: float):
    """Its will is published by the broker after one and a half of its keepalives (2 s)."""
    sink = RecordingSink()
    with edge_node(broker) as node:
        request = request_for(CONNECTOR, settings_for(broker, keepalive_s=20), signals_at(COUNT, VOLTS))
        async with running(CONNECTOR, request, sink) as task:
            await eventually(lambda: len(sink.values(1)) > 10, "counting", task)
            if how == "killed":
                node.kill()
            else:
                node.freeze()
            await eventually(lambda: STALE in sink.qualities(1) & sink.qualities(2), "stale", task)
            dead = sink.times(1)[-1]
            await eventually(lambda: sink.notes != [], "that it is away is told", task, outage_s + 30)
            await asyncio.sleep(max(0.0, outage_s - 4.0))
            if how == "killed":
                await asyncio.to_thread(node.start)
            else:
                node.thaw()
            await eventually(lambda: sum(time > dead for time in sink.times(1)) > 20, "counting again", task)
        assert {code for code, _ in sink.notes} == {ConditionCode.SILENT}
        assert "plant/edge" in sink.notes[-1][1]


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_host_topic_phid_birth_death_and_will(broker, protocol, tmp_path):
    """tck-id-host-topic-phid-birth-*, -death-*, message-flow-phid-sparkplug-state-publish-*: JSON, QoS 1, retained, the
    first that is published, will and birth of one time; a death of the present time before a clean disconnect."""
    settings = settings_for(broker, protocol=protocol)
    with Watcher(broker.port) as watcher:
        request = request_for(CONNECTOR, settings, signals_at(COUNT))
        async with running(CONNECTOR, request, RecordingSink()) as task:
            await eventually(lambda: len(watcher.heard) >= 2, "birth and rebirth request", task)
        await until(lambda: len(watcher.of("/STATE/")) == 2, "our farewell")
        assert watcher.heard[0][0] == STATE
        birth, death = (json.loads(raw) for raw in watcher.of("/STATE/"))
        assert birth["online"] is True
        assert death["online"] is False
        assert death["timestamp"] >= birth["timestamp"]
        assert {qos for topic, _, qos, _ in watcher.heard if topic == STATE} == {1}
        with collector(tmp_path / "spool", "sparkplug", settings, [COUNT]):
            await until(lambda: len(watcher.of("/STATE/")) == 3, "the birth of another session")
        await until(lambda: len(watcher.of("/STATE/")) == 4, "the will")
    birth, will = (json.loads(raw) for raw in watcher.of("/STATE/")[2:])
    assert (birth["online"], will["online"]) == (True, False)
    assert birth["timestamp"] == will["timestamp"]
    with Watcher(broker.port, STATE) as late:
        await until(lambda: len(late.heard) == 1, "the retained one")
        assert late.heard[0][3] is True


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_message_flow_phid_sparkplug_clean_session(broker, protocol):
    """Nothing that was published while we were away is given to us."""
    request = request_for(CONNECTOR, settings_for(broker, protocol=protocol), signals_at(VOLTS))
    async with running(CONNECTOR, request, first := RecordingSink()) as task:
        await eventually(lambda: first.connects == 1, "connected", task)
    birth = Payload(timestamp=1, seq=0)
    birth.metrics.add(name="Supply/Voltage", datatype=10, double_value=1.0)
    with Watcher(broker.port) as watcher:
        await asyncio.to_thread(watcher.send, "spBv1.0/plant/NBIRTH/edge", birth.SerializeToString())
        async with running(CONNECTOR, request, sink := RecordingSink()) as task:
            await eventually(lambda: sink.connects == 1, "connected", task)
            await asyncio.sleep(0.3)
            assert sink.rows == []
            await asyncio.to_thread(watcher.send, "spBv1.0/plant/NBIRTH/edge", birth.SerializeToString())
            await eventually(lambda: sink.values(1) == [1.0], "the live one", task)


async def test_message_flow_hid_sparkplug_state_message_delivered(broker):
    """Who says in our name that we are offline is told otherwise at once."""
    with Watcher(broker.port) as watcher:
        request = request_for(CONNECTOR, settings_for(broker), signals_at(COUNT))
        async with running(CONNECTOR, request, RecordingSink()) as task:
            await eventually(lambda: len(watcher.of("/STATE/")) == 1, "our birth", task)
            birth = watcher.of("/STATE/")[0]
            false = json.dumps({"online": False, "timestamp": json.loads(birth)["timestamp"] - 1}).encode()
            await asyncio.to_thread(watcher.send, STATE, false, retain=True)
            await eventually(lambda: watcher.of("/STATE/") == [birth, false, birth], "the answer", task)
            newer = json.dumps({"online": False, "timestamp": int(time.time() * 1_000) + 60_000}).encode()
            await asyncio.to_thread(watcher.send, STATE, newer, retain=True)
            with pytest.raises(SourceUnreachable, match="host_id"):
                await asyncio.wait_for(asyncio.shield(task), 60)


async def test_looking_around_finds_what_births_tell(broker):
    settings = CONNECTOR.settings.model_validate(settings_for(broker))
    with edge_node(broker), Watcher(broker.port) as watcher:
        await until(lambda: len(watcher.of("/DDATA/")) > 3, "an edge node that was born before we looked")
        found = [point async for point in CONNECTOR.browse(settings, ["plant/edge/*t8", "*/Voltage"], 3)]
        assert watcher.of("/STATE/") == []
    assert isinstance(CONNECTOR, Browser)
    told = {(point.address, point.kind, point.value) for point in found}
    assert told == {
        (VOLTS, "Double", "230.5"),
        ("plant/edge/pump/int8", "Int8", "-5"),
        ("plant/edge/pump/uint8", "UInt8", "250"),
    }


async def test_a_look_is_no_host(broker):
    """`gateway check` beside the running gateway: no STATE, no end of the real session."""
    settings = settings_for(broker)
    with edge_node(broker), Watcher(broker.port) as watcher:
        sink, look = RecordingSink(), RecordingSink()
        async with running(CONNECTOR, request_for(CONNECTOR, settings, signals_at(COUNT)), sink) as task:
            await eventually(lambda: len(sink.values(1)) > 5, "counting", task)
            request = replace(request_for(CONNECTOR, settings, signals_at(COUNT)), look_only=True)
            async with running(CONNECTOR, request, look) as looking:
                await eventually(lambda: len(look.values(1)) > 5, "the look", looking)
            seen = len(sink.values(1))
            await eventually(lambda: len(sink.values(1)) > seen + 5, "counting on", task)
            assert len(watcher.of("/STATE/")) == 1


async def test_a_broker_killed_and_started_again_the_births_come_again(broker):
    door = MemoryDoor()
    runner = SourceRunner(
        [source("line", "sparkplug", **settings_for(broker))],
        [signal(1, "line", COUNT)],
        {"sparkplug": CONNECTOR},
        door,
        lambda _: -1,
        backoff=Backoff(first_s=0.05, cap_s=0.5),
    )

    def counted() -> int:
        return sum(quality == 0 for _, _, quality in door.rows(1))

    with edge_node(broker):
        async with Started(runner):
            await until(lambda: counted() > 10, "counting")
            broker.kill()
            await until(lambda: runner.statuses()[0].state is SourceState.RECONNECTING, "the loss")
            await asyncio.to_thread(broker.start)
            before = counted()
            await until(lambda: counted() > before + 20, "counting again")
    assert STALE in {quality for _, _, quality in door.rows(1)}
