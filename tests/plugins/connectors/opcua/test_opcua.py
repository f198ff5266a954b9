"""The OPC UA connector against node-opcua and against asyncua's own server, both in processes of their own."""

import asyncio

import pytest

from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import ConfigurationError, SourceUnreachable
from forewarn.domain.status import BAD_SENSOR_FAILURE
from forewarn.kit.clock import SECOND, now_us
from forewarn.plugins.connectors.opcua import CONNECTOR, feed
from tests.peers.processes import Peer, free_port, node_peer, python_peer
from tests.plugins.connectors.recording import RecordingSink, eventually, request_for, running, signals_at

BAD_NODE_ID_UNKNOWN = 0x80340000
BAD_NODE_ID_INVALID = 0x80330000
BAD_TYPE_MISMATCH = 0x80740000
NODES = ("vibration", "temperature", "speed", "running", "sick", "still", "label")
# Told at each change and queued: a busy server that samples late leaves out none.
FAST = {"publishing_interval_ms": 50, "sampling_interval_ms": 0, "queue_size": 100, "keepalive_s": 0.2}


@pytest.fixture(scope="module")
def plant(tmp_path_factory):
    with node_peer("opcua_server.js", str(tmp_path_factory.mktemp("pki")), port=free_port()) as peer:
        yield peer


def settings_for(peer: Peer, **more: object) -> dict[str, object]:
    return {"url": f"opc.tcp://127.0.0.1:{peer.port}/forewarn", **FAST, **more}


async def test_values_flow_with_their_quality_and_time(plant):
    signals = signals_at(*(f"ns=1;s=pump.{name}" for name in NODES))
    sink = RecordingSink()
    started = now_us()
    async with running(CONNECTOR, request_for(CONNECTOR, settings_for(plant), signals), sink) as task:
        await eventually(lambda: min(len(sink.values(key)) for key in (1, 2, 3, 4)) >= 20, "20 values each", task)
        await eventually(lambda: len(sink.rejections) >= 1, "the text is rejected", task)
    speed = sink.values(3)
    assert speed == list(range(int(speed[0]), int(speed[0]) + len(speed)))  # none lost, none twice
    assert sink.values(2)[:20] == [tick / 4 for tick in speed[:20]]
    assert set(sink.values(4)) == {0.0, 1.0}
    assert sink.qualities(5) == {BAD_SENSOR_FAILURE}
    assert sink.values(6) == [42.0]
    assert sink.qualities(1) == {0}
    assert sink.times(1) == sorted(sink.times(1))
    assert abs(sink.times(1)[0] - started) < 60 * SECOND
    assert sink.qualities(7) == {BAD_TYPE_MISMATCH}
    assert len(sink.values(7)) == len(sink.rejections) == 1
    assert "pump.s7" in sink.rejections[0]
    assert "String" in sink.rejections[0]
    assert sink.conditions == [ConditionCode.WRONG_TYPE]


async def test_nodes_that_do_not_exist_are_bad_and_the_rest_flows(plant, monkeypatch):
    monkeypatch.setattr(feed, "_REMIND_S", 0.2)
    signals = signals_at("ns=1;s=pump.vibration", "ns=1;s=nobody", "pump speed", None)
    sink = RecordingSink()
    async with running(CONNECTOR, request_for(CONNECTOR, settings_for(plant), signals), sink) as task:
        await eventually(lambda: len(sink.values(1)) >= 3 and sink.values(2), "values and refusal", task)
        await eventually(lambda: any("pump.s2" in text for _, text in sink.notes), "the reminder", task)
    assert sink.qualities(2) == {BAD_NODE_ID_UNKNOWN}
    assert sink.qualities(3) == sink.qualities(4) == {BAD_NODE_ID_INVALID}
    assert any("pump.s2" in text and "BadNodeIdUnknown" in text for text in sink.rejections)
    assert any("'pump speed'" in text for text in sink.rejections)
    assert set(sink.conditions) == {ConditionCode.UNKNOWN_ADDRESS}
    noted = [text for condition, text in sink.notes if condition is ConditionCode.UNKNOWN_ADDRESS]
    assert "pump.s2" in noted[-1], "it is told for as long as it lasts"


