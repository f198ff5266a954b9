"""Certificates both ways against node-opcua: what is refused has a name, and is mended without a restart of ours."""

import asyncio
import shutil
from pathlib import Path

import pytest
from pydantic import ValidationError

from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import SourceUnreachable
from forewarn.plugins.connectors.opcua import CONNECTOR
from tests.peers.processes import Peer, free_port, node_peer
from tests.plugins.connectors.opcua.gateway import collecting
from tests.plugins.connectors.opcua.identities import Made, make
from tests.plugins.connectors.recording import RecordingSink, eventually, request_for, running, signals_at

SPEED = "ns=1;s=pump.speed"
FAST = {"publishing_interval_ms": 50, "keepalive_s": 0.2}


def server(folder: Path, made: Made, *words: str, port: int | None = None) -> Peer:
    files = (f"certificate={made.certificate}", f"key={made.key}")
    return node_peer("opcua_server.js", str(folder / "pki"), *files, *words, port=port or free_port())


def settings(peer: Peer, folder: Path, **more: object) -> dict[str, object]:
    return {
        "url": f"opc.tcp://127.0.0.1:{peer.port}/forewarn",
        "security": "Basic256Sha256",
        "certificate_folder": str(folder / "own"),
        **FAST,
        **more,
    }


async def refused(given: dict[str, object]) -> tuple[ConditionCode, str]:
    """Why a run with these settings ends."""
    with pytest.raises(SourceUnreachable) as raised:
        await asyncio.wait_for(
            CONNECTOR.run(request_for(CONNECTOR, given, signals_at(SPEED)), RecordingSink()), timeout=60
        )
    return raised.value.condition, str(raised.value)


async def flows(given: dict[str, object]) -> None:
    sink = RecordingSink()
    async with running(CONNECTOR, request_for(CONNECTOR, given, signals_at(SPEED)), sink) as task:
        await eventually(lambda: len(sink.values(1)) >= 5, "values over the secure channel", task)


async def test_pinned_swapped_and_mended(tmp_path):
    """The server's certificate is swapped while we collect: named, nothing is sent to it, and it recovers alone."""
    right, wrong = make(tmp_path, "right"), make(tmp_path, "wrong")
    pin = tmp_path / "pinned.pem"
    shutil.copy(right.certificate, pin)
    port = free_port()
    with server(tmp_path, right, port=port) as peer:
        given = settings(peer, tmp_path, server_certificate=str(pin))
        async with collecting(tmp_path / "log", given, [SPEED]) as gateway:
            await eventually(lambda: len(gateway.stored.values(1)) >= 5, "values of the right server")
            peer.kill()
            with server(tmp_path, wrong, port=port):
                changed = ConditionCode.CERTIFICATE_CHANGED
                await eventually(lambda: changed in gateway.conditions, "the swap has a name")
                assert str(pin) in gateway.conditions[changed]
                count = len(gateway.stored.values(1))
                shutil.copy(wrong.certificate, pin)  # the plant's people say that it was them
                await eventually(lambda: len(gateway.stored.values(1)) >= count + 5, "values of the new one")
                assert changed not in gateway.conditions


async def test_an_expired_server_certificate(tmp_path):
    expired, renewed = make(tmp_path, "expired", days=-1), make(tmp_path, "renewed")
    port = free_port()
    folder = tmp_path / "trusted"
    folder.mkdir()
    for made in (expired, renewed):
        shutil.copy(made.certificate, folder)
    with server(tmp_path, expired, port=port) as peer:
        given = settings(peer, tmp_path, trusted_certificates=str(folder))
        condition, text = await refused(given)
        assert condition is ConditionCode.CERTIFICATE_EXPIRED
        assert "expired at" in text
    with server(tmp_path, renewed, port=port):
        await flows(given)


async def test_trusted_by_its_issuer_or_not_at_all(tmp_path):
    authority, stranger = make(tmp_path, "authority", ca=True), make(tmp_path, "stranger", ca=True)
    issued = make(tmp_path, "issued", issuer=authority)
    folder = tmp_path / "trusted"
    folder.mkdir()
    with server(tmp_path, issued) as peer:
        given = settings(peer, tmp_path, trusted_certificates=str(folder))
        shutil.copy(stranger.certificate, folder)
        condition, text = await refused(given)
        assert condition is ConditionCode.CERTIFICATE_UNTRUSTED
        assert str(folder) in text
        shutil.copy(authority.certificate, folder)
        await flows(given)


async def test_an_authority_vouches_for_a_machine_and_no_other(tmp_path):
    authority = make(tmp_path, "authority", ca=True)
    folder = tmp_path / "trusted"
    folder.mkdir()
    shutil.copy(authority.certificate, folder)
    other = make(tmp_path, "other", issuer=authority, host="127.0.0.2")
    with server(tmp_path, other) as peer:
        condition, text = await refused(settings(peer, tmp_path, trusted_certificates=str(folder)))
        assert condition is ConditionCode.CERTIFICATE_UNTRUSTED
        assert "is for 127.0.0.2, not for 127.0.0.1" in text
        shutil.copy(other.certificate, folder)
        await flows(settings(peer, tmp_path, trusted_certificates=str(folder)))


