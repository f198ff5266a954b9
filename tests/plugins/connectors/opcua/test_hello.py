"""Whatever stands on the port: what answers otherwise than an OPC UA server is told as it is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from forewarn.domain.conditions import ConditionCode
from forewarn.domain.errors import SourceUnreachable
from forewarn.plugins.connectors.opcua import CONNECTOR
from forewarn.plugins.connectors.opcua.hello import strange_answer
from tests.peers.processes import free_port
from tests.plugins.connectors.recording import RecordingSink, request_for, signals_at


@asynccontextmanager
async def answering(said: bytes) -> AsyncIterator[str]:
    """The url of a server that says so to whatever it is asked, and ends the connection; of a silent one without."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        if said:
            writer.write(said)
            await writer.drain()
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"opc.tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}/forewarn"
    finally:
        server.close()


@pytest.mark.parametrize(
    "said", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", b"\x15\x03\x01\x00\x02\x02\x46"]
)
async def test_what_is_no_opc_ua_server_is_nonsense(said: bytes) -> None:
    async with answering(said) as url:
        given = {"url": url, "timeout_s": 1}
        with pytest.raises(SourceUnreachable) as raised:
            await CONNECTOR.run(request_for(CONNECTOR, given, signals_at("ns=1;s=a")), RecordingSink())
    assert raised.value.condition is ConditionCode.NONSENSE
    assert repr(said[:10])[2:-1] in str(raised.value)


async def test_silence_an_error_and_nobody_are_no_nonsense() -> None:
    assert await strange_answer(f"opc.tcp://127.0.0.1:{free_port()}", 1.0) is None
    for said in (b"", b"ERRF\x10\x00\x00\x00\x00\x00\x03\x80\xff\xff\xff\xff"):
        async with answering(said) as url:
            assert await strange_answer(url, 0.3) is None
