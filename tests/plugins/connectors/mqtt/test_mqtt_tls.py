"""MQTT over TLS against a real Mosquitto, whose certificate an authority of the test has signed."""

import asyncio
import json
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from forewarn.domain.errors import ConfigurationError, SourceUnreachable
from forewarn.plugins.connectors.mqtt import CONNECTOR
from tests.peers.certificates import Authority, Identity
from tests.peers.processes import Peer, free_port, mosquitto
from tests.plugins.connectors.recording import RecordingSink, eventually, request_for, running, signals_at

TOPIC = "digital_twin/pump/telemetry"


@dataclass
class Secured:
    """A broker that speaks TLS only, its authority, and a client it knows."""

    peer: Peer
    authority: Authority
    client: Identity

    def settings(self, **more: object) -> dict[str, object]:
        given = {"host": "127.0.0.1", "port": self.peer.port, "tls": True, "ca": str(self.authority.certificate)}
        return {**given, **more}

    def as_client(self) -> dict[str, object]:
        return {"certificate": str(self.client.certificate), "private_key": str(self.client.private_key)}

    def send(self, value: float) -> None:
        """A device publishes one reading with QoS 1."""
        context = ssl.create_default_context(cafile=str(self.authority.certificate))
        context.load_cert_chain(self.client.certificate, self.client.private_key)
        device = paho.Client(CallbackAPIVersion.VERSION2)
        device.tls_set_context(context)
        device.connect("127.0.0.1", self.peer.port)
        device.loop_start()
        device.publish(TOPIC, json.dumps({"s1": value, "timestamp": 1_700_000_000_000}), qos=1).wait_for_publish(10)
        device.disconnect()
        device.loop_stop()


def secured(folder: Path, address: str = "127.0.0.1", *lines: str) -> Secured:
    authority = Authority(folder / "certificates", "works")
    server, client = authority.sign("broker", address), authority.sign("forewarn")
    tls = (
        f"cafile {authority.certificate}",
        f"certfile {server.certificate}",
        f"keyfile {server.private_key}",
        "tls_version tlsv1.2",
    )
    return Secured(mosquitto(folder / "broker", free_port(), *tls, *lines), authority, client)


@pytest.fixture(params=[(), ("require_certificate true",)], ids=["server", "mutual"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Secured]:
    made = secured(tmp_path, "127.0.0.1", *request.param)
    with made.peer:
        yield made


async def refused(settings: dict[str, object]) -> str:
    """What the connector says when it may not connect; nothing may have reached the sink."""
    sink = RecordingSink()
    with pytest.raises((SourceUnreachable, ConfigurationError)) as error:
        await asyncio.wait_for(CONNECTOR.run(request_for(CONNECTOR, settings, signals_at(None)), sink), 20)
    assert sink.connects == 0
    return str(error.value)


async def test_readings_flow_encrypted(broker: Secured) -> None:
    sink = RecordingSink()
    settings = broker.settings(**broker.as_client())
    async with running(CONNECTOR, request_for(CONNECTOR, settings, signals_at(None)), sink) as task:
        await eventually(lambda: sink.connects == 1, "connected", task)
        await asyncio.to_thread(broker.send, 4.25)
        await eventually(lambda: sink.values(1) == [4.25], "the reading", task)


async def test_a_broker_signed_by_a_stranger_is_not_trusted(broker: Secured, tmp_path: Path) -> None:
    stranger = Authority(tmp_path / "elsewhere", "stranger")
    said = await refused(broker.settings(ca=str(stranger.certificate), **broker.as_client()))
    assert "certificate" in said.lower()


async def test_plain_speech_to_a_broker_that_wants_tls_does_not_connect(broker: Secured) -> None:
    await refused({"host": "127.0.0.1", "port": broker.peer.port, "timeout_s": 2.0})


async def test_a_broker_that_knows_its_clients_refuses_one_without_a_certificate(tmp_path: Path) -> None:
    made = secured(tmp_path, "127.0.0.1", "require_certificate true")
    with made.peer:
        await refused(made.settings(timeout_s=2.0))


async def test_a_certificate_for_another_address_is_not_trusted(tmp_path: Path) -> None:
    made = secured(tmp_path, "127.0.0.9")
    with made.peer:
        assert "127.0.0.1" in await refused(made.settings())


async def test_an_authority_that_cannot_be_read_names_the_file(tmp_path: Path) -> None:
    missing = tmp_path / "nowhere.pem"
    said = await refused({"host": "127.0.0.1", "port": 1, "tls": True, "ca": str(missing)})
    assert "ca" in said
