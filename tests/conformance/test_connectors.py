"""Laws that every connector keeps. A new one is found by its entry point; it adds a `Case` to CASES."""

import asyncio
import contextlib
import gc
import shutil
import tempfile
import time
import tomllib
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import paho.mqtt.client as paho
import psutil
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from forewarn.contracts.connector import Connector
from forewarn.domain.errors import ConfigurationError, SourceUnreachable
from forewarn.plugins.connectors.sparkplug.messages import Payload
from forewarn.policies.plant_file import parse_plant
from tests.peers.processes import Peer, free_port, nats_mqtt, node_peer
from tests.plugins.connectors.recording import RecordingSink, eventually, request_for, running, signals_at

POINTS = {point.name: point for point in entry_points(group="forewarn.connectors")}


@dataclass(frozen=True)
class Case:
    """A peer, settings that reach a given port, an address that works there and one that is nonsense.

    feed: for protocols where the peer does not produce by itself; called again and again. listens: it waits for
    peers to come, so there is none that could be away."""

    start: Callable[[Path, int], Peer]
    settings: Callable[[int], dict[str, object]]
    address: str
    nonsense: str | None
    feed: Callable[[int], None] = lambda port: None
    listens: bool = False


def _publish(port: int) -> None:
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.publish("digital_twin/pump/telemetry", '{"speed": 1480}', qos=1).wait_for_publish(5)
    client.disconnect()
    client.loop_stop()


class NoServer(Peer):
    """What readings come from without a server of its own."""

    def start(self) -> Peer:
        return self

    def kill(self) -> None:
        """There is no process."""


class InboxFolder(NoServer):
    """A folder named after the port, so that every port has one of its own."""

    def __enter__(self) -> Peer:
        inbox(self.port).mkdir()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        shutil.rmtree(inbox(self.port), ignore_errors=True)


def inbox(port: int) -> Path:
    return Path(tempfile.gettempdir()) / f"forewarn-inbox-{port}"


def _drop(port: int) -> None:
    (inbox(port) / f"{time.time_ns()}.csv").write_text(f"time,speed\n{time.time_ns() // 1_000},1480\n")