async def test_a_certificate_that_only_bears_the_issuers_name_is_not_trusted(tmp_path):
    """Same subject, other key: the signature decides."""
    authority = make(tmp_path / "real", "authority", ca=True)
    issued = make(tmp_path, "issued", issuer=make(tmp_path / "fake", "authority", ca=True))
    folder = tmp_path / "trusted"
    folder.mkdir()
    shutil.copy(authority.certificate, folder)
    with server(tmp_path, issued) as peer:
        condition, _ = await refused(settings(peer, tmp_path, trusted_certificates=str(folder)))
        assert condition is ConditionCode.CERTIFICATE_UNTRUSTED


async def test_the_first_use_is_believed_only_when_asked_for_and_then_pinned(tmp_path):
    one, other = make(tmp_path, "one"), make(tmp_path, "other")
    port = free_port()
    with server(tmp_path, one, port=port) as peer:
        with pytest.raises(ValidationError, match="whom to trust"):
            CONNECTOR.settings.model_validate(settings(peer, tmp_path))
        given = settings(peer, tmp_path, trust_first_use=True)
        await flows(given)
    with server(tmp_path, other, port=port):
        condition, _ = await refused(given)
        assert condition is ConditionCode.CERTIFICATE_CHANGED


async def test_a_server_that_does_not_trust_us(tmp_path):
    """We make our certificate ourselves and say its thumbprint; once the server trusts it, values flow."""
    made = make(tmp_path, "server")
    with server(tmp_path, made, "trust=known") as peer:
        given = settings(peer, tmp_path, server_certificate=str(made.certificate))
        condition, text = await refused(given)
        own = tmp_path / "own" / "own.der"
        assert condition is ConditionCode.CERTIFICATE_UNTRUSTED
        assert own.is_file()
        assert (tmp_path / "own" / "own.pem").stat().st_mode & 0o077 == 0
        rejected = list((tmp_path / "pki" / "rejected").iterdir())
        assert any(
            file.name.startswith(text_thumbprint(text)) or text_thumbprint(text) in file.name.lower()
            for file in rejected
        ), (text, rejected)
        for file in rejected:
            shutil.move(file, tmp_path / "pki" / "trusted" / "certs" / file.name)
        await eventually_flows(given)


def text_thumbprint(text: str) -> str:
    return text.partition("our certificate ")[2].partition(" ")[0]


async def eventually_flows(given: dict[str, object]) -> None:
    for _ in range(20):
        try:
            await flows(given)
            return
        except SourceUnreachable:
            await asyncio.sleep(0.5)
    await flows(given)


async def test_our_own_certificate_expired_or_gone(tmp_path):
    made = make(tmp_path, "server")
    old = make(tmp_path, "client", uri="urn:forewarn:gateway", days=-1)
    with server(tmp_path, made) as peer:
        given = settings(
            peer,
            tmp_path,
            server_certificate=str(made.certificate),
            certificate=str(old.certificate),
            private_key=str(old.key),
        )
        condition, text = await refused(given)
        assert condition is ConditionCode.CERTIFICATE_EXPIRED
        assert str(old.certificate) in text
        make(tmp_path, "client", uri="urn:forewarn:gateway")
        await flows(given)
        old.key.unlink()
        condition, text = await refused(given)
        assert condition is ConditionCode.MISCONFIGURED
        assert f"private_key: there is no file {old.key}" in text


async def test_a_user_by_certificate(tmp_path):
    made, user = make(tmp_path, "server"), make(tmp_path, "user", uri="urn:user")
    with server(tmp_path, made) as peer:
        given = settings(
            peer,
            tmp_path,
            server_certificate=str(made.certificate),
            user_certificate=str(user.certificate),
            user_private_key=str(user.key),
        )
        await flows(given)


async def test_a_refused_password_is_not_tried_again_until_it_is_another(tmp_path):
    secret = tmp_path / "password"
    secret.write_text("wrong\n")
    with node_peer("opcua_server.js", str(tmp_path / "pki"), port=free_port()) as peer:
        given = {
            "url": f"opc.tcp://127.0.0.1:{peer.port}/forewarn",
            "user": "operator",
            "password_file": str(secret),
            **FAST,
        }
        first = await refused(given)
        assert first[0] is ConditionCode.CREDENTIALS_REFUSED
        peer.freeze()  # whoever asked it now would wait in vain
        assert await refused(given) == first
        peer.thaw()
        secret.write_text("secret\n")
        await flows(given)
