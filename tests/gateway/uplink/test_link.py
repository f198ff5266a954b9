"""What the link says of a site whose certificate is not good."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from forewarn.domain.conditions import ConditionCode
from forewarn.gateway.uplink.link import SiteAway, SiteLink
from forewarn.policies.gateway_settings import UplinkSettings
from tests.peers.certificates import Authority, Identity


@contextlib.asynccontextmanager
async def listening(identity: Identity) -> AsyncIterator[int]:
    """A TLS server that says nothing."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(identity.certificate, identity.private_key)
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    async with server:
        yield int(server.sockets[0].getsockname()[1])


@pytest.mark.parametrize(
    ("signer", "days", "condition", "remedy"),
    [
        ("plant", -1.0, ConditionCode.CERTIFICATE_EXPIRED, "renew it"),
        ("stranger", 1.0, ConditionCode.CERTIFICATE_UNTRUSTED, "set gateway.uplink.ca"),
    ],
)
async def test_a_bad_certificate_of_the_site_has_its_name(
    tmp_path: Path, signer: str, days: float, condition: ConditionCode, remedy: str
) -> None:
    authorities = {name: Authority(tmp_path, name) for name in ("plant", "stranger")}
    async with listening(authorities[signer].sign("site", days=days)) as port:
        settings = UplinkSettings(f"https://127.0.0.1:{port}", ca=authorities["plant"].certificate, timeout_s=5.0)
        link = SiteLink(settings, "line-1", "1")
        await link.open()
        try:
            with pytest.raises(SiteAway, match=remedy) as raised:
                await link.heartbeat(b"{}")
        finally:
            await link.close()
    assert raised.value.condition is condition