def _push(port: int) -> None:
    reading = urllib.request.Request(
        f"http://127.0.0.1:{port}/push/speed", b"1480", {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(reading, timeout=5).close()


def _bear(port: int) -> None:
    """An edge node's birth."""
    birth = Payload(seq=0, timestamp=1_700_000_000_000)
    birth.metrics.add(name="speed", alias=1, datatype=10, double_value=1480.0)
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.publish("spBv1.0/plant/NBIRTH/edge", birth.SerializeToString(), qos=1).wait_for_publish(5)
    client.disconnect()
    client.loop_stop()


CASES = {
    "folder": Case(
        lambda folder, port: InboxFolder((), port),
        lambda port: {"path": str(inbox(port)), "scan_s": 0.05, "complete": "renamed"},
        "speed",
        None,  # any text is a column a file may have
        _drop,
    ),
    "webhook": Case(
        lambda folder, port: NoServer((), port),
        lambda port: {"port": port},
        "speed",
        None,  # any text is an address that may be pushed to
        _push,
        listens=True,
    ),
    "opcua": Case(
        lambda folder, port: node_peer("opcua_server.js", str(folder), port=port),
        lambda port: {"url": f"opc.tcp://127.0.0.1:{port}/forewarn", "publishing_interval_ms": 50, "keepalive_s": 0.5},
        "ns=1;s=pump.speed",
        "speed of the pump",
    ),
    "modbus": Case(
        lambda folder, port: node_peer("modbus_server.js", port=port),
        lambda port: {"host": "127.0.0.1", "port": port, "poll_interval_s": 0.05, "timeout_s": 1.0},
        "holding:7:uint16",
        "speed of the pump",
    ),
    "mqtt": Case(
        nats_mqtt,
        lambda port: {"host": "127.0.0.1", "port": port, "timeout_s": 2.0},
        "pump:speed",
        None,  # any text is a name a message may use
        _publish,
    ),
    "sparkplug": Case(
        nats_mqtt,
        lambda port: {"host": "127.0.0.1", "port": port, "timeout_s": 2.0},
        "plant/edge/-/speed",
        "speed of the pump",
        _bear,
    ),
}


def test_every_connector_has_a_case() -> None:
    assert set(POINTS) == set(CASES)


@pytest.fixture(params=sorted(POINTS))
def name(request) -> str:
    return request.param


@pytest.fixture
def connector(name) -> Connector:
    return POINTS[name].load()


@contextlib.contextmanager
def peer_of(name: str, folder: Path) -> Iterator[Peer]:
    with CASES[name].start(folder, free_port()) as peer:
        yield peer


def sockets() -> set[object]:
    """Open sockets; what earlier tests left to the collector is none of this test's."""
    gc.collect()
    return set(psutil.Process().net_connections())


async def flowing(name: str, port: int, sink: RecordingSink, task: asyncio.Task) -> None:
    await eventually(lambda: sink.connects == 1, "connected", task)
    while not sink.values(1):
        await asyncio.to_thread(CASES[name].feed, port)
        await asyncio.sleep(0.05)
        assert not task.done()


def test_it_is_named_after_its_folder_and_its_settings_are_documented(name, connector) -> None:
    assert connector.name == name
    assert not [key for key, field in connector.settings.model_fields.items() if not field.description]


def test_its_sample_is_a_plant_file_that_it_accepts(name, connector) -> None:
    spec = find_spec(POINTS[name].module)
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent
    text = (folder / "sample.toml").read_text()
    plant = parse_plant(text, "sample.toml")
    assert [source.connector for source in plant.sources] == [name]
    connector.settings.model_validate(dict(plant.sources[0].settings))
    assert all(signal.source == plant.sources[0].name for signal in plant.signals)
    assert (folder / "README.md").read_text().startswith("# ")
    assert tomllib.loads(text)["source"][0]["settings"]


def test_a_setting_that_does_not_exist_is_refused(name, connector) -> None:
    with pytest.raises(ValueError, match="no_such_setting"):
        connector.settings.model_validate({**CASES[name].settings(1), "no_such_setting": 1})


async def test_nobody_there_is_unreachable_and_leaves_no_socket(name, connector) -> None:
    if CASES[name].listens:
        return
    before = sockets()
    request = request_for(connector, CASES[name].settings(free_port()), signals_at(CASES[name].address))
    sink = RecordingSink()
    with pytest.raises(SourceUnreachable):
        await asyncio.wait_for(connector.run(request, sink), 60)
    assert (sink.connects, sink.rows) == (0, [])
    assert sockets() <= before


async def test_a_port_that_never_answers_is_unreachable_and_leaves_no_socket(name, connector) -> None:
    async def mute(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        request = request_for(connector, CASES[name].settings(port), signals_at(CASES[name].address))
        with pytest.raises(SourceUnreachable):
            await asyncio.wait_for(connector.run(request, RecordingSink()), 60)
        ours = [c for c in psutil.Process().net_connections() if c.raddr and c.raddr.port == port]
        assert ours == []
    finally:
        server.close()


async def test_readings_come_as_columns_and_cancelling_closes_all_sockets(name, connector, tmp_path) -> None:
    with peer_of(name, tmp_path) as peer:
        before = sockets()
        sink = RecordingSink()
        request = request_for(connector, CASES[name].settings(peer.port), signals_at(CASES[name].address))
        async with running(connector, request, sink) as task:
            await flowing(name, peer.port, sink, task)
        assert task.cancelled()
        assert sockets() <= before
    assert sink.qualities(1) == {0}
    assert not np.isnan(sink.values(1)).any()


async def test_cancelling_works_at_any_moment(name, connector, tmp_path) -> None:
    """While connecting, while subscribing, while answers come in: cancelled once, it ends.
    (nats-server shuts out a session that comes and goes too fast: then it has ended already, as unreachable.)"""
    case = CASES[name]
    with peer_of(name, tmp_path) as peer:
        before = sockets()
        request = request_for(connector, case.settings(peer.port), signals_at(*[case.address] * 50))
        for step in range(20):
            task = asyncio.create_task(connector.run(request, RecordingSink()))
            await asyncio.sleep(step * 0.007)
            task.cancel()
            done, _ = await asyncio.wait([task], timeout=60)
            assert done, f"still running after it was cancelled at {step * 7} ms"
            assert task.cancelled() or isinstance(task.exception(), SourceUnreachable)
        assert sockets() <= before


async def test_a_lost_peer_is_unreachable_and_leaves_no_socket(name, connector, tmp_path) -> None:
    if CASES[name].listens:
        return
    with peer_of(name, tmp_path) as peer:
        before = sockets()
        sink = RecordingSink()
        request = request_for(connector, CASES[name].settings(peer.port), signals_at(CASES[name].address))
        task = asyncio.create_task(connector.run(request, sink))
        await flowing(name, peer.port, sink, task)
        peer.kill()
        with pytest.raises(SourceUnreachable):
            await asyncio.wait_for(task, 60)
        assert sockets() <= before


async def test_a_nonsense_address_is_named_shown_as_bad_and_spoils_nothing(name, connector, tmp_path) -> None:
    case = CASES[name]
    if case.nonsense is None:
        return
    with peer_of(name, tmp_path) as peer:
        sink = RecordingSink()
        request = request_for(connector, case.settings(peer.port), signals_at(case.address, case.nonsense))
        async with running(connector, request, sink) as task:
            await flowing(name, peer.port, sink, task)
            await eventually(lambda: bool(sink.values(2)), "the bad reading", task)
    assert all(quality >> 31 for quality in sink.qualities(2))
    assert any("pump.s2" in text and case.nonsense in text for text in sink.rejections)
    alone = request_for(connector, case.settings(1), signals_at(case.nonsense))
    with pytest.raises(ConfigurationError, match=case.nonsense):
        await connector.run(alone, RecordingSink())
