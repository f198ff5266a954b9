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

from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import ConfigurationError, SourceUnreachable
from forewarn.domain.sources import SourceState
from forewarn.gateway.runner import SourceRunner
from forewarn.kit.retry import Backoff
from forewarn.plugins.connectors.mqtt import CONNECTOR
from tests.gateway.scripted import MemoryDoor, Started, signal, source
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


def secured(folder: Path, address: str = "127.0.0.1", *lines: str, days: float = 1) -> Secured:
    authority = Authority(folder / "certificates", "works")
    server, client = authority.sign("broker", address, days), authority.sign("forewarn")
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


async def refused(settings: dict[str, object], condition: ConditionCode | None = None) -> str:
    """What the connector says when it may not connect, and names; nothing may have reached the sink."""
    sink = RecordingSink()
    with pytest.raises((SourceUnreachable, ConfigurationError)) as error:
        await asyncio.wait_for(CONNECTOR.run(request_for(CONNECTOR, settings, signals_at(None)), sink), 60)
    assert sink.connects == 0
    assert condition is None or error.value.condition is condition
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
    settings = broker.settings(ca=str(stranger.certificate), **broker.as_client())
    said = await refused(settings, ConditionCode.CERTIFICATE_UNTRUSTED)
    assert "certificate" in said.lower()


async def test_plain_speech_to_a_broker_that_wants_tls_does_not_connect(broker: Secured) -> None:
    await refused({"host": "127.0.0.1", "port": broker.peer.port, "timeout_s": 2.0})


async def test_a_broker_that_knows_its_clients_refuses_one_without_a_certificate(tmp_path: Path) -> None:
    made = secured(tmp_path, "127.0.0.1", "require_certificate true")
    with made.peer:
        said = await refused(made.settings(timeout_s=2.0), ConditionCode.CREDENTIALS_REFUSED)
        assert "asks for a certificate" in said


async def test_a_certificate_for_another_address_is_not_trusted(tmp_path: Path) -> None:
    made = secured(tmp_path, "127.0.0.9")
    with made.peer:
        assert "127.0.0.1" in await refused(made.settings())


async def test_an_authority_that_cannot_be_read_names_the_file(tmp_path: Path) -> None:
    missing = tmp_path / "nowhere.pem"
    said = await refused({"host": "127.0.0.1", "port": 1, "tls": True, "ca": str(missing)}, ConditionCode.MISCONFIGURED)
    assert str(missing) in said


async def test_the_brokers_certificate_has_expired(tmp_path: Path) -> None:
    made = secured(tmp_path, "127.0.0.1", days=-0.5)
    with made.peer:
        said = await refused(made.settings(), ConditionCode.CERTIFICATE_EXPIRED)
    assert "expired" in said


async def test_our_own_certificate_has_expired(tmp_path: Path) -> None:
    made = secured(tmp_path, "127.0.0.1", "require_certificate true")
    old = made.authority.sign("old", days=-0.5)
    with made.peer:
        mine = {"certificate": str(old.certificate), "private_key": str(old.private_key)}
        said = await refused(made.settings(**mine), ConditionCode.CERTIFICATE_EXPIRED)
    assert "our certificate" in said


async def test_our_certificate_is_signed_by_a_stranger(tmp_path: Path) -> None:
    made = secured(tmp_path, "127.0.0.1", "require_certificate true")
    stranger = Authority(tmp_path / "elsewhere", "stranger").sign("forewarn")
    with made.peer:
        mine = {"certificate": str(stranger.certificate), "private_key": str(stranger.private_key)}
        await refused(made.settings(**mine), ConditionCode.CERTIFICATE_UNTRUSTED)


async def test_a_key_of_another_certificate_names_both_files(tmp_path: Path) -> None:
    made = secured(tmp_path)
    other = made.authority.sign("other")
    mine = {"certificate": str(made.client.certificate), "private_key": str(other.private_key)}
    said = await refused(made.settings(**mine), ConditionCode.MISCONFIGURED)
    assert str(made.client.certificate) in said
    assert str(other.private_key) in said


async def test_a_broker_whose_certificate_is_swapped_and_put_right_comes_back_alone(tmp_path: Path) -> None:
    """And a client known by its certificate gets what the access list allows it."""
    access = tmp_path / "acl"
    access.write_text("user forewarn\ntopic read digital_twin/pump/telemetry\ntopic write digital_twin/#\n")
    made = secured(
        tmp_path, "127.0.0.1", "require_certificate true", "use_identity_as_username true", f"acl_file {access}"
    )
    good = {path: path.read_bytes() for path in (tmp_path / "certificates").glob("broker.*")}
    settings = {**made.settings(**made.as_client()), "timeout_s": 2.0}
    runner = SourceRunner(
        [source("line", "mqtt", **settings)],
        [signal(1, "line")],
        {"mqtt": CONNECTOR},
        door := MemoryDoor(),
        lambda _: -1,
        backoff=Backoff(first_s=0.05, cap_s=0.2),
    )

    def codes() -> list[ConditionCode]:
        return [condition.code for condition in runner.conditions()]

    def values() -> list[float]:
        return [value for _, value, quality in door.rows(1) if quality == 0]

    async with Started(runner):
        with made.peer:
            await eventually(lambda: runner.statuses()[0].state is SourceState.CONNECTED, "connected")
            await asyncio.to_thread(made.send, 1.5)
            await eventually(lambda: values() == [1.5], "the first reading")
            made.peer.kill()
            bad = Authority(tmp_path / "elsewhere", "stranger").sign("broker")
            for path in good:
                path.write_bytes((bad.certificate if path.suffix == ".pem" else bad.private_key).read_bytes())
            await asyncio.to_thread(made.peer.start)
            await eventually(lambda: ConditionCode.CERTIFICATE_UNTRUSTED in codes(), "the swapped certificate")
            made.peer.kill()
            for path, content in good.items():
                path.write_bytes(content)
            await asyncio.to_thread(made.peer.start)
            await eventually(lambda: runner.statuses()[0].state is SourceState.CONNECTED, "connected again")
            assert codes() == []
            await asyncio.to_thread(made.send, 2.5)
            await eventually(lambda: 2.5 in values(), "a reading after it")