async def test_nothing_is_asked_again_while_the_disk_is_slow(plant):
    """The sink holds the connector back; when it lets go, every sample is there (the server queued them)."""
    sink = RecordingSink()
    signals = signals_at("ns=1;s=pump.speed")
    async with running(CONNECTOR, request_for(CONNECTOR, settings_for(plant), signals), sink) as task:
        await eventually(lambda: len(sink.values(1)) >= 3, "first values", task)
        sink.open.clear()
        await asyncio.sleep(1.5)  # well past three keepalives
        assert not task.done()
        sink.open.set()
        count = len(sink.values(1))
        await eventually(lambda: len(sink.values(1)) >= count + 30, "the queued ones and more", task)
    speed = sink.values(1)
    assert speed == list(range(int(speed[0]), int(speed[0]) + len(speed)))


async def test_a_frozen_server_is_noticed(plant):
    sink = RecordingSink()
    request = request_for(CONNECTOR, settings_for(plant), signals_at("ns=1;s=pump.still"))
    task = asyncio.create_task(CONNECTOR.run(request, sink))
    await eventually(lambda: sink.alives >= 3, "keepalives of a still node", task)
    plant.freeze()
    try:
        with pytest.raises(SourceUnreachable, match="silent"):
            await asyncio.wait_for(task, 60)
    finally:
        plant.thaw()


async def test_a_killed_server_is_noticed(tmp_path):
    with node_peer("opcua_server.js", str(tmp_path), port=free_port()) as peer:
        sink = RecordingSink()
        request = request_for(CONNECTOR, settings_for(peer), signals_at("ns=1;s=pump.speed"))
        task = asyncio.create_task(CONNECTOR.run(request, sink))
        await eventually(lambda: bool(sink.values(1)), "values", task)
        peer.kill()
        with pytest.raises(SourceUnreachable):
            await asyncio.wait_for(task, 60)


async def test_right_and_wrong_password(plant, monkeypatch):
    monkeypatch.setenv("PLANT_PASSWORD", "secret")
    settings = settings_for(plant, user="operator", password_env="PLANT_PASSWORD")
    sink = RecordingSink()
    signals = signals_at("ns=1;s=pump.speed")
    async with running(CONNECTOR, request_for(CONNECTOR, settings, signals), sink) as task:
        await eventually(lambda: bool(sink.values(1)), "values for the right password", task)
    monkeypatch.setenv("PLANT_PASSWORD", "wrong")
    with pytest.raises(SourceUnreachable, match="user 'operator'") as refused:
        await asyncio.wait_for(CONNECTOR.run(request_for(CONNECTOR, settings, signals), RecordingSink()), 60)
    assert refused.value.condition is ConditionCode.CREDENTIALS_REFUSED
    monkeypatch.delenv("PLANT_PASSWORD")
    with pytest.raises(ConfigurationError, match="PLANT_PASSWORD"):
        await CONNECTOR.run(request_for(CONNECTOR, settings, signals), RecordingSink())


async def test_asyncua_server_signed_and_encrypted(tmp_path):
    with python_peer("asyncua_server.py", str(tmp_path), port=free_port()) as peer:
        settings = settings_for(
            peer,
            security="Basic256Sha256",
            certificate=tmp_path / "client.der",
            private_key=tmp_path / "client.pem",
            server_certificate=tmp_path / "server.der",
        )
        sink = RecordingSink()
        request = request_for(CONNECTOR, settings, signals_at("ns=2;s=pump.counter"))
        async with running(CONNECTOR, request, sink) as task:
            await eventually(lambda: len(sink.values(1)) >= 10, "values over the secure channel", task)
        counter = sink.values(1)
        assert counter == sorted(counter)


async def test_asyncua_server_in_the_clear(tmp_path):
    with python_peer("asyncua_server.py", port=free_port()) as peer:
        sink = RecordingSink()
        request = request_for(CONNECTOR, settings_for(peer), signals_at("ns=2;s=pump.counter"))
        async with running(CONNECTOR, request, sink) as task:
            await eventually(lambda: len(sink.values(1)) >= 10, "values", task)
